#include "pipeline/settled.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"

/* Signals that only a bug of ours, or a failed check in a library, sends. */
static bool is_crash(int signal)
{
    return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGFPE ||
           signal == SIGILL;
}

static void explain_death(const struct np_active *active, int wait_status, struct np_error *why)
{
    const struct np_stage_record *open = np_record_open_stage(&active->record);
    const char *stage = open ? open->name : "no stage";
    double peak_mib = (double)active->record.peak_rss_bytes / (1 << 20);

    if (WIFSIGNALED(wait_status)) {
        int signal = WTERMSIG(wait_status);
        np_error_set(
            why, is_crash(signal) ? NP_EINTERNAL : NP_EKILLED,
            "'%s': the worker died of signal %d (%s) in %s; its memory had reached %.0f MiB",
            active->job->label, signal, strsignal(signal), stage, peak_mib);
    } else {
        np_error_set(why, NP_EINTERNAL,
                     "'%s': the worker ended by itself with status %d in %s, without a result",
                     active->job->label, WEXITSTATUS(wait_status), stage);
    }
}

/* The signal that stopped the run, or this session's worker alone; 0 = none. */
static int stopping_signal(const struct np_active *active)
{
    const struct np_session_record *record = &active->record;

    if (active->run->cancel->signal)
        return active->run->cancel->signal;
    for (size_t f = 0; f < record->n_files; f++)
        if (record->file[f].state == NP_STATE_INTERRUPTED)
            return record->file[f].failure.signal;
    return 0;
}

/* A file without an end: the worker died on it, or was stopped before it, or was never there. */
static void settle_file(struct np_active *active, struct np_file_record *file, int wait_status)
{
    int stopped = stopping_signal(active);
    struct np_error why = {0};

    if (file->state != NP_STATE_RUNNING && file->state != NP_STATE_NOT_STARTED)
        return;
    if (active->record.state == NP_STATE_FAILED) {
        np_failure_copy(&active->record.failure, &file->failure);
        file->state = NP_STATE_FAILED;
        return;
    }
    bool died = WIFSIGNALED(wait_status) || WEXITSTATUS(wait_status) != 0;
    bool by_that = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == stopped;
    if (stopped && active->was_deaf)
        np_error_set(&why, NP_ECANCELED,
                     "'%s': it did not stop within %d s of signal %d and was killed", file->path,
                     NP_STOP_GRACE_S, stopped);
    else if (stopped && (!died || by_that))
        np_error_set(&why, NP_ECANCELED, "'%s': stopped by signal %d before it was done",
                     file->path, stopped);
    else
        explain_death(active, wait_status, &why);
    const struct np_stage_record *open = np_record_open_stage(&active->record);
    np_failure_set(&file->failure, &why, open ? open->name : NULL);
    file->failure.signal = why.code == NP_ECANCELED   ? stopped
                           : WIFSIGNALED(wait_status) ? WTERMSIG(wait_status)
                                                      : 0;
    file->state = why.code == NP_ECANCELED ? NP_STATE_INTERRUPTED : NP_STATE_FAILED;
    np_active_log(active, NP_ERROR_LEVEL, why.text);
}

static void close_open_stages(struct np_session_record *record)
{
    for (size_t f = 0; f < record->n_files; f++)
        for (size_t s = 0; s < record->file[f].n_stages; s++)
            if (record->file[f].stage[s].state == NP_STATE_RUNNING)
                record->file[f].stage[s].state = record->file[f].state;
}

/* Spans that a dead worker left open end here, as killed. Youngest first:
 * children before parents. */
static void close_open_spans(struct np_active *active)
{
    for (size_t i = active->n_open; i-- > 0;) {
        struct np_span *span = active->open[i];
        struct np_error why = {0};
        np_error_set(&why, NP_EKILLED, "the worker was gone before this ended");
        np_span_fail(span, &why);
        span->end_ns = np_clock_unix_ns();
        if (np_span_id_is_zero(&span->parent_id))
            np_active_settle_trace(active, span);
        np_trace_span_end(active->run->trace, span);
        np_span_freep(&active->open[i]);
    }
    active->n_open = 0;
}

/* The session is what the worst of its files is. */
static void settle_session(struct np_active *active)
{
    struct np_session_record *record = &active->record;

    if (record->state != NP_STATE_RUNNING)
        return;
    record->state = record->n_files ? NP_STATE_SUCCESS : NP_STATE_NOTHING_TO_DO;
    for (size_t f = 0; f < record->n_files; f++) {
        const struct np_file_record *file = &record->file[f];
        if (file->state == NP_STATE_SUCCESS || record->state == NP_STATE_FAILED)
            continue;
        record->state = file->state;
        np_failure_copy(&file->failure, &record->failure);
    }
}

static void sum_up(struct np_active *active, int64_t peak_rss_bytes)
{
    struct np_session_record *record = &active->record;

    record->wall_s = (double)(np_clock_mono_ns() - active->start_ns) * 1e-9;
    record->cpu_s = 0;
    record->peak_rss_bytes = peak_rss_bytes;
    for (size_t f = 0; f < record->n_files; f++)
        for (size_t s = 0; s < record->file[f].n_stages; s++) {
            const struct np_stage_record *stage = &record->file[f].stage[s];
            record->cpu_s += stage->cpu_s;
            if (stage->peak_rss_bytes > record->peak_rss_bytes)
                record->peak_rss_bytes = stage->peak_rss_bytes;
        }
    record->end_ns = record->heartbeat_ns = np_clock_unix_ns();
}

void np_active_settle(struct np_active *active, const struct np_child_end *end)
{
    sum_up(active, end->peak_rss_bytes); /* before the death is explained: it names the peak */
    for (size_t f = 0; f < active->record.n_files; f++)
        settle_file(active, &active->record.file[f], end->wait_status);
    close_open_stages(&active->record);
    settle_session(active);
    close_open_spans(active);
}
