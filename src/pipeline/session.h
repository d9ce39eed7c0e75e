/*
 * A session at work: one job of the plan from its lock to its last record, as the supervisor sees
 * it. Its life has phases, in this order, each in a file of its name:
 *   open       lock taken, first record ("running") on disk
 *   working    a worker process does the job and tells of it
 *   settled    the worker has ended; the record is final, in memory
 *   reporting  a child may write what people look at
 *   committed  the final record is on disk, the completion record after it; all is released
 * A job without images has no worker and goes from open to settled. Inside pipeline/ only.
 */
#ifndef NP_PIPELINE_SESSION_H
#define NP_PIPELINE_SESSION_H

#include "pipeline/journal.h"
#include "pipeline/reporting.h"
#include "pipeline/run.h"
#include "pipeline/working.h"
#include "record/lock.h"
#include "record/record.h"

enum np_phase {
    NP_PHASE_NONE, /* a free place: no session */
    NP_PHASE_OPEN,
    NP_PHASE_WORKING,
    NP_PHASE_SETTLED,
    NP_PHASE_REPORTING,
    NP_PHASE_COMMITTED,
};

/* {0} with np_active_init is a free place. What all phases share; what belongs to one phase lives
 * in its struct. */
struct np_active {
    enum np_phase phase;
    struct np_run *run;
    const struct np_job *job;
    struct np_session_record record;
    struct np_lock lock;
    struct np_journal journal;
    struct np_span *span; /* preprocess_session; NULL for `process` */
    struct np_span root;  /* ids and flags of the trace's root, for `process` too; zero = none */
    int64_t start_ns;     /* monotonic */
    struct np_working working;
    struct np_reporting reporting;
};

/* A free place. */
void np_active_init(struct np_active *active);

/* What can be read when the session's present child has news; -1 when it has none. */
int np_active_fd(const struct np_active *active);

/*
 * Renew the lock, and the record's heartbeat as long as it says "running": a final state is written
 * once, by np_active_commit. What cannot be written fails nothing here.
 */
void np_active_heartbeat(struct np_active *active);

/* Fail the session as a whole, before it is settled: there will be no worker. */
void np_active_fail(struct np_active *active, const struct np_error *why);

/* Remember this span as the root of the session's trace. */
void np_active_note_root(struct np_active *active, const struct np_span *span);

/* A trace is complete but for the end of its root: decide whether it is sent, and log that. */
void np_active_settle_trace(struct np_active *active, struct np_span *root);

/* Outcome and status of the session's span, if it has one, by its failure (code 0 = none); it is
 * still to be ended. */
void np_active_settle_span(struct np_active *active, const struct np_error *failure);

/* Participant and session labels, where there are any. */
void np_active_identity(const struct np_active *active, struct np_attrs *attrs);

/* Log one sentence in the session's context: journal, trace, console. */
void np_active_log(struct np_active *active, enum np_severity severity, const char *text);

/* The same for a record that is whole. */
void np_active_log_record(struct np_active *active, const struct np_log_record *record);

#endif
