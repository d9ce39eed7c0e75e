#include "cli/observation.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "cli/commands.h"
#include "cli/version.h"
#include "record/place.h"
#include "show/console.h"
#include "show/prometheus.h"
#include "show/textfile.h"
#include "spool/record.h"
#include "trace/names.h"
#include "trace/resource.h"

void np_observation_read(const struct np_config *config, struct np_observation *observation,
                         struct np_str *warnings)
{
    const struct np_send_overrides flags = {
        .endpoint = config->otel_endpoint,
        .deadline_s = config->otel_timeout_s > 0 ? config->otel_timeout_s : -1};

    *observation = (struct np_observation){.naming = config->telemetry_id};
    np_send_settings_read(&flags, &observation->settings, warnings);
}

/* Without a key, labels cannot be hashed consistently, so they are left out. Returns false when they
 * cannot even be left out. */
static bool open_redactor(struct np_observation *observation, const struct np_config *config,
                          struct np_console *console)
{
    NP_AUTO(np_freep) char *folder = np_path_join(config->output_dir, NP_TELEMETRY_FOLDER);
    struct np_error err = {0}, worse = {0};

    if (np_otlp_redactor_open(observation->naming, folder, &observation->redactor, &err) == 0)
        return true;
    np_console_print(console, 0, "warning: --telemetry-id %s: %s; labels are left out (none)",
                     np_naming_name(observation->naming), err.text);
    observation->naming = NP_NAME_NONE;
    if (np_otlp_redactor_open(NP_NAME_NONE, folder, &observation->redactor, &worse) == 0)
        return true;
    np_console_print(console, 0, "warning: %s; nothing is shown to Prometheus and the console",
                     worse.text);
    return false;
}

/* The trace's limits and kinds of metrics, and when the run samples and collects. */
static void settle_run(const struct np_send_settings *settings, struct np_run *run)
{
    np_trace_set_limits(run->trace, &settings->limits);
    np_trace_set_metrics(run->trace, settings->histogram, settings->exemplars);
    run->sampler = (struct np_sampler){.ratio = settings->sample_ratio,
                                       .is_parent_based = settings->is_parent_based};
    run->metric_interval_s = settings->metric_interval_s;
    run->joins_no_parent = !(settings->propagators & NP_SEND_TRACE_CONTEXT);
}

/* --metrics-textfile; `path` may be NULL. */
static void open_textfile(struct np_observation *observation, const char *path, struct np_run *run)
{
    if (!path)
        return;
    np_show_textfile_open(path, observation->redactor, &observation->textfile);
    np_trace_add_sink(run->trace, observation->textfile);
}

/* OTEL_*_EXPORTER=console: to standard output, as the specification says. */
static void open_console(const struct np_observation *observation, struct np_run *run)
{
    const unsigned *exporters = observation->settings.exporters;
    struct np_trace_sink sink;

    if (!((exporters[NP_OTLP_TRACES] | exporters[NP_OTLP_LOGS] | exporters[NP_OTLP_METRICS]) &
          NP_SEND_TO_CONSOLE))
        return;
    np_show_console_open(STDOUT_FILENO, &observation->settings, observation->redactor, &sink);
    np_trace_add_sink(run->trace, sink);
}

static void answer(void *self, const struct np_metric_point *point, size_t n_points)
{
    struct np_observation *observation = self;
    const struct np_show_page page = {.resource = np_trace_resource(observation->trace),
                                      .redactor = observation->redactor};
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};

    np_show_prometheus_text(point, n_points, &page, &text);
    if (!text.failed)
        np_show_pull_answer(observation->pull, text.bytes, text.length);
}

static void on_page_request(void *self)
{
    const struct np_observation *observation = self;

    np_trace_snapshot(observation->trace, answer, self);
}

static void open_pull(struct np_observation *observation, struct np_run *run)
{
    const struct np_send_settings *settings = &observation->settings;
    struct np_error err = {0};

    if (!(settings->exporters[NP_OTLP_METRICS] & NP_SEND_TO_PROMETHEUS))
        return;
    if (np_show_pull_start(settings->prometheus_host, settings->prometheus_port,
                           settings->deadline_s, &observation->pull, &err) < 0) {
        np_console_print(run->console, 0, "warning: %s", err.text);
        return;
    }
    run->watch = (struct np_run_watch){
        .fd = np_show_pull_fd(observation->pull), .ready = on_page_request, .self = observation};
    np_console_print(run->console, 0, "metrics: http://%s:%d/metrics while the run lasts",
                     settings->prometheus_host, np_show_pull_port(observation->pull));
}

/* Open the outputs for Prometheus and for people at a terminal. */
static void open_views(struct np_observation *observation, const struct np_config *config,
                       struct np_run *run)
{
    open_textfile(observation, config->metrics_textfile, run);
    open_console(observation, run);
    open_pull(observation, run);
}

/* "<output>/logs/telemetry/20261121T102030Z_<run>.otlp.jsonl" */
static char *record_path(const char *output_dir, const char *run_id)
{
    char start[32];
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(start, sizeof(start), "%Y%m%dT%H%M%SZ", &utc);
    return np_xasprintf("%s/" NP_TELEMETRY_FOLDER "/%s_%s" NP_SPOOL_RECORD_SUFFIX, output_dir,
                        start, run_id);
}

/* Records that cannot be kept are no reason to keep no results. */
static void open_record(struct np_observation *observation, const struct np_config *config,
                        struct np_run *run)
{
    static const struct np_instrumentation scope = {
        .name = "neuro-preprocess", .version = NP_VERSION, .schema_url = NP_SEMCONV_SCHEMA_URL};
    const struct np_send_settings *settings = &observation->settings;
    struct np_trace_sink *sink = &observation->record;
    struct np_error err = {0};

    if (config->no_telemetry)
        return;
    NP_AUTO(np_freep) char *path = record_path(config->output_dir, run->id);
    if (np_spool_record_open(path, &observation->resource, &scope, sink, &err) < 0) {
        np_console_print(run->console, 0, "warning: no telemetry: %s", err.text);
        return;
    }
    sink->temporality = settings->temporality;
    np_spool_record_limit_items(sink, settings->spans.most_in_batch);
    np_spool_record_limit_items(sink, settings->logs.most_in_batch);
    np_trace_add_sink(run->trace, *sink);
    np_spool_record_observe(sink, run->trace);
    NP_AUTO(np_freep) char *shown = np_path_relative(path, config->output_dir);
    np_telemetry_start(&observation->sending, settings, observation->naming, path, shown,
                       run->console);
    np_telemetry_observe(&observation->sending, run->trace);
}

static void detect_resource(const struct np_config *config, const struct np_run *run,
                            struct np_attrs *resource, struct np_str *warnings)
{
    const struct np_dataset *dataset = run->plan->dataset;
    NP_AUTO(np_folder_done) struct np_folder folder = {0};

    /* The plan was made earlier: another run may have been the first since. */
    if (np_folder_recall(config->output_dir, &folder, NULL) != 0)
        np_folder_done(&folder);
    const struct np_resource_facts facts = {
        .service_version = NP_VERSION,
        .instance_id = run->id,
        .dataset_name = config->dataset_name ? config->dataset_name
                        : dataset            ? dataset->name
                                             : run->plan->folder.source_name,
        .cohort_id = folder.id,
        .revision = np_cli_commit(),
        .telemetry_id = np_naming_name(config->telemetry_id),
    };

    np_resource_detect(&facts, resource, warnings);
    if (warnings->length)
        np_str_add_char(warnings, '\n');
}

void np_observation_open(struct np_observation *observation, const struct np_config *config,
                         struct np_run *run)
{
    NP_AUTO(np_str_done) struct np_str warnings = {0};
    struct np_attrs resource = {0};

    detect_resource(config, run, &resource, &warnings);
    np_observation_read(config, observation, &warnings);
    observation->resource = resource;
    observation->trace = run->trace = np_trace_new(&observation->resource);
    settle_run(&observation->settings, run);
    if (open_redactor(observation, config, run->console))
        open_views(observation, config, run);
    open_record(observation, config, run);
    np_command_warn(np_str_text(&warnings), run->console);
}

/* Print the problems of the run, once. */
static void print_troubles(const struct np_observation *observation, struct np_console *console)
{
    const struct np_trace_sink *record = &observation->record, *textfile = &observation->textfile;
    struct np_error of_record = {0}, of_textfile = {0};

    if (record->self && np_spool_record_trouble(record, &of_record))
        np_console_print(console, 0, "warning: %s", of_record.text);
    if (textfile->self && np_show_textfile_trouble(textfile, &of_textfile))
        np_console_print(console, 0, "warning: %s", of_textfile.text);
}

void np_observation_close(struct np_observation *observation, struct np_run *run)
{
    if (observation->record.self)
        np_spool_record_end(&observation->record, run->exit_status);
    np_trace_flush(run->trace);
    np_telemetry_finish(&observation->sending, run->config->output_dir, run->console);
    print_troubles(observation, run->console);
    np_show_pull_stop(&observation->pull);
    np_trace_freep(&run->trace); /* before the redactor and the resource, which its sinks read */
    np_observation_done(observation);
}

void np_observation_done(struct np_observation *observation)
{
    np_otlp_redactor_freep(&observation->redactor);
    np_send_settings_done(&observation->settings);
    np_attrs_done(&observation->resource);
}
