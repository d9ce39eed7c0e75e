/*
 * A session: one job of the plan from its lock to its last record, as the supervisor sees it. It
 * has these phases, in this order, each in a file of its name:
 *   open       lock taken, first record ("running") on disk
 *   working    a worker process does the job and reports it
 *   settled    the worker has ended; the record is final, in memory
 *   reporting  a child may write pages for people
 *   committed  the final record is on disk, the completion record after it; everything is released
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
    NP_PHASE_NONE, /* unused: no session */
    NP_PHASE_OPEN,
    NP_PHASE_WORKING,
    NP_PHASE_SETTLED,
    NP_PHASE_REPORTING,
    NP_PHASE_COMMITTED,
};

/* {0} with np_active_init is unused. Members that all phases share; each phase has its own
 * struct for the others. */
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

/* Set to unused. */
void np_active_init(struct np_active *active);

/* The descriptor that is readable when the session's present child has sent data; -1 when it has
 * none. */
int np_active_fd(const struct np_active *active);

/*
 * Renew the lock, and the record's heartbeat while its state is running: np_active_commit writes a
 * final state, once. A failed write here has no consequences.
 */
void np_active_heartbeat(struct np_active *active);

/* Fail the session as a whole before it is settled: it will have no worker. */
void np_active_fail(struct np_active *active, const struct np_error *why);

/* Remember this span as the root of the session's trace. */
void np_active_note_root(struct np_active *active, const struct np_span *span);

/* Decide whether a trace is sent, and log the decision; only its root span is still open. */
void np_active_settle_trace(struct np_active *active, struct np_span *root);

/* Set outcome and status of the session's span, if it has one, from its failure (code 0 = none);
 * the span stays open. */
void np_active_settle_span(struct np_active *active, const struct np_error *failure);

/* Participant and session labels, where there are any. */
void np_active_identity(const struct np_active *active, struct np_attrs *attrs);

/* Log one sentence in the session's context: journal, trace, console. */
void np_active_log(struct np_active *active, enum np_severity severity, const char *text);

/* The same for a complete log record. */
void np_active_log_record(struct np_active *active, const struct np_log_record *record);

#endif
