#include "pipeline/cohort_gauges.h"

#include "base/clock.h"
#include "record/cohort.h"
#include "record/progress.h"
#include "trace/names.h"

static const int64_t LEAST_INTERVAL_NS = INT64_C(60) * 1000000000;
enum { SHARE = 50 };

bool np_cohort_gauges_are_due(const struct np_cohort_gauges *gauges)
{
    return np_clock_mono_ns() >= gauges->due_ns;
}

/* The id of the output folder: two folders of one dataset are two cohorts. */
static void add_id(struct np_attrs *attrs, const struct np_survey *survey)
{
    if (survey->folder.id)
        np_attrs_string(attrs, NP_KEY_NEURO_COHORT_ID, survey->folder.id);
}

static void set(struct np_trace *trace, const struct np_survey *survey, enum np_state state,
                const struct np_counted_failure *why, size_t n)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    add_id(&attrs, survey);
    np_attrs_string(&attrs, NP_KEY_NEURO_STATE, np_state_name(state));
    if (why)
        np_attrs_string(&attrs, NP_KEY_NEURO_STAGE, *why->stage ? why->stage : NULL);
    if (why)
        np_attrs_string(&attrs, NP_KEY_ERROR_TYPE, *why->error_type ? why->error_type : NULL);
    np_metric_set(trace, &np_metric_cohort_sessions, (double)n, &attrs);
}

/* Failed sessions stand under what failed: all series of the metric add up to the sessions. */
static void set_states(struct np_trace *trace, const struct np_survey *survey,
                       const struct np_counts *counts)
{
    for (int s = 0; s < NP_N_STATES; s++)
        set(trace, survey, (enum np_state)s, NULL, s == NP_STATE_FAILED ? 0 : counts->of_state[s]);
    for (size_t i = 0; i < counts->n_failures; i++)
        set(trace, survey, NP_STATE_FAILED, &counts->failure[i], counts->failure[i].n);
}

static void log_summary(struct np_trace *trace, const struct np_span *span,
                        const struct np_survey *survey, const struct np_counts *counts)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    struct np_progress progress;

    np_progress_find(survey, &progress);
    NP_AUTO(np_freep) char *text = np_progress_text(&progress);
    np_attrs_string(&attrs, NP_KEY_EVENT_NAME, NP_EVENT_COHORT_SUMMARY);
    np_attrs_int(&attrs, NP_KEY_NEURO_COHORT_WANTED, (int64_t)progress.n_wanted);
    np_attrs_int(&attrs, NP_KEY_NEURO_COHORT_COMPLETE, (int64_t)progress.n_complete);
    np_attrs_int(&attrs, NP_KEY_NEURO_COHORT_WITHOUT_IMAGES, (int64_t)progress.n_nothing);
    np_attrs_int(&attrs, NP_KEY_NEURO_COHORT_RUNNING, (int64_t)progress.n_running);
    np_attrs_int(&attrs, NP_KEY_NEURO_COHORT_TO_RERUN, (int64_t)progress.n_rerun);
    np_attrs_int(&attrs, NP_KEY_NEURO_COHORT_NOT_STARTED, (int64_t)progress.n_not_started);
    np_attrs_int(&attrs, NP_KEY_NEURO_COHORT_FAILED, (int64_t)counts->of_state[NP_STATE_FAILED]);
    np_trace_log(trace, span, NP_INFO, &attrs, "the output folder: %s", text);
}

static void keep_due(struct np_cohort_gauges *gauges, int64_t start_ns)
{
    int64_t now_ns = np_clock_mono_ns(), pause_ns = (now_ns - start_ns) * SHARE;

    gauges->due_ns = now_ns + (pause_ns > LEAST_INTERVAL_NS ? pause_ns : LEAST_INTERVAL_NS);
}

void np_cohort_gauges_set(struct np_cohort_gauges *gauges, struct np_trace *trace,
                          const struct np_span *span, const struct np_survey *survey,
                          int64_t start_ns)
{
    NP_AUTO(np_attrs_done) struct np_attrs id = {0};
    struct np_counts counts;

    np_counts_find(survey, &counts);
    for (size_t i = 0; i < gauges->last.n_failures; i++)
        np_counts_add_failure(&counts, gauges->last.failure[i].stage,
                              gauges->last.failure[i].error_type, 0);
    np_counts_done(&gauges->last);
    gauges->last = counts;
    set_states(trace, survey, &counts);
    add_id(&id, survey);
    np_metric_set(trace, &np_metric_cohort_warned, (double)counts.n_warned, &id);
    np_metric_set(trace, &np_metric_cohort_injected, (double)counts.n_injected, &id);
    np_metric_set(trace, &np_metric_cohort_time, (double)np_clock_unix_ns() * 1e-9, &id);
    log_summary(trace, span, survey, &counts);
    keep_due(gauges, start_ns);
}

void np_cohort_gauges_count(struct np_cohort_gauges *gauges, struct np_trace *trace,
                            const struct np_span *span, const char *output_dir)
{
    const struct np_cohort_options options = {.output_dir = output_dir};
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    int64_t start_ns = np_clock_mono_ns();

    if (np_survey_read(output_dir, &survey, NULL) < 0 ||
        np_cohort_complete(&survey, &options, NULL) < 0)
        return;
    np_cohort_gauges_set(gauges, trace, span, &survey, start_ns);
}

void np_cohort_gauges_done(struct np_cohort_gauges *gauges)
{
    np_counts_done(&gauges->last);
}
