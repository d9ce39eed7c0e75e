/* What launchers do to our output: they close it, or stop reading once the process is gone and lose
 * what is still in the pipe. */
#ifndef NP_CLI_DRAIN_H
#define NP_CLI_DRAIN_H

#include <stdbool.h>

/* Let standard descriptors that were closed lead nowhere: the next file that is opened would get
 * their number, and lines meant for people. To be called first. */
void np_open_output(void);

/* Flush stdout and stderr, then wait until their pipes have been read (1 s at most) and a moment
 * longer. */
void np_drain_output(void);

/* True when what was printed to a file did not get there (a full disk). A reader that went away is
 * not meant. */
bool np_output_lost(void);

#endif
