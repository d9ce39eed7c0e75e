/* The model: attributes, ids, spans, sinks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
TEST(traceparent_is_taken_or_refused_as_w3c_says)
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
    ok_int(child->flags, 3);
    ok_int(child->end_ns, 0);
}

TEST(a_failed_span_says_what_failed_in_status_attributes_and_event)
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

/* A sink that writes down what it is told. */
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

static void note_flush(void *self)
{
    np_str_add(&((struct notes *)self)->text, "flush;");
}

static void note_close(void *self)
{
    ((struct notes *)self)->n_closed++;
}

TEST(sinks_hear_of_starts_ends_and_logs_in_order)
{
    struct notes notes = {0};
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};
    struct np_trace *trace = np_trace_new(NULL);
    struct np_trace_sink deaf = {0};

    np_trace_add_sink(trace, deaf);
    np_trace_add_sink(trace, (struct np_trace_sink){.self = &notes,
                                                    .span_start = note_start,
                                                    .span_end = note_end,
                                                    .log = note_log,
                                                    .flush = note_flush,
                                                    .close = note_close});
    struct np_span *span = np_span_new("one", NULL);
    np_attrs_int(&attrs, "k", 1);
    np_span_begin(trace, span);
    np_trace_log(trace, span, NP_WARN, &attrs, "%d of\n%s", 1, "\xff");
    np_span_end(trace, &span);
    ok(!span);
    np_span_end(trace, &span);
    np_trace_flush(trace);
    np_trace_freep(&trace);
    ok_str(np_str_text(&notes.text), "start one;log 13 1 of \xef\xbf\xbd 1;end one;flush;");
    ok_int(notes.n_closed, 1);
    ok(notes.end_ns > 0);
    np_str_done(&notes.text);
}

TEST(a_span_never_ends_before_it_began_though_the_clock_was_set_back)
{
    struct notes notes = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct np_span *span = np_span_new("one", NULL);
    int64_t start_ns = span->start_ns += 3600 * INT64_C(1000000000);

    np_trace_add_sink(trace, (struct np_trace_sink){.self = &notes, .span_end = note_end});
    np_span_end(trace, &span);
    ok_int(notes.end_ns, start_ns);
    np_str_done(&notes.text);
}

TEST(every_name_stands_once_and_in_the_documentation)
{
    NP_AUTO(np_freep) char *text = NULL;
    size_t capacity = 0;
    FILE *file = fopen("docs/telemetry.md", "r");

    for (size_t i = 0; i < np_n_attr_names; i++)
        for (size_t k = 0; k < i; k++)
            ok(strcmp(np_attr_names[i].key, np_attr_names[k].key) != 0);
    if (!file) {
        tap_skip("docs/telemetry.md is not below the working directory");
        return;
    }
    ok(getdelim(&text, &capacity, '\0', file) > 0);
    fclose(file);
    for (size_t i = 0; i < np_n_attr_names; i++) {
        NP_AUTO(np_freep) char *quoted = np_xasprintf("`%s`", np_attr_names[i].key);
        ok_contains(text, quoted);
    }
    for (size_t i = 0; i < np_n_metric_defs; i++) {
        NP_AUTO(np_freep)
        char *row = np_xasprintf("`%s` |", np_metric_defs[i]->name);
        ok_contains(text, row);
    }
}

TAP_MAIN
