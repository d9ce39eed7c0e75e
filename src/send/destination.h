/* Endpoints: from what a user writes to what is requested. Used by settings.c. */
#ifndef NP_SEND_DESTINATION_H
#define NP_SEND_DESTINATION_H

#include <stdbool.h>

#include "send/settings.h"

/* A URL's parts, as strings of their own; NULL = absent. {0} is none. */
struct np_send_url {
    char *scheme; /* in small letters; NULL when none was written */
    char *user;   /* decoded. Secret. */
    char *host;   /* in small letters, an IPv6 address in its brackets */
    int port;     /* 0 = none was written */
    char *path;   /* with its slash, "" = none */
    char *query;  /* with its question mark, "" = none. May hold secrets. */
};

/* False when it is no URL; `out` is then {0}. A fragment is left out. */
bool np_send_url_parse(const char *text, struct np_send_url *out);
void np_send_url_done(struct np_send_url *url);

/* "localhost", 127.0.0.0/8, [::1]: it stays on this machine. */
bool np_send_url_is_local(const struct np_send_url *url);

/* How an endpoint was given. */
enum np_send_endpoint_kind {
    NP_SEND_ENDPOINT_FLAG,    /* without a scheme: http, port 4317 or 4318; base of all signals */
    NP_SEND_ENDPOINT_GENERIC, /* base of all signals */
    NP_SEND_ENDPOINT_SIGNAL,  /* used as it is */
};

/*
 * Set protocol, url, user and id of `out`, whose signal is set. `protocol` -1 = not said. A URL
 * without a scheme is `is_insecure` ? http : https for gRPC, and else refused, unless it comes from
 * a flag. Returns 0, NP_EUSAGE: `out` is then untouched. No message holds the endpoint.
 */
int np_send_destination_resolve(const char *endpoint, enum np_send_endpoint_kind kind, int protocol,
                                bool is_insecure, struct np_send_destination *out,
                                struct np_error *err);

/*
 * Add the headers of "key=value,…", values percent-encoded, as "name: value" with small letters.
 * Returns how many of the pairs are unusable and were left out: no name, characters that a header
 * cannot have, or a header that the protocol itself sets.
 */
int np_send_headers_parse(const char *list, struct np_strings *out);

#endif
