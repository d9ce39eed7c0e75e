/*
 * Bringing a record to its destinations: lines are read back from the file, put into batches, sent,
 * and noted in the ledger. Nothing is queued in memory: what is owed is what the ledger lacks, so
 * the live sender, the next run and `replay` are the same steps, and a kill at any moment loses
 * nothing that was on disk.
 *
 * Each signal goes its own way (an outlet); a step is at most one request. Who calls decides when:
 * nothing here waits or sleeps but the request itself. Network and clock come in through struct
 * np_otlp_post, so that tests can script both.
 */
#ifndef NP_OTLP_DELIVERY_H
#define NP_OTLP_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "otlp/batch.h"
#include "otlp/ledger.h"
#include "otlp/redact.h"
#include "otlp/retry.h"
#include "otlp/settings.h"
#include "otlp/transport.h"

/* One request; without a batch id it is a greeting, with nothing in it. Borrowed. */
struct np_otlp_parcel {
    const struct np_otlp_destination *to;
    const char *batch_id;
    const void *body;
    size_t n_bytes;
};

/* The network and the clock. */
struct np_otlp_post {
    void *self;
    void (*send)(void *self, const struct np_otlp_parcel *parcel, int64_t deadline_ns,
                 struct np_otlp_reply *reply);
    int64_t (*now_ns)(void *self); /* as np_clock_mono_ns */
};

/* What became of items (spans, log records, metrics), in this process. */
struct np_otlp_tally {
    int64_t n_exported;           /* accepted */
    int64_t n_rejected;           /* by a partial success: lost */
    int64_t n_dropped;            /* refused for good, or too large one by one: lost */
    int64_t n_requests, n_failed; /* of the requests, those that brought nothing */
    int64_t n_bytes;              /* of accepted bodies, before compression */
};

/* One signal's way out. */
struct np_otlp_outlet {
    const struct np_otlp_destination *to; /* borrowed; NULL = this signal is not sent */
    double delay_s;                       /* between looks at a growing record */
    size_t most_items, most_bytes;        /* of one request; bytes shrink when they are too many */
    struct np_otlp_retry retry;
    int64_t not_before_ns; /* after a failure */
    bool has_answered;     /* somebody was there, once */
    bool is_down;          /* the last request had no answer, or a closed door */
    struct np_otlp_tally tally;
    char trouble[256]; /* the last one, "" = none */
};

/* All ways out of a process. */
struct np_otlp_outlets {
    struct np_otlp_post post;
    struct np_otlp_outlet outlet[NP_OTLP_N_SIGNALS];
    double deadline_s;
    int64_t finish_ns; /* when the end was announced, 0 = not yet */
    /* A server is sent an empty request before anything else: what is broken off because nobody
     * answers in time is then no batch that the server may have taken all the same. */
    bool greets;
};

/* `settings` is borrowed; `seed` is for the jitter. */
void np_otlp_outlets_init(struct np_otlp_outlets *outlets, const struct np_otlp_settings *settings,
                          const struct np_otlp_post *post, uint64_t seed);

/*
 * From now on there is an end: an outlet whose server has answered has `deadline_s`, the others
 * have a moment (NP_OTLP_MOMENT_NS). Waits between retries begin anew.
 */
void np_otlp_outlets_finish(struct np_otlp_outlets *outlets, int64_t now_ns);

/* When an outlet's time is over; INT64_MAX before the end was announced. */
int64_t np_otlp_outlet_limit_ns(const struct np_otlp_outlets *outlets, enum np_otlp_signal signal);

/* A server that refuses, cannot be reached or never answered costs this much at the end of a run,
 * 0.12 s: with what a process needs to end it is less than 0.2 s. */
static const int64_t NP_OTLP_MOMENT_NS = INT64_C(120) * 1000000;

/* Whether some server has taken something and none was down since: time for more. */
bool np_otlp_outlets_are_well(const struct np_otlp_outlets *outlets);

enum np_otlp_life {
    NP_OTLP_GROWING, /* its run is alive: more may come, the last line may be half written */
    NP_OTLP_AT_REST, /* nothing more will come */
};

/* What becomes of spans by the record's decisions which traces are sent. */
enum np_otlp_decisions {
    NP_OTLP_HEED_DECISIONS,  /* they go, unless it was decided against them */
    NP_OTLP_AWAIT_DECISIONS, /* in a growing record they wait for the decision */
    NP_OTLP_PASS_DECISIONS,  /* they go: it is known that none is left out; nothing is looked up */
};

struct np_otlp_delivery_options {
    enum np_otlp_life life;
    enum np_otlp_scope scope;
    /* How participants are named; what the record asks for counts when it is stricter. */
    enum np_otlp_naming naming;
    enum np_otlp_decisions decisions;
    bool is_rehearsal; /* nothing is written, to the ledger or elsewhere */
};

struct np_otlp_delivery;

/*
 * Begin with a record; its ledger is locked until the end. `outlets` is borrowed. Where no key for
 * hashes can be had, participants are not named at all. Returns 0, NP_ENOINPUT (no such record),
 * NP_EBUSY (another process delivers it), NP_ECREATE, NP_ESPACE, NP_EIO, NP_ENOMEM. On failure
 * `*delivery` is untouched.
 */
int np_otlp_delivery_open(const char *record_path, struct np_otlp_outlets *outlets,
                          const struct np_otlp_delivery_options *options,
                          struct np_otlp_delivery **delivery, struct np_error *err);
void np_otlp_delivery_freep(struct np_otlp_delivery **delivery);

/* The run has ended: what stands in the record is all. */
void np_otlp_delivery_at_rest(struct np_otlp_delivery *delivery);

enum np_otlp_step {
    NP_OTLP_STEP_ON,    /* something was done: come again */
    NP_OTLP_STEP_LATER, /* nothing to do before `*when_ns` */
    NP_OTLP_STEP_DONE,  /* all of the record is done for this signal (a growing record: so far, come
                           again at `*when_ns`) */
    NP_OTLP_STEP_OVER,  /* the outlet's time is over; the rest is owed */
};

/* At most one request of one signal. Never fails: trouble stands in the outlet. */
enum np_otlp_step np_otlp_delivery_step(struct np_otlp_delivery *delivery,
                                        enum np_otlp_signal signal, int64_t *when_ns);

/* Bytes of the record from the first that is not done to its end, over all signals. */
int64_t np_otlp_delivery_owed_bytes(const struct np_otlp_delivery *delivery);

#endif
