/*
 * Records that are not sent completely. Each has a mark, the file "owed/<record>" beside the
 * records with the name of the host that writes it, from the start of its run until all of it is
 * sent. So the next run finds the records of dead runs without reading ten thousand of them.
 */
#ifndef NP_SPOOL_PENDING_H
#define NP_SPOOL_PENDING_H

#include "base/error.h"
#include "base/str.h"
#include "otlp/redact.h"
#include "spool/closing.h"

enum np_spool_state {
    NP_SPOOL_GROWING,  /* its run is alive: more lines may follow, the last one may be incomplete */
    NP_SPOOL_COMPLETE, /* its run has ended: no more lines follow */
};

/* Returns 0, NP_ECREATE, NP_ESPACE. */
int np_spool_pending_mark(const char *record_path, struct np_error *err) NP_MUST_USE;
void np_spool_pending_clear(const char *record_path);

/* Note in the record's mark, which exists, why it is still pending. It is a service to people: what
 * fails is not reported. */
void np_spool_pending_explain(const char *record_path, const char *why);

/* The marks in a folder of records. */
struct np_spool_pending_sum {
    size_t n;      /* records of runs that have ended */
    char why[256]; /* of the latest that says so; "" = none does */
};
void np_spool_pending_count(const char *folder, struct np_spool_pending_sum *sum);

/* Delete a record, its ledger and its mark. The caller holds the ledger's lock. Returns 0, NP_EIO. */
int np_spool_pending_remove(const char *record_path, struct np_error *err) NP_MUST_USE;

/*
 * Add the paths of marked records in `folder`, oldest first. Marks of removed records are removed.
 * When there are more than `most` marks, `most` of them are taken, beginning with the `from`-th
 * (modulo their number, wrapping around), so that runs that start together do not all begin with
 * the same record. Never an error.
 */
void np_spool_pending_list(const char *folder, size_t most, uint64_t from,
                           struct np_strings *records);

/* True when the run of a record seems to be alive. This takes no lock; np_spool_pending_settle
 * decides. */
bool np_spool_pending_is_growing(const char *record_path);

/*
 * Prepare a record for sending: when its run is dead, close the spans that it left open; the record
 * is then complete. A run is alive while its record is locked. A record of another machine, whose
 * locks may be invisible here, also counts as growing when it was written to in the last 10
 * minutes. `report` (may be NULL) is what was found when the run is dead, else zero. Returns 0, NP_ENOINPUT, NP_EIO, NP_ESPACE, NP_ENOMEM.
 */
int np_spool_pending_settle(const char *record_path, enum np_spool_state *state,
                            struct np_spool_closing *report, struct np_error *err) NP_MUST_USE;

/* How participants are to be named according to the resource of the record's first line; by
 * label when it says nothing. */
enum np_naming np_spool_record_naming(const char *record_path);

#endif
