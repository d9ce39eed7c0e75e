/*
 * One folder, one configuration, one dataset: whether a run may make results in OUTPUT_DIR. All ways
 * to a result pass here: the plan (so `--dry-run` too), the start of a run, `doctor`.
 */
#ifndef NP_PIPELINE_ADMISSION_H
#define NP_PIPELINE_ADMISSION_H

#include "bids/dataset.h"
#include "config/config.h"
#include "record/folder.h"

/* Counts of the sessions that the folder holds results of, for a dataset with another Name or DOI
 * than the folder remembers. */
struct np_source_evidence {
    size_t n_results; /* sessions with results */
    size_t n_common;  /* sessions that the dataset holds too */
    size_t n_changed; /* of them, those of which an input has another hash */
    size_t n_unknown; /* sessions of both that have no result: their input says neither */
};

/* True when the evidence says that this is another dataset: an input of a session held by both
 * differs, or no session is held by both. Sessions of `n_unknown` count as held by both only where
 * there are no results that could be those of another dataset. A pure function. */
bool np_source_is_another(const struct np_source_evidence *evidence);

/* "a redo is 3 sessions, about 12 min of work as recorded"; the caller frees. */
char *np_admission_cost(size_t n_sessions, double wall_s);

/*
 * Look whether a run with these options, on this dataset (NULL for `process` and `batch`), may make
 * results in config->output_dir; changes nothing.
 *   folder    gets the folder's memory as the run will leave it; on failure empty
 *   warnings  gets a sentence when the folder holds several configurations; may be NULL
 * Returns 0, or NP_ECONFIG: another configuration (both are named, with the cost of a redo and the
 * ways on), or another dataset (both are named). Also what np_folder_recall returns.
 */
int np_admission_check(const struct np_config *config, const struct np_dataset *dataset,
                       struct np_folder *folder, struct np_strings *warnings,
                       struct np_error *err) NP_MUST_USE;

/* The same, and write the memory where it changes. When another run decides at the same time, that
 * decision counts. Returns what np_admission_check does; NP_ECREATE, NP_ESPACE, NP_EIO. */
int np_admission_settle(const struct np_config *config, const struct np_dataset *dataset,
                        struct np_error *err) NP_MUST_USE;

/* Returns 0 while the folder's memory on disk accepts results of these options; NP_ECONFIG when
 * another run has changed it. */
int np_admission_still_holds(const struct np_config *config, struct np_error *err) NP_MUST_USE;

#endif
