#include "send/retry.h"

static const double FIRST_S = 1, LONGEST_S = 30, LONGEST_ASKED_S = 300, ASKED_JITTER_S = 0.1;

static double doubled_s(int n_failures)
{
    double wait_s = FIRST_S;

    for (int i = 1; i < n_failures && wait_s < LONGEST_S; i++)
        wait_s *= 2;
    return wait_s < LONGEST_S ? wait_s : LONGEST_S;
}

int64_t np_send_retry_wait_ns(struct np_send_retry *retry, double asked_s)
{
    double uniform = np_random_uniform(&retry->random);
    if (retry->n_failures < 1000)
        retry->n_failures++;
    double wait_s = doubled_s(retry->n_failures) * (0.5 + 0.5 * uniform);
    if (asked_s > wait_s)
        wait_s = (asked_s < LONGEST_ASKED_S ? asked_s : LONGEST_ASKED_S) + ASKED_JITTER_S * uniform;
    return (int64_t)(wait_s * 1e9);
}

void np_send_retry_reset(struct np_send_retry *retry)
{
    retry->n_failures = 0;
}
