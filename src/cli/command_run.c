/* participant, process, batch: plan, prepare, record, run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/path.h"
#include "cli/commands.h"
#include "cli/observation.h"
#include "cli/telemetry.h"
#include "cli/version.h"
#include "pipeline/plan_json.h"
#include "pipeline/run.h"
#include "record/place.h"
#include "spool/record.h"
#include "trace/names.h"
#include "trace/resource.h"

int np_command_fail(const struct np_error *err)
{
    const struct np_outcome_info *outcome = np_outcome_info(np_error_outcome(err->code));
    NP_AUTO(np_freep) char *text = np_utf8_clean(err->text);

    fflush(stdout);
    fprintf(stderr, "neuro-preprocess: %s: %s. What to do: %s\n", outcome->name, text,
            outcome->remedy);
    return outcome->exit_status;
}

void np_command_libraries(struct np_strings *libraries)
{
    np_strings_add(libraries, np_run_codec());
}

/* "20261121T102030Z_<run>.otlp.jsonl" */
static char *record_path(const char *output_dir, const char *run_id)
{
    char start[32];
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(start, sizeof(start), "%Y%m%dT%H%M%SZ", &utc);
    return np_xasprintf("%s/" NP_TELEMETRY_FOLDER "/%s_%s.otlp.jsonl", output_dir, start, run_id);
}

/* `sink` is empty without telemetry.
 * Records that cannot be kept are no reason to keep no results. */
static void open_telemetry(const struct np_config *config, const struct np_run *run,
                           const struct np_attrs *resource,
                           const struct np_observation *observation, struct np_trace_sink *sink,
                           struct np_telemetry *telemetry)
{
    static const struct np_instrumentation scope = {
        .name = "neuro-preprocess", .version = NP_VERSION, .schema_url = NP_SEMCONV_SCHEMA_URL};
    struct np_error err = {0};

    if (config->no_telemetry)
        return;
    NP_AUTO(np_freep) char *path = record_path(config->output_dir, run->id);
    if (np_spool_record_open(path, resource, &scope, sink, &err) < 0) {
        np_console_say(run->console, 0, "warning: no telemetry: %s", err.text);
        return;
    }
    sink->temporality = observation->settings.temporality;
    np_spool_record_limit_items(sink, observation->settings.spans.most_in_batch);
    np_spool_record_limit_items(sink, observation->settings.logs.most_in_batch);
    np_trace_add_sink(run->trace, *sink);
    np_spool_record_observe(sink, run->trace);
    NP_AUTO(np_freep) char *shown = np_path_relative(path, config->output_dir);
    np_telemetry_start(telemetry, &observation->settings, observation->naming, path, shown,
                       run->console);
    np_telemetry_observe(telemetry, run->trace);
}

static void say_health(const struct np_trace_sink *sink, struct np_console *console)
{
    struct np_error trouble = {0};

    if (sink->self && np_spool_record_trouble(sink, &trouble))
        np_console_say(console, 0, "warning: %s", trouble.text);
}

static void say_plan(const struct np_run *run)
{
    const struct np_plan *plan = run->plan;

    for (size_t i = 0; plan->dataset && i < plan->dataset->warnings.n; i++)
        np_console_say(run->console, 0, "warning: %s", plan->dataset->warnings.item[i]);
    for (size_t i = 0; i < plan->warnings.n; i++)
        np_console_say(run->console, 0, "warning: %s", plan->warnings.item[i]);
    np_console_say(run->console, 0,
                   "%zu sessions: %zu to do, %zu complete already, %zu with nothing to do; %d at "
                   "once, %d threads each, memory limit %lld MiB (%s)",
                   plan->n_jobs, plan->n_run, plan->n_skip, plan->n_nothing, plan->n_parallel,
                   plan->n_threads, (long long)(plan->memory_bytes >> 20),
                   run->config->mem_bytes ? "asked for" : plan->resources.memory_source);
}

static void detect_resource(const struct np_config *config, const struct np_plan *plan,
                            const char *run_id, struct np_attrs *resource, struct np_str *warning)
{
    const struct np_resource_facts facts = {
        .service_version = NP_VERSION,
        .instance_id = run_id,
        .dataset_name = config->dataset_name ? config->dataset_name
                        : plan->dataset      ? plan->dataset->name
                                             : NULL,
        .revision = np_cli_commit(),
        .telemetry_id = np_naming_name(config->telemetry_id),
    };

    np_resource_detect(&facts, resource, warning);
}

void np_command_warn(const char *text, struct np_console *console)
{
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        np_console_say(console, 0, "warning: %.*s", (int)strcspn(text, "\n"), text);
}

static int run_plan(const struct np_config *config, const struct np_plan *plan,
                    const struct np_cancel *cancel, struct np_console *console)
{
    NP_AUTO(np_str_done) struct np_str warning = {0};
    struct np_error err = {0};
    struct np_attrs resource = {0};
    struct np_trace_sink sink = {0};
    struct np_observation observation;
    struct np_telemetry telemetry = {0};
    struct np_run run = {.config = config,
                         .plan = plan,
                         .console = console,
                         .cancel = cancel,
                         .version = NP_VERSION};

    np_run_id(run.id);
    int code = np_run_prepare(&run, &err);
    if (code < 0)
        return np_command_fail(&err);
    detect_resource(config, plan, run.id, &resource, &warning);
    if (warning.length)
        np_str_add_char(&warning, '\n');
    np_observation_read(config, &observation, &warning);
    run.trace = np_trace_new(&resource);
    np_observation_begin(&observation, config, &run);
    open_telemetry(config, &run, &resource, &observation, &sink, &telemetry);
    np_command_warn(np_str_text(&warning), console);
    say_plan(&run);
    np_run_execute(&run);
    np_trace_flush(run.trace);
    np_telemetry_finish(&telemetry, config->output_dir, console);
    say_health(&sink, console);
    np_observation_say(&observation, console);
    np_observation_end(&observation);
    np_trace_freep(&run.trace);
    np_observation_done(&observation);
    np_attrs_done(&resource);
    np_results_done(&run.results);
    return run.exit_status;
}

int np_command_run(const struct np_config *config, const struct np_cancel *cancel)
{
    NP_AUTO(np_plan_freep) struct np_plan *plan = NULL;
    struct np_error err = {0};
    struct np_console console;

    np_console_init(&console, config->verbosity);
    if (np_plan_make(config, &plan, &err) < 0)
        return np_command_fail(&err);
    if (config->dry_run) {
        NP_AUTO(np_freep) char *json = np_plan_json(plan);
        fputs(json, stdout);
        return 0;
    }
    return run_plan(config, plan, cancel, &console);
}
