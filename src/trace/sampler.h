/*
 * Which traces are sent. Everything is recorded; what goes to the network is decided when a trace
 * ends, so that no failed one is lost. Names and semantics are those of OTEL_TRACES_SAMPLER.
 */
#ifndef NP_TRACE_SAMPLER_H
#define NP_TRACE_SAMPLER_H

#include "trace/trace.h"

/* A ratio of 1 is always_on, of 0 always_off. */
struct np_sampler {
    double ratio;         /* of the traces to send */
    bool is_parent_based; /* a root that has a parent elsewhere does what its parent did */
};

/*
 * Whether a trace is sent, by its root span's ids and flags (ended or not). A failed trace (status
 * Error) always is. Of the others a ratio sends those whose id's last 56 bits, read as a number,
 * are among the highest (the specification's TraceIdRatioBased): what a smaller ratio sends, a
 * larger one sends too, and who sends traces of the same ids by the same ratio sends the same ones.
 */
bool np_sampler_keeps(const struct np_sampler *sampler, const struct np_span *root);

/* Set or clear the sampled flag. */
void np_span_set_sampled(struct np_span *span, bool sampled);

/* Put the decision into the record: a log record neuro.sampling with the trace's id, which is not
 * sent. Spans of a trace without one wait, or are sent when their run is dead. */
void np_trace_tell_sampling(struct np_trace *trace, const struct np_trace_id *trace_id,
                            bool sampled);

#endif
