/*
 * The messages of a run for people: one plain line per event with its time, always valid UTF-8. In a
 * file or a pipe the time is UTC with milliseconds; on a terminal it is local, and a progress bar
 * stands below the lines. Progress goes to stdout; failures, and the last line of a failed
 * run, go to stderr. A stalled reader does not stop the work: after two seconds without room lines
 * are dropped, and when there is room again a line gives their number.
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
    bool bar_over; /* no bar any more */
    bool bar_shown;
    bool stalled;     /* the reader has stalled: do not wait again */
    size_t n_dropped; /* lines dropped since then */
    size_t n_done, n_failed, n_total, n_active;
    int64_t start_ns;
};

void np_console_init(struct np_console *console, int verbosity);

/* Print a line on stdout when verbosity is at least `level`. */
void np_console_print(struct np_console *console, int level, const char *format, ...)
    NP_PRINTF(3, 4);

/* Print a line on stderr at any verbosity, without time: it is a result, not progress. */
void np_console_fail(struct np_console *console, const char *format, ...) NP_PRINTF(2, 3);

/* True when one reader sees both the progress and the failures: on a terminal, and not with --quiet. */
bool np_console_is_one_terminal(const struct np_console *console);

/* Draw or update the bar, on a terminal. */
void np_console_progress(struct np_console *console);

/* The bar for a terminal of so many columns, with `left_s` seconds left (below 0 = not known): it
 * is narrower than the terminal, whatever it says. The caller frees. */
char *np_console_bar(const struct np_console *console, int columns, double left_s);

/* Remove the bar for good. */
void np_console_end(struct np_console *console);

#endif
