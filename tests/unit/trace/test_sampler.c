/* The choice of the traces that are sent. */
#include <string.h>

#include "tap.h"
#include "trace/names.h"
#include "trace/sampler.h"

static struct np_span root_of(uint64_t last_56_bits)
{
    struct np_span span = {.flags = NP_FLAG_SAMPLED};

    memset(&span.trace_id, 0xff, sizeof(span.trace_id));
    for (size_t i = 0; i < 7; i++)
        span.trace_id.byte[15 - i] = (uint8_t)(last_56_bits >> 8 * i);
    return span;
}

static bool keeps(double ratio, const struct np_span *span)
{
    return np_sampler_keeps(&(struct np_sampler){.ratio = ratio}, span);
}

TEST(always_on_and_always_off_are_the_ratios_one_and_nothing)
{
    static const uint64_t ids[] = {0, 1, UINT64_C(1) << 55, (UINT64_C(1) << 56) - 1};

    for (size_t i = 0; i < NP_COUNT(ids); i++) {
        struct np_span span = root_of(ids[i]);
        ok(keeps(1, &span));
        ok(!keeps(0, &span));
    }
}

/* T = (1 - ratio) 2^56; sampled when the last seven bytes are T or more. */
TEST(a_ratio_keeps_the_highest_of_the_last_seven_bytes)
{
    static const struct {
        double ratio;
        uint64_t threshold;
    } table[] = {
        {0.5, UINT64_C(0x80000000000000)},
        {0.25, UINT64_C(0xc0000000000000)},
        {0.75, UINT64_C(0x40000000000000)},
        {0x1p-56, UINT64_C(0xffffffffffffff)},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct np_span below = root_of(table[i].threshold - 1), at = root_of(table[i].threshold);
        ok(!keeps(table[i].ratio, &below));
        ok(keeps(table[i].ratio, &at));
    }
}

TEST(the_first_nine_bytes_have_no_effect)
{
    struct np_span span = root_of(UINT64_C(0x80000000000000));

    memset(&span.trace_id, 0, 9);
    ok(keeps(0.5, &span));
    ok(!keeps(0.4, &span));
}

TEST(a_larger_ratio_keeps_all_traces_of_a_smaller_one_and_the_share_is_right)
{
    static const double ratios[] = {0.01, 0.1, 0.5, 0.9};
    enum { TRACES = 20000 };
    int kept[NP_COUNT(ratios)] = {0};

    for (int i = 0; i < TRACES; i++) {
        struct np_span span = {.trace_id = np_trace_id_new()};
        bool before = false;
        for (size_t r = 0; r < NP_COUNT(ratios); r++) {
            bool now = keeps(ratios[r], &span);
            if (before && !now)
                ok(false);
            kept[r] += before = now;
        }
    }
    for (size_t r = 0; r < NP_COUNT(ratios); r++) /* five standard deviations of a binomial */
        ok_near((double)kept[r] / TRACES, ratios[r], 5 * 0.5 / 141.4, "share that is kept");
}

TEST(a_failed_trace_is_always_kept)
{
    struct np_span span = root_of(0);

    span.status = NP_STATUS_ERROR;
    ok(keeps(0, &span));
    span.flags = NP_FLAG_PARENT_KNOWN | NP_FLAG_PARENT_REMOTE;
    ok(np_sampler_keeps(&(struct np_sampler){.ratio = 0, .is_parent_based = true}, &span));
}

TEST(a_parent_elsewhere_decides_when_it_is_asked)
{
    const struct np_sampler with = {.ratio = 0, .is_parent_based = true};
    const struct np_sampler off = {.ratio = 1, .is_parent_based = true};
    struct np_span sampled = root_of(0), not_sampled = root_of(0), no_parent = root_of(0);

    sampled.flags = NP_FLAG_PARENT_KNOWN | NP_FLAG_PARENT_REMOTE | NP_FLAG_SAMPLED;
    not_sampled.flags = NP_FLAG_PARENT_KNOWN | NP_FLAG_PARENT_REMOTE;
    ok(np_sampler_keeps(&with, &sampled));
    ok(!np_sampler_keeps(&off, &not_sampled));
    ok(keeps(1, &not_sampled)); /* not asked */
    ok(!np_sampler_keeps(&with, &no_parent));
    ok(np_sampler_keeps(&off, &no_parent));
}

static void see(void *self, const struct np_log_record *record)
{
    const struct np_attr *event = np_attrs_find(&record->attrs, NP_KEY_EVENT_NAME);
    const struct np_attr *sampled = np_attrs_find(&record->attrs, NP_KEY_NEURO_SAMPLED);

    ok_str(event->value.string, "neuro.sampling");
    ok(!sampled->value.boolean);
    *(struct np_trace_id *)self = record->trace_id;
}

TEST(the_decision_is_a_log_record_of_the_trace)
{
    NP_AUTO(np_trace_freep) struct np_trace *trace = np_trace_new(NULL);
    struct np_trace_id id = np_trace_id_new(), seen = {0};

    const struct np_trace_limits none = {0};

    np_trace_set_limits(trace, &none); /* which are for what users add */
    np_trace_add_sink(trace, (struct np_trace_sink){.self = &seen, .log = see});
    np_trace_log_sampling(trace, &id, false);
    ok(memcmp(&id, &seen, sizeof(id)) == 0);
}

TEST(the_sampled_flag_is_set_and_cleared_alone)
{
    struct np_span span = {.flags = NP_FLAG_PARENT_KNOWN};

    np_span_set_sampled(&span, true);
    ok_int(span.flags, NP_FLAG_PARENT_KNOWN | NP_FLAG_SAMPLED);
    np_span_set_sampled(&span, false);
    ok_int(span.flags, NP_FLAG_PARENT_KNOWN);
}

TAP_MAIN
