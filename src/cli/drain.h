/* Protection against launchers that close our output, or that stop reading when the process has
 * ended and discard the rest of the pipe. */
#ifndef NP_CLI_DRAIN_H
#define NP_CLI_DRAIN_H

#include <stdbool.h>

/* Open closed standard descriptors to /dev/null: otherwise the next opened file would get their
 * number, and lines for people would go into it. To be called first. */
void np_open_output(void);

/* Flush stdout and stderr, then wait until their pipes have been read (1 s at most) and a moment
 * longer. */
void np_drain_output(void);

/* True when printed text did not reach its file (a full disk). A reader that has closed its pipe
 * does not count. */
bool np_output_lost(void);

#endif
