/*
 * The one encoder of OTLP export requests: walks the model and names the fields; a format writes
 * them (otlp/format.h). A request is an ExportTraceServiceRequest, an ExportLogsServiceRequest or
 * an ExportMetricsServiceRequest, with one resource and one scope.
 *
 * Each function that returns a code appends to `out` and returns 0, NP_ENOMEM, or NP_EVALUE (it
 * would be longer than out->most). On failure `out` holds what it held before. Strings that are no
 * valid UTF-8 are sent with U+FFFD in place of the broken bytes.
 */
#ifndef NP_OTLP_ENCODE_H
#define NP_OTLP_ENCODE_H

#include "otlp/signal.h"
#include "otlp/writer.h"
#include "trace/trace.h"

/* The instrumentation scope. Members may be NULL. Borrowed. */
struct np_instrumentation {
    const char *name;
    const char *version;
    const char *schema_url; /* of the resource and the scope */
};

/* The resource and scope of all items of a request. Members may be NULL. Borrowed. */
struct np_otlp_source {
    const struct np_attrs *resource;
    const struct np_instrumentation *scope;
};

/* `span`: `n` pointers to spans, ended. */
int np_otlp_encode_spans(const struct np_otlp_format *format, const struct np_otlp_source *source,
                         const struct np_span *const *span, size_t n,
                         struct np_otlp_buffer *out) NP_MUST_USE;

/* Points of one metric must be neighbours, as np_trace_collect gives them. */
int np_otlp_encode_metrics(const struct np_otlp_format *format, const struct np_otlp_source *source,
                           const struct np_metric_point *point, size_t n,
                           struct np_otlp_buffer *out) NP_MUST_USE;

/*
 * A request that grows by one span or log record at a time: begun, given its items, ended. An
 * append while memory or room is missing shows in out->failed. In JSON it can be given more after
 * the end, once `out` is cut back to where the end began, and be ended again.
 */
struct np_otlp_request {
    struct np_otlp_writer writer;
    const struct np_otlp_source *source; /* borrowed */
};

/* `signal`: traces or logs. */
void np_otlp_request_begin(struct np_otlp_request *request, const struct np_otlp_format *format,
                           const struct np_otlp_source *source, enum np_otlp_signal signal,
                           struct np_otlp_buffer *out);
void np_otlp_request_span(struct np_otlp_request *request, const struct np_span *span);
/* An attribute "event.name" (a string) becomes the record's eventName. */
void np_otlp_request_log(struct np_otlp_request *request, const struct np_log_record *record);
/*
 * A span that has begun and not ended, as a log record, since OTLP has no message for it: eventName
 * "neuro.span.start", severity DEBUG, the span's start, ids and flags, body "span started: NAME".
 * Its attributes are neuro.span.name, .parent_id, .trace_state, .links (those that apply), then the
 * span's own; a span attribute that begins with "neuro.span." is left out.
 */
void np_otlp_request_span_start(struct np_otlp_request *request, const struct np_span *span);
void np_otlp_request_end(const struct np_otlp_request *request);

#endif
