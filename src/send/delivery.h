/*
 * The delivery of a record to its destinations: read lines back from the file, put them into
 * batches, send these, and note the outcomes in the ledger. Nothing is queued in memory: pending is
 * what the ledger lacks. So the sender of a run, the sender of a later run and `replay` take the
 * same steps, and a kill at any moment loses nothing that was on disk.
 *
 * Each signal has its own exporter and cursor. A step is at most one request. The caller decides
 * when to take a step: only the request itself waits.
 */
#ifndef NP_SEND_DELIVERY_H
#define NP_SEND_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "otlp/batch.h"
#include "otlp/redact.h"
#include "send/exporters.h"
#include "spool/ledger.h"
#include "spool/pending.h"

/* How the sampling decisions in the record are used for its spans. */
enum np_send_decisions {
    NP_SEND_APPLY_DECISIONS,  /* send a span unless its trace was decided not to be sampled */
    NP_SEND_AWAIT_DECISIONS,  /* the same, but in a growing record wait for the decision */
    NP_SEND_IGNORE_DECISIONS, /* send all spans: the settings keep all traces */
};

struct np_send_delivery_options {
    enum np_spool_state state;
    enum np_spool_scope scope;
    /* How participants are named, unless a line of the record asks for a stricter way. */
    enum np_naming naming;
    enum np_send_decisions decisions;
    bool is_dry_run; /* write nothing, neither to the ledger nor elsewhere */
};

struct np_send_delivery;

/*
 * Open a record for delivery and lock its ledger, until np_send_delivery_freep. `exporters` is
 * borrowed. Without a key for hashes participants are not named at all. Returns 0, NP_ENOINPUT (no
 * such record), NP_EBUSY (another process delivers it), NP_ECREATE, NP_ESPACE, NP_EIO, NP_ENOMEM.
 * On failure `*delivery` is untouched.
 */
int np_send_delivery_open(const char *record_path, struct np_send_exporters *exporters,
                          const struct np_send_delivery_options *options,
                          struct np_send_delivery **delivery, struct np_error *err) NP_MUST_USE;
void np_send_delivery_freep(struct np_send_delivery **delivery);

/* Batches that the ledger had noted beyond the end of the record: it was cut since, and what is left
 * of these batches is sent again. */
int64_t np_send_delivery_n_void(const struct np_send_delivery *delivery);

enum np_send_step {
    NP_SEND_STEP_ON,    /* a step was taken: call again at once */
    NP_SEND_STEP_LATER, /* call again at `*when_ns` */
    NP_SEND_STEP_DONE,  /* all of this signal is settled; a growing record: so far, call again at
                           `*when_ns` */
    NP_SEND_STEP_OVER,  /* the exporter's time is over; the rest stays pending */
};

/* Take a step of one signal: at most one request. It does not fail: np_send_exporters_trouble has
 * the reason when something did not work. */
enum np_send_step np_send_delivery_step(struct np_send_delivery *delivery,
                                        enum np_otlp_signal signal, int64_t *when_ns);

#endif
