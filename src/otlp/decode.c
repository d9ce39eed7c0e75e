#include "otlp/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "trace/names.h"

/* A 64-bit integer, which OTLP/JSON writes as a string and other writers as a number. */
static bool integer(const json_t *value, int64_t *out)
{
    const char *text = json_string_value(value);

    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    if (!text || !*text || text[0] == ' ')
        return false;
    char *end;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    if (*end || errno)
        return false;
    *out = parsed;
    return true;
}

static bool number(const json_t *value, double *out)
{
    const char *text = json_string_value(value);

    if (json_is_number(value)) {
        *out = json_number_value(value);
        return true;
    }
    if (!text || !*text)
        return false;
    char *end;
    *out = strtod(text, &end); /* takes "NaN" and "Infinity" too */
    return !*end;
}

static void attribute(const char *key, const json_t *value, struct np_attrs *out)
{
    const json_t *text = json_object_get(value, "stringValue");
    const json_t *boolean = json_object_get(value, "boolValue");
    int64_t whole;
    double real;

    if (json_is_string(text))
        np_attrs_string(out, key, json_string_value(text));
    else if (json_is_boolean(boolean))
        np_attrs_bool(out, key, json_is_true(boolean));
    else if (integer(json_object_get(value, "intValue"), &whole))
        np_attrs_int(out, key, whole);
    else if (number(json_object_get(value, "doubleValue"), &real))
        np_attrs_double(out, key, real);
}

void np_otlp_decode_attributes(const json_t *list, struct np_attrs *out)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        const char *key = json_string_value(json_object_get(item, "key"));
        if (key)
            attribute(key, json_object_get(item, "value"), out);
    }
}

/* An attribute's only members are "key" and "value", so a member with a time's name is a time. */
static bool is_time(const char *name)
{
    return np_ends_with(name, "imeUnixNano");
}

int64_t np_otlp_latest_ns(json_t *node)
{
    int64_t latest = 0;
    size_t i;
    json_t *item;
    const char *name;

    json_array_foreach(node, i, item)
    {
        int64_t inner = np_otlp_latest_ns(item);
        latest = inner > latest ? inner : latest;
    }
    json_object_foreach(node, name, item)
    {
        int64_t inner = 0;
        if (!is_time(name) || !integer(item, &inner))
            inner = np_otlp_latest_ns(item);
        latest = inner > latest ? inner : latest;
    }
    return latest;
}

/* "<trace id>-<span id>,…" */
static void links(const char *text, struct np_span *span)
{
    enum { LENGTH = NP_TRACE_ID_HEX + NP_SPAN_ID_HEX - 1 };

    while (strnlen(text, LENGTH) == LENGTH) {
        char trace[NP_TRACE_ID_HEX], id[NP_SPAN_ID_HEX];
        struct np_span other = {0};
        memcpy(trace, text, sizeof(trace));
        trace[NP_TRACE_ID_HEX - 1] = '\0';
        memcpy(id, text + NP_TRACE_ID_HEX, NP_SPAN_ID_HEX - 1);
        id[NP_SPAN_ID_HEX - 1] = '\0';
        if (text[NP_TRACE_ID_HEX - 1] != '-' || !np_trace_id_parse(trace, &other.trace_id) ||
            !np_span_id_parse(id, &other.span_id))
            return;
        np_span_link(span, &other);
        text += LENGTH;
        if (*text++ != ',')
            return;
    }
}

static const char *string_of(const struct np_attrs *attrs, const char *key)
{
    const struct np_attr *attr = np_attrs_find(attrs, key);

    return attr && attr->type == NP_ATTR_STRING ? attr->value.string : NULL;
}

/* Attributes under "neuro.span." describe the span itself; the others are its attributes. */
static void fill_from_attributes(const struct np_attrs *start, struct np_span *span)
{
    const char *name = string_of(start, NP_KEY_NEURO_SPAN_NAME);
    const char *parent = string_of(start, NP_KEY_NEURO_SPAN_PARENT_ID);
    const char *state = string_of(start, NP_KEY_NEURO_SPAN_TRACE_STATE);
    const char *link_list = string_of(start, NP_KEY_NEURO_SPAN_LINKS);

    span->name = np_xstrdup(name ? name : "unknown");
    span->trace_state = state ? np_xstrdup(state) : NULL;
    if (parent)
        np_span_id_parse(parent, &span->parent_id);
    if (link_list)
        links(link_list, span);
    for (size_t i = 0; i < start->n; i++)
        if (!np_starts_with(start->item[i].key, NP_SPAN_START_PREFIX)) {
            struct np_attrs one = {.item = &start->item[i], .n = 1};
            np_attrs_copy(&one, &span->attrs);
        }
}

struct np_span *np_otlp_decode_span_start(const json_t *log_record)
{
    const char *event = json_string_value(json_object_get(log_record, "eventName"));
    const char *trace = json_string_value(json_object_get(log_record, "traceId"));
    const char *id = json_string_value(json_object_get(log_record, "spanId"));
    struct np_trace_id trace_id;
    struct np_span_id span_id;

    if (!event || !trace || !id || strcmp(event, NP_EVENT_SPAN_START) != 0 ||
        !np_trace_id_parse(trace, &trace_id) || !np_span_id_parse(id, &span_id) ||
        np_trace_id_is_zero(&trace_id) || np_span_id_is_zero(&span_id))
        return NULL;
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    np_otlp_decode_attributes(json_object_get(log_record, "attributes"), &attrs);
    struct np_span *span = np_xcalloc(1, sizeof(*span));
    span->trace_id = trace_id;
    span->span_id = span_id;
    span->flags = (uint32_t)json_integer_value(json_object_get(log_record, "flags"));
    integer(json_object_get(log_record, "timeUnixNano"), &span->start_ns);
    fill_from_attributes(&attrs, span);
    return span;
}
