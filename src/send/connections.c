#include "send/connections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "send/transport.h"

struct np_send_connections {
    int cancel_fd;
    struct np_send_transport *transport[NP_OTLP_N_SIGNALS];
};

static int64_t now_ns(void *self)
{
    (void)self;
    return np_clock_mono_ns();
}

/* Without a transport nothing can be reached: libcurl is missing, or a certificate. */
static void cannot(const struct np_error *err, struct np_send_reply *reply)
{
    *reply = (struct np_send_reply){
        .outcome = NP_SEND_UNREACHABLE, .grpc_status = -1, .retry_after_s = -1};
    NP_AUTO(np_freep) char *text = np_utf8_clean(err->text);
    np_utf8_cut(text, sizeof(reply->text) - 1);
    memcpy(reply->text, text, strlen(text) + 1);
}

static void send_request(void *self, const struct np_send_request *request, int64_t deadline_ns,
                         struct np_send_reply *reply)
{
    struct np_send_connections *connections = self;
    struct np_send_transport **transport = &connections->transport[request->to->signal];
    struct np_error err = {0};

    if (!*transport && np_send_transport_open(request->to, transport, &err) < 0) {
        cannot(&err, reply);
        return;
    }
    np_send_transport_send(*transport, request->body, request->n_bytes, request->batch_id,
                           deadline_ns, connections->cancel_fd, reply);
}

struct np_send_connections *np_send_connections_new(int cancel_fd)
{
    struct np_send_connections *connections = np_xcalloc(1, sizeof(*connections));

    connections->cancel_fd = cancel_fd;
    return connections;
}

void np_send_connections_cancel_by(struct np_send_connections *connections, int cancel_fd)
{
    connections->cancel_fd = cancel_fd;
}

struct np_send_network np_send_connections_network(struct np_send_connections *connections)
{
    return (struct np_send_network){.self = connections, .send = send_request, .now_ns = now_ns};
}

void np_send_connections_freep(struct np_send_connections **address)
{
    if (!*address)
        return;
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        np_send_transport_freep(&(*address)->transport[i]);
    np_freep(address);
}
