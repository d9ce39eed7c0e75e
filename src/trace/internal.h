/* Types and functions that trace.c, span.c and metric.c share. */
#ifndef NP_TRACE_INTERNAL_H
#define NP_TRACE_INTERNAL_H

#include "base/random.h"
#include "trace/trace.h"

struct np_timeseries;

struct np_observer {
    void (*observe)(void *self, struct np_trace *trace);
    void *self;
};

struct np_trace {
    struct np_attrs resource;
    struct np_trace_sink sink[NP_TRACE_MOST_SINKS];
    size_t n_sinks;
    struct np_trace_limits limits;
    enum np_histogram_kind histogram;
    enum np_exemplar_filter exemplars;
    struct np_observer observer[NP_TRACE_MOST_OBSERVERS];
    size_t n_observers;
    struct np_random random;    /* chooses the exemplars to keep */
    int64_t start_ns;           /* start of all cumulative series */
    int64_t last_collection_ns; /* start of all delta series */
    int64_t last_mono_ns;       /* np_clock_mono_ns at that time */
    /* One per time series, sorted by metric name, then attributes: searched by bisection,
     * exported in this order. */
    struct np_timeseries **series;
    size_t n_series, capacity;
};

/* Pass a log record to the sinks without the user's limits. */
void np_trace_log_unlimited(struct np_trace *trace, const struct np_log_record *record);

void np_timeseries_freep(struct np_timeseries **series);

/* Record a value > 0 (trace/exponential.c). */
void np_exponential_count(struct np_exponential *histogram, double value);

#endif
