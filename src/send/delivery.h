/*
 * Bringing a record to its destinations: lines are read back from the file, put into batches, sent,
 * and noted in the ledger. Nothing is queued in memory: what is owed is what the ledger lacks, so
 * the live sender, the next run and `replay` are the same steps, and a kill at any moment loses
 * nothing that was on disk.
 *
 * Each signal goes its own way (an exporter); a step is at most one request. Who calls decides when:
 * nothing here waits or sleeps but the request itself.
 */
#ifndef NP_SEND_DELIVERY_H
#define NP_SEND_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "otlp/batch.h"
#include "otlp/redact.h"
#include "send/exporter.h"
#include "spool/ledger.h"
#include "spool/pending.h"

/* What becomes of spans by the record's decisions which traces are sent. */
enum np_send_decisions {
    NP_SEND_APPLY_DECISIONS,  /* they go, unless it was decided against them */
    NP_SEND_AWAIT_DECISIONS,  /* in a growing record they wait for the decision */
    NP_SEND_IGNORE_DECISIONS, /* they go: it is known that none is left out; nothing is looked up */
};

struct np_send_delivery_options {
    enum np_spool_state life;
    enum np_spool_scope scope;
    /* How participants are named; what the record asks for counts when it is stricter. */
    enum np_naming naming;
    enum np_send_decisions decisions;
    bool is_dry_run; /* nothing is written, to the ledger or elsewhere */
};

struct np_send_delivery;

/*
 * Begin with a record; its ledger is locked until the end. `exporters` is borrowed. Where no key for
 * hashes can be had, participants are not named at all. Returns 0, NP_ENOINPUT (no such record),
 * NP_EBUSY (another process delivers it), NP_ECREATE, NP_ESPACE, NP_EIO, NP_ENOMEM. On failure
 * `*delivery` is untouched.
 */
int np_send_delivery_open(const char *record_path, struct np_send_exporters *exporters,
                          const struct np_send_delivery_options *options,
                          struct np_send_delivery **delivery, struct np_error *err);
void np_send_delivery_freep(struct np_send_delivery **delivery);

/* The run has ended: what stands in the record is all. */
void np_send_delivery_at_rest(struct np_send_delivery *delivery);

enum np_send_step {
    NP_SEND_STEP_ON,    /* something was done: come again */
    NP_SEND_STEP_LATER, /* nothing to do before `*when_ns` */
    NP_SEND_STEP_DONE,  /* all of the record is done for this signal (a growing record: so far, come
                           again at `*when_ns`) */
    NP_SEND_STEP_OVER,  /* the exporter's time is over; the rest is owed */
};

/* At most one request of one signal. Never fails: trouble stands in the exporter. */
enum np_send_step np_send_delivery_step(struct np_send_delivery *delivery,
                                        enum np_otlp_signal signal, int64_t *when_ns);

/* Bytes of the record from the first that is not done to its end, over all signals. */
int64_t np_send_delivery_owed_bytes(const struct np_send_delivery *delivery);

#endif
