/* For the tests of what goes over the wire: a request of each signal in any format, and the foreign
 * implementation that reads them. */
#ifndef NP_TESTS_OTLP_REQUESTS_H
#define NP_TESTS_OTLP_REQUESTS_H

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "otlp/batch.h"
#include "otlp/encode.h"
#include "otlp/protobuf.h"
#include "sample.h"
#include "tap.h"
#include "trace/names.h"

static const struct np_instrumentation SAMPLE_SCOPE = {"scope", "9.8",
                                                       "https://example.org/schema"};

static inline struct np_attrs sample_source(void)
{
    struct np_attrs resource = {0};

    np_attrs_string(&resource, "service.name", "neuro-preprocess");
    np_attrs_int(&resource, "process.pid", 42);
    return resource;
}

static inline int request_of_spans(const struct np_otlp_format *format,
                                   const struct np_span *const *span, size_t n,
                                   struct np_otlp_buffer *out)
{
    NP_AUTO(np_attrs_done) struct np_attrs resource = sample_source();
    const struct np_otlp_source source = {.resource = &resource, .scope = &SAMPLE_SCOPE};

    return np_otlp_encode_spans(format, &source, span, n, out);
}

static inline int request_of_logs(const struct np_otlp_format *format, struct np_otlp_buffer *out)
{
    NP_AUTO(np_attrs_done) struct np_attrs resource = sample_source();
    const struct np_otlp_source source = {.resource = &resource, .scope = &SAMPLE_SCOPE};
    NP_AUTO(np_log_record_done)
    struct np_log_record first = {.time_ns = 1, .severity = NP_INFO, .body = np_xstrdup("first")};
    NP_AUTO(np_log_record_done)
    struct np_log_record second = {.time_ns = INT64_C(1800000000123456789),
                                   .severity = NP_ERROR_LEVEL,
                                   .body = np_xstrdup("\x01 \xc3\xa9 \"q\""),
                                   .trace_id = {{1, 2, 3}},
                                   .span_id = {{4, 5}}};
    const struct np_log_record *both[] = {&first, &second};

    np_attrs_string(&second.attrs, NP_KEY_EVENT_NAME, "some.event");
    np_attrs_string(&second.attrs, NP_KEY_BIDS_PARTICIPANT, "01");
    return encode_logs(format, &source, both, 2, out);
}

/* A counter of integers, a gauge, a histogram with an exemplar, an exponential histogram. */
static inline int request_of_metrics(const struct np_otlp_format *format,
                                     struct np_otlp_buffer *out)
{
    static const double bound[] = {0.1, 1, 10};
    static const struct np_metric_def counter = {.name = "a.count",
                                                 .unit = "{file}",
                                                 .description = "counted",
                                                 .kind = NP_METRIC_COUNTER,
                                                 .is_integer = true};
    static const struct np_metric_def gauge = {
        .name = "b.gauge", .unit = "s", .description = "", .kind = NP_METRIC_GAUGE};
    static const struct np_metric_def histogram = {.name = "c.histogram",
                                                   .unit = "s",
                                                   .description = "spread",
                                                   .kind = NP_METRIC_HISTOGRAM,
                                                   .bound = bound,
                                                   .n_bounds = NP_COUNT(bound)};
    static const struct np_metric_def grown = {
        .name = "d.grown", .unit = "s", .description = "", .kind = NP_METRIC_HISTOGRAM};
    const struct np_exemplar exemplar = {
        .value = 0.5, .time_ns = 7, .trace_id = {{9}}, .span_id = {{8}}};
    const struct np_exemplar whole = {.value = 3, .time_ns = 7};
    uint64_t bucket[] = {1, 0, 300, UINT64_MAX};
    struct np_exponential exponential = {
        .scale = -3, .zero_count = 2, .offset = -70000, .n = 3, .bucket = {1, 128, 1}};
    struct np_metric_point point[] = {
        {.def = &counter,
         .start_ns = 1,
         .time_ns = 9,
         .value = 12345678901.0,
         .exemplar = &whole,
         .n_exemplars = 1},
        {.def = &counter, .start_ns = 1, .time_ns = 9, .value = 0},
        {.def = &gauge, .time_ns = 9, .value = -0.25},
        {.def = &histogram,
         .start_ns = 1,
         .time_ns = 9,
         .count = 301,
         .sum = 12.5,
         .minimum = 0.01,
         .maximum = 99,
         .bucket = bucket,
         .exemplar = &exemplar,
         .n_exemplars = 1},
        {.def = &grown,
         .temporality = NP_DELTA,
         .start_ns = 1,
         .time_ns = 9,
         .count = 132,
         .sum = 12.5,
         .minimum = 0,
         .maximum = 99,
         .exponential = &exponential},
    };
    NP_AUTO(np_attrs_done) struct np_attrs resource = sample_source();
    const struct np_otlp_source source = {.resource = &resource, .scope = &SAMPLE_SCOPE};

    np_attrs_string(&point[0].attrs, "neuro.status", "success");
    np_attrs_string(&point[1].attrs, "neuro.status", "failed");
    int code = np_otlp_encode_metrics(format, &source, point, NP_COUNT(point), out);
    np_attrs_done(&point[0].attrs);
    np_attrs_done(&point[1].attrs);
    return code;
}

/* One request of `signal`; everything in it is the same in each format, ids of the spans too. */
static inline int sample_request(enum np_otlp_signal signal, const struct np_otlp_format *format,
                                 struct np_otlp_buffer *out)
{
    static struct np_span *span;
    struct np_error err = {0};

    if (!span) {
        span = sample_span();
        np_error_set(&err, NP_EMETHOD, "no brain");
        np_span_fail(span, &err);
    }
    if (signal == NP_OTLP_LOGS)
        return request_of_logs(format, out);
    if (signal == NP_OTLP_METRICS)
        return request_of_metrics(format, out);
    const struct np_span *const spans[] = {span, span};
    return request_of_spans(format, spans, 2, out);
}

/* Every field of the protocol, most at values that are no defaults: more than this program writes.
 * The caller frees. */
static inline char *every_field(enum np_otlp_signal signal)
{
    FILE *file = fopen("tests/unit/otlp/every_field.jsonl", "r");
    char *line = NULL;
    size_t capacity = 0;

    ok(file != NULL);
    for (int i = 0; file && i <= (int)signal; i++)
        ok(getline(&line, &capacity, file) > 1);
    if (file)
        fclose(file);
    return line;
}

/* One line through a batch. */
static inline enum np_otlp_line through_batch(enum np_otlp_signal signal,
                                              enum np_otlp_protocol protocol, const char *line,
                                              size_t n, struct np_otlp_buffer *out)
{
    const struct np_otlp_batch_options options = {.signal = signal, .protocol = protocol};
    NP_AUTO(np_otlp_batch_freep) struct np_otlp_batch *batch = np_otlp_batch_new(&options);
    enum np_otlp_line result = NP_OTLP_LINE_BROKEN;

    ok_int(np_otlp_batch_add_line(batch, line, n, &result), 0);
    if (result == NP_OTLP_LINE_ADDED)
        ok_int(np_otlp_batch_encode(batch, 0, np_otlp_batch_count(batch), out), 0);
    return result;
}

static inline bool same_bytes(const struct np_otlp_buffer *a, const struct np_otlp_buffer *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

static inline void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    ok(file && fwrite(bytes, 1, n, file) == n);
    if (file)
        fclose(file);
}

/*
 * The Python interpreter with these modules; NULL when there is none, and the test is then skipped
 * (or failed, where nothing may be skipped).
 */
static inline const char *python_with(const char *modules)
{
    const char *python = getenv("NP_TEST_PYTHON") ? getenv("NP_TEST_PYTHON") : "python3";
    const char *ci = getenv("CI");
    NP_AUTO(np_freep) char *probe = np_xasprintf("%s -c 'import %s' 2>/dev/null", python, modules);

    if (system(probe) == 0)
        return python;
    if (ci && strcmp(ci, "true") == 0)
        tap_check(false, __FILE__, __LINE__, "'%s' cannot import %s", python, modules);
    else
        tap_skip("the Python packages opentelemetry-proto and grpcio are not installed");
    return NULL;
}

#define PEER "tests/unit/otlp/peer.py"

#endif
