/*
 * How far one signal of a record has been sent: the record's lines are read from here into a batch,
 * and the batch's items leave in one request or in several.
 */
#ifndef NP_SEND_CURSOR_H
#define NP_SEND_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "otlp/batch.h"
#include "otlp/buffer.h"
#include "send/exporter.h"
#include "spool/ledger.h"
#include "spool/lines.h"
#include "spool/pending.h"

struct np_send_cursor {
    enum np_otlp_signal signal;
    const struct np_send_exporter *exporter; /* borrowed: its limits of a request */
    int fd;                                  /* of the record; -1 = not open */
    struct np_spool_lines lines;
    int64_t base; /* the place in the file of the lines' offset 0 */
    struct np_otlp_batch *batch;
    struct np_otlp_buffer body;
    struct np_spool_range range; /* of the lines in the batch; to 0 = no batch is loaded */
    bool is_resent;              /* an earlier sender sent the batch: gaps may lie before it */
    bool may_be_stored;          /* the last request with these items had no clear answer */
    size_t n_items, n_lines;     /* in the range */
    size_t at, n;                /* the next request holds the items [at, at + n) */
    size_t n_points, n_lost;     /* in the range: spans, log records or data points */
    size_t most_lines;           /* in a request, after a split; 0 = any number */
    int64_t done_to;             /* all of the record before this place is settled */
    int64_t due_ns;              /* the next read of a growing record */
};

/* Why reading a range stopped: the range or the record ended, the batch is full, or a span waits for
 * its sampling decision. */
enum np_send_stop {
    NP_SEND_STOP_RANGE,
    NP_SEND_STOP_RECORD,
    NP_SEND_STOP_FULL,
    NP_SEND_STOP_WAITS
};

/* Open the record for one signal. `*cursor` is all 0 with fd -1. Returns 0 or NP_ENOINPUT; call
 * np_send_cursor_done in either case. */
int np_send_cursor_open(struct np_send_cursor *cursor, const char *record_path,
                        const struct np_send_exporter *exporter,
                        const struct np_otlp_batch_options *options,
                        struct np_error *err) NP_MUST_USE;
void np_send_cursor_done(struct np_send_cursor *cursor);

/* Fill the batch from `range`: with all of it when `is_exact`, else with as many lines as one
 * request takes. Sets the range that was read, and `*end`. Of a growing record the last line is
 * left until its newline is there. Returns 0, NP_EIO or NP_ENOMEM: then no batch is loaded. */
int np_send_cursor_load(struct np_send_cursor *cursor, struct np_spool_range range, bool is_exact,
                        enum np_spool_state state, enum np_send_stop *end,
                        struct np_error *err) NP_MUST_USE;

/* Forget the batch that is loaded. */
void np_send_cursor_unload(struct np_send_cursor *cursor);

/* Is a batch loaded? */
bool np_send_cursor_is_loaded(const struct np_send_cursor *cursor);

#endif
