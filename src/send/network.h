/* A request, its reply, and the functions that send the one and receive the other. The real ones are
 * in send/connections.h; tests and dry runs have others. */
#ifndef NP_SEND_NETWORK_H
#define NP_SEND_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_send_destination; /* send/settings.h */

/* One request. Without a batch id it is a probe: an empty request. All members are borrowed. */
struct np_send_request {
    const struct np_send_destination *to;
    const char *batch_id;
    const void *body;
    size_t n_bytes;
};

enum np_send_outcome {
    NP_SEND_ACCEPTED,    /* the server took all; `text` may hold its warning */
    NP_SEND_PARTIAL,     /* the server took all but n_rejected, which must not be sent again */
    NP_SEND_RETRY,       /* send again later: HTTP 429, 502, 503, 504; gRPC 1, 4, 10, 11, 14, 15,
                            and 8 with RetryInfo; a broken connection; the deadline passed */
    NP_SEND_REFUSED,     /* never send again: any other status */
    NP_SEND_TOO_LARGE,   /* HTTP 413, HTTP 400 with such a text; gRPC 8 without RetryInfo and with
                            such a text; a stream of more than 1 MiB that was reset */
    NP_SEND_UNREACHABLE, /* no server for OTLP: connection refused, no such host, no connection in
                            time, a certificate that is not trusted, a web page, HTTP 404, 405, 421
                            and 501, gRPC 12 */
    NP_SEND_CANCELED,    /* by `cancel_fd` */
};

struct np_send_reply {
    enum np_send_outcome outcome;
    int http_status;    /* 0 = none */
    int grpc_status;    /* -1 = none */
    bool is_stale;      /* RETRY, because the server had closed the kept connection: send again at
                        once, which makes a new one */
    bool may_be_stored; /* UNREACHABLE, but there was a connection from before */
    bool is_foreign;    /* accepted, or refused with 5xx, in an answer that is not of OTLP's type */
    int64_t n_rejected;
    double retry_after_s; /* what the server asked for, at least 0, not capped; -1 = nothing */
    char text[256];       /* what happened, for people: one line, valid UTF-8, no secrets */
};

/* The network and the clock. */
struct np_send_network {
    void *self;
    void (*send)(void *self, const struct np_send_request *request, int64_t deadline_ns,
                 struct np_send_reply *reply);
    int64_t (*now_ns)(void *self); /* as np_clock_mono_ns */
};

#endif
