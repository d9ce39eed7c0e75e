/* The model: attributes, ids, spans, sinks. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "tap.h"
#include "trace/names.h"
#include "trace/trace.h"

static const char TRACE_HEX[] = "0af7651916cd43dd8448eb211c80319c";
static const char SPAN_HEX[] = "b7ad6b7169203331";

TEST(setting_a_key_again_replaces_its_value_and_type)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_attrs_string(&attrs, "a", "text");
    np_attrs_int(&attrs, "b", 1);
    np_attrs_double(&attrs, "a", 2.5);
    np_attrs_bool(&attrs, "c", true);
    ok_int((int64_t)attrs.n, 3);
    ok_int(np_attrs_find(&attrs, "a")->type, NP_ATTR_DOUBLE);
    ok(np_attrs_find(&attrs, "a")->value.number == 2.5);
    np_attrs_string(&attrs, "a", "again");
    np_attrs_string(&attrs, "a", np_attrs_find(&attrs, "a")->value.string);
    ok_str(np_attrs_find(&attrs, "a")->value.string, "again");
    ok(!np_attrs_find(&attrs, "absent"));
}

TEST(a_null_string_sets_nothing_and_broken_utf8_is_mended)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_attrs_string(&attrs, "null", NULL);
    ok_int((int64_t)attrs.n, 0);
    np_attrs_string(&attrs, "name", "sub-\xff\xc3\xa9");
    ok_str(np_attrs_find(&attrs, "name")->value.string, "sub-\xef\xbf\xbd\xc3\xa9");
}

TEST(copying_attributes_adds_all_types_and_leaves_the_source)
{
    NP_AUTO(np_attrs_done) struct np_attrs from = {0}, to = {0};

    np_attrs_string(&from, "s", "x");
    np_attrs_int(&from, "i", INT64_MIN);
    np_attrs_double(&from, "d", 0.1);
    np_attrs_bool(&from, "b", true);
    np_attrs_int(&to, "s", 1);
    np_attrs_copy(&from, &to);
    ok_int((int64_t)to.n, 4);
    ok_str(np_attrs_find(&to, "s")->value.string, "x");
    ok_int(np_attrs_find(&to, "i")->value.integer, INT64_MIN);
    ok(np_attrs_find(&to, "s")->value.string != np_attrs_find(&from, "s")->value.string);
}

TEST(ids_are_random_and_go_through_hex_unchanged)
{
    struct np_trace_id a = np_trace_id_new(), b = np_trace_id_new(), back;
    struct np_span_id c = np_span_id_new(), d = np_span_id_new(), back_span;
    char hex[NP_TRACE_ID_HEX], span_hex[NP_SPAN_ID_HEX];

    ok(memcmp(&a, &b, sizeof(a)) != 0);
    ok(memcmp(&c, &d, sizeof(c)) != 0);
    ok(!np_trace_id_is_zero(&a) && !np_span_id_is_zero(&c));
    np_trace_id_hex(&a, hex);
    np_span_id_hex(&c, span_hex);
    ok(np_trace_id_parse(hex, &back) && memcmp(&a, &back, sizeof(a)) == 0);
    ok(np_span_id_parse(span_hex, &back_span) && memcmp(&c, &back_span, sizeof(c)) == 0);
    ok(!np_trace_id_parse("0af7651916cd43dd8448eb211c80319", &back));
    ok(!np_trace_id_parse("0af7651916cd43dd8448eb211c80319c0", &back));
    ok(!np_span_id_parse("b7ad6b716920333g", &back_span));
    ok(!np_span_id_parse("", &back_span));
}

/* The rules of https://www.w3.org/TR/trace-context/ section 3.2. */
TEST(traceparent_is_accepted_or_refused_as_w3c_specifies)
{
    static const struct {
        const char *text;
        bool valid;
        uint32_t flags;
    } table[] = {
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true, 1},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true, 0},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", true, 3},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true, 1},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", true, 1},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", false, 0},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", false, 0},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, 0},
        {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false, 0},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false, 0},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false, 0},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false, 0},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false, 0},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x", false, 0},
        {"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, 0},
        {"0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, 0},
        {"", false, 0},
        {"-", false, 0},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct np_trace_id trace = {0};
        struct np_span_id span = {0};
        uint32_t flags = 0;
        bool valid = np_traceparent_parse(table[i].text, &trace, &span, &flags);
        tap_check(valid == table[i].valid && flags == table[i].flags, __FILE__, __LINE__, "'%s'",
                  table[i].text);
        tap_check(np_trace_id_is_zero(&trace) != valid, __FILE__, __LINE__,
                  "'%s': outputs are set only when it is valid", table[i].text);
        if (!valid)
            continue;
        char hex[NP_TRACE_ID_HEX], span_hex[NP_SPAN_ID_HEX];
        np_trace_id_hex(&trace, hex);
        np_span_id_hex(&span, span_hex);
        ok_str(hex, TRACE_HEX);
        ok_str(span_hex, SPAN_HEX);
    }
}

TEST(a_child_has_its_parents_trace_and_a_root_its_own)
{
    NP_AUTO(np_span_freep) struct np_span *root = np_span_new("root", NULL);
    NP_AUTO(np_span_freep) struct np_span *other = np_span_new("root", NULL);
    root->trace_state = np_xstrdup("a=b");
    root->flags = 3;
    NP_AUTO(np_span_freep) struct np_span *child = np_span_new("child", root);

    ok(np_span_id_is_zero(&root->parent_id));
    ok_int(other->flags, 1);
    ok(memcmp(&root->trace_id, &other->trace_id, sizeof(root->trace_id)) != 0);
    ok(memcmp(&root->trace_id, &child->trace_id, sizeof(root->trace_id)) == 0);
    ok(memcmp(&root->span_id, &child->parent_id, sizeof(root->span_id)) == 0);
    ok(memcmp(&root->span_id, &child->span_id, sizeof(root->span_id)) != 0);
    ok_str(child->trace_state, "a=b");
    ok_int(child->flags, 3 | NP_FLAG_PARENT_KNOWN);
    ok_int(child->end_ns, 0);
}

TEST(a_failed_span_has_the_failure_in_status_attributes_and_event)
{
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("load_file", NULL);
    struct np_error err = {0};

    np_error_set(&err, NP_EFORMAT, "'x.nii': expected a NIfTI image");
    np_span_fail(span, &err);
    ok_int(span->status, NP_STATUS_ERROR);
    ok_str(span->status_message, "'x.nii': expected a NIfTI image");
    ok_str(np_attrs_find(&span->attrs, "error.type")->value.string, "bad-data");
    ok_str(np_attrs_find(&span->attrs, "neuro.error.code")->value.string, "NP_EFORMAT");
    ok_int((int64_t)span->n_events, 1);
    ok_str(span->event[0].name, "exception");
    ok_str(np_attrs_find(&span->event[0].attrs, "exception.message")->value.string,
           "'x.nii': expected a NIfTI image");
}

/* A sink that writes down what it is given. */
struct notes {
    struct np_str text;
    int n_closed;
    int64_t end_ns;
};

static void note_start(void *self, const struct np_span *span)
{
    np_str_addf(&((struct notes *)self)->text, "start %s;", span->name);
}

static void note_end(void *self, const struct np_span *span)
{
    struct notes *notes = self;

    np_str_addf(&notes->text, "end %s;", span->name);
    notes->end_ns = span->end_ns;
}

static void note_log(void *self, const struct np_log_record *record)
{
    np_str_addf(&((struct notes *)self)->text, "log %d %s %zu;", (int)record->severity,
                record->body, record->attrs.n);
}

static void note_settle(void *self)
{
    np_str_add(&((struct notes *)self)->text, "settle;");
}

static void note_flush(void *self)
{
    np_str_add(&((struct notes *)self)->text, "flush;");
}

static void note_close(void *self)
{
    ((struct notes *)self)->n_closed++;
}

TEST(sinks_receive_starts_ends_and_logs_in_order)
{
    struct notes notes = {0};
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    struct np_trace *trace = np_trace_new(NULL);
    struct np_trace_sink no_call = {0};

    np_trace_add_sink(trace, no_call);
    np_trace_add_sink(trace, (struct np_trace_sink){.self = &notes,
                                                    .span_start = note_start,
                                                    .span_end = note_end,
                                                    .log = note_log,
                                                    .settle = note_settle,
                                                    .flush = note_flush,
                                                    .close = note_close});
    struct np_span *span = np_span_new("one", NULL);
    np_attrs_int(&attrs, "k", 1);
    np_span_begin(trace, span);
    np_trace_log(trace, span, NP_WARN, &attrs, "%d of\n%s", 1, "\xff");
    np_span_end(trace, &span);
    ok(!span);
    np_span_end(trace, &span);
    np_trace_settle(trace);
    np_trace_flush(trace);
    np_trace_freep(&trace);
    ok_str(np_str_text(&notes.text), "start one;log 13 1 of \xef\xbf\xbd 1;end one;settle;flush;");
    ok_int(notes.n_closed, 1);
    ok(notes.end_ns > 0);
    np_str_done(&notes.text);
}

/* The wall clock is set back by an hour after the start. */
TEST(a_span_takes_the_time_that_passed_though_the_clock_was_set_back)
{
    struct notes notes = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct np_span *span = np_span_new("one", NULL);
    int64_t start_ns = span->start_ns += 3600 * INT64_C(1000000000);

    np_trace_add_sink(trace, (struct np_trace_sink){.self = &notes, .span_end = note_end});
    poll(NULL, 0, 30);
    NP_AUTO(np_span_freep) struct np_span *child = np_span_new("child", span);
    np_span_event(span, "here", NULL);
    ok(child->start_ns >= start_ns);
    ok(span->event[0].time_ns >= start_ns + 30000000);
    np_span_end(trace, &span);
    ok(notes.end_ns >= start_ns + 30000000);
    ok_below((double)(notes.end_ns - start_ns) * 1e-9, 5, "s, of 0.03");
    np_str_done(&notes.text);
}

TEST(a_span_of_another_process_without_its_clock_does_not_end_before_it_began)
{
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("one", NULL);

    span->start_mono_ns = 0;
    span->start_ns += 3600 * INT64_C(1000000000);
    ok_int(np_span_now_ns(span), span->start_ns);
}

TEST(a_link_and_a_log_record_have_the_flags_of_their_span)
{
    NP_AUTO(np_span_freep) struct np_span *run = np_span_new("run", NULL);
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("one", NULL);

    np_span_link(span, run);
    run->flags &= ~(uint32_t)NP_FLAG_SAMPLED;
    np_span_link(span, run);
    ok_int(span->link[0].flags, NP_FLAG_SAMPLED | NP_FLAG_PARENT_KNOWN);
    ok_int(span->link[1].flags, NP_FLAG_PARENT_KNOWN);
}

TEST(a_huge_text_is_cut_between_two_characters)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    NP_AUTO(np_freep) char *huge = np_xcalloc(5000001, 1);

    memset(huge, 'x', 5000000);
    for (size_t i = NP_ATTR_MOST_BYTES - 1; i + 1 < 5000000; i += 2)
        memcpy(huge + i, "\xc3\xa9", 2);
    np_attrs_string(&attrs, "huge", huge);
    ok_int((int64_t)strlen(np_attrs_find(&attrs, "huge")->value.string), NP_ATTR_MOST_BYTES - 1);
    huge[NP_ATTR_MOST_BYTES - 1] = '\0';
    ok_str(np_attrs_find(&attrs, "huge")->value.string, huge);
}

/* A sink that keeps what it needs of an ended span. */
struct kept {
    size_t n_attributes, n_events, n_event_attributes, n_links;
    uint32_t dropped_attributes, dropped_events, dropped_event_attributes, dropped_links;
    char text[64];
};

static void keep_span(void *self, const struct np_span *span)
{
    struct kept *kept = self;

    *kept = (struct kept){
        .n_attributes = span->attrs.n,
        .n_events = span->n_events,
        .n_event_attributes = span->n_events ? span->event[0].attrs.n : 0,
        .n_links = span->n_links,
        .dropped_attributes = span->attrs.n_dropped,
        .dropped_events = span->n_events_dropped,
        .dropped_event_attributes = span->n_events ? span->event[0].attrs.n_dropped : 0,
        .dropped_links = span->n_links_dropped,
    };
    if (span->attrs.n > 0)
        snprintf(kept->text, sizeof(kept->text), "%s", span->attrs.item[0].value.string);
}

static struct np_span *full_span(void)
{
    struct np_span *span = np_span_new("full", NULL);
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_attrs_string(&span->attrs, "text", "\xc3\xa9t\xc3\xa9 and more");
    np_attrs_int(&span->attrs, "b", 1);
    np_attrs_int(&span->attrs, "c", 2);
    np_attrs_int(&attrs, "x", 1);
    np_attrs_int(&attrs, "y", 2);
    for (int i = 0; i < 3; i++)
        np_span_event(span, "event", &attrs);
    for (int i = 0; i < 4; i++)
        np_span_link(span, span);
    return span;
}

TEST(limits_apply_to_what_sinks_receive_and_dropped_items_are_counted)
{
    static const struct np_trace_limits limits = {.span_attributes = 2,
                                                  .span_characters = 4,
                                                  .span_events = 1,
                                                  .span_links = 3,
                                                  .event_attributes = 1,
                                                  .log_attributes = -1,
                                                  .log_characters = -1};
    static const struct np_trace_limits nothing = {0, 0, 0, 0, 0, 0, 0};
    struct kept kept = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct np_span *span = full_span();

    np_trace_add_sink(trace, (struct np_trace_sink){
                                 .self = &kept, .span_start = keep_span, .span_end = keep_span});
    np_span_begin(trace, span);
    ok_int((int64_t)kept.n_attributes, 3);
    ok_int(kept.dropped_attributes, 0);
    np_trace_set_limits(trace, &limits);
    np_trace_span_end(trace, span);
    ok_int((int64_t)kept.n_attributes, 2);
    ok_int(kept.dropped_attributes, 1);
    ok_str(kept.text, "\xc3\xa9t\xc3\xa9 "); /* four characters, six bytes */
    ok_int((int64_t)kept.n_events, 1);
    ok_int(kept.dropped_events, 2);
    ok_int((int64_t)kept.n_event_attributes, 1);
    ok_int(kept.dropped_event_attributes, 1);
    ok_int((int64_t)kept.n_links, 3);
    ok_int(kept.dropped_links, 1);
    np_trace_set_limits(trace, &nothing);
    np_span_end(trace, &span);
    ok_int((int64_t)kept.n_attributes, 0);
    ok_int(kept.dropped_attributes, 3);
    ok_int(kept.dropped_events, 3);
}

static void keep_log(void *self, const struct np_log_record *record)
{
    struct kept *kept = self;

    kept->n_attributes = record->attrs.n;
    kept->dropped_attributes = record->attrs.n_dropped;
    snprintf(kept->text, sizeof(kept->text), "%s", record->attrs.item[0].value.string);
}

TEST(log_records_have_limits_of_their_own)
{
    static const struct np_trace_limits limits = {-1, -1, -1, -1, -1, 1, 3};
    struct kept kept = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_trace_add_sink(trace, (struct np_trace_sink){.self = &kept, .log = keep_log});
    np_trace_set_limits(trace, &limits);
    np_attrs_string(&attrs, "a", "long");
    np_attrs_string(&attrs, "b", "b");
    np_trace_log(trace, NULL, NP_INFO, &attrs, "body");
    ok_int((int64_t)kept.n_attributes, 1);
    ok_int(kept.dropped_attributes, 1);
    ok_str(kept.text, "lon");
}

TEST(many_attributes_and_long_texts_are_kept_whole)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    NP_AUTO(np_freep) char *text = np_xcalloc(10001, 1);

    memset(text, 'x', 10000);
    for (int i = 0; i < 300; i++) {
        NP_AUTO(np_freep) char *key = np_xasprintf("key number %d", i);
        np_attrs_string(&attrs, key, i % 100 ? key : text);
    }
    ok_int((int64_t)attrs.n, 300);
    for (int i = 0; i < 300; i++) {
        NP_AUTO(np_freep) char *key = np_xasprintf("key number %d", i);
        if (strcmp(np_attrs_find(&attrs, key)->value.string, i % 100 ? key : text) != 0)
            ok_str(np_attrs_find(&attrs, key)->value.string, key);
    }
}

/* The rules of https://www.w3.org/TR/trace-context/ section 3.3. */
TEST(tracestate_is_accepted_or_refused_as_w3c_specifies)
{
    static const char *const valid[] = {"a=b",  "vendor=1,other@sys=x y", "a=b, ,c=d", " a=b ",
                                        "0x=1", "a*/_-=!\"#$%&'()"};
    static const char *const invalid[] = {
        "",      ",",      "a",     "a=",         "=b",   "A=b",
        "a=b=c", "a=\x01", "a b=c", "a=\xc3\xa9", "@a=b", "a=b,c=d,e"};
    NP_AUTO(np_str_done) struct np_str many = {0};

    for (size_t i = 0; i < NP_COUNT(valid); i++)
        tap_check(np_tracestate_is_valid(valid[i]), __FILE__, __LINE__, "'%s'", valid[i]);
    for (size_t i = 0; i < NP_COUNT(invalid); i++)
        tap_check(!np_tracestate_is_valid(invalid[i]), __FILE__, __LINE__, "'%s'", invalid[i]);
    for (int i = 0; i < 32; i++)
        np_str_addf(&many, "%sk%d=v", i ? "," : "", i);
    ok(np_tracestate_is_valid(np_str_text(&many)));
    np_str_add(&many, ",k=v");
    ok(!np_tracestate_is_valid(np_str_text(&many)));
}

TEST(a_parent_in_the_environment_is_joined_and_handed_on)
{
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("root", NULL);
    NP_AUTO(np_span_freep) struct np_span *bare = np_span_new("root", NULL);
    char hex[NP_SPAN_ID_HEX], text[NP_TRACEPARENT_TEXT];

    setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 1);
    setenv("TRACESTATE", "vendor=1", 1);
    ok(np_span_join_environment(span));
    np_span_id_hex(&span->parent_id, hex);
    ok_str(hex, SPAN_HEX);
    ok_str(span->trace_state, "vendor=1");
    ok_int(span->flags, NP_FLAG_SAMPLED | NP_FLAG_PARENT_KNOWN | NP_FLAG_PARENT_REMOTE);
    np_span_export_environment(span);
    np_traceparent_format(span, text);
    ok_str(getenv("TRACEPARENT"), text);
    ok_contains(text, TRACE_HEX);
    ok(!strstr(text, SPAN_HEX)); /* the span is the parent now */
    ok_str(text + 52, "-01");
    setenv("TRACESTATE", "not valid", 1);
    ok(np_span_join_environment(span));
    ok(!span->trace_state);
    np_span_export_environment(span);
    ok(!getenv("TRACESTATE"));
    setenv("TRACEPARENT", "nonsense", 1);
    ok(!np_span_join_environment(bare));
    ok(np_span_id_is_zero(&bare->parent_id));
    unsetenv("TRACEPARENT");
    ok(!np_span_join_environment(bare));
}

TEST(a_forked_child_has_ids_of_its_own)
{
    struct np_span_id ours = np_span_id_new(), theirs; /* the store is filled */
    int ends[2];

    ok_int(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        theirs = np_span_id_new();
        _exit(write(ends[1], &theirs, sizeof(theirs)) != sizeof(theirs));
    }
    ours = np_span_id_new();
    ok_int(read(ends[0], &theirs, sizeof(theirs)), sizeof(theirs));
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    ok(memcmp(&ours, &theirs, sizeof(ours)) != 0);
}

/* The log data model of OpenTelemetry: ranges of four. */
TEST(a_severity_number_has_the_name_of_its_range)
{
    static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

    for (int number = 1; number <= 24; number++)
        ok_str(np_severity_name((enum np_severity)number), names[(number - 1) / 4]);
    ok_str(np_severity_name(NP_ERROR_LEVEL), "ERROR");
    ok_str(np_severity_name((enum np_severity)0), "TRACE");
}

TAP_MAIN
