/*
 * Records whose delivery is not complete: "owed/<record>" beside the records, an empty file for
 * each, there from the moment that a record is to be sent until all of it was. So the next run
 * finds what dead runs owe without looking at ten thousand records.
 */
#ifndef NP_OTLP_OWED_H
#define NP_OTLP_OWED_H

#include "base/error.h"
#include "base/str.h"
#include "otlp/delivery.h"
#include "otlp/redact.h"

/* Returns 0, NP_ECREATE, NP_ESPACE. */
int np_otlp_owed_mark(const char *record_path, struct np_error *err);
void np_otlp_owed_clear(const char *record_path);

/* Add the paths of the records in `folder` that are marked, oldest first; marks of records that are
 * gone are removed. Never an error. */
void np_otlp_owed_list(const char *folder, struct np_strings *records);

/*
 * Make a record fit to be sent: if its run is dead, the spans that it left open are closed and it
 * is at rest. A run is alive while its record is locked; the record of another machine, whose locks
 * may not be seen here, also counts as growing while it was written to in the last 10 minutes.
 * Returns 0, NP_ENOINPUT, NP_EIO, NP_ESPACE, NP_ENOMEM.
 */
int np_otlp_owed_settle(const char *record_path, enum np_otlp_life *life, struct np_error *err);

/* How a record asks for participants to be named, by the resource of its first line; labels when it
 * asks for nothing. */
enum np_otlp_naming np_otlp_record_naming(const char *record_path);

#endif
