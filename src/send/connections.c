#include "send/connections.h"

#include "base/clock.h"
#include "send/answer.h"
#include "send/transport.h"

static int64_t now_ns(void *self)
{
    (void)self;
    return np_clock_mono_ns();
}

static void send_request(void *self, const struct np_send_request *request, int64_t deadline_ns,
                         struct np_send_reply *reply)
{
    struct np_send_connections *connections = self;
    struct np_send_transport **transport = &connections->transport[request->to->signal];
    int cancel_fd = request->batch_id ? connections->cancel_fd : connections->probe_cancel_fd;
    struct np_error err = {0};

    /* Without a transport no server can be reached: libcurl or a certificate is missing. */
    if (!*transport && np_send_transport_open(request->to, transport, &err) < 0) {
        np_send_reply_set(reply, NP_SEND_UNREACHABLE, "%s", err.text);
        return;
    }
    np_send_transport_watch(*transport, connections->hangup);
    np_send_transport_send(*transport, request->body, request->n_bytes, request->batch_id,
                           deadline_ns, cancel_fd, reply);
}

struct np_send_network np_send_connections_network(struct np_send_connections *connections)
{
    return (struct np_send_network){.self = connections, .send = send_request, .now_ns = now_ns};
}

void np_send_connections_close(struct np_send_connections *connections)
{
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        np_send_transport_freep(&connections->transport[i]);
}
