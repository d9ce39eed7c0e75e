/* One line of a ledger (spool/ledger.h), as JSON: what became of one batch at one destination. */
#ifndef NP_SPOOL_ENTRY_H
#define NP_SPOOL_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "otlp/signal.h"

/* Bytes [from, to) of the record. */
struct np_spool_range {
    int64_t from, to;
};

enum np_spool_mark {
    NP_SPOOL_MARK_SENDING,
    NP_SPOOL_MARK_ACCEPTED,
    NP_SPOOL_MARK_PARTIAL, /* accepted except for some items, which are lost */
    NP_SPOOL_MARK_DROPPED, /* refused for good */
    NP_SPOOL_MARK_SPLIT,   /* too large: parts of it are sent instead */
    NP_SPOOL_MARK_VOID,    /* the record does not hold the range (any more): earlier lines about it
                              do not count */
    NP_SPOOL_N_MARKS
};

enum { NP_SPOOL_BATCH_ID = 33 };

struct np_spool_entry {
    const char *destination; /* its id (send/settings.h), borrowed */
    enum np_otlp_signal signal;
    struct np_spool_range range;
    enum np_spool_mark mark;
    int64_t n_items, n_rejected; /* spans, log records, data points */
    const char *text;            /* the server's message, "" or NULL = none; borrowed */
};

/*
 * A batch's id. It depends only on the record's file name, the signal, the range and the items
 * [first, first + n) of the range (0, 0 = all): every sender gives a batch the same id.
 */
void np_spool_batch_id(const char *record_path, enum np_otlp_signal signal,
                       const struct np_spool_range *range, size_t first, size_t n,
                       char id[NP_SPOOL_BATCH_ID]);

#endif
