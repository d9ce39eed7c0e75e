/* The real network and clock, as struct np_send_network: a transport for each signal. */
#ifndef NP_SEND_CONNECTIONS_H
#define NP_SEND_CONNECTIONS_H

#include "otlp/signal.h"
#include "send/network.h"

struct np_send_transport; /* send/transport.h */
struct np_send_hangup;

/* {.cancel_fd = fd, .probe_cancel_fd = fd} has no open transport. The first request of a signal
 * opens its transport, and loads its library. */
struct np_send_connections {
    /* As of np_send_transport_send; both may change between requests. A probe carries nothing, so
     * that it can be broken off where a batch had better be answered. */
    int cancel_fd, probe_cancel_fd;
    struct np_send_hangup *hangup; /* borrowed; NULL = none is watched for */
    struct np_send_transport *transport[NP_OTLP_N_SIGNALS];
};

/* `connections` is borrowed. */
struct np_send_network np_send_connections_network(struct np_send_connections *connections);

void np_send_connections_close(struct np_send_connections *connections);

#endif
