/* What trace.c, span.c and metric.c share. */
#ifndef NP_TRACE_INTERNAL_H
#define NP_TRACE_INTERNAL_H

#include "trace/trace.h"

struct np_trace {
    struct np_attrs resource;
    struct np_trace_sink sink[NP_TRACE_MOST_SINKS];
    size_t n_sinks;
    int64_t start_ns; /* all cumulative series count from here */
    /* One per time series, in order of metric name, then attributes: found by bisection, and sent
     * in this order. */
    struct np_metric_point **series;
    size_t n_series, capacity;
};

void np_metric_point_freep(struct np_metric_point **point);

#endif
