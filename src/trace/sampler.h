/*
 * The decision which traces are sent. All traces are recorded. The decision is made when a trace
 * ends, so that failed traces are always sent. Names and semantics are those of
 * OTEL_TRACES_SAMPLER.
 */
#ifndef NP_TRACE_SAMPLER_H
#define NP_TRACE_SAMPLER_H

#include "trace/trace.h"

/* A ratio of 1 is always_on, of 0 always_off. */
struct np_sampler {
    double ratio;         /* of the traces to send */
    bool is_parent_based; /* a root span with a remote parent follows its parent's decision */
};

/*
 * True when a trace is sent, from its root span's ids and flags (ended or not). A failed trace
 * (status Error) is always sent. Of the others a ratio selects the traces whose id's last 56 bits,
 * read as a number, are among the highest (the specification's TraceIdRatioBased). So a larger
 * ratio sends every trace that a smaller one sends, and programs with the same ids and ratio send
 * the same traces.
 */
bool np_sampler_keeps(const struct np_sampler *sampler, const struct np_span *root);

/* Set or clear the sampled flag. */
void np_span_set_sampled(struct np_span *span, bool sampled);

/* Write the decision into the record: a log record neuro.sampling with the trace's id, which is
 * not sent. Spans of a trace without a decision wait; they are sent when their run has died. */
void np_trace_log_sampling(struct np_trace *trace, const struct np_trace_id *trace_id,
                           bool sampled);

#endif
