/* Transports against a scripted HTTP server, gRPC's Python server, and a port without a server. What
 * both libraries can do is tested with both. */
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "codec/deflate.h"
#include "otlp/requests.h"
#include "outcome.h"
#include "send/destination.h"
#include "send/http_libevent.h"
#include "send/transport.h"
#include "server.h"

#define HEAD(status, headers) "HTTP/1.1 " status "\r\n" headers "\r\n"
#define EMPTY "content-length: 0\r\n"

static char compressed_chunks[512];

static struct route ROUTES[] = {
    {"/ok", HEAD("200 OK", EMPTY), 0, false},
    {"/partial",
     HEAD("200 OK",
          "content-type: application/json\r\ncontent-length: 40\r\n") "{\"partialSuccess\":{"
                                                                      "\"rejectedSpans\":\"3\"}}",
     0, false},
    {"/packed", compressed_chunks, 0, false},
    {"/again", HEAD("429 Slow down", "retry-after: 7\r\n" EMPTY), 0, false},
    {"/down", HEAD("503 Down", EMPTY), 0, false},
    {"/large", HEAD("413 Large", EMPTY), 0, false},
    {"/moved", HEAD("307 Moved", "location: /ok\r\n" EMPTY), 0, false},
    {"/continue", "HTTP/1.1 100 Continue\r\nretry-after: 9\r\n\r\n" HEAD("503 Down", EMPTY), 0,
     false},
    {"/closing", HEAD("200 OK", EMPTY), 0, true},
    {"/half", HEAD("200 OK", "content-length: 100\r\n") "half", 0, true},
    {"/bad-gzip", HEAD("200 OK", "content-encoding: gzip\r\ncontent-length: 4\r\n") "nogz", 0,
     true},
    {"/half-chunk", HEAD("200 OK", "transfer-encoding: chunked\r\n") "a\r\nhalf", 0, true},
    {"/bad-chunk", HEAD("200 OK", "transfer-encoding: chunked\r\n") "x\r\n", 0, true},
    {"/hints", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" HEAD("200 OK", EMPTY), 0, false},
    {"/extension",
     HEAD("200 OK", "transfer-encoding: chunked\r\n") "2;name=value\r\n{}\r\n0\r\n\r\n", 0, false},
    {"/nonsense", "nonsense\r\n\r\n", 0, true},
    {"/nothing", SERVE_NOTHING, 0, true},
    {"/close", SERVE_CLOSE, 0, true},
    {"/endless", SERVE_ENDLESS, 0, true},
    {"http://collector.example/ok", HEAD("200 OK", EMPTY), 0, false}, /* by a proxy */
};

static int64_t in_seconds(double seconds)
{
    return np_clock_mono_ns() + (int64_t)(seconds * 1e9);
}

/* The library of the transports that open_to opens. */
static enum np_send_library library;

static struct np_send_transport *open_to(int port, const char *path, enum np_otlp_protocol protocol)
{
    NP_AUTO(np_freep) char *url = np_xasprintf("http://127.0.0.1:%d%s", port, path);
    NP_AUTO(np_send_destination_done)
    struct np_send_destination to = {.signal = NP_OTLP_TRACES, .compression = NP_SEND_GZIP};
    struct np_send_transport *transport = NULL;
    struct np_error err = {0};

    ok_int(np_send_headers_parse("x-key=value,authorization=Bearer%20t", &to.headers), 0);
    ok_int(np_send_destination_resolve(url, NP_SEND_ENDPOINT_SIGNAL, protocol, true, &to, &err), 0);
    ok_int(np_send_transport_open_with(library, &to, &transport, &err), 0);
    ok_str(err.text, "");
    return transport;
}

static struct np_send_reply send_text(struct np_send_transport *transport, const char *text,
                                      double seconds)
{
    struct np_send_reply reply = {0};

    if (transport)
        np_send_transport_send(transport, text, strlen(text), "batch-1", in_seconds(seconds), -1,
                               &reply);
    return reply;
}

/* One request on a transport of its own. */
static struct np_send_reply request(int port, const char *path, double seconds)
{
    NP_AUTO(np_send_transport_freep)
    struct np_send_transport *transport = open_to(port, path, NP_OTLP_HTTP_PROTOBUF);

    return send_text(transport, "body", seconds);
}

/* A claim that is tested with libcurl and, under the same words, with libevent. */
#define TEST_BOTH(words)             \
    static void check_##words(void); \
    TEST(words)                      \
    {                                \
        library = NP_SEND_LIBCURL;   \
        check_##words();             \
    }                                \
    TEST(words##_with_libevent)      \
    {                                \
        library = NP_SEND_LIBEVENT;  \
        check_##words();             \
        library = NP_SEND_LIBCURL;   \
    }                                \
    static void check_##words(void)

/* A body that is a gzip member in two chunks. */
static void make_compressed_chunks(void)
{
    static const char plain[] = "{\"partialSuccess\":{\"rejectedSpans\":\"2\"}}";
    char part[200], member[256] = "\x1f\x8b\x08\0\0\0\0\0\0\xff";
    size_t n_part = 0, n = 10;

    ok_int(np_deflate_part(plain, sizeof(plain) - 1, part, &n_part, NULL), 0);
    memcpy(member + n, part, n_part);
    n += n_part;
    memcpy(member + n, NP_DEFLATE_END, NP_DEFLATE_END_BYTES);
    n += NP_DEFLATE_END_BYTES;
    uint32_t crc = np_crc32(0, plain, sizeof(plain) - 1), size = sizeof(plain) - 1;
    memcpy(member + n, &crc, 4);
    memcpy(member + n + 4, &size, 4);
    n += 8;
    char *out = compressed_chunks;
    out += sprintf(out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                        "content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n5\r\n");
    memcpy(out, member, 5);
    out += 5;
    out += sprintf(out, "\r\n%zx\r\n", n - 5);
    memcpy(out, member + 5, n - 5);
    out += n - 5;
    memcpy(out, "\r\n0\r\n\r\n", 7);
    out += 7;
    ROUTES[2].n = (size_t)(out - compressed_chunks);
}

TEST_BOTH(each_http_answer_has_its_outcome)
{
    static const struct {
        const char *path;
        enum np_send_outcome outcome;
        int status;
        int64_t n_rejected;
        double retry_after_s;
    } table[] = {
        {"/ok", NP_SEND_ACCEPTED, 200, 0, -1},        {"/partial", NP_SEND_PARTIAL, 200, 3, -1},
        {"/again", NP_SEND_RETRY, 429, 0, 7},         {"/down", NP_SEND_RETRY, 503, 0, -1},
        {"/large", NP_SEND_TOO_LARGE, 413, 0, -1},    {"/moved", NP_SEND_UNREACHABLE, 307, 0, -1},
        {"/continue", NP_SEND_RETRY, 503, 0, -1},     {"/none", NP_SEND_UNREACHABLE, 404, 0, -1},
        {"/half", NP_SEND_RETRY, 0, 0, -1},           {"/bad-gzip", NP_SEND_ACCEPTED, 200, 0, -1},
        {"/nonsense", NP_SEND_UNREACHABLE, 0, 0, -1}, {"/close", NP_SEND_RETRY, 0, 0, -1},
        {"/nothing", NP_SEND_RETRY, 0, 0, -1},        {"/bad-chunk", NP_SEND_RETRY, 0, 0, -1},
        {"/half-chunk", NP_SEND_RETRY, 0, 0, -1},
    };
    struct server server;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct np_send_reply reply = request(server.port, table[i].path, 0.3);
        tap_check(reply.outcome == table[i].outcome && reply.http_status == table[i].status &&
                      reply.n_rejected == table[i].n_rejected &&
                      reply.retry_after_s == table[i].retry_after_s,
                  __FILE__, __LINE__, "%s: %s, HTTP %d, %lld rejected, after %g s: %s",
                  table[i].path, outcome_name(reply.outcome), reply.http_status,
                  (long long)reply.n_rejected, reply.retry_after_s, reply.text);
    }
    /* Redirects are not followed: each path was asked for once. */
    ok_int(server.n_requests, (int64_t)NP_COUNT(table));
    server_stop(&server);
}

static void ok_header(struct server *server, const char *header)
{
    (void)atomic_load(&server->n_requests); /* makes what the server's thread wrote visible here */
    tap_check(strcasestr(server->head, header) != NULL, __FILE__, __LINE__, "'%s' in: %s", header,
              server->head);
}

TEST_BOTH(a_request_has_the_headers_and_the_body_of_the_protocol)
{
    struct server server;
    uint8_t plain[16];

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    ok_int(request(server.port, "/ok", 2).outcome, NP_SEND_ACCEPTED);
    ok_header(&server, "POST /ok HTTP/1.1\r\n");
    ok_header(&server, "\r\nContent-Type: application/x-protobuf\r\n");
    ok_header(&server, "\r\nContent-Encoding: gzip\r\n");
    ok_header(&server, "\r\nUser-Agent: neuro-preprocess/");
    ok_header(&server, "\r\nx-key: value\r\n");
    ok_header(&server, "\r\nauthorization: Bearer t\r\n");
    ok_header(&server, "\r\nx-neuro-batch-id: batch-1\r\n");
    ok(!strcasestr(server.head, "Expect:"));
    ok(memcmp(server.body, "\x1f\x8b\x08", 3) == 0);
    struct np_inflate *inflate = np_inflate_new();
    const uint8_t *in = (const uint8_t *)server.body + 10;
    uint8_t *out = plain;
    ok_int(np_inflate_step(inflate, &in, (const uint8_t *)server.body + server.n_body, &out,
                           plain + sizeof(plain)),
           NP_INFLATE_END);
    np_inflate_freep(&inflate);
    ok_int(out - plain, 4);
    ok(memcmp(plain, "body", 4) == 0);
    server_stop(&server);
}

TEST(json_without_compression_is_sent_unchanged)
{
    struct server server;
    NP_AUTO(np_send_destination_done)
    struct np_send_destination to = {.signal = NP_OTLP_LOGS, .compression = NP_SEND_PLAIN};
    struct np_send_transport *transport = NULL;
    struct np_send_reply reply;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    NP_AUTO(np_freep) char *url = np_xasprintf("http://me:p%%40ss@127.0.0.1:%d/ok", server.port);
    ok_int(np_send_destination_resolve(url, NP_SEND_ENDPOINT_SIGNAL, NP_OTLP_HTTP_JSON, true, &to,
                                       NULL),
           0);
    ok_int(np_send_transport_open(&to, &transport, NULL), 0);
    np_send_transport_send(transport, "{}", 2, NULL, in_seconds(2), -1, &reply);
    ok_int(reply.outcome, NP_SEND_ACCEPTED);
    ok_header(&server, "\r\nContent-Type: application/json\r\n");
    ok_header(&server, "\r\nAuthorization: Basic bWU6cEBzcw==\r\n");
    ok(!strcasestr(server.head, "content-encoding"));
    ok(!strcasestr(server.head, "x-neuro-batch-id"));
    ok(server.n_body == 2 && memcmp(server.body, "{}", 2) == 0);
    np_send_transport_freep(&transport);
    server_stop(&server);
}

TEST_BOTH(a_compressed_answer_in_chunks_is_read)
{
    struct server server;

    make_compressed_chunks();
    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    struct np_send_reply reply = request(server.port, "/packed", 2);
    ok_int(reply.outcome, NP_SEND_PARTIAL);
    ok_int(reply.n_rejected, 2);
    server_stop(&server);
}

TEST_BOTH(all_transports_share_a_kept_connection)
{
    struct server server;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    struct np_send_transport *one = open_to(server.port, "/ok", NP_OTLP_HTTP_PROTOBUF);
    struct np_send_transport *other = open_to(server.port, "/partial", NP_OTLP_HTTP_JSON);
    for (int i = 0; i < 5; i++) {
        ok_int(send_text(one, "a", 2).outcome, NP_SEND_ACCEPTED);
        ok_int(send_text(other, "b", 2).outcome, NP_SEND_PARTIAL);
    }
    ok_int(server.n_connections, 1);
    ok_int(server.n_requests, 10);
    np_send_transport_freep(&one);
    np_send_transport_freep(&other);
    server_stop(&server);
}

TEST_BOTH(a_kept_connection_that_was_closed_is_made_anew)
{
    struct server server;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    struct np_send_transport *transport = open_to(server.port, "/closing", NP_OTLP_HTTP_PROTOBUF);
    for (int i = 0; i < 3; i++)
        ok_int(send_text(transport, "a", 2).outcome, NP_SEND_ACCEPTED);
    ok_int(server.n_connections, 3);
    np_send_transport_freep(&transport);
    server_stop(&server);
}

/* On a kept connection libcurl may send a request twice by itself before it finds no server. */
TEST_BOTH(a_server_that_is_gone_may_have_a_request_on_a_kept_connection)
{
    struct server server;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    struct np_send_transport *transport = open_to(server.port, "/ok", NP_OTLP_HTTP_PROTOBUF);
    ok_int(send_text(transport, "a", 2).outcome, NP_SEND_ACCEPTED);
    server_stop(&server);
    struct np_send_reply first = send_text(transport, "a", 2);
    struct np_send_reply second = send_text(transport, "a", 2);
    ok_int(second.outcome, NP_SEND_UNREACHABLE);
    ok(first.outcome == NP_SEND_RETRY || first.may_be_stored);
    ok(!second.may_be_stored);
    np_send_transport_freep(&transport);
}

TEST_BOTH(an_answer_without_end_is_cut_and_its_status_counts)
{
    struct server server;
    int64_t start_ns = np_clock_mono_ns();

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    struct np_send_reply reply = request(server.port, "/endless", 10);
    ok_int(reply.outcome, NP_SEND_RETRY);
    ok_int(reply.http_status, 503);
    ok_below((double)(np_clock_mono_ns() - start_ns) / 1e9, 5, "seconds: 4 MiB, not the deadline");
    server_stop(&server);
}

TEST_BOTH(an_answer_that_breaks_off_does_not_wait_for_the_deadline)
{
    static const char *const paths[] = {"/half", "/half-chunk", "/bad-chunk", "/close"};
    struct server server;
    int64_t start_ns = np_clock_mono_ns();

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    for (size_t i = 0; i < NP_COUNT(paths); i++) {
        struct np_send_reply reply = request(server.port, paths[i], 20);
        tap_check(reply.outcome == NP_SEND_RETRY && !reply.is_stale, __FILE__, __LINE__, "%s: %s",
                  paths[i], reply.text);
    }
    ok_below((double)(np_clock_mono_ns() - start_ns) / 1e9, 5, "seconds, of 4 times 20");
    server_stop(&server);
}

/* Refuse a request when its head has come, and read no more of it. */
static void *refuse_early(void *listener)
{
    static const char answer[] =
        "HTTP/1.1 413 Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    int fd = accept(*(int *)listener, NULL, NULL);
    char head[64];

    if (recv(fd, head, sizeof(head), 0) > 0)
        server_send(fd, answer, sizeof(answer) - 1);
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    close(fd);
    return NULL;
}

TEST_BOTH(a_large_request_that_is_refused_before_it_is_read_has_its_answer)
{
    enum { LARGE = 16 << 20 };
    NP_AUTO(np_send_destination_done)
    struct np_send_destination to = {.compression = NP_SEND_PLAIN};
    NP_AUTO(np_send_transport_freep) struct np_send_transport *transport = NULL;
    NP_AUTO(np_freep) char *body = np_xcalloc(1, LARGE);
    struct np_send_reply reply;
    pthread_t thread;

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    ok(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    pthread_create(&thread, NULL, refuse_early, &listener);
    NP_AUTO(np_freep)
    char *url = np_xasprintf("http://127.0.0.1:%d/", ntohs(address.sin_port));
    ok_int(np_send_destination_resolve(url, NP_SEND_ENDPOINT_SIGNAL, -1, true, &to, NULL), 0);
    ok_int(np_send_transport_open_with(library, &to, &transport, NULL), 0);
    np_send_transport_send(transport, body, LARGE, NULL, in_seconds(10), -1, &reply);
    pthread_join(thread, NULL);
    tap_check(reply.outcome == NP_SEND_TOO_LARGE, __FILE__, __LINE__, "%s: %s",
              outcome_name(reply.outcome), reply.text);
    close(listener);
}

TEST(where_libevent_does_not_understand_an_answer_libcurl_takes_its_place)
{
    static const char *const paths[] = {"/hints", "/extension"};
    struct server server;

    library = NP_SEND_LIBEVENT;
    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    for (size_t i = 0; i < NP_COUNT(paths); i++) {
        NP_AUTO(np_send_transport_freep)
        struct np_send_transport *transport = open_to(server.port, paths[i], NP_OTLP_HTTP_PROTOBUF);
        struct np_send_reply first = send_text(transport, "a", 5);
        tap_check(first.outcome == NP_SEND_RETRY, __FILE__, __LINE__, "%s: %s", paths[i],
                  first.text);
        ok_int(send_text(transport, "a", 5).outcome, NP_SEND_ACCEPTED);
    }
    library = NP_SEND_LIBCURL;
    server_stop(&server);
}

TEST_BOTH(a_port_without_a_server_is_unreachable_at_once)
{
    struct server server;
    int64_t start_ns = np_clock_mono_ns();

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    server_stop(&server); /* its port is free now */
    struct np_send_reply reply = request(server.port, "/ok", 5);
    ok_int(reply.outcome, NP_SEND_UNREACHABLE);
    ok_int(reply.http_status, 0);
    ok(*reply.text);
    ok_below((double)(np_clock_mono_ns() - start_ns) / 1e9, 1, "seconds, of 5 that were allowed");
}

TEST_BOTH(the_deadline_and_the_timeout_hold)
{
    struct server server;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    int64_t start_ns = np_clock_mono_ns();
    struct np_send_reply reply = request(server.port, "/nothing", 0.2);
    double took_s = (double)(np_clock_mono_ns() - start_ns) / 1e9;
    ok_int(reply.outcome, NP_SEND_RETRY);
    ok_above(took_s, 0.19, "seconds");
    ok_below(took_s, 1.0, "seconds"); /* the machine may be busy */
    ok_int(request(server.port, "/ok", -1).outcome, NP_SEND_RETRY);
    server_stop(&server);
}

static void *close_later(void *fd)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    close(*(int *)fd);
    return NULL;
}

TEST_BOTH(a_pipe_that_hangs_up_cancels)
{
    struct server server;
    struct np_send_reply reply;
    int pipe_fd[2];
    pthread_t thread;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    struct np_send_transport *transport = open_to(server.port, "/nothing", NP_OTLP_HTTP_PROTOBUF);
    ok(pipe(pipe_fd) == 0);
    pthread_create(&thread, NULL, close_later, &pipe_fd[1]);
    int64_t start_ns = np_clock_mono_ns();
    np_send_transport_send(transport, "a", 1, NULL, in_seconds(30), pipe_fd[0], &reply);
    ok_int(reply.outcome, NP_SEND_CANCELED);
    ok_below((double)(np_clock_mono_ns() - start_ns) / 1e9, 3, "seconds of 30");
    pthread_join(thread, NULL);
    close(pipe_fd[0]);
    np_send_transport_freep(&transport);
    server_stop(&server);
}

/* The destination says which proxy is used; libcurl reads no variable. */
TEST(the_proxy_is_that_of_the_destination_and_of_no_variable)
{
    struct server server;
    NP_AUTO(np_send_destination_done)
    struct np_send_destination to = {.signal = NP_OTLP_TRACES};
    struct np_send_transport *transport = NULL;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    ok_int(request(server.port, "/ok", 2).outcome, NP_SEND_ACCEPTED);
    setenv("no_proxy", "*", 1);
    ok_int(np_send_destination_resolve("http://collector.example/ok", NP_SEND_ENDPOINT_SIGNAL,
                                       NP_OTLP_HTTP_PROTOBUF, true, &to, NULL),
           0);
    to.proxy = np_xasprintf("http://user:word@127.0.0.1:%d", server.port);
    ok_int(np_send_transport_open(&to, &transport, NULL), 0);
    ok_int(send_text(transport, "a", 2).outcome, NP_SEND_ACCEPTED);
    ok_contains(server.head, "POST http://collector.example/ok HTTP/1.1\r\n");
    ok_contains(server.head, "Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n");
    unsetenv("http_proxy");
    unsetenv("no_proxy");
    np_send_transport_freep(&transport);
    server_stop(&server);
}

TEST(libevent_speaks_to_plain_http_at_an_address_and_libcurl_to_all_else)
{
    static const struct {
        const char *url, *proxy;
        int protocol;
        bool is_libevent;
    } table[] = {
        {"http://127.0.0.1:4318/v1/traces", NULL, NP_OTLP_HTTP_PROTOBUF, true},
        {"http://127.0.0.1:4318/v1/traces?key=1", NULL, NP_OTLP_HTTP_JSON, true},
        {"http://localhost:4318", NULL, NP_OTLP_HTTP_JSON, true},
        {"http://[::1]:4318/v1/logs", NULL, NP_OTLP_HTTP_PROTOBUF, true},
        {"http://10.1.2.3/otlp", NULL, NP_OTLP_HTTP_PROTOBUF, true},
        {"http://collector:4318", NULL, NP_OTLP_HTTP_PROTOBUF, false}, /* a name to look up */
        {"http://127.0.0.1:4317", NULL, NP_OTLP_GRPC, false},
        {"https://127.0.0.1:4318", NULL, NP_OTLP_HTTP_PROTOBUF, false},
        {"http://me:word@127.0.0.1:4318", NULL, NP_OTLP_HTTP_PROTOBUF, false},
        {"http://127.0.0.1:4318/a/../b", NULL, NP_OTLP_HTTP_PROTOBUF, false},
        {"http://10.1.2.3:4318", "http://proxy:3128", NP_OTLP_HTTP_PROTOBUF, false},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_send_destination_done) struct np_send_destination to = {0};
        ok_int(np_send_destination_resolve(table[i].url, NP_SEND_ENDPOINT_SIGNAL, table[i].protocol,
                                           false, &to, NULL),
               0);
        to.proxy = table[i].proxy ? np_xstrdup(table[i].proxy) : NULL;
        tap_check(np_send_http_libevent_can(&to) == table[i].is_libevent, __FILE__, __LINE__,
                  "%s by %s", table[i].url, table[i].is_libevent ? "libevent" : "libcurl");
    }
}

TEST(a_missing_certificate_file_is_an_error_before_any_request)
{
    char missing[] = "/nonexistent/ca.pem";
    char url[] = "https://127.0.0.1:1/";
    const struct np_send_destination to = {.url = url, .ca_certificate = missing};
    struct np_send_transport *transport = NULL;
    struct np_error err = {0};

    ok_int(np_send_transport_open(&to, &transport, &err), NP_ENOINPUT);
    ok_contains(err.text, "'/nonexistent/ca.pem'");
    ok(!transport);
}

TEST_BOTH(each_failed_allocation_is_a_reply_or_an_error_until_it_works)
{
    struct server server;
    enum np_send_outcome outcome = NP_SEND_RETRY;
    int nth = 0;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    NP_AUTO(np_freep) char *url = np_xasprintf("http://127.0.0.1:%d/partial", server.port);
    NP_AUTO(np_send_destination_done)
    struct np_send_destination to = {.compression = NP_SEND_GZIP};
    ok_int(np_send_destination_resolve(url, NP_SEND_ENDPOINT_SIGNAL, -1, true, &to, NULL), 0);
    while (outcome != NP_SEND_PARTIAL && nth < 100) {
        struct np_send_transport *transport = NULL;
        np_alloc_fail_at(++nth);
        int code = np_send_transport_open_with(library, &to, &transport, NULL);
        ok(code == 0 || code == NP_ENOMEM);
        outcome = code == 0 ? send_text(transport, "body", 2).outcome : NP_SEND_RETRY;
        np_alloc_fail_at(0);
        np_send_transport_freep(&transport);
    }
    ok_int(outcome, NP_SEND_PARTIAL);
    ok_above(nth, 3, "requests for memory");
    server_stop(&server);
}

/* In a child, empty files take the place of the libraries, so they cannot be loaded. */
TEST(without_libevent_and_libcurl_opening_is_an_error)
{
    const char *folder = tap_directory();
    NP_AUTO(np_freep) char *one = np_xasprintf("%s/libcurl.so.4", folder);
    NP_AUTO(np_freep) char *other = np_xasprintf("%s/libcurl-gnutls.so.4", folder);
    NP_AUTO(np_freep) char *libevent = np_xasprintf("%s/libevent-2.1.so.7", folder);
    NP_AUTO(np_freep) char *extra = np_xasprintf("%s/libevent_extra-2.1.so.7", folder);
    const char *launcher = getenv("NP_TEST_LAUNCHER"); /* an emulator and its options */
    char self[4096] = "";
    ok(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    NP_AUTO(np_freep)
    char *command = np_xasprintf("LD_LIBRARY_PATH=%s NP_TEST_WITHOUT_LIBCURL=1 %s '%s'", folder,
                                 launcher ? launcher : "", self);
    char answer[1024] = "";

    write_file(one, "", 0);
    write_file(other, "", 0);
    write_file(libevent, "", 0);
    write_file(extra, "", 0);
    FILE *pipe = popen(command, "r");
    size_t n = fread(answer, 1, sizeof(answer) - 1, pipe);
    answer[n] = '\0';
    ok_int(pclose(pipe), 0);
    ok_contains(answer, "libcurl.so.4 cannot be loaded");
    ok_contains(answer, "install libcurl4");
}

static int run_without_libcurl(void)
{
    char url[] = "http://127.0.0.1:1/";
    const struct np_send_destination to = {.url = url};
    struct np_send_transport *transport = NULL;
    struct np_error err = {0};
    bool has_libevent = np_send_transport_open_with(NP_SEND_LIBEVENT, &to, &transport, NULL) == 0;
    int code = np_send_transport_open(&to, &transport, &err);

    puts(err.text);
    return code == NP_ENOINPUT && !transport && !has_libevent ? 0 : 1;
}

/* Other implementations of servers. */

struct peer {
    pid_t pid;
    int stdin_fd, port;
};

/* False when there is no Python with the packages, or the server does not start. */
static bool peer_start(struct peer *peer, const char *command, const char *folder)
{
    const char *python = python_with("grpc, opentelemetry.proto.logs.v1.logs_pb2");
    NP_AUTO(np_freep) char *port_file = np_xasprintf("%s/%s.port", tap_directory(), command);
    int pipe_fd[2];

    *peer = (struct peer){.pid = -1};
    unlink(port_file);
    if (!python)
        return false;
    ok(pipe2(pipe_fd, O_CLOEXEC) == 0);
    peer->pid = fork();
    if (peer->pid == 0) {
        dup2(pipe_fd[0], STDIN_FILENO);
        execlp(python, python, PEER, command, port_file, folder, (char *)NULL);
        _exit(127);
    }
    close(pipe_fd[0]);
    peer->stdin_fd = pipe_fd[1];
    for (int i = 0; i < 600 && peer->port == 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        if (waitpid(peer->pid, NULL, WNOHANG) != 0)
            break;
        FILE *file = fopen(port_file, "r");
        if (!file)
            continue;
        ok(fscanf(file, "%d", &peer->port) == 1);
        fclose(file);
    }
    ok(peer->port > 0);
    return peer->port > 0;
}

static void peer_stop(struct peer *peer)
{
    if (peer->pid < 0)
        return;
    close(peer->stdin_fd);
    ok(waitpid(peer->pid, NULL, 0) == peer->pid);
}

/* A request of `signal`. Its scope's name selects the peer's answer. */
static void wish(enum np_otlp_signal signal, const char *name, struct np_otlp_buffer *body)
{
    static const char *const items[] = {
        [NP_OTLP_TRACES] = "Spans", [NP_OTLP_LOGS] = "Logs", [NP_OTLP_METRICS] = "Metrics"};
    static const char *const lists[] = {
        [NP_OTLP_TRACES] = "spans", [NP_OTLP_LOGS] = "logRecords", [NP_OTLP_METRICS] = "metrics"};
    NP_AUTO(np_freep)
    char *line = np_xasprintf("{\"resource%s\":[{\"scope%s\":[{\"scope\":{\"name\":\"%s\"},"
                              "\"%s\":[{}]}]}]}",
                              items[signal], items[signal], name, lists[signal]);

    ok_int(through_batch(signal, NP_OTLP_GRPC, line, strlen(line), body), NP_OTLP_LINE_ADDED);
}

static struct np_send_transport *open_grpc(enum np_otlp_signal signal, int port)
{
    NP_AUTO(np_freep) char *url = np_xasprintf("http://127.0.0.1:%d", port);
    NP_AUTO(np_send_destination_done)
    struct np_send_destination to = {.signal = signal, .compression = NP_SEND_GZIP};
    struct np_send_transport *transport = NULL;
    struct np_error err = {0};

    ok_int(np_send_headers_parse("X-Key=value", &to.headers), 0);
    ok_int(
        np_send_destination_resolve(url, NP_SEND_ENDPOINT_GENERIC, NP_OTLP_GRPC, true, &to, &err),
        0);
    ok_int(np_send_transport_open(&to, &transport, &err), 0);
    return transport;
}

static struct np_send_reply ask(struct np_send_transport *transport, enum np_otlp_signal signal,
                                const char *name, double seconds)
{
    NP_AUTO(np_otlp_buffer_done) struct np_otlp_buffer body = {0};
    struct np_send_reply reply = {0};

    wish(signal, name, &body);
    if (transport)
        np_send_transport_send(transport, body.bytes, body.length, "batch-1", in_seconds(seconds),
                               -1, &reply);
    return reply;
}

TEST(each_answer_of_a_grpc_server_has_its_outcome_for_each_signal)
{
    static const struct {
        enum np_otlp_signal signal;
        const char *wish;
        enum np_send_outcome outcome;
        int status;
        int64_t n_rejected;
        double retry_after_s;
        const char *text;
    } table[] = {
        {NP_OTLP_TRACES, "accept", NP_SEND_ACCEPTED, 0, 0, -1, ""},
        {NP_OTLP_LOGS, "accept", NP_SEND_ACCEPTED, 0, 0, -1, ""},
        {NP_OTLP_METRICS, "accept", NP_SEND_ACCEPTED, 0, 0, -1, ""},
        {NP_OTLP_TRACES, "partial 3 some words", NP_SEND_PARTIAL, 0, 3, -1, "some words"},
        {NP_OTLP_METRICS, "partial 4 points", NP_SEND_PARTIAL, 0, 4, -1, "4 rejected: points"},
        {NP_OTLP_LOGS, "partial 0 old", NP_SEND_ACCEPTED, 0, 0, -1, "old"},
        {NP_OTLP_TRACES, "status UNAVAILABLE gone \\u00e9", NP_SEND_RETRY, 14, 0, -1,
         "gRPC 14 UNAVAILABLE: gone \xc3\xa9"},
        {NP_OTLP_TRACES, "status INVALID_ARGUMENT no", NP_SEND_REFUSED, 3, 0, -1, "no"},
        {NP_OTLP_TRACES, "status RESOURCE_EXHAUSTED no", NP_SEND_REFUSED, 8, 0, -1, "no"},
        {NP_OTLP_TRACES, "retry 2", NP_SEND_RETRY, 8, 0, 2.5, "busy"},
        {NP_OTLP_TRACES, "seen x-key", NP_SEND_REFUSED, 9, 0, -1, "['value', True]"},
        {NP_OTLP_TRACES, "seen x-neuro-batch-id", NP_SEND_REFUSED, 9, 0, -1, "['batch-1', True]"},
        {NP_OTLP_TRACES, "wait 5", NP_SEND_RETRY, -1, 0, -1, ""},
        {NP_OTLP_TRACES, "accept", NP_SEND_ACCEPTED, 0, 0, -1, ""},
    };
    struct np_send_transport *transport[NP_OTLP_N_SIGNALS];
    struct peer peer;

    if (!peer_start(&peer, "serve", NULL))
        return;
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        transport[i] = open_grpc((enum np_otlp_signal)i, peer.port);
    for (size_t i = 0; i < NP_COUNT(table); i++) {
        enum np_otlp_signal signal = table[i].signal;
        double seconds = np_starts_with(table[i].wish, "wait") ? 0.3 : 5;
        struct np_send_reply reply = ask(transport[signal], signal, table[i].wish, seconds);
        tap_check(reply.outcome == table[i].outcome &&
                      (reply.grpc_status == table[i].status || table[i].status < 0) &&
                      reply.n_rejected == table[i].n_rejected &&
                      reply.retry_after_s == table[i].retry_after_s &&
                      strstr(reply.text, table[i].text),
                  __FILE__, __LINE__, "%s: %s, gRPC %d, %lld rejected, after %g s: '%s'",
                  table[i].wish, outcome_name(reply.outcome), reply.grpc_status,
                  (long long)reply.n_rejected, reply.retry_after_s, reply.text);
    }
    for (int i = 0; i < NP_OTLP_N_SIGNALS; i++)
        np_send_transport_freep(&transport[i]);
    peer_stop(&peer);
}

TEST(a_request_over_the_limit_of_a_grpc_server_is_too_large)
{
    enum { LARGE = 5 << 20 }; /* the servers' common limit is 4 MiB */
    struct peer peer;
    struct np_send_reply reply;

    if (!peer_start(&peer, "serve", NULL))
        return;
    struct np_send_transport *transport = open_grpc(NP_OTLP_TRACES, peer.port);
    NP_AUTO(np_freep) char *body = np_xcalloc(1, LARGE);
    np_send_transport_send(transport, body, LARGE, NULL, in_seconds(10), -1, &reply);
    tap_check(reply.outcome == NP_SEND_TOO_LARGE, __FILE__, __LINE__, "%s: %s",
              outcome_name(reply.outcome), reply.text);
    ok_int(ask(transport, NP_OTLP_TRACES, "accept", 5).outcome, NP_SEND_ACCEPTED);
    np_send_transport_freep(&transport);
    peer_stop(&peer);
}

TEST_BOTH(a_server_of_the_other_protocol_loses_nothing)
{
    struct server server;
    struct peer peer;

    server_start(&server, ROUTES, NP_COUNT(ROUTES));
    struct np_send_transport *transport = open_grpc(NP_OTLP_TRACES, server.port);
    struct np_send_reply reply = ask(transport, NP_OTLP_TRACES, "accept", 1);
    tap_check(reply.outcome == NP_SEND_UNREACHABLE || reply.outcome == NP_SEND_RETRY, __FILE__,
              __LINE__, "gRPC to HTTP: %s: %s", outcome_name(reply.outcome), reply.text);
    np_send_transport_freep(&transport);
    server_stop(&server);
    if (!peer_start(&peer, "serve", NULL))
        return;
    reply = request(peer.port, "/v1/traces", 1);
    tap_check(reply.outcome == NP_SEND_UNREACHABLE || reply.outcome == NP_SEND_RETRY, __FILE__,
              __LINE__, "HTTP to gRPC: %s: %s", outcome_name(reply.outcome), reply.text);
    peer_stop(&peer);
}

/* A transport with the certificates in `folder`. */
static struct np_send_transport *open_tls(int port, const char *folder, int protocol, bool has_ca,
                                          bool has_client)
{
    NP_AUTO(np_freep) char *url = np_xasprintf("https://127.0.0.1:%d/v1/traces", port);
    NP_AUTO(np_send_destination_done)
    struct np_send_destination to = {.compression = NP_SEND_GZIP};
    struct np_send_transport *transport = NULL;

    ok_int(np_send_destination_resolve(url, NP_SEND_ENDPOINT_SIGNAL, protocol, false, &to, NULL),
           0);
    to.ca_certificate = has_ca ? np_xasprintf("%s/ca.pem", folder) : NULL;
    to.client_certificate = has_client ? np_xasprintf("%s/client.pem", folder) : NULL;
    to.client_key = has_client ? np_xasprintf("%s/client.key", folder) : NULL;
    ok_int(np_send_transport_open(&to, &transport, NULL), 0);
    return transport;
}

static struct np_send_reply request_tls(int port, const char *folder, bool has_ca, bool has_client)
{
    NP_AUTO(np_send_transport_freep)
    struct np_send_transport *transport = open_tls(port, folder, -1, has_ca, has_client);

    return send_text(transport, "body", 5);
}

TEST(tls_checks_the_server_and_sends_the_certificate_of_the_client)
{
    const char *folder = tap_directory();
    struct peer peer;

    if (!peer_start(&peer, "serve-tls", folder))
        return;
    struct np_send_reply reply = request_tls(peer.port, folder, true, true);
    tap_check(reply.outcome == NP_SEND_ACCEPTED, __FILE__, __LINE__, "%s", reply.text);
    reply = request_tls(peer.port, folder, false, true);
    ok_int(reply.outcome, NP_SEND_UNREACHABLE);
    ok_contains(reply.text, "certificate");
    reply = request_tls(peer.port, folder, true, false);
    tap_check(reply.outcome == NP_SEND_UNREACHABLE || reply.outcome == NP_SEND_RETRY, __FILE__,
              __LINE__, "without a client's certificate: %s: %s", outcome_name(reply.outcome),
              reply.text);
    peer_stop(&peer);
}

TEST(grpc_over_tls_keeps_its_connection)
{
    const char *folder = tap_directory();
    struct peer peer;

    if (!peer_start(&peer, "serve", folder))
        return;
    struct np_send_transport *transport = open_tls(peer.port, folder, NP_OTLP_GRPC, true, true);
    for (int i = 0; i < 3; i++) {
        struct np_send_reply reply = ask(transport, NP_OTLP_TRACES, "partial 2 x", 5);
        tap_check(reply.outcome == NP_SEND_PARTIAL, __FILE__, __LINE__, "%s", reply.text);
    }
    np_send_transport_freep(&transport);
    peer_stop(&peer);
}

int main(int argc, char **argv)
{
    if (getenv("NP_TEST_WITHOUT_LIBCURL"))
        return run_without_libcurl();
    return tap_main(argc, argv);
}
