/* How long to wait before the next attempt: exponential backoff with jitter, at least as long as
 * the server asked for. */
#ifndef NP_SEND_RETRY_H
#define NP_SEND_RETRY_H

#include <stdint.h>

#include "base/random.h"

/* {0} with `random` seeded is the state before any failure. */
struct np_send_retry {
    struct np_random random;
    int n_failures; /* in a row */
};

/*
 * Note another failure; returns how long to wait, in ns. The wait is 1 s, 2 s, 4 s … 30 s times a
 * factor from [0.5, 1), so that the tasks of an array do not all retry at the same time. `asked_s`
 * is what the server asked for (negative = nothing). Where it is longer than the backoff, the wait
 * is `asked_s`, at most 300 s, plus up to 0.1 s of jitter. Where it is shorter, as a Retry-After of
 * 0, the backoff counts.
 */
int64_t np_send_retry_wait_ns(struct np_send_retry *retry, double asked_s);

/* Note a success: the next failure begins again at 1 s. */
void np_send_retry_reset(struct np_send_retry *retry);

#endif
