#include "trace/trace.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "trace/internal.h"

struct np_trace *np_trace_new(const struct np_attrs *resource)
{
    struct np_trace *trace = np_xcalloc(1, sizeof(*trace));

    if (resource)
        np_attrs_copy(resource, &trace->resource);
    trace->start_ns = np_clock_unix_ns();
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
        np_metric_point_freep(&trace->series[i]);
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

void np_trace_flush(struct np_trace *trace)
{
    for (size_t i = 0; i < trace->n_sinks; i++)
        if (trace->sink[i].flush)
            trace->sink[i].flush(trace->sink[i].self);
}

void np_trace_span_start(struct np_trace *trace, const struct np_span *span)
{
    for (size_t i = 0; i < trace->n_sinks; i++)
        if (trace->sink[i].span_start)
            trace->sink[i].span_start(trace->sink[i].self, span);
}

void np_trace_span_end(struct np_trace *trace, const struct np_span *span)
{
    for (size_t i = 0; i < trace->n_sinks; i++)
        if (trace->sink[i].span_end)
            trace->sink[i].span_end(trace->sink[i].self, span);
}

void np_trace_log_record(struct np_trace *trace, const struct np_log_record *record)
{
    for (size_t i = 0; i < trace->n_sinks; i++)
        if (trace->sink[i].log)
            trace->sink[i].log(trace->sink[i].self, record);
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
        text = np_xstrdup(format); /* better the pattern than nothing */
    record.body = np_utf8_clean(text);
    if (span) {
        record.trace_id = span->trace_id;
        record.span_id = span->span_id;
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
