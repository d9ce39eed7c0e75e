#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { NS_PER_MS = 1000000 };
static const int64_t NS_PER_S = 1000000000;

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t np_clock_mono_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

int64_t np_clock_unix_ns(void)
{
    return now_ns(CLOCK_REALTIME);
}

int64_t np_clock_cpu_ns(void)
{
    return now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

char *np_clock_iso8601(int64_t unix_ns, char *out)
{
    time_t seconds = (time_t)(unix_ns / NS_PER_S);
    struct tm utc;

    gmtime_r(&seconds, &utc);
    size_t used = strftime(out, NP_CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + used, NP_CLOCK_TEXT - used, ".%03dZ", (int)(unix_ns % NS_PER_S / NS_PER_MS));
    return out;
}
