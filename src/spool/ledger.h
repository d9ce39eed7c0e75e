/*
 * The ledger of a record says which of its bytes were sent, and with which outcome. It is the file
 * "<record>.ledger" beside it, JSON lines that are only ever appended. Each describes one batch, a
 * range of the record's bytes that went to one destination in one request:
 *
 *     {"time": "…", "destination": "host:4318/v1/traces", "signal": "traces",
 *      "batch": "<32 hex digits>", "from": 0, "to": 8190, "outcome": "sending", "items": 12}
 *
 * "sending" is written before a batch leaves, so that a sender that takes over from one that was
 * killed sends the very same batch again, under the same id, and never one that overlaps it. It is
 * written again before the batch leaves again: as often as it stands there, a server may have got the batch. The
 * record is the truth of what there is to send; a range that no line of the ledger covers is pending.
 *
 * Anybody may have written the file: lines that make no sense are passed over.
 */
#ifndef NP_SPOOL_LEDGER_H
#define NP_SPOOL_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "otlp/signal.h"
#include "spool/entry.h"

/*
 * The place that a URL names, which stands behind any other words: "host:port/path" without scheme
 * and with one name for this host. Ledgers of earlier versions have "<protocol> <URL>" as destination,
 * which did not tell queries and tenants apart: such lines count for all destinations at that place.
 * The caller frees.
 */
char *np_spool_place(const char *url);

struct np_spool_ledger;

/*
 * Open, or create, the ledger of a record, take its lock and read it. Where files cannot be locked
 * it goes without. Returns 0, NP_EBUSY (another process is sending this record; the message has its
 * number where the system tells it), NP_ECREATE,
 * NP_ESPACE, NP_EIO, NP_ENOMEM. On failure `*ledger` is untouched.
 */
int np_spool_ledger_open(const char *record_path, struct np_spool_ledger **ledger,
                         struct np_error *err) NP_MUST_USE;

/* The same for reading: nothing is created, locked or written, and notes are only kept in
 * memory. An absent ledger counts as empty. */
int np_spool_ledger_read(const char *record_path, struct np_spool_ledger **ledger,
                         struct np_error *err) NP_MUST_USE;
void np_spool_ledger_freep(struct np_spool_ledger **ledger);

/*
 * Append a line and remember it. An outcome is remembered even when it cannot be written.
 * NP_SPOOL_MARK_SENDING is not: the batch must not be sent then. Returns 0, NP_ESPACE, NP_EIO,
 * NP_ENOMEM.
 */
int np_spool_ledger_note(struct np_spool_ledger *ledger, const struct np_spool_entry *entry,
                         struct np_error *err) NP_MUST_USE;

/*
 * Take back what the ledger says of ranges that end beyond `record_bytes`, the size of a record
 * whose run has ended: the record was cut, or is another one. Each such range is noted as void, so
 * that it does not count for bytes that are appended later. `*n_void` (may be NULL) is how many
 * there were. Returns 0, NP_ESPACE, NP_EIO, NP_ENOMEM.
 */
int np_spool_ledger_cut(struct np_spool_ledger *ledger, int64_t record_bytes, int64_t *n_void,
                        struct np_error *err) NP_MUST_USE;

/* The bytes that count as done for a destination. */
enum np_spool_scope {
    NP_SPOOL_NOT_ANYWHERE, /* done: accepted by any destination, or refused by this one */
    NP_SPOOL_NOT_HERE,     /* done: accepted by this destination */
    NP_SPOOL_AGAIN,        /* the same, after np_spool_ledger_forget: since the ledger was opened */
};

/* Forget in memory what the ledger said so far; the file keeps it. */
void np_spool_ledger_forget(struct np_spool_ledger *ledger);

/* The first range from `at` on that is not done; `to` is INT64_MAX when nothing after it is. */
struct np_spool_range np_spool_ledger_gap(const struct np_spool_ledger *ledger,
                                          const char *destination, enum np_otlp_signal signal,
                                          enum np_spool_scope scope, int64_t at);

/*
 * Find the first batch that was in flight when its sender ended and of which nothing is done for
 * `destination`. Returns false when there is none. With NP_SPOOL_NOT_ANYWHERE it may have been in
 * flight to any destination: it keeps its id.
 */
bool np_spool_ledger_in_flight(const struct np_spool_ledger *ledger, const char *destination,
                               enum np_otlp_signal signal, enum np_spool_scope scope,
                               struct np_spool_range *range);

/* Items that the destination rejected in partial successes. */
int64_t np_spool_ledger_rejected(const struct np_spool_ledger *ledger, const char *destination,
                                 enum np_otlp_signal signal);

#endif
