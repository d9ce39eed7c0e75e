/*
 * The process that sends a run's record while it is written, and what dead runs owe. The supervisor
 * forks it before any worker and never waits for it but at the end, within a deadline. Whatever it
 * does, or whatever is done to it, nothing is lost: record and ledger stand on disk.
 *
 * It ignores the signals that stop a run (they often go to the whole process group): its supervisor
 * decides. It holds none of the supervisor's descriptors, and it ends by itself, one deadline after
 * the supervisor has, having closed the spans that a killed one left open.
 */
#ifndef NP_SEND_SENDER_H
#define NP_SEND_SENDER_H

#include "base/exec.h"
#include "otlp/redact.h"
#include "send/exporter.h"

struct np_send_sender;

struct np_send_sender_options {
    const char *record_path;
    const struct np_send_settings *settings;
    enum np_naming naming; /* how participants are named, or stricter */
    /* The clock and network of tests; NULL members = the real ones. */
    struct np_send_network network;
};

/* What the sender has done so far. */
struct np_send_sender_health {
    struct np_send_tally tally[NP_OTLP_N_SIGNALS];
    int64_t owed_bytes;  /* of the run's record */
    int64_t n_caught_up; /* records of earlier runs that were sent to their end */
    bool is_down;        /* a server was not there, or let nobody in, the last time */
    char trouble[256];   /* the last one, "" = none */
};

/*
 * Note that the record is owed and start its sender. `options` and what it points to are used
 * during the call, and in the child. Returns 0, NP_EBUSY (no process), NP_ECREATE, NP_ESPACE; on
 * failure `*sender` is untouched.
 */
int np_send_sender_start(const struct np_send_sender_options *options,
                         struct np_send_sender **sender, struct np_error *err);

void np_send_sender_look(const struct np_send_sender *sender, struct np_send_sender_health *health);

/*
 * The record is complete: let it be sent, and end the sender. Takes 0.2 s at most when no server
 * answers, the settings' deadline at most when one does, and no longer once `cut_off` (NULL = never)
 * is set: what was not sent then is kept. `health` may be NULL. Nulls the pointer; accepts a pointer
 * to NULL (`health` is then zeroed).
 */
void np_send_sender_finish(struct np_send_sender **sender, const struct np_cancel *cut_off,
                           struct np_send_sender_health *health);

#endif
