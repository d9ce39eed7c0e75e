/* Phase "working": a worker does the job and tells of it through a pipe. Inside pipeline/ only. */
#ifndef NP_PIPELINE_WORKING_H
#define NP_PIPELINE_WORKING_H

#include "pipeline/session.h"

/* Start the worker. Returns 0, NP_EBUSY (no process). */
int np_active_fork(struct np_active *active, const struct np_span *run_span, struct np_error *err);

/* Take what the worker has said; false once it has closed its end. */
bool np_active_read(struct np_active *active);

#endif
