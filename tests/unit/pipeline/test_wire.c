#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/wire.h"
#include "tap.h"

static void read_all(int fd, struct np_str *out)
{
    char buffer[4096];
    ssize_t n;

    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        np_str_add_bytes(out, buffer, (size_t)n);
}

/* The words of a worker with one span, one log record and one file. */
static void speak(struct np_str *out)
{
    int ends[2];

    ok_int(pipe(ends), 0);
    struct np_trace *trace = np_trace_new(NULL);
    np_trace_add_sink(trace, np_wire_sink(&ends[1]));
    struct np_span *span = np_span_new("bias_correction", NULL);
    struct np_error why = {0};
    np_attrs_string(&span->attrs, "neuro.stage", "bias_correction");
    np_attrs_double(&span->attrs, "bias.range", 0.25);
    np_attrs_int(&span->attrs, "n", -3);
    np_attrs_bool(&span->attrs, "yes", true);
    np_span_begin(trace, span);
    np_error_set(&why, NP_EMETHOD, "no field");
    np_span_fail(span, &why);
    np_trace_log(trace, span, NP_WARN, NULL, "one sentence");
    np_span_end(trace, &span);
    np_wire_send_file(ends[1], 3, "{}");
    np_trace_freep(&trace);
    close(ends[1]);
    read_all(ends[0], out);
    close(ends[0]);
}

TEST(messages_of_a_worker_arrive)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    size_t position = 0;
    struct np_frame frame;

    speak(&text);
    ok(np_wire_next(&text, &position, &frame));
    ok_int(frame.type, NP_FRAME_SPAN_START);
    struct np_span *start = NULL, *end = NULL;
    ok(np_wire_span(&frame, &start));
    ok_str(start->name, "bias_correction");
    ok_int(start->end_ns, 0);
    ok(start->start_mono_ns > 0);
    ok(np_wire_next(&text, &position, &frame));
    struct np_log_record record;
    ok(np_wire_log(&frame, &record));
    ok_str(record.body, "one sentence");
    ok_int(record.severity, NP_WARN);
    ok_int(record.flags, NP_FLAG_SAMPLED);
    np_log_record_done(&record);
    ok(np_wire_next(&text, &position, &frame));
    ok_int(frame.type, NP_FRAME_SPAN_END);
    ok(np_wire_span(&frame, &end));
    ok(memcmp(&start->span_id, &end->span_id, sizeof(end->span_id)) == 0);
    ok(end->end_ns > 0);
    ok_int(end->status, NP_STATUS_ERROR);
    ok_int((int64_t)end->n_events, 1);
    const struct np_attr *range = np_attrs_find(&end->attrs, "bias.range");
    ok(range && range->type == NP_ATTR_DOUBLE && range->value.number == 0.25);
    const struct np_attr *n = np_attrs_find(&end->attrs, "n");
    ok(n && n->type == NP_ATTR_INT && n->value.integer == -3);
    const struct np_attr *yes = np_attrs_find(&end->attrs, "yes");
    ok(yes && yes->type == NP_ATTR_BOOL && yes->value.boolean);
    ok(np_wire_next(&text, &position, &frame));
    uint32_t index;
    char *json;
    ok(np_wire_file(&frame, &index, &json));
    ok_int(index, 3);
    ok_str(json, "{}");
    free(json);
    ok(!np_wire_next(&text, &position, &frame));
    np_span_freep(&start);
    np_span_freep(&end);
}

TEST(a_worker_that_dies_in_the_middle_of_a_message_does_no_harm)
{
    NP_AUTO(np_str_done) struct np_str text = {0};

    speak(&text);
    for (size_t n = 0; n < text.length; n++) {
        struct np_str part = text;
        size_t position = 0;
        struct np_frame frame;
        part.length = n;
        while (np_wire_next(&part, &position, &frame)) {
            struct np_span *span = NULL;
            if (frame.type != NP_FRAME_LOG && frame.type != NP_FRAME_FILE &&
                np_wire_span(&frame, &span))
                np_span_freep(&span);
        }
        if (position > n)
            ok(position <= n);
    }
    ok(text.length > 0);
}

TEST(damaged_frames_are_refused_not_believed)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    int n_refused = 0;

    speak(&text);
    for (size_t i = 8; i < text.length; i++) {
        struct np_str copy = {0};
        size_t position = 0;
        struct np_frame frame;
        np_str_add_bytes(&copy, text.text, text.length);
        copy.text[i] = (char)~copy.text[i];
        while (np_wire_next(&copy, &position, &frame)) {
            struct np_span *span = NULL;
            if (frame.type != NP_FRAME_SPAN_START && frame.type != NP_FRAME_SPAN_END)
                continue;
            if (np_wire_span(&frame, &span))
                np_span_freep(&span);
            else
                n_refused++;
        }
        np_str_done(&copy);
    }
    ok_above(n_refused, 0, "frames refused");
}

TAP_MAIN
