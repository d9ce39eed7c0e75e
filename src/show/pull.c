/*
 * The supervisor and the page server share two things:
 *   - a socket pair: the page server first sends whether it listens, and where; then the number of
 *     each question. The supervisor answers with the same number and the length of the page;
 *   - a piece of shared memory, which holds the page.
 * The page server is one loop over all its clients, so none of them waits for another. A client has
 * CLIENT_MS for its request, and as long for its answer. When there are too many, the one that has
 * been silent for the longest time has to go.
 */
#include "show/pull.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/str.h"
#include "otlp/buffer.h"

enum { MOST_REQUEST = 8192, CLIENT_MS = 2000, ANSWER_MS = 5000, BACKLOG = 128, MOST_CLIENTS = 64 };

struct np_show_pull {
    struct np_child server; /* its channel carries questions and answers */
    int page;               /* shared memory */
    int port;
};

/* The first message of the page server. */
struct ready {
    int code; /* 0 = it listens at `port` */
    int port;
    char text[sizeof(((struct np_error *)NULL)->text)];
};

struct answer {
    uint32_t number; /* of the question */
    uint32_t is_good;
    uint64_t n_bytes;
};

/* The page server. */

struct client {
    int fd;
    int64_t until_ns;  /* it is served no longer */
    uint32_t question; /* it waits for the answer to this one; 0 = for none */
    bool wants_body;   /* GET and not HEAD */
    char head[MOST_REQUEST + 1];
    size_t n_head;
    struct np_otlp_buffer out; /* empty = its request is not complete */
    size_t n_sent;
};

struct server {
    const char *host;
    int wanted_port;
    int listener, channel, page;
    uint32_t n_asked, n_answered; /* questions */
    int64_t answer_until_ns;      /* when the last question counts as not answered */
    struct client *client[MOST_CLIENTS];
    size_t n_clients;
};

static int64_t after_ms(int ms)
{
    return np_clock_mono_ns() + INT64_C(1000000) * ms;
}

static void drop_client(struct server *server, size_t i)
{
    struct client *client = server->client[i];

    shutdown(client->fd, SHUT_WR);
    close(client->fd);
    np_otlp_buffer_done(&client->out);
    free(client);
    server->client[i] = server->client[--server->n_clients];
}

/* Answers. */

static void begin_answer(struct client *client, const char *status, const char *type,
                         uint64_t n_bytes)
{
    char head[256];

    snprintf(head, sizeof(head),
             "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %llu\r\n"
             "Connection: close\r\n\r\n",
             status, type, (unsigned long long)n_bytes);
    client->question = 0;
    client->until_ns = after_ms(CLIENT_MS);
    np_otlp_buffer_text(&client->out, head);
}

static void refuse(struct client *client, const char *status)
{
    begin_answer(client, status, "text/plain; charset=utf-8", strlen(status) + 1);
    np_otlp_buffer_text(&client->out, status);
    np_otlp_buffer_text(&client->out, "\n");
}

/* Each client has a copy: the page changes with the next question. */
static void answer_page(const struct server *server, struct client *client, uint64_t n_bytes)
{
    static const char type[] = "text/plain; version=0.0.4; charset=utf-8";
    char part[4096];
    uint64_t at = 0;

    begin_answer(client, "200 OK", type, n_bytes);
    while (client->wants_body && at < n_bytes) {
        size_t n = n_bytes - at < sizeof(part) ? (size_t)(n_bytes - at) : sizeof(part);
        ssize_t got = pread(server->page, part, n, (off_t)at);
        if (got <= 0)
            return;
        np_otlp_buffer_add(&client->out, part, (size_t)got);
        at += (uint64_t)got;
    }
}

/* Questions. */

/* Ask the supervisor for a page when a client waits for one and no question is open. */
static void ask(struct server *server)
{
    bool is_wanted = false;

    for (size_t i = 0; i < server->n_clients; i++)
        is_wanted = is_wanted || server->client[i]->question > server->n_asked;
    if (!is_wanted || server->n_asked != server->n_answered)
        return;
    const uint32_t number = server->n_asked + 1;
    if (send(server->channel, &number, sizeof(number), MSG_NOSIGNAL) != sizeof(number))
        return; /* asked again before long, or too late for the clients */
    server->n_asked = number;
    server->answer_until_ns = after_ms(ANSWER_MS);
}

/* Give the clients that waited for it the page, or (`page` NULL) an error. */
static void settle_question(struct server *server, const struct answer *page)
{
    server->n_answered = server->n_asked;
    for (size_t i = 0; i < server->n_clients; i++) {
        struct client *client = server->client[i];
        if (client->question == 0 || client->question > server->n_answered)
            continue;
        if (page && page->is_good)
            answer_page(server, client, page->n_bytes);
        else
            refuse(client, "503 Service Unavailable");
    }
}

/* Read the supervisor's answers. False when it has gone. */
static bool read_answers(struct server *server)
{
    struct answer answer;
    ssize_t n;

    while ((n = recv(server->channel, &answer, sizeof(answer), MSG_DONTWAIT)) > 0)
        if (n == sizeof(answer) && answer.number == server->n_asked &&
            server->n_answered != server->n_asked)
            settle_question(server, &answer);
    return n < 0;
}

/* Requests. */

/* True for "/metrics HTTP/1.1", with or without a query. */
static bool is_metrics(const char *target)
{
    static const char path[] = "/metrics";
    size_t n = strcspn(target, " ?\r\n");

    return n == sizeof(path) - 1 && memcmp(target, path, n) == 0;
}

static void take_request(struct server *server, struct client *client)
{
    bool is_get = np_starts_with(client->head, "GET ");
    bool is_head = np_starts_with(client->head, "HEAD ");

    if (!is_get && !is_head) {
        refuse(client, "405 Method Not Allowed");
        return;
    }
    if (!is_metrics(client->head + (is_get ? 4 : 5))) {
        refuse(client, "404 Not Found: try /metrics");
        return;
    }
    client->wants_body = is_get;
    /* Of an open question the answer may be of a time before this request. */
    client->question = server->n_asked + 1;
    client->until_ns = after_ms(2 * ANSWER_MS);
}

/* Read more of a request's head. False when the client is gone. */
static bool read_client(struct server *server, struct client *client)
{
    ssize_t n = recv(client->fd, client->head + client->n_head, MOST_REQUEST - client->n_head,
                     MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    client->n_head += (size_t)n;
    client->head[client->n_head] = '\0';
    if (strstr(client->head, "\r\n\r\n") || strstr(client->head, "\n\n"))
        take_request(server, client);
    else if (client->n_head == MOST_REQUEST)
        refuse(client, "400 Bad Request");
    return true;
}

/* False when all is sent, or the client is gone. */
static bool write_client(struct client *client)
{
    size_t n = client->out.length - client->n_sent;

    if (client->out.failed) /* no memory for the page */
        return false;
    ssize_t sent =
        send(client->fd, client->out.bytes + client->n_sent, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    client->n_sent += (size_t)sent;
    return client->n_sent < client->out.length;
}

static bool is_reading(const struct client *client)
{
    return client->question == 0 && client->out.length == 0 && !client->out.failed;
}

/* Make room for a client: drop the one that has been silent for the longest time. False when all
 * have asked for something. */
static bool make_room(struct server *server)
{
    size_t oldest = server->n_clients;

    if (server->n_clients < MOST_CLIENTS)
        return true;
    for (size_t i = 0; i < server->n_clients; i++)
        if (is_reading(server->client[i]) &&
            (oldest == server->n_clients ||
             server->client[i]->until_ns < server->client[oldest]->until_ns))
            oldest = i;
    if (oldest == server->n_clients)
        return false;
    drop_client(server, oldest);
    return true;
}

/* Take all clients that wait to be accepted. False when the server cannot listen any more. */
static bool accept_clients(struct server *server)
{
    while (make_room(server)) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0) {
            bool is_short = errno != EAGAIN; /* of descriptors or memory: try again later */
            if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK)
                return false;
            if (is_short)
                poll(NULL, 0, 100);
            return true;
        }
        struct client *client = np_xcalloc(1, sizeof(*client));
        client->fd = fd;
        client->until_ns = after_ms(CLIENT_MS);
        server->client[server->n_clients++] = client;
    }
    return true;
}

/* The loop. */

enum { LISTENER, CHANNEL, N_OWN };

/* Wait until something happens or the time of a client or of a question is over. */
static void wait_for_events(struct server *server, struct pollfd fds[N_OWN + MOST_CLIENTS])
{
    int64_t until_ns = after_ms(60000);

    fds[LISTENER] = (struct pollfd){.fd = server->listener, .events = POLLIN};
    fds[CHANNEL] = (struct pollfd){.fd = server->channel, .events = POLLIN};
    for (size_t i = 0; i < server->n_clients; i++) {
        const struct client *client = server->client[i];
        short events = is_reading(client) ? POLLIN : client->question ? 0 : POLLOUT;
        fds[N_OWN + i] = (struct pollfd){.fd = client->fd, .events = events};
        if (client->until_ns < until_ns)
            until_ns = client->until_ns;
    }
    if (server->n_asked != server->n_answered && server->answer_until_ns < until_ns)
        until_ns = server->answer_until_ns;
    int64_t left_ms = (until_ns - np_clock_mono_ns()) / 1000000 + 1;
    if (poll(fds, N_OWN + server->n_clients, left_ms > 0 ? (int)left_ms : 0) < 0)
        memset(fds, 0, sizeof(*fds) * (N_OWN + server->n_clients));
}

static void serve_client(struct server *server, size_t i, short events)
{
    struct client *client = server->client[i];
    bool is_served = !(events & (POLLERR | POLLNVAL | POLLHUP));

    if (is_served && is_reading(client) && events)
        is_served = read_client(server, client);
    if (is_served && client->question == 0 && !is_reading(client))
        is_served = write_client(client);
    if (is_served && np_clock_mono_ns() >= client->until_ns) {
        if (is_reading(client)) { /* answer, when that needs no waiting */
            refuse(client, "400 Bad Request");
            write_client(client);
        }
        is_served = false;
    }
    if (!is_served)
        drop_client(server, i);
}

/* Serve until the supervisor ends or the server cannot listen any more. */
static void serve(struct server *server)
{
    for (;;) {
        struct pollfd fds[N_OWN + MOST_CLIENTS];
        wait_for_events(server, fds);
        if (fds[CHANNEL].revents && !read_answers(server))
            return;
        if (server->n_asked != server->n_answered && np_clock_mono_ns() >= server->answer_until_ns)
            settle_question(server, NULL);
        for (size_t i = server->n_clients; i-- > 0;) /* dropping moves the last one only */
            serve_client(server, i, fds[N_OWN + i].revents);
        if (!accept_clients(server))
            return;
        ask(server);
    }
}

static int listen_at(const char *host, int port, int *listener, struct np_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char service[16];
    int reason = EADDRNOTAVAIL, fd = -1;

    snprintf(service, sizeof(service), "%d", port);
    int answer = getaddrinfo(host, service, &hints, &found);
    if (answer != 0)
        return np_error_set(err, NP_EUSAGE, "'%s': cannot offer metrics there: %s", host,
                            gai_strerror(answer));
    for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
        const int on = 1;
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
        if (fd >= 0)
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (fd >= 0 && bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
            break;
        reason = errno;
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd < 0)
        return np_error_errno(err, reason, NP_EBUSY, "%s:%d: cannot offer metrics there", host,
                              port);
    *listener = fd;
    return 0;
}

static int port_of(int listener)
{
    struct sockaddr_storage address = {0};
    socklen_t n = sizeof(address);
    char service[16] = "0";

    if (getsockname(listener, (struct sockaddr *)&address, &n) == 0)
        getnameinfo((struct sockaddr *)&address, n, NULL, 0, service, sizeof(service),
                    NI_NUMERICSERV);
    return atoi(service);
}

/* The work of the page server's process. A name server may be silent, so that this process looks
 * the host up and not the supervisor. Returns its exit status. */
static int run_server(void *context, int channel)
{
    struct server *server = context;
    struct ready ready = {0};
    struct np_error err = {0};

    server->channel = channel;
    ready.code = listen_at(server->host, server->wanted_port, &server->listener, &err);
    if (ready.code == 0)
        ready.port = port_of(server->listener);
    memcpy(ready.text, err.text, sizeof(ready.text));
    if (send(channel, &ready, sizeof(ready), MSG_NOSIGNAL) != sizeof(ready) || ready.code < 0)
        return EXIT_FAILURE;
    serve(server);
    return EXIT_FAILURE;
}

/* The supervisor's side. */

static int start_server(struct server *server, struct np_child *child, struct np_error *err)
{
    const struct np_child_options options = {.name = "np-metrics",
                                             .channel = NP_CHILD_PACKETS,
                                             .signals = NP_CHILD_IGNORES_STOP_SIGNALS,
                                             .death_signal = SIGKILL,
                                             .is_silent = true,
                                             .kept = &server->page,
                                             .n_kept = 1,
                                             .run = run_server,
                                             .context = server};

    return np_child_start(&options, child, err);
}

/* Wait until the page server listens. */
static int await_server(const struct np_child *child, const char *host, double deadline_s,
                        int *port, struct np_error *err)
{
    struct pollfd fd = {.fd = child->fd, .events = POLLIN};
    int64_t until_ns = np_clock_mono_ns() + (int64_t)(deadline_s * 1e9), left_ms;
    struct ready ready;

    while ((left_ms = (until_ns - np_clock_mono_ns()) / 1000000) > 0) {
        if (poll(&fd, 1, left_ms < 1000 ? (int)left_ms + 1 : 1000) <= 0)
            continue;
        if (recv(child->fd, &ready, sizeof(ready), 0) != (ssize_t)sizeof(ready))
            return np_error_set(err, NP_EBUSY, "'%s': cannot offer metrics there", host);
        *port = ready.port;
        ready.text[sizeof(ready.text) - 1] = '\0';
        return ready.code < 0 ? np_error_set(err, ready.code, "%s", ready.text) : 0;
    }
    return np_error_set(err, NP_EUSAGE,
                        "'%s': cannot offer metrics there: no name server answered within %g s",
                        host, deadline_s);
}

int np_show_pull_start(const char *host, int port, double deadline_s, struct np_show_pull **pull,
                       struct np_error *err)
{
    struct server server = {.host = host, .wanted_port = port, .listener = -1};
    struct np_child child = {.fd = -1};
    int bound_port = 0;

    server.page = memfd_create("metrics", MFD_CLOEXEC);
    if (server.page < 0)
        return np_error_errno(err, errno, NP_EBUSY, "no shared memory for metrics");
    int code = start_server(&server, &child, err);
    if (code == 0)
        code = await_server(&child, host, deadline_s, &bound_port, err);
    if (code < 0) {
        np_child_stop(&child, SIGKILL, 1, NULL);
        close(server.page);
        return code;
    }
    struct np_show_pull *made = np_xmalloc(sizeof(*made));
    *made = (struct np_show_pull){.server = child, .page = server.page, .port = bound_port};
    *pull = made;
    return 0;
}

int np_show_pull_port(const struct np_show_pull *pull)
{
    return pull->port;
}

int np_show_pull_fd(const struct np_show_pull *pull)
{
    return pull->server.fd;
}

void np_show_pull_answer(struct np_show_pull *pull, const char *text, size_t n_bytes)
{
    struct answer answer = {.n_bytes = n_bytes};
    uint32_t number;

    /* Only the last question counts: the page server no longer waits for earlier answers. */
    while (recv(pull->server.fd, &number, sizeof(number), 0) == (ssize_t)sizeof(number))
        answer.number = number;
    if (answer.number == 0)
        return;
    answer.is_good =
        ftruncate(pull->page, 0) == 0 && pwrite(pull->page, text, n_bytes, 0) == (ssize_t)n_bytes;
    ssize_t sent = send(pull->server.fd, &answer, sizeof(answer), MSG_NOSIGNAL);
    (void)sent; /* without an answer the page server sends its client an error */
}

void np_show_pull_stop(struct np_show_pull **address)
{
    struct np_show_pull *pull = *address;

    if (!pull)
        return;
    np_child_stop(&pull->server, SIGKILL, 1, NULL);
    close(pull->page);
    np_freep(address);
}
