/* OTLP/JSON: what is encoded reads back the same, by jansson and by the official decoder. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/random.h"
#include "base/str.h"
#include "otlp/encode.h"
#include "otlp/protobuf.h"
#include "sample.h"
#include "tap.h"
#include "trace/names.h"

static const struct np_instrumentation SCOPE = {"scope", "9.8", "https://example.org/schema"};

static json_t *parsed(struct np_otlp_buffer *line)
{
    json_error_t why;
    json_t *root = json_loadb(line->bytes, line->length, JSON_REJECT_DUPLICATES, &why);

    tap_check(root != NULL, __FILE__, __LINE__, "%s: %.*s", why.text, (int)line->length,
              line->bytes);
    np_otlp_buffer_done(line);
    return root;
}

static struct np_attrs sample_resource(void)
{
    struct np_attrs resource = {0};

    np_attrs_string(&resource, "service.name", "neuro-preprocess");
    np_attrs_int(&resource, "process.pid", 42);
    return resource;
}

static json_t *encoded_span(const struct np_span *span)
{
    NP_AUTO(np_attrs_done) struct np_attrs resource = sample_resource();
    const struct np_otlp_source source = {.resource = &resource, .scope = &SCOPE};
    struct np_otlp_buffer line = {0};

    ok_int(np_otlp_encode_spans(&np_otlp_json, &source, &span, 1, &line), 0);
    return parsed(&line);
}

static json_t *encoded_log(const struct np_log_record *record)
{
    const struct np_otlp_source source = {.resource = NULL, .scope = NULL};
    struct np_otlp_buffer line = {0};

    ok_int(encode_logs(&np_otlp_json, &source, &record, 1, &line), 0);
    return parsed(&line);
}

TEST(a_span_reads_back_field_by_field)
{
    NP_AUTO(np_span_freep) struct np_span *span = sample_span();
    struct np_error err = {0};
    char trace[NP_TRACE_ID_HEX], id[NP_SPAN_ID_HEX], parent[NP_SPAN_ID_HEX];

    np_error_set(&err, NP_EMETHOD, "no brain");
    np_span_fail(span, &err);
    np_trace_id_hex(&span->trace_id, trace);
    np_span_id_hex(&span->span_id, id);
    np_span_id_hex(&span->parent_id, parent);
    json_t *root = encoded_span(span);
    json_t *resource = at(root, "resourceSpans.0");
    ok_str(text_at(value_of(at(resource, "resource.attributes"), "service.name"), "stringValue"),
           "neuro-preprocess");
    ok_str(text_at(value_of(at(resource, "resource.attributes"), "process.pid"), "intValue"), "42");
    ok_str(text_at(resource, "schemaUrl"), SCOPE.schema_url);
    ok_str(text_at(resource, "scopeSpans.0.schemaUrl"), SCOPE.schema_url);
    ok_str(text_at(resource, "scopeSpans.0.scope.name"), "scope");
    ok_str(text_at(resource, "scopeSpans.0.scope.version"), "9.8");
    json_t *found = at(resource, "scopeSpans.0.spans.0");
    ok_str(text_at(found, "traceId"), trace);
    ok_str(text_at(found, "spanId"), id);
    ok_str(text_at(found, "parentSpanId"), parent);
    ok_str(text_at(found, "traceState"), "vendor=1");
    ok_str(text_at(found, "name"), "skull_strip");
    ok_int(json_integer_value(at(found, "kind")), 1);
    ok_str(text_at(found, "startTimeUnixNano"), "1800000000123456789");
    ok_str(text_at(found, "endTimeUnixNano"), "1800000001987654321");
    ok_int(json_integer_value(at(found, "flags")), 0x101);
    ok_int(json_integer_value(at(found, "status.code")), 2);
    ok_str(text_at(found, "status.message"), "no brain");
    ok_int((int64_t)json_array_size(at(found, "events")), 3);
    ok_str(text_at(found, "events.0.name"), "validation_passed");
    ok_str(text_at(value_of(at(found, "events.0.attributes"), "voxels"), "intValue"), "5");
    ok(!at(found, "events.1.attributes"));
    ok_str(text_at(found, "events.2.name"), "exception");
    ok_int((int64_t)json_array_size(at(found, "links")), 2);
    ok_str(text_at(found, "links.1.traceId"), trace);
    ok_str(text_at(found, "links.1.spanId"), parent);
    ok_int(json_integer_value(at(found, "links.1.flags")), 257); /* sampled; not remote */
    json_decref(root);
}

TEST(every_type_of_attribute_reads_back_though_it_is_zero)
{
    NP_AUTO(np_span_freep) struct np_span *span = sample_span();
    json_t *root = encoded_span(span);
    json_t *attrs = at(root, "resourceSpans.0.scopeSpans.0.spans.0.attributes");

    ok_int((int64_t)json_array_size(attrs), (int64_t)span->attrs.n);
    ok_str(text_at(value_of(attrs, "text"), "stringValue"), SAMPLE_TEXT);
    ok_str(text_at(value_of(attrs, "empty"), "stringValue"), "");
    ok_str(text_at(value_of(attrs, "least"), "intValue"), "-9223372036854775808");
    ok_str(text_at(value_of(attrs, "zero"), "intValue"), "0");
    ok(json_real_value(at(value_of(attrs, "tenth"), "doubleValue")) == 0.1);
    ok(json_is_false(at(value_of(attrs, "no"), "boolValue")));
    ok(json_is_true(at(value_of(attrs, "yes"), "boolValue")));
    json_decref(root);
}

TEST(what_is_unset_is_left_out)
{
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("root", NULL);
    static const char *const absent[] = {"parentSpanId", "traceState", "attributes",     "events",
                                         "links",        "status",     "endTimeUnixNano"};
    json_t *root = encoded_span(span);
    json_t *found = at(root, "resourceSpans.0.scopeSpans.0.spans.0");

    ok(json_is_object(found));
    for (size_t i = 0; i < NP_COUNT(absent); i++)
        tap_check(!at(found, absent[i]), __FILE__, __LINE__, "%s", absent[i]);
    json_decref(root);
}

TEST(any_bytes_become_valid_json_with_replacement_characters)
{
    static const struct {
        const char *body, *expected;
    } table[] = {
        {"tab\t feed\n return\r \b\f\x01\x1f\x7f", "tab\t feed\n return\r \b\f\x01\x1f\x7f"},
        {"\xff", "\xef\xbf\xbd"},
        {"a\xc3", "a\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"", ""},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_log_record_done)
        struct np_log_record record = {.time_ns = 1, .body = np_xstrdup(table[i].body)};
        json_t *root = encoded_log(&record);
        ok_str(text_at(root, "resourceLogs.0.scopeLogs.0.logRecords.0.body.stringValue"),
               table[i].expected);
        json_decref(root);
    }
}

/* A number as it is written, by way of an attribute. */
static char *number_text(double value)
{
    NP_AUTO(np_log_record_done) struct np_log_record record = {.body = np_xstrdup("")};
    const struct np_log_record *one = &record;
    const struct np_otlp_source source = {.resource = NULL, .scope = NULL};
    struct np_otlp_buffer line = {0};
    static const char before[] = "\"doubleValue\":";

    np_attrs_double(&record.attrs, "x", value);
    ok_int(encode_logs(&np_otlp_json, &source, &one, 1, &line), 0);
    np_otlp_buffer_add(&line, "", 1);
    const char *start = strstr(line.bytes, before) + sizeof(before) - 1;
    char *text = np_xstrndup(start, strcspn(start, "}"));
    np_otlp_buffer_done(&line);
    return text;
}

TEST(doubles_are_written_short_and_read_back_bit_by_bit)
{
    static const struct {
        double value;
        const char *text;
    } table[] = {
        {0.1, "0.1"},
        {-0.0, "-0.0"},
        {0, "0"},
        {3600, "3600"},
        {1e300, "1e+300"},
        {NAN, "\"NaN\""},
        {INFINITY, "\"Infinity\""},
        {-INFINITY, "\"-Infinity\""},
        {0.1 + 0.2, "0.30000000000000004"},
        {5e-324, "4.94065645841247e-324"},
        {-1.5, "-1.5"},
        {0.001, "0.001"},
        {0.0001234, "0.0001234"},
        {0.00001234, "1.234e-05"},
        {123456789012345.0, "123456789012345"},
        {1234567890123456.0, "1234567890123456"},
        {999999999999999.9, "999999999999999.9"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {1e22, "1e+22"},
        {0.52, "0.52"},
    };
    struct np_random random;

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep) char *text = number_text(table[i].value);
        ok_str(text, table[i].text);
    }
    np_random_seed(&random, 1, 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = np_random_bits(&random);
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (i % 2) /* the sizes that measures have: 2^-16 to 2^52 */
            value = ldexp(np_random_uniform(&random) - 0.5, (int)(bits % 68) - 15);
        if (i % 8 == 1) /* few digits */
            value = rint(value) / 1000;
        if (!isfinite(value))
            continue;
        NP_AUTO(np_freep) char *text = number_text(value);
        double back = strtod(text, NULL);
        tap_check(memcmp(&back, &value, sizeof(back)) == 0, __FILE__, __LINE__, "%.17g as %s",
                  value, text);
    }
}

/* Any double, by the C library: the first of 15 to 17 digits that read back. */
static void shortest_of_three(double value, char text[32])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

static void ok_shortest(double value)
{
    NP_AUTO(np_freep) char *text = number_text(value);
    char expected[32];

    shortest_of_three(value, expected);
    if (strcmp(text, expected) != 0)
        tap_check(false, __FILE__, __LINE__, "%a: found %s, expected %s", value, text, expected);
}

/* A number and its neighbours, which need all digits, with both signs. */
static void ok_shortest_about(double value)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        ok_shortest(sign * value);
        ok_shortest(sign * nextafter(value, 0));
        ok_shortest(sign * nextafter(value, INFINITY));
    }
}

/* Where the cheap way ends: powers of ten and of two, numbers of 14 to 17 digits with the point
 * anywhere, the limits of the notation without exponent. */
TEST(hard_doubles_are_written_with_the_fewest_digits_too)
{
    struct np_random random;
    char text[64];

    for (int e = -20; e <= 22; e++) {
        snprintf(text, sizeof(text), "1e%d", e);
        ok_shortest_about(strtod(text, NULL));
        snprintf(text, sizeof(text), "999999999999999e%d", e - 14);
        ok_shortest_about(strtod(text, NULL));
        snprintf(text, sizeof(text), "5e%d", e);
        ok_shortest_about(strtod(text, NULL));
    }
    for (int e = -70; e <= 70; e++)
        ok_shortest_about(ldexp(1, e));
    np_random_seed(&random, 2, 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = np_random_bits(&random), power = 10;
        for (int digits = 1 + (int)(bits % 17); digits > 0; digits--)
            power *= 10;
        snprintf(text, sizeof(text), "%llue%d",
                 (unsigned long long)(np_random_bits(&random) % power), 4 - (int)(bits >> 8 & 31));
        double value = strtod(text, NULL);
        if (value > 0)
            ok_shortest_about(value);
    }
    ok(true);
}

TEST(a_log_record_reads_back_and_its_event_name_is_a_field)
{
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("one", NULL);
    NP_AUTO(np_log_record_done)
    struct np_log_record record = {.time_ns = 5,
                                   .severity = NP_WARN,
                                   .body = np_xstrdup("One sentence."),
                                   .trace_id = span->trace_id,
                                   .span_id = span->span_id,
                                   .flags = NP_FLAG_SAMPLED};
    char trace[NP_TRACE_ID_HEX];

    np_trace_id_hex(&span->trace_id, trace);
    np_attrs_string(&record.attrs, NP_KEY_EVENT_NAME, NP_EVENT_SESSION_SUMMARY);
    np_attrs_string(&record.attrs, NP_KEY_BIDS_PARTICIPANT, "01");
    json_t *root = encoded_log(&record);
    json_t *found = at(root, "resourceLogs.0.scopeLogs.0.logRecords.0");
    ok_str(text_at(found, "timeUnixNano"), "5");
    ok_str(text_at(found, "observedTimeUnixNano"), "5");
    ok_int(json_integer_value(at(found, "severityNumber")), 13);
    ok_str(text_at(found, "severityText"), "WARN");
    ok_str(text_at(found, "body.stringValue"), "One sentence.");
    ok_str(text_at(found, "traceId"), trace);
    ok_str(text_at(found, "eventName"), "neuro.session.summary");
    ok_int(json_integer_value(at(found, "flags")), 1);
    ok_int((int64_t)json_array_size(at(found, "attributes")), 1);
    ok_str(text_at(value_of(at(found, "attributes"), "bids.participant"), "stringValue"), "01");
    json_decref(root);
}

/* A sink that encodes. */
static void encode_points(void *self, const struct np_metric_point *point, size_t n_points)
{
    const struct np_otlp_source source = {.resource = NULL, .scope = &SCOPE};

    ok_int(np_otlp_encode_metrics(&np_otlp_json, &source, point, n_points, self), 0);
}

/* Two series of a counter, a histogram and an integer gauge. */
static void measure(const struct np_span *span, struct np_otlp_buffer *line)
{
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_trace_add_sink(trace, (struct np_trace_sink){.self = line, .metrics = encode_points});
    np_attrs_string(&attrs, NP_KEY_NEURO_STATUS, "success");
    np_metric_add(trace, &np_metric_files_processed, 3, &attrs, span);
    np_attrs_string(&attrs, NP_KEY_NEURO_STATUS, "failed");
    np_metric_add(trace, &np_metric_files_processed, 1, &attrs, NULL);
    np_metric_add(trace, &np_metric_stage_duration, 0.25, NULL, span);
    np_metric_add(trace, &np_metric_stage_duration, 4000, NULL, NULL);
    np_metric_set(trace, &np_metric_sessions_planned, 0, NULL);
    np_metric_set(trace, &np_metric_session_duration, 1.5, NULL);
    np_trace_collect(trace);
}

TEST(metrics_read_back_by_kind)
{
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("one", NULL);
    struct np_otlp_buffer line = {0};
    char trace[NP_TRACE_ID_HEX];

    np_trace_id_hex(&span->trace_id, trace);
    measure(span, &line);
    json_t *root = parsed(&line);
    json_t *metrics = at(root, "resourceMetrics.0.scopeMetrics.0.metrics");
    ok_int((int64_t)json_array_size(metrics), 4);
    json_t *counter = at(metrics, "0");
    ok_str(text_at(counter, "name"), "neuro.files.processed");
    ok_str(text_at(counter, "unit"), "{file}");
    ok_int(json_integer_value(at(counter, "sum.aggregationTemporality")), 2);
    ok(json_is_true(at(counter, "sum.isMonotonic")));
    ok_int((int64_t)json_array_size(at(counter, "sum.dataPoints")), 2);
    ok_str(text_at(counter, "sum.dataPoints.1.asInt"), "3");
    ok(text_at(counter, "sum.dataPoints.1.startTimeUnixNano") != NULL);
    ok_str(text_at(value_of(at(counter, "sum.dataPoints.1.attributes"), "neuro.status"),
                   "stringValue"),
           "success");
    ok_str(text_at(counter, "sum.dataPoints.1.exemplars.0.traceId"), trace);
    ok_str(text_at(counter, "sum.dataPoints.1.exemplars.0.asInt"), "3");
    ok(json_real_value(at(metrics, "1.gauge.dataPoints.0.asDouble")) == 1.5);
    ok_str(text_at(metrics, "2.gauge.dataPoints.0.asInt"), "0");
    ok(!at(metrics, "2.gauge.aggregationTemporality"));
    json_t *point = at(metrics, "3.histogram.dataPoints.0");
    size_t n_bounds = np_metric_stage_duration.n_bounds;
    ok_int(json_integer_value(at(metrics, "3.histogram.aggregationTemporality")), 2);
    ok_str(text_at(point, "count"), "2");
    ok(json_number_value(at(point, "sum")) == 4000.25);
    ok(json_number_value(at(point, "min")) == 0.25 && json_number_value(at(point, "max")) == 4000);
    ok_int((int64_t)json_array_size(at(point, "explicitBounds")), (int64_t)n_bounds);
    ok_int((int64_t)json_array_size(at(point, "bucketCounts")), (int64_t)n_bounds + 1);
    ok_str(text_at(point, "bucketCounts.4"), "1"); /* (0.1, 0.25] */
    ok_str(json_string_value(json_array_get(at(point, "bucketCounts"), n_bounds)), "1");
    json_decref(root);
}

/* An exponential histogram with a zero, as differences; an up-down counter below zero. */
static void measure_otherwise(const struct np_span *span, struct np_otlp_buffer *line)
{
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);

    np_trace_add_sink(trace, (struct np_trace_sink){.self = line,
                                                    .metrics = encode_points,
                                                    .temporality = NP_PREFER_DELTA});
    np_trace_set_metrics(trace, NP_HISTOGRAM_EXPONENTIAL, NP_EXEMPLARS_ALL);
    np_metric_add(trace, &np_metric_stage_duration, 0, NULL, NULL);
    np_metric_add(trace, &np_metric_stage_duration, 0.5, NULL, span);
    np_metric_add(trace, &np_metric_stage_duration, 1, NULL, span);
    np_metric_add(trace, &np_metric_sessions_active, -2, NULL, NULL);
    np_trace_collect(trace);
}

TEST(exponential_histograms_and_differences_read_back)
{
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("one", NULL);
    struct np_otlp_buffer line = {0};

    measure_otherwise(span, &line);
    json_t *root = parsed(&line);
    json_t *metrics = at(root, "resourceMetrics.0.scopeMetrics.0.metrics");
    json_t *active = at(metrics, "0.sum"), *duration = at(metrics, "1.exponentialHistogram");
    ok_int(json_integer_value(at(active, "aggregationTemporality")), 2); /* never a difference */
    ok(!at(active, "isMonotonic"));
    ok_str(text_at(active, "dataPoints.0.asInt"), "-2");
    ok_int(json_integer_value(at(duration, "aggregationTemporality")), 1);
    json_t *point = at(duration, "dataPoints.0");
    ok_str(text_at(point, "count"), "3");
    ok(json_number_value(at(point, "sum")) == 1.5);
    ok(json_number_value(at(point, "min")) == 0 && json_number_value(at(point, "max")) == 1);
    ok_str(text_at(point, "zeroCount"), "1");
    /* 0.5 and 1 are a doubling apart: 128 buckets and one, scale 7; 1 ends bucket -1. */
    ok_int(json_integer_value(at(point, "scale")), 7);
    ok_int(json_integer_value(at(point, "positive.offset")), -129);
    ok_int((int64_t)json_array_size(at(point, "positive.bucketCounts")), 129);
    ok_str(text_at(point, "positive.bucketCounts.0"), "1");
    ok_str(text_at(point, "positive.bucketCounts.128"), "1");
    ok(!at(point, "negative"));
    ok_int((int64_t)json_array_size(at(point, "exemplars")), 3);
    ok(!at(point, "exemplars.0.traceId") && at(point, "exemplars.2.traceId"));
    json_decref(root);
}

TEST(what_limits_left_out_is_counted)
{
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("one", NULL);
    NP_AUTO(np_log_record_done) struct np_log_record record = {.body = np_xstrdup("")};

    np_span_event(span, "event", NULL);
    span->attrs.n_dropped = 1;
    span->event[0].attrs.n_dropped = 2;
    span->n_events_dropped = 3;
    span->n_links_dropped = 4;
    record.attrs.n_dropped = 5;
    json_t *root = encoded_span(span), *logs = encoded_log(&record);
    json_t *found = at(root, "resourceSpans.0.scopeSpans.0.spans.0");
    ok_int(json_integer_value(at(found, "droppedAttributesCount")), 1);
    ok_int(json_integer_value(at(found, "events.0.droppedAttributesCount")), 2);
    ok_int(json_integer_value(at(found, "droppedEventsCount")), 3);
    ok_int(json_integer_value(at(found, "droppedLinksCount")), 4);
    ok_int(json_integer_value(
               at(logs, "resourceLogs.0.scopeLogs.0.logRecords.0.droppedAttributesCount")),
           5);
    json_decref(root);
    json_decref(logs);
}

TEST(a_span_start_is_a_log_record_with_ids_and_attributes)
{
    NP_AUTO(np_span_freep) struct np_span *span = sample_span();
    const struct np_otlp_source source = {.resource = NULL, .scope = &SCOPE};
    struct np_otlp_buffer line = {0};
    char id[NP_SPAN_ID_HEX], parent[NP_SPAN_ID_HEX];

    np_span_id_hex(&span->span_id, id);
    np_span_id_hex(&span->parent_id, parent);
    ok_int(request_of_start(&source, span, &line), 0);
    json_t *root = parsed(&line);
    json_t *found = at(root, "resourceLogs.0.scopeLogs.0.logRecords.0");
    json_t *attrs = at(found, "attributes");
    ok_str(text_at(found, "eventName"), "neuro.span.start");
    ok_str(text_at(found, "spanId"), id);
    ok_str(text_at(found, "timeUnixNano"), "1800000000123456789");
    ok_str(text_at(found, "body.stringValue"), "span started: skull_strip");
    ok_str(text_at(value_of(attrs, "neuro.span.name"), "stringValue"), "skull_strip");
    ok_str(text_at(value_of(attrs, "neuro.span.parent_id"), "stringValue"), parent);
    ok_str(text_at(value_of(attrs, "neuro.span.trace_state"), "stringValue"), "vendor=1");
    ok_int((int64_t)strlen(text_at(value_of(attrs, "neuro.span.links"), "stringValue")), 99);
    ok_str(text_at(value_of(attrs, "text"), "stringValue"), SAMPLE_TEXT);
    json_decref(root);
}

TEST(a_request_that_does_not_fit_leaves_the_buffer_as_it_was)
{
    NP_AUTO(np_span_freep) struct np_span *span = sample_span();
    const struct np_span *one = span;
    const struct np_otlp_source source = {.resource = NULL, .scope = NULL};
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer line = {.most = 100};

    np_otlp_buffer_text(&line, "before");
    ok_int(np_otlp_encode_spans(&np_otlp_json, &source, &one, 1, &line), NP_EVALUE);
    ok_int((int64_t)line.length, 6);
    ok_int(line.failed, 0);
}

TEST(each_failed_allocation_is_reported_until_it_works)
{
    NP_AUTO(np_span_freep) struct np_span *span = sample_span();
    NP_AUTO(np_freep) char *long_text = np_xcalloc(20001, 1);
    const struct np_span *one = span;
    const struct np_otlp_source source = {.resource = NULL, .scope = &SCOPE};
    int code = NP_ENOMEM, n_failed = 0;

    memset(long_text, 'x', 20000); /* so that the buffer grows twice */
    np_attrs_string(&span->attrs, "long", long_text);
    for (int nth = 1; code == NP_ENOMEM && nth < 20; nth++) {
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer line = {0};
        np_alloc_fail_at(nth);
        code = np_otlp_encode_spans(&np_otlp_json, &source, &one, 1, &line);
        n_failed += code == NP_ENOMEM;
        ok(code == 0 || line.length == 0);
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok_above(n_failed, 1, "allocations that were made to fail");
}

/* Ids are hex in OTLP and base64 in protobuf's JSON: the decoder takes both for text, so they are
 * compared as text. */
static const char DECODE[] =
    "import sys, json, base64\n"
    "from google.protobuf import json_format as jf\n"
    "from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as t\n"
    "from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as l\n"
    "from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as m\n"
    "kinds = {'resourceSpans': t.ExportTraceServiceRequest,\n"
    "         'resourceLogs': l.ExportLogsServiceRequest,\n"
    "         'resourceMetrics': m.ExportMetricsServiceRequest}\n"
    "def same(a, b, at):\n"
    "    if isinstance(a, dict):\n"
    "        assert set(a) == set(b), (at, set(a) ^ set(b))\n"
    "        for k in a: same(a[k], b[k], at + '.' + k)\n"
    "    elif isinstance(a, list):\n"
    "        assert len(a) == len(b), at\n"
    "        for i, (x, y) in enumerate(zip(a, b)): same(x, y, at + '.' + str(i))\n"
    "    else: assert a == b and type(a) in (type(b), int, float), (at, a, b)\n"
    "n = 0\n"
    "for line in sys.stdin:\n"
    "    ours = json.loads(line)\n"
    "    (kind,) = ours\n"
    "    message = jf.Parse(line, kinds[kind]())\n"
    "    wire = kinds[kind].FromString(message.SerializeToString())\n"
    "    same(ours, jf.MessageToDict(wire, use_integers_for_enums=True), kind)\n"
    "    n += 1\n"
    "print(n)\n";

static void write_line(FILE *file, const struct np_otlp_buffer *line)
{
    fwrite(line->bytes, 1, line->length, file);
    fputc('\n', file);
}

static void write_samples(FILE *file)
{
    NP_AUTO(np_span_freep) struct np_span *span = sample_span();
    NP_AUTO(np_attrs_done) struct np_attrs resource = sample_resource();
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer line = {0};
    NP_AUTO(np_log_record_done)
    struct np_log_record record = {
        .time_ns = 1, .severity = NP_INFO, .body = np_xstrdup("\x01\xff text")};
    const struct np_log_record *log = &record;
    const struct np_span *one = span;
    const struct np_otlp_source source = {.resource = &resource, .scope = &SCOPE};
    struct np_error err = {0};

    np_error_set(&err, NP_EMETHOD, "no brain");
    np_span_fail(span, &err);
    np_attrs_double(&span->attrs, "nan", NAN);
    np_attrs_double(&span->attrs, "minus infinity", -INFINITY);
    np_attrs_string(&record.attrs, NP_KEY_EVENT_NAME, "some.event");
    np_attrs_bool(&record.attrs, NP_KEY_NEURO_INJECTED, true);
    ok_int(np_otlp_encode_spans(&np_otlp_json, &source, &one, 1, &line), 0);
    write_line(file, &line);
    np_otlp_buffer_cut(&line, 0);
    request_of_start(&source, span, &line);
    write_line(file, &line);
    np_otlp_buffer_cut(&line, 0);
    ok_int(encode_logs(&np_otlp_json, &source, &log, 1, &line), 0);
    write_line(file, &line);
    np_otlp_buffer_cut(&line, 0);
    measure(span, &line);
    write_line(file, &line);
    np_otlp_buffer_cut(&line, 0);
    measure_otherwise(span, &line);
    write_line(file, &line);
}

TEST(the_official_decoder_accepts_every_kind_and_gives_the_same_back)
{
    const char *python = getenv("NP_TEST_PYTHON") ? getenv("NP_TEST_PYTHON") : "python3";
    NP_AUTO(np_freep) char *script = np_xasprintf("%s/decode.py", tap_directory());
    NP_AUTO(np_freep) char *samples = np_xasprintf("%s/samples", tap_directory());
    NP_AUTO(np_freep)
    char *probe =
        np_xasprintf("%s -c 'import opentelemetry.proto.logs.v1.logs_pb2' 2>/dev/null", python);
    NP_AUTO(np_freep)
    char *command = np_xasprintf("%s %s <%s 2>&1", python, script, samples);
    char answer[1024] = "";

    if (system(probe) != 0) {
        tap_skip("the Python package opentelemetry-proto is not installed");
        return;
    }
    FILE *file = fopen(script, "w");
    fputs(DECODE, file);
    fclose(file);
    file = fopen(samples, "w");
    write_samples(file);
    fclose(file);
    FILE *pipe = popen(command, "r");
    size_t n = fread(answer, 1, sizeof(answer) - 1, pipe);
    answer[n] = '\0';
    ok_int(pclose(pipe), 0);
    ok_str(answer, "5\n");
}

TAP_MAIN
