/* participant, process, batch: plan, prepare, record, run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/observation.h"
#include "pipeline/asked.h"
#include "pipeline/canary.h"
#include "pipeline/cohort_event.h"
#include "pipeline/cohort_gauges.h"
#include "pipeline/plan_json.h"
#include "pipeline/plan_text.h"
#include "pipeline/run.h"
#include "show/textfile.h"
#include "trace/names.h"

enum { MOST_LABELS = 6 };

int np_command_fail(const struct np_error *err)
{
    return np_command_fail_with(err, np_error_remedy(err->code));
}

/* A sentence that names the call or the word that was meant needs no other hint. */
static bool has_hint(const struct np_error *err)
{
    return (err->code == NP_EUSAGE || err->code == NP_ELEVEL) &&
           (strstr(err->text, "did you mean") || strstr(err->text, "; neuro-preprocess "));
}

int np_command_fail_with(const struct np_error *err, const char *remedy)
{
    const struct np_outcome_info *outcome = np_outcome_info(np_error_outcome(err->code));
    NP_AUTO(np_freep) char *text = np_utf8_clean(err->text);

    fflush(stdout);
    size_t length = strlen(text);
    const char *stop = length && strchr(".?!", text[length - 1]) ? "" : ".";
    bool is_enough = has_hint(err);
    fprintf(stderr, "neuro-preprocess: %s: %s%s%s%s\n", outcome->name, text, stop,
            is_enough ? "" : " What to do: ", is_enough ? "" : remedy);
    return outcome->exit_status;
}

int np_command_check_textfile(const struct np_config *config, struct np_error *err)
{
    const char *path = config->metrics_textfile;
    int code = path ? np_show_textfile_check(path, config->bids_dir, err) : 0;

    np_error_context(err, "--metrics-textfile");
    return code;
}

void np_command_libraries(struct np_strings *libraries)
{
    np_strings_add(libraries, np_run_codec());
}

/* Name the sessions that are left out because they were withdrawn. */
static void log_withdrawn(const struct np_run *run)
{
    NP_AUTO(np_strings_done) struct np_strings labels = {0};

    for (size_t i = 0; i < run->plan->n_jobs; i++)
        if (run->plan->job[i].decision == NP_DECIDE_WITHDRAWN)
            np_strings_add(&labels, run->plan->job[i].label);
    NP_AUTO(np_freep) char *list = np_strings_join(&labels, ", ", MOST_LABELS);
    if (labels.n)
        np_console_print(run->console, 0,
                         "withdrawn and left out: %s; back with: neuro-preprocess status '%s' "
                         "--restore SESSION",
                         list, run->config->output_dir);
}

/* "'/data/bids' (Name)" or "3 files"; the caller frees. */
static char *describe_input(const struct np_plan *plan)
{
    const struct np_dataset *dataset = plan->dataset;

    if (!dataset)
        return np_xasprintf("%zu file%s", plan->n_jobs, np_plural((int64_t)plan->n_jobs));
    return dataset->name ? np_xasprintf("'%s' (%s)", dataset->root, dataset->name)
                         : np_xasprintf("'%s'", dataset->root);
}

/* Print the task: the input, the methods, the output. */
static void print_task(const struct np_run *run)
{
    NP_AUTO(np_freep) char *input = describe_input(run->plan);
    NP_AUTO(np_freep) char *options = np_config_results_text(run->config);

    np_console_print(run->console, 0, "neuro-preprocess " NP_VERSION ": %s into '%s'; %s", input,
                     run->config->output_dir, options);
}

static void log_plan(const struct np_run *run)
{
    const struct np_plan *plan = run->plan;
    NP_AUTO(np_freep) char *jobs = np_plan_counts(plan);

    for (size_t i = 0; plan->dataset && i < plan->dataset->warnings.n; i++)
        np_console_print(run->console, 0, "warning: %s", plan->dataset->warnings.item[i]);
    for (size_t i = 0; i < plan->warnings.n; i++)
        np_console_print(run->console, 0, "warning: %s", plan->warnings.item[i]);
    log_withdrawn(run);
    if (run->config->mask_dir)
        np_console_print(run->console, 0, "brain masks from '%s': of %zu image%s",
                         run->config->mask_dir, plan->n_masks, np_plural((int64_t)plan->n_masks));
    np_console_print(run->console, 0,
                     "%s; %d at once, %d thread%s each, memory limit %lld MiB (%s)", jobs,
                     plan->n_parallel, plan->n_threads, np_plural(plan->n_threads),
                     (long long)(plan->memory_bytes >> 20),
                     run->config->mem_bytes ? "requested" : plan->resources.memory_source);
}

void np_command_warn(const char *text, struct np_console *console)
{
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        np_console_print(console, 0, "warning: %.*s", (int)strcspn(text, "\n"), text);
}

/* A session without images gets a record of that only with --allow-empty. */
static bool has_work(const struct np_config *config, const struct np_plan *plan)
{
    return plan->n_run > 0 || (config->allow_empty && plan->n_nothing > 0);
}

/* The file is for np-slurm. A run does not need it, so a failure to write it is a warning. */
static void keep_canary(const struct np_run *run, const struct np_canary *canary)
{
    struct np_error err = {0};

    np_canary_observe(canary, run->trace);
    if (np_canary_keep(canary, run->config->output_dir, run->id, &err) < 0)
        np_console_print(run->console, 0, "warning: canary: %s", err.text);
}

/* --canary. Returns 0, also when it could not be let through, which says nothing of the machine; NP_ECANARY. */
static int pass_canary(const struct np_run *run, struct np_error *err)
{
    struct np_canary canary;
    struct np_error why = {0};

    if (!run->config->canary || !has_work(run->config, run->plan))
        return 0;
    if (np_canary_run(run->config->wrong_canary, run->cancel, &canary, &why) < 0) {
        np_console_print(run->console, 0, "warning: no canary: %s", why.text);
        return 0;
    }
    keep_canary(run, &canary);
    NP_AUTO(np_freep) char *text = np_canary_text(&canary);
    if (canary.verdict == NP_CANARY_WRONG)
        return np_error_set(err, NP_ECANARY, "canary: %s; no session was begun", text);
    np_console_print(run->console, 0, "canary: %s after %.2f s",
                     np_canary_verdict_name(canary.verdict), canary.wall_s);
    return 0;
}

/* The run ends before its first session. */
static void refuse(struct np_run *run, const struct np_error *why)
{
    struct np_span *span = np_run_span_begin(run, NP_SPAN_RUN);

    run->exit_status = np_command_fail(why);
    np_run_span_end(run, &span, why);
    np_trace_collect(run->trace);
}

static int run_plan(const struct np_config *config, const struct np_plan *plan,
                    const struct np_cancel *cancel, struct np_console *console)
{
    struct np_error err = {0};
    struct np_observation observation;
    struct np_run run = {.config = config,
                         .plan = plan,
                         .console = console,
                         .cancel = cancel,
                         .version = NP_VERSION};

    np_run_id(run.id);
    if (np_run_prepare(&run, &err) < 0)
        return np_command_fail(&err);
    print_task(&run);
    np_observation_open(&observation, config, &run);
    log_plan(&run);
    if (pass_canary(&run, &err) < 0)
        refuse(&run, &err);
    else
        np_run_execute(&run);
    np_observation_close(&observation, &run);
    np_results_done(&run.results);
    return run.exit_status;
}

static void print_warnings(const struct np_plan *plan, FILE *out)
{
    NP_AUTO(np_freep) char *warnings = np_plan_warnings_text(plan);

    fputs(warnings, out);
}

static void print_plan(const struct np_config *config, const struct np_plan *plan,
                       const char *traceparent)
{
    NP_AUTO(np_freep)
    char *text =
        config->format == NP_FORMAT_JSON ? np_plan_json(plan, traceparent) : np_plan_text(plan);

    fputs(text, stdout);
    if (config->format == NP_FORMAT_JSON) /* its keys have no place for them */
        print_warnings(plan, stderr);
}

/* The span under which jobs work that come later: they get it as TRACEPARENT. The sessions asked for
 * count in the cohort from now on. */
static void observe_plan(struct np_run *run, enum np_cohort_event event,
                         char traceparent[NP_TRACEPARENT_TEXT])
{
    const struct np_plan *plan = run->plan;
    struct np_cohort_gauges gauges = {0};
    struct np_observation observation;

    np_observation_open(&observation, run->config, run);
    struct np_span *span = np_run_span_begin(run, NP_SPAN_PLAN);
    np_cohort_event_log(run->trace, span, event, 0, plan->n_run, "asked for");
    if (plan->n_run + plan->n_nothing > 1)
        np_cohort_gauges_count(&gauges, run->trace, span, run->config->output_dir);
    np_cohort_gauges_done(&gauges);
    np_span_set_sampled(span, np_sampler_keeps(&run->sampler, span));
    if (!run->config->no_telemetry)
        np_traceparent_format(span, traceparent);
    np_run_span_end(run, &span, &(struct np_error){0});
    np_trace_collect(run->trace);
    np_observation_close(&observation, run);
}

/* --plan-only: all that a run does before its first session, unless no session is to be processed.
 * As JSON the plan has stdout for itself. */
static int keep_plan(const struct np_config *config, const struct np_plan *plan,
                     struct np_console *console)
{
    struct np_error err = {0};
    struct np_run run = {.config = config, .plan = plan, .console = console, .version = NP_VERSION};
    NP_AUTO(np_freep) char *jobs = np_plan_counts(plan);
    bool keeps = has_work(config, plan), json = config->format == NP_FORMAT_JSON;
    char traceparent[NP_TRACEPARENT_TEXT] = "";

    if (json)
        console->out = stderr;
    np_run_id(run.id);
    enum np_cohort_event event = np_run_was_asked(&run) ? NP_COHORT_RESUBMIT : NP_COHORT_SUBMIT;
    if (keeps && np_run_prepare(&run, &err) < 0)
        return np_command_fail(&err);
    if (keeps)
        observe_plan(&run, event, traceparent);
    if (json) {
        print_plan(config, plan, *traceparent ? traceparent : NULL);
        return 0;
    }
    print_task(&run);
    print_warnings(plan, stdout);
    np_console_print(console, 0, "%s; %s", jobs,
                     keeps ? "the plan was kept, and nothing was processed"
                           : "no plan was kept, because there is nothing to process");
    return 0;
}

/* --format is about what --dry-run and --plan-only print. */
static int check_format(const struct np_config *config, struct np_error *err)
{
    if (config->dry_run && config->plan_only)
        return np_error_set(err, NP_EUSAGE,
                            "--dry-run writes nothing and --plan-only writes the plan: expected "
                            "one of them");
    if (config->format == NP_FORMAT_TABLE)
        return 0;
    if (!config->dry_run && !config->plan_only)
        return np_error_set(err, NP_EUSAGE,
                            "--format: a run prints its progress; add --dry-run, or ask 'status'");
    if (config->format != NP_FORMAT_JSON)
        return np_error_set(err, NP_EUSAGE,
                            "--format: --dry-run and --plan-only have the formats table and json");
    return 0;
}

int np_command_run(const struct np_config *config, const struct np_cancel *cancel)
{
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;
    struct np_error err = {0};
    struct np_console console;

    if (config->reports_only)
        return 0; /* a notice says that there are no pages yet */
    np_console_init(&console, config->verbosity);
    if (check_format(config, &err) < 0 || np_command_check_textfile(config, &err) < 0 ||
        np_plan_make(config, &plan, &err) < 0)
        return np_command_fail(&err);
    if (config->dry_run) {
        print_plan(config, plan, NULL);
        return 0;
    }
    if (config->plan_only)
        return keep_plan(config, plan, &console);
    return run_plan(config, plan, cancel, &console);
}
