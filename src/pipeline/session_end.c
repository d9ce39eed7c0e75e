/* What the end of a worker means for its session: files, spans, records, completion. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "pipeline/observe.h"
#include "pipeline/session.h"
#include "trace/names.h"

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

static bool is_output(const struct np_file_record *file, const char *path)
{
    for (size_t i = 0; i < file->n_outputs; i++)
        if (strcmp(file->output[i].path, path) == 0)
            return true;
    return false;
}

/* A path that a record names, below OUTPUT_DIR and nowhere else. */
static bool is_inside(const char *path)
{
    return *path && *path != '/' && !np_starts_with(path, "../") && !strstr(path, "/../");
}

/*
 * Outputs of an earlier success that these options do not make: left in place they would belong to
 * nobody. Only what our own record lists is touched.
 */
static void remove_superseded(const struct np_active *active, struct np_file_record *file)
{
    for (size_t i = 0; i < file->kept.n; i++) {
        NP_AUTO(np_freep)
        char *path = np_path_join(active->run->config->output_dir, file->kept.item[i]);
        if (is_inside(file->kept.item[i]) && !is_output(file, file->kept.item[i]))
            unlink(path);
    }
    np_strings_done(&file->kept);
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

static bool is_complete(const struct np_active *active)
{
    return active->record.state == NP_STATE_SUCCESS ||
           (active->record.state == NP_STATE_NOTHING_TO_DO && active->run->config->allow_empty);
}

/* Status final, completion record last. What cannot be written makes the session fail: its state
 * must be on disk. */
static void commit(struct np_active *active)
{
    struct np_error err = {0};
    int code = np_record_write(active->job->place.status, &active->record, &err);

    if (code == 0 && is_complete(active))
        code = np_record_write(active->job->place.complete, &active->record, &err);
    if (code == 0)
        return;
    np_active_fail(active, &err);
    np_active_log(active, NP_ERROR_LEVEL, err.text);
    np_record_write(active->job->place.status, &active->record, NULL);
}

static void settle_span(struct np_active *active)
{
    const struct np_session_record *record = &active->record;

    if (!active->span)
        return;
    np_attrs_string(&active->span->attrs, NP_KEY_NEURO_OUTCOME,
                    np_outcome_info(np_error_outcome(record->failure.code))->name);
    if (record->failure.code) {
        struct np_error why = {0};
        np_error_set(&why, record->failure.code, "%s",
                     record->failure.sentence ? record->failure.sentence : "");
        np_span_fail(active->span, &why);
    } else {
        active->span->status = NP_STATUS_OK;
    }
    np_active_settle_trace(active, active->span);
}

static void say_outcome(struct np_active *active)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    const struct np_session_record *record = &active->record;

    if (record->failure.code) {
        NP_AUTO(np_freep) char *failure = np_failure_text(&record->failure);
        np_str_addf(&text, "%s: %s", np_state_name(record->state), failure);
    } else {
        np_str_addf(&text, "%s after %.1f s, %.0f MiB", np_state_name(record->state),
                    record->wall_s, (double)record->peak_rss_bytes / (1 << 20));
    }
    np_console_say(active->run->console, 0, "%s: %s", active->job->label, np_str_text(&text));
}

void np_active_close(struct np_active *active, const struct np_child_end *end)
{
    sum_up(active, end->peak_rss_bytes); /* before the death is explained: it names the peak */
    for (size_t f = 0; f < active->record.n_files; f++)
        settle_file(active, &active->record.file[f], end->wait_status);
    close_open_stages(&active->record);
    for (size_t f = 0; f < active->record.n_files; f++)
        if (active->record.file[f].state == NP_STATE_SUCCESS)
            remove_superseded(active, &active->record.file[f]);
    settle_session(active);
    close_open_spans(active);
    commit(active);
    settle_span(active);
    np_observe_session(active); /* after the decision: exemplars lead to traces that are sent */
    np_span_end(active->run->trace, &active->span);
    say_outcome(active);
    np_journal_close(&active->journal);
    np_lock_release(&active->lock);
    np_str_done(&active->inbox);
    free(active->open);
    active->open = NULL;
}
