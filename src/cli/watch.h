/* status --watch: a text that is shown again and again. */
#ifndef NP_CLI_WATCH_H
#define NP_CLI_WATCH_H

#include <stdbool.h>
#include <stdio.h>

#include "base/exec.h"

/* The text to watch. */
struct np_watched {
    /* Write the present text; false = this was the last one. */
    bool (*print)(void *self, FILE *out);
    void *self;
};

/*
 * On a terminal the text is one block that is drawn over in place, cut to the terminal's size. Else
 * each text that differs from the one before is printed whole, with its time above. The text is asked
 * for every two seconds, or more rarely: asking takes at most a tenth of the time. Returns when `print`
 * says so or a signal came; the last text stays. Returns the signal, or 0.
 */
int np_watch(const struct np_watched *watched, const struct np_cancel *cancel, FILE *out);

#endif
