/* What the program uses of its machine, as process.* metrics. */
#ifndef NP_TRACE_PROCESS_H
#define NP_TRACE_PROCESS_H

#include <sys/types.h>

#include "trace/trace.h"

/*
 * Set process.cpu.time, .memory.usage, .memory.virtual, .disk.io of this process and its `worker`
 * processes (0 = a free place). CPU time and disk bytes of a worker count once it has ended and was
 * waited for; memory as long as it lives. What the system does not tell is left out.
 */
void np_process_measure(struct np_trace *trace, const pid_t *worker, size_t n_workers);

#endif
