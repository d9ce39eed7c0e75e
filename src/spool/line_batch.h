/*
 * The lines of a record that are not written yet. Each line is a request in OTLP/JSON. Items of one
 * signal share a line up to a size, whatever other signals came between them, because most of a line
 * is the resource. Log records are written before spans, and these before metrics: so the start of a
 * span stands before its end. The start of a span is kept apart and becomes a line only when the
 * span is still open at the time of writing: a span that has ended needs no closing.
 */
#ifndef NP_SPOOL_LINE_BATCH_H
#define NP_SPOOL_LINE_BATCH_H

#include "otlp/encode.h"

/* The most lines and starts together; the most spans or log records in a line. */
enum { NP_SPOOL_LINE_BATCH_MOST = 256, NP_SPOOL_LINE_BATCH_SHARED = 16 };

/* Counts of observations. */
struct np_spool_counts {
    int64_t n_starts, n_spans, n_logs; /* spans: ended ones; logs: without starts */
    int64_t n_metrics;                 /* lines of them */
};

struct np_spool_line {
    size_t end; /* in lines.bytes, behind the line feed */
    struct np_spool_counts holds;
};

/* The lines of one signal. */
struct np_spool_signal_lines {
    struct np_otlp_buffer bytes;
    struct np_spool_line line[NP_SPOOL_LINE_BATCH_MOST];
    size_t n_lines;
    struct np_otlp_request request; /* of the last line */
    size_t n_items;                 /* in it */
    size_t items_end; /* where the last line's end begins; 0 = it takes no more items */
};

/* {.source = …, .most_shared = …} is empty. After np_spool_line_batch_finish, `lines` and `line` are
 * what is to be written; lines.failed means that memory for it is missing. */
struct np_spool_line_batch {
    struct np_otlp_source source; /* borrows */
    size_t most_shared;           /* spans or log records of a line */
    struct np_spool_signal_lines of[NP_OTLP_N_SIGNALS];
    struct np_span *start[NP_SPOOL_LINE_BATCH_MOST]; /* copies */
    size_t n_starts;
    struct np_otlp_buffer lines;
    struct np_spool_signal_lines *owner; /* of the buffer `lines`; NULL = it is the batch's own */
    struct np_spool_line line[NP_SPOOL_LINE_BATCH_MOST];
    size_t n_lines;
};

/*
 * Add an observation. The batch must not be full (np_spool_line_batch_is_full). Returns 0,
 * NP_ENOMEM, or NP_EVALUE when the line would be longer than NP_SPOOL_LINE_MOST; on failure nothing
 * was added.
 */
void np_spool_line_batch_span_start(struct np_spool_line_batch *batch, const struct np_span *span);
int np_spool_line_batch_span_end(struct np_spool_line_batch *batch, const struct np_span *span);
int np_spool_line_batch_log(struct np_spool_line_batch *batch, const struct np_log_record *log);
int np_spool_line_batch_metrics(struct np_spool_line_batch *batch,
                                const struct np_metric_point *point, size_t n);

/* True when the batch must be written. */
bool np_spool_line_batch_is_full(const struct np_spool_line_batch *batch);

/* Turn the remaining starts into lines and join the lines of all signals, before writing. Returns 0,
 * or the last error; `*n_lost` starts have no line then. */
int np_spool_line_batch_finish(struct np_spool_line_batch *batch, int64_t *n_lost);

/* Remove all lines and starts; the memory is kept. */
void np_spool_line_batch_clear(struct np_spool_line_batch *batch);
void np_spool_line_batch_done(struct np_spool_line_batch *batch);

#endif
