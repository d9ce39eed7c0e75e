/* Aggregation: sums, buckets, the identity and the order of series. */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "tap.h"
#include "trace/internal.h"
#include "trace/names.h"
#include "trace/trace.h"

/* A sink that copies the points it is given, as text and as the first point's numbers. */
struct seen {
    struct np_str text; /* "name{key=value,…}=value;" in the order given */
    struct np_metric_point first;
    uint64_t bucket[32];
    struct np_exponential exponential;
    struct np_exemplar exemplar[32];
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
    if (point[0].exponential)
        seen->exponential = *point[0].exponential;
    for (size_t i = 0; i < point[0].n_exemplars; i++)
        seen->exemplar[i] = point[0].exemplar[i];
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

TEST(gauges_of_a_session_are_collected_twice_and_other_gauges_always)
{
    NP_AUTO(np_attrs_done) struct np_attrs session = {0};
    struct seen seen = {0};
    struct np_trace *trace = trace_seen_by(&seen);

    np_attrs_string(&session, NP_KEY_BIDS_PARTICIPANT, "01");
    np_metric_set(trace, &np_metric_sessions_planned, 3, NULL);
    np_metric_set(trace, &np_metric_session_duration, 1.5, &session);
    for (int i = 0; i < 3; i++) {
        np_trace_collect(trace);
        ok_contains(np_str_text(&seen.text), "neuro.sessions.planned{}=3;");
        ok((strstr(np_str_text(&seen.text), "neuro.session.duration") != NULL) == (i < 2));
    }
    np_metric_set(trace, &np_metric_session_duration, 2.5, &session);
    np_trace_collect(trace);
    ok_contains(np_str_text(&seen.text), "neuro.session.duration{bids.participant=01,}=2.5;");
    np_trace_freep(&trace);
    np_str_done(&seen.text);
}

TEST(each_bucket_keeps_the_latest_exemplar_with_its_span)
{
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);
    NP_AUTO(np_span_freep) struct np_span *one = np_span_new("one", NULL);
    NP_AUTO(np_span_freep) struct np_span *two = np_span_new("two", NULL);

    np_metric_add(trace, &np_metric_stage_duration, 1, NULL, one);
    np_metric_add(trace, &np_metric_stage_duration, 0.9, NULL, two); /* the same bucket */
    np_metric_add(trace, &np_metric_stage_duration, 100, NULL, one);
    np_metric_add(trace, &np_metric_stage_duration, 3000, NULL, NULL); /* outside any span */
    np_trace_collect(trace);
    ok_int((int64_t)seen.first.n_exemplars, 2);
    ok(seen.exemplar[0].value == 0.9 && seen.exemplar[1].value == 100);
    ok(seen.exemplar[0].time_ns > 0 && seen.exemplar[0].time_ns <= seen.exemplar[1].time_ns);
    ok(memcmp(&seen.exemplar[0].trace_id, &two->trace_id, sizeof(two->trace_id)) == 0);
    ok(memcmp(&seen.exemplar[0].span_id, &two->span_id, sizeof(two->span_id)) == 0);
    np_trace_collect(trace);
    ok_int((int64_t)seen.first.n_exemplars, 0); /* nothing since */
    ok_int((int64_t)seen.first.count, 4);
    np_str_done(&seen.text);
}

TEST(the_exemplar_filter_is_obeyed)
{
    static const struct {
        enum np_exemplar_filter filter;
        int64_t n;
    } table[] = {{NP_EXEMPLARS_TRACED, 1}, {NP_EXEMPLARS_ALL, 3}, {NP_EXEMPLARS_NONE, 0}};
    NP_AUTO(np_span_freep) struct np_span *sampled = np_span_new("one", NULL);
    NP_AUTO(np_span_freep) struct np_span *not_sampled = np_span_new("two", NULL);

    not_sampled->flags = 0;
    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct seen seen = {0};
        NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);
        np_trace_set_metrics(trace, NP_HISTOGRAM_EXPLICIT, table[i].filter);
        np_metric_add(trace, &np_metric_stage_duration, 1, NULL, sampled);
        np_metric_add(trace, &np_metric_stage_duration, 10, NULL, not_sampled);
        np_metric_add(trace, &np_metric_stage_duration, 100, NULL, NULL);
        np_trace_collect(trace);
        ok_int((int64_t)seen.first.n_exemplars, table[i].n);
        np_str_done(&seen.text);
    }
}

/* Every value lies in its bucket, (b^i, b^(i+1)] with b = 2^(2^-scale). */
static void count_one(double value, struct seen *seen)
{
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(seen);

    np_trace_set_metrics(trace, NP_HISTOGRAM_EXPONENTIAL, NP_EXEMPLARS_ALL);
    np_metric_add(trace, &np_metric_stage_duration, value, NULL, NULL);
    np_trace_collect(trace);
}

TEST(one_value_is_kept_at_the_finest_scale_in_the_bucket_it_lies_in)
{
    static const double values[] = {1, 2, 0.5, 1e-300, 1e300, 3600, 0.01, 0x1p-1022, 1.0000001};

    for (size_t i = 0; i < NP_COUNT(values); i++) {
        struct seen seen = {0};
        count_one(values[i], &seen);
        double at = log2(values[i]) * 0x1p20, offset = seen.exponential.offset;
        ok_int(seen.exponential.scale, 20);
        ok_int((int64_t)seen.exponential.n, 1);
        ok_int((int64_t)seen.exponential.bucket[0], 1);
        tap_check(offset < at + 1e-6 && at <= offset + 1 + 1e-6, __FILE__, __LINE__,
                  "%g: bucket %.0f, logarithm %.9g", values[i], offset, at);
        np_str_done(&seen.text);
    }
}

TEST(an_exponential_histogram_lowers_its_scale_until_160_buckets_reach)
{
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);
    uint64_t sum = 0;

    np_trace_set_metrics(trace, NP_HISTOGRAM_EXPONENTIAL, NP_EXEMPLARS_TRACED);
    np_metric_add(trace, &np_metric_stage_duration, 0, NULL, NULL);
    np_metric_add(trace, &np_metric_stage_duration, -1, NULL, NULL);
    for (int i = -10; i <= 10; i++) /* 1/1024 to 1024, powers of two: the ends of buckets */
        np_metric_add(trace, &np_metric_stage_duration, ldexp(1, i), NULL, NULL);
    np_trace_collect(trace);
    const struct np_exponential *found = &seen.exponential;
    /* 20 doublings in 160 buckets: 8 a doubling would make 161 with both ends, so 4. */
    ok_int(found->scale, 2);
    ok_int((int64_t)found->zero_count, 1);
    ok_int((int64_t)seen.first.count, 22);
    ok_int(found->offset, -10 * 4 - 1);
    ok_int((int64_t)found->n, 20 * 4 + 1);
    for (uint32_t i = 0; i < found->n; i++) {
        sum += found->bucket[i];
        tap_check(found->bucket[i] == (i % 4 == 0), __FILE__, __LINE__, "bucket %u", i);
    }
    ok_int((int64_t)sum, 21);
    np_metric_add(trace, &np_metric_stage_duration, 1e300, NULL, NULL);
    np_metric_add(trace, &np_metric_stage_duration, 1e-300, NULL, NULL);
    np_metric_add(trace, &np_metric_stage_duration, 5e-324, NULL, NULL);
    np_trace_collect(trace);
    ok(seen.exponential.scale < 0 && seen.exponential.n <= NP_EXPONENTIAL_BUCKETS);
    sum = 0;
    for (uint32_t i = 0; i < seen.exponential.n; i++)
        sum += seen.exponential.bucket[i];
    ok_int((int64_t)sum, 24);
    np_str_done(&seen.text);
}

TEST(the_order_of_values_does_not_change_an_exponential_histogram)
{
    static const double values[] = {3, 0.02, 700, 1, 41, 0.5, 0.5, 90};
    struct seen forward = {0}, backward = {0};
    NP_AUTO(np_trace_freep) struct np_trace *a = trace_seen_by(&forward);
    NP_AUTO(np_trace_freep) struct np_trace *b = trace_seen_by(&backward);

    np_trace_set_metrics(a, NP_HISTOGRAM_EXPONENTIAL, NP_EXEMPLARS_NONE);
    np_trace_set_metrics(b, NP_HISTOGRAM_EXPONENTIAL, NP_EXEMPLARS_NONE);
    for (size_t i = 0; i < NP_COUNT(values); i++) {
        np_metric_add(a, &np_metric_stage_duration, values[i], NULL, NULL);
        np_metric_add(b, &np_metric_stage_duration, values[NP_COUNT(values) - 1 - i], NULL, NULL);
    }
    np_trace_collect(a);
    np_trace_collect(b);
    ok(memcmp(&forward.exponential, &backward.exponential, sizeof(forward.exponential)) == 0);
    np_str_done(&forward.text);
    np_str_done(&backward.text);
}

TEST(deltas_count_from_the_last_collection_and_leave_out_unchanged_series)
{
    struct seen seen = {0}, whole = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);

    np_trace_add_sink(trace, (struct np_trace_sink){
                                 .self = &seen, .metrics = see, .temporality = NP_PREFER_DELTA});
    np_trace_add_sink(trace, (struct np_trace_sink){.self = &whole, .metrics = see});
    np_metric_add(trace, &np_metric_errors, 2, NULL, NULL);
    np_metric_add(trace, &np_metric_stage_duration, 1, NULL, NULL);
    np_metric_add(trace, &np_metric_sessions_active, 4, NULL, NULL);
    np_metric_set(trace, &np_metric_process_cpu_time, 10, NULL);
    np_trace_collect(trace);
    ok_str(np_str_text(&seen.text), "neuro.errors{}=2;neuro.sessions.active{}=4;"
                                    "neuro.stage.duration{}=0;process.cpu.time{}=10;");
    int64_t first_ns = seen.first.time_ns;
    ok_int(seen.first.temporality, NP_DELTA);
    np_metric_add(trace, &np_metric_errors, 3, NULL, NULL);
    np_metric_add(trace, &np_metric_sessions_active, -1, NULL, NULL);
    np_metric_set(trace, &np_metric_process_cpu_time, 12.5, NULL);
    np_metric_set(trace, &np_metric_process_cpu_time, 12, NULL); /* no counter falls */
    np_trace_collect(trace);
    ok_str(np_str_text(&seen.text), "neuro.errors{}=3;neuro.sessions.active{}=3;"
                                    "process.cpu.time{}=2.5;");
    ok_int(seen.first.start_ns, first_ns);
    ok_str(np_str_text(&whole.text), "neuro.errors{}=5;neuro.sessions.active{}=3;"
                                     "neuro.stage.duration{}=0;process.cpu.time{}=12.5;");
    ok_int(whole.first.temporality, NP_CUMULATIVE);
    ok(whole.first.start_ns < first_ns);
    np_str_done(&seen.text);
    np_str_done(&whole.text);
}

TEST(low_memory_gives_observed_counters_whole)
{
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);

    np_trace_add_sink(
        trace,
        (struct np_trace_sink){.self = &seen, .metrics = see, .temporality = NP_PREFER_LOW_MEMORY});
    for (int i = 1; i <= 2; i++) {
        np_metric_add(trace, &np_metric_errors, 1, NULL, NULL);
        np_metric_set(trace, &np_metric_process_cpu_time, i, NULL);
        np_trace_collect(trace);
    }
    ok_str(np_str_text(&seen.text), "neuro.errors{}=1;process.cpu.time{}=2;");
    np_str_done(&seen.text);
}

static void observe_three(void *self, struct np_trace *trace)
{
    np_metric_set(trace, &np_metric_memory_limit, 3, NULL);
    ++*(int *)self;
}

TEST(observers_are_asked_before_each_collection_and_snapshot)
{
    struct seen seen = {0}, shot = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = trace_seen_by(&seen);
    int n_asked = 0;

    np_trace_add_observer(trace, observe_three, &n_asked);
    np_trace_collect(trace);
    ok_str(np_str_text(&seen.text), "neuro.memory.limit{}=3;");
    np_metric_add(trace, &np_metric_errors, 1, NULL, NULL);
    np_trace_snapshot(trace, see, &shot);
    ok_str(np_str_text(&shot.text), "neuro.errors{}=1;neuro.memory.limit{}=3;");
    ok_int(seen.n_collections, 1);
    ok_int(n_asked, 2);
    np_str_done(&seen.text);
    np_str_done(&shot.text);
}

/* The wall clock is set back by an hour after the beginning. */
TEST(no_point_lies_before_its_beginning_though_the_clock_was_set_back)
{
    struct seen seen = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    int64_t start_ns = trace->start_ns += 3600 * INT64_C(1000000000);

    trace->last_collection_ns = start_ns;
    np_trace_add_sink(trace, (struct np_trace_sink){.self = &seen, .metrics = see});
    np_metric_add(trace, &np_metric_sessions_processed, 1, NULL, NULL);
    np_trace_collect(trace);
    int64_t first_ns = seen.first.time_ns;
    ok_int(seen.first.start_ns, start_ns);
    ok(first_ns >= start_ns);
    np_trace_collect(trace);
    ok(seen.first.time_ns > first_ns);
    ok_below((double)(seen.first.time_ns - start_ns) * 1e-9, 5, "s after the beginning");
    np_str_done(&seen.text);
}

TEST(a_snapshot_takes_nothing_from_the_next_collection)
{
    struct seen seen = {0}, shot = {0};
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    NP_AUTO(np_span_freep) struct np_span *span = np_span_new("one", NULL);

    np_trace_add_sink(trace, (struct np_trace_sink){
                                 .self = &seen, .metrics = see, .temporality = NP_PREFER_DELTA});
    np_metric_add(trace, &np_metric_errors, 2, NULL, span);
    np_trace_snapshot(trace, see, &shot);
    np_trace_collect(trace);
    ok_str(np_str_text(&seen.text), "neuro.errors{}=2;");
    ok_int((int64_t)seen.first.n_exemplars, 1);
    np_str_done(&seen.text);
    np_str_done(&shot.text);
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
