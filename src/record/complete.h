/* Decide whether a session is complete, from its completion record, its inputs and its outputs.
 * Hashes are computed only when necessary. */
#ifndef NP_RECORD_COMPLETE_H
#define NP_RECORD_COMPLETE_H

#include "record/folder.h"
#include "record/place.h"
#include "record/record.h"

/* The things that determine a result; they are compared with the record. All borrowed. */
struct np_complete_key {
    const char *config; /* np_config_results_json */
    struct np_complete_input {
        const char *path;     /* path for opening the file */
        const char *recorded; /* path in records */
        const char *modality;
        const char *method;
        /* Paths that the record must name, unless its method lacks a stage; NULL = not asked. */
        const struct np_strings *outputs;
        /* The brain mask that is given for it now; NULL = none: the recorded one is as good. */
        const char *mask;
    } const *input;
    size_t n_inputs;
    bool may_be_away;               /* an input that cannot be read now counts as unchanged */
    const struct np_folder *folder; /* results made in one of its configurations are as good; NULL =
                                       only those of `config` */
};

enum np_completeness {
    NP_COMPLETE,      /* nothing to do */
    NP_INCOMPLETE,    /* no completion record; or an output is missing or of another size */
    NP_INPUT_CHANGED, /* an input changed or appeared */
    NP_OTHER_CONFIG,  /* made with other options */
    NP_OTHER_METHOD,  /* made with other versions of the methods */
    NP_OTHER_MASK,    /* made with another brain mask than is given now, or without one */
    NP_LACKS_ADDED,   /* complete, made by a version without a stage that only adds */
};

/*
 * Compare with the record. The inputs may be a part of the recorded ones. An input with the
 * recorded size and mtime is unchanged; with another mtime the hash decides. `difference` gets a
 * few words on what differs (owned by the caller, may be NULL); `is_warned` whether the recorded
 * success is one with warnings (may be NULL). Never fails: a file that cannot be read makes the
 * session incomplete.
 */
enum np_completeness np_complete_check(const struct np_record_place *place, const char *output_dir,
                                       const struct np_complete_key *key, char **difference,
                                       bool *is_warned);

/* Is the file at `path` the recorded input? By size and mtime, with another mtime by hash. */
bool np_complete_input_same(const struct np_file_record *file, const char *path, bool may_be_away);

#endif
