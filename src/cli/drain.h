/* Some launchers stop reading once the process is gone, and lose what is still in the pipe. */
#ifndef NP_CLI_DRAIN_H
#define NP_CLI_DRAIN_H

#include <stdbool.h>

/* Flush stdout and stderr, then wait, 1 s at most, until their pipes have been read. */
void np_drain_output(void);

/* True when what was printed to a file did not get there (a full disk). A reader that went away is
 * not meant. */
bool np_output_lost(void);

#endif
