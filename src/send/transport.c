/*
 * The form of a request, and the meaning of its end; the HTTP itself is made by a client
 * (send/http_client.h).
 *
 * A unary gRPC call is a POST over HTTP/2. Its body is a flag byte, a length of four bytes and the
 * message.
 */
#include "send/transport.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "otlp/buffer.h"
#include "send/answer.h"
#include "send/gzip.h"
#include "send/http_client.h"
#include "send/http_libcurl.h"
#include "send/http_libevent.h"

enum { GRPC_PREFIX = 5 };

struct np_send_transport {
    struct np_send_http_client *client;
    char *url; /* as long as libevent is used: libcurl may have to take its place */
    double connect_timeout_s;
    enum np_otlp_protocol protocol;
    enum np_send_compression compression;
    double timeout_s; /* of one request; 0 = none */
    struct np_strings destination_headers;
    struct np_send_hangup *hangup;
    struct np_otlp_buffer packed, answer; /* their memory is kept between requests */
};

/* Opening. */

static bool is_grpc(const struct np_send_transport *transport)
{
    return transport->protocol == NP_OTLP_GRPC;
}

int np_send_transport_open_with(enum np_send_library library, const struct np_send_destination *to,
                                struct np_send_transport **out, struct np_error *err)
{
    struct np_send_http_client *client = NULL;

    NP_TRY(library == NP_SEND_LIBEVENT ? np_send_http_libevent_open(to, &client, err)
                                       : np_send_http_libcurl_open(to, &client, err));
    struct np_send_transport *transport = np_xcalloc(1, sizeof(*transport));
    *transport =
        (struct np_send_transport){.client = client,
                                   .url = library == NP_SEND_LIBEVENT ? np_xstrdup(to->url) : NULL,
                                   .connect_timeout_s = to->connect_timeout_s,
                                   .protocol = to->protocol,
                                   .compression = to->compression,
                                   .timeout_s = to->timeout_s,
                                   .answer.most = NP_SEND_MOST_ANSWER};
    for (size_t i = 0; i < to->headers.n; i++)
        np_strings_add(&transport->destination_headers, to->headers.item[i]);
    *out = transport;
    return 0;
}

int np_send_transport_open(const struct np_send_destination *to, struct np_send_transport **out,
                           struct np_error *err)
{
    if (np_send_http_libevent_can(to) &&
        np_send_transport_open_with(NP_SEND_LIBEVENT, to, out, NULL) == 0)
        return 0;
    return np_send_transport_open_with(NP_SEND_LIBCURL, to, out, err);
}

void np_send_transport_watch(struct np_send_transport *transport, struct np_send_hangup *hangup)
{
    transport->hangup = hangup;
}

void np_send_transport_freep(struct np_send_transport **address)
{
    struct np_send_transport *transport = *address;

    if (!transport)
        return;
    transport->client->close(transport->client);
    free(transport->url);
    np_strings_done(&transport->destination_headers);
    np_otlp_buffer_done(&transport->packed);
    np_otlp_buffer_done(&transport->answer);
    free(transport);
    *address = NULL;
}

/* The request. */

/* Make the body as it is transferred: compressed where the destination wants it, with gRPC's prefix
 * for gRPC. */
static int pack(struct np_send_transport *transport, const void *body, size_t n)
{
    struct np_otlp_buffer *out = &transport->packed;
    bool is_gzip = transport->compression == NP_SEND_GZIP;

    np_otlp_buffer_cut(out, 0);
    if (is_grpc(transport))
        np_otlp_buffer_add(out, (const char[GRPC_PREFIX]){is_gzip}, GRPC_PREFIX);
    if (is_gzip && np_send_gzip(body, n, out) < 0)
        return NP_ENOMEM;
    if (!is_gzip)
        np_otlp_buffer_add(out, body, n);
    if (out->failed)
        return NP_ENOMEM;
    size_t length = out->length - GRPC_PREFIX;
    for (int i = 0; is_grpc(transport) && i < 4; i++)
        out->bytes[1 + i] = (char)(length >> (24 - 8 * i));
    return 0;
}

/* gRPC allows eight digits. In ms these are 27 hours, which then stand for all longer timeouts. */
static void format_timeout(double timeout_s, char *header, size_t size)
{
    const double most_ms = 99999999;
    double timeout_ms = timeout_s * 1000;

    snprintf(header, size, "grpc-timeout: %.0fm", timeout_ms < most_ms ? timeout_ms : most_ms);
}

static void set_headers(const struct np_send_transport *transport, const char *batch_id,
                        double timeout_s, struct np_strings *list)
{
    static const char *const types[] = {[NP_OTLP_HTTP_PROTOBUF] = "application/x-protobuf",
                                        [NP_OTLP_HTTP_JSON] = "application/json",
                                        [NP_OTLP_GRPC] = "application/grpc"};
    char timeout[48];

    np_strings_give(list, np_xasprintf("Content-Type: %s", types[transport->protocol]));
    if (transport->compression == NP_SEND_GZIP)
        np_strings_add(list, is_grpc(transport) ? "grpc-encoding: gzip" : "Content-Encoding: gzip");
    if (is_grpc(transport)) {
        np_strings_add(list, "te: trailers");
        np_strings_add(list, "grpc-accept-encoding: identity,gzip");
        format_timeout(timeout_s, timeout, sizeof(timeout));
        np_strings_add(list, timeout);
    }
    if (batch_id)
        np_strings_give(list, np_xasprintf("x-neuro-batch-id: %s", batch_id));
    for (size_t i = 0; i < transport->destination_headers.n; i++)
        np_strings_add(list, transport->destination_headers.item[i]);
}

/* The exchange. */

bool np_send_is_canceled(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return fd >= 0 && poll(&poll_fd, 1, 0) > 0;
}

/* When an exchange ends, at its deadline or before: the other end may have hung up. */
static int64_t last_ns(const struct np_send_exchange *exchange)
{
    struct np_send_hangup *hangup = exchange->hangup;

    if (!hangup)
        return exchange->deadline_ns;
    struct pollfd poll_fd = {.fd = hangup->fd};
    if (hangup->at_ns == 0 && poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLHUP))
        hangup->at_ns = np_clock_mono_ns();
    if (hangup->at_ns == 0)
        return exchange->deadline_ns;
    int64_t over_ns = hangup->at_ns + (int64_t)(hangup->grace_s * 1e9);
    return over_ns < exchange->deadline_ns ? over_ns : exchange->deadline_ns;
}

int64_t np_send_left_ms(const struct np_send_exchange *exchange)
{
    return (last_ns(exchange) - np_clock_mono_ns()) / 1000000;
}

static void read_answer(const struct np_send_transport *transport,
                        const struct np_send_exchange *exchange, struct np_send_reply *reply)
{
    const struct np_send_answer answer = {
        .protocol = transport->protocol,
        .http_status = exchange->http_status,
        .headers = &exchange->headers_in,
        .body = exchange->body_in.bytes,
        .n_body = exchange->end == NP_SEND_END_WHOLE ? exchange->body_in.length : 0,
        .now_unix_ns = np_clock_unix_ns(),
    };

    np_send_answer_read(&answer, reply);
}

static void set_reply(const struct np_send_transport *transport,
                      const struct np_send_exchange *exchange, struct np_send_reply *reply)
{
    switch (exchange->end) {
    case NP_SEND_END_WHOLE:
    case NP_SEND_END_STATUS:
        read_answer(transport, exchange, reply);
        break;
    case NP_SEND_END_CANCELED:
        np_send_reply_set(reply, NP_SEND_CANCELED, "canceled");
        break;
    case NP_SEND_END_LATE:
        np_send_reply_set(reply, exchange->was_connected ? NP_SEND_RETRY : NP_SEND_UNREACHABLE,
                          exchange->was_connected ? "no answer in time" : "no connection in time");
        break;
    case NP_SEND_END_BROKEN:
        np_send_reply_set(reply, exchange->is_stale ? NP_SEND_RETRY : exchange->outcome, "%s",
                          exchange->is_stale ? "the server had closed the kept connection"
                                             : exchange->trouble);
        reply->is_stale = exchange->is_stale;
        break;
    }
    reply->may_be_stored = exchange->had_kept;
}

/* libevent does not understand this server, which may use more of HTTP (interim answers, extensions of
 * chunks): libcurl speaks to it from now on, where it is installed. */
static void change_to_libcurl(struct np_send_transport *transport)
{
    const struct np_send_destination to = {.url = transport->url,
                                           .protocol = transport->protocol,
                                           .connect_timeout_s = transport->connect_timeout_s};
    struct np_send_http_client *client = NULL;

    if (np_send_http_libcurl_open(&to, &client, NULL) < 0)
        return;
    transport->client->close(transport->client);
    transport->client = client;
    np_freep(&transport->url);
}

void np_send_transport_send(struct np_send_transport *transport, const void *body, size_t n_bytes,
                            const char *batch_id, int64_t deadline_ns, int cancel_fd,
                            struct np_send_reply *reply)
{
    int64_t now_ns = np_clock_mono_ns();
    double left_s = (double)(deadline_ns - now_ns) / 1e9;
    NP_AUTO(np_strings_done) struct np_strings headers = {0};

    if (transport->timeout_s > 0 && transport->timeout_s < left_s) {
        left_s = transport->timeout_s;
        deadline_ns = now_ns + (int64_t)(left_s * 1e9);
    }
    if (left_s <= 0) {
        np_send_reply_set(reply, NP_SEND_RETRY, "no time was left to send");
        return;
    }
    if (np_send_is_canceled(cancel_fd)) { /* without its answer, a request is sent again */
        np_send_reply_set(reply, NP_SEND_CANCELED, "canceled");
        return;
    }
    if (pack(transport, body, n_bytes) < 0) {
        np_send_reply_set(reply, NP_SEND_RETRY, "no memory to send");
        return;
    }
    set_headers(transport, batch_id, left_s, &headers);
    np_otlp_buffer_cut(&transport->answer, 0);
    struct np_send_exchange exchange = {.headers = &headers,
                                        .body = &transport->packed,
                                        .n_bytes = n_bytes,
                                        .deadline_ns = deadline_ns,
                                        .cancel_fd = cancel_fd,
                                        .hangup = transport->hangup,
                                        .body_in = transport->answer};
    transport->client->exchange(transport->client, &exchange);
    transport->answer = exchange.body_in;
    set_reply(transport, &exchange, reply);
    if (exchange.is_unreadable && transport->url)
        change_to_libcurl(transport);
}
