/*
 * Close the spans that a dead run left open.
 *   1. Read the record line by line: a span start opens, a span closes, any time is a sign of life.
 *      The end of a run, or of a trace's root, shows that the end of each span that is still open
 *      there was lost.
 *   2. A span that is open at the end of the record is ended. When its run or its session has ended
 *      it is incomplete; else it is ended at the last sign of life, with error.type "killed".
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
#include "spool/inside.h"
#include "spool/lines.h"
#include "spool/session_end.h"
#include "trace/names.h"

enum { MOST_OPEN = 65536, MOST_SPANS_A_LINE = 256 };

/* An open span, and the resource and scope of its line, which spans of the same run share. */
struct open_span {
    struct np_span *span;
    json_t *resource, *scope, *schema_url; /* owned references, NULL when absent */
    bool has_ended;                        /* its run or its trace's root ended after its start */
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

static bool is_in_trace(const struct np_span *span, const struct np_trace_id *trace_id)
{
    return !trace_id || memcmp(&span->trace_id, trace_id, sizeof(*trace_id)) == 0;
}

/* The run has ended, or (`trace_id` not NULL) the root of this trace. */
static void note_whole_end(struct open_spans *list, const struct np_trace_id *trace_id)
{
    for (size_t i = 0; i < list->n; i++)
        if (is_in_trace(list->item[i].span, trace_id))
            list->item[i].has_ended = true;
}

static bool is_run_end(const json_t *record)
{
    const char *event = json_string_value(json_object_get(record, "eventName"));

    return event && strcmp(event, NP_EVENT_RUN_END) == 0;
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
                if (is_run_end(record))
                    note_whole_end(list, NULL);
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
    const char *parent = json_string_value(json_object_get(span, "parentSpanId"));
    struct np_trace_id trace_id;
    struct np_span_id span_id;

    if (!trace || !id || !np_trace_id_parse(trace, &trace_id) || !np_span_id_parse(id, &span_id))
        return;
    struct open_span *open = find(list, &trace_id, &span_id);
    if (open)
        remove_open(list, open);
    if (!parent || !*parent)
        note_whole_end(list, &trace_id);
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

/* A line that was cut short; damage inside a line leaves its end. */
static bool is_cut_short(const char *line, size_t length, const json_error_t *error)
{
    return json_error_code(error) == json_error_premature_end_of_input || line[length - 1] != '}';
}

/* A kill cuts the last line of a run short. Lines of ended spans may follow, from those who closed
 * them; anything else shows that the run went on, so that the line was damaged. */
static void note_readable(const json_t *request, struct np_spool_closing *report)
{
    bool goes_on =
        json_object_get(request, "resourceLogs") || json_object_get(request, "resourceMetrics");

    if (goes_on) {
        report->n_unreadable += report->n_torn;
        report->n_torn = 0;
    }
    report->n_lines++;
}

static void note_unreadable(bool is_cut, struct np_spool_closing *report)
{
    report->n_unreadable += is_cut ? report->n_torn : report->n_torn + 1;
    report->n_torn = is_cut;
}

static bool is_request(const json_t *line)
{
    return json_object_get(line, "resourceSpans") || json_object_get(line, "resourceLogs") ||
           json_object_get(line, "resourceMetrics");
}

static int note_line(struct open_spans *list, const char *line, size_t length,
                     struct np_spool_closing *report, struct np_error *err)
{
    json_error_t error = {0};
    json_t *request = json_loadb(line, length, 0, &error);

    if (!is_request(request)) {
        note_unreadable(!request && is_cut_short(line, length, &error), report);
        json_decref(request);
        return 0;
    }
    note_readable(request, report);
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
    struct np_error why = {0};

    span->end_ns = last_seen_ns > span->start_ns ? last_seen_ns : span->start_ns;
    NP_IGNORE(np_error_set(&why, NP_EKILLED, "%s", np_outcome_info(NP_OUTCOME_KILLED)->meaning));
    np_span_fail(span, &why);
    span->event[span->n_events - 1].time_ns = span->end_ns; /* and not now */
}

static void end_as_incomplete(struct np_span *span, enum np_span_status status, int64_t end_ns)
{
    span->end_ns = end_ns > span->start_ns ? end_ns : span->start_ns;
    span->status = status;
    np_attrs_bool(&span->attrs, NP_KEY_NEURO_TELEMETRY_INCOMPLETE, true);
}

/* A session, or a file of `process` or `batch`, has a final record of its own. */
static bool has_record(const struct np_span *span)
{
    return np_span_id_is_zero(&span->parent_id) &&
           (strcmp(span->name, NP_SPAN_SESSION) == 0 || strcmp(span->name, NP_SPAN_FILE) == 0);
}

/* The run that a span belongs to, by the resource of its line; "" when that does not say. */
static const char *run_of(const struct open_span *open)
{
    json_t *attributes = json_object_get(open->resource, "attributes"), *attribute;
    size_t i;

    json_array_foreach(attributes, i, attribute)
    {
        const char *key = json_string_value(json_object_get(attribute, "key"));
        const char *value =
            json_string_value(json_object_get(json_object_get(attribute, "value"), "stringValue"));
        if (key && value && strcmp(key, NP_KEY_SERVICE_INSTANCE_ID) == 0)
            return value;
    }
    return "";
}

/* End the open spans of the session or file whose root is `open`, by its final record. */
static void end_session(struct open_spans *list, const char *path, const struct open_span *open,
                        int64_t last_seen_ns)
{
    const struct np_span *root = open->span;
    const struct np_trace_id trace_id = root->trace_id;
    struct np_spool_session_end end;

    if (!np_spool_session_end(path, root, run_of(open), &end))
        return;
    int64_t inner_ns = end.end_ns < last_seen_ns ? end.end_ns : last_seen_ns;
    for (size_t i = 0; i < list->n; i++) {
        struct np_span *span = list->item[i].span;
        if (!is_in_trace(span, &trace_id) || span->end_ns)
            continue;
        if (span == root)
            end_as_incomplete(span, end.status, end.end_ns);
        else
            end_as_incomplete(span, NP_STATUS_UNSET, inner_ns);
    }
}

static void end_all(struct open_spans *list, const char *path, int64_t last_seen_ns)
{
    for (size_t i = 0; i < list->n; i++)
        if (has_record(list->item[i].span) && !list->item[i].span->end_ns)
            end_session(list, path, &list->item[i], last_seen_ns);
    for (size_t i = 0; i < list->n; i++) {
        struct open_span *open = &list->item[i];
        if (open->span->end_ns)
            continue;
        if (open->has_ended)
            end_as_incomplete(open->span, NP_STATUS_UNSET, last_seen_ns);
        else
            end_as_killed(open->span, last_seen_ns);
    }
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

/* The ledger of a record that was cut may claim the bytes that come next: take that back before
 * anything is appended. A process that holds the ledger's lock has done so. */
static int check_ledger(int fd, const char *path, const struct open_spans *list,
                        struct np_error *err)
{
    NP_AUTO(np_spool_ledger_freep) struct np_spool_ledger *ledger = NULL;
    struct np_error why = {0};
    struct stat status;

    if (list->n == 0 || fstat(fd, &status) != 0 || !np_spool_ledger_exists(path))
        return 0;
    int code = np_spool_ledger_open(path, &ledger, &why);
    if (code == 0)
        code = np_spool_ledger_cut(ledger, status.st_size, NULL, &why);
    return code == 0 || code == NP_EBUSY ? 0 : np_error_set(err, code, "%s", why.text);
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
    end_all(&list, path, found.last_seen_ns);
    NP_TRY(check_ledger(fd, path, &list, err));
    NP_TRY(append_ends(fd, path, &list, is_torn, err));
    found.n_closed = (int64_t)list.n;
    if (report)
        *report = found;
    return 0;
}
