#include "cli/telemetry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "cli/signals.h"
#include "record/place.h"
#include "spool/pending.h"
#include "trace/names.h"

static bool sends(const struct np_send_settings *settings, int signal)
{
    return !settings->is_disabled && (settings->exporters[signal] & NP_SEND_TO_OTLP) &&
           settings->to[signal].url;
}

/* Signals with the same destination are listed together. */
char *np_telemetry_places(const struct np_send_settings *settings)
{
    struct np_str out = {0};
    bool is_listed[NP_OTLP_N_SIGNALS] = {false};

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        if (is_listed[i] || !sends(settings, i))
            continue;
        const struct np_send_destination *to = &settings->to[i];
        np_str_add(&out, out.length ? "; " : "");
        for (int k = i; k < NP_OTLP_N_SIGNALS; k++) {
            if (!sends(settings, k) || strcmp(settings->to[k].shown, to->shown) != 0)
                continue;
            is_listed[k] = true;
            np_str_addf(&out, "%s%s", k == i ? "" : ", ",
                        np_otlp_signal_name((enum np_otlp_signal)k));
        }
        np_str_addf(&out, " to %s", to->shown);
        if (to->proxy_shown)
            np_str_addf(&out, " by the proxy %s", to->proxy_shown);
    }
    return np_str_take(&out);
}

void np_telemetry_start(struct np_telemetry *telemetry, const struct np_send_settings *settings,
                        enum np_naming naming, const char *record_path, const char *shown,
                        struct np_console *console)
{
    const struct np_send_sender_options options = {
        .record_path = record_path, .settings = settings, .naming = naming};
    struct np_error err = {0};

    telemetry->settings = settings;
    if (!np_send_settings_sends(settings)) {
        np_console_print(console, 0, "traces, metrics, logs: %s; nothing leaves this machine",
                         shown);
        return;
    }
    NP_AUTO(np_freep) char *where = np_telemetry_places(settings);
    np_console_print(console, 0, "traces, metrics, logs: %s; sent: %s", shown, where);
    if (np_send_sender_start(&options, &telemetry->sender, &err) < 0)
        np_console_print(console, 0, "warning: telemetry is not sent: %s", err.text);
}

static void measure(void *self, struct np_trace *trace)
{
    static const struct np_metric_def *const exported[NP_OTLP_N_SIGNALS] = {
        [NP_OTLP_TRACES] = &np_metric_sdk_span_exported,
        [NP_OTLP_LOGS] = &np_metric_sdk_log_exported,
        [NP_OTLP_METRICS] = &np_metric_sdk_metric_exported,
    };
    static const char *const types[] = {[NP_OTLP_HTTP_PROTOBUF] = "otlp_http_exporter",
                                        [NP_OTLP_HTTP_JSON] = "otlp_http_json_exporter",
                                        [NP_OTLP_GRPC] = "otlp_grpc_exporter"};
    const struct np_telemetry *telemetry = self;
    struct np_send_sender_health health;

    np_send_sender_look(telemetry->sender, &health);
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        struct np_attrs attrs = {0};
        if (!sends(telemetry->settings, i))
            continue;
        const char *type = types[telemetry->settings->to[i].protocol];
        NP_AUTO(np_freep) char *name = np_xasprintf("%s/%d", type, i);
        np_attrs_string(&attrs, NP_KEY_OTEL_COMPONENT_TYPE, type);
        np_attrs_string(&attrs, NP_KEY_OTEL_COMPONENT_NAME, name);
        np_metric_set(trace, exported[i], (double)health.tally[i].n_exported, &attrs);
        int64_t n_lost = health.tally[i].n_dropped + health.tally[i].n_rejected;
        np_attrs_string(&attrs, NP_KEY_ERROR_TYPE, "rejected");
        if (n_lost > 0)
            np_metric_set(trace, exported[i], (double)n_lost, &attrs);
        np_attrs_done(&attrs);
    }
    np_metric_set(trace, &np_metric_telemetry_unsent, (double)health.pending_bytes, NULL);
}

void np_telemetry_observe(struct np_telemetry *telemetry, struct np_trace *trace)
{
    if (!telemetry->sender)
        return;
    telemetry->trace = trace;
    np_trace_add_observer(trace, measure, telemetry);
}

char *np_telemetry_counts(const int64_t n_items[NP_OTLP_N_SIGNALS])
{
    static const char *const names[NP_OTLP_N_SIGNALS] = {
        [NP_OTLP_TRACES] = "span", [NP_OTLP_LOGS] = "log record", [NP_OTLP_METRICS] = "data point"};
    struct np_str out = {0};

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        np_str_addf(&out, "%s%" PRId64 " %s%s", i ? ", " : "", n_items[i], names[i],
                    np_plural(n_items[i]));
    return np_str_take(&out);
}

char *np_telemetry_pending(const char *output_dir)
{
    NP_AUTO(np_freep) char *folder = np_path_join(output_dir, NP_TELEMETRY_FOLDER);
    struct np_spool_pending_sum sum;

    np_spool_pending_count(folder, &sum);
    if (sum.n == 0)
        return NULL;
    return np_xasprintf(
        "%zu record%s of telemetry wait%s to be sent%s%s; to send: neuro-preprocess "
        "replay '%s'",
        sum.n, np_plural((int64_t)sum.n), sum.n == 1 ? "s" : "",
        *sum.why ? ", the last because of " : "", sum.why, output_dir);
}

static void add_losses(const struct np_send_sender_health *health, struct np_str *line)
{
    int64_t n_dropped = 0, n_rejected = 0, n_failed = 0;

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        n_dropped += health->tally[i].n_dropped;
        n_rejected += health->tally[i].n_rejected;
        n_failed += health->tally[i].n_failed;
    }
    if (n_failed)
        np_str_addf(line, "; %" PRId64 " request%s failed", n_failed, np_plural(n_failed));
    if (n_dropped + n_rejected)
        np_str_addf(line, "; refused and dropped: %" PRId64, n_dropped + n_rejected);
    if (health->n_caught_up)
        np_str_addf(line, "; %" PRId64 " earlier record%s sent", health->n_caught_up,
                    np_plural(health->n_caught_up));
}

void np_telemetry_finish(struct np_telemetry *telemetry, const char *output_dir,
                         struct np_console *console)
{
    struct np_send_sender_health health;
    NP_AUTO(np_str_done) struct np_str line = {0};
    int64_t n_items[NP_OTLP_N_SIGNALS];

    if (!telemetry->sender)
        return;
    if (telemetry->trace)
        np_trace_remove_observer(telemetry->trace, telemetry);
    np_send_sender_finish(&telemetry->sender, np_signals_cut_off(), &health);
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        n_items[i] = health.tally[i].n_exported;
    NP_AUTO(np_freep) char *counts = np_telemetry_counts(n_items);
    np_str_addf(&line, "telemetry sent: %s", counts);
    add_losses(&health, &line);
    if (health.pending_bytes)
        np_str_addf(&line,
                    "; %" PRId64 " bytes of the record wait for the next run, or for: "
                    "neuro-preprocess replay '%s'",
                    health.pending_bytes, output_dir);
    np_console_print(console, 0, "%s", np_str_text(&line));
    if (health.trouble[0])
        np_console_print(console, 0, "warning: telemetry: %s", health.trouble);
}
