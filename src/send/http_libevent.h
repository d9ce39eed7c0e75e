/*
 * The HTTP client for a Collector at an http:// address without a proxy: HTTP/1.1 by libevent,
 * which loads in a thirtieth of libcurl's time.
 */
#ifndef NP_SEND_HTTP_LIBEVENT_H
#define NP_SEND_HTTP_LIBEVENT_H

#include "send/http_client.h"

/* True when this client can speak to `to`: http, not gRPC, no proxy, no password, and an address in
 * numbers or "localhost", so that no name server is asked. */
bool np_send_http_libevent_can(const struct np_send_destination *to);

/* Open a client for such a destination. Returns 0, NP_ENOINPUT (libevent is not installed),
 * NP_ENOMEM; on failure `*out` is untouched. */
int np_send_http_libevent_open(const struct np_send_destination *to,
                               struct np_send_http_client **out, struct np_error *err) NP_MUST_USE;

#endif
