/*
 * The seam between what a request means (send/transport.c) and the library that makes it: libcurl,
 * or libevent for plain HTTP. A client speaks to one destination. All clients of a process are used
 * by one thread.
 */
#ifndef NP_SEND_HTTP_CLIENT_H
#define NP_SEND_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "otlp/buffer.h"
#include "send/answer.h"
#include "send/network.h"
#include "send/transport.h"

#define NP_SEND_USER_AGENT "neuro-preprocess/" NP_VERSION " OTel-OTLP-Exporter-C/" NP_VERSION

enum {
    NP_SEND_MOST_ANSWER = 4 << 20, /* bytes of an answer that are kept */
    /* The longest time that a client waits before it looks again for a hang-up. */
    NP_SEND_LONGEST_WAIT_MS = 250,
};

enum np_send_end {
    NP_SEND_END_WHOLE,  /* the answer came to its end */
    NP_SEND_END_STATUS, /* of the answer, only status and headers are used */
    NP_SEND_END_BROKEN, /* there is no answer: `outcome` and `trouble` say why */
    NP_SEND_END_LATE,
    NP_SEND_END_CANCELED,
};

/* One request and what became of it. */
struct np_send_exchange {
    /* The request; all is borrowed. */
    const struct np_strings *headers; /* "Name: value"; Content-Type and those of the settings */
    const struct np_otlp_buffer *body;
    size_t n_bytes; /* of the body before it was compressed */
    int64_t deadline_ns;
    int cancel_fd; /* -1 = none */
    struct np_send_hangup *hangup;

    /* The answer. `body_in` and `headers_in` are empty before. */
    enum np_send_end end;
    int http_status; /* 0 = none */
    struct np_send_answer_headers headers_in;
    struct np_otlp_buffer body_in;
    bool was_connected;
    bool had_kept;      /* the request before it had left a connection that could be used */
    bool is_stale;      /* BROKEN, because the server had closed the kept connection */
    bool is_unreadable; /* BROKEN, because this client does not understand the answer */
    enum np_send_outcome outcome;
    char trouble[512];
};

struct np_send_http_client {
    void (*exchange)(struct np_send_http_client *client, struct np_send_exchange *exchange);
    void (*close)(struct np_send_http_client *client); /* frees it, too */
};

/* True when `fd` (-1 = none) is readable or has hung up. */
bool np_send_is_canceled(int fd);

/* The milliseconds until the exchange must end, by its deadline or by the hang-up of the other end;
 * 0 or less = it is late. */
int64_t np_send_left_ms(const struct np_send_exchange *exchange);

#endif
