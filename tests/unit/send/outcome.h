/* Names of outcomes, for the messages of tests. */
#ifndef NP_TESTS_SEND_OUTCOME_H
#define NP_TESTS_SEND_OUTCOME_H

#include "send/transport.h"

static inline const char *outcome_name(enum np_send_outcome outcome)
{
    static const char *const names[] = {
        [NP_SEND_ACCEPTED] = "accepted",   [NP_SEND_PARTIAL] = "partial",
        [NP_SEND_RETRY] = "retry",         [NP_SEND_REFUSED] = "refused",
        [NP_SEND_TOO_LARGE] = "too large", [NP_SEND_UNREACHABLE] = "unreachable",
        [NP_SEND_CANCELED] = "canceled",
    };

    return names[outcome];
}

#endif
