/*
 * Records whose delivery is not complete: "owed/<record>" beside the records, a file for each with
 * the name of the host that writes it, there from the moment that a record is to be sent until all
 * of it was. So the next run finds what dead runs owe without looking at ten thousand records.
 */
#ifndef NP_SPOOL_PENDING_H
#define NP_SPOOL_PENDING_H

#include "base/error.h"
#include "base/str.h"
#include "otlp/redact.h"

enum np_spool_state {
    NP_SPOOL_GROWING,  /* its run is alive: more may come, the last line may be half written */
    NP_SPOOL_COMPLETE, /* nothing more will come */
};

/* Returns 0, NP_ECREATE, NP_ESPACE. */
int np_spool_pending_mark(const char *record_path, struct np_error *err);
void np_spool_pending_clear(const char *record_path);
bool np_spool_pending_is_marked(const char *record_path);

/*
 * Add the paths of records in `folder` that are marked, oldest first; marks of records that are
 * gone are removed. Of more than `most` marks, which ten thousand living runs can have, `most` from
 * the `from`-th on (modulo their number, and round the end): runs that start together had better
 * not all begin with the same one. Never an error.
 */
void np_spool_pending_list(const char *folder, size_t most, uint64_t from,
                           struct np_strings *records);

/* A look that disturbs nobody: whether a record's run is known to go on (see np_spool_pending_settle,
 * which has the last word). */
bool np_spool_pending_is_growing(const char *record_path);

/*
 * Make a record fit to be sent: if its run is dead, the spans that it left open are closed and it
 * is at rest. A run is alive while its record is locked; the record of another machine, whose locks
 * may not be seen here, also counts as growing while it was written to in the last 10 minutes.
 * Returns 0, NP_ENOINPUT, NP_EIO, NP_ESPACE, NP_ENOMEM.
 */
int np_spool_pending_settle(const char *record_path, enum np_spool_state *life,
                            struct np_error *err);

/* How a record asks for participants to be named, by the resource of its first line; labels when it
 * asks for nothing. */
enum np_naming np_spool_record_naming(const char *record_path);

#endif
