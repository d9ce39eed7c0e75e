/* --dry-run for people. */
#ifndef NP_PIPELINE_PLAN_TEXT_H
#define NP_PIPELINE_PLAN_TEXT_H

#include "pipeline/plan.h"

/* "3 sessions: 2 to do, 1 already complete"; the caller frees. */
char *np_plan_counts(const struct np_plan *plan);

/* "warning: …", one a line, "" for none; the caller frees. */
char *np_plan_warnings_text(const struct np_plan *plan);

/* One line a job with what is to be done and why, the warnings, the counts, and what the work
 * needs; the caller frees. Control characters of names are removed. */
char *np_plan_text(const struct np_plan *plan);

#endif
