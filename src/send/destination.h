/* Endpoints: from the text that a user gives to the URL that is requested. */
#ifndef NP_SEND_DESTINATION_H
#define NP_SEND_DESTINATION_H

#include <stdbool.h>

#include "send/settings.h"

/* The parts of a URL; the strings are owned. {0} holds nothing. */
struct np_send_url {
    char *scheme; /* in small letters; NULL = absent */
    char *user;   /* decoded; NULL = absent. Secret. */
    char *host;   /* in small letters; an IPv6 address stands in brackets */
    int port;     /* 0 = absent */
    char *path;   /* begins with a slash; "" = absent */
    char *query;  /* begins with a question mark; "" = absent. May hold secrets. */
};

/* Parse `text`, without its fragment. False when it is no URL; `out` is then {0}. */
bool np_send_url_parse(const char *text, struct np_send_url *out);
void np_send_url_done(struct np_send_url *url);

/* True for this machine itself: "localhost", 127.0.0.0/8, [::1]. */
bool np_send_url_is_local(const struct np_send_url *url);

/* Where an endpoint was given. */
enum np_send_endpoint_kind {
    NP_SEND_ENDPOINT_FLAG,    /* --otel-endpoint: the base of all signals; the scheme may be left
                                 out (http, port 4317 or 4318) */
    NP_SEND_ENDPOINT_GENERIC, /* OTEL_EXPORTER_OTLP_ENDPOINT: the base of all signals */
    NP_SEND_ENDPOINT_SIGNAL,  /* a signal's own variable: used as it is */
};

/* Free what `destination` owns; it is then {0}. */
void np_send_destination_done(struct np_send_destination *destination);

/*
 * Set protocol, url, user, shown and id of `out`, whose signal and headers are set. `protocol` -1 = not given. A URL
 * without a scheme means http when it comes from a flag, `is_insecure` ? http : https for gRPC, and
 * is an error otherwise. Returns 0, NP_EUSAGE: `out` is then untouched. The endpoint may hold
 * secrets, so no message quotes it.
 */
int np_send_destination_resolve(const char *endpoint, enum np_send_endpoint_kind kind, int protocol,
                                bool is_insecure, struct np_send_destination *out,
                                struct np_error *err) NP_MUST_USE;

/*
 * Add the headers of "key=value,…", whose values are percent-encoded, as "name: value" with the
 * name in small letters. Returns how many pairs are unusable and were left out: those without a
 * name, with characters that a header cannot have, or with a header that the protocol itself sets.
 */
int np_send_headers_parse(const char *list, struct np_strings *out) NP_MUST_USE;

#endif
