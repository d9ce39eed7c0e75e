#include "pipeline/settled.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "pipeline/verdict.h"

/* Workers inherit the limit; beyond it the kernel kills. */
static double cpu_limit_s(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_max != RLIM_INFINITY
               ? (double)limit.rlim_max
               : INFINITY;
}

/* Give an end to a file for which the worker reported none. */
static void apply(struct np_active *active, struct np_file_record *file,
                  const struct np_verdict *verdict, double cpu_s)
{
    const struct np_stage_record *open = np_record_open_stage(&active->record);
    const struct np_verdict_words words = {.label = active->job->label,
                                           .path = file->path,
                                           .stage = open ? open->name : NULL,
                                           .peak_rss_bytes = active->record.peak_rss_bytes,
                                           .cpu_s = cpu_s,
                                           .cpu_limit_s = cpu_limit_s()};
    struct np_error why = {0};

    if (verdict->reason == NP_VERDICT_SAID)
        return;
    file->state = verdict->state;
    if (verdict->reason == NP_VERDICT_SESSION) {
        np_failure_copy(&active->record.failure, &file->failure);
        return;
    }
    np_verdict_explain(verdict, &words, &why);
    np_failure_set(&file->failure, &why, words.stage);
    file->failure.signal = verdict->signal;
    np_active_log(active, NP_ERROR_LEVEL, why.text);
}

static struct np_verdict_reported *reported_states(const struct np_session_record *record)
{
    struct np_verdict_reported *reported = np_xcalloc(record->n_files + 1, sizeof(*reported));

    for (size_t f = 0; f < record->n_files; f++)
        reported[f] = (struct np_verdict_reported){.state = record->file[f].state,
                                                   .code = record->file[f].failure.code,
                                                   .signal = record->file[f].failure.signal};
    return reported;
}

static void settle_states(struct np_active *active, const struct np_child_end *end)
{
    struct np_session_record *record = &active->record;
    NP_AUTO(np_freep) struct np_verdict_reported *reported = reported_states(record);
    NP_AUTO(np_freep)
    struct np_verdict *file = np_xcalloc(record->n_files + 1, sizeof(*file));
    const struct np_verdict_facts facts = {.file = reported,
                                           .n_files = record->n_files,
                                           .code = record->failure.code,
                                           .wait_status = end->wait_status,
                                           .run_signal = active->run->cancel->signal,
                                           .was_too_late = active->working.was_too_late};
    size_t from;

    for (size_t f = 0; f < record->n_files; f++) {
        file[f] = np_verdict_file(&facts, f);
        apply(active, &record->file[f], &file[f], end->cpu_s);
    }
    record->state = np_verdict_session(&facts, file, &from).state;
    if (from < record->n_files)
        np_failure_copy(&record->file[from].failure, &record->failure);
}

static void close_open_stages(struct np_session_record *record)
{
    for (size_t f = 0; f < record->n_files; f++)
        for (size_t s = 0; s < record->file[f].n_stages; s++)
            if (record->file[f].stage[s].state == NP_STATE_RUNNING)
                record->file[f].stage[s].state = record->file[f].state;
}

/* End the spans that a dead worker left open, as killed. Youngest first: children before
 * parents. */
static void close_open_spans(struct np_active *active)
{
    struct np_working *working = &active->working;

    while (working->n_open > 0) {
        struct np_span *span = working->open[--working->n_open];
        struct np_error why = {0};
        np_error_set(&why, NP_EKILLED, "the worker was gone before this ended");
        np_span_fail(span, &why);
        span->end_ns = np_span_now_ns(span);
        if (np_span_id_is_zero(&span->parent_id))
            np_active_settle_trace(active, span);
        np_trace_span_end(active->run->trace, span);
        np_span_freep(&span);
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

void np_active_settle(struct np_active *active)
{
    struct np_child_end end;

    np_child_wait(&active->working.worker, INT64_MAX, &end);
    sum_up(active, end.peak_rss_bytes); /* first: the failure's sentence names the peak */
    settle_states(active, &end);
    close_open_stages(&active->record);
    close_open_spans(active);
    np_working_done(&active->working);
    active->phase = NP_PHASE_SETTLED;
}
