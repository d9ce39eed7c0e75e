/*
 * The OTLP messages that we send, as data: for each field its number in the public protocol
 * (opentelemetry-proto 1.x), its name in OTLP/JSON, and its type. The one home of these facts: the
 * traversal in encode.c names fields, and a format (json.c, protobuf.c) knows how a type is
 * written. Which messages hold which fields is data too, so that what was written can be read back
 * (translate.c).
 *
 * X(ident, number, json name, type, presence). Implicit fields are left out at their default (0,
 * false, ""), as proto3 does; explicit ones (members of a oneof, `optional`) always stand.
 */
#ifndef NP_OTLP_FIELDS_H
#define NP_OTLP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otlp/signal.h"

enum np_otlp_type {
    NP_OTLP_MESSAGE,
    NP_OTLP_STRING,
    NP_OTLP_ID,    /* bytes; hex in OTLP/JSON (and not base64) */
    NP_OTLP_BYTES, /* base64 in OTLP/JSON */
    NP_OTLP_BOOL,
    NP_OTLP_ENUM,
    NP_OTLP_INT64,
    NP_OTLP_UINT32,
    NP_OTLP_SINT32, /* zigzag */
    NP_OTLP_FIXED32,
    NP_OTLP_FIXED64,
    NP_OTLP_SFIXED64,
    NP_OTLP_DOUBLE,
    NP_OTLP_UINT64_LIST,  /* packed */
    NP_OTLP_FIXED64_LIST, /* packed */
    NP_OTLP_DOUBLE_LIST,  /* packed */
};

enum np_otlp_presence {
    NP_OTLP_IMPLICIT,
    NP_OTLP_EXPLICIT,
    NP_OTLP_REPEATED, /* of messages; lists of scalars have types of their own */
};

struct np_otlp_field {
    uint32_t number;
    uint32_t name_length;
    const char *json_name;
    const char *json_key; /* ,"name": */
    enum np_otlp_type type;
    enum np_otlp_presence presence;
};

#define NP_OTLP_FIELDS(X)                                                          \
    /* ExportTraceServiceRequest, ExportLogs…, ExportMetrics… */               \
    X(REQUEST_SPANS, 1, "resourceSpans", MESSAGE, REPEATED)                        \
    X(REQUEST_LOGS, 1, "resourceLogs", MESSAGE, REPEATED)                          \
    X(REQUEST_METRICS, 1, "resourceMetrics", MESSAGE, REPEATED)                    \
    /* ResourceSpans, ResourceLogs, ResourceMetrics; Resource */                   \
    X(RESOURCE, 1, "resource", MESSAGE, IMPLICIT)                                  \
    X(SCOPE_SPANS, 2, "scopeSpans", MESSAGE, REPEATED)                             \
    X(SCOPE_LOGS, 2, "scopeLogs", MESSAGE, REPEATED)                               \
    X(SCOPE_METRICS, 2, "scopeMetrics", MESSAGE, REPEATED)                         \
    X(SCHEMA_URL, 3, "schemaUrl", STRING, IMPLICIT)                                \
    X(RESOURCE_ATTRIBUTES, 1, "attributes", MESSAGE, REPEATED)                     \
    X(RESOURCE_DROPPED, 2, "droppedAttributesCount", UINT32, IMPLICIT)             \
    /* ScopeSpans, ScopeLogs, ScopeMetrics; InstrumentationScope */                \
    X(SCOPE, 1, "scope", MESSAGE, IMPLICIT)                                        \
    X(SPANS, 2, "spans", MESSAGE, REPEATED)                                        \
    X(LOG_RECORDS, 2, "logRecords", MESSAGE, REPEATED)                             \
    X(METRICS, 2, "metrics", MESSAGE, REPEATED)                                    \
    X(SCOPE_NAME, 1, "name", STRING, IMPLICIT)                                     \
    X(SCOPE_VERSION, 2, "version", STRING, IMPLICIT)                               \
    X(SCOPE_ATTRIBUTES, 3, "attributes", MESSAGE, REPEATED)                        \
    X(SCOPE_DROPPED, 4, "droppedAttributesCount", UINT32, IMPLICIT)                \
    /* KeyValue, AnyValue */                                                       \
    X(KEY, 1, "key", STRING, IMPLICIT)                                             \
    X(VALUE, 2, "value", MESSAGE, IMPLICIT)                                        \
    X(ANY_STRING, 1, "stringValue", STRING, EXPLICIT)                              \
    X(ANY_BOOL, 2, "boolValue", BOOL, EXPLICIT)                                    \
    X(ANY_INT, 3, "intValue", INT64, EXPLICIT)                                     \
    X(ANY_DOUBLE, 4, "doubleValue", DOUBLE, EXPLICIT)                              \
    X(ANY_ARRAY, 5, "arrayValue", MESSAGE, EXPLICIT)                               \
    X(ANY_MAP, 6, "kvlistValue", MESSAGE, EXPLICIT)                                \
    X(ANY_BYTES, 7, "bytesValue", BYTES, EXPLICIT)                                 \
    /* ArrayValue, KeyValueList */                                                 \
    X(VALUES, 1, "values", MESSAGE, REPEATED)                                      \
    /* Span, Event, Link, Status */                                                \
    X(SPAN_TRACE_ID, 1, "traceId", ID, IMPLICIT)                                   \
    X(SPAN_ID, 2, "spanId", ID, IMPLICIT)                                          \
    X(SPAN_TRACE_STATE, 3, "traceState", STRING, IMPLICIT)                         \
    X(SPAN_PARENT_ID, 4, "parentSpanId", ID, IMPLICIT)                             \
    X(SPAN_NAME, 5, "name", STRING, IMPLICIT)                                      \
    X(SPAN_KIND, 6, "kind", ENUM, IMPLICIT)                                        \
    X(SPAN_START, 7, "startTimeUnixNano", FIXED64, IMPLICIT)                       \
    X(SPAN_END, 8, "endTimeUnixNano", FIXED64, IMPLICIT)                           \
    X(SPAN_ATTRIBUTES, 9, "attributes", MESSAGE, REPEATED)                         \
    X(SPAN_DROPPED_ATTRIBUTES, 10, "droppedAttributesCount", UINT32, IMPLICIT)     \
    X(SPAN_EVENTS, 11, "events", MESSAGE, REPEATED)                                \
    X(SPAN_DROPPED_EVENTS, 12, "droppedEventsCount", UINT32, IMPLICIT)             \
    X(SPAN_LINKS, 13, "links", MESSAGE, REPEATED)                                  \
    X(SPAN_DROPPED_LINKS, 14, "droppedLinksCount", UINT32, IMPLICIT)               \
    X(SPAN_STATUS, 15, "status", MESSAGE, IMPLICIT)                                \
    X(SPAN_FLAGS, 16, "flags", FIXED32, IMPLICIT)                                  \
    X(EVENT_TIME, 1, "timeUnixNano", FIXED64, IMPLICIT)                            \
    X(EVENT_NAME, 2, "name", STRING, IMPLICIT)                                     \
    X(EVENT_ATTRIBUTES, 3, "attributes", MESSAGE, REPEATED)                        \
    X(EVENT_DROPPED, 4, "droppedAttributesCount", UINT32, IMPLICIT)                \
    X(LINK_TRACE_ID, 1, "traceId", ID, IMPLICIT)                                   \
    X(LINK_SPAN_ID, 2, "spanId", ID, IMPLICIT)                                     \
    X(LINK_TRACE_STATE, 3, "traceState", STRING, IMPLICIT)                         \
    X(LINK_ATTRIBUTES, 4, "attributes", MESSAGE, REPEATED)                         \
    X(LINK_DROPPED, 5, "droppedAttributesCount", UINT32, IMPLICIT)                 \
    X(LINK_FLAGS, 6, "flags", FIXED32, IMPLICIT)                                   \
    X(STATUS_MESSAGE, 2, "message", STRING, IMPLICIT)                              \
    X(STATUS_CODE, 3, "code", ENUM, IMPLICIT)                                      \
    /* LogRecord */                                                                \
    X(LOG_TIME, 1, "timeUnixNano", FIXED64, IMPLICIT)                              \
    X(LOG_SEVERITY, 2, "severityNumber", ENUM, IMPLICIT)                           \
    X(LOG_SEVERITY_TEXT, 3, "severityText", STRING, IMPLICIT)                      \
    X(LOG_BODY, 5, "body", MESSAGE, IMPLICIT)                                      \
    X(LOG_ATTRIBUTES, 6, "attributes", MESSAGE, REPEATED)                          \
    X(LOG_DROPPED, 7, "droppedAttributesCount", UINT32, IMPLICIT)                  \
    X(LOG_FLAGS, 8, "flags", FIXED32, IMPLICIT)                                    \
    X(LOG_TRACE_ID, 9, "traceId", ID, IMPLICIT)                                    \
    X(LOG_SPAN_ID, 10, "spanId", ID, IMPLICIT)                                     \
    X(LOG_OBSERVED_TIME, 11, "observedTimeUnixNano", FIXED64, IMPLICIT)            \
    X(LOG_EVENT_NAME, 12, "eventName", STRING, IMPLICIT)                           \
    /* Metric; Gauge, Sum, Histogram */                                            \
    X(METRIC_NAME, 1, "name", STRING, IMPLICIT)                                    \
    X(METRIC_DESCRIPTION, 2, "description", STRING, IMPLICIT)                      \
    X(METRIC_UNIT, 3, "unit", STRING, IMPLICIT)                                    \
    X(METRIC_GAUGE, 5, "gauge", MESSAGE, EXPLICIT)                                 \
    X(METRIC_SUM, 7, "sum", MESSAGE, EXPLICIT)                                     \
    X(METRIC_HISTOGRAM, 9, "histogram", MESSAGE, EXPLICIT)                         \
    X(METRIC_EXPONENTIAL, 10, "exponentialHistogram", MESSAGE, EXPLICIT)           \
    X(METRIC_SUMMARY, 11, "summary", MESSAGE, EXPLICIT)                            \
    X(METRIC_METADATA, 12, "metadata", MESSAGE, REPEATED)                          \
    X(DATA_POINTS, 1, "dataPoints", MESSAGE, REPEATED)                             \
    X(TEMPORALITY, 2, "aggregationTemporality", ENUM, IMPLICIT)                    \
    X(IS_MONOTONIC, 3, "isMonotonic", BOOL, IMPLICIT)                              \
    /* NumberDataPoint, HistogramDataPoint */                                      \
    X(POINT_START, 2, "startTimeUnixNano", FIXED64, IMPLICIT)                      \
    X(POINT_TIME, 3, "timeUnixNano", FIXED64, IMPLICIT)                            \
    X(NUMBER_DOUBLE, 4, "asDouble", DOUBLE, EXPLICIT)                              \
    X(NUMBER_EXEMPLARS, 5, "exemplars", MESSAGE, REPEATED)                         \
    X(NUMBER_INT, 6, "asInt", SFIXED64, EXPLICIT)                                  \
    X(NUMBER_ATTRIBUTES, 7, "attributes", MESSAGE, REPEATED)                       \
    X(NUMBER_FLAGS, 8, "flags", UINT32, IMPLICIT)                                  \
    X(HISTOGRAM_COUNT, 4, "count", FIXED64, IMPLICIT)                              \
    X(HISTOGRAM_SUM, 5, "sum", DOUBLE, EXPLICIT)                                   \
    X(HISTOGRAM_BUCKETS, 6, "bucketCounts", FIXED64_LIST, IMPLICIT)                \
    X(HISTOGRAM_BOUNDS, 7, "explicitBounds", DOUBLE_LIST, IMPLICIT)                \
    X(HISTOGRAM_EXEMPLARS, 8, "exemplars", MESSAGE, REPEATED)                      \
    X(HISTOGRAM_ATTRIBUTES, 9, "attributes", MESSAGE, REPEATED)                    \
    X(HISTOGRAM_FLAGS, 10, "flags", UINT32, IMPLICIT)                              \
    X(HISTOGRAM_MIN, 11, "min", DOUBLE, EXPLICIT)                                  \
    X(HISTOGRAM_MAX, 12, "max", DOUBLE, EXPLICIT)                                  \
    /* ExponentialHistogramDataPoint, Buckets; start, time, count, sum as above */ \
    X(EXPONENTIAL_ATTRIBUTES, 1, "attributes", MESSAGE, REPEATED)                  \
    X(EXPONENTIAL_SCALE, 6, "scale", SINT32, IMPLICIT)                             \
    X(EXPONENTIAL_ZERO_COUNT, 7, "zeroCount", FIXED64, IMPLICIT)                   \
    X(EXPONENTIAL_POSITIVE, 8, "positive", MESSAGE, IMPLICIT)                      \
    X(EXPONENTIAL_NEGATIVE, 9, "negative", MESSAGE, IMPLICIT)                      \
    X(EXPONENTIAL_FLAGS, 10, "flags", UINT32, IMPLICIT)                            \
    X(EXPONENTIAL_EXEMPLARS, 11, "exemplars", MESSAGE, REPEATED)                   \
    X(EXPONENTIAL_MIN, 12, "min", DOUBLE, EXPLICIT)                                \
    X(EXPONENTIAL_MAX, 13, "max", DOUBLE, EXPLICIT)                                \
    X(EXPONENTIAL_ZERO_THRESHOLD, 14, "zeroThreshold", DOUBLE, IMPLICIT)           \
    X(BUCKETS_OFFSET, 1, "offset", SINT32, IMPLICIT)                               \
    X(BUCKETS_COUNTS, 2, "bucketCounts", UINT64_LIST, IMPLICIT)                    \
    /* SummaryDataPoint, ValueAtQuantile */                                        \
    X(SUMMARY_SUM, 5, "sum", DOUBLE, IMPLICIT)                                     \
    X(SUMMARY_QUANTILES, 6, "quantileValues", MESSAGE, REPEATED)                   \
    X(QUANTILE, 1, "quantile", DOUBLE, IMPLICIT)                                   \
    X(QUANTILE_VALUE, 2, "value", DOUBLE, IMPLICIT)                                \
    /* Exemplar */                                                                 \
    X(EXEMPLAR_TIME, 2, "timeUnixNano", FIXED64, IMPLICIT)                         \
    X(EXEMPLAR_DOUBLE, 3, "asDouble", DOUBLE, EXPLICIT)                            \
    X(EXEMPLAR_SPAN_ID, 4, "spanId", ID, IMPLICIT)                                 \
    X(EXEMPLAR_TRACE_ID, 5, "traceId", ID, IMPLICIT)                               \
    X(EXEMPLAR_INT, 6, "asInt", SFIXED64, EXPLICIT)                                \
    X(EXEMPLAR_ATTRIBUTES, 7, "filteredAttributes", MESSAGE, REPEATED)

enum np_otlp_field_index {
#define X(ident, number, json_name, type, presence) NP_FIELD_##ident,
    NP_OTLP_FIELDS(X)
#undef X
        NP_N_OTLP_FIELDS
};

extern const struct np_otlp_field np_otlp_fields[NP_N_OTLP_FIELDS];

/* The messages below the request's envelope. */
enum np_otlp_message_index {
    NP_MESSAGE_NONE,
    NP_MESSAGE_RESOURCE,
    NP_MESSAGE_SCOPE,
    NP_MESSAGE_KEY_VALUE,
    NP_MESSAGE_ANY_VALUE,
    NP_MESSAGE_ARRAY_VALUE,
    NP_MESSAGE_KEY_VALUE_LIST,
    NP_MESSAGE_SPAN,
    NP_MESSAGE_EVENT,
    NP_MESSAGE_LINK,
    NP_MESSAGE_STATUS,
    NP_MESSAGE_LOG_RECORD,
    NP_MESSAGE_METRIC,
    NP_MESSAGE_GAUGE,
    NP_MESSAGE_SUM,
    NP_MESSAGE_HISTOGRAM,
    NP_MESSAGE_EXPONENTIAL,
    NP_MESSAGE_SUMMARY,
    NP_MESSAGE_NUMBER_POINT,
    NP_MESSAGE_HISTOGRAM_POINT,
    NP_MESSAGE_EXPONENTIAL_POINT,
    NP_MESSAGE_BUCKETS,
    NP_MESSAGE_SUMMARY_POINT,
    NP_MESSAGE_QUANTILE,
    NP_MESSAGE_EXEMPLAR,
    NP_N_OTLP_MESSAGES
};

/* A field as a member of one message: a field of the same number, name and type may stand in
 * several, and hold another message in each. */
struct np_otlp_member {
    const struct np_otlp_field *field;
    enum np_otlp_message_index holds; /* NP_MESSAGE_NONE for scalars */
};

struct np_otlp_message {
    const struct np_otlp_member *member; /* in the order in which they are written */
    size_t n;
    bool is_choice; /* of its explicit fields only one can stand: they are members of a oneof */
};

extern const struct np_otlp_message np_otlp_messages[NP_N_OTLP_MESSAGES];

#endif
