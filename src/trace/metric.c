/*
 * Aggregation of measurements into time series.
 *
 * A series is a metric and a set of attributes, in any order. Series are kept sorted. So a search
 * is a bisection, also among the thousands of series of a large cohort, and the exported order does
 * not depend on the order of the measurements.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "trace/internal.h"
#include "trace/names.h"
#include "trace/trace.h"

/* An exponential histogram has this many exemplars; an explicit one has one per bucket, others
 * have one. */
enum { EXPONENTIAL_EXEMPLARS = 20 };

/* Sums and counts: totals, or those since the last collection. */
struct tally {
    double value;
    uint64_t count;
    double sum, minimum, maximum;
    uint64_t *bucket;
    struct np_exponential *exponential;
};

struct np_timeseries {
    const struct np_metric_def *def;
    struct np_attrs attrs;
    struct tally total, since;
    struct np_exemplar *exemplar; /* n_slots; time_ns 0 = free */
    size_t n_slots;
    uint64_t n_offered; /* candidates for exemplars since the last collection */
    int n_idle;         /* collections since the last measurement */
};

static void tally_done(struct tally *tally)
{
    free(tally->bucket);
    free(tally->exponential);
}

void np_timeseries_freep(struct np_timeseries **address)
{
    struct np_timeseries *series = *address;

    if (!series)
        return;
    np_attrs_done(&series->attrs);
    tally_done(&series->total);
    tally_done(&series->since);
    free(series->exemplar);
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

static int compare(const struct np_timeseries *series, const struct np_metric_def *def,
                   const struct np_attrs *attrs)
{
    int order = strcmp(series->def->name, def->name);

    return order ? order : compare_sets(&series->attrs, attrs);
}

static void tally_init(struct tally *tally, const struct np_trace *trace,
                       const struct np_metric_def *def)
{
    if (def->kind != NP_METRIC_HISTOGRAM)
        return;
    if (trace->histogram == NP_HISTOGRAM_EXPONENTIAL) {
        tally->exponential = np_xcalloc(1, sizeof(*tally->exponential));
        tally->exponential->scale = NP_EXPONENTIAL_SCALE;
    } else {
        tally->bucket = np_xcalloc(def->n_bounds + 1, sizeof(*tally->bucket));
    }
}

static size_t exemplar_slots(const struct np_trace *trace, const struct np_metric_def *def)
{
    if (def->kind == NP_METRIC_GAUGE || def->is_observed)
        return 0;
    if (def->kind != NP_METRIC_HISTOGRAM)
        return 1;
    return trace->histogram == NP_HISTOGRAM_EXPONENTIAL ? EXPONENTIAL_EXEMPLARS : def->n_bounds + 1;
}

static struct np_timeseries *insert(struct np_trace *trace, size_t at,
                                    const struct np_metric_def *def, struct np_attrs *attrs)
{
    if (trace->n_series == trace->capacity) {
        trace->capacity = trace->capacity ? trace->capacity * 2 : 32;
        trace->series = np_xrealloc(trace->series, trace->capacity * sizeof(*trace->series));
    }
    struct np_timeseries *series = np_xcalloc(1, sizeof(*series));
    series->def = def;
    series->attrs = *attrs;
    *attrs = (struct np_attrs){0};
    tally_init(&series->total, trace, def);
    tally_init(&series->since, trace, def);
    series->n_slots = exemplar_slots(trace, def);
    if (series->n_slots > 0)
        series->exemplar = np_xcalloc(series->n_slots, sizeof(*series->exemplar));
    memmove(&trace->series[at + 1], &trace->series[at],
            (trace->n_series - at) * sizeof(*trace->series));
    trace->n_series++;
    return trace->series[at] = series;
}

static struct np_timeseries *find_series(struct np_trace *trace, const struct np_metric_def *def,
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
static size_t bucket_of(const struct np_metric_def *def, double value)
{
    size_t bucket = 0;

    while (bucket < def->n_bounds && value > def->bound[bucket])
        bucket++;
    return bucket;
}

static void count(struct tally *tally, const struct np_metric_def *def, double value)
{
    if (tally->bucket)
        tally->bucket[bucket_of(def, value)]++;
    else if (value == 0)
        tally->exponential->zero_count++;
    else
        np_exponential_count(tally->exponential, value);
    tally->minimum = tally->count ? fmin(tally->minimum, value) : value;
    tally->maximum = tally->count ? fmax(tally->maximum, value) : value;
    tally->sum += value;
    tally->count++;
}

/* An explicit histogram keeps the latest exemplar of each bucket. Others keep a random sample of
 * all candidates (Vitter 1985, doi:10.1145/3147.3165, algorithm R). */
static struct np_exemplar *exemplar_slot(struct np_trace *trace, struct np_timeseries *series,
                                         double value)
{
    if (series->total.bucket)
        return &series->exemplar[bucket_of(series->def, value)];
    uint64_t offered = series->n_offered++;
    if (offered < series->n_slots)
        return &series->exemplar[offered];
    uint64_t at = np_random_bits(&trace->random) % (offered + 1);
    return at < series->n_slots ? &series->exemplar[at] : NULL;
}

static void offer_exemplar(struct np_trace *trace, struct np_timeseries *series, double value,
                           const struct np_span *span)
{
    bool traced = span && span->flags & NP_FLAG_SAMPLED;

    if (series->n_slots == 0 || trace->exemplars == NP_EXEMPLARS_NONE ||
        (trace->exemplars == NP_EXEMPLARS_TRACED && !traced))
        return;
    struct np_exemplar *slot = exemplar_slot(trace, series, value);
    if (!slot)
        return;
    *slot = (struct np_exemplar){.value = value, .time_ns = np_clock_unix_ns()};
    if (span) {
        slot->trace_id = span->trace_id;
        slot->span_id = span->span_id;
    }
}

void np_trace_set_metrics(struct np_trace *trace, enum np_histogram_kind histogram,
                          enum np_exemplar_filter exemplars)
{
    trace->histogram = histogram;
    trace->exemplars = exemplars;
}

void np_metric_add(struct np_trace *trace, const struct np_metric_def *def, double value,
                   const struct np_attrs *attrs, const struct np_span *span)
{
    /* One NaN would make the sum NaN for ever, and a counter never decreases. */
    if (!isfinite(value) ||
        (value < 0 && (def->kind == NP_METRIC_COUNTER || def->kind == NP_METRIC_HISTOGRAM)))
        return;
    struct np_timeseries *series = find_series(trace, def, attrs);
    if (def->kind == NP_METRIC_HISTOGRAM) {
        count(&series->total, def, value);
        count(&series->since, def, value);
    } else {
        series->total.value += value;
        series->since.value += value;
    }
    if (value != 0 || def->kind == NP_METRIC_HISTOGRAM) /* adding 0 is no measurement */
        offer_exemplar(trace, series, value, span);
}

void np_metric_set(struct np_trace *trace, const struct np_metric_def *def, double value,
                   const struct np_attrs *attrs)
{
    if (!isfinite(value))
        return;
    struct np_timeseries *series = find_series(trace, def, attrs);
    if (def->kind == NP_METRIC_COUNTER && value < series->total.value)
        return;
    series->since.value += value - series->total.value;
    series->total.value = value;
    series->n_idle = 0;
}

static bool as_difference(const struct np_metric_def *def, enum np_temporality_preference wish)
{
    if (def->kind != NP_METRIC_COUNTER && def->kind != NP_METRIC_HISTOGRAM)
        return false;
    return wish == NP_PREFER_DELTA || (wish == NP_PREFER_LOW_MEMORY && !def->is_observed);
}

static bool is_newer(const struct np_exemplar *a, const struct np_exemplar *b)
{
    return a->time_ns > b->time_ns;
}

/* The slots in use, oldest first, at `out`. */
static size_t gather_exemplars(const struct np_timeseries *series, struct np_exemplar *out)
{
    size_t n = 0;

    for (size_t i = 0; i < series->n_slots; i++) {
        if (series->exemplar[i].time_ns == 0)
            continue;
        size_t at = n++;
        for (; at > 0 && is_newer(&out[at - 1], &series->exemplar[i]); at--)
            out[at] = out[at - 1];
        out[at] = series->exemplar[i];
    }
    return n;
}

/* The state of all series; borrows their attributes and buckets. */
struct collected {
    struct np_metric_point *point;
    size_t n_points;
    struct np_exemplar *exemplar;
    size_t n_exemplars;
};

static void collected_done(struct collected *all)
{
    free(all->point);
    free(all->exemplar);
}

static void add_point(struct collected *all, const struct np_trace *trace,
                      const struct np_timeseries *series, enum np_temporality_preference wish,
                      int64_t now_ns)
{
    bool differs = as_difference(series->def, wish);
    const struct tally *tally = differs ? &series->since : &series->total;

    if (differs && tally->count == 0 && tally->value == 0)
        return; /* no measurement since the last collection */
    struct np_exemplar *exemplar = &all->exemplar[all->n_exemplars];
    size_t n_exemplars = gather_exemplars(series, exemplar);
    all->n_exemplars += n_exemplars;
    all->point[all->n_points++] = (struct np_metric_point){
        .def = series->def,
        .attrs = series->attrs,
        .temporality = differs ? NP_DELTA : NP_CUMULATIVE,
        /* a gauge has no start time */
        .start_ns = series->def->kind == NP_METRIC_GAUGE ? 0
                    : differs                            ? trace->last_collection_ns
                                                         : trace->start_ns,
        .time_ns = now_ns,
        .value = tally->value,
        .count = tally->count,
        .sum = tally->sum,
        .minimum = tally->minimum,
        .maximum = tally->maximum,
        .bucket = tally->bucket,
        .exponential = tally->exponential,
        .exemplar = exemplar,
        .n_exemplars = n_exemplars,
    };
}

static void gather(const struct np_trace *trace, enum np_temporality_preference wish,
                   int64_t now_ns, struct collected *out)
{
    size_t n_slots = 0;

    for (size_t i = 0; i < trace->n_series; i++)
        n_slots += trace->series[i]->n_slots;
    out->point = np_xcalloc(trace->n_series + 1, sizeof(*out->point));
    out->exemplar = np_xcalloc(n_slots + 1, sizeof(*out->exemplar));
    for (size_t i = 0; i < trace->n_series; i++)
        add_point(out, trace, trace->series[i], wish, now_ns);
}

static void begin_again(struct np_timeseries *series)
{
    struct tally *since = &series->since;
    uint64_t *bucket = since->bucket;
    struct np_exponential *exponential = since->exponential;

    if (bucket)
        memset(bucket, 0, (series->def->n_bounds + 1) * sizeof(*bucket));
    if (exponential)
        *exponential = (struct np_exponential){.scale = NP_EXPONENTIAL_SCALE};
    *since = (struct tally){.bucket = bucket, .exponential = exponential};
    for (size_t i = 0; i < series->n_slots; i++)
        series->exemplar[i].time_ns = 0;
    series->n_offered = 0;
}

/*
 * A series that a session set at its end. With thousands of sessions, repeating all of them in each
 * collection would be most of the record. Two collections include them, so that a reader who polls
 * once between two collections sees them.
 */
static bool is_past(struct np_timeseries *series)
{
    enum { COLLECTIONS = 2 };
    bool is_of_session = series->def->kind == NP_METRIC_GAUGE &&
                         np_attrs_find(&series->attrs, NP_KEY_BIDS_PARTICIPANT);

    return is_of_session && ++series->n_idle >= COLLECTIONS;
}

static void drop_past(struct np_trace *trace)
{
    size_t n = 0;

    for (size_t i = 0; i < trace->n_series; i++) {
        if (is_past(trace->series[i]))
            np_timeseries_freep(&trace->series[i]);
        else
            trace->series[n++] = trace->series[i];
    }
    trace->n_series = n;
}

static void observe_all(struct np_trace *trace)
{
    for (size_t i = 0; i < trace->n_observers; i++)
        trace->observer[i].observe(trace->observer[i].self, trace);
}

/* The wall clock's time. When that clock was set back behind the last collection, the time that has
 * passed since counts: a point must not end before it began. */
static int64_t collection_ns(const struct np_trace *trace, int64_t mono_ns)
{
    int64_t now_ns = np_clock_unix_ns();

    return now_ns >= trace->last_collection_ns
               ? now_ns
               : trace->last_collection_ns + (mono_ns - trace->last_mono_ns);
}

void np_trace_collect(struct np_trace *trace)
{
    int64_t mono_ns = np_clock_mono_ns(), now_ns = collection_ns(trace, mono_ns);

    observe_all(trace);
    for (size_t i = 0; i < trace->n_sinks; i++) {
        NP_AUTO(collected_done) struct collected all = {0};
        const struct np_trace_sink *sink = &trace->sink[i];
        if (!sink->metrics)
            continue;
        gather(trace, sink->temporality, now_ns, &all);
        if (all.n_points > 0)
            sink->metrics(sink->self, all.point, all.n_points);
    }
    for (size_t i = 0; i < trace->n_series; i++)
        begin_again(trace->series[i]);
    drop_past(trace);
    trace->last_collection_ns = now_ns;
    trace->last_mono_ns = mono_ns;
}

void np_trace_snapshot(struct np_trace *trace,
                       void (*use)(void *self, const struct np_metric_point *point,
                                   size_t n_points),
                       void *self)
{
    NP_AUTO(collected_done) struct collected all = {0};

    observe_all(trace);
    gather(trace, NP_PREFER_CUMULATIVE, collection_ns(trace, np_clock_mono_ns()), &all);
    use(self, all.point, all.n_points);
}
