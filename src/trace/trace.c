#include "trace/trace.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "trace/internal.h"

static const struct np_trace_limits unlimited = {-1, -1, -1, -1, -1, -1, -1};

const struct np_severity_word np_severity_words[NP_N_SEVERITY_WORDS] = {
    {NP_TRACE_LEVEL, "TRACE", "trace"}, {NP_DEBUG, "DEBUG", "debug"},
    {NP_INFO, "INFO", "info"},          {NP_WARN, "WARN", "warn"},
    {NP_ERROR_LEVEL, "ERROR", "error"}, {NP_FATAL, "FATAL", "fatal"},
};

const char *np_severity_name(enum np_severity severity)
{
    size_t i = NP_N_SEVERITY_WORDS - 1;

    while (i > 0 && severity < np_severity_words[i].least)
        i--;
    return np_severity_words[i].name;
}

struct np_trace *np_trace_new(const struct np_attrs *resource)
{
    struct np_trace *trace = np_xcalloc(1, sizeof(*trace));

    if (resource)
        np_attrs_copy(resource, &trace->resource);
    trace->start_ns = trace->last_collection_ns = np_clock_unix_ns();
    trace->last_mono_ns = np_clock_mono_ns();
    trace->limits = unlimited;
    np_random_seed(&trace->random, (uint64_t)trace->start_ns, 0);
    return trace;
}

void np_trace_freep(struct np_trace **address)
{
    struct np_trace *trace = *address;

    if (!trace)
        return;
    for (size_t i = 0; i < trace->n_sinks; i++)
        if (trace->sink[i].close)
            trace->sink[i].close(trace->sink[i].self);
    for (size_t i = 0; i < trace->n_series; i++)
        np_timeseries_freep(&trace->series[i]);
    free(trace->series);
    np_attrs_done(&trace->resource);
    np_freep(address);
}

void np_trace_add_sink(struct np_trace *trace, struct np_trace_sink sink)
{
    assert(trace->n_sinks < NP_TRACE_MOST_SINKS);
    trace->sink[trace->n_sinks++] = sink;
}

const struct np_attrs *np_trace_resource(const struct np_trace *trace)
{
    return &trace->resource;
}

void np_trace_settle(struct np_trace *trace)
{
    for (size_t i = 0; i < trace->n_sinks; i++)
        if (trace->sink[i].settle)
            trace->sink[i].settle(trace->sink[i].self);
}

void np_trace_flush(struct np_trace *trace)
{
    for (size_t i = 0; i < trace->n_sinks; i++)
        if (trace->sink[i].flush)
            trace->sink[i].flush(trace->sink[i].self);
}

void np_trace_set_limits(struct np_trace *trace, const struct np_trace_limits *limits)
{
    trace->limits = *limits;
}

/* True when a list is within its limits, which is the usual case. */
static bool fits(const struct np_attrs *attrs, int64_t most_attributes, int64_t most_characters)
{
    if (most_attributes >= 0 && (int64_t)attrs->n > most_attributes)
        return false;
    for (size_t i = 0; most_characters >= 0 && i < attrs->n; i++)
        if (attrs->item[i].type == NP_ATTR_STRING &&
            (int64_t)strlen(attrs->item[i].value.string) > most_characters)
            return false;
    return true;
}

static bool span_fits(const struct np_span *span, const struct np_trace_limits *limits)
{
    if (!fits(&span->attrs, limits->span_attributes, limits->span_characters) ||
        (limits->span_events >= 0 && (int64_t)span->n_events > limits->span_events) ||
        (limits->span_links >= 0 && (int64_t)span->n_links > limits->span_links))
        return false;
    for (size_t i = 0; i < span->n_events; i++)
        if (!fits(&span->event[i].attrs, limits->event_attributes, limits->span_characters))
            return false;
    return true;
}

/* At most `most` of `n`; the rest is added to `*n_dropped`. */
static size_t at_most(size_t n, int64_t most, uint32_t *n_dropped)
{
    if (most < 0 || (int64_t)n <= most)
        return n;
    *n_dropped += (uint32_t)(n - (size_t)most);
    return (size_t)most;
}

typedef void span_call(void *self, const struct np_span *span);

/* Call `call` with a copy of the span that respects the limits. */
static void with_limits(const struct np_span *span, const struct np_trace_limits *limits,
                        span_call *call, void *self)
{
    struct np_span copy = *span; /* borrows everything except the members that are copied below */

    copy.attrs = (struct np_attrs){0};
    np_attrs_copy_limited(&span->attrs, limits->span_attributes, limits->span_characters,
                          &copy.attrs);
    copy.n_links = at_most(span->n_links, limits->span_links, &copy.n_links_dropped);
    copy.n_events = at_most(span->n_events, limits->span_events, &copy.n_events_dropped);
    copy.event = np_xcalloc(copy.n_events + 1, sizeof(*copy.event));
    for (size_t i = 0; i < copy.n_events; i++) {
        copy.event[i] = span->event[i];
        copy.event[i].attrs = (struct np_attrs){0};
        np_attrs_copy_limited(&span->event[i].attrs, limits->event_attributes,
                              limits->span_characters, &copy.event[i].attrs);
    }
    call(self, &copy);
    for (size_t i = 0; i < copy.n_events; i++)
        np_attrs_done(&copy.event[i].attrs);
    free(copy.event);
    np_attrs_done(&copy.attrs);
}

static void hand_over(const struct np_trace *trace, const struct np_span *span, span_call *call,
                      void *self)
{
    if (!call)
        return;
    if (span_fits(span, &trace->limits))
        call(self, span);
    else
        with_limits(span, &trace->limits, call, self);
}

void np_trace_span_start(struct np_trace *trace, const struct np_span *span)
{
    for (size_t i = 0; i < trace->n_sinks; i++)
        hand_over(trace, span, trace->sink[i].span_start, trace->sink[i].self);
}

void np_trace_span_end(struct np_trace *trace, const struct np_span *span)
{
    for (size_t i = 0; i < trace->n_sinks; i++)
        hand_over(trace, span, trace->sink[i].span_end, trace->sink[i].self);
}

void np_trace_log_unlimited(struct np_trace *trace, const struct np_log_record *record)
{
    for (size_t i = 0; i < trace->n_sinks; i++)
        if (trace->sink[i].log)
            trace->sink[i].log(trace->sink[i].self, record);
}

void np_trace_log_record(struct np_trace *trace, const struct np_log_record *record)
{
    const struct np_trace_limits *limits = &trace->limits;

    if (fits(&record->attrs, limits->log_attributes, limits->log_characters)) {
        np_trace_log_unlimited(trace, record);
        return;
    }
    struct np_log_record copy = *record;
    copy.attrs = (struct np_attrs){0};
    np_attrs_copy_limited(&record->attrs, limits->log_attributes, limits->log_characters,
                          &copy.attrs);
    np_trace_log_unlimited(trace, &copy);
    np_attrs_done(&copy.attrs);
}

void np_trace_add_observer(struct np_trace *trace,
                           void (*observe)(void *self, struct np_trace *trace), void *self)
{
    assert(trace->n_observers < NP_TRACE_MOST_OBSERVERS);
    trace->observer[trace->n_observers++] = (struct np_observer){observe, self};
}

void np_trace_remove_observer(struct np_trace *trace, const void *self)
{
    size_t n = 0;

    for (size_t i = 0; i < trace->n_observers; i++)
        if (trace->observer[i].self != self)
            trace->observer[n++] = trace->observer[i];
    trace->n_observers = n;
}

void np_trace_log(struct np_trace *trace, const struct np_span *span, enum np_severity severity,
                  const struct np_attrs *attrs, const char *format, ...)
{
    NP_AUTO(np_log_record_done)
    struct np_log_record record = {.time_ns = np_clock_unix_ns(), .severity = severity};
    NP_AUTO(np_freep) char *text = NULL;
    va_list args;

    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        text = np_xstrdup(format); /* without memory, log the unformatted pattern */
    record.body = np_utf8_clean(text);
    if (span) {
        record.trace_id = span->trace_id;
        record.span_id = span->span_id;
        record.flags = span->flags & NP_FLAG_W3C;
    }
    if (attrs)
        np_attrs_copy(attrs, &record.attrs);
    np_trace_log_record(trace, &record);
}

void np_log_record_done(struct np_log_record *record)
{
    free(record->body);
    np_attrs_done(&record->attrs);
    *record = (struct np_log_record){0};
}
