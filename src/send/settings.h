/*
 * The destinations and options of telemetry, read once from the flags and from the OTEL_* variables
 * of the OpenTelemetry specification. As the specification says, an empty variable counts as unset,
 * a value that cannot be parsed is ignored with a warning, and a signal's own variable beats the
 * generic one. Flags beat both.
 *
 * One rule differs: nothing is sent unless an endpoint is set. The specification's default,
 * localhost:4318, might be another user's collector on a shared machine.
 */
#ifndef NP_SEND_SETTINGS_H
#define NP_SEND_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "otlp/signal.h"
#include "trace/trace.h"

enum np_send_compression { NP_SEND_PLAIN, NP_SEND_GZIP };

/* The exporters of a signal, as bits. The record is always written. */
enum np_send_exporter_kind {
    NP_SEND_TO_OTLP = 1 << 0,
    NP_SEND_TO_CONSOLE = 1 << 1,
    NP_SEND_TO_PROMETHEUS = 1 << 2, /* metrics only: the page that a server scrapes */
};

/* One signal's resolved endpoint. */
struct np_send_destination {
    enum np_otlp_signal signal;
    enum np_otlp_protocol protocol;
    enum np_send_compression compression;
    char *url;   /* of the requests, with the path, without user, password and fragment; NULL =
                   nothing is sent */
    char *user;  /* "user:password" of the URL, decoded; NULL = none. Secret. */
    char *shown; /* "<protocol> <scheme>://<host>:<port>/<path>": for people, without secrets */
    /* The place, by which the ledger knows it: "<host>:<port>/<path>", and " #<digest>" of the query
     * and of the headers that name a tenant, where there are some. This host has one name, and the
     * protocol does not matter. Without secrets. */
    char *id;
    char *proxy;       /* of the environment (send/proxy.h); NULL = none. May hold a password. */
    char *proxy_shown; /* "<host>:<port>" of it; NULL = none */
    struct np_strings headers;             /* "name: value". Secret. */
    double timeout_s;                      /* of one request */
    double connect_timeout_s;              /* for names and connections; 0 = that of the request */
    char *ca_certificate;                  /* PEM files; NULL = the certificates of the system */
    char *client_key, *client_certificate; /* NULL = none */
};

/* Flags of the program; NULL and 0 = not given. All members are borrowed. */
struct np_send_overrides {
    const char *endpoint; /* --otel-endpoint: for all signals; wins over the per-signal variables */
    double deadline_s;    /* --otel-timeout */
};

/* OTEL_BSP_*, OTEL_BLRP_*. */
struct np_send_batching {
    double schedule_delay_s;
    double export_timeout_s;
    int64_t most_queued; /* bounds most_in_batch only: nothing is queued in memory */
    int64_t most_in_batch;
};

enum np_send_propagator {
    NP_SEND_TRACE_CONTEXT = 1 << 0, /* TRACEPARENT, TRACESTATE */
    NP_SEND_BAGGAGE = 1 << 1,
};

struct np_send_settings {
    bool is_disabled; /* OTEL_SDK_DISABLED: nothing goes anywhere but to the file */
    unsigned
        exporters[NP_OTLP_N_SIGNALS]; /* bits of enum np_send_exporter_kind; TO_OTLP only with an
                                              endpoint */
    struct np_send_destination to[NP_OTLP_N_SIGNALS];
    double deadline_s; /* of the last flush: 5 s, OTEL_BSP_EXPORT_TIMEOUT or the flag */

    struct np_send_batching spans, logs;
    double metric_interval_s, metric_timeout_s;
    enum np_temporality_preference temporality;
    enum np_histogram_kind histogram;
    enum np_exemplar_filter exemplars;
    struct np_trace_limits limits;
    int64_t link_attributes; /* links have none here: it bounds nothing */

    bool is_parent_based;
    double sample_ratio;   /* 1 and 0 for always_on and always_off */
    bool keeps_all_traces; /* neither the ratio nor a parent elsewhere leaves any out */
    unsigned propagators;  /* bits of enum np_send_propagator */
    int log_severity;      /* OTEL_LOG_LEVEL: the least severity number of the program's messages */

    char *prometheus_host;
    int prometheus_port;
};

/*
 * Read the flags (may be NULL) and the environment. It does not fail: a value that cannot be used
 * is left at its default, and a sentence about it, without secrets, is added to `warnings` (may be
 * NULL) as a line. The caller frees `out` with np_send_settings_done.
 */
void np_send_settings_read(const struct np_send_overrides *flags, struct np_send_settings *out,
                           struct np_str *warnings);
void np_send_settings_done(struct np_send_settings *settings);

/* True when some signal has the OTLP exporter. */
bool np_send_settings_sends(const struct np_send_settings *settings);
#endif
