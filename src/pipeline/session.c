#include "pipeline/session.h"

#include "base/clock.h"
#include "trace/names.h"

void np_active_init(struct np_active *active)
{
    *active = (struct np_active){.journal = {.fd = -1}};
    np_working_init(&active->working);
    np_reporting_init(&active->reporting);
}

int np_active_fd(const struct np_active *active)
{
    switch (active->phase) {
    case NP_PHASE_WORKING:
        return active->working.worker.fd;
    case NP_PHASE_REPORTING:
        return active->reporting.child.fd;
    default:
        return -1;
    }
}

void np_active_identity(const struct np_active *active, struct np_attrs *attrs)
{
    const struct np_session *session = active->job->session;

    if (!session)
        return;
    np_attrs_string(attrs, NP_KEY_BIDS_PARTICIPANT, session->participant);
    np_attrs_string(attrs, NP_KEY_BIDS_SESSION, session->session);
}

static void show(struct np_active *active, const struct np_log_record *record)
{
    /* The session's outcome, one line later, contains the error: print it here only at higher
     * verbosity. */
    bool warning = record->severity >= NP_WARN && record->severity < NP_ERROR_LEVEL;
    int level = warning ? 0 : record->severity >= NP_INFO ? 1 : 2;

    np_console_print(active->run->console, level, "%s: %s%s", active->job->label,
                     warning ? "warning: " : "", record->body);
}

void np_active_log_record(struct np_active *active, const struct np_log_record *record)
{
    np_journal_write(&active->journal, record);
    np_trace_log_record(active->run->trace, record);
    show(active, record);
}

void np_active_log(struct np_active *active, enum np_severity severity, const char *text)
{
    struct np_log_record record = {
        .time_ns = np_clock_unix_ns(), .severity = severity, .body = np_utf8_clean(text)};

    if (active->span) {
        record.trace_id = active->span->trace_id;
        record.span_id = active->span->span_id;
        record.flags = active->span->flags & NP_FLAG_W3C;
    }
    np_active_identity(active, &record.attrs);
    np_active_log_record(active, &record);
    np_log_record_done(&record);
}

void np_active_note_root(struct np_active *active, const struct np_span *span)
{
    active->root = (struct np_span){
        .trace_id = span->trace_id, .span_id = span->span_id, .flags = span->flags};
}

void np_active_settle_trace(struct np_active *active, struct np_span *root)
{
    bool sampled = np_sampler_keeps(&active->run->sampler, root);

    np_span_set_sampled(root, sampled);
    np_active_note_root(active, root);
    np_trace_log_sampling(active->run->trace, &root->trace_id, sampled);
}

void np_active_settle_span(struct np_active *active, const struct np_error *failure)
{
    if (!active->span)
        return;
    np_attrs_string(&active->span->attrs, NP_KEY_NEURO_OUTCOME,
                    np_outcome_info(np_error_outcome(failure->code))->name);
    if (failure->code)
        np_span_fail(active->span, failure);
    else
        active->span->status = NP_STATUS_OK;
    np_active_settle_trace(active, active->span);
}

void np_active_heartbeat(struct np_active *active)
{
    np_lock_touch(&active->lock);
    if (active->record.state != NP_STATE_RUNNING)
        return;
    active->record.heartbeat_ns = np_clock_unix_ns();
    active->record.wall_s = (double)(np_clock_mono_ns() - active->start_ns) * 1e-9;
    /* A failure here is not the end: the final write decides. */
    NP_IGNORE(np_record_refresh(active->job->place.status, &active->record, NULL));
}

void np_active_fail(struct np_active *active, const struct np_error *why)
{
    np_failure_set(&active->record.failure, why, NULL);
    active->record.state = why->code == NP_ECANCELED ? NP_STATE_INTERRUPTED : NP_STATE_FAILED;
}
