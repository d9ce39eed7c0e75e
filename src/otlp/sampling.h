/*
 * Which traces of a record are sent: what its log records "neuro.sampling" have decided. They are
 * looked for ahead of the spans, from the record's beginning on.
 */
#ifndef NP_OTLP_SAMPLING_H
#define NP_OTLP_SAMPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "trace/trace.h"

enum np_otlp_decision { NP_OTLP_UNDECIDED, NP_OTLP_SAMPLED, NP_OTLP_NOT_SAMPLED };

/* {0} has decided nothing. */
struct np_otlp_sampling {
    struct np_otlp_sampled_trace *table; /* open addressing; a power of two */
    size_t n, capacity;
    int64_t read_to; /* bytes of the record that were looked at */
};

/*
 * Look at what was appended since the last time; `fd` is borrowed and its offset moves. The last
 * decision of a trace counts. More than a million traces are not followed. Returns 0, NP_EIO,
 * NP_ENOMEM.
 */
int np_otlp_sampling_read(struct np_otlp_sampling *sampling, int fd, struct np_error *err);

enum np_otlp_decision np_otlp_sampling_of(const struct np_otlp_sampling *sampling,
                                          const struct np_trace_id *trace_id);
void np_otlp_sampling_done(struct np_otlp_sampling *sampling);

#endif
