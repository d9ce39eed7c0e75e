/* Protobuf: what we write by hand is what protobuf-c and the official Python classes read. */
#include <math.h>
#include <otlp_logs.pb-c.h>
#include <otlp_metrics.pb-c.h>
#include <otlp_trace.pb-c.h>

#include "base/random.h"
#include "requests.h"

static const ProtobufCMessageDescriptor *const DESCRIPTORS[NP_OTLP_N_SIGNALS] = {
    [NP_OTLP_TRACES] = &np__otlp__export_trace_service_request__descriptor,
    [NP_OTLP_LOGS] = &np__otlp__export_logs_service_request__descriptor,
    [NP_OTLP_METRICS] = &np__otlp__export_metrics_service_request__descriptor,
};

/* A foreign decoder and encoder in a row change no byte. */
static void check_repacked(enum np_otlp_signal signal, const struct np_otlp_buffer *body)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(DESCRIPTORS[signal], NULL, body->length,
                                                          (const uint8_t *)body->bytes);
    struct np_otlp_buffer repacked = {0};

    ok(message != NULL);
    if (!message)
        return;
    ok_int((int64_t)message->n_unknown_fields, 0);
    repacked.length = protobuf_c_message_get_packed_size(message);
    repacked.bytes = np_xmalloc(repacked.length + 1);
    protobuf_c_message_pack(message, (uint8_t *)repacked.bytes);
    tap_check(same_bytes(body, &repacked), __FILE__, __LINE__, "%s: %zu bytes become %zu",
              np_otlp_signal_name(signal), body->length, repacked.length);
    free(repacked.bytes);
    protobuf_c_message_free_unpacked(message, NULL);
}

TEST(protobuf_c_reads_each_request_and_packs_the_same_bytes_again)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};
        ok_int(sample_request((enum np_otlp_signal)i, &np_otlp_protobuf, &body), 0);
        check_repacked((enum np_otlp_signal)i, &body);
    }
}

TEST(a_span_has_its_fields_where_the_protocol_wants_them)
{
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};

    sample_request(NP_OTLP_TRACES, &np_otlp_protobuf, &body);
    Np__Otlp__ExportTraceServiceRequest *request = np__otlp__export_trace_service_request__unpack(
        NULL, body.length, (const uint8_t *)body.bytes);
    ok(request != NULL);
    if (!request)
        return;
    const Np__Otlp__ScopeSpans *scope = request->resource_spans[0]->scope_spans[0];
    const Np__Otlp__Span *span = scope->spans[1];
    ok_int((int64_t)scope->n_spans, 2);
    ok_str(scope->schema_url, SAMPLE_SCOPE.schema_url);
    ok_str(request->resource_spans[0]->resource->attributes[0]->value->string_value,
           "neuro-preprocess");
    ok_str(span->name, "skull_strip");
    ok_int((int64_t)span->trace_id.len, 16);
    ok_int((int64_t)span->parent_span_id.len, 8);
    ok_int((int64_t)span->start_time_unix_nano, INT64_C(1800000000123456789));
    ok_int(span->kind, NP__OTLP__SPAN__SPAN_KIND__SPAN_KIND_INTERNAL);
    ok_str(span->attributes[0]->value->string_value, SAMPLE_TEXT);
    ok_int(span->attributes[2]->value->int_value, INT64_MIN);
    ok_int(span->attributes[3]->value->value_case, NP__OTLP__ANY_VALUE__VALUE_INT_VALUE);
    ok(span->attributes[4]->value->double_value == 0.1);
    ok_int((int64_t)span->n_events, 3);
    ok_str(span->events[2]->name, "exception");
    ok_int((int64_t)span->n_links, 2);
    ok_int(span->status->code, NP__OTLP__SPAN_STATUS__STATUS_CODE__STATUS_CODE_ERROR);
    ok_int(span->flags & 1, 1);
    np__otlp__export_trace_service_request__free_unpacked(request, NULL);
}

TEST(signed_and_packed_numbers_read_back)
{
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};

    sample_request(NP_OTLP_METRICS, &np_otlp_protobuf, &body);
    Np__Otlp__ExportMetricsServiceRequest *request =
        np__otlp__export_metrics_service_request__unpack(NULL, body.length,
                                                         (const uint8_t *)body.bytes);
    ok(request != NULL);
    if (!request)
        return;
    Np__Otlp__Metric **metric = request->resource_metrics[0]->scope_metrics[0]->metrics;
    ok(metric[0]->sum->data_points[0]->as_int == INT64_C(12345678901));
    ok(metric[1]->gauge->data_points[0]->as_double == -0.25);
    const Np__Otlp__HistogramDataPoint *point = metric[2]->histogram->data_points[0];
    ok_int((int64_t)point->n_bucket_counts, 4);
    ok(point->bucket_counts[3] == UINT64_MAX);
    ok(point->explicit_bounds[0] == 0.1);
    ok(point->exemplars[0]->as_double == 0.5);
    np__otlp__export_metrics_service_request__free_unpacked(request, NULL);
}

static void add_random_attribute(struct np_random *random, struct np_attrs *attrs)
{
    uint64_t bits = np_random_bits(random);
    size_t n = np_random_bits(random) % 300; /* across the length's first border, 128 */
    NP_AUTO(np_freep) char *key = np_xasprintf("key%d", (int)(bits % 50));
    NP_AUTO(np_freep) char *text = np_xmalloc(n + 1);
    double number;

    memset(text, 'x', n);
    text[n] = '\0';
    memcpy(&number, &bits, sizeof(number));
    switch (np_random_bits(random) % 4) {
    case 0:
        np_attrs_string(attrs, key, text);
        break;
    case 1:
        np_attrs_int(attrs, key, (int64_t)(bits >> bits % 60));
        break;
    case 2:
        np_attrs_double(attrs, key, number);
        break;
    default:
        np_attrs_bool(attrs, key, bits & 1);
    }
}

TEST(random_spans_of_any_length_pack_to_the_same_bytes)
{
    struct np_random random;

    np_random_seed(&random, 2, 1);
    for (int i = 0; i < 300; i++) {
        NP_AUTO(np_span_freep) struct np_span *span = np_span_new("n", NULL);
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};
        const struct np_span *const one = span;
        for (uint64_t k = np_random_bits(&random) % 80; k > 0; k--)
            add_random_attribute(&random, &span->attrs);
        ok_int(request_of_spans(&np_otlp_protobuf, &one, 1, &body), 0);
        check_repacked(NP_OTLP_TRACES, &body);
    }
}

/* The value of the one attribute, written through the format alone: attributes of a span are made
 * UTF-8 before. */
TEST(bytes_that_are_no_utf8_are_replaced_since_decoders_refuse_them)
{
    static const struct {
        const char *bytes, *expected;
    } table[] = {
        {"plain", "plain"},
        {"long enough for eight at once \xc3\xa9", "long enough for eight at once \xc3\xa9"},
        {"\xff", "\xef\xbf\xbd"},
        {"12345678\xc3", "12345678\xef\xbf\xbd"},
        {"\xf0\x9f\xa7", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};
        struct np_otlp_writer w = {.format = &np_otlp_protobuf, .out = &body};
        np_otlp_protobuf.scalar(
            &w, &np_otlp_fields[NP_FIELD_ANY_STRING],
            &(struct np_otlp_value){.as.string = table[i].bytes, .n = strlen(table[i].bytes)});
        Np__Otlp__AnyValue *value =
            np__otlp__any_value__unpack(NULL, body.length, (const uint8_t *)body.bytes);
        ok(value != NULL);
        ok_str(value ? value->string_value : NULL, table[i].expected);
        np__otlp__any_value__free_unpacked(value, NULL);
    }
}

TEST(each_failed_allocation_is_reported_until_it_works)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer first = {0};
        int code = NP_ENOMEM;
        sample_request((enum np_otlp_signal)i, &np_otlp_json, &first); /* makes the span */
        for (int nth = 1; code == NP_ENOMEM; nth++) {
            NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};
            np_otlp_buffer_text(&body, "before");
            np_alloc_fail_at(nth);
            code = sample_request((enum np_otlp_signal)i, &np_otlp_protobuf, &body);
            np_alloc_fail_at(0);
            ok(code == 0 || (code == NP_ENOMEM && body.length == 6));
        }
        ok_int(code, 0);
    }
}

static int run_peer(const char *arguments, char *answer, size_t size)
{
    const char *python = python_with("opentelemetry.proto.logs.v1.logs_pb2");
    NP_AUTO(np_freep) char *command = np_xasprintf("%s " PEER " %s 2>&1", python, arguments);

    FILE *pipe = popen(command, "r");
    size_t n = fread(answer, 1, size - 1, pipe);
    answer[n] = '\0';
    return pclose(pipe);
}

static void check_same(enum np_otlp_signal signal, const char *json, size_t n,
                       const struct np_otlp_buffer *body)
{
    NP_AUTO(np_freep) char *json_path = np_xasprintf("%s/%d.json", tap_directory(), (int)signal);
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/%d.pb", tap_directory(), (int)signal);
    NP_AUTO(np_freep) char *arguments = np_xasprintf("same %s %s", json_path, path);
    char answer[4096];

    write_file(json_path, json, n);
    write_file(path, body->bytes, body->length);
    ok_int(run_peer(arguments, answer, sizeof(answer)), 0);
    ok_str(answer, "");
}

TEST(the_official_classes_read_the_same_and_make_the_same_bytes)
{
    if (!python_with("opentelemetry.proto.logs.v1.logs_pb2"))
        return;
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer json = {0}, body = {0}, every = {0};
        enum np_otlp_signal signal = (enum np_otlp_signal)i;
        sample_request(signal, &np_otlp_json, &json);
        sample_request(signal, &np_otlp_protobuf, &body);
        check_same(signal, json.bytes, json.length, &body);
        NP_AUTO(np_freep) char *text = every_field(signal);
        ok_int(through_batch(signal, NP_OTLP_HTTP_PROTOBUF, text, strlen(text), &every),
               NP_OTLP_LINE_ADDED);
        check_same(signal, text, strlen(text), &every);
        check_repacked(signal, &every);
    }
}

TEST(our_messages_have_the_public_fields)
{
    char answer[4096];

    if (!python_with("opentelemetry.proto.logs.v1.logs_pb2"))
        return;
    ok_int(run_peer("fields proto/otlp_*.proto", answer, sizeof(answer)), 0);
    ok_str(answer, "144\n");
}

TAP_MAIN
