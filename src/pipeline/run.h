/*
 * A run: the supervisor processes a plan's jobs, each in its own worker process, as many at once as
 * the plan allows. Only the supervisor writes records, logs and telemetry. A worker that crashes,
 * is killed or gets a bad image does not stop the others.
 */
#ifndef NP_PIPELINE_RUN_H
#define NP_PIPELINE_RUN_H

#include "pipeline/console.h"
#include "pipeline/plan.h"
#include "pipeline/reporting.h"
#include "pipeline/results.h"
#include "trace/sampler.h"

/* A descriptor that is polled while sessions run: `ready` is called when it is readable. */
struct np_run_watch {
    int fd; /* used when `ready` is set */
    void (*ready)(void *self);
    void *self;
};

/* All borrowed but id, sampler and results. */
struct np_run {
    const struct np_config *config;
    const struct np_plan *plan;
    struct np_trace *trace;
    struct np_console *console;
    const struct np_cancel *cancel;
    const char *version; /* of neuro-preprocess */
    char id[40];         /* UUID: np_run_id */
    struct np_sampler sampler;
    double metric_interval_s; /* between collections; 0 = at the start and at the end alone */
    bool joins_no_parent;     /* ignore TRACEPARENT in the environment */
    struct np_run_watch watch;

    struct np_reporter reporter; /* {0} = no reports */

    /* The results; the caller calls np_results_done. */
    struct np_results results;
    int exit_status;
};

/* "isa-l 2.30.0": the gzip library of this build. Borrowed. */
const char *np_run_codec(void);

/* A random UUID, version 4 (RFC 9562). */
void np_run_id(char id[40]);

/* Make OUTPUT_DIR, its memory of configuration and dataset, and, for a dataset, the files that
 * describe it as one; keep what was asked for. Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO,
 * NP_ECONFIG. */
int np_run_prepare(const struct np_run *run, struct np_error *err) NP_MUST_USE;

/* Open a span of the run itself: the child of TRACEPARENT when the environment has it, unless the
 * run joins no parent. */
struct np_span *np_run_span_begin(const struct np_run *run, const char *name);

/* End it with the run's exit status, as failed when `why` has a code, and decide whether it is sent. */
void np_run_span_end(const struct np_run *run, struct np_span **span, const struct np_error *why);

/*
 * Run the plan's jobs; set run->results and run->exit_status. Failures of sessions are in their
 * records; exit_status follows docs/exit-codes.md. The last line of a run that failed names stage,
 * reason and remedy.
 */
void np_run_execute(struct np_run *run);

#endif
