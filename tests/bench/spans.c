/*
 * The cost of a span: begun, given ten attributes as a stage gives them, ended.
 *   spans COUNT     nanoseconds of CPU time each: the median of nine rounds, by row
 * Rows: "make" without a sink; "json" encoded as a line of the record, not written; "record"
 * written to a file in the current folder, start and end (removed after).
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "otlp/encode.h"
#include "otlp/json.h"
#include "spool/record.h"
#include "trace/names.h"

enum { ROUNDS = 9 };
static const char RECORD[] = "./spans.otlp.jsonl";

static void one_span(struct np_trace *trace, const struct np_span *parent, int i)
{
    struct np_span *span = np_span_new("skull_strip", parent);

    np_span_begin(trace, span);
    np_attrs_string(&span->attrs, NP_KEY_NEURO_STAGE, "skull_strip");
    np_attrs_string(&span->attrs, NP_KEY_BIDS_PARTICIPANT, "01");
    np_attrs_string(&span->attrs, NP_KEY_BIDS_SUFFIX, "T1w");
    np_attrs_int(&span->attrs, NP_KEY_FILE_SIZE, 9437184 + i);
    np_attrs_double(&span->attrs, "neuro.skull_strip.volume", 1356544.0 + i);
    np_attrs_double(&span->attrs, "neuro.skull_strip.rim", 0.1234567890123 * (i + 1));
    np_attrs_double(&span->attrs, "neuro.skull_strip.border_level", 0.25);
    np_attrs_double(&span->attrs, "neuro.skull_strip.restarts", 1);
    np_attrs_string(&span->attrs, "neuro.skull_strip.method", "surface");
    np_attrs_bool(&span->attrs, NP_KEY_NEURO_INJECTED, false);
    np_span_end(trace, &span);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(const char *row, struct np_trace *trace, int count)
{
    NP_AUTO(np_span_freep) struct np_span *parent = np_span_new("process_image", NULL);
    double ns[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        int64_t start_ns = np_clock_cpu_ns();
        for (int i = 0; i < count; i++)
            one_span(trace, parent, i);
        ns[round] = (double)(np_clock_cpu_ns() - start_ns) / count;
    }
    qsort(ns, ROUNDS, sizeof(*ns), ascending);
    printf("%s\t%.0f\n", row, ns[ROUNDS / 2]);
}

static void add_resource(struct np_attrs *resource)
{
    np_attrs_string(resource, NP_KEY_SERVICE_NAME, "neuro-preprocess");
    np_attrs_string(resource, NP_KEY_HOST_NAME, "node17");
    np_attrs_string(resource, NP_KEY_HOST_ARCH, "amd64");
    np_attrs_string(resource, NP_KEY_NEURO_DATASET_NAME, "ds000001");
    np_attrs_int(resource, NP_KEY_PROCESS_PID, 4711);
    np_attrs_string(resource, NP_KEY_SLURM_JOB_ID, "4242");
}

static const struct np_instrumentation scope = {
    .name = "neuro-preprocess", .version = "0.1.0", .schema_url = NP_SEMCONV_SCHEMA_URL};

struct encoder {
    struct np_attrs resource;
    struct np_otlp_buffer line;
};

static void encode(void *self, const struct np_span *span)
{
    struct encoder *encoder = self;
    const struct np_otlp_source source = {.resource = &encoder->resource, .scope = &scope};

    np_otlp_buffer_cut(&encoder->line, 0);
    if (np_otlp_encode_spans(&np_otlp_json, &source, &span, 1, &encoder->line) < 0)
        abort();
}

/* A trace with a record; `*sink` is the record's. */
static struct np_trace *recording(struct np_trace_sink *sink)
{
    NP_AUTO(np_attrs_done) struct np_attrs resource = {0};
    struct np_trace *trace = np_trace_new(NULL);
    struct np_error err = {0};

    add_resource(&resource);
    if (np_spool_record_open(RECORD, &resource, &scope, sink, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(EXIT_FAILURE);
    }
    np_trace_add_sink(trace, *sink);
    return trace;
}

static int make(int count)
{
    struct encoder encoder = {0};
    struct np_trace_sink sink;

    add_resource(&encoder.resource);
    NP_AUTO(np_trace_freep) struct np_trace *bare = np_trace_new(NULL);
    measure("make", bare, count);

    NP_AUTO(np_trace_freep) struct np_trace *encoded = np_trace_new(NULL);
    np_trace_add_sink(encoded, (struct np_trace_sink){.self = &encoder, .span_end = encode});
    measure("json", encoded, count);
    np_attrs_done(&encoder.resource);
    np_otlp_buffer_done(&encoder.line);

    NP_AUTO(np_trace_freep) struct np_trace *recorded = recording(&sink);
    measure("record", recorded, count / 4);
    unlink(RECORD);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int count = argc == 2 ? atoi(argv[1]) : 0;

    if (count > 0)
        return make(count);
    fprintf(stderr, "usage: spans COUNT\n");
    return 64;
}
