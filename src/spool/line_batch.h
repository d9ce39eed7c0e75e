/*
 * What a record holds back until it is written: whole lines, each a request in OTLP/JSON. What
 * comes one after the other and is of one signal shares a line, up to a size: most of a line would
 * be the resource again. The start of a span is kept apart until then and becomes a line only if
 * the span is still open: of one that has ended there is nothing to close.
 */
#ifndef NP_SPOOL_LINE_BATCH_H
#define NP_SPOOL_LINE_BATCH_H

#include "otlp/encode.h"

/* Lines, or starts, or both together; spans or log records of a line. */
enum { NP_SPOOL_LINE_BATCH_MOST = 256, NP_SPOOL_LINE_BATCH_SHARED = 16 };

/* How many of them. */
struct np_spool_counts {
    int64_t n_starts, n_spans, n_logs; /* spans: ended ones; logs: without starts */
    int64_t n_metrics;                 /* lines of them */
};

struct np_spool_line {
    size_t end; /* in lines.bytes, behind the line feed */
    struct np_spool_counts holds;
};

/* {.source = …, .most_shared = …} is empty. Read `lines` and `line` freely. */
struct np_spool_line_batch {
    struct np_otlp_source source; /* borrows */
    size_t most_shared;           /* spans or log records of a line */
    struct np_otlp_buffer lines;
    struct np_spool_line line[NP_SPOOL_LINE_BATCH_MOST];
    size_t n_lines;
    struct np_span *start[NP_SPOOL_LINE_BATCH_MOST]; /* copies */
    size_t n_starts;
    struct np_otlp_request request; /* of the last line, while it can take more */
    enum np_otlp_signal signal;
    size_t n_items;   /* in it */
    size_t items_end; /* where that line's end begins; 0 = it takes no more */
};

/* There must be room (np_spool_line_batch_is_full). Those that can fail return 0, NP_ENOMEM, or
 * NP_EVALUE: longer than a line may be (NP_SPOOL_LINE_MOST); then nothing was added. */
void np_spool_line_batch_span_start(struct np_spool_line_batch *batch, const struct np_span *span);
int np_spool_line_batch_span_end(struct np_spool_line_batch *batch, const struct np_span *span);
int np_spool_line_batch_log(struct np_spool_line_batch *batch, const struct np_log_record *log);
int np_spool_line_batch_metrics(struct np_spool_line_batch *batch,
                                const struct np_metric_point *point, size_t n);

/* Whether it is time to write. */
bool np_spool_line_batch_is_full(const struct np_spool_line_batch *batch);

/* Turn the starts that are left into lines, before they are written. Returns 0, or why the
 * `*n_lost` of them that are no line are lost. */
int np_spool_line_batch_finish(struct np_spool_line_batch *batch, int64_t *n_lost);

/* Empty again; the memory is kept. */
void np_spool_line_batch_clear(struct np_spool_line_batch *batch);
void np_spool_line_batch_done(struct np_spool_line_batch *batch);

#endif
