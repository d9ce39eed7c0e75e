/*
 * The process that does one job. For each of its files it loads the image, runs the stages and
 * publishes the outputs, with a span, a stage record and a log line for each step. It reports
 * everything to its supervisor through a pipe and prints nothing.
 */
#ifndef NP_PIPELINE_WORKER_H
#define NP_PIPELINE_WORKER_H

#include "pipeline/plan.h"
#include "pipeline/targets.h"
#include "trace/trace.h"

/* All borrowed. */
struct np_worker_task {
    const struct np_config *config;
    const struct np_plan *plan;
    const struct np_job *job;
    const struct np_attrs *resource;
    const struct np_span *session;      /* parent of the files' spans; NULL for `process` */
    const struct np_span *run;          /* linked from a root file span */
    const struct np_targets_seen *seen; /* before the job was checked; NULL: not known */
    const struct np_cancel *cancel;
    int fd;
};

/* Do the whole job. Failures are in the file records that were sent. */
void np_worker_run(const struct np_worker_task *task);

#endif
