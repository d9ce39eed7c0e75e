/* When to try again: waits that double, with jitter, within bounds, and are no shorter than what
 * the server asks for. */
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
 * Another failure: how long to wait, in ns. 1 s, 2 s, 4 s … 30 s, each times a factor from [0.5, 1)
 * so that the tasks of an array do not come back together. `asked_s` is what the server asked for
 * (negative = nothing): where that is longer it is waited for in full and a little jitter more, but
 * no longer than 300 s. A server that asks for nothing at all is not believed.
 */
int64_t np_send_retry_wait_ns(struct np_send_retry *retry, double asked_s);

/* It went well. */
void np_send_retry_reset(struct np_send_retry *retry);

#endif
