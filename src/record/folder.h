/*
 * The memory of an output folder: how its results are made, and of which dataset. The memory is
 * logs/folder.json (schema: docs/schemas/folder.schema.json), written by the first run before any
 * work; a folder of an earlier version has none, and its records tell the same.
 *
 * A folder has one configuration. It has several when a run was asked to mix them, or when earlier
 * versions did. Results made in another one than these are outdated.
 */
#ifndef NP_RECORD_FOLDER_H
#define NP_RECORD_FOLDER_H

#include "record/record.h"

enum { NP_FOLDER_SCHEMA = 1 };

/* A way of making results. All owned. */
struct np_making {
    char *options;                 /* canonical JSON, as np_config_results_json */
    struct np_text_record *method; /* modality → stages and their versions, as np_recipe_version */
    size_t n_methods;
    size_t n_sessions; /* of the records that tell of it; 0 in a memory */
    int64_t first_ns;  /* the earliest of them */
};

enum np_folder_origin {
    NP_FOLDER_NEW,          /* neither memory nor results */
    NP_FOLDER_FROM_RECORDS, /* results, but no memory */
    NP_FOLDER_REMEMBERED,
};

struct np_folder {
    enum np_folder_origin origin;
    /* 16 random hex digits, the same wherever the folder lies; NULL = of an earlier version. */
    char *id;
    struct np_making *making; /* the folder's own first */
    size_t n_makings;
    bool has_source; /* the name and the DOI of the dataset are known, NULL = it has none */
    char *source_name, *source_doi;
};

/* The relation of a run to the memory. */
enum np_folder_verdict {
    NP_FOLDER_FOUNDS,  /* nothing is decided yet: its configuration becomes the folder's */
    NP_FOLDER_AGREES,  /* its configuration is among the folder's */
    NP_FOLDER_CHANGES, /* --rerun outdated: its configuration becomes the only one */
    NP_FOLDER_MIXES,   /* --allow-mixed: its configuration becomes one more */
    NP_FOLDER_REFUSES,
};

void np_making_done(struct np_making *making);
void np_making_copy(const struct np_making *from, struct np_making *to);
/* One method of a modality is kept: the first, or one that agrees and has more stages. */
void np_making_add_method(struct np_making *making, const char *modality, const char *method);

/* True when the options are the same, and the methods of all modalities that both know agree
 * (record/method.h). */
bool np_making_same(const struct np_making *one, const struct np_making *other);

/* True when `other` has a stage that only adds, and that `one` does not have for that modality. */
bool np_making_lacks(const struct np_making *one, const struct np_making *other);

/* "normalize: zscore there, percentile here; T1w: skull_strip:3 there, skull_strip:4 here"; the
 * caller frees. */
char *np_making_difference(const struct np_making *there, const struct np_making *here);

/* The options in words (np_config_results_words); the caller frees. */
char *np_making_words(const struct np_making *making);

/*
 * Read the memory. Returns 0, 1 when there is none (`folder` is then empty), NP_ECONFIG (damaged:
 * says what to do), NP_EIO.
 */
int np_folder_recall(const char *output_dir, struct np_folder *folder,
                     struct np_error *err) NP_MUST_USE;

/*
 * Learn from the records of a folder without memory, one by one, then settle: the configuration
 * with the most sessions is the folder's own (of equals the earliest). Records without results
 * teach nothing.
 */
void np_folder_learn(struct np_folder *folder, const struct np_session_record *record);
void np_folder_rank(struct np_folder *folder); /* brings them into that order */
void np_folder_settle(struct np_folder *folder, const char *output_dir);

void np_folder_done(struct np_folder *folder);

/* Decide for a run that makes results as `ours`; a pure function. */
enum np_folder_verdict np_folder_judge(const struct np_folder *folder, const struct np_making *ours,
                                       bool redoes_outdated, bool allows_mixed);

/* Does the folder's configuration lack stages that ours adds? Then the memory changes although the
 * configurations agree: what it says is done from now on. */
bool np_folder_lacks(const struct np_folder *folder, const struct np_making *ours);

/* Change the memory, not on disk, as the verdict says. */
void np_folder_apply(struct np_folder *folder, enum np_folder_verdict verdict,
                     const struct np_making *ours);

/* True when results of these options and this method (NULL = any) belong to the folder; NULL options
 * never do. */
bool np_folder_accepts(const struct np_folder *folder, const char *options, const char *modality,
                       const char *method);

/* The same for all results of a session; true when it has none. */
bool np_folder_accepts_record(const struct np_folder *folder,
                              const struct np_session_record *record);

/* The difference between a session's results and the folder, as np_making_difference from there
 * (the record) to here (the folder's own configuration). The caller frees. */
char *np_folder_difference(const struct np_folder *folder, const struct np_session_record *record);

/* The configuration of a session's results in words; NULL when it has none. The caller frees. */
char *np_folder_record_words(const struct np_session_record *record);

/* The method of a session's results; when its images have several, "T1w: …; T2w: …". NULL when it
 * has none. The caller frees. */
char *np_folder_record_method(const struct np_session_record *record);

/* Write the memory of a folder that has none: of several runs, on any host, one succeeds. Returns
 * 0, 1 when another run was first, NP_ECREATE, NP_ESPACE, NP_EIO. */
int np_folder_write_first(const char *output_dir, const struct np_folder *folder,
                          struct np_error *err) NP_MUST_USE;

/* Replace the memory. Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO. */
int np_folder_replace(const char *output_dir, const struct np_folder *folder,
                      struct np_error *err) NP_MUST_USE;

#endif
