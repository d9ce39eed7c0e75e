/* Shared by the tests of this room: looking into JSON by path, and a span with everything in it. */
#ifndef NP_TESTS_OTLP_SAMPLE_H
#define NP_TESTS_OTLP_SAMPLE_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/encode.h"
#include "otlp/json.h"
#include "trace/trace.h"

/* at(root, "resourceSpans.0.scopeSpans.0"): digits are indices. NULL when there is none. */
static inline json_t *at(json_t *node, const char *path)
{
    NP_AUTO(np_freep) char *copy = np_xstrdup(path);
    char *rest = NULL;

    for (char *part = strtok_r(copy, ".", &rest); part && node; part = strtok_r(NULL, ".", &rest))
        node = json_is_array(node) ? json_array_get(node, strtoul(part, NULL, 10))
                                   : json_object_get(node, part);
    return node;
}

/* The string at `path`, NULL when there is none. */
static inline const char *text_at(json_t *node, const char *path)
{
    return json_string_value(at(node, path));
}

/* The AnyValue of `key` in a list of KeyValue. */
static inline json_t *value_of(json_t *attributes, const char *key)
{
    size_t i;
    json_t *item;

    json_array_foreach(attributes, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "key"));
        if (name && strcmp(name, key) == 0)
            return json_object_get(item, "value");
    }
    return NULL;
}

static const char SAMPLE_TEXT[] = "quote\" back\\slash /path \xc3\xa9 \xf0\x9f\xa7\xa0";

static inline struct np_span *sample_span(void)
{
    struct np_span *run = np_span_new("preprocess_run", NULL);
    struct np_span *session = np_span_new("preprocess_session", NULL);
    struct np_span *span = np_span_new("skull_strip", session);
    struct np_attrs attrs = {0};

    span->start_ns = INT64_C(1800000000123456789);
    span->end_ns = INT64_C(1800000001987654321);
    span->trace_state = np_xstrdup("vendor=1");
    np_attrs_string(&span->attrs, "text", SAMPLE_TEXT);
    np_attrs_string(&span->attrs, "empty", "");
    np_attrs_int(&span->attrs, "least", INT64_MIN);
    np_attrs_int(&span->attrs, "zero", 0);
    np_attrs_double(&span->attrs, "tenth", 0.1);
    np_attrs_bool(&span->attrs, "no", false);
    np_attrs_bool(&span->attrs, "yes", true);
    np_attrs_int(&attrs, "voxels", 5);
    np_span_event(span, "validation_passed", &attrs);
    np_span_event(span, "bare", NULL);
    np_span_link(span, run);
    np_span_link(span, session);
    np_attrs_done(&attrs);
    np_span_freep(&run);
    np_span_freep(&session);
    return span;
}

/* A request of `n` log records. */
static inline int encode_logs(const struct np_otlp_format *format,
                              const struct np_otlp_source *source,
                              const struct np_log_record *const *record, size_t n,
                              struct np_otlp_buffer *out)
{
    struct np_otlp_request request;

    np_otlp_request_begin(&request, format, source, NP_OTLP_LOGS, out);
    for (size_t i = 0; i < n; i++)
        np_otlp_request_log(&request, record[i]);
    np_otlp_request_end(&request);
    return out->failed;
}

/* A request of one span's start. */
static inline int request_of_start(const struct np_otlp_source *source, const struct np_span *span,
                                   struct np_otlp_buffer *out)
{
    struct np_otlp_request request;

    np_otlp_request_begin(&request, &np_otlp_json, source, NP_OTLP_LOGS, out);
    np_otlp_request_span_start(&request, span);
    np_otlp_request_end(&request);
    return out->failed;
}

#endif
