/*
 * Phase "working": a worker process does the job and reports through a pipe (worker.h, wire.h). The
 * supervisor passes these reports to the record, the journal and the trace. Inside pipeline/ only.
 */
#ifndef NP_PIPELINE_WORKING_H
#define NP_PIPELINE_WORKING_H

#include "base/child.h"
#include "base/str.h"
#include "pipeline/targets.h"
#include "trace/trace.h"

struct np_active;

/* Members of this phase. */
struct np_working {
    struct np_child worker;
    bool was_too_late;     /* it did not stop within NP_STOP_GRACE_S, and was killed */
    struct np_str inbox;   /* bytes of an incomplete frame */
    struct np_span **open; /* the worker's spans that have not ended */
    size_t n_open;
};

void np_working_init(struct np_working *working);
void np_working_done(struct np_working *working);

/* Start the worker of an open session. `seen`: what was in the places of its outputs when it was
 * checked; may be NULL. Returns 0, NP_EBUSY (no process: the session stays open). */
int np_active_work(struct np_active *active, const struct np_span *run_span,
                   const struct np_targets_seen *seen, struct np_error *err) NP_MUST_USE;

/* Read the worker's reports; false after it has closed its end. */
bool np_active_read(struct np_active *active);

/* Forward a signal that stops the run to the worker. */
void np_active_stop(struct np_active *active, int signal);

/* Kill a worker that did not stop in time. */
void np_active_kill_late(struct np_active *active);

#endif
