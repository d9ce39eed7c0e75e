#include "pipeline/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"
#include "codec/deflate.h"
#include "pipeline/admission.h"
#include "pipeline/asked.h"
#include "pipeline/cohort_gauges.h"
#include "pipeline/fault.h"
#include "pipeline/supervisor.h"
#include "record/description.h"
#include "record/survey.h"
#include "trace/names.h"
#include "trace/process.h"

const char *np_run_codec(void)
{
    return np_codec_name();
}

void np_run_id(char id[40])
{
    uint8_t b[16];

    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) {
        struct np_random random;
        np_random_seed(&random, (uint64_t)np_clock_unix_ns(), (uint64_t)getpid());
        for (size_t i = 0; i < sizeof(b); i++)
            b[i] = (uint8_t)np_random_bits(&random);
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(id, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

/* Outputs with injected faults must not mix with real ones: the existing records decide. */
static int check_injection(const struct np_run *run, struct np_error *err)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    if (!np_fault_enabled(run->config) ||
        np_survey_read(run->config->output_dir, &survey, NULL) < 0)
        return 0;
    for (size_t i = 0; i < survey.n_rows; i++)
        if (survey.row[i].has_record && !survey.row[i].record.injected)
            return np_error_set(err, NP_EUSAGE,
                                "'%s': holds real results (%s); --fail-rate and --slow-stage need "
                                "another output folder",
                                run->config->output_dir, survey.row[i].label);
    return 0;
}

static bool has_given_masks(const struct np_plan *plan)
{
    for (size_t i = 0; i < plan->n_jobs; i++)
        for (size_t f = 0; f < plan->job[i].n_files; f++)
            if (plan->job[i].file[f].mask)
                return true;
    return false;
}

int np_run_prepare(const struct np_run *run, struct np_error *err)
{
    const struct np_description description = {.output_dir = run->config->output_dir,
                                               .source = run->plan->dataset,
                                               .links = &run->config->dataset_links,
                                               .version = run->version,
                                               .folder = &run->plan->folder,
                                               .has_given_masks = has_given_masks(run->plan)};

    NP_TRY(check_injection(run, err));
    NP_TRY(np_description_check(run->config->output_dir, err));
    NP_TRY(np_directory_make(run->config->output_dir, err));
    np_atomic_sweep(run->config->output_dir);
    NP_TRY(np_admission_settle(run->config, run->plan->dataset, err));
    if (run->plan->dataset) /* what is made of plain files is no BIDS dataset */
        NP_TRY(np_description_write(&description, err));
    return np_run_keep_plan(run, err);
}

/* The sources of metrics at each collection. */
struct execution {
    struct np_run *run;
    struct np_supervisor supervisor;
    pid_t *worker; /* as np_supervisor_workers gives them */
    struct np_cohort_gauges cohort;
};

/* A run that was asked for one session is cheap: ten thousand of them would read each other's records
 * ten thousand times. The folder is counted by their caller: np-slurm, group, status --watch. */
static bool counts_folder(const struct np_run *run)
{
    return run->plan->n_jobs > 1;
}

static void observe(void *self, struct np_trace *trace)
{
    struct execution *e = self;

    np_supervisor_workers(&e->supervisor, e->worker);
    np_process_measure(trace, e->worker, e->supervisor.n_slots);
    np_metric_set(trace, &np_metric_memory_limit, (double)e->run->plan->memory_bytes, NULL);
    if (counts_folder(e->run) && np_cohort_gauges_are_due(&e->cohort))
        np_cohort_gauges_count(&e->cohort, trace, e->supervisor.span, e->run->config->output_dir);
}

static void print_reason(const struct np_run *run, const struct np_reason *reason)
{
    NP_AUTO(np_freep) char *text = np_reason_text(reason);

    np_console_fail(run->console, "%s", text);
}

/* On one terminal each failure was printed when it came: the summary adds only what to do. */
static char *failure_line(const struct np_run *run, const struct np_reason *reason)
{
    return np_console_is_one_terminal(run->console) ? np_reason_short(reason)
                                                    : np_reason_text(reason);
}

/* Print one line a reason. The headline comes last, because drivers show the last line of a
 * failed run, and says where to read about all failures. */
static void print_failures(const struct np_run *run)
{
    const struct np_results *results = &run->results;
    const struct np_reason *headline = np_results_headline(results);

    for (size_t i = 0; i < results->reasons.n; i++) {
        const struct np_reason *reason = &results->reasons.reason[i];
        NP_AUTO(np_freep) char *text = failure_line(run, reason);
        if (reason != headline)
            np_console_fail(run->console, "%s", text);
    }
    NP_AUTO(np_freep) char *text = failure_line(run, headline);
    if (np_results_bad(results) > 1)
        np_console_fail(run->console, "%s. All failures: neuro-preprocess status '%s' --failed",
                        text, run->config->output_dir);
    else
        np_console_fail(run->console, "%s", text);
}

static void print_elsewhere(const struct np_run *run)
{
    const struct np_reasons *elsewhere = &run->results.elsewhere;

    for (size_t i = 0; i < elsewhere->n; i++)
        print_reason(run, &elsewhere->reason[i]);
}

/* "3 complete, 1 failed"; the caller frees. */
static char *describe_results(const struct np_results *results)
{
    struct np_str line = {0};

    np_str_add_count(&line, results->n_success, "complete");
    np_str_add_count(&line, results->n_skipped, "already complete");
    np_str_add_count(&line, results->n_failed, "failed");
    np_str_add_count(&line, results->n_interrupted, "interrupted");
    np_str_add_count(&line, results->n_nothing, "without images");
    np_str_add_count(&line, results->n_elsewhere, "in the hands of another run");
    np_str_add_count(&line, results->n_not_started, "not started");
    return np_str_take(&line);
}

/* Where the images are, and what to look at. */
static void print_where(const struct np_run *run)
{
    const char *output_dir = run->config->output_dir;

    if (run->results.n_warned)
        np_console_print(run->console, 0,
                         "the warnings, and what to do: neuro-preprocess status '%s' "
                         "--warnings",
                         output_dir);
    if (run->results.n_success + run->results.n_skipped == 0)
        return;
    np_console_print(
        run->console, 0,
        "images: '%s'%s; look at the masks; the state of all: neuro-preprocess status '%s'",
        output_dir, run->plan->dataset ? "/sub-*/…/anat" : "", output_dir);
}

static void print_summary(const struct np_run *run)
{
    const struct np_results *results = &run->results;
    double elapsed_s = (double)(np_clock_mono_ns() - run->console->start_ns) * 1e-9;
    NP_AUTO(np_freep) char *counts = describe_results(results);
    NP_AUTO(np_freep)
    char *warned =
        results->n_warned ? np_xasprintf("; %zu with warnings", results->n_warned) : np_xstrdup("");

    print_where(run);
    np_console_print(run->console, 0, "%s%s; %.1f s", counts, warned, elapsed_s);
    print_elsewhere(run);
    if (results->reasons.n)
        print_failures(run);
    else if (run->exit_status && results->n_nothing && !run->config->allow_empty)
        np_console_fail(run->console,
                        "%zu session%s without an image of the selected modalities. What to do: "
                        "check --modalities and the filters, or pass --allow-empty",
                        results->n_nothing, np_plural((int64_t)results->n_nothing));
}

struct np_span *np_run_span_begin(const struct np_run *run, const char *name)
{
    struct np_span *span = np_span_new(name, NULL);

    if (!run->joins_no_parent)
        np_span_join_environment(span);
    np_attrs_string(&span->attrs, NP_KEY_NEURO_RUN_ID, run->id);
    if (np_fault_enabled(run->config))
        np_attrs_bool(&span->attrs, NP_KEY_NEURO_INJECTED, true);
    np_span_begin(run->trace, span);
    return span;
}

/* "2 sessions failed, 1 interrupted"; the caller frees. */
static char *describe_bad(const struct np_results *results)
{
    struct np_str text = {0};

    if (results->n_failed)
        np_str_addf(&text, "%zu session%s failed", results->n_failed,
                    np_plural((int64_t)results->n_failed));
    if (results->n_interrupted)
        np_str_addf(&text, "%s%zu%s interrupted", text.length ? ", " : "", results->n_interrupted,
                    text.length                   ? ""
                    : results->n_interrupted == 1 ? " session"
                                                  : " sessions");
    return np_str_take(&text);
}

void np_run_span_end(const struct np_run *run, struct np_span **span, const struct np_error *why)
{
    np_attrs_int(&(*span)->attrs, NP_KEY_PROCESS_EXIT_CODE, run->exit_status);
    if (why->code)
        np_span_fail(*span, why);
    else
        (*span)->status = NP_STATUS_OK;
    bool sampled = np_sampler_keeps(&run->sampler, *span);
    np_span_set_sampled(*span, sampled);
    np_trace_log_sampling(run->trace, &(*span)->trace_id, sampled);
    np_span_end(run->trace, span);
}

static void close_run_span(const struct np_run *run, struct np_span **span)
{
    const struct np_results *results = &run->results;
    struct np_error why = {0};

    if (results->reasons.n) {
        NP_AUTO(np_freep) char *counts = describe_bad(results);
        np_error_set(&why, np_results_headline(results)->first.code, "%s", counts);
    }
    np_run_span_end(run, span, &why);
}

static void count_skipped(struct np_run *run)
{
    for (size_t i = 0; i < run->plan->n_jobs; i++) {
        const struct np_job *job = &run->plan->job[i];
        if (job->decision != NP_DECIDE_SKIP)
            continue;
        np_results_add(&run->results, job->label, NP_STATE_SKIPPED, NULL);
        run->results.n_warned += job->is_warned;
        np_console_print(run->console, 1, "%s: already complete, kept", job->label);
    }
}

/* Counters start at zero, so that servers see the first failure as an increase. */
static void begin_metrics(struct np_run *run)
{
    static const char *const outcomes[] = {"success", "failed"};
    double n_planned = (double)run->console->n_total;

    np_metric_set(run->trace, &np_metric_sessions_planned, n_planned, NULL);
    np_metric_add(run->trace, &np_metric_queue_depth, n_planned, NULL, NULL);
    np_metric_add(run->trace, &np_metric_sessions_active, 0, NULL, NULL);
    for (size_t i = 0; i < NP_COUNT(outcomes); i++) {
        NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
        np_attrs_string(&attrs, NP_KEY_NEURO_STATUS, outcomes[i]);
        np_metric_add(run->trace, &np_metric_sessions_processed, 0, &attrs, NULL);
        for (size_t m = 0; m < run->config->modalities.n; m++) {
            np_attrs_string(&attrs, NP_KEY_BIDS_SUFFIX, run->config->modalities.item[m]);
            np_metric_add(run->trace, &np_metric_files_processed, 0, &attrs, NULL);
        }
    }
}

void np_run_execute(struct np_run *run)
{
    struct execution e = {.run = run};
    struct np_span *span;

    run->console->n_total = run->plan->n_run + run->plan->n_nothing;
    span = np_run_span_begin(run, NP_SPAN_RUN);
    np_supervisor_init(&e.supervisor, run, span);
    e.worker = np_xcalloc(e.supervisor.n_slots, sizeof(*e.worker));
    begin_metrics(run);
    np_trace_add_observer(run->trace, observe, &e);
    np_trace_collect(run->trace);
    count_skipped(run);
    np_supervise(&e.supervisor);
    run->exit_status =
        np_results_exit_status(&run->results, (int)run->cancel->signal, run->config->allow_empty);
    if (counts_folder(run))
        np_cohort_gauges_count(&e.cohort, run->trace, span, run->config->output_dir);
    close_run_span(run, &span);
    np_trace_collect(run->trace);
    np_trace_remove_observer(run->trace, &e);
    np_console_end(run->console);
    print_summary(run);
    np_supervisor_done(&e.supervisor);
    np_cohort_gauges_done(&e.cohort);
    free(e.worker);
}
