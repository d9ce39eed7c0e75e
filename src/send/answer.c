#include "send/answer.h"

#include <ctype.h>
#include <math.h>
#include <otlp_answers.pb-c.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/str.h"
#include "codec/deflate.h"
#include "otlp/reader.h"

enum { MOST_TEXT = sizeof((struct np_send_reply){0}.text) };

/* Make one line of valid UTF-8 of `text`, in place: bytes that are not UTF-8 become '?', control
 * characters become blanks. */
static void clean(char *text)
{
    for (char *c = text; *c;) {
        size_t n = np_utf8_sequence(c);
        if (n == 0)
            *c = '?';
        else if (n == 1 && iscntrl((unsigned char)*c))
            *c = ' ';
        c += n ? n : 1;
    }
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '\0';
}

void np_send_reply_set(struct np_send_reply *reply, enum np_send_outcome outcome,
                       const char *format, ...)
{
    char text[2 * MOST_TEXT];
    va_list args;

    *reply = (struct np_send_reply){.outcome = outcome, .grpc_status = -1, .retry_after_s = -1};
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    clean(text);
    np_utf8_cut(text, MOST_TEXT - 1);
    memcpy(reply->text, text, strlen(text) + 1);
}

/* Headers. */

void np_send_answer_header(struct np_send_answer_headers *headers, const char *line, size_t n)
{
    const struct {
        const char *name;
        char *value;
        size_t size;
    } table[] = {
        {"content-type", headers->content_type, sizeof(headers->content_type)},
        {"retry-after", headers->retry_after, sizeof(headers->retry_after)},
        {"grpc-status", headers->grpc_status, sizeof(headers->grpc_status)},
        {"grpc-message", headers->grpc_message, sizeof(headers->grpc_message)},
        {"grpc-status-details-bin", headers->grpc_status_details,
         sizeof(headers->grpc_status_details)},
        {"grpc-encoding", headers->grpc_encoding, sizeof(headers->grpc_encoding)},
    };
    const char *colon = memchr(line, ':', n);

    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        *headers = (struct np_send_answer_headers){0};
        return;
    }
    for (size_t i = 0; colon && i < NP_COUNT(table); i++) {
        if (strlen(table[i].name) != (size_t)(colon - line) ||
            strncasecmp(table[i].name, line, (size_t)(colon - line)) != 0)
            continue;
        const char *value = colon + 1, *end = line + n;
        while (value < end && isspace((unsigned char)*value))
            value++;
        while (end > value && isspace((unsigned char)end[-1]))
            end--;
        size_t length = (size_t)(end - value);
        length = length < table[i].size ? length : table[i].size - 1;
        memcpy(table[i].value, value, length);
        table[i].value[length] = '\0';
    }
}

/* RFC 9110 has three forms of a date. Months and days are English: the program never sets a locale,
 * so strptime reads English names. */
static bool http_date(const char *value, int64_t *unix_s)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};

    for (size_t i = 0; i < NP_COUNT(forms); i++) {
        struct tm date = {0};
        const char *rest = strptime(value, forms[i], &date);
        if (rest && !*rest) {
            *unix_s = timegm(&date);
            return true;
        }
    }
    return false;
}

double np_send_retry_after_s(const char *value, int64_t now_unix_ns)
{
    const double most_s = 1e9;
    int64_t unix_s;
    char *rest;

    if (isdigit((unsigned char)*value)) {
        double seconds = strtod(value, &rest);
        if (!*rest && isfinite(seconds))
            return seconds < most_s ? seconds : most_s;
        /* A number with too many digits for a double is still a number. */
        return strspn(value, "0123456789") == strlen(value) ? most_s : -1;
    }
    if (!http_date(value, &unix_s))
        return -1;
    double left_s = (double)unix_s - (double)now_unix_ns / 1e9;
    return left_s < 0 ? 0 : left_s < most_s ? left_s : most_s;
}

/* The texts and numbers in bodies and in gRPC's details. */

struct finding {
    int64_t n_rejected;
    double retry_delay_s; /* -1 = none */
    char text[MOST_TEXT]; /* "" = none */
};

static void find_text(struct finding *finding, const char *text, size_t n)
{
    size_t most = sizeof(finding->text) - 1;

    snprintf(finding->text, sizeof(finding->text), "%.*s", (int)(n < most ? n : most), text);
    clean(finding->text);
}

/* Read partialSuccess from an Export…ServiceResponse in protobuf. */
static void find_partial(const void *bytes, size_t n, struct finding *finding)
{
    Np__Otlp__ExportServiceResponse *response =
        np__otlp__export_service_response__unpack(NULL, n, bytes);

    if (!response)
        return;
    if (response->partial_success) {
        const char *message = response->partial_success->error_message;
        finding->n_rejected = response->partial_success->rejected;
        find_text(finding, message, strlen(message));
    }
    np__otlp__export_service_response__free_unpacked(response, NULL);
}

static void find_retry_delay(const Np__Otlp__Any *detail, struct finding *finding)
{
    if (!np_ends_with(detail->type_url, "/google.rpc.RetryInfo"))
        return;
    Np__Otlp__RetryInfo *info =
        np__otlp__retry_info__unpack(NULL, detail->value.len, detail->value.data);
    if (!info)
        return;
    double delay_s = 0;
    if (info->retry_delay)
        delay_s = (double)info->retry_delay->seconds + info->retry_delay->nanos / 1e9;
    finding->retry_delay_s = delay_s > 0 ? delay_s : 0;
    np__otlp__retry_info__free_unpacked(info, NULL);
}

/* Read a google.rpc.Status in protobuf. */
static void find_status(const void *bytes, size_t n, struct finding *finding)
{
    Np__Otlp__Status *status = np__otlp__status__unpack(NULL, n, bytes);

    if (!status)
        return;
    if (*status->message)
        find_text(finding, status->message, strlen(status->message));
    for (size_t i = 0; i < status->n_details; i++)
        find_retry_delay(status->details[i], finding);
    np__otlp__status__free_unpacked(status, NULL);
}

/* Read either of them in JSON: {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "…"}} or
 * {"code": 3, "message": "…"}. */
static void find_in_json(struct np_otlp_reader *text, int depth, struct finding *finding)
{
    static const char *const counts[] = {"rejectedSpans", "rejectedLogRecords",
                                         "rejectedDataPoints"};
    struct np_otlp_slice name, value;
    size_t n = 0;

    if (!np_otlp_reader_take(text, '{'))
        return;
    while (np_otlp_reader_member(text, &n, &name) == NP_OTLP_STEP_NEXT) {
        char key[32];
        snprintf(key, sizeof(key), "%.*s", (int)(name.n < 31 ? name.n : 31), name.text);
        if (depth == 0 && strcmp(key, "partialSuccess") == 0 && np_otlp_reader_peek(text) == '{') {
            find_in_json(text, depth + 1, finding);
            return;
        }
        bool is_text = strcmp(key, "errorMessage") == 0 || strcmp(key, "message") == 0;
        bool is_count = false;
        for (size_t i = 0; i < NP_COUNT(counts); i++)
            is_count = is_count || strcmp(key, counts[i]) == 0;
        if (is_text && np_otlp_reader_peek(text) == '"') {
            if (!np_otlp_reader_string(text, &value))
                return;
            find_text(finding, value.text, value.n);
        } else if (is_count) {
            if (!np_otlp_reader_int64(text, &finding->n_rejected))
                return;
        } else if (!np_otlp_reader_skip(text)) {
            return;
        }
    }
}

static bool is_type(const struct np_send_answer *answer, const char *type)
{
    return strncasecmp(answer->headers->content_type, type, strlen(type)) == 0;
}

/* True when an answer has the Content-Type of OTLP, whatever its status is. */
static bool is_otlp_type(const struct np_send_answer *answer)
{
    return is_type(answer, "application/json") || is_type(answer, "application/x-protobuf");
}

/* True for a success with a body that no OTLP receiver sends: that of a portal, or of a proxy. */
static bool is_foreign_success(const struct np_send_answer *answer)
{
    const char *body = answer->body;
    size_t i = 0;

    if (answer->n_body == 0)
        return false;
    while (i < answer->n_body && isspace((unsigned char)body[i]))
        i++;
    bool is_object = i < answer->n_body && body[i] == '{';
    return !is_otlp_type(answer) || (is_type(answer, "application/json") && !is_object);
}

static void find_in_body(const struct np_send_answer *answer, struct finding *finding)
{
    if (is_type(answer, "application/json")) {
        NP_AUTO(np_otlp_reader_done) struct np_otlp_reader text = {0};
        text.at = answer->body;
        text.end = text.at + answer->n_body;
        if (answer->n_body > 0)
            find_in_json(&text, 0, finding);
    } else if (is_type(answer, "application/x-protobuf") && answer->http_status / 100 == 2) {
        find_partial(answer->body, answer->n_body, finding);
    } else if (is_type(answer, "application/x-protobuf")) {
        find_status(answer->body, answer->n_body, finding);
    } else if (is_type(answer, "text/plain") && answer->n_body > 0) {
        find_text(finding, answer->body, answer->n_body);
    }
}

/* The server accepted the request, in full or in part. */
static void set_accepted(struct np_send_reply *reply, const struct finding *finding)
{
    const char *text = finding->text;

    if (finding->n_rejected > 0)
        np_send_reply_set(reply, NP_SEND_PARTIAL, "%lld rejected%s%s",
                          (long long)finding->n_rejected, *text ? ": " : "", text);
    else
        np_send_reply_set(reply, NP_SEND_ACCEPTED, "%s", text);
    reply->n_rejected = finding->n_rejected > 0 ? finding->n_rejected : 0;
}

/* HTTP. */

static bool has_words(const char *text, const char *words)
{
    return strcasestr(text, words) != NULL;
}

static enum np_send_outcome http_outcome(int status, const struct finding *finding)
{
    switch (status) {
    case 429:
    case 502:
    case 503:
    case 504:
        return NP_SEND_RETRY;
    case 413:
        return NP_SEND_TOO_LARGE;
    case 400: /* the Collector says so when a body is over its limit */
        return has_words(finding->text, "too large") ? NP_SEND_TOO_LARGE : NP_SEND_REFUSED;
    default:
        return NP_SEND_REFUSED;
    }
}

/* True for a status that is about the address, not about what was sent: no OTLP receiver answers
 * there, or it does not take this signal. */
static bool is_wrong_place(int status)
{
    return status == 404 || status == 405 || status == 421 || status == 501;
}

static void set_wrong_place(struct np_send_reply *reply, const char *status, const char *text)
{
    np_send_reply_set(reply, NP_SEND_UNREACHABLE,
                      "%s%s%.60s: no OTLP receiver for this signal at this address. What to do: "
                      "check host, port and path; OTEL_{TRACES,LOGS,METRICS}_EXPORTER=none leaves "
                      "a signal out",
                      status, *text ? ": " : "", text);
}

static void read_http(const struct np_send_answer *answer, struct np_send_reply *reply)
{
    struct finding finding = {.retry_delay_s = -1};
    int status = answer->http_status;

    find_in_body(answer, &finding);
    bool is_html = is_type(answer, "text/html");
    /* A web page or a redirect comes from a portal or a proxy, not from a collector. That of a
     * server error may be about the data, too: an empty request decides. */
    bool is_page = is_html && http_outcome(status, &finding) == NP_SEND_REFUSED;
    if (is_wrong_place(status)) {
        char name[16];
        snprintf(name, sizeof(name), "HTTP %d", status);
        set_wrong_place(reply, name, is_html ? "a web page" : finding.text);
    } else if ((is_page && status / 100 != 5) || status / 100 == 3) {
        np_send_reply_set(reply, NP_SEND_UNREACHABLE,
                          "HTTP %d%s: no collector answers there. What to do: check host, port and "
                          "path",
                          status, is_page ? " with a web page" : ", a redirect");
    } else if (status / 100 == 2 && is_foreign_success(answer)) {
        np_send_reply_set(reply, NP_SEND_ACCEPTED,
                          "HTTP %d, but its content ('%.60s') is not OTLP's: is this a proxy or a "
                          "portal? What to do: see whether the data arrived; replay --again sends "
                          "them once more",
                          status, answer->headers->content_type);
        reply->is_foreign = true;
    } else if (status / 100 == 2) {
        set_accepted(reply, &finding);
    } else {
        const char *text = is_page ? "a web page" : finding.text;
        np_send_reply_set(reply, http_outcome(status, &finding), "HTTP %d%s%s", status,
                          *text ? ": " : "", text);
        reply->retry_after_s = finding.retry_delay_s;
        double asked_s = np_send_retry_after_s(answer->headers->retry_after, answer->now_unix_ns);
        if (asked_s >= 0)
            reply->retry_after_s = asked_s;
        reply->is_foreign = status / 100 == 5 && !is_otlp_type(answer);
    }
    reply->http_status = status;
}

/* gRPC. */

static const char *const grpc_names[] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

enum {
    GRPC_OK = 0,
    GRPC_UNKNOWN = 2,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_PREFIX = 5
};

/* The gRPC status that gRPC's specification assigns to an HTTP status without grpc-status. */
static int grpc_of_http(int http_status)
{
    static const struct {
        int http, grpc;
    } table[] = {{400, 13}, {401, 16}, {403, 7},  {404, 12},
                 {429, 14}, {502, 14}, {503, 14}, {504, 14}};

    for (size_t i = 0; i < NP_COUNT(table); i++)
        if (table[i].http == http_status)
            return table[i].grpc;
    return GRPC_UNKNOWN;
}

static enum np_send_outcome grpc_outcome(int status, const struct finding *finding)
{
    static const int retryable[] = {1, 4, 10, 11, 14, 15};

    for (size_t i = 0; i < NP_COUNT(retryable); i++)
        if (status == retryable[i])
            return NP_SEND_RETRY;
    if (status != GRPC_RESOURCE_EXHAUSTED)
        return NP_SEND_REFUSED;
    if (finding->retry_delay_s >= 0)
        return NP_SEND_RETRY;
    return has_words(finding->text, "larger than max") ? NP_SEND_TOO_LARGE : NP_SEND_REFUSED;
}

static size_t decode_base64(const char *text, uint8_t *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int n_bits = 0;
    size_t n = 0;

    for (; *text && *text != '='; text++) {
        const char *at = strchr(alphabet, *text);
        if (!at)
            return 0;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (uint8_t)(bits >> n_bits);
        }
    }
    return n;
}

static void find_grpc_message(const char *encoded, struct finding *finding)
{
    char text[sizeof((struct np_send_answer_headers){0}.grpc_message)];
    size_t n = 0;

    for (; *encoded; encoded++) {
        char pair[3] = {encoded[0] == '%' ? encoded[1] : '\0', '\0', '\0'};
        if (pair[0])
            pair[1] = encoded[2];
        if (isxdigit((unsigned char)pair[0]) && isxdigit((unsigned char)pair[1])) {
            text[n++] = (char)strtol(pair, NULL, 16);
            encoded += 2;
        } else {
            text[n++] = *encoded;
        }
    }
    find_text(finding, text, n);
}

/* Decompress a gzip message to `out`; returns its length, 0 when it is broken or longer than
 * `most` bytes. */
static size_t inflate(const uint8_t *in, size_t n, uint8_t *out, size_t most)
{
    enum { HEAD = 10 };
    struct np_inflate *inflate = np_inflate_new();
    const uint8_t *at = in + HEAD;
    uint8_t *to = out;
    bool is_plain_head = n > HEAD && in[0] == 0x1f && in[1] == 0x8b && in[3] == 0;
    enum np_inflate_state state = NP_INFLATE_CORRUPT;

    if (inflate && is_plain_head)
        state = np_inflate_step(inflate, &at, in + n, &to, out + most);
    np_inflate_freep(&inflate);
    return state == NP_INFLATE_END ? (size_t)(to - out) : 0;
}

/* Read the one message of a gRPC answer: a flag, the length in 4 bytes, the bytes. */
static void find_in_grpc_body(const struct np_send_answer *answer, struct finding *finding)
{
    uint8_t plain[4096]; /* a partial success with a long message */
    const uint8_t *bytes = answer->body;

    if (answer->n_body < GRPC_PREFIX)
        return;
    size_t n = (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 8 | bytes[4];
    bool is_compressed = bytes[0] == 1;
    if (n > answer->n_body - GRPC_PREFIX || bytes[0] > 1)
        return;
    bytes += GRPC_PREFIX;
    if (is_compressed) {
        bool is_gzip = strcasecmp(answer->headers->grpc_encoding, "gzip") == 0;
        n = is_gzip ? inflate(bytes, n, plain, sizeof(plain)) : 0;
        bytes = plain;
    }
    if (n > 0)
        find_partial(bytes, n, finding);
}

static void read_grpc_error(const struct np_send_answer *answer, int status,
                            struct np_send_reply *reply)
{
    struct finding finding = {.retry_delay_s = -1};
    uint8_t details[sizeof(answer->headers->grpc_status_details)];
    size_t n = decode_base64(answer->headers->grpc_status_details, details);

    if (n > 0)
        find_status(details, n, &finding);
    if (*answer->headers->grpc_message)
        find_grpc_message(answer->headers->grpc_message, &finding);
    const char *name = status < (int)NP_COUNT(grpc_names) ? grpc_names[status] : "unknown status";
    np_send_reply_set(reply, grpc_outcome(status, &finding), "gRPC %d %s%s%s", status, name,
                      *finding.text ? ": " : "", finding.text);
    reply->retry_after_s = finding.retry_delay_s;
    if (status == GRPC_UNIMPLEMENTED)
        set_wrong_place(reply, "gRPC 12 UNIMPLEMENTED", finding.text);
}

/* The gRPC status of the answer, or the one that its HTTP status implies; -1 when the answer ended
 * before its status. */
static int grpc_status(const struct np_send_answer *answer)
{
    char *rest;
    long status = strtol(answer->headers->grpc_status, &rest, 10);

    if (*answer->headers->grpc_status)
        return *rest || status < 0 || status > 1000 ? GRPC_UNKNOWN : (int)status;
    return answer->http_status == 200 ? -1 : grpc_of_http(answer->http_status);
}

bool np_send_answer_is_message(const void *body, size_t n_body)
{
    const uint8_t *bytes = body;

    if (n_body < GRPC_PREFIX || bytes[0] > 1)
        return false;
    size_t n = (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 8 | bytes[4];
    return n == n_body - GRPC_PREFIX;
}

static void read_grpc(const struct np_send_answer *answer, struct np_send_reply *reply)
{
    struct finding finding = {.retry_delay_s = -1};
    int status = grpc_status(answer);

    /* libcurl before 8.0 does not report the trailers of an answer that comes with GOAWAY. A failed
     * unary call has no message, so an answer with a message is a success. Treating it as a failure
     * would send the batch again, and the server would store it twice. */
    if (status < 0 && is_type(answer, "application/grpc") &&
        np_send_answer_is_message(answer->body, answer->n_body))
        status = GRPC_OK;
    bool is_foreign = !*answer->headers->grpc_status && !is_type(answer, "application/grpc") &&
                      grpc_outcome(status, &finding) == NP_SEND_REFUSED;
    if (status == GRPC_OK) {
        find_in_grpc_body(answer, &finding);
        set_accepted(reply, &finding);
    } else if (status < 0 && !is_type(answer, "application/grpc")) {
        np_send_reply_set(reply, NP_SEND_UNREACHABLE,
                          "the answer is not gRPC: is this the port of OTLP over HTTP?");
    } else if (is_foreign) {
        np_send_reply_set(reply, NP_SEND_UNREACHABLE,
                          "HTTP %d without a gRPC status: no collector answers there. What to do: "
                          "check host, port and path",
                          answer->http_status);
    } else if (status < 0) {
        np_send_reply_set(reply, NP_SEND_RETRY, "the answer ended before its gRPC status");
    } else {
        read_grpc_error(answer, status, reply);
    }
    reply->grpc_status = status;
    reply->http_status = answer->http_status;
}

void np_send_answer_read(const struct np_send_answer *answer, struct np_send_reply *reply)
{
    if (answer->protocol == NP_OTLP_GRPC)
        read_grpc(answer, reply);
    else
        read_http(answer, reply);
}
