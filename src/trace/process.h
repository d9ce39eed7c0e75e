/* Resource usage of the program, as process.* metrics. */
#ifndef NP_TRACE_PROCESS_H
#define NP_TRACE_PROCESS_H

#include <sys/types.h>

#include "trace/trace.h"

/*
 * Set process.cpu.time, .memory.usage, .memory.virtual, .disk.io of this process and its `worker`
 * processes (0 = unused entry). CPU time and disk bytes of a worker count after it has ended and
 * was waited for; its memory counts while it runs. Values that the system does not provide are left
 * out.
 */
void np_process_measure(struct np_trace *trace, const pid_t *worker, size_t n_workers);

#endif
