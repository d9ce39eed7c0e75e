/* Is a session complete? From its completion record, its inputs and its outputs; nothing is
 * computed anew without need. */
#ifndef NP_RECORD_COMPLETE_H
#define NP_RECORD_COMPLETE_H

#include "record/place.h"
#include "record/record.h"

/* What makes a result: compared with what was recorded. All borrowed. */
struct np_complete_key {
    const char *config; /* np_config_results_json */
    struct np_complete_input {
        const char *path;     /* to open */
        const char *recorded; /* as it stands in records */
        const char *method;
        const struct np_strings *outputs; /* paths that the record must name; NULL = not asked */
    } const *input;
    size_t n_inputs;
    bool may_be_away; /* an input that cannot be read now counts as unchanged */
};

enum np_completeness {
    NP_COMPLETE,      /* nothing to do */
    NP_INCOMPLETE,    /* no completion record; or an output is missing or of another size */
    NP_INPUT_CHANGED, /* an input changed or appeared */
    NP_OTHER_CONFIG,  /* made with other options */
    NP_OTHER_METHOD,  /* made with other versions of the methods */
};

/*
 * Compare. The inputs may be a part of what was recorded. An input whose size and mtime are as
 * recorded is unchanged; with another mtime its hash decides. `difference` gets a few words on what
 * differs (owned by the caller, may be NULL). Never fails: what cannot be read is incomplete.
 */
enum np_completeness np_complete_check(const struct np_record_place *place, const char *output_dir,
                                       const struct np_complete_key *key, char **difference);

#endif
