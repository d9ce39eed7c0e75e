/*
 * libevent's evhttp, asked for little: it makes the connection, writes the request and reads the
 * answer. Its own retries are off; time is kept here. One event base serves all clients, and clients
 * of one address share a connection.
 *
 * evhttp has one callback for headers, one for each part of the body, one for an error and one for
 * the end. A callback writes its findings to the exchange; `run` looks at them after each step of
 * the event loop. A request is canceled only outside of callbacks.
 */
#include "send/http_libevent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "send/destination.h"
#include "send/gzip.h"
#include "send/libevent.h"

enum { MOST_HEADERS = 300 << 10 }; /* bytes of an answer's headers; libcurl has the same limit */

/* A connection that is kept for the next request to its address. */
struct connection {
    struct connection *next;
    char *address; /* without brackets */
    int port;
    int n_users;
    struct evhttp_connection *http;
    bool is_open;       /* it has had an answer, and neither end has closed it since */
    bool was_connected; /* the head of the current request could be written */
};

struct client {
    struct np_send_http_client base;
    const struct np_libevent *lib;
    char *host, *target; /* of the Host header; path and query */
    struct connection *connection[2];
    int n_connections; /* addresses to try in turn: "localhost" has two */
    double connect_timeout_s;

    /* The current request. */
    struct np_send_exchange *now;
    struct connection *at;
    struct evhttp_request *request; /* NULL = it is over */
    bool is_gzip;                   /* the answer's body */
    bool is_whole, is_too_long;
    bool is_nonsense; /* a head or a chunk that evhttp does not understand */
};

static struct {
    struct event_base *base;
    struct connection *connections;
    int n_users;
} shared;

/* Connections. */

static void on_close(struct evhttp_connection *http, void *self)
{
    struct connection *connection = self;

    (void)http;
    connection->is_open = false;
}

/* evhttp writes the head of a request as soon as there is a connection. */
static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *self)
{
    struct connection *connection = self;

    (void)output;
    connection->was_connected = connection->was_connected || info->n_added > 0;
}

static bool open_connection(const struct np_libevent *lib, struct connection *connection)
{
    struct evhttp_connection *http = lib->evhttp_connection_base_new(
        shared.base, NULL, connection->address, (uint16_t)connection->port);

    if (!http)
        return false;
    connection->http = http;
    lib->evhttp_connection_set_retries(http, 0);
    lib->evhttp_connection_set_max_headers_size(http, MOST_HEADERS);
    lib->evhttp_connection_set_closecb(http, on_close, connection);
    /* A server may refuse a large request before it has read all of it. */
    lib->evhttp_connection_set_flags(http, EVHTTP_CON_READ_ON_WRITE_ERROR);
    struct bufferevent *stream = lib->evhttp_connection_get_bufferevent(http);
    return lib->evbuffer_add_cb(lib->bufferevent_get_output(stream), on_output, connection);
}

static void free_connection(const struct np_libevent *lib, struct connection *connection)
{
    if (connection->http)
        lib->evhttp_connection_free(connection->http);
    free(connection->address);
    free(connection);
}

/* The connection to an address, of `n` bytes; NULL without memory. */
static struct connection *join_connection(const struct np_libevent *lib, const char *address,
                                          size_t n, int port)
{
    for (struct connection *one = shared.connections; one; one = one->next)
        if (one->port == port && strlen(one->address) == n &&
            memcmp(one->address, address, n) == 0) {
            one->n_users++;
            return one;
        }
    struct connection *made = np_xcalloc(1, sizeof(*made));
    *made = (struct connection){
        .next = shared.connections, .address = np_xstrndup(address, n), .port = port, .n_users = 1};
    if (!open_connection(lib, made)) {
        free_connection(lib, made);
        return NULL;
    }
    return shared.connections = made;
}

static void leave_connection(const struct np_libevent *lib, struct connection *connection)
{
    struct connection **link = &shared.connections;

    if (--connection->n_users > 0)
        return;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    free_connection(lib, connection);
}

/* A base that takes no locks, since one thread uses it, and reads no environment variables. */
static bool join_shared(const struct np_libevent *lib)
{
    struct event_config *config = shared.base ? NULL : lib->event_config_new();

    if (config) {
        lib->event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
        shared.base = lib->event_base_new_with_config(config);
        lib->event_config_free(config);
    }
    shared.n_users += shared.base != NULL;
    return shared.base;
}

static void leave_shared(const struct np_libevent *lib)
{
    if (--shared.n_users > 0)
        return;
    lib->event_base_free(shared.base);
    shared.base = NULL;
}

/* Opening. */

/* An address in numbers, so that libevent asks no name server, which would block it. */
static bool is_address(const char *host)
{
    return strcmp(host, "localhost") == 0 || *host == '[' ||
           strspn(host, "0123456789.") == strlen(host);
}

bool np_send_http_libevent_can(const struct np_send_destination *to)
{
    NP_AUTO(np_send_url_done) struct np_send_url url = {0};

    if (to->protocol == NP_OTLP_GRPC || to->proxy || to->user || !to->url ||
        !np_send_url_parse(to->url, &url))
        return false;
    /* libcurl takes "/./" and "/../" out of a path. */
    return url.scheme && strcmp(url.scheme, "http") == 0 && url.port && is_address(url.host) &&
           !strstr(url.path, "/.");
}

static bool join_connections(struct client *client, const struct np_send_url *url)
{
    static const char *const of_localhost[] = {"127.0.0.1", "::1"};
    bool is_name = strcmp(url->host, "localhost") == 0;
    size_t n = strlen(url->host);

    for (int i = 0; i < (is_name ? 2 : 1); i++) {
        struct connection *joined =
            is_name
                ? join_connection(client->lib, of_localhost[i], strlen(of_localhost[i]), url->port)
            : *url->host == '[' ? join_connection(client->lib, url->host + 1, n - 2, url->port)
                                : join_connection(client->lib, url->host, n, url->port);
        if (!joined)
            return false;
        client->connection[client->n_connections++] = joined;
    }
    return true;
}

static void close_client(struct np_send_http_client *base)
{
    struct client *client = (void *)base;

    for (int i = 0; i < client->n_connections; i++)
        leave_connection(client->lib, client->connection[i]);
    leave_shared(client->lib);
    free(client->host);
    free(client->target);
    free(client);
}

/* Callbacks. */

static void keep_header(struct client *client, const char *name, const char *value)
{
    NP_AUTO(np_freep) char *line = np_xasprintf("%s: %s", name, value);

    np_send_answer_header(&client->now->headers_in, line, strlen(line));
    if (strcasecmp(name, "content-encoding") == 0)
        client->is_gzip = strcasecmp(value, "gzip") == 0 || strcasecmp(value, "x-gzip") == 0;
}

/* Other statuses below 200 than 100, and what is no status, end the request: evhttp cannot read on
 * after them. */
static int on_headers(struct evhttp_request *request, void *self)
{
    struct client *client = self;
    struct evkeyvalq *headers = client->lib->evhttp_request_get_input_headers(request);
    int status = client->lib->evhttp_request_get_response_code(request);

    if (status == 100) { /* the headers of the answer itself come later */
        client->lib->evhttp_clear_headers(headers);
        return 0;
    }
    if (status < 200 || status > 999) {
        client->now->is_unreadable = true;
        return -1;
    }
    client->now->http_status = status;
    client->at->is_open = true; /* on_close comes before on_end */
    for (const struct evkeyval *one = headers->tqh_first; one; one = one->next.tqe_next)
        keep_header(client, one->key, one->value);
    return 0;
}

static void on_part(struct evhttp_request *request, void *self)
{
    struct client *client = self;
    struct evbuffer *input = client->lib->evhttp_request_get_input_buffer(request);
    char part[4096];
    int n;

    while ((n = client->lib->evbuffer_remove(input, part, sizeof(part))) > 0)
        np_otlp_buffer_add(&client->now->body_in, part, (size_t)n);
    client->is_too_long = client->now->body_in.failed != 0;
}

static void on_error(enum evhttp_request_error error, void *self)
{
    struct client *client = self;

    client->request = NULL;
    client->is_nonsense = error == EVREQ_HTTP_INVALID_HEADER || error == EVREQ_HTTP_DATA_TOO_LONG;
    client->now->is_unreadable = client->now->is_unreadable || client->is_nonsense;
}

/* The end, by whatever. `request` is NULL after an error, and without a status when no connection
 * could be made. */
static void on_end(struct evhttp_request *request, void *self)
{
    struct client *client = self;

    client->request = NULL;
    client->is_whole = request && client->lib->evhttp_request_get_response_code(request) != 0 &&
                       client->now->http_status != 0;
}

static void wake(evutil_socket_t fd, short what, void *self)
{
    (void)fd;
    (void)what;
    (void)self;
}

/* The exchange. */

static bool has_header(const struct np_strings *headers, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < headers->n; i++)
        if (strncasecmp(headers->item[i], name, n) == 0 && headers->item[i][n] == ':')
            return true;
    return false;
}

/* As libcurl does, leave out a header without a value, and none of the usual ones if the settings
 * have it. */
static bool set_headers(const struct client *client)
{
    const struct np_strings *given = client->now->headers;
    struct evkeyvalq *headers = client->lib->evhttp_request_get_output_headers(client->request);
    const char *const usual[][2] = {{"Host", client->host},
                                    {"User-Agent", NP_SEND_USER_AGENT},
                                    {"Accept", "*/*"},
                                    {"Accept-Encoding", "gzip"}};
    bool is_whole = true;

    for (size_t i = 0; i < NP_COUNT(usual); i++)
        if (!has_header(given, usual[i][0]))
            is_whole =
                is_whole && client->lib->evhttp_add_header(headers, usual[i][0], usual[i][1]) == 0;
    for (size_t i = 0; i < given->n; i++) {
        const char *value = strchr(given->item[i], ':') + 1;
        NP_AUTO(np_freep)
        char *name = np_xstrndup(given->item[i], (size_t)(value - 1 - given->item[i]));
        value += strspn(value, " \t");
        if (*value)
            is_whole = is_whole && client->lib->evhttp_add_header(headers, name, value) == 0;
    }
    return is_whole;
}

/* Begin the request on a connection; false without memory. */
static bool begin(struct client *client, struct connection *connection)
{
    const struct np_libevent *lib = client->lib;
    const struct np_otlp_buffer *body = client->now->body;
    /* Longer than all that is waited for: the event loop ends before. */
    const struct timeval long_s = {.tv_sec = 2 + np_send_left_ms(client->now) / 1000};

    client->is_whole = client->is_nonsense = client->is_too_long = client->is_gzip = false;
    client->now->http_status = 0;
    client->at = connection;
    connection->was_connected = connection->is_open;
    client->request = lib->evhttp_request_new(on_end, client);
    if (!client->request)
        return false;
    struct evhttp_request *request = client->request;
    if (!set_headers(client) || lib->evbuffer_add(lib->evhttp_request_get_output_buffer(request),
                                                  body->bytes, body->length) != 0) {
        lib->evhttp_request_free(request);
        client->request = NULL;
        return false;
    }
    lib->evhttp_request_set_header_cb(request, on_headers);
    lib->evhttp_request_set_chunked_cb(request, on_part);
    lib->evhttp_request_set_error_cb(request, on_error);
    lib->evhttp_connection_set_timeout_tv(connection->http, &long_s);
    /* The callbacks may run during this call: a port of this host refuses at once. */
    if (lib->evhttp_make_request(connection->http, request, EVHTTP_REQ_POST, client->target) == 0)
        return true;
    client->request = NULL; /* no memory: evhttp has freed it or lost it */
    return false;
}

/* One step of the event loop, of `wait_ms` at most. */
static void step(const struct client *client, int64_t wait_ms)
{
    const struct np_libevent *lib = client->lib;
    struct event *cancel = NULL, *timer = lib->event_new(shared.base, -1, 0, wake, NULL);
    int fd = client->now->cancel_fd;

    if (fd >= 0)
        cancel = lib->event_new(shared.base, fd, EV_READ, wake, NULL);
    if (cancel)
        lib->event_add(cancel, NULL);
    const struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
    if (timer && lib->event_add(timer, &wait) == 0)
        lib->event_base_loop(shared.base, EVLOOP_ONCE);
    if (timer)
        lib->event_free(timer);
    if (cancel)
        lib->event_free(cancel);
}

/* True when the server has closed its side and all that it sent has been taken from the socket. With
 * READ_ON_WRITE_ERROR, evhttp waits for more when an answer breaks off. */
static bool has_hung_up(const struct client *client, const struct connection *connection)
{
    struct bufferevent *stream = client->lib->evhttp_connection_get_bufferevent(connection->http);
    int fd = client->lib->bufferevent_getfd(stream);
    char byte;

    return connection->was_connected && fd >= 0 &&
           client->lib->evbuffer_get_length(client->lib->bufferevent_get_output(stream)) == 0 &&
           recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* A part of an answer that evhttp holds back, as a chunk without its end, counts as too long, too. */
static bool holds_too_much(const struct client *client, const struct connection *connection)
{
    struct bufferevent *stream = client->lib->evhttp_connection_get_bufferevent(connection->http);

    return client->is_too_long ||
           client->lib->evbuffer_get_length(client->lib->bufferevent_get_input(stream)) >
               NP_SEND_MOST_ANSWER;
}

/* Run the request until it ends, the deadline passes or the caller cancels: NP_SEND_END_WHOLE, _LATE,
 * _CANCELED; _STATUS when the answer is too long. `connect_ns` is when a connection must stand. */
static enum np_send_end run(struct client *client, struct connection *connection,
                            int64_t connect_ns)
{
    int n_hung_up = 0;

    while (client->request) {
        int64_t left_ms = np_send_left_ms(client->now);
        int64_t connect_ms = (connect_ns - np_clock_mono_ns()) / 1000000;
        if (np_send_is_canceled(client->now->cancel_fd))
            return NP_SEND_END_CANCELED;
        if (!connection->was_connected && connect_ms < left_ms)
            left_ms = connect_ms;
        if (left_ms <= 0)
            return NP_SEND_END_LATE;
        bool hung_up = has_hung_up(client, connection);
        n_hung_up = hung_up ? n_hung_up + 1 : 0;
        if (n_hung_up > 3)
            return NP_SEND_END_WHOLE;
        int64_t most_ms = hung_up ? 1 : NP_SEND_LONGEST_WAIT_MS;
        step(client, left_ms < most_ms ? left_ms : most_ms);
        if (client->request && holds_too_much(client, connection)) {
            client->is_too_long = true;
            return NP_SEND_END_STATUS;
        }
    }
    return NP_SEND_END_WHOLE;
}

/* Inflate the body; a body that cannot be inflated is not used. */
static enum np_send_end unpack(const struct client *client)
{
    struct np_otlp_buffer *body = &client->now->body_in;
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer plain = {.most = NP_SEND_MOST_ANSWER};

    if (!client->is_gzip || body->length == 0)
        return NP_SEND_END_WHOLE;
    if (!np_send_gunzip(body->bytes, body->length, &plain))
        return NP_SEND_END_STATUS;
    np_otlp_buffer_cut(body, 0);
    np_otlp_buffer_add(body, plain.bytes, plain.length);
    return body->failed ? NP_SEND_END_STATUS : NP_SEND_END_WHOLE;
}

/* Say what became of a request that has no answer. */
static void set_broken(struct client *client, const struct connection *connection, bool was_open)
{
    struct np_send_exchange *now = client->now;
    const char *what = now->is_unreadable      ? "the answer is not one of HTTP/1.1"
                       : now->http_status != 0 ? "the connection ended before the answer did"
                                               : "the connection ended without an answer";

    now->end = NP_SEND_END_BROKEN;
    now->is_stale = was_open && now->http_status == 0 && !now->is_unreadable;
    now->outcome = !connection->was_connected                     ? NP_SEND_UNREACHABLE
                   : client->is_nonsense && now->http_status == 0 ? NP_SEND_UNREACHABLE
                                                                  : NP_SEND_RETRY;
    if (connection->was_connected)
        snprintf(now->trouble, sizeof(now->trouble), "%s", what);
    else
        snprintf(now->trouble, sizeof(now->trouble),
                 "Failed to connect to %.128s port %d: Couldn't connect to server",
                 connection->address, connection->port);
    now->http_status = 0;
}

static void attempt(struct client *client, struct connection *connection, int64_t connect_ns)
{
    struct np_send_exchange *now = client->now;
    bool was_open = connection->is_open;

    now->end = NP_SEND_END_WHOLE;
    if (begin(client, connection))
        now->end = run(client, connection, connect_ns);
    if (client->request) /* it goes on, or has no place in the loop */
        client->lib->evhttp_cancel_request(client->request);
    client->request = NULL;
    now->was_connected = connection->was_connected;
    if (client->is_too_long && now->http_status)
        now->end = NP_SEND_END_STATUS;
    else if (now->end == NP_SEND_END_WHOLE && client->is_whole)
        now->end = unpack(client);
    else if (now->end == NP_SEND_END_WHOLE || client->is_too_long)
        set_broken(client, connection, was_open);
    connection->is_open = client->is_whole && connection->is_open;
}

/* When a connection must stand: as the settings say, and of two addresses the first has half of the
 * time. */
static int64_t connect_until_ns(const struct client *client, int n_left)
{
    int64_t left_ns = np_send_left_ms(client->now) * 1000000;
    double settings_ns = client->connect_timeout_s * 1e9;

    if (settings_ns > 0 && settings_ns < (double)left_ns)
        left_ns = (int64_t)settings_ns;
    return np_clock_mono_ns() + left_ns / n_left;
}

static void try_connections(struct client *client)
{
    struct np_send_exchange *now = client->now;

    for (int i = 0; i < client->n_connections; i++)
        now->had_kept = now->had_kept || client->connection[i]->is_open;
    /* Connections that the server has closed are noticed in the loop. */
    client->lib->event_base_loop(shared.base, EVLOOP_NONBLOCK);
    for (int i = 0; i < client->n_connections; i++) {
        int k = client->n_connections > 1 && client->connection[1]->is_open ? 1 - i : i;
        struct connection *connection = client->connection[k];
        attempt(client, connection, connect_until_ns(client, client->n_connections - i));
        if (now->was_connected || now->end == NP_SEND_END_CANCELED || np_send_left_ms(now) <= 0)
            return;
    }
}

/* libevent writes in a way that raises SIGPIPE when the server has closed the connection: block it,
 * and take it away if it came. */
static void exchange(struct np_send_http_client *base, struct np_send_exchange *now)
{
    struct client *client = (void *)base;
    const struct timespec no_time = {0};
    sigset_t pipe_only, before, pending;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    client->now = now;
    try_connections(client);
    if (!was_pending)
        sigtimedwait(&pipe_only, NULL, &no_time);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int np_send_http_libevent_open(const struct np_send_destination *to,
                               struct np_send_http_client **out, struct np_error *err)
{
    const struct np_libevent *lib = np_libevent_load(err);
    NP_AUTO(np_send_url_done) struct np_send_url url = {0};

    if (!lib)
        return NP_ENOINPUT;
    if (!np_send_url_parse(to->url, &url) || !join_shared(lib))
        return np_error_set(err, NP_ENOMEM, "no memory to send telemetry");
    struct client *client = np_xcalloc(1, sizeof(*client));
    *client = (struct client){.base = {.exchange = exchange, .close = close_client},
                              .lib = lib,
                              .host = url.port == 80 ? np_xstrdup(url.host)
                                                     : np_xasprintf("%s:%d", url.host, url.port),
                              .target = np_xasprintf("%s%s", *url.path ? url.path : "/", url.query),
                              .connect_timeout_s = to->connect_timeout_s};
    if (!join_connections(client, &url)) {
        close_client(&client->base);
        return np_error_set(err, NP_ENOMEM, "no memory to send telemetry");
    }
    *out = &client->base;
    return 0;
}
