/* One job under the supervisor's eyes: its worker, its record, its lock, its spans. Inside
 * pipeline/ only. */
#ifndef NP_PIPELINE_SESSION_H
#define NP_PIPELINE_SESSION_H

#include "base/child.h"
#include "pipeline/journal.h"
#include "pipeline/run.h"
#include "record/lock.h"
#include "record/record.h"

/* What a worker has to stop in; Slurm's KillWait is 30 s. */
enum { NP_STOP_GRACE_S = 20 };

struct np_active {
    struct np_run *run;
    const struct np_job *job;
    struct np_child worker;
    bool was_deaf; /* it did not stop in time, and was killed for it */
    struct np_str inbox;
    struct np_session_record record;
    struct np_lock lock;
    struct np_journal journal;
    struct np_span *span;  /* preprocess_session; NULL for `process` */
    struct np_span root;   /* ids and flags of the trace's root, for `process` too; zero = none */
    struct np_span **open; /* the worker's spans that have not ended */
    size_t n_open;
    int64_t start_ns; /* monotonic */
};

/*
 * Take the lock, close what a dead predecessor left, write the first record ("running"). On failure
 * no record was begun (at worst a completion record is gone, and the session will be done again);
 * the error says why (NP_EBUSY, NP_ECREATE, NP_ESPACE, NP_EIO). Returns 1, and leaves everything as
 * it is, when another run has completed the job since this one was planned.
 */
int np_active_open(struct np_active *active, struct np_run *run, const struct np_job *job,
                   const struct np_span *run_span, struct np_error *err);

/* Start the worker. Returns 0, NP_EBUSY (no process). */
int np_active_fork(struct np_active *active, const struct np_span *run_span, struct np_error *err);

/* Take what the worker has said; false once it has closed its end. */
bool np_active_read(struct np_active *active);

/* Write the record as it stands, with a new heartbeat. A failure is kept for the end. */
void np_active_heartbeat(struct np_active *active);

/* The worker has ended so (zeroed when none was started): settle the record, the spans, the
 * completion. */
void np_active_close(struct np_active *active, const struct np_child_end *end);

/* Fail the session as a whole, before np_active_close. */
void np_active_fail(struct np_active *active, const struct np_error *why);

/* A trace is complete but for the end of its root: whether it is sent is decided, and told. */
void np_active_settle_trace(struct np_active *active, struct np_span *root);

/* Participant and session labels, where there are any. */
void np_active_identity(const struct np_active *active, struct np_attrs *attrs);

/* Log one sentence in the session's context: journal, trace, console. */
void np_active_log(struct np_active *active, enum np_severity severity, const char *text);

#endif
