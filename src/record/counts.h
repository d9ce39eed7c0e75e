/* Sessions by their state, and failed ones by what failed: the numbers of `status`, its JSON and the gauges. */
#ifndef NP_RECORD_COUNTS_H
#define NP_RECORD_COUNTS_H

#include "record/survey.h"

/* Sessions that failed at one stage with one error.type; both owned, "" = not known. */
struct np_counted_failure {
    char *stage, *error_type;
    size_t n;
};

/* {0} is empty. Release with np_counts_done. */
struct np_counts {
    size_t of_state[NP_N_STATES];
    size_t n_warned;                    /* success with warning, among the successes */
    size_t n_injected;                  /* failed on request (--fail-rate), among the failed */
    struct np_counted_failure *failure; /* in the order in which rows have them first */
    size_t n_failures;                  /* their n add up to of_state[NP_STATE_FAILED] */
};

void np_counts_find(const struct np_survey *survey, struct np_counts *counts);
void np_counts_done(struct np_counts *counts);

/* Add `n` sessions to those of this stage and error.type, which get an entry though n is 0. */
void np_counts_add_failure(struct np_counts *counts, const char *stage, const char *error_type,
                           size_t n);

#endif
