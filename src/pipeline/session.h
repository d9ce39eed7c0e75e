/*
 * One job under the supervisor's eyes: its worker, its record, its lock, its spans. Its life has
 * phases, each in a file of its name: open, working, settled, committed. Inside pipeline/ only.
 */
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

/* Write the record as it stands, with a new heartbeat. A failure is kept for the end. */
void np_active_heartbeat(struct np_active *active);

/* Fail the session as a whole, before np_active_settle. */
void np_active_fail(struct np_active *active, const struct np_error *why);

/* Remember this span as the root of the session's trace. */
void np_active_note_root(struct np_active *active, const struct np_span *span);

/* A trace is complete but for the end of its root: whether it is sent is decided, and told. */
void np_active_settle_trace(struct np_active *active, struct np_span *root);

/* Participant and session labels, where there are any. */
void np_active_identity(const struct np_active *active, struct np_attrs *attrs);

/* Log one sentence in the session's context: journal, trace, console. */
void np_active_log(struct np_active *active, enum np_severity severity, const char *text);

/* The same for a record that is whole. */
void np_active_log_record(struct np_active *active, const struct np_log_record *record);

#endif
