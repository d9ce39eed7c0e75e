/*
 * The sampling decisions of a record: its log records "neuro.sampling" say which traces are sent.
 * They are read before the spans, from the record's beginning on.
 */
#ifndef NP_SPOOL_SAMPLING_H
#define NP_SPOOL_SAMPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "trace/trace.h"

enum np_spool_decision { NP_SPOOL_UNDECIDED, NP_SPOOL_SAMPLED, NP_SPOOL_NOT_SAMPLED };

/* {0} has decided nothing. */
struct np_spool_sampling {
    struct np_spool_sampled_trace *table; /* open addressing; a power of two */
    size_t n, capacity;
    int64_t read_to; /* bytes of the record that were read */
};

/*
 * Read the lines that were appended since the last call; `fd` is borrowed and its offset moves. The
 * last decision of a trace counts. At most a million traces are followed. Returns 0, NP_EIO,
 * NP_ENOMEM.
 */
int np_spool_sampling_read(struct np_spool_sampling *sampling, int fd,
                           struct np_error *err) NP_MUST_USE;

enum np_spool_decision np_spool_sampling_of(const struct np_spool_sampling *sampling,
                                            const struct np_trace_id *trace_id);
void np_spool_sampling_done(struct np_spool_sampling *sampling);

#endif
