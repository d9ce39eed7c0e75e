/*
 * The results of a run's sessions, and its exit status (docs/exit-codes.md). Pure data: these
 * functions read, write and print nothing.
 */
#ifndef NP_PIPELINE_RESULTS_H
#define NP_PIPELINE_RESULTS_H

#include "record/reasons.h"

/* {0} is a run without results so far. */
struct np_results {
    size_t n_success, n_failed, n_interrupted, n_skipped, n_nothing, n_not_started, n_elsewhere;
    size_t n_warned;             /* of n_success and n_skipped: with a warning about a result */
    struct np_reasons reasons;   /* of the sessions that failed or were interrupted */
    struct np_reasons elsewhere; /* of those that another run is working on */
};

/* Count a session that ended in this state: FAILED, with its failure, when it could not start;
 * ELSEWHERE, with the lock's sentence, when another run is working on it. The failure may be NULL
 * for other states. */
void np_results_add(struct np_results *results, const char *label, enum np_state state,
                    const struct np_failure *failure);
void np_results_done(struct np_results *results);

/* The reason that leads the summary: a full disk, which stops a run, before the others. NULL when
 * no session failed. Borrowed until the next np_results_add. */
const struct np_reason *np_results_headline(const struct np_results *results);

/* Number of sessions that failed or were interrupted. */
size_t np_results_bad(const struct np_results *results);

/* Number of sessions that completed, were complete before, or failed. */
size_t np_results_tried(const struct np_results *results);

/* The exit status of a run that `signal` stopped (0 = none did); `allow_empty` as of
 * --allow-empty. */
int np_results_exit_status(const struct np_results *results, int signal, bool allow_empty);

#endif
