/*
 * One request to one destination, and what came of it: OTLP over HTTP (protobuf or JSON) and over
 * gRPC. It knows nothing of retries: it classifies the answer.
 *
 * libcurl is loaded when the first transport is opened: a run without an endpoint does not pay for
 * it (7 ms and 8 MB). All transports of a process share one set of connections. One thread.
 */
#ifndef NP_SEND_TRANSPORT_H
#define NP_SEND_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "send/settings.h"

enum np_send_outcome {
    NP_SEND_ACCEPTED,    /* all of it; `text` may hold a warning of the server */
    NP_SEND_PARTIAL,     /* n_rejected of it were refused; not to be sent again */
    NP_SEND_RETRY,       /* not now: HTTP 429, 502, 503, 504; gRPC 1, 4, 10, 11, 14, 15, 8 with
                            RetryInfo; broken off in the middle; the deadline passed */
    NP_SEND_REFUSED,     /* never: any other status */
    NP_SEND_TOO_LARGE,   /* HTTP 413, 400 that says so; gRPC 8 without RetryInfo that says so; a
                            stream of more than 1 MiB that was reset */
    NP_SEND_UNREACHABLE, /* nobody who takes OTLP: refused, no such host, no answer to the greeting,
                            a certificate that does not hold, a web page */
    NP_SEND_CANCELED,    /* by `cancel_fd` */
};

struct np_send_reply {
    enum np_send_outcome outcome;
    int http_status; /* 0 = there was none */
    int grpc_status; /* -1 = there was none */
    int64_t n_rejected;
    double retry_after_s; /* what the server asked for, at least 0, not capped; -1 = nothing */
    char text[256];       /* one line, valid UTF-8, no secrets: what happened, for people */
};

struct np_send_transport;

/*
 * A transport to `destination` (copied). No connection is made yet. Returns 0, NP_ENOMEM,
 * NP_ENOINPUT (libcurl is not installed, or a certificate file cannot be read), NP_EUSAGE (libcurl
 * cannot do this protocol: https, HTTP/2). On failure `*transport` is untouched.
 */
int np_send_transport_open(const struct np_send_destination *destination,
                           struct np_send_transport **transport, struct np_error *err);
void np_send_transport_freep(struct np_send_transport **transport);

/*
 * Send one request body (np_otlp_batch_encode of the same protocol; uncompressed) and wait for the
 * answer, until `deadline_ns` (np_clock_mono_ns; the destination's timeout bounds it too) or until
 * `cancel_fd` is readable or hung up (-1 = never). It always says what happened in `reply`.
 * `batch_id` (NULL = none) goes along as header or metadata "x-neuro-batch-id": a batch that is
 * sent once more has the same.
 */
void np_send_transport_send(struct np_send_transport *transport, const void *body, size_t n_bytes,
                            const char *batch_id, int64_t deadline_ns, int cancel_fd,
                            struct np_send_reply *reply);

/* "accepted", "partial", "retry", "refused", "too-large", "unreachable", "canceled". */
const char *np_send_outcome_name(enum np_send_outcome outcome);

#endif
