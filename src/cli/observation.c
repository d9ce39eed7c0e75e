#include "cli/observation.h"

#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "record/place.h"
#include "show/console.h"
#include "show/prometheus.h"

void np_observation_read(const struct np_config *config, struct np_observation *observation,
                         struct np_str *warnings)
{
    const struct np_send_overrides flags = {
        .endpoint = config->otel_endpoint,
        .deadline_s = config->otel_timeout_s > 0 ? config->otel_timeout_s : -1};

    *observation = (struct np_observation){.naming = config->telemetry_id};
    np_send_settings_read(&flags, &observation->settings, warnings);
}

/* A label that cannot be hashed the same way each time is not shown at all. */
static void open_redactor(struct np_observation *observation, const struct np_config *config,
                          struct np_console *console)
{
    NP_AUTO(np_freep) char *folder = np_path_join(config->output_dir, NP_TELEMETRY_FOLDER);
    struct np_error err = {0};

    if (np_otlp_redactor_open(observation->naming, folder, &observation->redactor, &err) == 0)
        return;
    np_console_say(console, 0, "warning: --telemetry-id %s: %s; labels are left out (none)",
                   np_naming_name(observation->naming), err.text);
    observation->naming = NP_NAME_NONE;
    np_otlp_redactor_open(NP_NAME_NONE, folder, &observation->redactor, NULL);
}

static void settle_trace(const struct np_send_settings *settings, struct np_trace *trace)
{
    np_trace_set_limits(trace, &settings->limits);
    np_trace_set_metrics(trace, settings->histogram, settings->exemplars);
}

/* --metrics-textfile; `path` may be NULL. */
static void open_textfile(struct np_observation *observation, const char *path, struct np_run *run)
{
    struct np_error err = {0};

    if (!path)
        return;
    if (np_show_textfile_open(path, observation->redactor, &observation->textfile, &err) < 0)
        np_console_say(run->console, 0, "warning: %s", err.text);
    else
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
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer text = {0};

    np_show_prometheus_text(point, n_points, np_trace_resource(observation->trace),
                            observation->redactor, &text);
    if (!text.failed)
        np_show_pull_answer(observation->pull, text.bytes, text.length);
}

static void someone_asks(void *self)
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
    if (np_show_pull_start(settings->prometheus_host, settings->prometheus_port, &observation->pull,
                           &err) < 0) {
        np_console_say(run->console, 0, "warning: %s", err.text);
        return;
    }
    run->watch = (struct np_run_watch){
        .fd = np_show_pull_fd(observation->pull), .ready = someone_asks, .self = observation};
    np_console_say(run->console, 0, "metrics: http://%s:%d/metrics while the run lasts",
                   settings->prometheus_host, np_show_pull_port(observation->pull));
}

void np_observation_begin(struct np_observation *observation, const struct np_config *config,
                          struct np_run *run)
{
    const struct np_send_settings *settings = &observation->settings;

    observation->trace = run->trace;
    open_redactor(observation, config, run->console);
    settle_trace(settings, run->trace);
    run->sampler = (struct np_sampler){.ratio = settings->sample_ratio,
                                       .is_parent_based = settings->is_parent_based};
    run->metric_interval_s = settings->metric_interval_s;
    run->joins_no_parent = !(settings->propagators & NP_SEND_TRACE_CONTEXT);
    open_textfile(observation, config->metrics_textfile, run);
    open_console(observation, run);
    open_pull(observation, run);
}

void np_observation_say(const struct np_observation *observation, struct np_console *console)
{
    struct np_error trouble = {0};

    if (observation->textfile.self && np_show_textfile_trouble(&observation->textfile, &trouble))
        np_console_say(console, 0, "warning: %s", trouble.text);
}

void np_observation_end(struct np_observation *observation)
{
    np_show_pull_stop(&observation->pull);
}

void np_observation_done(struct np_observation *observation)
{
    np_otlp_redactor_freep(&observation->redactor);
    np_send_settings_done(&observation->settings);
}
