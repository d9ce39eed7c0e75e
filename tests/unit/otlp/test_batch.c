/* Batches: lines of a record become request bodies, and any bytes that are no line are refused. */
#include "base/random.h"
#include "otlp/inside.h"
#include "otlp/reader.h"
#include "otlp/redact.h"
#include "requests.h"

static struct np_otlp_batch *new_batch(enum np_otlp_signal signal, enum np_otlp_protocol protocol)
{
    const struct np_otlp_batch_options options = {.signal = signal, .protocol = protocol};
    struct np_otlp_batch *batch = np_otlp_batch_new(&options);

    ok(batch != NULL);
    return batch;
}

static enum np_otlp_line add_text(struct np_otlp_batch *batch, const char *text)
{
    enum np_otlp_line result = NP_OTLP_LINE_BROKEN;

    ok_int(np_otlp_batch_add_line(batch, text, strlen(text), &result), 0);
    return result;
}

/* The body of all items as JSON; the caller releases. */
static json_t *body_of(const struct np_otlp_batch *batch)
{
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};
    json_error_t why;

    ok_int(np_otlp_batch_encode(batch, 0, np_otlp_batch_count(batch), &body), 0);
    json_t *root = json_loadb(body.bytes, body.length, JSON_REJECT_DUPLICATES, &why);
    tap_check(root != NULL, __FILE__, __LINE__, "%s: %.*s", why.text, (int)body.length, body.bytes);
    return root;
}

TEST(a_line_becomes_the_bytes_that_the_encoder_would_have_written)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        enum np_otlp_signal signal = (enum np_otlp_signal)i;
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer line = {0}, direct = {0};
        NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer protobuf = {0}, again = {0};
        sample_request(signal, &np_otlp_json, &line);
        sample_request(signal, &np_otlp_protobuf, &direct);
        ok_int(through_batch(signal, NP_OTLP_GRPC, line.bytes, line.length, &protobuf),
               NP_OTLP_LINE_ADDED);
        ok(same_bytes(&direct, &protobuf));
        ok_int(through_batch(signal, NP_OTLP_HTTP_JSON, line.bytes, line.length, &again),
               NP_OTLP_LINE_ADDED);
        ok(same_bytes(&line, &again));
    }
}

TEST(every_field_of_the_protocol_passes_in_json_too)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        NP_AUTO(np_freep) char *line = every_field((enum np_otlp_signal)i);
        NP_AUTO(np_otlp_batch_freep)
        struct np_otlp_batch *batch = new_batch((enum np_otlp_signal)i, NP_OTLP_HTTP_JSON);
        ok_int(add_text(batch, line), NP_OTLP_LINE_ADDED);
        json_t *before = json_loads(line, 0, NULL), *after = body_of(batch);
        ok(before && after);
        tap_check(json_equal(before, after), __FILE__, __LINE__, "%s changed",
                  np_otlp_signal_name((enum np_otlp_signal)i));
        json_decref(before);
        json_decref(after);
    }
}

TEST(the_line_with_every_field_has_every_field)
{
    NP_AUTO(np_str_done) struct np_str all = {0};

    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++) {
        NP_AUTO(np_freep) char *line = every_field((enum np_otlp_signal)i);
        np_str_add(&all, line);
    }
    for (size_t i = 0; i < NP_N_OTLP_FIELDS; i++) {
        NP_AUTO(np_freep) char *name = np_xasprintf("\"%s\":", np_otlp_fields[i].json_name);
        tap_check(strstr(np_str_text(&all), name) != NULL, __FILE__, __LINE__, "%s", name);
    }
}

#define SPAN(name) "{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"name\":\"" name "\"}"
#define LINE(resource, scope, spans)                                          \
    "{\"resourceSpans\":[{\"resource\":{\"droppedAttributesCount\":" resource \
    "},\"scopeSpans\":[{\"scope\":{\"name\":\"" scope "\"},\"spans\":[" spans \
    "],\"schemaUrl\":\"u\"}],\"schemaUrl\":\"v\"}]}"

/* Attributes of few keys and values, so that many stand where the same one stood before. */
static void add_attributes(struct np_str *line, struct np_random *random)
{
#define TEN "0123456789"
    static const char *const keys[] = {"a", "bids.participant", "\\u0061", "\xc3\xa9",
                                       TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN};
    static const char *const values[] = {
        "{\"stringValue\":\"01\"}",
        "{\"stringValue\":\"02\"}",
        "{\"stringValue\":\"\"}",
        "{\"intValue\":\"7\"}",
        "{\"intValue\":7}",
        "{\"doubleValue\":0.1}",
        "{\"boolValue\":false}",
        " { \"boolValue\" : true }",
        "{\"intValue\":null}",
        "{\"arrayValue\":{\"values\":[{\"stringValue\":\"01\"}]}}",
        "{\"stringValue\":\"" TEN TEN TEN TEN TEN TEN TEN "\"}",
        "{\"stringValue\":\"" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "\"}",
    };
    uint64_t n = np_random_bits(random) % (np_random_bits(random) % 8 ? 6 : 40);

    np_str_add(line, "\"attributes\":[");
    for (uint64_t i = 0; i < n; i++)
        np_str_addf(line, "%s{\"key\":\"%s%s\",\"value\":%s}", i ? "," : "",
                    keys[np_random_bits(random) % NP_COUNT(keys)], i % 3 ? "" : "x",
                    values[np_random_bits(random) % NP_COUNT(values)]);
    np_str_add_char(line, ']');
}

static char *random_line(struct np_random *random)
{
    struct np_str line = {0};

    np_str_add(&line, "{\"resourceSpans\":[{\"resource\":{");
    add_attributes(&line, random);
    np_str_add(&line, "},\"scopeSpans\":[{\"scope\":{");
    add_attributes(&line, random);
    np_str_add(&line, "},\"spans\":[{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",");
    add_attributes(&line, random);
    np_str_add(&line, ",\"events\":[{");
    add_attributes(&line, random);
    np_str_add(&line, "}],\"links\":[{");
    add_attributes(&line, random);
    np_str_add(&line, "}]}]}]}]}");
    return np_str_take(&line);
}

/* The same with a blank where json.c writes none: it is read step by step. */
static char *with_blanks(const char *line)
{
    static const char begin[] = "{\"key\"";
    struct np_str out = {0};

    for (const char *at; (at = strstr(line, begin)); line = at + sizeof(begin) - 1) {
        np_str_add_bytes(&out, line, (size_t)(at - line));
        np_str_add(&out, "{ \"key\"");
    }
    np_str_add(&out, line);
    return np_str_take(&out);
}

TEST(what_was_read_before_does_not_change_what_is_written)
{
    static const enum np_otlp_protocol protocols[] = {NP_OTLP_GRPC, NP_OTLP_HTTP_JSON};
    struct np_random random;

    np_random_seed(&random, 9, 0);
    for (size_t k = 0; k < NP_COUNT(protocols); k++) {
        NP_AUTO(np_otlp_batch_freep)
        struct np_otlp_batch *all = new_batch(NP_OTLP_TRACES, protocols[k]);
        for (size_t i = 0; i < 400; i++) {
            NP_AUTO(np_freep) char *line = random_line(&random), *blank = with_blanks(line);
            NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer found = {0}, alone = {0};
            ok_int(add_text(all, line), NP_OTLP_LINE_ADDED);
            ok_int(np_otlp_batch_encode(all, i, 1, &found), 0);
            ok_int(through_batch(NP_OTLP_TRACES, protocols[k], blank, strlen(blank), &alone),
                   NP_OTLP_LINE_ADDED);
            ok(same_bytes(&alone, &found));
        }
    }
}

TEST(neighbours_of_one_resource_and_scope_stand_together)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_TRACES, NP_OTLP_HTTP_JSON);

    ok_int(add_text(batch, LINE("1", "a", SPAN("s1"))), NP_OTLP_LINE_ADDED);
    ok_int(add_text(batch, LINE("1", "a", SPAN("s2") "," SPAN("s3"))), NP_OTLP_LINE_ADDED);
    ok_int(add_text(batch, LINE("1", "b", SPAN("s4"))), NP_OTLP_LINE_ADDED);
    ok_int(add_text(batch, LINE("2", "b", SPAN("s5"))), NP_OTLP_LINE_ADDED);
    ok_int(add_text(batch, LINE("1", "a", SPAN("s6"))), NP_OTLP_LINE_ADDED);
    ok_int((int64_t)np_otlp_batch_count(batch), 6);
    json_t *root = body_of(batch);
    ok_int((int64_t)json_array_size(at(root, "resourceSpans")), 3);
    ok_int((int64_t)json_array_size(at(root, "resourceSpans.0.scopeSpans")), 2);
    ok_int((int64_t)json_array_size(at(root, "resourceSpans.0.scopeSpans.0.spans")), 3);
    ok_str(text_at(root, "resourceSpans.0.scopeSpans.0.spans.2.name"), "s3");
    ok_str(text_at(root, "resourceSpans.0.scopeSpans.1.scope.name"), "b");
    ok_str(text_at(root, "resourceSpans.0.scopeSpans.1.schemaUrl"), "u");
    ok_str(text_at(root, "resourceSpans.1.schemaUrl"), "v");
    ok_str(text_at(root, "resourceSpans.2.scopeSpans.0.spans.0.name"), "s6");
    json_decref(root);
}

TEST(any_range_of_items_is_one_request)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_TRACES, NP_OTLP_HTTP_JSON);
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};

    add_text(batch, LINE("1", "a", SPAN("s1") "," SPAN("s2")));
    add_text(batch, LINE("2", "a", SPAN("s3") "," SPAN("s4")));
    ok_int(np_otlp_batch_encode(batch, 1, 2, &body), 0);
    json_t *root = json_loadb(body.bytes, body.length, 0, NULL);
    ok_int((int64_t)json_array_size(at(root, "resourceSpans")), 2);
    ok_str(text_at(root, "resourceSpans.0.scopeSpans.0.spans.0.name"), "s2");
    ok_str(text_at(root, "resourceSpans.1.scopeSpans.0.spans.0.name"), "s3");
    ok_int((int64_t)json_array_size(at(root, "resourceSpans.1.scopeSpans.0.spans")), 1);
    json_decref(root);
}

TEST(the_estimated_size_is_never_too_small_and_little_too_large)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_TRACES, NP_OTLP_GRPC);
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer line = {0}, body = {0};
    enum np_otlp_line result;

    sample_request(NP_OTLP_TRACES, &np_otlp_json, &line);
    for (int i = 0; i < 200; i++)
        ok_int(np_otlp_batch_add_line(batch, line.bytes, line.length, &result), 0);
    size_t estimate = np_otlp_batch_bytes(batch);
    ok_int(np_otlp_batch_encode(batch, 0, np_otlp_batch_count(batch), &body), 0);
    ok(estimate >= body.length);
    ok_below((double)estimate, (double)body.length * 1.02 + 1024, "bytes, estimated");
}

TEST(what_does_not_fit_leaves_the_body_as_it_was)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_TRACES, NP_OTLP_GRPC);
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {.most = 40};

    np_otlp_buffer_text(&body, "before");
    add_text(batch, LINE("1", "a", SPAN("s1")));
    ok_int(np_otlp_batch_encode(batch, 0, 1, &body), NP_EVALUE);
    ok_int((int64_t)body.length, 6);
}

TEST(a_line_of_another_signal_or_without_items_is_nothing)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_LOGS, NP_OTLP_GRPC);
    enum np_otlp_signal signal = NP_OTLP_LOGS;

    ok_int(add_text(batch, LINE("1", "a", SPAN("s1"))), NP_OTLP_LINE_NOTHING);
    ok_int(add_text(batch, "{\"resourceLogs\":[]}"), NP_OTLP_LINE_NOTHING);
    ok_int(add_text(batch, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[]}]}]}"),
           NP_OTLP_LINE_NOTHING);
    ok_int((int64_t)np_otlp_batch_count(batch), 0);
    ok(np_otlp_line_signal(" { \"resourceMetrics\" : [", 22, &signal));
    ok_int(signal, NP_OTLP_METRICS);
    ok(!np_otlp_line_signal("{\"else\":1}", 10, &signal));
    ok(!np_otlp_line_signal("", 0, &signal));
}

TEST(what_only_the_record_needs_is_left_out)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_LOGS, NP_OTLP_HTTP_JSON);
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer line = {0};
    NP_AUTO(np_span_freep) struct np_span *span = sample_span();
    const struct np_otlp_source source = {.scope = &SAMPLE_SCOPE};
    enum np_otlp_line result;

    ok_int(request_of_start(&source, span, &line), 0);
    ok_int(np_otlp_batch_add_line(batch, line.bytes, line.length, &result), 0);
    ok_int(result, NP_OTLP_LINE_NOTHING);
    ok_int(add_text(batch, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":["
                           "{\"eventName\":\"neuro.sampling\"},{\"eventName\":\"x\"}]}]}]}"),
           NP_OTLP_LINE_ADDED);
    ok_int((int64_t)np_otlp_batch_count(batch), 1);
    json_t *root = body_of(batch);
    ok_str(text_at(root, "resourceLogs.0.scopeLogs.0.logRecords.0.eventName"), "x");
    json_decref(root);
}

TEST(what_stands_before_or_after_a_spans_start_or_speaks_of_one_is_sent)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_LOGS, NP_OTLP_HTTP_JSON);

    ok_int(add_text(batch, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":["
                           "{\"eventName\":\"a\"},{\"eventName\":\"neuro.span.start\"},"
                           "{\"eventName\":\"b\"}]}]}]}"),
           NP_OTLP_LINE_ADDED);
    ok_int((int64_t)np_otlp_batch_count(batch), 2);
    ok_int(add_text(batch,
                    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{"
                    "\"stringValue\":\"\\\"eventName\\\":\\\"neuro.span.start\\\"\"}}]}]}]}"),
           NP_OTLP_LINE_ADDED);
    ok_int((int64_t)np_otlp_batch_count(batch), 3);
    ok_int(add_text(batch, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":["
                           "{\"eventName\":\"neuro.span.start\",}]}]}]}"),
           NP_OTLP_LINE_BROKEN);
}

/* Judged by the first byte of the trace id. */
static enum np_otlp_selection judge(void *context, const struct np_trace_id *trace_id,
                                    uint32_t *flags)
{
    ++*(int *)context;
    *flags = (*flags & ~UINT32_C(1)) | 8;
    return (enum np_otlp_selection)trace_id->byte[0];
}

#define JUDGED(first, flags)                                                    \
    "{\"traceId\":\"" first "02030405060708090a0b0c0d0e0f10\",\"flags\":" flags \
    ",\"name\":\"" first "\"}"

TEST(a_judge_keeps_leaves_out_holds_back_and_sets_flags)
{
    int n_asked = 0;
    const struct np_otlp_batch_options options = {.signal = NP_OTLP_TRACES,
                                                  .protocol = NP_OTLP_HTTP_JSON,
                                                  .select = judge,
                                                  .context = &n_asked};
    NP_AUTO(np_otlp_batch_freep) struct np_otlp_batch *batch = np_otlp_batch_new(&options);

    ok_int(add_text(batch, LINE("1", "a", JUDGED("00", "257") "," JUDGED("01", "1"))),
           NP_OTLP_LINE_ADDED);
    ok_int(add_text(batch, LINE("1", "a", JUDGED("01", "1"))), NP_OTLP_LINE_NOTHING);
    ok_int(add_text(batch, LINE("1", "a", JUDGED("00", "1") "," JUDGED("02", "1"))),
           NP_OTLP_LINE_WAITS);
    ok_int(n_asked, 5);
    ok_int((int64_t)np_otlp_batch_count(batch), 1);
    json_t *root = body_of(batch);
    ok_str(text_at(root, "resourceSpans.0.scopeSpans.0.spans.0.name"), "00");
    ok_int(json_integer_value(at(root, "resourceSpans.0.scopeSpans.0.spans.0.flags")), 264);
    json_decref(root);
}

static const struct np_otlp_redactor *same_redactor(void *redactor, enum np_naming naming)
{
    (void)naming;
    return redactor;
}

static struct np_otlp_batch *new_redacting_batch(struct np_otlp_redactor *redactor)
{
    const struct np_otlp_batch_options options = {.signal = NP_OTLP_LOGS,
                                                  .protocol = NP_OTLP_HTTP_JSON,
                                                  .redactor_of = same_redactor,
                                                  .context = redactor};

    return np_otlp_batch_new(&options);
}

TEST(no_label_passes_a_redactor_wherever_it_stands)
{
    NP_AUTO(np_otlp_redactor_freep)
    struct np_otlp_redactor *redactor = np_otlp_redactor_new("key", 3);
    NP_AUTO(np_otlp_batch_freep) struct np_otlp_batch *batch = new_redacting_batch(redactor);
    /* A key before and behind its value, in a map, in a resource, escaped. */
    static const char line[] =
        "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"r\",\"value\":"
        "{\"stringValue\":\"sub-SECRET\"}}]},\"scopeLogs\":[{\"logRecords\":[{\"body\":"
        "{\"stringValue\":\"\\u0073ub-SECRET failed\"},\"attributes\":["
        "{\"key\":\"bids.participant\",\"value\":{\"stringValue\":\"SECRET\"}},"
        "{\"value\":{\"stringValue\":\"SECRET\"},\"key\":\"bids.session\"},"
        "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"value\":{\"stringValue\":"
        "\"SECRET\"},\"key\":\"bids.participant\"}]}}},"
        "{\"key\":\"neuro.stage\",\"value\":{\"stringValue\":\"skull_strip\"}}]}]}]}]}";

    ok_int(add_text(batch, line), NP_OTLP_LINE_ADDED);
    json_t *root = body_of(batch);
    NP_AUTO(np_freep) char *text = json_dumps(root, 0);
    ok(!strstr(text, "SECRET"));
    ok_contains(text, "skull_strip");
    ok_contains(text, "bids.participant");
    json_decref(root);
}

static const struct np_otlp_redactor *unless_label(void *redactor, enum np_naming naming)
{
    return naming == NP_NAME_LABEL ? NULL : redactor;
}

/* The participant of a line whose resource says these, when it is sent with `naming`. */
static char *sent_name(enum np_naming naming, const char *attributes)
{
    NP_AUTO(np_otlp_redactor_freep)
    struct np_otlp_redactor *redactor = np_otlp_redactor_new("key", 3);
    const struct np_otlp_batch_options options = {.signal = NP_OTLP_LOGS,
                                                  .protocol = NP_OTLP_HTTP_JSON,
                                                  .naming = naming,
                                                  .redactor_of = unless_label,
                                                  .context = redactor};
    NP_AUTO(np_otlp_batch_freep) struct np_otlp_batch *batch = np_otlp_batch_new(&options);
    NP_AUTO(np_freep)
    char *line = np_xasprintf("{\"resourceLogs\":[{\"resource\":{\"attributes\":[%s]},"
                              "\"scopeLogs\":[{\"logRecords\":[{\"body\":"
                              "{\"stringValue\":\"sub-01\"}}]}]}]}",
                              attributes);

    ok_int(add_text(batch, line), NP_OTLP_LINE_ADDED);
    json_t *root = body_of(batch);
    char *name =
        np_xstrdup(text_at(root, "resourceLogs.0.scopeLogs.0.logRecords.0.body.stringValue"));
    json_decref(root);
    return name;
}

#define ATTRIBUTE(key, value) \
    "{\"key\":\"neuro.telemetry." key "\",\"value\":{\"stringValue\":\"" value "\"}}"

TEST(words_are_not_named_again_unless_a_stricter_way_is_asked_for)
{
    static const struct {
        enum np_naming naming;
        const char *attributes;
        bool stays;
    } rows[] = {
        {NP_NAME_LABEL, ATTRIBUTE("id", "hash"), false},
        {NP_NAME_LABEL, ATTRIBUTE("id", "hash") "," ATTRIBUTE("named", "hash"), true},
        {NP_NAME_LABEL, ATTRIBUTE("named", "hash") "," ATTRIBUTE("id", "hash"), true},
        {NP_NAME_HASH, ATTRIBUTE("id", "hash") "," ATTRIBUTE("named", "hash"), true},
        {NP_NAME_NONE, ATTRIBUTE("id", "hash") "," ATTRIBUTE("named", "hash"), false},
        {NP_NAME_HASH, ATTRIBUTE("id", "label") "," ATTRIBUTE("named", "label"), false},
        {NP_NAME_LABEL, ATTRIBUTE("id", "none") "," ATTRIBUTE("named", "hash"), false},
        {NP_NAME_HASH, ATTRIBUTE("named", "none"), true},
        /* nothing that is not understood opens anything */
        {NP_NAME_HASH, ATTRIBUTE("named", "what"), false},
        {NP_NAME_HASH, ATTRIBUTE("named", ""), false},
        {NP_NAME_HASH, ATTRIBUTE("named", "hash") "," ATTRIBUTE("named", "hash"), false},
        {NP_NAME_HASH, "{\"key\":\"neuro.telemetry.named\",\"value\":{\"intValue\":\"1\"}}", false},
    };

    for (size_t i = 0; i < NP_COUNT(rows); i++) {
        NP_AUTO(np_freep) char *name = sent_name(rows[i].naming, rows[i].attributes);
        ok((strcmp(name, "sub-01") == 0) == rows[i].stays);
    }
}

TEST(of_metrics_data_points_are_counted_as_servers_do)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_METRICS, NP_OTLP_HTTP_JSON);
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *spans = new_batch(NP_OTLP_TRACES, NP_OTLP_HTTP_JSON);

    add_text(batch,
             "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":["
             "{\"name\":\"a\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"1\"},{\"asInt\":\"2\"}]}},"
             "{\"name\":\"none\",\"gauge\":{\"dataPoints\":[]}},"
             "{\"name\":\"b\",\"histogram\":{\"dataPoints\":[{\"count\":\"3\"}]}}]}]}]}");
    ok_int(np_otlp_batch_count(batch), 3);
    ok_int(np_otlp_batch_points(batch, 0, 3), 3);
    ok_int(np_otlp_batch_points(batch, 0, 2), 2);
    ok_int(np_otlp_batch_points(batch, 2, 1), 1);
    add_text(spans, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\"},{}]}]}]}");
    ok_int(np_otlp_batch_points(spans, 0, 2), 2);
}

TEST(what_is_no_otlp_json_is_refused_and_leaves_nothing)
{
    static const char *const items[] = {
        "{\"name\":1}",
        "{\"name\":\"a\"",
        "{\"name\":\"a\"}}",
        "{\"name\":\"\x01\"}",
        "{\"name\":\"\\x\"}",
        "{\"name\":\"\\",
        "{\"name\":\"\\u12g4\"}",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{\"traceId\":\"01\"}",
        "{\"traceId\":\"0102030405060708\"}",
        "{\"spanId\":\"010203040506070g\"}",
        "{\"kind\":2147483648}",
        "{\"kind\":\"INTERNAL\"}",
        "{\"flags\":-1}",
        "{\"flags\":4294967296}",
        "{\"startTimeUnixNano\":\"18446744073709551616\"}",
        "{\"startTimeUnixNano\":\"1.5\"}",
        "{\"startTimeUnixNano\":\"\"}",
        "{\"startTimeUnixNano\":true}",
        "{\"attributes\":{}}",
        "{\"attributes\":[{\"value\":{\"intValue\":\"9223372036854775808\"}}]}",
        "{\"attributes\":[{\"value\":{\"intValue\":\"1\",\"boolValue\":true}}]}",
        "{\"attributes\":[{\"value\":{\"doubleValue\":\"0x10\"}}]}",
        "{\"attributes\":[{\"value\":{\"doubleValue\":inf}}]}",
        "{\"attributes\":[{\"value\":{\"boolValue\":1}}]}",
        "{\"attributes\":[{\"value\":{\"bytesValue\":\"a\"}}]}",
        "{\"attributes\":[{},]}",
        "{\"status\":[]}",
        "{\"unknown\":[1,2}",
        "[]",
        "1",
    };
    static const char *const lines[] = {"",
                                        " ",
                                        "{",
                                        "[]",
                                        "null",
                                        "{\"resourceSpans\":{}}",
                                        "{\"resourceSpans\":[1]}",
                                        "{\"resourceSpans\":[]} x",
                                        "{\"resourceSpans\":[{\"schemaUrl\":1}]}"};
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_TRACES, NP_OTLP_GRPC);

    add_text(batch, LINE("1", "a", SPAN("s1")));
    size_t bytes = np_otlp_batch_bytes(batch);
    for (size_t i = 0; i < NP_COUNT(items); i++) {
        NP_AUTO(np_freep)
        char *line = np_xasprintf("{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"spans\":"
                                  "[" SPAN("good") ",%s]}]}]}",
                                  items[i]);
        tap_check(add_text(batch, line) == NP_OTLP_LINE_BROKEN, __FILE__, __LINE__, "%s", line);
    }
    for (size_t i = 0; i < NP_COUNT(lines); i++)
        tap_check(add_text(batch, lines[i]) == NP_OTLP_LINE_BROKEN, __FILE__, __LINE__, "'%s'",
                  lines[i]);
    ok_int((int64_t)np_otlp_batch_count(batch), 1);
    ok(np_otlp_batch_bytes(batch) == bytes);
}

/* In memory of just that size, so that a sanitizer sees the first byte too many. */
TEST(a_line_that_breaks_off_anywhere_is_refused)
{
    NP_AUTO(np_freep) char *line = every_field(NP_OTLP_TRACES);
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_TRACES, NP_OTLP_GRPC);
    size_t n_whole = strcspn(line, "\n");

    for (size_t n = 0; n < n_whole; n++) {
        NP_AUTO(np_freep) char *part = np_xmalloc(n + 1);
        enum np_otlp_line result = NP_OTLP_LINE_ADDED;
        memcpy(part, line, n);
        part = np_xrealloc(part, n ? n : 1);
        NP_IGNORE(np_otlp_batch_add_line(batch, part, n, &result)); /* the result is what counts */
        if (result != NP_OTLP_LINE_BROKEN)
            tap_check(false, __FILE__, __LINE__, "%zu bytes are taken", n);
    }
    ok_int((int64_t)np_otlp_batch_count(batch), 0);
}

TEST(what_json_allows_is_read_as_it_is_meant)
{
    static const struct {
        const char *value, *expected;
    } table[] = {
        {"{\"stringValue\":\"\\ud83e\\udde0\\u00e9\\/\"}", "\xf0\x9f\xa7\xa0\xc3\xa9/"},
        {"{\"stringValue\":\"a\\u0000b\"}", "a\xef\xbf\xbd"
                                            "b"},
        {"{\"stringValue\":\"\\ud83ex\"}", "\xef\xbf\xbdx"},
        {"{ \"stringValue\" : \"\\\\\\\"\\b\\f\\n\\r\\t\" }", "\\\"\b\f\n\r\t"},
        {"{\"unknown\":{\"a\":[1,{\"b\":\"}\"}]},\"stringValue\":\"x\"}", "x"},
        {"{\"intValue\":null,\"stringValue\":\"x\"}", "x"},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_otlp_batch_freep)
        struct np_otlp_batch *batch = new_batch(NP_OTLP_LOGS, NP_OTLP_HTTP_JSON);
        NP_AUTO(np_freep)
        char *line = np_xasprintf("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":"
                                  "[{\"body\":%s}]}]}]}",
                                  table[i].value);
        ok_int(add_text(batch, line), NP_OTLP_LINE_ADDED);
        json_t *root = body_of(batch);
        ok_str(text_at(root, "resourceLogs.0.scopeLogs.0.logRecords.0.body.stringValue"),
               table[i].expected);
        json_decref(root);
    }
}

/* "a value of n lists within one another" */
static enum np_otlp_line nested(enum np_otlp_protocol protocol, int depth)
{
    NP_AUTO(np_str_done) struct np_str line = {0};
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_LOGS, protocol);

    np_str_add(&line, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":");
    for (int i = 0; i < depth; i++)
        np_str_add(&line, "{\"arrayValue\":{\"values\":[");
    for (int i = 0; i < depth; i++)
        np_str_add(&line, "]}}");
    np_str_add(&line, "}]}]}]}");
    return add_text(batch, np_str_text(&line));
}

TEST(nesting_is_bounded)
{
    for (int i = NP_OTLP_HTTP_PROTOBUF; i <= NP_OTLP_GRPC; i++) {
        ok_int(nested((enum np_otlp_protocol)i, 8), NP_OTLP_LINE_ADDED);
        ok_int(nested((enum np_otlp_protocol)i, 100000), NP_OTLP_LINE_BROKEN);
    }
}

TEST(the_order_of_members_is_the_writers_affair)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_TRACES, NP_OTLP_HTTP_JSON);

    ok_int(add_text(batch, "{\"resourceSpans\":[{\"schemaUrl\":\"v\",\"scopeSpans\":[{\"spans\":["
                           "{\"name\":\"n\",\"flags\":1,\"traceId\":\"\"}],\"scope\":{\"name\":"
                           "\"a\"}}],\"resource\":{\"droppedAttributesCount\":7}}]}"),
           NP_OTLP_LINE_ADDED);
    json_t *root = body_of(batch);
    ok_int(json_integer_value(at(root, "resourceSpans.0.resource.droppedAttributesCount")), 7);
    ok_str(text_at(root, "resourceSpans.0.schemaUrl"), "v");
    ok_str(text_at(root, "resourceSpans.0.scopeSpans.0.scope.name"), "a");
    ok_int(json_integer_value(at(root, "resourceSpans.0.scopeSpans.0.spans.0.flags")), 1);
    json_decref(root);
}

TEST(doubles_are_the_nearest_ones)
{
    static const char *const texts[] = {"0.1",
                                        "-0.0",
                                        "123456789012345",
                                        "0.000000000000001",
                                        "1e22",
                                        "1e-7",
                                        "4.94065645841247e-324",
                                        "1.7976931348623157e+308",
                                        "0.30000000000000004",
                                        "99999.99999",
                                        "12345.6789012345"};

    for (size_t i = 0; i < NP_COUNT(texts); i++) {
        struct np_otlp_reader text = {.at = texts[i], .end = texts[i] + strlen(texts[i])};
        double read = 1, expected = strtod(texts[i], NULL);
        ok(np_otlp_reader_double(&text, &read));
        tap_check(memcmp(&read, &expected, sizeof(read)) == 0, __FILE__, __LINE__, "%s: %.17g",
                  texts[i], read);
    }
}

/* Up to 21 digits with the point anywhere, and some that lie just between two doubles. */
TEST(decimals_of_any_length_are_read_as_the_c_library_reads_them)
{
    enum { N_RANDOM = 200000 };
    struct np_random random;
    int n_wrong = 0;

    np_random_seed(&random, 5, 0);
    for (int i = 0; i < N_RANDOM; i++) {
        char digits[32], token[64];
        int n = 1 + (int)(np_random_uniform(&random) * 21);
        int point = (int)(np_random_uniform(&random) * n);
        double read = -1;
        for (int k = 0; k < n; k++)
            digits[k] = (char)('0' + (int)(np_random_uniform(&random) * 10));
        digits[n] = '\0';
        if (i % 4 == 0) { /* halfway between neighbours */
            double low =
                ldexp(1 + np_random_uniform(&random), (int)(np_random_uniform(&random) * 8));
            snprintf(token, sizeof(token), "%.19g", (low + nextafter(low, INFINITY)) / 2);
        } else {
            snprintf(token, sizeof(token), "%s%.*s%s%s", i % 3 ? "" : "-", point + 1, digits,
                     point + 1 < n ? "." : "", digits + point + 1);
        }
        struct np_otlp_reader text = {.at = token, .end = token + strlen(token)};
        bool is_read = np_otlp_reader_double(&text, &read);
        double expected = strtod(token, NULL);
        n_wrong += !is_read || memcmp(&read, &expected, sizeof(read)) != 0;
    }
    ok_int(n_wrong, 0);
}

TEST(a_batch_can_be_used_again)
{
    NP_AUTO(np_otlp_batch_freep)
    struct np_otlp_batch *batch = new_batch(NP_OTLP_TRACES, NP_OTLP_HTTP_JSON);

    for (int i = 0; i < 300; i++) {
        NP_AUTO(np_freep) char *number = np_xasprintf("%d", i + 1);
        NP_AUTO(np_freep) char *line = np_xasprintf(LINE("%s", "a", SPAN("s1")), number);
        np_otlp_batch_clear(batch);
        ok_int(add_text(batch, line), NP_OTLP_LINE_ADDED);
        json_t *root = body_of(batch);
        ok_int(json_integer_value(at(root, "resourceSpans.0.resource.droppedAttributesCount")),
               i + 1);
        json_decref(root);
    }
}

/* All of a batch's life; 0 when no request for memory failed. */
static int live(const char *line, size_t n)
{
    const struct np_otlp_batch_options options = {.signal = NP_OTLP_METRICS,
                                                  .protocol = NP_OTLP_HTTP_PROTOBUF};
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};
    NP_AUTO(np_otlp_batch_freep) struct np_otlp_batch *batch = np_otlp_batch_new(&options);
    enum np_otlp_line result;

    if (!batch)
        return NP_ENOMEM;
    NP_TRY(np_otlp_batch_add_line(batch, line, n, &result));
    ok_int(result, NP_OTLP_LINE_ADDED);
    return np_otlp_batch_encode(batch, 0, np_otlp_batch_count(batch), &body);
}

TEST(each_failed_allocation_is_reported_until_it_works)
{
    NP_AUTO(np_freep) char *line = every_field(NP_OTLP_METRICS);
    int code = NP_ENOMEM, nth = 0;

    while (code == NP_ENOMEM) {
        np_alloc_fail_at(++nth);
        code = live(line, strlen(line));
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok_above(nth, 5, "requests for memory");
}

TAP_MAIN
