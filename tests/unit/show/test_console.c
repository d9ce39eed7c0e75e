/* The console exporter: one line for people a span, a log record and a time series. */
#include <fcntl.h>

#include "otlp/inside.h"
#include "otlp/requests.h"
#include "show/console.h"
#include "trace/sampler.h"

/* The lines that a sink with these exporters writes for a span, a log record and a counter; the
 * caller frees. */
static char *written(unsigned traces, unsigned logs, unsigned metrics,
                     const struct np_otlp_redactor *redactor)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/console", tap_directory());
    struct np_send_settings settings = {
        .exporters = {
            [NP_OTLP_TRACES] = traces, [NP_OTLP_LOGS] = logs, [NP_OTLP_METRICS] = metrics}};
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct np_trace *trace = np_trace_new(NULL);
    struct np_trace_sink sink;
    struct np_span *span = sample_span();
    struct np_error err = {0};
    static const struct np_metric_def def = {
        .name = "a.count", .unit = "{file}", .kind = NP_METRIC_COUNTER, .is_integer = true};
    static char text[8192];

    np_show_console_open(fd, &settings, redactor, &sink);
    np_trace_add_sink(trace, sink);
    np_attrs_string(&span->attrs, "bids.participant", "SECRET");
    np_error_set(&err, NP_EMETHOD, "no \"brain\"\n");
    np_span_fail(span, &err);
    np_trace_log_sampling(trace, &span->trace_id, true); /* must not be written */
    np_trace_log(trace, span, NP_WARN, NULL, "a sentence on sub-SECRET");
    np_span_end(trace, &span);
    np_metric_add(trace, &def, 3, NULL, NULL);
    np_trace_collect(trace);
    np_trace_freep(&trace);
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    close(fd);
    return np_xstrndup(text, n > 0 ? (size_t)n : 0);
}

TEST(a_span_is_a_line_and_so_are_its_events)
{
    NP_AUTO(np_freep) char *text = written(NP_SEND_TO_CONSOLE, 0, 0, NULL);

    ok(np_starts_with(text, "span skull_strip 1.864 s, error \"no \\\"brain\\\" \", trace "));
    ok_contains(text, ", parent ");
    ok_contains(text,
                " text=\"quote\\\" back\\\\slash /path \xc3\xa9 \xf0\x9f\xa7\xa0\" empty=\"\" "
                "least=-9223372036854775808 zero=0 tenth=0.1 no=false yes=true");
    ok_contains(text, "\n  event validation_passed 20");
    ok_contains(text, "Z voxels=5\n");
    ok_contains(text, "\n  event exception 20");
    ok(!strstr(text, "\nlog ") && !strstr(text, "\nmetric "));
}

TEST(a_log_record_is_a_line)
{
    NP_AUTO(np_freep) char *text = written(0, NP_SEND_TO_CONSOLE, 0, NULL);

    ok(np_starts_with(text, "log 20"));
    ok_contains(text, "Z WARN \"a sentence on sub-SECRET\", trace ");
    ok(strchr(text, '\n') == text + strlen(text) - 1);
}

TEST(a_series_is_a_line)
{
    NP_AUTO(np_freep) char *text = written(0, 0, NP_SEND_TO_CONSOLE | NP_SEND_TO_PROMETHEUS, NULL);

    ok_str(text, "metric a.count 3 {file}\n");
}

TEST(signals_with_other_exporters_are_not_written)
{
    NP_AUTO(np_freep) char *text = written(NP_SEND_TO_OTLP, 0, NP_SEND_TO_PROMETHEUS, NULL);

    ok_str(text, "");
}

TEST(labels_are_redacted)
{
    NP_AUTO(np_otlp_redactor_freep)
    struct np_otlp_redactor *redactor = np_otlp_redactor_new("key", 3);
    NP_AUTO(np_freep)
    char *text = written(NP_SEND_TO_CONSOLE, NP_SEND_TO_CONSOLE, NP_SEND_TO_CONSOLE, redactor);

    ok(!strstr(text, "SECRET"));
    ok_contains(text, "bids.participant=");
    ok_contains(text, "\"a sentence on sub-");
}

TAP_MAIN
