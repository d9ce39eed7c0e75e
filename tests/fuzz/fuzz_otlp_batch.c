/*
 * Any bytes as lines of a record: they are refused, or become requests that others can read.
 * What a batch makes of its own JSON is the same again, once sources that are the same in other
 * words have come together.
 */
#include <jansson.h>
#include <otlp_logs.pb-c.h>
#include <otlp_metrics.pb-c.h>
#include <otlp_trace.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static enum np_otlp_line make(enum np_otlp_signal signal, enum np_otlp_protocol protocol,
                              const char *line, size_t n, struct np_otlp_buffer *out)
{
    const struct np_otlp_batch_options options = {.signal = signal, .protocol = protocol};
    struct np_otlp_batch *batch = np_otlp_batch_new(&options);
    enum np_otlp_line result;

    if (!batch || np_otlp_batch_add_line(batch, line, n, &result) < 0)
        abort();
    size_t count = np_otlp_batch_count(batch);
    if ((count > 0) != (result == NP_OTLP_LINE_ADDED))
        abort();
    if (np_otlp_batch_encode(batch, 0, count, out) < 0)
        abort();
    if (count > 0 && out->length > np_otlp_batch_bytes(batch))
        abort();
    np_otlp_batch_freep(&batch);
    return result;
}

static void must_be_json(const struct np_otlp_buffer *body)
{
    json_t *root = json_loadb(body->bytes, body->length, JSON_REJECT_DUPLICATES, NULL);

    if (!root)
        abort();
    json_decref(root);
}

static void must_be_protobuf(enum np_otlp_signal signal, const struct np_otlp_buffer *body)
{
    static const ProtobufCMessageDescriptor *const descriptors[NP_OTLP_N_SIGNALS] = {
        [NP_OTLP_TRACES] = &np__otlp__export_trace_service_request__descriptor,
        [NP_OTLP_LOGS] = &np__otlp__export_logs_service_request__descriptor,
        [NP_OTLP_METRICS] = &np__otlp__export_metrics_service_request__descriptor,
    };
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptors[signal], NULL, body->length,
                                                          (const uint8_t *)body->bytes);

    if (!message || message->n_unknown_fields != 0)
        abort();
    protobuf_c_message_free_unpacked(message, NULL);
}

static void must_be_same(const struct np_otlp_buffer *a, const struct np_otlp_buffer *b)
{
    if (a->length != b->length || memcmp(a->bytes, b->bytes, a->length) != 0)
        abort();
}

/* JSON of JSON is that JSON, and both give the same protobuf. */
static void must_be_stable(enum np_otlp_signal signal, const struct np_otlp_buffer *json)
{
    struct np_otlp_buffer again = {0}, protobuf = {0}, protobuf_again = {0};

    make(signal, NP_OTLP_HTTP_JSON, json->bytes, json->length, &again);
    make(signal, NP_OTLP_GRPC, json->bytes, json->length, &protobuf);
    make(signal, NP_OTLP_GRPC, again.bytes, again.length, &protobuf_again);
    must_be_same(json, &again);
    must_be_same(&protobuf, &protobuf_again);
    np_otlp_buffer_done(&again);
    np_otlp_buffer_done(&protobuf);
    np_otlp_buffer_done(&protobuf_again);
}

static void check(enum np_otlp_signal signal, const char *line, size_t n)
{
    struct np_otlp_buffer first = {0}, json = {0}, protobuf = {0};

    if (make(signal, NP_OTLP_HTTP_JSON, line, n, &first) == NP_OTLP_LINE_ADDED) {
        must_be_json(&first);
        if (make(signal, NP_OTLP_GRPC, line, n, &protobuf) != NP_OTLP_LINE_ADDED)
            abort();
        must_be_protobuf(signal, &protobuf);
        if (make(signal, NP_OTLP_HTTP_JSON, first.bytes, first.length, &json) != NP_OTLP_LINE_ADDED)
            abort();
        must_be_stable(signal, &json);
    }
    np_otlp_buffer_done(&first);
    np_otlp_buffer_done(&json);
    np_otlp_buffer_done(&protobuf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    enum np_otlp_signal signal;

    if (np_otlp_line_signal((const char *)bytes, n_bytes, &signal))
        check(signal, (const char *)bytes, n_bytes);
    else
        check(NP_OTLP_TRACES, (const char *)bytes, n_bytes);
    return 0;
}
