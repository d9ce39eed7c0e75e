/*
 * The OTLP exporters of a process, one for each signal: the destination, what its server answered
 * last, and how long to wait for it. Network and clock are functions in struct np_send_network, so
 * that tests can script both.
 */
#ifndef NP_SEND_EXPORTER_H
#define NP_SEND_EXPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "send/exporters.h"
#include "send/retry.h"

/* The exporter of one signal. */
struct np_send_exporter {
    const struct np_send_destination *to; /* borrowed; NULL = this signal is not sent */
    double delay_s;                       /* between two reads of a growing record */
    size_t most_items, most_bytes;        /* of one request; the bytes shrink after "too large" */
    struct np_send_retry retry;
    int64_t not_before_ns; /* no request before this time, after a failure */
    int64_t asked_ns;      /* the part of it that the server asked for; 0 = nothing */
    bool has_answered;     /* the server has accepted this client at least once */
    bool is_down;          /* the last request had no answer, or this client was refused */
    struct np_send_tally tally;
    char trouble[256]; /* the last failure, for people; "" = none */
};

/* The exporters of a process. */
struct np_send_exporters {
    struct np_send_network network;
    struct np_send_exporter exporter[NP_OTLP_N_SIGNALS];
    double deadline_s; /* of the last flush */
    int64_t finish_ns; /* when the last flush began; 0 = not yet */
    int64_t answer_ns; /* how long recent answers took */
    /* Send an unprobed server an empty request before any batch. The flush may end before an
     * unprobed server answers, and a batch that was cut off then might be stored twice. */
    bool probes;
};

/* The most bytes in one request. gRPC servers accept 4 MiB by default. */
enum { NP_SEND_MOST_BYTES_GRPC = 3584 << 10, NP_SEND_MOST_BYTES_HTTP = 16 << 20 };
size_t np_send_most_bytes(enum np_otlp_protocol protocol);

/* As np_send_exporters_new, in place. */
void np_send_exporters_init(struct np_send_exporters *exporters,
                            const struct np_send_settings *settings,
                            const struct np_send_network *network, uint64_t seed);

/*
 * Begin the last flush: an exporter whose server has answered has `deadline_s`, an unprobed one has
 * NP_SEND_UNPROBED_NS. Waits between retries end, except those that a server asked for.
 */
void np_send_exporters_finish(struct np_send_exporters *exporters, int64_t now_ns);

/*
 * The time after which no request may start; INT64_MAX before the last flush. It leaves twice the
 * time of a recent answer until the exporter's limit: a batch whose answer comes too late to be
 * noted would be sent again.
 */
int64_t np_send_exporter_last_ns(const struct np_send_exporters *exporters,
                                 enum np_otlp_signal signal);

/* Send a request and wait for its answer, at most until the exporter's limit. */
void np_send_exporter_send(struct np_send_exporters *exporters, enum np_otlp_signal signal,
                           const struct np_send_request *request, struct np_send_reply *reply);

/* The limit of the last flush for an unprobed server, 0.12 s. With the time that a process needs to
 * end, a server that refuses, hangs or cannot be reached costs a run less than 0.2 s. */
static const int64_t NP_SEND_UNPROBED_NS = INT64_C(120) * 1000000;

/* True when some server has answered, and a signal that is sent to it is not down. */
bool np_send_exporters_have_answer(const struct np_send_exporters *exporters);

/* True when the server has answered no signal yet, or when the last flush has begun and the last
 * request of this signal found the server down. */
bool np_send_exporter_is_unprobed(const struct np_send_exporters *exporters,
                                  enum np_otlp_signal signal);

/* Note what a reply says about the server. False when the server refuses this client whatever it
 * sends (no permission), or is no server for OTLP: the batch is then not to be dropped. */
bool np_send_exporter_note_reply(struct np_send_exporter *exporter,
                                 const struct np_send_reply *reply);

/* Set exporter->trouble to "what: text", or to "what" when `text` is empty. */
void np_send_exporter_set_trouble(struct np_send_exporter *exporter, const char *what,
                                  const char *text);

#endif
