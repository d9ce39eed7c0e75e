/* Functions of the room's parts that other rooms do not need. */
#ifndef NP_SPOOL_INSIDE_H
#define NP_SPOOL_INSIDE_H

#include "spool/ledger.h"
#include "spool/record.h"

/* The entry as one line of JSON, without a line feed, for the ledger of this record. The caller
 * frees; NULL when memory is missing. */
char *np_spool_entry_text(const struct np_spool_entry *entry, const char *record_path);

/* Call `use` with each entry of the file `fd`, whose name `path` is for messages; it borrows the
 * entry and returns 0 or NP_ENOMEM. Lines that make no sense are passed over. Returns 0, NP_ENOMEM,
 * NP_EIO. */
int np_spool_entries_read(int fd, const char *path,
                          int (*use)(void *self, const struct np_spool_entry *entry), void *self,
                          struct np_error *err) NP_MUST_USE;

/* Is there a ledger of this record? */
bool np_spool_ledger_exists(const char *record_path);

/* Items in accepted batches, without those that the server rejected. */
int64_t np_spool_ledger_accepted(const struct np_spool_ledger *ledger, const char *destination,
                                 enum np_otlp_signal signal);

/* Write the held lines, then return the counts. Borrowed until the sink is closed; they change
 * with it. */
const struct np_spool_health *np_spool_record_health(const struct np_trace_sink *sink);

#endif
