/*
 * Requests by libcurl. One multi handle holds the connections of all transports; it waits for the
 * network and for `cancel_fd` at the same time. Each transport has an easy handle, which keeps the
 * options that do not change between requests.
 *
 * A unary gRPC call is a POST over HTTP/2. Its body is a flag byte, a length of four bytes and the
 * message. The status of the answer comes in trailers, or in the first block of headers when the
 * answer has no body.
 */
#include "send/transport.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "codec/deflate.h"
#include "otlp/buffer.h"
#include "send/answer.h"
#include "send/destination.h"
#include "send/libcurl.h"

enum {
    MOST_ANSWER = 4 << 20, /* bytes of an answer that are kept */
    GRPC_PREFIX = 5,
    /* The first version of libcurl whose second request on a kept connection of HTTP/2 without TLS
     * does not fail. */
    REUSES_H2C = 0x080000,
};

struct np_send_transport {
    const struct np_libcurl *curl;
    CURL *easy;
    enum np_otlp_protocol protocol;
    enum np_send_compression compression;
    double timeout_s; /* of one request; 0 = none */
    struct np_send_hangup *hangup;
    struct curl_slist *destination_headers;
    bool is_fresh_each_time; /* connections are not kept */
    bool is_fresh_next;      /* the next request makes a new one */

    /* The current request and its answer. */
    struct curl_slist *headers;
    struct np_otlp_buffer packed, answer;
    struct np_send_answer_headers answer_headers;
    bool is_cut; /* the answer was longer than MOST_ANSWER */
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

static bool is_grpc(const struct np_send_transport *transport)
{
    return transport->protocol == NP_OTLP_GRPC;
}

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
    struct np_send_transport *transport = self;
    size_t n_bytes = size * n;

    np_otlp_buffer_add(&transport->answer, bytes, n_bytes);
    transport->is_cut = transport->answer.failed != 0;
    /* A return value other than `n_bytes` ends the transfer. gRPC's status comes after the body, so
     * the rest of a long gRPC answer is read and dropped. */
    return transport->is_cut && !is_grpc(transport) ? 0 : n_bytes;
}

/* libcurl calls this for trailers, too. */
static size_t on_header(char *line, size_t size, size_t n, void *self)
{
    struct np_send_transport *transport = self;

    np_send_answer_header(&transport->answer_headers, line, size * n);
    return size * n;
}

#define SET(option, value) transport->curl->easy_setopt(transport->easy, CURLOPT_##option, value)

static void set_tls(struct np_send_transport *transport, const struct np_send_destination *to)
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

static void set_http_version(struct np_send_transport *transport, bool is_secure)
{
    bool is_old = transport->curl->version->version_num < REUSES_H2C;

    if (!is_grpc(transport))
        return;
    SET(HTTP_VERSION,
        is_secure ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    SET(HTTPPROXYTUNNEL, 1L); /* without a tunnel, proxies translate to HTTP/1 */
    transport->is_fresh_each_time = is_old && !is_secure;
}

/* The proxy of the settings or none: libcurl must not read http_proxy, https_proxy and no_proxy by
 * itself. */
static void set_proxy(struct np_send_transport *transport, const struct np_send_destination *to)
{
    SET(PROXY, to->proxy ? to->proxy : "");
    SET(NOPROXY, "");
}

static void set_options(struct np_send_transport *transport, const struct np_send_destination *to)
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
    SET(WRITEDATA, transport);
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, transport);
    SET(ERRORBUFFER, transport->trouble);
    SET(USERAGENT, "neuro-preprocess/" NP_VERSION " OTel-OTLP-Exporter-C/" NP_VERSION);
    if (!is_grpc(transport) && (transport->curl->version->features & CURL_VERSION_LIBZ))
        SET(ACCEPT_ENCODING, "gzip");
    if (to->user) {
        SET(HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(USERPWD, to->user);
    }
    set_http_version(transport, np_starts_with(to->url, "https:"));
    set_proxy(transport, to);
    set_tls(transport, to);
}

/* Append to the list, which `*list` is; false when there is no memory. */
static bool add_header(const struct np_libcurl *curl, struct curl_slist **list, const char *header)
{
    struct curl_slist *grown = curl->slist_append(*list, header);

    *list = grown ? grown : *list;
    return grown;
}

static bool copy_headers(struct np_send_transport *transport, const struct np_strings *headers)
{
    for (size_t i = 0; i < headers->n; i++)
        if (!add_header(transport->curl, &transport->destination_headers, headers->item[i]))
            return false;
    return true;
}

int np_send_transport_open(const struct np_send_destination *destination,
                           struct np_send_transport **out, struct np_error *err)
{
    const struct np_libcurl *curl = np_libcurl_load(err);

    if (!curl)
        return NP_ENOINPUT;
    NP_TRY(check_destination(curl, destination, err));
    NP_AUTO(np_send_transport_freep)
    struct np_send_transport *transport = np_xcalloc(1, sizeof(*transport));
    if (!join_shared(curl))
        return np_error_set(err, NP_ENOMEM, "no memory to send telemetry");
    transport->curl = curl;
    transport->answer.most = MOST_ANSWER;
    transport->protocol = destination->protocol;
    transport->compression = destination->compression;
    transport->timeout_s = destination->timeout_s;
    transport->easy = curl->easy_init();
    if (!transport->easy || !copy_headers(transport, &destination->headers))
        return np_error_set(err, NP_ENOMEM, "no memory to send telemetry");
    set_options(transport, destination);
    *out = transport;
    transport = NULL;
    return 0;
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
    if (transport->curl) {
        transport->curl->slist_free_all(transport->headers);
        transport->curl->slist_free_all(transport->destination_headers);
        if (transport->easy)
            transport->curl->easy_cleanup(transport->easy);
        leave_shared(transport->curl);
    }
    np_otlp_buffer_done(&transport->packed);
    np_otlp_buffer_done(&transport->answer);
    free(transport);
    *address = NULL;
}

/* The request. */

/* Append a gzip member (RFC 1952) with the `n` bytes to `out`. */
static int gzip(const void *bytes, size_t n, struct np_otlp_buffer *out)
{
    static const char head[10] = {'\x1f', '\x8b', 8, 0, 0, 0, 0, 0, 0, '\xff'};
    NP_AUTO(np_freep) void *part = np_try_malloc(np_deflate_bound(n), 1);
    size_t n_part = 0;
    uint8_t tail[8];

    if (!part || np_deflate_part(bytes, n, part, &n_part, NULL) < 0)
        return NP_ENOMEM;
    uint32_t crc = np_crc32(0, bytes, n);
    for (size_t i = 0; i < 4; i++) {
        tail[i] = (uint8_t)(crc >> 8 * i);
        tail[4 + i] = (uint8_t)(n >> 8 * i);
    }
    np_otlp_buffer_add(out, head, sizeof(head));
    np_otlp_buffer_add(out, part, n_part);
    np_otlp_buffer_add(out, NP_DEFLATE_END, NP_DEFLATE_END_BYTES);
    np_otlp_buffer_add(out, tail, sizeof(tail));
    return out->failed;
}

/* Make the body as it is transferred: compressed where the destination wants it, with gRPC's prefix
 * for gRPC. */
static int pack(struct np_send_transport *transport, const void *body, size_t n)
{
    struct np_otlp_buffer *out = &transport->packed;
    bool is_gzip = transport->compression == NP_SEND_GZIP;

    np_otlp_buffer_cut(out, 0);
    if (is_grpc(transport))
        np_otlp_buffer_add(out, (const char[GRPC_PREFIX]){is_gzip}, GRPC_PREFIX);
    if (is_gzip && gzip(body, n, out) < 0)
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

static bool set_headers(struct np_send_transport *transport, const char *batch_id, double timeout_s)
{
    static const char *const types[] = {[NP_OTLP_HTTP_PROTOBUF] = "application/x-protobuf",
                                        [NP_OTLP_HTTP_JSON] = "application/json",
                                        [NP_OTLP_GRPC] = "application/grpc"};
    const struct np_libcurl *curl = transport->curl;
    struct curl_slist **list = &transport->headers;
    bool is_gzip = transport->compression == NP_SEND_GZIP;
    char type[64], timeout[48], batch[96];

    curl->slist_free_all(*list);
    *list = NULL;
    snprintf(type, sizeof(type), "Content-Type: %s", types[transport->protocol]);
    format_timeout(timeout_s, timeout, sizeof(timeout));
    bool is_whole = add_header(curl, list, type) && add_header(curl, list, "Expect:");
    if (is_gzip)
        is_whole = is_whole && add_header(curl, list,
                                          is_grpc(transport) ? "grpc-encoding: gzip"
                                                             : "Content-Encoding: gzip");
    if (is_grpc(transport))
        is_whole = is_whole && add_header(curl, list, "te: trailers") &&
                   add_header(curl, list, "grpc-accept-encoding: identity,gzip") &&
                   add_header(curl, list, timeout);
    if (batch_id) {
        snprintf(batch, sizeof(batch), "x-neuro-batch-id: %s", batch_id);
        is_whole = is_whole && add_header(curl, list, batch);
    }
    for (const struct curl_slist *own = transport->destination_headers; own; own = own->next)
        is_whole = is_whole && add_header(curl, list, own->data);
    return is_whole;
}

/* The exchange. */

static bool is_canceled(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return fd >= 0 && poll(&poll_fd, 1, 0) > 0;
}

/* When a request ends, at `deadline_ns` or before: the other end may have hung up. */
static int64_t last_ns(const struct np_send_transport *transport, int64_t deadline_ns)
{
    struct np_send_hangup *hangup = transport->hangup;

    if (!hangup)
        return deadline_ns;
    struct pollfd poll_fd = {.fd = hangup->fd};
    if (hangup->at_ns == 0 && poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLHUP))
        hangup->at_ns = np_clock_mono_ns();
    if (hangup->at_ns == 0)
        return deadline_ns;
    int64_t over_ns = hangup->at_ns + (int64_t)(hangup->grace_s * 1e9);
    return over_ns < deadline_ns ? over_ns : deadline_ns;
}

enum exchange { EXCHANGE_ENDED, EXCHANGE_LATE, EXCHANGE_CANCELED };

/* Run the transfer until it ends, the deadline passes or the caller cancels. `*code` is libcurl's
 * result of a transfer that ended. */
static enum exchange exchange(struct np_send_transport *transport, int64_t deadline_ns,
                              int cancel_fd, CURLcode *code)
{
    enum { LONGEST_WAIT_MS = 250 }; /* to look for a hang-up */
    const struct np_libcurl *curl = transport->curl;
    struct curl_waitfd wait = {.fd = cancel_fd, .events = CURL_WAIT_POLLIN};
    int n_running = 1, n_left;

    *code = CURLE_FAILED_INIT;
    for (;;) {
        if (curl->multi_perform(shared.multi, &n_running) != CURLM_OK)
            return EXCHANGE_ENDED;
        CURLMsg *message;
        while ((message = curl->multi_info_read(shared.multi, &n_left)))
            if (message->msg == CURLMSG_DONE && message->easy_handle == transport->easy)
                *code = message->data.result;
        if (n_running == 0)
            return EXCHANGE_ENDED;
        if (is_canceled(cancel_fd))
            return EXCHANGE_CANCELED;
        int64_t left_ms = (last_ns(transport, deadline_ns) - np_clock_mono_ns()) / 1000000;
        if (left_ms <= 0)
            return EXCHANGE_LATE;
        int wait_ms = left_ms < LONGEST_WAIT_MS ? (int)left_ms : LONGEST_WAIT_MS;
        curl->multi_poll(shared.multi, &wait, cancel_fd >= 0, wait_ms, NULL);
    }
}

/* True once the connection was made, TLS included. */
static bool is_connected(const struct np_send_transport *transport)
{
    curl_off_t until_us = 0;

    transport->curl->easy_getinfo(transport->easy, CURLINFO_PRETRANSFER_TIME_T, &until_us);
    return until_us > 0;
}

static int http_status(const struct np_send_transport *transport)
{
    long status = 0;

    transport->curl->easy_getinfo(transport->easy, CURLINFO_RESPONSE_CODE, &status);
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

static void read_answer(const struct np_send_transport *transport, CURLcode code,
                        struct np_send_reply *reply)
{
    const struct np_send_answer answer = {
        .protocol = transport->protocol,
        .http_status = http_status(transport),
        .headers = &transport->answer_headers,
        .body = transport->answer.bytes,
        .n_body = code == CURLE_OK || is_grpc(transport) ? transport->answer.length : 0,
        .now_unix_ns = np_clock_unix_ns(),
    };

    np_send_answer_read(&answer, reply);
}

/* True when the answer came to its end, or at least to its status. The body of an answer whose end
 * is missing is ignored. */
static bool has_answer(const struct np_send_transport *transport, CURLcode code)
{
    if (code == CURLE_OK || *transport->answer_headers.grpc_status)
        return true;
    /* libcurl before 8.0 may end the transfer early when GOAWAY comes with the answer. */
    if (is_grpc(transport))
        return http_status(transport) == 200 &&
               np_send_answer_is_message(transport->answer.bytes, transport->answer.length);
    return http_status(transport) > 0 &&
           (code == CURLE_WRITE_ERROR || code == CURLE_BAD_CONTENT_ENCODING);
}

/* True when the request failed because the server had closed the kept connection, or was about to
 * close it (GOAWAY). */
static bool was_stale(const struct np_send_transport *transport, CURLcode code)
{
    long n_new = 1;

    transport->curl->easy_getinfo(transport->easy, CURLINFO_NUM_CONNECTS, &n_new);
    return n_new == 0 && http_status(transport) == 0 &&
           (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
            code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM);
}

static enum exchange attempt(struct np_send_transport *transport, bool is_fresh,
                             int64_t deadline_ns, int cancel_fd, CURLcode *code)
{
    const struct np_libcurl *curl = transport->curl;

    np_otlp_buffer_cut(&transport->answer, 0);
    transport->answer_headers = (struct np_send_answer_headers){0};
    transport->is_cut = false;
    transport->trouble[0] = '\0';
    SET(FRESH_CONNECT, (long)is_fresh);
    SET(FORBID_REUSE, (long)transport->is_fresh_each_time);
    if (curl->multi_add_handle(shared.multi, transport->easy) != CURLM_OK) {
        *code = CURLE_OUT_OF_MEMORY;
        return EXCHANGE_ENDED;
    }
    enum exchange how = exchange(transport, deadline_ns, cancel_fd, code);
    curl->multi_remove_handle(shared.multi, transport->easy);
    return how;
}

static void set_reply(const struct np_send_transport *transport, enum exchange how, CURLcode code,
                      size_t n_bytes, struct np_send_reply *reply)
{
    const char *trouble =
        *transport->trouble ? transport->trouble : transport->curl->easy_strerror(code);

    if (how == EXCHANGE_CANCELED)
        np_send_reply_set(reply, NP_SEND_CANCELED, "canceled");
    else if (how == EXCHANGE_LATE)
        np_send_reply_set(reply,
                          outcome_of(CURLE_OPERATION_TIMEDOUT, is_connected(transport), n_bytes),
                          is_connected(transport) ? "no answer in time" : "no connection in time");
    else if (has_answer(transport, code))
        read_answer(transport, code, reply);
    else if (code == CURLE_SSL_CERTPROBLEM)
        np_send_reply_set(reply, NP_SEND_UNREACHABLE,
                          "%s; a key that is encrypted cannot be used: its pass phrase is never "
                          "asked for",
                          trouble);
    else
        np_send_reply_set(reply, outcome_of(code, is_connected(transport), n_bytes), "%s", trouble);
}

void np_send_transport_send(struct np_send_transport *transport, const void *body, size_t n_bytes,
                            const char *batch_id, int64_t deadline_ns, int cancel_fd,
                            struct np_send_reply *reply)
{
    int64_t now_ns = np_clock_mono_ns();
    double left_s = (double)(deadline_ns - now_ns) / 1e9;
    CURLcode code;

    if (transport->timeout_s > 0 && transport->timeout_s < left_s) {
        left_s = transport->timeout_s;
        deadline_ns = now_ns + (int64_t)(left_s * 1e9);
    }
    if (left_s <= 0) {
        np_send_reply_set(reply, NP_SEND_RETRY, "no time was left to send");
        return;
    }
    if (is_canceled(cancel_fd)) { /* a request whose answer is not read would be sent again */
        np_send_reply_set(reply, NP_SEND_CANCELED, "canceled");
        return;
    }
    if (pack(transport, body, n_bytes) < 0 || !set_headers(transport, batch_id, left_s)) {
        np_send_reply_set(reply, NP_SEND_RETRY, "no memory to send");
        return;
    }
    SET(HTTPHEADER, transport->headers);
    SET(POSTFIELDS, transport->packed.bytes);
    SET(POSTFIELDSIZE_LARGE, (curl_off_t)transport->packed.length);
    bool is_fresh = transport->is_fresh_each_time || transport->is_fresh_next;
    bool had_kept = shared.has_kept && !is_fresh;
    enum exchange how = attempt(transport, is_fresh, deadline_ns, cancel_fd, &code);
    transport->is_fresh_next = how == EXCHANGE_ENDED && was_stale(transport, code);
    set_reply(transport, how, code, n_bytes, reply);
    if (transport->is_fresh_next) {
        np_send_reply_set(reply, NP_SEND_RETRY, "the server had closed the kept connection");
        reply->is_stale = true;
    }
    /* On a kept connection libcurl sends a request and, when that one was closed, once more on a new
     * connection, which may be refused. */
    reply->may_be_stored = had_kept;
    shared.has_kept = how == EXCHANGE_ENDED && code == CURLE_OK && !transport->is_fresh_each_time;
}
