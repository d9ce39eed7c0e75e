#include "pipeline/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

enum { MOST_FRAME_BYTES = 64 << 20 };

struct head {
    uint32_t type;
    uint32_t n_bytes;
};

static void put(struct np_str *out, const void *bytes, size_t n)
{
    np_str_add_bytes(out, bytes, n);
}

static void put_u32(struct np_str *out, uint32_t value)
{
    put(out, &value, sizeof(value));
}

static void put_i64(struct np_str *out, int64_t value)
{
    put(out, &value, sizeof(value));
}

/* NULL is sent as a length of UINT32_MAX. */
static void put_text(struct np_str *out, const char *text)
{
    put_u32(out, text ? (uint32_t)strlen(text) : UINT32_MAX);
    if (text)
        put(out, text, strlen(text));
}

static void put_attrs(struct np_str *out, const struct np_attrs *attrs)
{
    put_u32(out, (uint32_t)attrs->n);
    for (size_t i = 0; i < attrs->n; i++) {
        const struct np_attr *attr = &attrs->item[i];
        put_text(out, attr->key);
        put_u32(out, attr->type);
        if (attr->type == NP_ATTR_STRING)
            put_text(out, attr->value.string);
        else if (attr->type == NP_ATTR_DOUBLE)
            put(out, &attr->value.number, sizeof(double));
        else
            put_i64(out, attr->type == NP_ATTR_BOOL ? attr->value.boolean : attr->value.integer);
    }
}

static void put_span(struct np_str *out, const struct np_span *span)
{
    put(out, &span->trace_id, sizeof(span->trace_id));
    put(out, &span->span_id, sizeof(span->span_id));
    put(out, &span->parent_id, sizeof(span->parent_id));
    put_u32(out, span->flags);
    put_text(out, span->trace_state);
    put_text(out, span->name);
    put_i64(out, span->start_ns);
    put_i64(out, span->end_ns);
    put_i64(out, span->start_mono_ns);
    put_u32(out, span->status);
    put_text(out, span->status_message);
    put_attrs(out, &span->attrs);
    put_u32(out, (uint32_t)span->n_events);
    for (size_t i = 0; i < span->n_events; i++) {
        put_i64(out, span->event[i].time_ns);
        put_text(out, span->event[i].name);
        put_attrs(out, &span->event[i].attrs);
    }
    put_u32(out, (uint32_t)span->n_links);
    for (size_t i = 0; i < span->n_links; i++) {
        put(out, &span->link[i].trace_id, sizeof(span->link[i].trace_id));
        put(out, &span->link[i].span_id, sizeof(span->link[i].span_id));
        put_u32(out, span->link[i].flags);
        put_text(out, span->link[i].trace_state);
    }
}

static void send_frame(int fd, enum np_frame_type type, const struct np_str *payload)
{
    NP_AUTO(np_str_done) struct np_str frame = {0};
    const struct head head = {type, (uint32_t)payload->length};

    put(&frame, &head, sizeof(head));
    put(&frame, np_str_text(payload), payload->length);
    /* A failure means that the supervisor has ended; then no other process reads this. */
    NP_IGNORE(np_fd_write_all(fd, frame.text, frame.length));
}

static void sink_span(void *self, const struct np_span *span, enum np_frame_type type)
{
    NP_AUTO(np_str_done) struct np_str payload = {0};

    put_span(&payload, span);
    send_frame(*(const int *)self, type, &payload);
}

static void sink_span_start(void *self, const struct np_span *span)
{
    sink_span(self, span, NP_FRAME_SPAN_START);
}

static void sink_span_end(void *self, const struct np_span *span)
{
    sink_span(self, span, NP_FRAME_SPAN_END);
}

static void sink_log(void *self, const struct np_log_record *record)
{
    NP_AUTO(np_str_done) struct np_str payload = {0};

    put_i64(&payload, record->time_ns);
    put_u32(&payload, record->severity);
    put_text(&payload, record->body);
    put(&payload, &record->trace_id, sizeof(record->trace_id));
    put(&payload, &record->span_id, sizeof(record->span_id));
    put_u32(&payload, record->flags);
    put_attrs(&payload, &record->attrs);
    send_frame(*(const int *)self, NP_FRAME_LOG, &payload);
}

struct np_trace_sink np_wire_sink(int *fd)
{
    return (struct np_trace_sink){
        .self = fd, .span_start = sink_span_start, .span_end = sink_span_end, .log = sink_log};
}

void np_wire_send_file(int fd, uint32_t index, const char *json)
{
    NP_AUTO(np_str_done) struct np_str payload = {0};

    put_u32(&payload, index);
    put_text(&payload, json);
    send_frame(fd, NP_FRAME_FILE, &payload);
}

bool np_wire_next(const struct np_str *buffer, size_t *position, struct np_frame *frame)
{
    struct head head;

    if (buffer->length - *position < sizeof(head))
        return false;
    memcpy(&head, buffer->text + *position, sizeof(head));
    if (head.n_bytes > MOST_FRAME_BYTES || buffer->length - *position - sizeof(head) < head.n_bytes)
        return false;
    *frame = (struct np_frame){.type = (enum np_frame_type)head.type,
                               .payload = buffer->text + *position + sizeof(head),
                               .n_bytes = head.n_bytes};
    *position += sizeof(head) + head.n_bytes;
    return true;
}

/* A reader with an error state: after the first error all further reads fail. */
struct cursor {
    const char *next;
    size_t left;
    bool bad;
};

static void get(struct cursor *in, void *out, size_t n)
{
    if (in->bad || in->left < n) {
        in->bad = true;
        memset(out, 0, n);
        return;
    }
    memcpy(out, in->next, n);
    in->next += n;
    in->left -= n;
}

static uint32_t get_u32(struct cursor *in)
{
    uint32_t value;

    get(in, &value, sizeof(value));
    return value;
}

static int64_t get_i64(struct cursor *in)
{
    int64_t value;

    get(in, &value, sizeof(value));
    return value;
}

static char *get_text(struct cursor *in)
{
    uint32_t n = get_u32(in);

    if (in->bad || n == UINT32_MAX)
        return NULL;
    if (in->left < n) {
        in->bad = true;
        return NULL;
    }
    char *text = np_xstrndup(in->next, n);
    in->next += n;
    in->left -= n;
    return text;
}

static void get_attrs(struct cursor *in, struct np_attrs *attrs)
{
    uint32_t n = get_u32(in);

    for (uint32_t i = 0; i < n && !in->bad; i++) {
        NP_AUTO(np_freep) char *key = get_text(in);
        uint32_t type = get_u32(in);
        if (!key)
            in->bad = true;
        else if (type == NP_ATTR_STRING) {
            NP_AUTO(np_freep) char *text = get_text(in);
            np_attrs_string(attrs, key, text);
        } else if (type == NP_ATTR_DOUBLE) {
            double number;
            get(in, &number, sizeof(number));
            np_attrs_double(attrs, key, number);
        } else if (type == NP_ATTR_BOOL) {
            np_attrs_bool(attrs, key, get_i64(in) != 0);
        } else {
            np_attrs_int(attrs, key, get_i64(in));
        }
    }
}

/* Each takes at least a few bytes: a larger count is invalid. */
static uint32_t get_count(struct cursor *in, size_t smallest)
{
    uint32_t n = get_u32(in);

    if (n > in->left / smallest)
        in->bad = true;
    return in->bad ? 0 : n;
}

static void get_events(struct cursor *in, struct np_span *span)
{
    uint32_t n = get_count(in, 12);

    span->event = np_xcalloc(n, sizeof(*span->event));
    for (uint32_t i = 0; i < n; i++) {
        struct np_span_event *event = &span->event[span->n_events++];
        event->time_ns = get_i64(in);
        event->name = get_text(in);
        get_attrs(in, &event->attrs);
        if (!event->name)
            event->name = np_xstrdup("");
    }
}

static void get_links(struct cursor *in, struct np_span *span)
{
    uint32_t n = get_count(in, 28);

    span->link = np_xcalloc(n, sizeof(*span->link));
    for (uint32_t i = 0; i < n; i++) {
        struct np_span_link *link = &span->link[span->n_links++];
        get(in, &link->trace_id, sizeof(link->trace_id));
        get(in, &link->span_id, sizeof(link->span_id));
        link->flags = get_u32(in);
        link->trace_state = get_text(in);
    }
}

bool np_wire_span(const struct np_frame *frame, struct np_span **out)
{
    struct cursor in = {.next = frame->payload, .left = frame->n_bytes};
    struct np_span *span = np_xcalloc(1, sizeof(*span));

    get(&in, &span->trace_id, sizeof(span->trace_id));
    get(&in, &span->span_id, sizeof(span->span_id));
    get(&in, &span->parent_id, sizeof(span->parent_id));
    span->flags = get_u32(&in);
    span->trace_state = get_text(&in);
    span->name = get_text(&in);
    span->start_ns = get_i64(&in);
    span->end_ns = get_i64(&in);
    span->start_mono_ns = get_i64(&in);
    span->status = (enum np_span_status)get_u32(&in);
    span->status_message = get_text(&in);
    get_attrs(&in, &span->attrs);
    get_events(&in, span);
    get_links(&in, span);
    if (in.bad || !span->name) {
        np_span_freep(&span);
        return false;
    }
    *out = span;
    return true;
}

bool np_wire_log(const struct np_frame *frame, struct np_log_record *record)
{
    struct cursor in = {.next = frame->payload, .left = frame->n_bytes};

    *record = (struct np_log_record){.time_ns = get_i64(&in)};
    record->severity = (enum np_severity)get_u32(&in);
    record->body = get_text(&in);
    get(&in, &record->trace_id, sizeof(record->trace_id));
    get(&in, &record->span_id, sizeof(record->span_id));
    record->flags = get_u32(&in);
    get_attrs(&in, &record->attrs);
    if (in.bad || !record->body) {
        np_log_record_done(record);
        return false;
    }
    return true;
}

bool np_wire_file(const struct np_frame *frame, uint32_t *index, char **json)
{
    struct cursor in = {.next = frame->payload, .left = frame->n_bytes};

    *index = get_u32(&in);
    *json = get_text(&in);
    return *json && !in.bad;
}
