#include "show/console.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"
#include "otlp/buffer.h"
#include "trace/names.h"

struct console {
    int fd;
    const struct np_otlp_redactor *redactor;
    struct np_otlp_buffer line, redacted;
};

static void add(struct np_otlp_buffer *line, const char *format, ...) NP_PRINTF(2, 3);
static void add(struct np_otlp_buffer *line, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    np_otlp_buffer_text(line, text);
}

/* Append `text` (NULL = "") in quotes. A control character becomes a blank; a byte that is not
 * UTF-8 becomes '?'. */
static void add_quoted(struct np_otlp_buffer *line, const char *text)
{
    np_otlp_buffer_add(line, "\"", 1);
    for (const char *c = text ? text : ""; *c;) {
        size_t n = np_utf8_sequence(c);
        bool is_control = n == 1 && ((unsigned char)*c < 0x20 || *c == 0x7f);
        if (*c == '"' || *c == '\\')
            np_otlp_buffer_add(line, "\\", 1);
        np_otlp_buffer_add(line, n == 0 ? "?" : is_control ? " " : c, n ? n : 1);
        c += n ? n : 1;
    }
    np_otlp_buffer_add(line, "\"", 1);
}

/* Append `text`, redacted as the value of `key` (NULL = a text that is no attribute). */
static void add_redacted(struct console *console, const char *key, const char *text)
{
    struct np_otlp_buffer *redacted = &console->redacted;

    if (!text || !console->redactor) {
        add_quoted(&console->line, text);
        return;
    }
    np_otlp_buffer_cut(redacted, 0);
    np_otlp_redact(console->redactor, key, text, strlen(text), redacted);
    np_otlp_buffer_add(redacted, "", 1);
    add_quoted(&console->line, redacted->failed ? NULL : redacted->bytes);
}

static void add_attributes(struct console *console, const struct np_attrs *attrs)
{
    struct np_otlp_buffer *line = &console->line;

    for (size_t i = 0; i < attrs->n; i++) {
        const struct np_attr *attr = &attrs->item[i];
        if (np_otlp_redact_leaves_out(console->redactor, attr->key))
            continue;
        add(line, " %s=", attr->key);
        switch (attr->type) {
        case NP_ATTR_STRING:
            add_redacted(console, attr->key, attr->value.string);
            break;
        case NP_ATTR_INT:
            add(line, "%" PRId64, attr->value.integer);
            break;
        case NP_ATTR_DOUBLE:
            add(line, "%.6g", attr->value.number);
            break;
        case NP_ATTR_BOOL:
            add(line, "%s", attr->value.boolean ? "true" : "false");
            break;
        }
    }
}

static void add_ids(struct np_otlp_buffer *line, const struct np_trace_id *trace_id,
                    const struct np_span_id *span_id)
{
    char trace[NP_TRACE_ID_HEX], span[NP_SPAN_ID_HEX];

    if (np_trace_id_is_zero(trace_id))
        return;
    np_trace_id_hex(trace_id, trace);
    np_span_id_hex(span_id, span);
    add(line, ", trace %s, span %s", trace, span);
}

/* End the line and write it whole. */
static void write_line(struct console *console)
{
    np_otlp_buffer_add(&console->line, "\n", 1);
    /* A failure means that the reader has closed; the record has all of it. */
    if (!console->line.failed)
        NP_IGNORE(np_fd_write_all(console->fd, console->line.bytes, console->line.length));
    np_otlp_buffer_cut(&console->line, 0);
}

/* Spans. */

static void add_parent(struct np_otlp_buffer *line, const struct np_span *span)
{
    char parent[NP_SPAN_ID_HEX];

    if (np_span_id_is_zero(&span->parent_id))
        return;
    np_span_id_hex(&span->parent_id, parent);
    add(line, ", parent %s", parent);
}

static void on_span_end(void *self, const struct np_span *span)
{
    struct console *console = self;
    struct np_otlp_buffer *line = &console->line;
    char time[NP_CLOCK_TEXT];

    add(line, "span %s %.3f s", span->name, (double)(span->end_ns - span->start_ns) / 1e9);
    if (span->status == NP_STATUS_ERROR) {
        add(line, ", error ");
        add_redacted(console, NULL, span->status_message);
    }
    add_ids(line, &span->trace_id, &span->span_id);
    add_parent(line, span);
    add_attributes(console, &span->attrs);
    write_line(console);
    for (size_t i = 0; i < span->n_events; i++) {
        add(line, "  event %s %s", span->event[i].name,
            np_clock_iso8601(span->event[i].time_ns, time));
        add_attributes(console, &span->event[i].attrs);
        write_line(console);
    }
}

/* Logs. */

static void on_log(void *self, const struct np_log_record *record)
{
    struct console *console = self;
    const struct np_attr *event = np_attrs_find(&record->attrs, NP_KEY_EVENT_NAME);
    char time[NP_CLOCK_TEXT];

    if (event && strcmp(event->value.string, NP_EVENT_SAMPLING) == 0)
        return; /* for readers of the record, not for people */
    add(&console->line, "log %s %s ", np_clock_iso8601(record->time_ns, time),
        np_severity_name(record->severity));
    add_redacted(console, NULL, record->body);
    add_ids(&console->line, &record->trace_id, &record->span_id);
    add_attributes(console, &record->attrs);
    write_line(console);
}

/* Metrics. */

static void on_metrics(void *self, const struct np_metric_point *point, size_t n)
{
    struct console *console = self;

    for (size_t i = 0; i < n; i++) {
        const struct np_metric_point *p = &point[i];
        add(&console->line, "metric %s ", p->def->name);
        if (p->def->kind != NP_METRIC_HISTOGRAM)
            add(&console->line, "%.15g", p->value);
        else if (p->count == 0)
            add(&console->line, "count 0");
        else
            add(&console->line, "count %" PRIu64 ", sum %.6g, min %.6g, max %.6g", p->count, p->sum,
                p->minimum, p->maximum);
        add(&console->line, " %s", p->def->unit);
        add_attributes(console, &p->attrs);
        write_line(console);
    }
}

static void on_close(void *self)
{
    struct console *console = self;

    np_otlp_buffer_done(&console->line);
    np_otlp_buffer_done(&console->redacted);
    free(console);
}

void np_show_console_open(int fd, const struct np_send_settings *settings,
                          const struct np_otlp_redactor *redactor, struct np_trace_sink *sink)
{
    struct console *console = np_xcalloc(1, sizeof(*console));

    console->fd = fd;
    console->redactor = redactor;
    *sink = (struct np_trace_sink){.self = console, .close = on_close};
    if (settings->exporters[NP_OTLP_TRACES] & NP_SEND_TO_CONSOLE)
        sink->span_end = on_span_end;
    if (settings->exporters[NP_OTLP_LOGS] & NP_SEND_TO_CONSOLE)
        sink->log = on_log;
    if (settings->exporters[NP_OTLP_METRICS] & NP_SEND_TO_CONSOLE)
        sink->metrics = on_metrics;
}
