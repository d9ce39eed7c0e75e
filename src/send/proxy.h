/*
 * The proxy that the environment names for a URL. libcurl would read these variables behind our back;
 * they are read here, so that a run can say which proxy it uses.
 */
#ifndef NP_SEND_PROXY_H
#define NP_SEND_PROXY_H

#include <stdbool.h>

#include "send/destination.h"

/* The port of a proxy whose URL has none, as curl takes it. */
enum { NP_SEND_PROXY_PORT = 1080 };

/*
 * The proxy for requests to `url`, which has a scheme; NULL = none. The variables are those of curl:
 * https_proxy or HTTPS_PROXY for https, http_proxy for http (HTTP_PROXY is not read: a web server
 * sets it from a header of a request), else all_proxy or ALL_PROXY; none for a host that no_proxy or
 * NO_PROXY lists, and never for this host. `*name` becomes the variable's name. The caller frees;
 * the value may hold a password.
 */
char *np_send_proxy_for(const struct np_send_url *url, const char **name);

/* True when `list`, as no_proxy, names `host`: "*"; a host, also for all hosts of that domain, with
 * or without a dot in front; an IPv4 network as "10.0.0.0/8". */
bool np_send_no_proxy_names(const char *list, const char *host);

#endif
