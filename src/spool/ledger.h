/*
 * What became of a record's bytes: the ledger "<record>.ledger" beside it, JSON lines that are only
 * ever appended. Each tells of one batch, a range of the record's bytes that went to one
 * destination in one request:
 *
 *     {"time": "…", "destination": "grpc http://host:4317/", "signal": "traces",
 *      "batch": "<32 hex digits>", "from": 0, "to": 8190, "outcome": "sending", "items": 12}
 *
 * "sending" is written before a batch leaves, so that a sender that takes over from one that was
 * killed sends the very same batch again, under the same id, and never one that overlaps it. The
 * record is the truth of what there is to send; what no line of the ledger covers is owed.
 *
 * Anybody may have written the file: lines that make no sense are passed over.
 */
#ifndef NP_SPOOL_LEDGER_H
#define NP_SPOOL_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "otlp/signal.h"

enum np_spool_mark {
    NP_SPOOL_MARK_SENDING,
    NP_SPOOL_MARK_ACCEPTED,
    NP_SPOOL_MARK_PARTIAL, /* accepted but for some items, which are lost */
    NP_SPOOL_MARK_DROPPED, /* refused for good */
    NP_SPOOL_MARK_SPLIT,   /* was too large: not this batch, but parts of it are sent */
    NP_SPOOL_N_MARKS
};

enum { NP_SPOOL_BATCH_ID = 33 };

/* Bytes [from, to) of the record. */
struct np_spool_range {
    int64_t from, to;
};

struct np_spool_entry {
    const char *destination; /* its id, borrowed */
    enum np_otlp_signal signal;
    struct np_spool_range range;
    enum np_spool_mark mark;
    int64_t n_items, n_rejected; /* spans, log records, data points */
    const char *text;            /* what the server said, "" or NULL = nothing; borrowed */
};

struct np_spool_ledger;

/*
 * Open, or create, the ledger of a record, take its lock and read it. Where files cannot be locked
 * it goes without. Returns 0, NP_EBUSY (another process is sending this record), NP_ECREATE,
 * NP_ESPACE, NP_EIO, NP_ENOMEM. On failure `*ledger` is untouched.
 */
int np_spool_ledger_open(const char *record_path, struct np_spool_ledger **ledger,
                         struct np_error *err);

/* The same to look at: nothing is created, locked or written, notes are only remembered; an absent
 * ledger is an empty one. */
int np_spool_ledger_read(const char *record_path, struct np_spool_ledger **ledger,
                         struct np_error *err);
void np_spool_ledger_freep(struct np_spool_ledger **ledger);

/*
 * Append a line and remember it. What came of a batch is remembered even if it cannot be written;
 * that a batch is to leave is not: it must not leave then. Returns 0, NP_ESPACE, NP_EIO, NP_ENOMEM.
 */
int np_spool_ledger_note(struct np_spool_ledger *ledger, const struct np_spool_entry *entry,
                         struct np_error *err);

/* Which bytes count as done for a destination. */
enum np_spool_scope {
    NP_SPOOL_NOT_ANYWHERE, /* what any destination accepted, or this one refused */
    NP_SPOOL_NOT_HERE      /* what this destination accepted */
};

/* The first range from `at` on that is not done; `to` is INT64_MAX when nothing after it is. */
struct np_spool_range np_spool_ledger_gap(const struct np_spool_ledger *ledger,
                                          const char *destination, enum np_otlp_signal signal,
                                          enum np_spool_scope scope, int64_t at);

/*
 * The first batch that was being sent when its sender ended, and of which nothing is done for
 * `destination`; false when there is none. What is owed may have been on its way to any
 * destination: it keeps its name.
 */
bool np_spool_ledger_in_flight(const struct np_spool_ledger *ledger, const char *destination,
                               enum np_otlp_signal signal, enum np_spool_scope scope,
                               struct np_spool_range *range);

/* Items in accepted batches, those that were rejected among them not counted. */
int64_t np_spool_ledger_accepted(const struct np_spool_ledger *ledger, const char *destination,
                                 enum np_otlp_signal signal);

/*
 * The name of a batch: the same for the same record (its file's name), signal, range and items
 * [first, first + n) of the range (0, 0 = all of them), whoever sends it, when and where.
 */
void np_spool_batch_id(const char *record_path, enum np_otlp_signal signal,
                       const struct np_spool_range *range, size_t first, size_t n,
                       char id[NP_SPOOL_BATCH_ID]);

#endif
