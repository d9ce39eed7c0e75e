/*
 * The supervisor and the page server share two things:
 *   - a socket pair: the page server sends the number of its question, the supervisor answers with
 *     the same number and the length of the page;
 *   - a piece of shared memory, which holds the page.
 * The page server serves one client at a time, for at most two seconds.
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
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/str.h"

enum { MOST_REQUEST = 8192, CLIENT_MS = 2000, ANSWER_MS = 5000, BACKLOG = 16 };

struct np_show_pull {
    struct np_child server; /* its channel carries questions and answers */
    int page;               /* shared memory */
    int port;
};

struct answer {
    uint32_t number; /* of the question */
    uint32_t is_good;
    uint64_t n_bytes;
};

/* The page server. */

struct server {
    int listener, channel, page;
    uint32_t n_asked;
};

/* True when one of `events` has come before `until_ns`. */
static bool wait_for(int fd, short events, int64_t until_ns)
{
    for (;;) {
        int64_t left_ms = (until_ns - np_clock_mono_ns()) / 1000000;
        struct pollfd one = {.fd = fd, .events = events};
        int n = left_ms > 0 ? poll(&one, 1, (int)left_ms) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        return n > 0;
    }
}

/* Read the head of a request. True when it is complete. */
static bool read_head(int client, char head[MOST_REQUEST + 1], int64_t until_ns)
{
    size_t used = 0;

    while (used < MOST_REQUEST && wait_for(client, POLLIN, until_ns)) {
        ssize_t n = recv(client, head + used, MOST_REQUEST - used, 0);
        if (n <= 0)
            return false;
        used += (size_t)n;
        head[used] = '\0';
        if (strstr(head, "\r\n\r\n") || strstr(head, "\n\n"))
            return true;
    }
    return false;
}

/* Ask the supervisor for a page. False when there is none within ANSWER_MS. */
static bool request_page(struct server *server, uint64_t *n_bytes)
{
    const uint32_t number = ++server->n_asked;
    int64_t until_ns = np_clock_mono_ns() + INT64_C(1000000) * ANSWER_MS;
    struct answer answer;

    if (send(server->channel, &number, sizeof(number), MSG_NOSIGNAL) != sizeof(number))
        return false;
    while (wait_for(server->channel, POLLIN, until_ns)) {
        ssize_t n = recv(server->channel, &answer, sizeof(answer), 0);
        if (n <= 0)
            return false;
        if (n == sizeof(answer) && answer.number == number) {
            *n_bytes = answer.n_bytes;
            return answer.is_good;
        }
    }
    return false;
}

static void send_all(int client, const char *text, size_t n, int64_t until_ns)
{
    while (n > 0 && wait_for(client, POLLOUT, until_ns)) {
        ssize_t sent = send(client, text, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return;
        if (sent > 0) {
            text += sent;
            n -= (size_t)sent;
        }
    }
}

static void send_page(int client, int page, uint64_t n_bytes, int64_t until_ns)
{
    off_t at = 0;

    while ((uint64_t)at < n_bytes && wait_for(client, POLLOUT, until_ns)) {
        ssize_t sent = sendfile(client, page, &at, n_bytes - (uint64_t)at);
        if (sent == 0 || (sent < 0 && errno != EAGAIN && errno != EINTR))
            return;
    }
}

static void send_head(int client, const char *status, const char *type, uint64_t n_bytes,
                      int64_t until_ns)
{
    char head[256];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %llu\r\n"
                     "Connection: close\r\n\r\n",
                     status, type, (unsigned long long)n_bytes);

    send_all(client, head, (size_t)n, until_ns);
}

static void refuse(int client, const char *status, int64_t until_ns)
{
    send_head(client, status, "text/plain; charset=utf-8", strlen(status) + 1, until_ns);
    send_all(client, status, strlen(status), until_ns);
    send_all(client, "\n", 1, until_ns);
}

/* True for "/metrics HTTP/1.1", with or without a query. */
static bool is_metrics(const char *target)
{
    static const char path[] = "/metrics";
    size_t n = strcspn(target, " ?\r\n");

    return n == sizeof(path) - 1 && memcmp(target, path, n) == 0;
}

static void serve(struct server *server, int client)
{
    static const char type[] = "text/plain; version=0.0.4; charset=utf-8";
    char head[MOST_REQUEST + 1] = "";
    int64_t until_ns = np_clock_mono_ns() + INT64_C(1000000) * CLIENT_MS;
    uint64_t n_bytes = 0;

    if (!read_head(client, head, until_ns)) {
        refuse(client, "400 Bad Request", np_clock_mono_ns() + INT64_C(100000000));
        return;
    }
    bool is_get = np_starts_with(head, "GET "), is_head = np_starts_with(head, "HEAD ");
    if (!is_get && !is_head) {
        refuse(client, "405 Method Not Allowed", until_ns);
        return;
    }
    if (!is_metrics(head + (is_get ? 4 : 5))) {
        refuse(client, "404 Not Found: try /metrics", until_ns);
        return;
    }
    bool has_page = request_page(server, &n_bytes);
    until_ns = np_clock_mono_ns() + INT64_C(1000000) * CLIENT_MS;
    if (!has_page) {
        refuse(client, "503 Service Unavailable", until_ns);
        return;
    }
    send_head(client, "200 OK", type, n_bytes, until_ns);
    if (is_get)
        send_page(client, server->page, n_bytes, until_ns);
}

/* The work of the page server's process: serve until the supervisor kills it. Returns its exit
 * status when it cannot listen any more. */
static int run_server(void *context, int channel)
{
    struct server *server = context;

    server->channel = channel;
    for (;;) {
        int client = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0 && (errno == EBADF || errno == EINVAL || errno == ENOTSOCK))
            return EXIT_FAILURE;
        if (client < 0) {
            if (errno != EINTR && errno != ECONNABORTED)
                poll(NULL, 0, 100); /* descriptors or memory are short: try again later */
            continue;
        }
        serve(server, client);
        shutdown(client, SHUT_WR);
        close(client);
    }
}

/* The supervisor's side. */

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
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
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

static int start_server(int listener, int page, struct np_child *child, struct np_error *err)
{
    struct server server = {.listener = listener, .page = page};
    const int kept[] = {listener, page};
    const struct np_child_options options = {.name = "np-metrics",
                                             .channel = NP_CHILD_PACKETS,
                                             .signals = NP_CHILD_IGNORES_STOP_SIGNALS,
                                             .death_signal = SIGKILL,
                                             .is_silent = true,
                                             .kept = kept,
                                             .n_kept = NP_COUNT(kept),
                                             .run = run_server,
                                             .context = &server};

    return np_child_start(&options, child, err);
}

int np_show_pull_start(const char *host, int port, struct np_show_pull **pull, struct np_error *err)
{
    struct np_child server;
    int listener = -1;

    NP_TRY(listen_at(host, port, &listener, err));
    int page = memfd_create("metrics", MFD_CLOEXEC);
    int code = page < 0 ? np_error_errno(err, errno, NP_EBUSY, "no shared memory for metrics")
                        : start_server(listener, page, &server, err);
    int bound_port = port_of(listener);
    close(listener);
    if (code < 0) {
        if (page >= 0)
            close(page);
        return code;
    }
    struct np_show_pull *made = np_xmalloc(sizeof(*made));
    *made = (struct np_show_pull){.server = server, .page = page, .port = bound_port};
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
