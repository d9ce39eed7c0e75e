#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "trace/names.h"
#include "trace/trace.h"

static char *copy_or_null(const char *text)
{
    return text ? np_xstrdup(text) : NULL;
}

/* Add a copy of `link`. */
static void add_link(struct np_span *span, const struct np_span_link *link)
{
    span->link = np_xrealloc(span->link, (span->n_links + 1) * sizeof(*span->link));
    struct np_span_link *added = &span->link[span->n_links++];
    *added = *link;
    added->trace_state = copy_or_null(link->trace_state);
}

struct np_span *np_span_new(const char *name, const struct np_span *parent)
{
    struct np_span *span = np_xcalloc(1, sizeof(*span));

    span->name = np_utf8_clean(name);
    span->span_id = np_span_id_new();
    span->start_ns = np_clock_unix_ns();
    span->start_mono_ns = np_clock_mono_ns();
    if (parent) {
        if (span->start_ns < parent->start_ns) /* the wall clock was set back */
            span->start_ns = parent->start_ns;
        span->trace_id = parent->trace_id;
        span->parent_id = parent->span_id;
        span->flags = (parent->flags & NP_FLAG_W3C) | NP_FLAG_PARENT_KNOWN;
        span->trace_state = copy_or_null(parent->trace_state);
    } else {
        span->trace_id = np_trace_id_new();
        span->flags = NP_FLAG_SAMPLED;
    }
    return span;
}

struct np_span *np_span_copy(const struct np_span *span)
{
    struct np_span *copy = np_xmalloc(sizeof(*copy));

    *copy = *span;
    copy->name = np_xstrdup(span->name);
    copy->trace_state = copy_or_null(span->trace_state);
    copy->status_message = copy_or_null(span->status_message);
    copy->attrs = (struct np_attrs){0};
    np_attrs_copy(&span->attrs, &copy->attrs);
    copy->event = NULL;
    copy->n_events = 0;
    copy->link = NULL;
    copy->n_links = 0;
    for (size_t i = 0; i < span->n_links; i++)
        add_link(copy, &span->link[i]);
    return copy;
}

void np_span_begin(struct np_trace *trace, struct np_span *span)
{
    np_trace_span_start(trace, span);
}

int64_t np_span_now_ns(const struct np_span *span)
{
    if (span->start_mono_ns)
        return span->start_ns + (np_clock_mono_ns() - span->start_mono_ns);
    int64_t now_ns = np_clock_unix_ns();
    return now_ns > span->start_ns ? now_ns : span->start_ns;
}

void np_span_event(struct np_span *span, const char *name, const struct np_attrs *attrs)
{
    span->event = np_xrealloc(span->event, (span->n_events + 1) * sizeof(*span->event));
    struct np_span_event *event = &span->event[span->n_events++];
    *event = (struct np_span_event){.time_ns = np_span_now_ns(span), .name = np_utf8_clean(name)};
    if (attrs)
        np_attrs_copy(attrs, &event->attrs);
}

void np_span_link(struct np_span *span, const struct np_span *other)
{
    add_link(span, &(struct np_span_link){
                       .trace_id = other->trace_id,
                       .span_id = other->span_id,
                       .flags = (other->flags & NP_FLAG_W3C) | NP_FLAG_PARENT_KNOWN,
                       .trace_state = other->trace_state,
                   });
}

void np_span_fail(struct np_span *span, const struct np_error *err)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    const char *type = np_outcome_info(np_error_outcome(err->code))->name;

    np_attrs_string(&attrs, NP_KEY_EXCEPTION_TYPE, np_error_ident(err->code));
    np_attrs_string(&attrs, NP_KEY_EXCEPTION_MESSAGE, err->text);
    np_span_event(span, NP_EVENT_EXCEPTION, &attrs);
    np_attrs_string(&span->attrs, NP_KEY_ERROR_TYPE, type);
    np_attrs_string(&span->attrs, NP_KEY_NEURO_ERROR_CODE, np_error_ident(err->code));
    span->status = NP_STATUS_ERROR;
    free(span->status_message);
    span->status_message = np_utf8_clean(err->text);
}

void np_span_end(struct np_trace *trace, struct np_span **address)
{
    struct np_span *span = *address;

    if (!span)
        return;
    if (span->end_ns == 0)
        span->end_ns = np_span_now_ns(span);
    np_trace_span_end(trace, span);
    np_span_freep(address);
}

void np_span_freep(struct np_span **address)
{
    struct np_span *span = *address;

    if (!span)
        return;
    for (size_t i = 0; i < span->n_events; i++) {
        free(span->event[i].name);
        np_attrs_done(&span->event[i].attrs);
    }
    for (size_t i = 0; i < span->n_links; i++)
        free(span->link[i].trace_state);
    free(span->event);
    free(span->link);
    free(span->trace_state);
    free(span->name);
    free(span->status_message);
    np_attrs_done(&span->attrs);
    np_freep(address);
}

void np_traceparent_format(const struct np_span *span, char out[NP_TRACEPARENT_TEXT])
{
    char trace[NP_TRACE_ID_HEX], id[NP_SPAN_ID_HEX];

    np_trace_id_hex(&span->trace_id, trace);
    np_span_id_hex(&span->span_id, id);
    snprintf(out, NP_TRACEPARENT_TEXT, "00-%s-%s-%02x", trace, id,
             (unsigned)(span->flags & NP_FLAG_W3C));
}

/* The characters that a key and a value may have: https://www.w3.org/TR/trace-context/ section
 * 3.3.1. */
static bool is_member(const char *text, size_t n)
{
    enum { MOST_KEY = 256, MOST_VALUE = 256 };
    static const char key_bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@";
    const char *equals = memchr(text, '=', n);
    size_t key = equals ? (size_t)(equals - text) : 0;

    if (key == 0 || key > MOST_KEY || n - key - 1 > MOST_VALUE || n == key + 1)
        return false;
    if (!(*text >= 'a' && *text <= 'z') && !(*text >= '0' && *text <= '9'))
        return false;
    if (strspn(text, key_bytes) < key)
        return false;
    for (size_t i = key + 1; i < n; i++)
        if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '=')
            return false;
    return true;
}

bool np_tracestate_is_valid(const char *text)
{
    enum { MOST_MEMBERS = 32 };
    int n_members = 0;

    for (;;) {
        text += strspn(text, " \t");
        size_t n = strcspn(text, ","), used = n;
        while (used > 0 && (text[used - 1] == ' ' || text[used - 1] == '\t'))
            used--;
        if (used > 0 && (!is_member(text, used) || ++n_members > MOST_MEMBERS))
            return false;
        if (!text[n])
            return n_members > 0;
        text += n + 1;
    }
}

bool np_span_join_environment(struct np_span *span)
{
    const char *parent = getenv("TRACEPARENT");
    const char *state = getenv("TRACESTATE");
    uint32_t flags;

    if (!parent || !np_traceparent_parse(parent, &span->trace_id, &span->parent_id, &flags))
        return false;
    span->flags = flags | NP_FLAG_PARENT_KNOWN | NP_FLAG_PARENT_REMOTE;
    free(span->trace_state);
    span->trace_state = state && np_tracestate_is_valid(state) ? np_xstrdup(state) : NULL;
    return true;
}

void np_span_export_environment(const struct np_span *span)
{
    char parent[NP_TRACEPARENT_TEXT];

    np_traceparent_format(span, parent);
    setenv("TRACEPARENT", parent, 1);
    if (span->trace_state)
        setenv("TRACESTATE", span->trace_state, 1);
    else
        unsetenv("TRACESTATE");
}
