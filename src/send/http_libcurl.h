/* The HTTP client for every destination: TLS, HTTP/2 and proxies by libcurl. */
#ifndef NP_SEND_HTTP_LIBCURL_H
#define NP_SEND_HTTP_LIBCURL_H

#include "send/http_client.h"

/* Open a client; as np_send_transport_open. NULL with an error when that fails. */
int np_send_http_libcurl_open(const struct np_send_destination *to,
                              struct np_send_http_client **out, struct np_error *err) NP_MUST_USE;

#endif
