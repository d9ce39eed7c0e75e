/*
 * The state of a cohort: the records of its sessions (survey.h) together with what was asked for
 * (plans.h), what the dataset holds, and whether outputs are still there. After it, the counts of a
 * survey are those of the next run.
 */
#ifndef NP_RECORD_COHORT_H
#define NP_RECORD_COHORT_H

#include "record/plans.h"
#include "record/survey.h"

/* The session or file of a row; borrows from it. */
struct np_asked np_survey_asked(const struct np_survey_row *row);

struct np_cohort_options {
    const char *output_dir;
    enum np_verify verify;
    /* Sessions that a run would do, and that are not in this dataset, are `gone`; complete sessions
     * are compared with its images. NULL: those are gone that were not there when a run last
     * looked. */
    const char *bids_dir;
    bool counts_dataset; /* all sessions of bids_dir are wanted */
};

/*
 * Complete a survey of output_dir:
 *   - sessions that were complete are `incomplete` when a rerun would do them again: the completion
 *     record or an output is missing, of another size, or (hashes) of other content; or, with
 *     bids_dir, an image is new, or (from sizes on) is not the recorded one
 *   - sessions that a plan names, or the dataset holds, have a row even if there is no record:
 *     not-started, or nothing-to-do when the dataset has no image for them, whatever became of
 *     earlier ones
 *   - sessions that a run would do are marked when they were withdrawn or are gone
 * Returns 0, or with bids_dir what np_dataset_open returns.
 */
int np_cohort_complete(struct np_survey *survey, const struct np_cohort_options *options,
                       struct np_error *err) NP_MUST_USE;

#endif
