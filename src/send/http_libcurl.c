/*
 * One multi handle of libcurl holds the connections of all clients; it waits for the network and for
 * `cancel_fd` at the same time. Each client has an easy handle, which keeps the options that do not
 * change between requests.
 *
 * The status of a gRPC answer comes in trailers, or in the first block of headers when the answer
 * has no body.
 */
#include "send/http_libcurl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "send/destination.h"
#include "send/libcurl.h"

enum {
    /* The first version of libcurl whose second request on a kept connection of HTTP/2 without TLS
     * does not fail. */
    REUSES_H2C = 0x080000,
};

struct client {
    struct np_send_http_client base;
    const struct np_libcurl *curl;
    CURL *easy;
    bool is_grpc;
    bool is_fresh_each_time; /* connections are not kept */
    bool is_fresh_next;      /* the next request makes a new one */

    /* The current request. */
    struct np_send_exchange *now;
    struct curl_slist *headers;
    char trouble[CURL_ERROR_SIZE];
};

/* The pool of connections of the process. */
static struct {
    CURLM *multi;
    int n_users;
    bool has_kept; /* the last answer left a connection for the next request */
} shared;

static bool join_shared(const struct np_libcurl *curl)
{
    if (!shared.multi)
        shared.multi = curl->multi_init();
    shared.n_users += shared.multi != NULL;
    return shared.multi;
}

static void leave_shared(const struct np_libcurl *curl)
{
    if (--shared.n_users > 0)
        return;
    curl->multi_cleanup(shared.multi);
    shared.multi = NULL;
    shared.has_kept = false;
}

/* Opening. */

static int check_file(const char *path, const char *what, struct np_error *err)
{
    if (!path || access(path, R_OK) == 0)
        return 0;
    return np_error_set(err, NP_ENOINPUT, "'%s': expected a readable file with the %s in PEM", path,
                        what);
}

static int check_destination(const struct np_libcurl *curl, const struct np_send_destination *to,
                             struct np_error *err)
{
    int features = curl->version->features;

    if (np_starts_with(to->url, "https:") && !(features & CURL_VERSION_SSL))
        return np_error_set(err, NP_EUSAGE, "this libcurl cannot do https");
    if (to->protocol == NP_OTLP_GRPC && !(features & CURL_VERSION_HTTP2))
        return np_error_set(err, NP_EUSAGE,
                            "this libcurl cannot do HTTP/2, which gRPC needs: use http/protobuf");
    NP_TRY(check_file(to->ca_certificate, "certificates to trust", err));
    NP_TRY(check_file(to->client_certificate, "client's certificate", err));
    return check_file(to->client_key, "client's key", err);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *self)
{
    struct client *client = self;
    struct np_otlp_buffer *body = &client->now->body_in;
    size_t n_bytes = size * n;

    np_otlp_buffer_add(body, bytes, n_bytes);
    /* A return value other than `n_bytes` ends the transfer. gRPC's status comes after the body, so
     * the rest of a long gRPC answer is read and dropped. */
    return body->failed && !client->is_grpc ? 0 : n_bytes;
}

/* libcurl calls this for trailers, too. */
static size_t on_header(char *line, size_t size, size_t n, void *self)
{
    struct client *client = self;

    np_send_answer_header(&client->now->headers_in, line, size * n);
    return size * n;
}

#define SET(option, value) client->curl->easy_setopt(client->easy, CURLOPT_##option, value)

static void set_tls(struct client *client, const struct np_send_destination *to)
{
    const char *ca = to->ca_certificate ? to->ca_certificate : getenv("SSL_CERT_FILE");

    if (ca && *ca)
        SET(CAINFO, ca);
    if (to->client_certificate)
        SET(SSLCERT, to->client_certificate);
    if (to->client_key)
        SET(SSLKEY, to->client_key);
    /* Else OpenSSL asks on the terminal for the pass phrase of an encrypted key, which may stand in
     * the certificate's file. */
    SET(KEYPASSWD, "");
}

static void set_http_version(struct client *client, bool is_secure)
{
    bool is_old = client->curl->version->version_num < REUSES_H2C;

    if (!client->is_grpc)
        return;
    SET(HTTP_VERSION,
        is_secure ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    SET(HTTPPROXYTUNNEL, 1L); /* without a tunnel, proxies translate to HTTP/1 */
    client->is_fresh_each_time = is_old && !is_secure;
}

/* The proxy of the settings or none: libcurl must not read http_proxy, https_proxy and no_proxy by
 * itself. */
static void set_proxy(struct client *client, const struct np_send_destination *to)
{
    SET(PROXY, to->proxy ? to->proxy : "");
    SET(NOPROXY, "");
}

static void set_options(struct client *client, const struct np_send_destination *to)
{
    SET(URL, to->url);
    SET(POST, 1L);
    SET(NOSIGNAL, 1L);
    if (to->connect_timeout_s > 0) /* a silent name server costs no more than this */
        SET(CONNECTTIMEOUT_MS, (long)(to->connect_timeout_s * 1000));
    SET(FOLLOWLOCATION, 0L); /* a redirect would receive the headers, which may hold secrets */
    SET(SUPPRESS_CONNECT_HEADERS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(QUICK_EXIT, 1L); /* the process need not wait for a silent name server when it exits */
#endif
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, client);
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, client);
    SET(ERRORBUFFER, client->trouble);
    SET(USERAGENT, NP_SEND_USER_AGENT);
    if (!client->is_grpc && (client->curl->version->features & CURL_VERSION_LIBZ))
        SET(ACCEPT_ENCODING, "gzip");
    if (to->user) {
        SET(HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(USERPWD, to->user);
    }
    set_http_version(client, np_starts_with(to->url, "https:"));
    set_proxy(client, to);
    set_tls(client, to);
}

/* Append to the list, which `*list` is; false when there is no memory. */
static bool add_header(const struct np_libcurl *curl, struct curl_slist **list, const char *header)
{
    struct curl_slist *grown = curl->slist_append(*list, header);

    *list = grown ? grown : *list;
    return grown;
}

static void close_client(struct np_send_http_client *base)
{
    struct client *client = (void *)base;

    client->curl->slist_free_all(client->headers);
    if (client->easy)
        client->curl->easy_cleanup(client->easy);
    leave_shared(client->curl);
    free(client);
}

/* The exchange. */

/* "Expect:" keeps libcurl from waiting for "100 Continue" before it sends a body. */
static bool set_headers(struct client *client, const struct np_strings *headers)
{
    client->curl->slist_free_all(client->headers);
    client->headers = NULL;
    bool is_whole = add_header(client->curl, &client->headers, "Expect:");
    for (size_t i = 0; i < headers->n && is_whole; i++)
        is_whole = add_header(client->curl, &client->headers, headers->item[i]);
    return is_whole;
}

/* Run the transfer until it ends, the deadline passes or the caller cancels: NP_SEND_END_WHOLE, _LATE
 * or _CANCELED. `*code` is libcurl's result of a transfer that ended. */
static enum np_send_end run(struct client *client, CURLcode *code)
{
    const struct np_libcurl *curl = client->curl;
    int cancel_fd = client->now->cancel_fd;
    struct curl_waitfd wait = {.fd = cancel_fd, .events = CURL_WAIT_POLLIN};
    int n_running = 1, n_left;

    *code = CURLE_FAILED_INIT;
    for (;;) {
        if (curl->multi_perform(shared.multi, &n_running) != CURLM_OK)
            return NP_SEND_END_WHOLE;
        CURLMsg *message;
        while ((message = curl->multi_info_read(shared.multi, &n_left)))
            if (message->msg == CURLMSG_DONE && message->easy_handle == client->easy)
                *code = message->data.result;
        if (n_running == 0)
            return NP_SEND_END_WHOLE;
        if (np_send_is_canceled(cancel_fd))
            return NP_SEND_END_CANCELED;
        int64_t left_ms = np_send_left_ms(client->now);
        if (left_ms <= 0)
            return NP_SEND_END_LATE;
        int wait_ms = left_ms < NP_SEND_LONGEST_WAIT_MS ? (int)left_ms : NP_SEND_LONGEST_WAIT_MS;
        curl->multi_poll(shared.multi, &wait, cancel_fd >= 0, wait_ms, NULL);
    }
}

/* True once the connection was made, TLS included. */
static bool is_connected(const struct client *client)
{
    curl_off_t until_us = 0;

    client->curl->easy_getinfo(client->easy, CURLINFO_PRETRANSFER_TIME_T, &until_us);
    return until_us > 0;
}

static int http_status(const struct client *client)
{
    long status = 0;

    client->curl->easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* The outcome of a transfer that failed without an answer, of a request of `n_bytes`. */
static enum np_send_outcome outcome_of(CURLcode code, bool was_connected, size_t n_bytes)
{
    /* A server may reset the stream of a message that is too large, without an answer. */
    enum { SUSPICIOUSLY_LARGE = 1 << 20 };

    switch (code) {
    case CURLE_HTTP2_STREAM:
        return n_bytes > SUSPICIOUSLY_LARGE ? NP_SEND_TOO_LARGE : NP_SEND_RETRY;
    case CURLE_HTTP2:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_OUT_OF_MEMORY:
        return NP_SEND_RETRY;
    case CURLE_OPERATION_TIMEDOUT:
        return was_connected ? NP_SEND_RETRY : NP_SEND_UNREACHABLE;
    default:
        return NP_SEND_UNREACHABLE;
    }
}

/* The end of a transfer. The body of an answer whose end is missing is not used. */
static enum np_send_end end_of(const struct client *client, CURLcode code)
{
    const struct np_send_exchange *now = client->now;
    bool has_status = *now->headers_in.grpc_status;

    if (code == CURLE_OK)
        return NP_SEND_END_WHOLE;
    /* libcurl before 8.0 may end the transfer early when GOAWAY comes with the answer. */
    if (client->is_grpc)
        return has_status || (now->http_status == 200 &&
                              np_send_answer_is_message(now->body_in.bytes, now->body_in.length))
                   ? NP_SEND_END_WHOLE
                   : NP_SEND_END_BROKEN;
    return has_status || (now->http_status > 0 &&
                          (code == CURLE_WRITE_ERROR || code == CURLE_BAD_CONTENT_ENCODING))
               ? NP_SEND_END_STATUS
               : NP_SEND_END_BROKEN;
}

/* True when the request failed because the server had closed the kept connection, or was about to
 * close it (GOAWAY). */
static bool was_stale(const struct client *client, CURLcode code)
{
    long n_new = 1;

    client->curl->easy_getinfo(client->easy, CURLINFO_NUM_CONNECTS, &n_new);
    return n_new == 0 && client->now->http_status == 0 &&
           (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
            code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM);
}

static void set_trouble(const struct client *client, CURLcode code)
{
    struct np_send_exchange *now = client->now;

    snprintf(now->trouble, sizeof(now->trouble), "%s%s",
             *client->trouble ? client->trouble : client->curl->easy_strerror(code),
             code == CURLE_SSL_CERTPROBLEM ? "; a key that is encrypted cannot be used: its pass "
                                             "phrase is never asked for"
                                           : "");
}

static enum np_send_end attempt(struct client *client, bool is_fresh, CURLcode *code)
{
    const struct np_libcurl *curl = client->curl;

    client->trouble[0] = '\0';
    SET(HTTPHEADER, client->headers);
    SET(POSTFIELDS, client->now->body->bytes);
    SET(POSTFIELDSIZE_LARGE, (curl_off_t)client->now->body->length);
    SET(FRESH_CONNECT, (long)is_fresh);
    SET(FORBID_REUSE, (long)client->is_fresh_each_time);
    if (curl->multi_add_handle(shared.multi, client->easy) != CURLM_OK) {
        *code = CURLE_OUT_OF_MEMORY;
        return NP_SEND_END_WHOLE;
    }
    enum np_send_end how = run(client, code);
    curl->multi_remove_handle(shared.multi, client->easy);
    return how;
}

static void exchange(struct np_send_http_client *base, struct np_send_exchange *now)
{
    struct client *client = (void *)base;
    bool is_fresh = client->is_fresh_each_time || client->is_fresh_next;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    client->now = now;
    /* On a kept connection libcurl sends a request and, when that one was closed, once more on a new
     * connection, which may be refused. */
    now->had_kept = shared.has_kept && !is_fresh;
    now->end = NP_SEND_END_WHOLE;
    if (set_headers(client, now->headers))
        now->end = attempt(client, is_fresh, &code);
    now->http_status = http_status(client);
    now->was_connected = is_connected(client);
    bool has_ended = now->end == NP_SEND_END_WHOLE;
    now->is_stale = has_ended && was_stale(client, code);
    if (has_ended)
        now->end = now->is_stale ? NP_SEND_END_BROKEN : end_of(client, code);
    now->outcome = outcome_of(code, now->was_connected, now->n_bytes);
    set_trouble(client, code);
    client->is_fresh_next = now->is_stale;
    shared.has_kept = has_ended && code == CURLE_OK && !client->is_fresh_each_time;
}

int np_send_http_libcurl_open(const struct np_send_destination *to,
                              struct np_send_http_client **out, struct np_error *err)
{
    const struct np_libcurl *curl = np_libcurl_load(err);

    if (!curl)
        return NP_ENOINPUT;
    NP_TRY(check_destination(curl, to, err));
    if (!join_shared(curl))
        return np_error_set(err, NP_ENOMEM, "no memory to send telemetry");
    struct client *client = np_xcalloc(1, sizeof(*client));
    *client = (struct client){.base = {.exchange = exchange, .close = close_client},
                              .curl = curl,
                              .is_grpc = to->protocol == NP_OTLP_GRPC,
                              .easy = curl->easy_init()};
    if (!client->easy) {
        close_client(&client->base);
        return np_error_set(err, NP_ENOMEM, "no memory to send telemetry");
    }
    set_options(client, to);
    *out = &client->base;
    return 0;
}
