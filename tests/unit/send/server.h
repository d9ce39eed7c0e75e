/* A loopback HTTP/1.1 server for tests: it answers each path with the bytes of a table, and keeps
 * what it was asked last. */
#ifndef NP_TESTS_SEND_SERVER_H
#define NP_TESTS_SEND_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"

/* Besides bytes to answer with, what a server can do. */
#define SERVE_NOTHING "\1nothing" /* keep the connection, say nothing */
#define SERVE_CLOSE "\1close"     /* close without a word */
#define SERVE_ENDLESS "\1endless" /* an answer without end */

struct route {
    const char *path;
    const char *answer;
    size_t n; /* 0 = strlen(answer) */
    bool closes;
};

struct server {
    const struct route *route;
    size_t n_routes;
    int fd, port;
    pthread_t thread;
    atomic_int n_connections, n_requests;
    atomic_int client; /* the connection that is served; -1 = none */
    atomic_bool stops;
    /* of the last request; read them when its answer has come */
    char head[8192];
    char body[65536];
    size_t n_body;
};

/* One request into server->head and body; false when the client is gone. */
static inline bool server_read(struct server *server, int fd)
{
    size_t n = 0;
    char *end = NULL;

    while (!end) {
        ssize_t got = recv(fd, server->head + n, sizeof(server->head) - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        server->head[n] = '\0';
        end = strstr(server->head, "\r\n\r\n");
    }
    end += 4;
    const char *length = strcasestr(server->head, "content-length:");
    size_t n_body = length ? strtoul(length + 15, NULL, 10) : 0;
    size_t n_got = n - (size_t)(end - server->head), n_all = n_got;
    server->n_body = n_body < sizeof(server->body) ? n_body : sizeof(server->body);
    memcpy(server->body, end, n_got < server->n_body ? n_got : server->n_body);
    *end = '\0';
    while (n_all < n_body) {
        char rest[16384];
        ssize_t got = recv(fd, rest, sizeof(rest), 0);
        if (got <= 0)
            return false;
        for (ssize_t i = 0; i < got; i++, n_all++)
            if (n_all < sizeof(server->body))
                server->body[n_all] = rest[i];
    }
    return true;
}

static inline bool server_send(int fd, const char *bytes, size_t n)
{
    return send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* False when the connection is to be closed. */
static inline bool server_answer(struct server *server, int fd)
{
    for (size_t i = 0; i < server->n_routes; i++) {
        const struct route *route = &server->route[i];
        size_t n = strlen(route->path);
        const char *path = strchr(server->head, ' ');
        if (!path || strncmp(path + 1, route->path, n) != 0 || path[1 + n] != ' ')
            continue;
        if (strcmp(route->answer, SERVE_CLOSE) == 0)
            return false;
        if (strcmp(route->answer, SERVE_NOTHING) == 0) {
            char byte;
            return recv(fd, &byte, 1, 0) > 0;
        }
        if (strcmp(route->answer, SERVE_ENDLESS) == 0) {
            static const char head[] = "HTTP/1.1 503 x\r\ncontent-type: text/plain\r\n\r\n";
            static const char page[4096];
            server_send(fd, head, sizeof(head) - 1);
            while (server_send(fd, page, sizeof(page)))
                ;
            return false;
        }
        server_send(fd, route->answer, route->n ? route->n : strlen(route->answer));
        return !route->closes;
    }
    static const char none[] = "HTTP/1.1 404 none\r\ncontent-length: 0\r\n\r\n";
    return server_send(fd, none, sizeof(none) - 1);
}

/* Connections are served one after the other, as they come; a client waits for none but its own. */
static inline void *server_run(void *self)
{
    struct server *server = self;

    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0 || atomic_load(&server->stops))
            return NULL;
        atomic_fetch_add(&server->n_connections, 1);
        atomic_store(&server->client, fd);
        while (server_read(server, fd)) {
            atomic_fetch_add(&server->n_requests, 1);
            if (!server_answer(server, fd))
                break;
        }
        atomic_store(&server->client, -1);
        close(fd);
    }
}

static inline void server_start(struct server *server, const struct route *route, size_t n_routes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    memset(server, 0, sizeof(*server));
    atomic_store(&server->client, -1);
    server->route = route;
    server->n_routes = n_routes;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ok(bind(server->fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    ok(listen(server->fd, 16) == 0);
    getsockname(server->fd, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
    ok(pthread_create(&server->thread, NULL, server_run, server) == 0);
}

/* A connection that is kept is closed. */
static inline void server_stop(struct server *server)
{
    atomic_store(&server->stops, true);
    shutdown(server->fd, SHUT_RDWR);
    if (atomic_load(&server->client) >= 0)
        shutdown(atomic_load(&server->client), SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

#endif
