/* Some launchers stop reading once the process is gone, and lose what is still in the pipe. */
#ifndef NP_CLI_DRAIN_H
#define NP_CLI_DRAIN_H

/* Flush stdout and stderr, then wait, 1 s at most, until their pipes have been read. */
void np_drain_output(void);

#endif
