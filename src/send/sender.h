/*
 * The sender: a process that sends the record of a run while the run writes it, and the pending
 * records of earlier runs. The supervisor starts it before any worker, and waits for it only at the
 * end, within a deadline. When the sender fails or is killed nothing is lost, because record and
 * ledger are on disk.
 *
 * The sender ignores the signals that stop a run, which often go to the whole process group; the
 * supervisor asks it to end. It keeps no descriptor of the supervisor. When the supervisor is
 * killed, the sender closes the spans that were left open, and ends one deadline later.
 */
#ifndef NP_SEND_SENDER_H
#define NP_SEND_SENDER_H

#include "base/exec.h"
#include "otlp/redact.h"
#include "send/exporters.h"

struct np_send_sender;

struct np_send_sender_options {
    const char *record_path;
    const struct np_send_settings *settings;
    enum np_naming naming;          /* of participants; a record may ask for a stricter one */
    struct np_send_network network; /* for tests; NULL members = the real network and clock */
};

/* The counts of the sender so far. */
struct np_send_sender_health {
    struct np_send_tally tally[NP_OTLP_N_SIGNALS];
    int64_t pending_bytes; /* of the run's record */
    int64_t n_caught_up;   /* earlier records that were sent to their end */
    bool is_down;          /* the last request of some signal found the server down */
    char trouble[256];     /* the last failure, for people; "" = none */
};

/*
 * Mark the record as pending and start its sender. `options` and what it points to are borrowed for
 * the call; the child has its own copy. Returns 0, NP_EBUSY (no process), NP_ECREATE, NP_ESPACE; on
 * failure `*sender` is untouched.
 */
int np_send_sender_start(const struct np_send_sender_options *options,
                         struct np_send_sender **sender, struct np_error *err) NP_MUST_USE;

void np_send_sender_look(const struct np_send_sender *sender, struct np_send_sender_health *health);

/*
 * Flush and end the sender; the record is complete. This takes at most 0.2 s when no server
 * answers, and at most the settings' deadline when one does. It ends early when `cut_off` (NULL =
 * never) is set. The rest stays pending. `health` may be NULL. Nulls the pointer; accepts
 * a pointer to NULL (`health` is then zeroed).
 */
void np_send_sender_finish(struct np_send_sender **sender, const struct np_cancel *cut_off,
                           struct np_send_sender_health *health);

#endif
