/* Sending a run's telemetry, and the messages about it. */
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
    struct np_trace *trace;                  /* receives metrics about sending; borrowed */
};

/* "traces to grpc http://host:4317/; logs, metrics to …", without secrets; "" when nothing is sent.
 * The caller frees. */
char *np_telemetry_places(const struct np_send_settings *settings);

/*
 * Print one line with the destination of each signal, and start the sender when there is a
 * destination. A failure to start gives a warning. `shown` is the record's path for messages. After
 * this, fork nothing that lives longer than the run.
 */
void np_telemetry_start(struct np_telemetry *telemetry, const struct np_send_settings *settings,
                        enum np_naming naming, const char *record_path, const char *shown,
                        struct np_console *console);

/* Add metrics about sending to the trace (otel.sdk.exporter.*, neuro.telemetry.unsent), until
 * np_telemetry_finish. */
void np_telemetry_observe(struct np_telemetry *telemetry, struct np_trace *trace);

/* End the sender and print what was sent and what is pending. */
void np_telemetry_finish(struct np_telemetry *telemetry, const char *output_dir,
                         struct np_console *console);

/* A sentence on records below `output_dir` that are not sent whole; NULL = there are none. The caller
 * frees. */
char *np_telemetry_pending(const char *output_dir);

/* "12 spans, 3 log records, 1 data point"; the caller frees. */
char *np_telemetry_counts(const int64_t n_items[NP_OTLP_N_SIGNALS]);

#endif
