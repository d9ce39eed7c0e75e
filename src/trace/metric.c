/*
 * Aggregation of measurements into time series.
 *
 * A series is a metric and a set of attributes, whatever their order. Series are kept sorted, so
 * that one is found by bisection among the thousands of a large cohort, and so that what is sent
 * does not depend on the order in which measurements came.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "trace/internal.h"
#include "trace/trace.h"

void np_metric_point_freep(struct np_metric_point **address)
{
    struct np_metric_point *point = *address;

    if (!point)
        return;
    np_attrs_done(&point->attrs);
    free(point->bucket);
    np_freep(address);
}

static int order_of(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_values(const struct np_attr *a, const struct np_attr *b)
{
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    switch (a->type) {
    case NP_ATTR_STRING:
        return strcmp(a->value.string, b->value.string);
    case NP_ATTR_INT:
        return (a->value.integer > b->value.integer) - (a->value.integer < b->value.integer);
    case NP_ATTR_DOUBLE:
        return order_of(a->value.number, b->value.number);
    case NP_ATTR_BOOL:
        return (int)a->value.boolean - (int)b->value.boolean;
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct np_attr *)a)->key, ((const struct np_attr *)b)->key);
}

/* A copy sorted by key: the form in which two sets are compared. */
static void canonical(const struct np_attrs *attrs, struct np_attrs *out)
{
    if (attrs)
        np_attrs_copy(attrs, out);
    if (out->n > 1)
        qsort(out->item, out->n, sizeof(*out->item), by_key);
}

static int compare_sets(const struct np_attrs *a, const struct np_attrs *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        int order = strcmp(a->item[i].key, b->item[i].key);
        if (order == 0)
            order = compare_values(&a->item[i], &b->item[i]);
        if (order != 0)
            return order;
    }
    return (a->n > b->n) - (a->n < b->n);
}

static int compare(const struct np_metric_point *point, const struct np_metric_def *def,
                   const struct np_attrs *attrs)
{
    int order = strcmp(point->def->name, def->name);

    return order ? order : compare_sets(&point->attrs, attrs);
}

static struct np_metric_point *insert(struct np_trace *trace, size_t at,
                                      const struct np_metric_def *def, struct np_attrs *attrs)
{
    if (trace->n_series == trace->capacity) {
        trace->capacity = trace->capacity ? trace->capacity * 2 : 32;
        trace->series = np_xrealloc(trace->series, trace->capacity * sizeof(*trace->series));
    }
    struct np_metric_point *point = np_xcalloc(1, sizeof(*point));
    point->def = def;
    point->attrs = *attrs;
    *attrs = (struct np_attrs){0};
    if (def->kind == NP_METRIC_HISTOGRAM)
        point->bucket = np_xcalloc(def->n_bounds + 1, sizeof(*point->bucket));
    if (def->kind != NP_METRIC_GAUGE) /* a gauge has no beginning */
        point->start_ns = trace->start_ns;
    memmove(&trace->series[at + 1], &trace->series[at],
            (trace->n_series - at) * sizeof(*trace->series));
    trace->n_series++;
    return trace->series[at] = point;
}

static struct np_metric_point *series(struct np_trace *trace, const struct np_metric_def *def,
                                      const struct np_attrs *attrs)
{
    NP_AUTO(np_attrs_done) struct np_attrs key = {0};
    size_t low = 0, high = trace->n_series;

    canonical(attrs, &key);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(trace->series[middle], def, &key);
        if (order == 0)
            return trace->series[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return insert(trace, low, def, &key);
}

/* Buckets include their upper bound. */
static void count_in_histogram(struct np_metric_point *point, double value)
{
    size_t bucket = 0;

    while (bucket < point->def->n_bounds && value > point->def->bound[bucket])
        bucket++;
    point->bucket[bucket]++;
    point->minimum = point->count ? fmin(point->minimum, value) : value;
    point->maximum = point->count ? fmax(point->maximum, value) : value;
    point->sum += value;
    point->count++;
}

void np_metric_add(struct np_trace *trace, const struct np_metric_def *def, double value,
                   const struct np_attrs *attrs, const struct np_span *span)
{
    /* One NaN would spoil the sum for good, and a counter never falls. */
    if (!isfinite(value) || (def->kind == NP_METRIC_COUNTER && value < 0))
        return;
    struct np_metric_point *point = series(trace, def, attrs);
    if (def->kind == NP_METRIC_HISTOGRAM)
        count_in_histogram(point, value);
    else
        point->value += value;
    if (span)
        point->exemplar = (struct np_exemplar){
            .value = value,
            .time_ns = np_clock_unix_ns(),
            .trace_id = span->trace_id,
            .span_id = span->span_id,
        };
}

void np_metric_set(struct np_trace *trace, const struct np_metric_def *def, double value,
                   const struct np_attrs *attrs)
{
    if (isfinite(value))
        series(trace, def, attrs)->value = value;
}

void np_trace_collect(struct np_trace *trace)
{
    if (trace->n_series == 0)
        return;
    NP_AUTO(np_freep)
    struct np_metric_point *point = np_xcalloc(trace->n_series, sizeof(*point));
    int64_t now_ns = np_clock_unix_ns();
    for (size_t i = 0; i < trace->n_series; i++) {
        point[i] = *trace->series[i]; /* borrows attributes and buckets */
        point[i].time_ns = now_ns;
    }
    for (size_t i = 0; i < trace->n_sinks; i++)
        if (trace->sink[i].metrics)
            trace->sink[i].metrics(trace->sink[i].self, point, trace->n_series);
}
