/* The run's record: what is on disk after a run, a kill, a full disk; and closing what is open. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/path.h"
#include "base/random.h"
#include "base/str.h"
#include "otlp/sample.h"
#include "record/place.h"
#include "record/record.h"
#include "spool/closing.h"
#include "spool/inside.h"
#include "spool/lines.h"
#include "spool/record.h"
#include "tap.h"
#include "trace/names.h"

static const struct np_instrumentation SCOPE = {"scope", "9.8", "https://example.org/schema"};

/* A path in a fresh folder of the test's own, which does not exist yet. */
static char *record_path(const char *name)
{
    return np_xasprintf("%s/%s/telemetry/run.otlp.jsonl", tap_directory(), name);
}

static struct np_trace_sink opened(const char *path)
{
    NP_AUTO(np_attrs_done) struct np_attrs resource = {0};
    struct np_trace_sink sink = {0};
    struct np_error err = {0};

    np_attrs_string(&resource, NP_KEY_SERVICE_INSTANCE_ID, path);
    np_attrs_int(&resource, NP_KEY_PROCESS_PID, 42);
    tap_check(np_spool_record_open(path, &resource, &SCOPE, &sink, &err) == 0, __FILE__, __LINE__,
              "%s", err.text);
    return sink;
}

/* Contents of a record, counted from its lines. */
struct census {
    int64_t n_lines, n_unreadable, n_starts, n_ends, n_logs, n_metrics;
    json_t *ended;   /* span id -> number of times it ended */
    json_t *started; /* span id -> its start's log record */
    json_t *last;    /* the last span that ended */
};

static void census_done(struct census *census)
{
    json_decref(census->ended);
    json_decref(census->started);
    json_decref(census->last);
}

static void count_spans(json_t *spans, struct census *census)
{
    size_t i;
    json_t *span;

    json_array_foreach(spans, i, span)
    {
        const char *id = text_at(span, "spanId");
        int64_t n = json_integer_value(json_object_get(census->ended, id));
        json_object_set_new(census->ended, id, json_integer(n + 1));
        json_decref(census->last);
        census->last = json_incref(span);
        census->n_ends++;
    }
}

static void count_logs(json_t *records, struct census *census)
{
    size_t i;
    json_t *record;

    json_array_foreach(records, i, record)
    {
        const char *event = text_at(record, "eventName");
        if (event && strcmp(event, "neuro.span.start") == 0) {
            json_object_set(census->started, text_at(record, "spanId"), record);
            census->n_starts++;
        } else {
            census->n_logs++;
        }
    }
}

static struct census census_of(const char *path)
{
    struct census census = {.ended = json_object(), .started = json_object()};
    FILE *file = fopen(path, "r");
    NP_AUTO(np_freep) char *line = NULL;
    size_t capacity = 0;
    ssize_t length;

    while (file && (length = getline(&line, &capacity, file)) > 0) {
        json_t *root = json_loadb(line, (size_t)length, 0, NULL);
        if (root) {
            census.n_lines++;
            count_spans(at(root, "resourceSpans.0.scopeSpans.0.spans"), &census);
            count_logs(at(root, "resourceLogs.0.scopeLogs.0.logRecords"), &census);
            census.n_metrics += at(root, "resourceMetrics") != NULL;
            json_decref(root);
        } else {
            census.n_unreadable++;
        }
    }
    if (file)
        fclose(file);
    return census;
}

/* Every start has one end, and no span ended twice. */
static void ok_all_ended_once(const struct census *census)
{
    const char *id;
    json_t *value;

    json_object_foreach(census->started, id, value)
    {
        tap_check(json_integer_value(json_object_get(census->ended, id)) == 1, __FILE__, __LINE__,
                  "span %s ended %d times", id,
                  (int)json_integer_value(json_object_get(census->ended, id)));
    }
    json_object_foreach(census->ended, id, value)
    {
        tap_check(json_integer_value(value) == 1, __FILE__, __LINE__, "span %s ended twice", id);
    }
}

/* Sessions of a file of three stages; `n` at most, 0 = for ever. */
static void run_sessions(struct np_trace *trace, int n)
{
    static const char *const stages[] = {"load_file", "skull_strip", "report"};
    struct np_span *run = np_span_new(NP_SPAN_RUN, NULL);

    np_span_begin(trace, run);
    for (int i = 0; n == 0 || i < n; i++) {
        struct np_span *session = np_span_new(NP_SPAN_SESSION, NULL);
        np_span_link(session, run);
        np_attrs_string(&session->attrs, NP_KEY_BIDS_PARTICIPANT, "01");
        np_span_begin(trace, session);
        for (size_t k = 0; k < NP_COUNT(stages); k++) {
            struct np_span *stage = np_span_new(stages[k], session);
            np_span_begin(trace, stage);
            np_trace_settle(trace); /* as before a wait */
            np_trace_log(trace, stage, NP_INFO, NULL, "One\nsentence.");
            np_metric_add(trace, &np_metric_stage_duration, 0.1, NULL, stage);
            np_span_end(trace, &stage);
        }
        np_trace_collect(trace);
        np_span_end(trace, &session);
    }
    np_span_end(trace, &run);
}

static int64_t size_of(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? status.st_size : -1;
}

TEST(a_whole_run_is_lines_of_which_each_is_a_request)
{
    NP_AUTO(np_freep) char *path = record_path("whole");
    struct np_trace_sink sink = opened(path);
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct np_spool_closing report;
    struct np_error err = {0};

    np_trace_add_sink(trace, sink);
    run_sessions(trace, 2);
    ok_int(np_spool_record_health(&sink)->n_lost, 0);
    ok_int(np_spool_record_health(&sink)->n_bytes, size_of(path));
    ok(!np_spool_record_trouble(&sink, &err));
    NP_AUTO(census_done) struct census census = census_of(path);
    ok_int(census.n_unreadable, 0);
    ok_int(census.n_lines, np_spool_record_health(&sink)->n_lines);
    ok_int(census.n_starts, 1 + 2 * 4);
    ok_int(census.n_ends, 1 + 2 * 4);
    ok_int(census.n_logs, 2 * 3);
    ok_int(census.n_metrics, 2);
    ok_all_ended_once(&census);
    int64_t n_bytes = np_spool_record_health(&sink)->n_bytes;
    np_trace_freep(&trace); /* the run is over */
    ok_int(np_spool_record_close_open_spans(path, &report, &err), 0);
    ok_int(report.n_closed, 0);
    ok_int(report.n_started, 9);
    ok_int(size_of(path), n_bytes);
}

/* The first words of the bodies of a record's log records, each with a space behind it. */
static struct np_str bodies(const char *path)
{
    NP_AUTO(np_str_done) struct np_str content = {0};
    struct np_str out = {0};
    static const char mark[] = "\"body\":{\"stringValue\":\"";

    ok_int(np_file_read(path, 1 << 24, &content, NULL), 0);
    for (const char *at = np_str_text(&content); (at = strstr(at, mark));) {
        at += sizeof(mark) - 1;
        np_str_addf(&out, "%.*s ", (int)strcspn(at, " \""), at);
    }
    return out;
}

static void log_numbers(struct np_trace *trace, int first, int n)
{
    for (int i = first; i < first + n; i++)
        np_trace_log(trace, NULL, NP_INFO, NULL, "%d", i);
}

TEST(a_span_that_ends_before_anything_is_written_has_no_start)
{
    NP_AUTO(np_freep) char *path = record_path("short");
    struct np_trace_sink sink = opened(path);
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct np_span *span[4];

    np_trace_add_sink(trace, sink);
    for (size_t i = 0; i < NP_COUNT(span); i++) {
        span[i] = np_span_new("some", NULL);
        np_span_begin(trace, span[i]);
    }
    np_span_end(trace, &span[3]);
    np_span_end(trace, &span[1]); /* neither the newest nor the oldest */
    np_trace_settle(trace);
    NP_AUTO(census_done) struct census half = census_of(path);
    ok_int(half.n_ends, 2);
    ok_int(half.n_starts, 2);
    np_span_end(trace, &span[0]);
    np_span_end(trace, &span[2]);
    np_trace_settle(trace);
    NP_AUTO(census_done) struct census census = census_of(path);
    ok_int(census.n_ends, 4);
    ok_int(census.n_starts, 2);
    ok_all_ended_once(&census); /* each start has its end */
}

TEST(spans_in_a_row_share_lines_that_stay_short)
{
    enum { N_SPANS = 100, MOST_SHARED = 16 };
    NP_AUTO(np_freep) char *path = record_path("shared");
    struct np_trace_sink sink = opened(path);
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);

    np_trace_add_sink(trace, sink);
    for (int i = 0; i < N_SPANS; i++) {
        struct np_span *span = np_span_new("some", NULL);
        np_span_end(trace, &span);
    }
    const struct np_spool_health *health = np_spool_record_health(&sink);
    ok_int(health->n_spans, N_SPANS);
    ok_int(health->n_lines, (N_SPANS + MOST_SHARED - 1) / MOST_SHARED);
    int64_t n_lines = health->n_lines;
    np_spool_record_limit_items(&sink, 0);
    np_spool_record_limit_items(&sink, 1000); /* neither asks for less */
    np_spool_record_limit_items(&sink, 3);
    log_numbers(trace, 0, 7);
    ok_int(np_spool_record_health(&sink)->n_lines, n_lines + 3);
    NP_AUTO(census_done) struct census census = census_of(path);
    ok_int(census.n_ends, N_SPANS);
    ok_int(census.n_unreadable, 0);
    ok_all_ended_once(&census);
}

TEST(one_too_long_for_a_line_leaves_those_before_it_as_they_were)
{
    NP_AUTO(np_freep) char *path = record_path("long-after-short");
    NP_AUTO(np_freep) char *text = np_xcalloc(NP_SPOOL_LINE_MOST + 1, 1);
    struct np_trace_sink sink = opened(path);
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);

    memset(text, 'x', NP_SPOOL_LINE_MOST);
    np_trace_add_sink(trace, sink);
    log_numbers(trace, 0, 2);
    np_trace_log(trace, NULL, NP_INFO, NULL, "%s", text);
    log_numbers(trace, 2, 2);
    ok_int(np_spool_record_health(&sink)->n_lost, 1);
    ok_int(np_spool_record_health(&sink)->n_logs, 4);
    NP_AUTO(np_str_done) struct np_str words = bodies(path);
    ok_str(np_str_text(&words), "0 1 2 3 ");
}

TEST(an_open_span_is_closed_with_what_its_start_said)
{
    NP_AUTO(np_freep) char *path = record_path("open");
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_span_freep) struct np_span *span = sample_span();
    NP_AUTO(np_span_freep) struct np_span *late = np_span_new("late", span);
    char id[NP_SPAN_ID_HEX], parent[NP_SPAN_ID_HEX], link[NP_TRACE_ID_HEX];
    struct np_spool_closing report;
    struct np_error err = {0};

    np_span_id_hex(&span->span_id, id);
    np_span_id_hex(&span->parent_id, parent);
    np_trace_id_hex(&span->link[0].trace_id, link);
    np_trace_add_sink(trace, opened(path));
    np_span_begin(trace, span);
    late->start_ns = INT64_C(1800000055000000000); /* the last sign of life */
    late->end_ns = INT64_C(1800000055000000000);
    np_trace_span_end(trace, late);
    ok_int(np_spool_record_close_open_spans(path, &report, &err), NP_EBUSY); /* it is alive */
    err = (struct np_error){0};
    np_trace_freep(&trace);
    ok_int(np_spool_record_close_open_spans(path, &report, &err), 0);
    ok_int(report.n_closed, 1);
    ok_int(report.last_seen_ns, INT64_C(1800000055000000000));
    NP_AUTO(census_done) struct census census = census_of(path);
    json_t *closed = census.last;
    json_t *attrs = at(closed, "attributes");
    ok_str(text_at(closed, "spanId"), id);
    ok_str(text_at(closed, "parentSpanId"), parent);
    ok_str(text_at(closed, "name"), "skull_strip");
    ok_str(text_at(closed, "traceState"), "vendor=1");
    ok_str(text_at(closed, "startTimeUnixNano"), "1800000000123456789");
    ok_str(text_at(closed, "endTimeUnixNano"), "1800000055000000000");
    ok_int(json_integer_value(at(closed, "status.code")), 2);
    ok_int((int64_t)json_array_size(attrs), (int64_t)span->attrs.n + 2);
    ok_str(text_at(value_of(attrs, "error.type"), "stringValue"), "killed");
    ok_str(text_at(value_of(attrs, "neuro.error.code"), "stringValue"), "NP_EKILLED");
    json_t *event = json_array_get(at(closed, "events"), json_array_size(at(closed, "events")) - 1);
    ok_str(text_at(event, "name"), "exception");
    ok_str(text_at(event, "timeUnixNano"), "1800000055000000000");
    ok_str(text_at(value_of(at(event, "attributes"), "exception.type"), "stringValue"),
           "NP_EKILLED");
    ok_str(text_at(value_of(at(event, "attributes"), "exception.message"), "stringValue"),
           text_at(closed, "status.message"));
    ok_str(text_at(value_of(attrs, "text"), "stringValue"), SAMPLE_TEXT);
    ok_str(text_at(value_of(attrs, "least"), "intValue"), "-9223372036854775808");
    ok(json_real_value(at(value_of(attrs, "tenth"), "doubleValue")) == 0.1);
    ok_int((int64_t)json_array_size(at(closed, "links")), 2);
    ok_str(text_at(closed, "links.0.traceId"), link);
}

/* A run that has ended, and whose record lacks the ends of its spans. */
TEST(an_open_span_of_a_run_that_ended_is_incomplete_and_not_killed)
{
    NP_AUTO(np_freep) char *path = record_path("ended");
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new(NP_SPAN_RUN, NULL);
    struct np_trace_sink sink = opened(path);
    struct np_spool_closing report;

    np_trace_add_sink(trace, sink);
    np_span_begin(trace, span);
    np_trace_settle(trace);
    np_spool_record_end(&sink, 0);
    np_trace_freep(&trace);
    NP_AUTO(np_str_done) struct np_str content = {0};
    ok_int(np_file_read(path, 1 << 20, &content, NULL), 0);
    const char *last = strchr(np_str_text(&content), '\n');
    ok(last && strstr(last, "\"neuro.run.end\""));
    ok_int(np_spool_record_close_open_spans(path, &report, NULL), 0);
    ok_int(report.n_closed, 1);
    NP_AUTO(census_done) struct census census = census_of(path);
    json_t *attrs = at(census.last, "attributes");
    ok_int(json_integer_value(at(census.last, "status.code")), 0);
    ok(!value_of(attrs, "error.type"));
    ok(json_is_true(at(value_of(attrs, "neuro.telemetry.incomplete"), "boolValue")));
    ok_int(np_spool_record_close_open_spans(path, &report, NULL), 0);
    ok_int(report.n_closed, 0);
}

#define RUN "0192f1f0-5a4f-4c05-9d7c-7f2a3a1a9c55"

/* The run was killed; a session of it had ended, as its final record says, and the end of its span
 * did not reach the telemetry. */
TEST(the_final_record_of_a_session_tells_how_its_span_ended)
{
    static const struct {
        const char *state, *run_id;
        int end_s, code; /* of its failure; 0 = none */
        int status;      /* of the span */
        bool is_killed;
    } table[] = {
        {"success", RUN, 1800000099, 0, 1, false},
        {"failed", RUN, 1800000099, NP_EFORMAT, 2, false},
        {"failed", RUN, 1800000099, NP_EKILLED, 2, true},
        {"running", RUN, 0, 0, 2, true},
        {"success", "1192f1f0-5a4f-4c05-9d7c-7f2a3a1a9c55", 1800000099, 0, 2,
         true}, /* of another run */
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep)
        char *output = np_xasprintf("%s/final-%zu", tap_directory(), i);
        NP_AUTO(np_freep) char *path = np_xasprintf("%s/logs/telemetry/run.otlp.jsonl", output);
        NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
        NP_AUTO(np_span_freep) struct np_span *session = np_span_new(NP_SPAN_SESSION, NULL);
        NP_AUTO(np_span_freep) struct np_span *stage = np_span_new("report", session);
        NP_AUTO(np_record_done) struct np_session_record record;
        NP_AUTO(np_record_place_done) struct np_record_place place = {0};
        np_record_init(&record);
        snprintf(record.run_id, sizeof(record.run_id), "%s", table[i].run_id);
        record.participant = np_xstrdup("01");
        ok(np_state_find(table[i].state, &record.state));
        record.start_ns = INT64_C(1800000000000000000);
        record.end_ns = table[i].end_s * INT64_C(1000000000);
        record.failure.code = table[i].code;
        np_record_place_session(&place, output, "01", NULL, "");
        ok_int(np_directory_make(place.directory, NULL), 0);
        ok_int(np_record_write(place.status, &record, NULL), 0);
        np_attrs_string(&session->attrs, NP_KEY_BIDS_PARTICIPANT, "01");
        np_attrs_string(&session->attrs, NP_KEY_NEURO_RUN_ID, RUN);
        session->start_ns = stage->start_ns = INT64_C(1800000000000000000);
        np_trace_add_sink(trace, opened(path));
        np_span_begin(trace, session);
        np_span_begin(trace, stage);
        np_trace_freep(&trace);
        ok_int(np_spool_record_close_open_spans(path, NULL, NULL), 0);
        NP_AUTO(census_done) struct census census = census_of(path);
        json_t *attrs = at(census.last, "attributes"); /* roots are closed last */
        ok_str(text_at(census.last, "name"), NP_SPAN_SESSION);
        ok_int(json_integer_value(at(census.last, "status.code")), table[i].status);
        ok(!value_of(attrs, "error.type") == !table[i].is_killed);
        ok(!value_of(attrs, "neuro.telemetry.incomplete") == table[i].is_killed);
        if (!table[i].is_killed)
            ok_str(text_at(census.last, "endTimeUnixNano"), "1800000099000000000");
    }
}

TEST(damaged_lines_are_counted_and_the_cut_last_line_of_a_killed_run_is_not)
{
    static const struct {
        const char *lines;
        int64_t n_unreadable, n_torn;
    } table[] = {
        {"{\"resourceLogs\":[]}\n", 0, 0},
        {"{\"resourceLogs\":[]}\n{\"resourceSpans\":[{\"sco", 0, 1},
        {"{\"resourceLogs\":[]}\n{\"resourceSpa\n{\"resourceSpans\":[]}\n", 0, 1},
        {"{\"resourceSpans\":[{\"sco\n{\"resourceLogs\":[]}\n", 1, 0}, /* the run went on */
        {"{\"resourceLogs\":[}\n", 1, 0},
        {"{\"other\":1}\nwords}\n{\"resourceMetrics\":[]}\n", 2, 0},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_freep) char *path = np_xasprintf("%s/damaged-%zu.jsonl", tap_directory(), i);
        struct np_spool_closing report;
        FILE *file = fopen(path, "we");
        fputs(table[i].lines, file);
        fclose(file);
        ok_int(np_spool_record_close_open_spans(path, &report, NULL), 0);
        ok_int(report.n_unreadable, table[i].n_unreadable);
        ok_int(report.n_torn, table[i].n_torn);
    }
}

TEST(closed_spans_keep_the_resource_and_scope_of_their_run)
{
    NP_AUTO(np_freep) char *path = record_path("resource");
    NP_AUTO(np_str_done) struct np_str content = {0};
    struct np_spool_closing report;

    for (int run = 0; run < 2; run++) { /* the second run has another resource */
        NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
        NP_AUTO(np_span_freep) struct np_span *span = np_span_new("one", NULL);
        NP_AUTO(np_attrs_done) struct np_attrs resource = {0};
        struct np_trace_sink sink;
        np_attrs_int(&resource, "which", run);
        ok_int(np_spool_record_open(path, &resource, &SCOPE, &sink, NULL), 0);
        np_trace_add_sink(trace, sink);
        np_span_begin(trace, span);
    }
    ok_int(np_spool_record_close_open_spans(path, &report, NULL), 0);
    ok_int(report.n_closed, 2);
    ok_int(np_file_read(path, 1 << 20, &content, NULL), 0);
    char *line = strstr(np_str_text(&content), "{\"resourceSpans\"");
    for (int run = 0; run < 2; run++) {
        json_t *root = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        NP_AUTO(np_freep) char *which = np_xasprintf("%d", run);
        ok_str(
            text_at(value_of(at(root, "resourceSpans.0.resource.attributes"), "which"), "intValue"),
            which);
        ok_str(text_at(root, "resourceSpans.0.scopeSpans.0.scope.version"), "9.8");
        ok_str(text_at(root, "resourceSpans.0.schemaUrl"), SCOPE.schema_url);
        json_decref(root);
        line = strchr(line, '\n') + 1;
    }
}

/* A kill leaves any prefix of a record, also one that ends inside a line. */
TEST(a_record_cut_anywhere_is_closed_once_and_for_all)
{
    enum { N_CUTS = 150 };
    NP_AUTO(np_freep) char *whole = record_path("cut-whole");
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/cut.otlp.jsonl", tap_directory());
    NP_AUTO(np_str_done) struct np_str content = {0};
    struct np_trace *trace = np_trace_new(NULL);
    struct np_random random;

    np_trace_add_sink(trace, opened(whole));
    run_sessions(trace, 3);
    np_trace_freep(&trace);
    ok_int(np_file_read(whole, 1 << 24, &content, NULL), 0);
    np_random_seed(&random, 7, 0);
    for (int i = 0; i < N_CUTS; i++) {
        size_t cut = (size_t)(np_random_uniform(&random) * (double)content.length);
        bool is_torn = cut > 0 && content.text[cut - 1] != '\n';
        struct np_spool_closing first, second;
        FILE *file = fopen(path, "w");
        fwrite(content.text, 1, cut, file);
        fclose(file);
        ok_int(np_spool_record_close_open_spans(path, &first, NULL), 0);
        int64_t size = size_of(path);
        ok_int(np_spool_record_close_open_spans(path, &second, NULL), 0);
        ok_int(second.n_closed, 0);
        ok_int(size_of(path), size);
        NP_AUTO(census_done) struct census census = census_of(path);
        ok(census.n_unreadable <= is_torn);
        ok_int(census.n_starts, first.n_started);
        ok_all_ended_once(&census);
    }
}

/* In the child: sessions for ever, until it is killed. */
static void write_for_ever(const char *path)
{
    struct np_trace *trace = np_trace_new(NULL);

    alarm(60); /* should its parent die first */
    np_trace_add_sink(trace, opened(path));
    run_sessions(trace, 0);
}

TEST(after_sigkill_at_any_moment_every_span_ends_once)
{
    enum { N_KILLS = 20, LONGEST_US = 20000 };
    struct np_random random;

    np_random_seed(&random, 11, 0);
    for (int i = 0; i < N_KILLS; i++) {
        NP_AUTO(np_freep) char *name = np_xasprintf("kill-%d", i);
        NP_AUTO(np_freep) char *path = record_path(name);
        struct np_spool_closing report;
        struct np_error err = {0};
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            write_for_ever(path);
            _exit(1);
        }
        while (size_of(path) <= 0)
            usleep(100);
        usleep((useconds_t)(np_random_uniform(&random) * LONGEST_US));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        ok_int(np_spool_record_close_open_spans(path, &report, &err), 0);
        ok_above(report.n_closed, 0, "the run's span at least was open");
        ok_int(np_spool_record_close_open_spans(path, &report, &err), 0);
        ok_int(report.n_closed, 0);
        NP_AUTO(census_done) struct census census = census_of(path);
        ok_all_ended_once(&census);
    }
}

TEST(a_full_disk_is_counted_reported_once_and_fails_nothing)
{
    struct np_trace_sink sink = opened("/dev/full");
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct np_error what = {0};

    np_trace_add_sink(trace, sink);
    run_sessions(trace, 1);
    ok_int(np_spool_record_health(&sink)->n_lines, 0);
    ok_int(np_spool_record_health(&sink)->n_lost, 1 + 4 + 3 + 1 + 4 + 1);
    ok(np_spool_record_trouble(&sink, &what));
    ok_int(what.code, NP_ESPACE);
    ok_contains(what.text, "'/dev/full'");
    ok_contains(what.text, "14 observations were not recorded");
    ok(!np_spool_record_trouble(&sink, &what));
}

TEST(a_line_cut_by_a_full_disk_does_not_spoil_the_next)
{
    NP_AUTO(np_freep) char *path = record_path("limit");
    struct np_trace_sink sink = opened(path);
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct rlimit before, tight;

    np_trace_add_sink(trace, sink);
    np_trace_log(trace, NULL, NP_INFO, NULL, "first");
    np_trace_settle(trace);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)size_of(path) + 50;
    setrlimit(RLIMIT_FSIZE, &tight);
    np_trace_log(trace, NULL, NP_INFO, NULL, "torn");
    np_trace_settle(trace);
    np_trace_log(trace, NULL, NP_INFO, NULL, "no room for a byte of this");
    np_trace_settle(trace);
    setrlimit(RLIMIT_FSIZE, &before);
    np_trace_log(trace, NULL, NP_INFO, NULL, "fourth");
    np_trace_log(trace, NULL, NP_INFO, NULL, "fifth");
    ok_int(np_spool_record_health(&sink)->n_lost, 2);
    NP_AUTO(census_done) struct census census = census_of(path);
    ok_int(census.n_logs, 3);
    ok_int(census.n_unreadable, 0); /* the half that was written was taken back */
}

TEST(lines_wait_for_settle_flush_or_a_look_at_the_health_and_stay_in_order)
{
    NP_AUTO(np_freep) char *path = record_path("held");
    struct np_trace_sink sink = opened(path);
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);

    np_trace_add_sink(trace, sink);
    log_numbers(trace, 0, 3);
    ok_int(size_of(path), 0);
    np_trace_settle(trace);
    int64_t settled = size_of(path);
    log_numbers(trace, 3, 1);
    np_trace_settle(trace);
    int64_t again = size_of(path);
    ok_above((double)again, (double)settled, "bytes once more is settled");
    np_trace_settle(trace); /* nothing is left to write */
    ok_int(size_of(path), again);
    log_numbers(trace, 4, 2);
    np_trace_flush(trace);
    log_numbers(trace, 6, 1);
    ok_int(np_spool_record_health(&sink)->n_logs, 7);
    ok_int(np_spool_record_health(&sink)->n_bytes, size_of(path));
    log_numbers(trace, 7, 1);
    np_trace_freep(&trace); /* close writes, too */
    NP_AUTO(np_str_done) struct np_str text = bodies(path);
    ok_str(np_str_text(&text), "0 1 2 3 4 5 6 7 ");
}

/* Most of a line is the resource. */
TEST(items_of_one_moment_share_a_line_of_their_signal_and_starts_stand_before_ends)
{
    NP_AUTO(np_freep) char *path = record_path("moment");
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_span_freep) struct np_span *open = np_span_new("open", NULL);
    static const char *const kinds[] = {"resourceLogs", "resourceSpans", "resourceMetrics"};
    NP_AUTO(np_str_done) struct np_str text = {0};

    np_trace_add_sink(trace, opened(path));
    for (int i = 0; i < 5; i++) {
        struct np_span *span = np_span_new("one", NULL);
        np_span_begin(trace, span);
        log_numbers(trace, i, 1);
        np_span_end(trace, &span);
        if (i == 2)
            np_span_begin(trace, open);
    }
    np_metric_add(trace, &np_metric_sessions_processed, 1, NULL, NULL);
    np_trace_collect(trace);
    np_trace_settle(trace);
    ok_int(np_file_read(path, 1 << 20, &text, NULL), 0);
    char *rest = NULL, *line = strtok_r(text.text, "\n", &rest);
    for (size_t i = 0; i < NP_COUNT(kinds); i++, line = strtok_r(NULL, "\n", &rest))
        tap_check(line && strstr(line, kinds[i]), __FILE__, __LINE__, "line %zu: %s", i,
                  line ? line : "absent");
    ok(!line);
    NP_AUTO(census_done) struct census census = census_of(path);
    ok_int(census.n_logs, 5);
}

TEST(no_more_is_held_back_than_a_number_of_lines_or_bytes)
{
    enum { MOST_LINES = 256, MOST_BYTES = 64 << 10 };
    NP_AUTO(np_freep) char *path = record_path("many");
    NP_AUTO(np_freep) char *wide_path = record_path("wide");
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_trace_freep) struct np_trace *wide = np_trace_new(NULL);
    struct np_trace_sink sink;

    /* Without a resource a line is short, and each holds one item: lines count. */
    ok_int(np_spool_record_open(path, NULL, NULL, &sink, NULL), 0);
    np_spool_record_limit_items(&sink, 1);
    np_trace_add_sink(trace, sink);
    for (int i = 0; i < MOST_LINES / 2; i++) {
        struct np_span *span = np_span_new("s", NULL);
        ok_int(size_of(path), 0);
        np_span_end(trace, &span);
        log_numbers(trace, i, 1);
    }
    ok_above((double)size_of(path), MOST_LINES * 100.0, "bytes of 256 lines");
    np_trace_add_sink(wide, opened(wide_path));
    for (int i = 0; i < 8; i++)
        np_trace_log(wide, NULL, NP_INFO, NULL, "%0*d", MOST_BYTES / 8, i);
    ok_above((double)size_of(wide_path), 7 * MOST_BYTES / 8.0, "bytes of 7 or 8 long lines");
}

/* Too long to share a line. */
static void log_wide(struct np_trace *trace, int i)
{
    np_trace_log(trace, NULL, NP_INFO, NULL, "%d %0*d", i, 17000, 0);
}

TEST(of_lines_written_together_on_a_full_disk_those_that_fit_stay_and_the_others_are_counted)
{
    NP_AUTO(np_freep) char *path = record_path("full");
    struct np_trace_sink sink = opened(path);
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct rlimit before, tight;

    np_trace_add_sink(trace, sink);
    log_wide(trace, 0);
    np_trace_settle(trace);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)size_of(path) * 3 + 50; /* of lines of this length 3 fit */
    setrlimit(RLIMIT_FSIZE, &tight);
    for (int i = 1; i <= 4; i++)
        log_wide(trace, i);
    struct np_span *span = np_span_new("lost", NULL);
    np_span_end(trace, &span);
    np_trace_settle(trace);
    setrlimit(RLIMIT_FSIZE, &before);
    log_numbers(trace, 5, 1);
    const struct np_spool_health *health = np_spool_record_health(&sink);
    ok_int(health->n_lines, 4);
    ok_int(health->n_logs, 4);
    ok_int(health->n_lost, 3);
    ok_int(health->n_logs_lost, 2);
    ok_int(health->n_spans_lost, 1);
    ok_int(health->n_bytes, size_of(path));
    NP_AUTO(np_str_done) struct np_str text = bodies(path);
    ok_str(np_str_text(&text), "0 1 2 5 ");
    NP_AUTO(census_done) struct census census = census_of(path);
    ok_int(census.n_unreadable, 0);
}

TEST(a_kill_loses_what_was_held_back_and_nothing_else)
{
    NP_AUTO(np_freep) char *path = record_path("killed");
    struct np_spool_closing report;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct np_trace *trace = np_trace_new(NULL);
        np_trace_add_sink(trace, opened(path));
        struct np_span *span = np_span_new("one", NULL);
        np_span_begin(trace, span);
        log_numbers(trace, 0, 2);
        np_trace_settle(trace);
        log_numbers(trace, 2, 2);
        raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
    NP_AUTO(np_str_done) struct np_str text = bodies(path);
    ok_str(np_str_text(&text), "0 1 span ");
    ok_int(np_spool_record_close_open_spans(path, &report, NULL), 0);
    ok_int(report.n_closed, 1);
    ok_int(report.n_unreadable, 0);
}

TEST(who_opens_a_torn_record_begins_a_line_of_its_own)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/torn.otlp.jsonl", tap_directory());
    struct np_trace *trace = np_trace_new(NULL);
    FILE *file = fopen(path, "w");

    fputs("{\"resourceLogs\":[{\"sco", file);
    fclose(file);
    np_trace_add_sink(trace, opened(path));
    np_trace_log(trace, NULL, NP_INFO, NULL, "whole");
    np_trace_freep(&trace);
    NP_AUTO(census_done) struct census census = census_of(path);
    ok_int(census.n_unreadable, 1);
    ok_int(census.n_logs, 1);
}

TEST(an_observation_longer_than_a_line_may_be_is_lost_and_counted)
{
    NP_AUTO(np_freep) char *path = record_path("long");
    NP_AUTO(np_freep) char *text = np_xcalloc(NP_SPOOL_LINE_MOST + 1, 1);
    struct np_trace_sink sink = opened(path);
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct np_error what = {0};

    np_trace_add_sink(trace, sink);
    memset(text, 'x', NP_SPOOL_LINE_MOST);
    np_trace_log(trace, NULL, NP_INFO, NULL, "%s", text);
    np_trace_log(trace, NULL, NP_INFO, NULL, "short");
    ok_int(np_spool_record_health(&sink)->n_lost, 1);
    ok_int(np_spool_record_health(&sink)->n_lines, 1);
    ok(np_spool_record_trouble(&sink, &what));
    ok_contains(what.text, "longer than");
}

TEST(thousands_of_series_are_split_into_lines_that_can_be_read)
{
    NP_AUTO(np_freep) char *path = record_path("series");
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);

    np_trace_add_sink(trace, opened(path));
    for (int i = 0; i < 2000; i++) {
        NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
        NP_AUTO(np_freep) char *label = np_xasprintf("%04d", i);
        np_attrs_string(&attrs, NP_KEY_BIDS_PARTICIPANT, label);
        np_metric_set(trace, &np_metric_session_duration, i, &attrs);
    }
    np_trace_collect(trace);
    np_trace_settle(trace);
    NP_AUTO(census_done) struct census census = census_of(path);
    ok_int(census.n_metrics, 4);
    ok_int(census.n_unreadable, 0);
}

/* Lines around the limit, read from a file written here. */
TEST(lines_of_any_length_are_read_or_passed_over)
{
    static const size_t length[] = {
        5, NP_SPOOL_LINE_READ_MOST - 1,         7,  NP_SPOOL_LINE_READ_MOST + 1,
        9, 3 * (size_t)NP_SPOOL_LINE_READ_MOST, 11, 0,
        13};
    static const size_t expected[] = {5, NP_SPOOL_LINE_READ_MOST - 1, 7, 9, 11, 13};
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/lines", tap_directory());
    NP_AUTO(np_spool_lines_done) struct np_spool_lines lines = {0};
    FILE *file = fopen(path, "w");
    const char *line;
    size_t n;

    for (size_t i = 0; i < NP_COUNT(length); i++) {
        for (size_t k = 0; k < length[i]; k++)
            fputc('a' + (int)i, file);
        if (i + 1 < NP_COUNT(length))
            fputc('\n', file);
    }
    fclose(file);
    int fd = open(path, O_RDONLY);
    ok_int(np_spool_lines_open(&lines, fd, NULL), 0);
    for (size_t i = 0; i < NP_COUNT(expected); i++) {
        ok_int(np_spool_lines_next(&lines, &line, &n, NULL), 1);
        ok_int((int64_t)n, (int64_t)expected[i]);
        char found;
        ok(pread(fd, &found, 1, lines.offset) == 1 && found == line[0] && line[n - 1] == found);
    }
    ok_int(np_spool_lines_next(&lines, &line, &n, NULL), 0);
    ok_int(lines.n_too_long, 2);
    ok(!lines.ends_in_newline);
    close(fd);
}

TEST(what_is_no_record_is_named)
{
    struct np_error err = {0};
    NP_AUTO(np_freep) char *path = record_path("absent");

    ok_int(np_spool_record_close_open_spans(path, NULL, &err), NP_ENOINPUT);
    ok_contains(err.text, path);
    err = (struct np_error){0};
    ok_int(np_spool_record_close_open_spans("/dev/null", NULL, &err), NP_ENOINPUT);
    ok_contains(err.text, "'/dev/null'");
    struct np_trace_sink sink = {0};
    err = (struct np_error){0};
    ok(np_spool_record_open("/proc/no/such.jsonl", NULL, NULL, &sink, &err) < 0);
    ok(!sink.self);
    ok_contains(err.text, "/proc");
}

TEST(each_failed_allocation_is_clean_in_the_sink_and_in_closing)
{
    NP_AUTO(np_freep) char *path = record_path("memory");
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_span_freep) struct np_span *span = sample_span();
    struct np_trace_sink sink = opened(path);
    struct np_spool_closing report = {.n_closed = -1};
    struct np_error what = {0};
    int code = NP_ENOMEM, n_failed = 0;

    np_trace_add_sink(trace, sink);
    np_alloc_fail_at(1);
    np_trace_log(trace, NULL, NP_INFO, NULL, "lost");
    np_span_begin(trace, span);
    ok_int(np_spool_record_health(&sink)->n_lost, 1);
    ok_int(np_spool_record_health(&sink)->n_lines, 1);
    ok(np_spool_record_trouble(&sink, &what) && what.code == NP_ENOMEM);
    np_trace_freep(&trace);
    for (int nth = 1; code == NP_ENOMEM && nth < 20; nth++) {
        struct np_error err = {0};
        np_alloc_fail_at(nth);
        code = np_spool_record_close_open_spans(path, &report, &err);
        n_failed += code == NP_ENOMEM;
        ok(code == 0 ? report.n_closed == 1 : report.n_closed == -1 && err.text[0]);
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok_above(n_failed, 2, "line buffer, table and output at least");
    NP_AUTO(census_done) struct census census = census_of(path);
    ok_all_ended_once(&census);
}

TAP_MAIN
