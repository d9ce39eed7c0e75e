/* struct np_send_network as the network and the clock are. */
#ifndef NP_SEND_CONNECTIONS_H
#define NP_SEND_CONNECTIONS_H

#include "send/exporter.h"

/* The network and the clock as they are; `cancel_fd` as of np_send_transport_send. Nothing is
 * loaded before the first request. */
struct np_send_connections;
struct np_send_connections *np_send_connections_new(int cancel_fd);
/* From the next request on, another `cancel_fd`. */
void np_send_connections_cancel_by(struct np_send_connections *connections, int cancel_fd);
struct np_send_network np_send_connections_network(struct np_send_connections *connections);
void np_send_connections_freep(struct np_send_connections **connections);

#endif
