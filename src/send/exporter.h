/*
 * Ways out of a process: for each signal where it goes, what the server there was last seen to do,
 * and how long it is worth waiting for. Network and clock come in through struct np_send_network, so
 * that tests can script both.
 */
#ifndef NP_SEND_EXPORTER_H
#define NP_SEND_EXPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "send/retry.h"
#include "send/settings.h"
#include "send/transport.h"

/* One request; without a batch id it is a greeting, with nothing in it. Borrowed. */
struct np_send_request {
    const struct np_send_destination *to;
    const char *batch_id;
    const void *body;
    size_t n_bytes;
};

/* The network and the clock. */
struct np_send_network {
    void *self;
    void (*send)(void *self, const struct np_send_request *request, int64_t deadline_ns,
                 struct np_send_reply *reply);
    int64_t (*now_ns)(void *self); /* as np_clock_mono_ns */
};

/* What became of spans, log records and data points, in this process. */
struct np_send_tally {
    int64_t n_exported;           /* accepted */
    int64_t n_rejected;           /* by a partial success: lost */
    int64_t n_dropped;            /* refused for good, or too large one by one: lost */
    int64_t n_requests, n_failed; /* of the requests, those that brought nothing */
    int64_t n_bytes;              /* of accepted bodies, before compression */
};

/* One signal's way out. */
struct np_send_exporter {
    const struct np_send_destination *to; /* borrowed; NULL = this signal is not sent */
    double delay_s;                       /* between looks at a growing record */
    size_t most_items, most_bytes;        /* of one request; bytes shrink when they are too many */
    struct np_send_retry retry;
    int64_t not_before_ns; /* after a failure */
    int64_t asked_ns;  /* as the server asked for itself; the end of a run does not change that */
    bool has_answered; /* somebody was there, once */
    bool is_down;      /* the last request had no answer, or a closed door */
    struct np_send_tally tally;
    char trouble[256]; /* the last one, "" = none */
};

/* All ways out of a process. */
struct np_send_exporters {
    struct np_send_network network;
    struct np_send_exporter exporter[NP_OTLP_N_SIGNALS];
    double deadline_s;
    int64_t finish_ns; /* when the end was announced, 0 = not yet */
    int64_t answer_ns; /* what an answer takes of late */
    /* A stranger is sent an empty request before anything else: what is broken off because nobody
     * answers in time is then no batch that the server may have taken all the same. */
    bool probes;
};

/* The most that one request may hold: gRPC servers take 4 MiB unless told otherwise. */
enum { NP_SEND_MOST_BYTES_GRPC = 3584 << 10, NP_SEND_MOST_BYTES_HTTP = 16 << 20 };
size_t np_send_most_bytes(enum np_otlp_protocol protocol);

/* `settings` is borrowed; `seed` is for the jitter. */
void np_send_exporters_init(struct np_send_exporters *exporters,
                            const struct np_send_settings *settings,
                            const struct np_send_network *network, uint64_t seed);

/*
 * From now on there is an end: an exporter whose server has answered has `deadline_s`, the others
 * have a moment (NP_SEND_UNPROBED_NS). Waits between retries begin anew, but for those that a server
 * asked for.
 */
void np_send_exporters_finish(struct np_send_exporters *exporters, int64_t now_ns);

/*
 * When the last request may leave; INT64_MAX before the end was announced. That is before the
 * exporter's time is over by twice of what an answer takes of late: a batch whose answer comes too
 * late to be noted would be sent again.
 */
int64_t np_send_exporter_last_ns(const struct np_send_exporters *exporters,
                                 enum np_otlp_signal signal);

/* Send, and wait for the answer until the exporter's time is over. */
void np_send_exporter_send(struct np_send_exporters *exporters, enum np_otlp_signal signal,
                           const struct np_send_request *request, struct np_send_reply *reply);

/* A server that refuses, cannot be reached or never answered costs this much at the end of a run,
 * 0.12 s: with what a process needs to end it is less than 0.2 s. */
static const int64_t NP_SEND_UNPROBED_NS = INT64_C(120) * 1000000;

/* Whether some server is there: it has answered, and a signal that goes to it is not down. */
bool np_send_exporters_have_answer(const struct np_send_exporters *exporters);

/* Whether some server has taken something and none was down since: time for more. */
bool np_send_exporters_are_up(const struct np_send_exporters *exporters);

/* The server has not answered yet, neither this signal nor another; or the end has come, which has
 * but a moment for a server that was not there the last time. */
bool np_send_exporter_is_unprobed(const struct np_send_exporters *exporters,
                                  enum np_otlp_signal signal);

/* Note what an answer says of the server. True when it lets us in; when not, it is us who are
 * refused, or the server is not what we take it for: not the batch's fault. */
bool np_send_exporter_note_reply(struct np_send_exporter *exporter,
                                 const struct np_send_reply *reply);

/* Remember trouble: "what: text". */
void np_send_exporter_set_trouble(struct np_send_exporter *exporter, const char *what,
                                  const char *text);

#endif
