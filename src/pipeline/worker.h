/*
 * The process that does one job: for each of its files load, stages, publish; a span, a stage
 * record and a log line around each, once, for all of them. It tells its supervisor everything
 * through a pipe and prints nothing.
 */
#ifndef NP_PIPELINE_WORKER_H
#define NP_PIPELINE_WORKER_H

#include "pipeline/plan.h"
#include "trace/trace.h"

/* All borrowed. */
struct np_worker_task {
    const struct np_config *config;
    const struct np_plan *plan;
    const struct np_job *job;
    const struct np_attrs *resource;
    const struct np_span *session; /* parent of the files' spans; NULL for `process` */
    const struct np_span *run;     /* linked from a root file span */
    const struct np_cancel *cancel;
    int fd;
};

/* Do all of it. What failed stands in the file records that were sent. */
void np_worker_run(const struct np_worker_task *task);

#endif
