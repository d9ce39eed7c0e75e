/*
 * What a person sees while a run goes on: one plain line an event with its time (a progress bar on
 * a terminal), always valid UTF-8. Progress goes to stdout; what failed, and the last line of a run
 * that failed, to stderr. A reader that stalls stalls no work: after two seconds without room lines
 * are dropped until there is some again, and then it is said how many.
 */
#ifndef NP_PIPELINE_CONSOLE_H
#define NP_PIPELINE_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/alloc.h"

struct np_console {
    FILE *out, *err;
    int verbosity; /* -1 quiet, 0 normal, 1 … 3 more */
    bool bar;      /* `out` is a terminal */
    bool bar_shown;
    bool stalled;     /* nobody reads: do not wait again */
    size_t n_dropped; /* lines since then */
    size_t n_done, n_failed, n_total, n_active;
    int64_t start_ns;
};

void np_console_init(struct np_console *console, int verbosity);

/* A line on stdout when verbosity is at least `level`. */
void np_console_say(struct np_console *console, int level, const char *format, ...) NP_PRINTF(3, 4);

/* A line on stderr, whatever the verbosity; without time: it is the result, not progress. */
void np_console_fail(struct np_console *console, const char *format, ...) NP_PRINTF(2, 3);

/* Draw or renew the bar, on a terminal. */
void np_console_progress(struct np_console *console);

/* Remove the bar for good. */
void np_console_end(struct np_console *console);

#endif
