/* The sending of a run's telemetry, and what is said of it. */
#ifndef NP_CLI_TELEMETRY_H
#define NP_CLI_TELEMETRY_H

#include "pipeline/console.h"
#include "send/sender.h"
#include "send/settings.h"
#include "trace/trace.h"

/* {0} is a run that sends nothing. */
struct np_telemetry {
    const struct np_send_settings *settings; /* borrowed */
    struct np_send_sender *sender;           /* NULL = nothing is sent */
    struct np_trace *trace;                  /* that is told of it; borrowed */
};

/* "traces to grpc http://host:4317/; logs, metrics to …", without secrets; "" when nothing is sent.
 * The caller frees. */
char *np_telemetry_places(const struct np_send_settings *settings);

/*
 * One line on where each signal goes, and the sender, when there is anywhere to send to; that it
 * cannot be started is said. `shown` is the record's path as it is to be shown. Fork nothing that
 * lives longer than the run after this.
 */
void np_telemetry_start(struct np_telemetry *telemetry, const struct np_send_settings *settings,
                        enum np_naming naming, const char *record_path, const char *shown,
                        struct np_console *console);

/* Let the trace's metrics say how sending goes (otel.sdk.exporter.*, neuro.telemetry.unsent), until
 * np_telemetry_finish. */
void np_telemetry_observe(struct np_telemetry *telemetry, struct np_trace *trace);

/* End the sender and say what became of everything. */
void np_telemetry_finish(struct np_telemetry *telemetry, const char *output_dir,
                         struct np_console *console);

/* "12 spans, 3 log records, 1 data point"; the caller frees. */
char *np_telemetry_counts(const int64_t n_items[NP_OTLP_N_SIGNALS]);

#endif
