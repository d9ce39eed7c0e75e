/* Aggregation: sums, buckets, the identity and the order of series. */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "tap.h"
#include "trace/names.h"
#include "trace/trace.h"

/* A sink that copies the points it is given, as text and as the first point's numbers. */
struct seen {
    struct np_str text; /* "name{key=value,…}=value;" in the order given */
    struct np_metric_point first;
    uint64_t bucket[32];
    int n_collections;
};

static void see(void *self, const struct np_metric_point *point, size_t n_points)
{
    struct seen *seen = self;

    np_str_clear(&seen->text);
    seen->n_collections++;
    for (size_t i = 0; i < n_points; i++) {
        np_str_addf(&seen->text, "%s{", point[i].def->name);
        for (size_t k = 0; k < point[i].attrs.n; k++)
            np_str_addf(&seen->text, "%s=%s,", point[i].attrs.item[k].key,
                        point[i].attrs.item[k].type == NP_ATTR_STRING
                            ? point[i].attrs.item[k].value.string
                            : "?");
        np_str_addf(&seen->text, "}=%g;", point[i].value);
    }
    seen->first = point[0];
    if (point[0].bucket)
        memcpy(seen->bucket, point[0].bucket, (point[0].def->n_bounds + 1) * sizeof(*seen->bucket));
}

static struct np_trace *trace_seen_by(struct seen *seen)
{
    struct np_trace *trace = np_trace_new(NULL);

    np_trace_add_sink(trace, (struct np_trace_sink){.self = seen, .metrics = see});
    return trace;
}

static void add(struct np_trace *trace, const struct np_metric_def *def, double value,
                const char *key, const char *text)
{
    NP_AUTO(np_attrs_done) struct np_attrs attrs = {0};

    np_attrs_string(&attrs, key, text);
    np_metric_add(trace, def, value, &attrs, NULL);
}

TEST(counters_sum_by_attributes_and_stay_cumulative)
{
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);

    add(trace, &np_metric_files_processed, 1, "neuro.status", "success");
    add(trace, &np_metric_files_processed, 2, "neuro.status", "failed");
    add(trace, &np_metric_files_processed, 1, "neuro.status", "success");
    add(trace, &np_metric_files_processed, -5, "neuro.status", "success"); /* no counter falls */
    np_trace_collect(trace);
    np_trace_collect(trace);
    ok_str(np_str_text(&seen.text), "neuro.files.processed{neuro.status=failed,}=2;"
                                    "neuro.files.processed{neuro.status=success,}=2;");
    ok_int(seen.n_collections, 2);
    ok(seen.first.start_ns > 0 && seen.first.time_ns >= seen.first.start_ns);
    np_str_done(&seen.text);
}

TEST(nothing_measured_sends_nothing)
{
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);

    np_trace_collect(trace);
    ok_int(seen.n_collections, 0);
}

TEST(a_series_is_its_attributes_in_any_order)
{
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);
    NP_AUTO(np_attrs_done) struct np_attrs ab = {0}, ba = {0};

    np_attrs_string(&ab, "a", "1");
    np_attrs_int(&ab, "b", 2);
    np_attrs_int(&ba, "b", 2);
    np_attrs_string(&ba, "a", "1");
    np_metric_add(trace, &np_metric_errors, 1, &ab, NULL);
    np_metric_add(trace, &np_metric_errors, 1, &ba, NULL);
    np_attrs_double(&ba, "b", 2); /* another type is another value */
    np_metric_add(trace, &np_metric_errors, 1, &ba, NULL);
    np_trace_collect(trace);
    ok_str(np_str_text(&seen.text), "neuro.errors{a=1,b=?,}=2;neuro.errors{a=1,b=?,}=1;");
    np_str_done(&seen.text);
}

TEST(points_come_in_one_order_however_they_were_measured)
{
    static const char *const labels[] = {"03", "01", "10", "02", "07"};
    struct seen forward = {0}, backward = {0};
    NP_AUTO(np_trace_freep) struct np_trace *a = trace_seen_by(&forward);
    NP_AUTO(np_trace_freep) struct np_trace *b = trace_seen_by(&backward);

    for (size_t i = 0; i < NP_COUNT(labels); i++) {
        size_t k = NP_COUNT(labels) - 1 - i;
        add(a, &np_metric_session_duration, (double)i, "bids.participant", labels[i]);
        add(a, &np_metric_errors, 1, "neuro.stage", labels[i]);
        add(b, &np_metric_errors, 1, "neuro.stage", labels[k]);
        add(b, &np_metric_session_duration, (double)k, "bids.participant", labels[k]);
    }
    np_trace_collect(a);
    np_trace_collect(b);
    ok_str(np_str_text(&forward.text), np_str_text(&backward.text));
    ok(np_starts_with(np_str_text(&forward.text), "neuro.errors{neuro.stage=01,}"));
    np_str_done(&forward.text);
    np_str_done(&backward.text);
}

TEST(histogram_buckets_include_their_upper_bound)
{
    static const double bound[] = {1, 2, 5};
    static const struct np_metric_def def = {
        .name = "h", .unit = "s", .kind = NP_METRIC_HISTOGRAM, .bound = bound, .n_bounds = 3};
    static const double value[] = {0.5, 1, 1.5, 2, 2.0001, 5, 6, 1000, NAN, INFINITY};
    static const uint64_t expected[] = {2, 2, 2, 2};
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);

    for (size_t i = 0; i < NP_COUNT(value); i++)
        np_metric_add(trace, &def, value[i], NULL, NULL);
    np_trace_collect(trace);
    for (size_t i = 0; i < NP_COUNT(expected); i++)
        ok_int((int64_t)seen.bucket[i], (int64_t)expected[i]);
    ok_int((int64_t)seen.first.count, 8);
    ok_near(seen.first.sum, 1018.0001, 1e-9, "sum, rounding of eight additions");
    ok(seen.first.minimum == 0.5 && seen.first.maximum == 1000);
    np_str_done(&seen.text);
}

TEST(a_gauge_keeps_the_last_value_and_has_no_beginning)
{
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);

    np_metric_set(trace, &np_metric_sessions_planned, 3, NULL);
    np_metric_set(trace, &np_metric_sessions_planned, 2, NULL);
    np_metric_set(trace, &np_metric_sessions_planned, NAN, NULL);
    np_trace_collect(trace);
    ok(seen.first.value == 2);
    ok_int(seen.first.start_ns, 0);
    np_str_done(&seen.text);
}

TEST(the_exemplar_is_the_latest_measurement_with_a_span)
{
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);
    NP_AUTO(np_span_freep) struct np_span *one = np_span_new("one", NULL);
    NP_AUTO(np_span_freep) struct np_span *two = np_span_new("two", NULL);

    np_metric_add(trace, &np_metric_stage_duration, 1, NULL, one);
    np_metric_add(trace, &np_metric_stage_duration, 2, NULL, two);
    np_metric_add(trace, &np_metric_stage_duration, 3, NULL, NULL);
    np_trace_collect(trace);
    ok(seen.first.exemplar.value == 2 && seen.first.exemplar.time_ns > 0);
    ok(memcmp(&seen.first.exemplar.trace_id, &two->trace_id, sizeof(two->trace_id)) == 0);
    ok(memcmp(&seen.first.exemplar.span_id, &two->span_id, sizeof(two->span_id)) == 0);
    np_str_done(&seen.text);
}

TEST(bounds_ascend_and_span_the_work)
{
    for (size_t i = 0; i < np_n_metric_defs; i++) {
        const struct np_metric_def *def = np_metric_defs[i];
        ok(def->name && def->unit && def->description);
        ok((def->kind == NP_METRIC_HISTOGRAM) == (def->n_bounds > 0));
        for (size_t k = 1; k < def->n_bounds; k++)
            ok(def->bound[k - 1] < def->bound[k]);
    }
    ok(np_metric_stage_duration.bound[0] == 0.01);
    ok(np_metric_stage_duration.bound[np_metric_stage_duration.n_bounds - 1] == 3600);
}

TAP_MAIN
