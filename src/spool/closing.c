/*
 * Close the spans that a dead run left open.
 *   1. Read the record line by line: a span start opens, a span closes, any time is a sign of life.
 *   2. Spans that are still open are ended at the last sign of life, with error.type "killed".
 *   3. Append these spans, as few lines as there are resources; after that, step 1 finds none open.
 */
#include "spool/closing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/json.h"
#include "spool/append.h"
#include "spool/lines.h"
#include "trace/names.h"

enum { MOST_OPEN = 65536, MOST_SPANS_A_LINE = 256 };

/* An open span, and the resource and scope of its line, which spans of the same run share. */
struct open_span {
    struct np_span *span;
    json_t *resource, *scope, *schema_url; /* owned references, NULL when absent */
};

struct open_spans {
    struct open_span *item;
    size_t n, capacity;
};

static void open_span_done(struct open_span *open)
{
    np_span_freep(&open->span);
    json_decref(open->resource);
    json_decref(open->scope);
    json_decref(open->schema_url);
}

static void open_spans_done(struct open_spans *list)
{
    for (size_t i = 0; i < list->n; i++)
        open_span_done(&list->item[i]);
    free(list->item);
}

/* Search from the newest: a span that ends is nearly always one of the last that began. */
static struct open_span *find(const struct open_spans *list, const struct np_trace_id *trace_id,
                              const struct np_span_id *span_id)
{
    for (size_t i = list->n; i-- > 0;) {
        const struct np_span *span = list->item[i].span;
        if (memcmp(&span->span_id, span_id, sizeof(*span_id)) == 0 &&
            memcmp(&span->trace_id, trace_id, sizeof(*trace_id)) == 0)
            return &list->item[i];
    }
    return NULL;
}

static void remove_open(struct open_spans *list, struct open_span *open)
{
    size_t at = (size_t)(open - list->item);

    open_span_done(open);
    memmove(open, open + 1, (list->n - at - 1) * sizeof(*open));
    list->n--;
}

/* A new reference to `known` when it equals `value`, else to `value`: equal ones are kept once. */
static json_t *share(json_t *value, json_t *known)
{
    return json_incref(value && known && json_equal(value, known) ? known : value);
}

/* Takes over `span`. */
static int add_open(struct open_spans *list, struct np_span *span, json_t *resource, json_t *scope,
                    json_t *schema_url, struct np_error *err)
{
    if (list->n == MOST_OPEN || find(list, &span->trace_id, &span->span_id)) {
        np_span_freep(&span);
        return 0;
    }
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct open_span *item = np_try_realloc(list->item, capacity, sizeof(*item));
        if (!item) {
            np_span_freep(&span);
            return np_error_set(err, NP_ENOMEM, "no memory for %zu open spans", capacity);
        }
        list->item = item;
        list->capacity = capacity;
    }
    const struct open_span none = {0};
    const struct open_span *last = list->n ? &list->item[list->n - 1] : &none;
    list->item[list->n++] = (struct open_span){
        .span = span,
        .resource = share(resource, last->resource),
        .scope = share(scope, last->scope),
        .schema_url = share(schema_url, last->schema_url),
    };
    return 0;
}

static int note_starts(struct open_spans *list, const json_t *request,
                       struct np_spool_closing *report, struct np_error *err)
{
    size_t i, k, m;
    json_t *resource_logs, *scope_logs, *record;

    json_array_foreach(json_object_get(request, "resourceLogs"), i, resource_logs)
    {
        json_t *resource = json_object_get(resource_logs, "resource");
        json_array_foreach(json_object_get(resource_logs, "scopeLogs"), k, scope_logs)
        {
            json_array_foreach(json_object_get(scope_logs, "logRecords"), m, record)
            {
                struct np_span *span = np_otlp_decode_span_start(record);
                if (!span)
                    continue;
                report->n_started++;
                NP_TRY(add_open(list, span, resource, json_object_get(scope_logs, "scope"),
                                json_object_get(scope_logs, "schemaUrl"), err));
            }
        }
    }
    return 0;
}

static void note_end(struct open_spans *list, const json_t *span)
{
    const char *trace = json_string_value(json_object_get(span, "traceId"));
    const char *id = json_string_value(json_object_get(span, "spanId"));
    struct np_trace_id trace_id;
    struct np_span_id span_id;

    if (!trace || !id || !np_trace_id_parse(trace, &trace_id) || !np_span_id_parse(id, &span_id))
        return;
    struct open_span *open = find(list, &trace_id, &span_id);
    if (open)
        remove_open(list, open);
}

static void note_ends(struct open_spans *list, const json_t *request)
{
    size_t i, k, m;
    json_t *resource_spans, *scope_spans, *span;

    json_array_foreach(json_object_get(request, "resourceSpans"), i, resource_spans)
    {
        json_array_foreach(json_object_get(resource_spans, "scopeSpans"), k, scope_spans)
        {
            json_array_foreach(json_object_get(scope_spans, "spans"), m, span)
            {
                note_end(list, span);
            }
        }
    }
}

static int note_line(struct open_spans *list, const char *line, size_t length,
                     struct np_spool_closing *report, struct np_error *err)
{
    json_t *request = json_loadb(line, length, 0, NULL);

    if (!request) {
        report->n_unreadable++;
        return 0;
    }
    report->n_lines++;
    int64_t latest_ns = np_otlp_latest_ns(request);
    if (latest_ns > report->last_seen_ns)
        report->last_seen_ns = latest_ns;
    int code = note_starts(list, request, report, err);
    note_ends(list, request);
    json_decref(request);
    return code;
}

static int read_all(int fd, struct open_spans *list, bool *is_torn, struct np_spool_closing *report,
                    struct np_error *err)
{
    NP_AUTO(np_spool_lines_done) struct np_spool_lines lines = {.fd = -1};
    const char *line;
    size_t length;
    int more;

    NP_TRY(np_spool_lines_open(&lines, fd, err));
    while ((more = np_spool_lines_next(&lines, &line, &length, err)) > 0)
        NP_TRY(note_line(list, line, length, report, err));
    report->n_unreadable += lines.n_too_long;
    *is_torn = !lines.ends_in_newline;
    return more;
}

static void end_as_killed(struct np_span *span, int64_t last_seen_ns)
{
    const struct np_outcome_info *killed = np_outcome_info(NP_OUTCOME_KILLED);

    span->end_ns = last_seen_ns > span->start_ns ? last_seen_ns : span->start_ns;
    span->status = NP_STATUS_ERROR;
    span->status_message = np_xstrdup(killed->meaning);
    np_attrs_string(&span->attrs, NP_KEY_ERROR_TYPE, killed->name);
    np_attrs_string(&span->attrs, NP_KEY_NEURO_ERROR_CODE, np_error_ident(NP_EKILLED));
}

/* Spans [first, …) of one resource and scope. */
static size_t same_source(const struct open_spans *list, size_t first)
{
    const struct open_span *a = &list->item[first];
    size_t n = 1;

    while (first + n < list->n && n < MOST_SPANS_A_LINE) {
        const struct open_span *b = &list->item[first + n];
        if (b->resource != a->resource || b->scope != a->scope || b->schema_url != a->schema_url)
            break;
        n++;
    }
    return n;
}

static int encode(const struct open_spans *list, size_t first, size_t n, struct np_otlp_buffer *out)
{
    const struct open_span *open = &list->item[first];
    NP_AUTO(np_attrs_done) struct np_attrs resource = {0};
    const struct np_instrumentation scope = {
        .name = json_string_value(json_object_get(open->scope, "name")),
        .version = json_string_value(json_object_get(open->scope, "version")),
        .schema_url = json_string_value(open->schema_url),
    };
    const struct np_otlp_source source = {.resource = &resource, .scope = &scope};
    const struct np_span *span[MOST_SPANS_A_LINE];

    np_otlp_decode_attributes(json_object_get(open->resource, "attributes"), &resource);
    /* Innermost first, as they would have ended. */
    for (size_t i = 0; i < n; i++)
        span[i] = list->item[first + n - 1 - i].span;
    return np_otlp_encode_spans(&np_otlp_json, &source, span, n, out);
}

static int append_ends(int fd, const char *path, const struct open_spans *list, bool is_torn,
                       struct np_error *err)
{
    NP_AUTO(np_otlp_buffer_done)
    struct np_otlp_buffer line = {.most = NP_SPOOL_LINE_READ_MOST};

    for (size_t i = 0, n; i < list->n; i += n) {
        np_otlp_buffer_cut(&line, 0);
        if (is_torn)
            np_otlp_buffer_add(&line, "\n", 1);
        n = same_source(list, i);
        int code = encode(list, i, n, &line);
        while (code == NP_EVALUE && n > 1)
            code = encode(list, i, n /= 2, &line);
        np_otlp_buffer_add(&line, "\n", 1);
        if (code || line.failed)
            return np_error_set(err, code ? code : line.failed,
                                "'%s': no memory to close the spans of a killed run", path);
        NP_TRY(np_spool_append(fd, path, line.bytes, line.length, &is_torn, NULL, err));
    }
    return 0;
}

static int open_record(const char *path, int *fd, struct np_error *err)
{
    struct stat status;
    int opened = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);

    if (opened < 0)
        return np_error_errno(err, errno, NP_ENOINPUT, "'%s': cannot open the telemetry record",
                              path);
    if (fstat(opened, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(opened);
        return np_error_set(err, NP_ENOINPUT, "'%s': expected a telemetry record, found no file",
                            path);
    }
    if (flock(opened, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(opened);
        return np_error_set(err, NP_EBUSY, "'%s': its run is still going on", path);
    }
    *fd = opened;
    return 0;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

int np_spool_record_close_open_spans(const char *path, struct np_spool_closing *report,
                                     struct np_error *err)
{
    NP_AUTO(open_spans_done) struct open_spans list = {0};
    NP_AUTO(close_fd) int fd = -1;
    struct np_spool_closing found = {0};
    bool is_torn = false;

    NP_TRY(open_record(path, &fd, err));
    int code = read_all(fd, &list, &is_torn, &found, err);
    if (code < 0) {
        np_error_context(err, "'%s'", path);
        return code;
    }
    for (size_t i = 0; i < list.n; i++)
        end_as_killed(list.item[i].span, found.last_seen_ns);
    NP_TRY(append_ends(fd, path, &list, is_torn, err));
    found.n_closed = (int64_t)list.n;
    if (report)
        *report = found;
    return 0;
}
