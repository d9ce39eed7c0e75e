/* Time: monotonic for durations, UTC for records. */
#ifndef NP_BASE_CLOCK_H
#define NP_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of a clock that never goes back; its origin means nothing. */
int64_t np_clock_mono_ns(void);

/* Nanoseconds since 1970-01-01T00:00:00Z. */
int64_t np_clock_unix_ns(void);

/* CPU time of this process, user and system, all threads. */
int64_t np_clock_cpu_ns(void);

enum { NP_CLOCK_TEXT = 32 };

/* "2026-11-21T10:20:30.123Z"; `out` has room for NP_CLOCK_TEXT bytes. Returns `out`. */
char *np_clock_iso8601(int64_t unix_ns, char *out);

#endif
