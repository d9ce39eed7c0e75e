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

/*
 * Add a row for each session that a plan names and that has no record (not-started). Sessions
 * that a run would do are marked when they were withdrawn, or were gone from the dataset when a
 * run last looked.
 */
void np_cohort_add_plans(struct np_survey *survey, const char *output_dir);

/* Mark sessions as incomplete when they were complete and a rerun would do them again, because
 * the completion record or an output is missing, of another size, or (hashes) of other content. */
void np_cohort_verify(struct np_survey *survey, const char *output_dir, enum np_verify how);

#endif
