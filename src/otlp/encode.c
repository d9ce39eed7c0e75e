#include "otlp/encode.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "otlp/format.h"
#include "trace/names.h"

enum { TEMPORALITY_DELTA = 1, TEMPORALITY_CUMULATIVE = 2 };

#define FIELD(ident) (&np_otlp_fields[NP_FIELD_##ident])

/* Scalars. Here, once for all formats, implicit fields are left out at their default. */

static void put(struct np_otlp_writer *w, const struct np_otlp_field *field, bool is_default,
                const struct np_otlp_value *value)
{
    if (!is_default || field->presence == NP_OTLP_EXPLICIT)
        w->format->scalar(w, field, value);
}

static void put_string(struct np_otlp_writer *w, const struct np_otlp_field *field,
                       const char *text)
{
    const char *string = text ? text : "";

    put(w, field, !*string, &(struct np_otlp_value){.as.string = string, .n = strlen(string)});
}

static void put_integer(struct np_otlp_writer *w, const struct np_otlp_field *field, int64_t value)
{
    put(w, field, value == 0, &(struct np_otlp_value){.as.integer = value});
}

static void put_fixed(struct np_otlp_writer *w, const struct np_otlp_field *field, uint64_t value)
{
    put(w, field, value == 0, &(struct np_otlp_value){.as.fixed = value});
}

/* Times before 1970 do not occur; they count as 0. */
static void put_time(struct np_otlp_writer *w, const struct np_otlp_field *field, int64_t time_ns)
{
    put_fixed(w, field, time_ns > 0 ? (uint64_t)time_ns : 0);
}

static void put_number(struct np_otlp_writer *w, const struct np_otlp_field *field, double value)
{
    put(w, field, value == 0, &(struct np_otlp_value){.as.number = value});
}

static void put_bool(struct np_otlp_writer *w, const struct np_otlp_field *field, bool value)
{
    put(w, field, !value, &(struct np_otlp_value){.as.boolean = value});
}

static void put_trace_id(struct np_otlp_writer *w, const struct np_otlp_field *field,
                         const struct np_trace_id *id)
{
    put(w, field, np_trace_id_is_zero(id),
        &(struct np_otlp_value){.as.id = id->byte, .n = sizeof(id->byte)});
}

static void put_span_id(struct np_otlp_writer *w, const struct np_otlp_field *field,
                        const struct np_span_id *id)
{
    put(w, field, np_span_id_is_zero(id),
        &(struct np_otlp_value){.as.id = id->byte, .n = sizeof(id->byte)});
}

/* Attributes. */

/* A KeyValue of one scalar, an element of the open list; `member` is a field of AnyValue. */
static void attribute(struct np_otlp_writer *w, const struct np_otlp_field *list, const char *key,
                      const struct np_otlp_field *member, const struct np_otlp_value *value)
{
    w->format->message_begin(w, list);
    put_string(w, FIELD(KEY), key);
    w->format->message_begin(w, FIELD(VALUE));
    w->format->scalar(w, member, value);
    w->format->message_end(w);
    w->format->message_end(w);
}

static void key_value(struct np_otlp_writer *w, const struct np_otlp_field *list,
                      const struct np_attr *attr)
{
    const struct np_otlp_field *member = NULL;
    struct np_otlp_value value = {.n = 0};

    switch (attr->type) {
    case NP_ATTR_STRING:
        member = FIELD(ANY_STRING);
        value.as.string = attr->value.string;
        value.n = strlen(attr->value.string);
        break;
    case NP_ATTR_INT:
        member = FIELD(ANY_INT);
        value.as.integer = attr->value.integer;
        break;
    case NP_ATTR_DOUBLE:
        member = FIELD(ANY_DOUBLE);
        value.as.number = attr->value.number;
        break;
    case NP_ATTR_BOOL:
        member = FIELD(ANY_BOOL);
        value.as.boolean = attr->value.boolean;
        break;
    }
    attribute(w, list, attr->key, member, &value);
}

static void key_string(struct np_otlp_writer *w, const struct np_otlp_field *list, const char *key,
                       const char *text)
{
    if (text && *text)
        attribute(w, list, key, FIELD(ANY_STRING),
                  &(struct np_otlp_value){.as.string = text, .n = strlen(text)});
}

static void attributes(struct np_otlp_writer *w, const struct np_otlp_field *field,
                       const struct np_attrs *attrs)
{
    if (!attrs || attrs->n == 0)
        return;
    w->format->list_begin(w, field);
    for (size_t i = 0; i < attrs->n; i++)
        key_value(w, field, &attrs->item[i]);
    w->format->list_end(w);
}

/* The envelope: request { resource { scope { … } } }, the same for the three signals. */

struct envelope {
    const struct np_otlp_field *request, *scopes, *items;
};

static const struct envelope envelopes[NP_OTLP_N_SIGNALS] = {
    [NP_OTLP_TRACES] = {FIELD(REQUEST_SPANS), FIELD(SCOPE_SPANS), FIELD(SPANS)},
    [NP_OTLP_LOGS] = {FIELD(REQUEST_LOGS), FIELD(SCOPE_LOGS), FIELD(LOG_RECORDS)},
    [NP_OTLP_METRICS] = {FIELD(REQUEST_METRICS), FIELD(SCOPE_METRICS), FIELD(METRICS)},
};

static void envelope_begin(struct np_otlp_writer *w, enum np_otlp_signal signal,
                           const struct np_otlp_source *source)
{
    const struct envelope *envelope = &envelopes[signal];

    w->format->begin(w);
    w->format->list_begin(w, envelope->request);
    w->format->message_begin(w, envelope->request);
    if (source->resource && source->resource->n > 0) {
        w->format->message_begin(w, FIELD(RESOURCE));
        attributes(w, FIELD(RESOURCE_ATTRIBUTES), source->resource);
        w->format->message_end(w);
    }
    w->format->list_begin(w, envelope->scopes);
    w->format->message_begin(w, envelope->scopes);
    if (source->scope && source->scope->name) {
        w->format->message_begin(w, FIELD(SCOPE));
        put_string(w, FIELD(SCOPE_NAME), source->scope->name);
        put_string(w, FIELD(SCOPE_VERSION), source->scope->version);
        w->format->message_end(w);
    }
    w->format->list_begin(w, envelope->items);
}

static void envelope_end(struct np_otlp_writer *w, const struct np_otlp_source *source)
{
    const char *schema_url = source->scope ? source->scope->schema_url : NULL;

    w->format->list_end(w); /* items */
    put_string(w, FIELD(SCHEMA_URL), schema_url);
    w->format->message_end(w);
    w->format->list_end(w); /* scopes */
    put_string(w, FIELD(SCHEMA_URL), schema_url);
    w->format->message_end(w);
    w->format->list_end(w); /* resources */
    w->format->end(w);
}

/* Return the result. On failure the bytes added since `length_before` are removed. */
static int finish(struct np_otlp_buffer *out, size_t length_before)
{
    int code = out->failed;

    if (code)
        np_otlp_buffer_cut(out, length_before);
    return code;
}

/* Traces. */

static void event(struct np_otlp_writer *w, const struct np_span_event *event_)
{
    w->format->message_begin(w, FIELD(SPAN_EVENTS));
    put_time(w, FIELD(EVENT_TIME), event_->time_ns);
    put_string(w, FIELD(EVENT_NAME), event_->name);
    attributes(w, FIELD(EVENT_ATTRIBUTES), &event_->attrs);
    put_fixed(w, FIELD(EVENT_DROPPED), event_->attrs.n_dropped);
    w->format->message_end(w);
}

static void link_(struct np_otlp_writer *w, const struct np_span_link *link)
{
    w->format->message_begin(w, FIELD(SPAN_LINKS));
    put_trace_id(w, FIELD(LINK_TRACE_ID), &link->trace_id);
    put_span_id(w, FIELD(LINK_SPAN_ID), &link->span_id);
    put_string(w, FIELD(LINK_TRACE_STATE), link->trace_state);
    put_fixed(w, FIELD(LINK_FLAGS), link->flags);
    w->format->message_end(w);
}

static void events(struct np_otlp_writer *w, const struct np_span *span)
{
    if (span->n_events == 0)
        return;
    w->format->list_begin(w, FIELD(SPAN_EVENTS));
    for (size_t i = 0; i < span->n_events; i++)
        event(w, &span->event[i]);
    w->format->list_end(w);
}

static void links(struct np_otlp_writer *w, const struct np_span *span)
{
    if (span->n_links == 0)
        return;
    w->format->list_begin(w, FIELD(SPAN_LINKS));
    for (size_t i = 0; i < span->n_links; i++)
        link_(w, &span->link[i]);
    w->format->list_end(w);
}

static void status(struct np_otlp_writer *w, const struct np_span *span)
{
    if (span->status == NP_STATUS_UNSET)
        return;
    w->format->message_begin(w, FIELD(SPAN_STATUS));
    put_string(w, FIELD(STATUS_MESSAGE), span->status_message);
    put_integer(w, FIELD(STATUS_CODE), span->status);
    w->format->message_end(w);
}

static void span(struct np_otlp_writer *w, const struct np_span *span_)
{
    w->format->message_begin(w, FIELD(SPANS));
    put_trace_id(w, FIELD(SPAN_TRACE_ID), &span_->trace_id);
    put_span_id(w, FIELD(SPAN_ID), &span_->span_id);
    put_string(w, FIELD(SPAN_TRACE_STATE), span_->trace_state);
    put_span_id(w, FIELD(SPAN_PARENT_ID), &span_->parent_id);
    put_string(w, FIELD(SPAN_NAME), span_->name);
    put_integer(w, FIELD(SPAN_KIND), NP_SPAN_INTERNAL);
    put_time(w, FIELD(SPAN_START), span_->start_ns);
    put_time(w, FIELD(SPAN_END), span_->end_ns);
    attributes(w, FIELD(SPAN_ATTRIBUTES), &span_->attrs);
    put_fixed(w, FIELD(SPAN_DROPPED_ATTRIBUTES), span_->attrs.n_dropped);
    events(w, span_);
    put_fixed(w, FIELD(SPAN_DROPPED_EVENTS), span_->n_events_dropped);
    links(w, span_);
    put_fixed(w, FIELD(SPAN_DROPPED_LINKS), span_->n_links_dropped);
    status(w, span_);
    put_fixed(w, FIELD(SPAN_FLAGS), span_->flags);
    w->format->message_end(w);
}

int np_otlp_encode_spans(const struct np_otlp_format *format, const struct np_otlp_source *source,
                         const struct np_span *const *spans, size_t n, struct np_otlp_buffer *out)
{
    struct np_otlp_writer w = {.format = format, .out = out};
    size_t before = out->length;

    envelope_begin(&w, NP_OTLP_TRACES, source);
    for (size_t i = 0; i < n; i++)
        span(&w, spans[i]);
    envelope_end(&w, source);
    return finish(out, before);
}

/* Logs. */

static void log_head(struct np_otlp_writer *w, int64_t time_ns, enum np_severity severity,
                     const char *body)
{
    put_time(w, FIELD(LOG_TIME), time_ns);
    put_integer(w, FIELD(LOG_SEVERITY), severity);
    put_string(w, FIELD(LOG_SEVERITY_TEXT), np_severity_name(severity));
    w->format->message_begin(w, FIELD(LOG_BODY));
    put_string(w, FIELD(ANY_STRING), body);
    w->format->message_end(w);
}

static void log_tail(struct np_otlp_writer *w, const struct np_trace_id *trace_id,
                     const struct np_span_id *span_id, int64_t time_ns, const char *event_name)
{
    put_trace_id(w, FIELD(LOG_TRACE_ID), trace_id);
    put_span_id(w, FIELD(LOG_SPAN_ID), span_id);
    put_time(w, FIELD(LOG_OBSERVED_TIME), time_ns);
    put_string(w, FIELD(LOG_EVENT_NAME), event_name);
}

static bool is_event_name(const struct np_attr *attr)
{
    return attr->type == NP_ATTR_STRING && strcmp(attr->key, NP_KEY_EVENT_NAME) == 0;
}

static void log_record(struct np_otlp_writer *w, const struct np_log_record *record)
{
    const char *event_name = NULL;

    w->format->message_begin(w, FIELD(LOG_RECORDS));
    log_head(w, record->time_ns, record->severity, record->body);
    if (record->attrs.n > 0) {
        w->format->list_begin(w, FIELD(LOG_ATTRIBUTES));
        for (size_t i = 0; i < record->attrs.n; i++) {
            if (is_event_name(&record->attrs.item[i]))
                event_name = record->attrs.item[i].value.string;
            else
                key_value(w, FIELD(LOG_ATTRIBUTES), &record->attrs.item[i]);
        }
        w->format->list_end(w);
    }
    put_fixed(w, FIELD(LOG_DROPPED), record->attrs.n_dropped);
    put_fixed(w, FIELD(LOG_FLAGS), record->flags);
    log_tail(w, &record->trace_id, &record->span_id, record->time_ns, event_name);
    w->format->message_end(w);
}

/* Sessions have one link, to their run. A span start holds at most eight links. */
enum { MOST_START_LINKS = 8, LINK_TEXT = NP_TRACE_ID_HEX + NP_SPAN_ID_HEX };

/* "<trace id>-<span id>,…" */
static void links_text(const struct np_span *span_, char out[MOST_START_LINKS * LINK_TEXT])
{
    *out = '\0';
    for (size_t i = 0; i < span_->n_links && i < MOST_START_LINKS; i++) {
        if (i > 0)
            *out++ = ',';
        np_trace_id_hex(&span_->link[i].trace_id, out);
        out[NP_TRACE_ID_HEX - 1] = '-';
        np_span_id_hex(&span_->link[i].span_id, out + NP_TRACE_ID_HEX);
        out += NP_TRACE_ID_HEX + NP_SPAN_ID_HEX - 1;
    }
}

static void start_attributes(struct np_otlp_writer *w, const struct np_span *span_)
{
    const struct np_otlp_field *list = FIELD(LOG_ATTRIBUTES);
    char links[MOST_START_LINKS * LINK_TEXT];
    char parent[NP_SPAN_ID_HEX] = "";

    links_text(span_, links);
    if (!np_span_id_is_zero(&span_->parent_id))
        np_span_id_hex(&span_->parent_id, parent);
    w->format->list_begin(w, list);
    key_string(w, list, NP_KEY_NEURO_SPAN_NAME, span_->name);
    key_string(w, list, NP_KEY_NEURO_SPAN_PARENT_ID, parent);
    key_string(w, list, NP_KEY_NEURO_SPAN_TRACE_STATE, span_->trace_state);
    key_string(w, list, NP_KEY_NEURO_SPAN_LINKS, links);
    for (size_t i = 0; i < span_->attrs.n; i++)
        if (!np_starts_with(span_->attrs.item[i].key, NP_SPAN_START_PREFIX))
            key_value(w, list, &span_->attrs.item[i]);
    w->format->list_end(w);
}

static void span_start(struct np_otlp_writer *w, const struct np_span *span_)
{
    char body[256];

    snprintf(body, sizeof(body), "span started: %s", span_->name);
    np_utf8_cut(body, sizeof(body) - 1);
    w->format->message_begin(w, FIELD(LOG_RECORDS));
    log_head(w, span_->start_ns, NP_DEBUG, body);
    start_attributes(w, span_);
    put_fixed(w, FIELD(LOG_DROPPED), span_->attrs.n_dropped);
    put_fixed(w, FIELD(LOG_FLAGS), span_->flags);
    log_tail(w, &span_->trace_id, &span_->span_id, span_->start_ns, NP_EVENT_SPAN_START);
    w->format->message_end(w);
}

/* Metrics. */

/* Sums are doubles; one beyond 2^63, which no count reaches, is cut to the range. */
static int64_t whole(double value)
{
    if (value >= 0x1p63)
        return INT64_MAX;
    return value <= -0x1p63 ? INT64_MIN : (int64_t)value;
}

static void exemplar(struct np_otlp_writer *w, const struct np_otlp_field *field,
                     const struct np_metric_def *def, const struct np_exemplar *one)
{
    w->format->message_begin(w, field);
    put_time(w, FIELD(EXEMPLAR_TIME), one->time_ns);
    if (!def->is_integer)
        put_number(w, FIELD(EXEMPLAR_DOUBLE), one->value);
    put_span_id(w, FIELD(EXEMPLAR_SPAN_ID), &one->span_id);
    put_trace_id(w, FIELD(EXEMPLAR_TRACE_ID), &one->trace_id);
    if (def->is_integer)
        put_integer(w, FIELD(EXEMPLAR_INT), whole(one->value));
    w->format->message_end(w);
}

static void exemplars(struct np_otlp_writer *w, const struct np_otlp_field *field,
                      const struct np_metric_point *point)
{
    if (point->n_exemplars == 0)
        return;
    w->format->list_begin(w, field);
    for (size_t i = 0; i < point->n_exemplars; i++)
        exemplar(w, field, point->def, &point->exemplar[i]);
    w->format->list_end(w);
}

static void number_point(struct np_otlp_writer *w, const struct np_metric_point *point)
{
    w->format->message_begin(w, FIELD(DATA_POINTS));
    put_time(w, FIELD(POINT_START), point->start_ns);
    put_time(w, FIELD(POINT_TIME), point->time_ns);
    if (!point->def->is_integer)
        put_number(w, FIELD(NUMBER_DOUBLE), point->value);
    exemplars(w, FIELD(NUMBER_EXEMPLARS), point);
    if (point->def->is_integer)
        put_integer(w, FIELD(NUMBER_INT), whole(point->value));
    attributes(w, FIELD(NUMBER_ATTRIBUTES), &point->attrs);
    w->format->message_end(w);
}

static void histogram_point(struct np_otlp_writer *w, const struct np_metric_point *point)
{
    const struct np_metric_def *def = point->def;

    w->format->message_begin(w, FIELD(DATA_POINTS));
    put_time(w, FIELD(POINT_START), point->start_ns);
    put_time(w, FIELD(POINT_TIME), point->time_ns);
    put_fixed(w, FIELD(HISTOGRAM_COUNT), point->count);
    put_number(w, FIELD(HISTOGRAM_SUM), point->sum);
    put(w, FIELD(HISTOGRAM_BUCKETS), false,
        &(struct np_otlp_value){.as.fixed_list = point->bucket, .n = def->n_bounds + 1});
    put(w, FIELD(HISTOGRAM_BOUNDS), def->n_bounds == 0,
        &(struct np_otlp_value){.as.number_list = def->bound, .n = def->n_bounds});
    exemplars(w, FIELD(HISTOGRAM_EXEMPLARS), point);
    attributes(w, FIELD(HISTOGRAM_ATTRIBUTES), &point->attrs);
    if (point->count > 0) {
        put_number(w, FIELD(HISTOGRAM_MIN), point->minimum);
        put_number(w, FIELD(HISTOGRAM_MAX), point->maximum);
    }
    w->format->message_end(w);
}

static void exponential_point(struct np_otlp_writer *w, const struct np_metric_point *point)
{
    const struct np_exponential *buckets = point->exponential;

    w->format->message_begin(w, FIELD(DATA_POINTS));
    attributes(w, FIELD(EXPONENTIAL_ATTRIBUTES), &point->attrs);
    put_time(w, FIELD(POINT_START), point->start_ns);
    put_time(w, FIELD(POINT_TIME), point->time_ns);
    put_fixed(w, FIELD(HISTOGRAM_COUNT), point->count);
    put_number(w, FIELD(HISTOGRAM_SUM), point->sum);
    put_integer(w, FIELD(EXPONENTIAL_SCALE), buckets->scale);
    put_fixed(w, FIELD(EXPONENTIAL_ZERO_COUNT), buckets->zero_count);
    if (buckets->n > 0) {
        w->format->message_begin(w, FIELD(EXPONENTIAL_POSITIVE));
        put_integer(w, FIELD(BUCKETS_OFFSET), buckets->offset);
        put(w, FIELD(BUCKETS_COUNTS), false,
            &(struct np_otlp_value){.as.fixed_list = buckets->bucket, .n = buckets->n});
        w->format->message_end(w);
    }
    exemplars(w, FIELD(EXPONENTIAL_EXEMPLARS), point);
    if (point->count > 0) {
        put_number(w, FIELD(EXPONENTIAL_MIN), point->minimum);
        put_number(w, FIELD(EXPONENTIAL_MAX), point->maximum);
    }
    w->format->message_end(w);
}

typedef void write_point(struct np_otlp_writer *w, const struct np_metric_point *point);

/* Points `point[0 … n)` of one metric. */
static void data(struct np_otlp_writer *w, const struct np_metric_point *point, size_t n)
{
    static const struct {
        enum np_otlp_field_index member;
        write_point *write;
    } table[] = {
        [NP_METRIC_COUNTER] = {NP_FIELD_METRIC_SUM, number_point},
        [NP_METRIC_UPDOWN] = {NP_FIELD_METRIC_SUM, number_point},
        [NP_METRIC_GAUGE] = {NP_FIELD_METRIC_GAUGE, number_point},
        [NP_METRIC_HISTOGRAM] = {NP_FIELD_METRIC_HISTOGRAM, histogram_point},
        [NP_METRIC_HISTOGRAM + 1] = {NP_FIELD_METRIC_EXPONENTIAL, exponential_point},
    };
    enum np_metric_kind kind = point[0].def->kind;
    size_t row = kind + (point[0].exponential ? 1u : 0u);

    w->format->message_begin(w, &np_otlp_fields[table[row].member]);
    w->format->list_begin(w, FIELD(DATA_POINTS));
    for (size_t i = 0; i < n; i++)
        table[row].write(w, &point[i]);
    w->format->list_end(w);
    if (kind != NP_METRIC_GAUGE)
        put_integer(w, FIELD(TEMPORALITY),
                    point[0].temporality == NP_DELTA ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE);
    if (kind == NP_METRIC_COUNTER)
        put_bool(w, FIELD(IS_MONOTONIC), true);
    w->format->message_end(w);
}

static void metric(struct np_otlp_writer *w, const struct np_metric_point *point, size_t n)
{
    w->format->message_begin(w, FIELD(METRICS));
    put_string(w, FIELD(METRIC_NAME), point[0].def->name);
    put_string(w, FIELD(METRIC_DESCRIPTION), point[0].def->description);
    put_string(w, FIELD(METRIC_UNIT), point[0].def->unit);
    data(w, point, n);
    w->format->message_end(w);
}

int np_otlp_encode_metrics(const struct np_otlp_format *format, const struct np_otlp_source *source,
                           const struct np_metric_point *point, size_t n,
                           struct np_otlp_buffer *out)
{
    struct np_otlp_writer w = {.format = format, .out = out};
    size_t before = out->length;

    envelope_begin(&w, NP_OTLP_METRICS, source);
    for (size_t i = 0, run; i < n; i += run) {
        run = 1;
        while (i + run < n && strcmp(point[i + run].def->name, point[i].def->name) == 0)
            run++;
        metric(&w, &point[i], run);
    }
    envelope_end(&w, source);
    return finish(out, before);
}

/* Requests that grow by one item at a time. */

void np_otlp_request_begin(struct np_otlp_request *request, const struct np_otlp_format *format,
                           const struct np_otlp_source *source, enum np_otlp_signal signal,
                           struct np_otlp_buffer *out)
{
    request->writer = (struct np_otlp_writer){.format = format, .out = out};
    request->source = source;
    envelope_begin(&request->writer, signal, source);
}

void np_otlp_request_span(struct np_otlp_request *request, const struct np_span *span_)
{
    span(&request->writer, span_);
}

void np_otlp_request_log(struct np_otlp_request *request, const struct np_log_record *record)
{
    log_record(&request->writer, record);
}

void np_otlp_request_span_start(struct np_otlp_request *request, const struct np_span *span_)
{
    span_start(&request->writer, span_);
}

/* End a copy of the writer, so that the request's own writer can still take items. */
void np_otlp_request_end(const struct np_otlp_request *request)
{
    struct np_otlp_writer w = request->writer;

    envelope_end(&w, request->source);
}
