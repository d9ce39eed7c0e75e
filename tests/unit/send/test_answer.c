/* Answers: from status, headers and body to the outcome of a request. */
#include <stdio.h>
#include <string.h>

#include "codec/deflate.h"
#include "outcome.h"
#include "send/answer.h"
#include "tap.h"

/* 2026-11-21T10:20:30Z */
static const int64_t NOW_NS = INT64_C(1795256430) * 1000000000;

static struct np_send_reply read_answer(enum np_otlp_protocol protocol, int status,
                                        const char *headers, const void *body, size_t n)
{
    struct np_send_answer_headers kept = {0};
    struct np_send_reply reply;
    const char *line = headers;

    while (*line) {
        size_t length = strcspn(line, "\n");
        np_send_answer_header(&kept, line, length);
        line += length + (line[length] == '\n');
    }
    const struct np_send_answer answer = {.protocol = protocol,
                                          .http_status = status,
                                          .headers = &kept,
                                          .body = body,
                                          .n_body = n,
                                          .now_unix_ns = NOW_NS};
    np_send_answer_read(&answer, &reply);
    return reply;
}

#define JSON "Content-Type: application/json; charset=utf-8\n"
#define PROTOBUF "content-type: application/x-protobuf\n"

/* A body with its length. */
#define BODY(text) (text), sizeof(text) - 1

TEST(an_http_answer_means_what_the_specification_says)
{
    static const struct {
        int status;
        const char *headers, *body;
        size_t n;
        enum np_send_outcome outcome;
        int64_t n_rejected;
        double retry_after_s;
        const char *text; /* a part of the reply's text */
    } table[] = {
        {200, "", BODY(""), NP_SEND_ACCEPTED, 0, -1, ""},
        {202, JSON, BODY("{}"), NP_SEND_ACCEPTED, 0, -1, ""},
        {204, "", BODY(""), NP_SEND_ACCEPTED, 0, -1, ""},
        {200, JSON, BODY("{\"partialSuccess\":{}}"), NP_SEND_ACCEPTED, 0, -1, ""},
        {200, JSON, BODY("{\"x\":1,\"partialSuccess\":{\"errorMessage\":\"old\"}}"),
         NP_SEND_ACCEPTED, 0, -1, "old"},
        {200, JSON, BODY("{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"why\"}}"),
         NP_SEND_PARTIAL, 3, -1, "3 rejected: why"},
        {200, JSON, BODY("{\"partialSuccess\":{\"rejectedLogRecords\":4}}"), NP_SEND_PARTIAL, 4, -1,
         "4 rejected"},
        {200, JSON, BODY("{\"partialSuccess\":{\"rejectedDataPoints\":\"5\"}}"), NP_SEND_PARTIAL, 5,
         -1, "5 rejected"},
        {200, JSON, BODY("{\"partialSuccess\":{\"rejectedSpans\":\"-3\"}}"), NP_SEND_ACCEPTED, 0,
         -1, ""},
        {200, JSON, BODY("{\"partialSuccess\":"), NP_SEND_ACCEPTED, 0, -1, ""},
        {200, JSON, BODY("nonsense"), NP_SEND_ACCEPTED, 0, -1, "is not OTLP's"},
        {200, PROTOBUF, BODY("\x0a\x00"), NP_SEND_ACCEPTED, 0, -1, ""},
        {200, PROTOBUF, BODY("\x0a\x07\x08\x03\x12\x03why"), NP_SEND_PARTIAL, 3, -1,
         "3 rejected: why"},
        {200, PROTOBUF, BODY("\x0a\x7f\x08"), NP_SEND_ACCEPTED, 0, -1, ""},
        {200, "content-type: text/html", BODY("<html>"), NP_SEND_UNREACHABLE, 0, -1, "web page"},
        {301, "location: http://x", BODY(""), NP_SEND_UNREACHABLE, 0, -1, "HTTP 301"},
        {404, "content-type: text/html", BODY("<html>"), NP_SEND_UNREACHABLE, 0, -1,
         "HTTP 404: a web page: no OTLP receiver for this signal at this address. What to do: "
         "check"},
        {501, "content-type: text/html", BODY("<html>"), NP_SEND_UNREACHABLE, 0, -1,
         "HTTP 501: a web page: no OTLP receiver for this signal at this address. What to do: "
         "check"},
        {410, "content-type: text/html", BODY("<html>"), NP_SEND_UNREACHABLE, 0, -1,
         "HTTP 410 with a web page: no collector answers there. What to do: check host"},
        {500, "content-type: text/html", BODY("<html>"), NP_SEND_REFUSED, 0, -1,
         "HTTP 500: a web page"},
        {507, "content-type: text/html", BODY("<html>"), NP_SEND_REFUSED, 0, -1,
         "HTTP 507: a web page"},
        {503, "content-type: text/html", BODY("<html>"), NP_SEND_RETRY, 0, -1, "HTTP 503"},
        {400, JSON, BODY("{\"code\":3,\"message\":\"bad id\"}"), NP_SEND_REFUSED, 0, -1,
         "HTTP 400: bad id"},
        {400, PROTOBUF,
         BODY("\x08\x03\x12\x06"
              "bad id"),
         NP_SEND_REFUSED, 0, -1, "HTTP 400: bad id"},
        {400, "content-type: text/plain", BODY("http: request body too large\n"), NP_SEND_TOO_LARGE,
         0, -1, "too large"},
        {401, "", BODY(""), NP_SEND_REFUSED, 0, -1, "HTTP 401"},
        {404, "content-type: text/plain", BODY("404\r\n\x1b[31m\xff page"), NP_SEND_UNREACHABLE, 0,
         -1, "HTTP 404: 404   [31m? page: no OTLP receiver"},
        {405, "", BODY(""), NP_SEND_UNREACHABLE, 0, -1, "HTTP 405: no OTLP receiver"},
        {421, JSON, BODY("{}"), NP_SEND_UNREACHABLE, 0, -1, "no OTLP receiver"},
        {501, "", BODY(""), NP_SEND_UNREACHABLE, 0, -1, "no OTLP receiver"},
        {200, "content-type: text/plain", BODY("welcome"), NP_SEND_ACCEPTED, 0, -1,
         "is not OTLP's"},
        {408, "", BODY(""), NP_SEND_REFUSED, 0, -1, ""},
        {413, "", BODY(""), NP_SEND_TOO_LARGE, 0, -1, ""},
        {429, "Retry-After: 7\r", BODY(""), NP_SEND_RETRY, 0, 7, "HTTP 429"},
        {429, PROTOBUF,
         BODY("\x08\x08\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02"
              "\x08\x09"),
         NP_SEND_RETRY, 0, 9, "HTTP 429"},
        {500, "", BODY(""), NP_SEND_REFUSED, 0, -1, ""},
        {502, "", BODY(""), NP_SEND_RETRY, 0, -1, ""},
        {503, "retry-after: Sat, 21 Nov 2026 10:21:00 GMT", BODY(""), NP_SEND_RETRY, 0, 30, ""},
        {504, "retry-after: soon", BODY(""), NP_SEND_RETRY, 0, -1, ""},
        {503, "retry-after: 5\nHTTP/1.1 503 again", BODY(""), NP_SEND_RETRY, 0, -1, ""},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct np_send_reply reply = read_answer(NP_OTLP_HTTP_PROTOBUF, table[i].status,
                                                 table[i].headers, table[i].body, table[i].n);
        tap_check(reply.outcome == table[i].outcome && reply.n_rejected == table[i].n_rejected &&
                      reply.retry_after_s == table[i].retry_after_s &&
                      strstr(reply.text, table[i].text) && reply.http_status == table[i].status &&
                      reply.grpc_status == -1,
                  __FILE__, __LINE__, "case %zu: %s, %lld rejected, after %g s: '%s'", i,
                  outcome_name(reply.outcome), (long long)reply.n_rejected, reply.retry_after_s,
                  reply.text);
    }
}

TEST(an_answer_that_is_not_of_otlp_is_marked)
{
    static const struct {
        int status;
        const char *headers, *body;
        bool is_foreign;
    } table[] = {
        {200, "content-type: text/plain", "OK", true},
        {200, "content-type: text/plain", "", false}, /* an empty response in protobuf */
        {200, JSON, "{}", false},
        {200, JSON, " \"ok\"", true},
        {500, "content-type: text/plain", "oops", true},
        {500, JSON, "{\"message\":\"bad\"}", false},
        {500, "content-type: text/html", "<html>", true},
        {501, "content-type: text/html", "<html>", false}, /* known to be about the address */
        {500, PROTOBUF, "", false},
        {400, "content-type: text/plain", "bad", false},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct np_send_reply reply =
            read_answer(NP_OTLP_HTTP_PROTOBUF, table[i].status, table[i].headers, table[i].body,
                        strlen(table[i].body));
        tap_check(reply.is_foreign == table[i].is_foreign, __FILE__, __LINE__, "case %zu", i);
    }
}

#define GRPC "content-type: application/grpc\n"
/* google.rpc.Status {8, "busy", RetryInfo of 1.5 s} */
#define DETAILS                 \
    "grpc-status-details-bin: " \
    "CAgSBGJ1c3kaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ\n"

TEST(a_grpc_answer_means_what_the_specification_says)
{
    static const struct {
        int http;
        const char *headers, *body;
        size_t n;
        enum np_send_outcome outcome;
        int grpc;
        int64_t n_rejected;
        const char *text;
    } table[] = {
        {200, GRPC "grpc-status: 0", BODY("\0\0\0\0\0"), NP_SEND_ACCEPTED, 0, 0, ""},
        {200, GRPC "grpc-status: 0", BODY("\0\0\0\0\x02\x0a\x00"), NP_SEND_ACCEPTED, 0, 0, ""},
        {200, GRPC "grpc-status: 0", BODY("\0\0\0\0\x09\x0a\x07\x08\x03\x12\x03why"),
         NP_SEND_PARTIAL, 0, 3, "3 rejected: why"},
        {200, GRPC "grpc-status: 0", BODY("\0\xff\xff\xff\xff\x0a"), NP_SEND_ACCEPTED, 0, 0, ""},
        {200, GRPC "grpc-status: 0", BODY("\1\0\0\0\x02\x0a\x00"), NP_SEND_ACCEPTED, 0, 0, ""},
        {200, GRPC "grpc-status: 0", BODY("\0\0"), NP_SEND_ACCEPTED, 0, 0, ""},
        {200, GRPC, BODY("\0\0\0\0\0"), NP_SEND_ACCEPTED, 0, 0, ""}, /* trailers lost */
        {200, GRPC, BODY("\0\0\0\0\x09\x0a\x07\x08\x03\x12\x03why"), NP_SEND_PARTIAL, 0, 3,
         "3 rejected: why"},
        {200, GRPC, BODY("\0\0\0\0"), NP_SEND_RETRY, -1, 0, "ended before"},
        {200, GRPC, BODY("\0\0\0\0\x02\x0a"), NP_SEND_RETRY, -1, 0, "ended before"},
        {200, "content-type: text/plain", BODY("hello"), NP_SEND_UNREACHABLE, -1, 0, "not gRPC"},
        {200, GRPC "grpc-status: 1", BODY(""), NP_SEND_RETRY, 1, 0, "CANCELLED"},
        {200, GRPC "grpc-status: 2", BODY(""), NP_SEND_REFUSED, 2, 0, "UNKNOWN"},
        {200, GRPC "grpc-status: 3\ngrpc-message: bad%20id%0a%zz", BODY(""), NP_SEND_REFUSED, 3, 0,
         "gRPC 3 INVALID_ARGUMENT: bad id %zz"},
        {200, GRPC "grpc-status: 4", BODY(""), NP_SEND_RETRY, 4, 0, ""},
        {200, GRPC "grpc-status: 7", BODY(""), NP_SEND_REFUSED, 7, 0, ""},
        {200, GRPC "grpc-status: 8", BODY(""), NP_SEND_REFUSED, 8, 0, ""},
        {200, GRPC "grpc-status: 8\ngrpc-message: grpc: received message larger than max (5 vs. 4)",
         BODY(""), NP_SEND_TOO_LARGE, 8, 0, "larger than max"},
        {200, GRPC "grpc-status: 10", BODY(""), NP_SEND_RETRY, 10, 0, ""},
        {200, GRPC "grpc-status: 11", BODY(""), NP_SEND_RETRY, 11, 0, ""},
        {200, GRPC "grpc-status: 12", BODY(""), NP_SEND_UNREACHABLE, 12, 0, "UNIMPLEMENTED"},
        {200, GRPC "grpc-status: 14", BODY(""), NP_SEND_RETRY, 14, 0, "UNAVAILABLE"},
        {200, GRPC "grpc-status: 15", BODY(""), NP_SEND_RETRY, 15, 0, ""},
        {200, GRPC "grpc-status: 16", BODY(""), NP_SEND_REFUSED, 16, 0, ""},
        {200, GRPC "grpc-status: 99", BODY(""), NP_SEND_REFUSED, 99, 0, "unknown status"},
        {200, GRPC "grpc-status: x", BODY(""), NP_SEND_REFUSED, 2, 0, ""},
        {503, "", BODY(""), NP_SEND_RETRY, 14, 0, "UNAVAILABLE"},
        {404, "", BODY(""), NP_SEND_UNREACHABLE, 12, 0, "HTTP 404"},
        {404, GRPC, BODY(""), NP_SEND_UNREACHABLE, 12, 0, ""},
        {401, "", BODY(""), NP_SEND_UNREACHABLE, 16, 0, ""},
        {418, "", BODY(""), NP_SEND_UNREACHABLE, 2, 0, ""},
        {418, "grpc-status: 3", BODY(""), NP_SEND_REFUSED, 3, 0, ""},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct np_send_reply reply =
            read_answer(NP_OTLP_GRPC, table[i].http, table[i].headers, table[i].body, table[i].n);
        tap_check(reply.outcome == table[i].outcome && reply.grpc_status == table[i].grpc &&
                      reply.n_rejected == table[i].n_rejected && strstr(reply.text, table[i].text),
                  __FILE__, __LINE__, "case %zu: %s, gRPC %d, %lld rejected: '%s'", i,
                  outcome_name(reply.outcome), reply.grpc_status, (long long)reply.n_rejected,
                  reply.text);
    }
}

TEST(exhausted_resources_with_retry_info_are_sent_again_later)
{
    struct np_send_reply reply =
        read_answer(NP_OTLP_GRPC, 200, GRPC "grpc-status: 8\n" DETAILS, "", 0);

    ok_int(reply.outcome, NP_SEND_RETRY);
    ok(reply.retry_after_s == 1.5);
    ok_str(reply.text, "gRPC 8 RESOURCE_EXHAUSTED: busy");
}

TEST(retry_after_is_seconds_or_a_date_and_never_negative)
{
    static const struct {
        const char *value;
        double expected_s;
    } table[] = {
        {"", -1},
        {"0", 0},
        {"120", 120},
        {"1.5", 1.5},
        {"-5", -1},
        {"5 seconds", -1},
        {"nan", -1},
        {"1e400", -1},
        {"99999999999999999999999", 1e9},
        {"Sat, 21 Nov 2026 10:20:31 GMT", 1},
        {"Saturday, 21-Nov-26 10:20:40 GMT", 10},
        {"Sat Nov 21 10:20:35 2026", 5},
        {"Sat, 21 Nov 2020 10:20:31 GMT", 0},
        {"Sat, 21 Nov 9999 10:20:31 GMT", 1e9},
        {"21 Nov", -1},
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        double found_s = np_send_retry_after_s(table[i].value, NOW_NS);
        tap_check(found_s == table[i].expected_s, __FILE__, __LINE__, "'%s': %g s", table[i].value,
                  found_s);
    }
}

TEST(a_compressed_grpc_answer_is_read)
{
    static const char message[] = "\x0a\x07\x08\x03\x12\x03why";
    char body[256] = "\1\0\0\0\0\x1f\x8b\x08\0\0\0\0\0\0\xff", part[128];
    size_t n = 5 + 10, n_part;

    ok_int(np_deflate_part(message, sizeof(message) - 1, part, &n_part, NULL), 0);
    memcpy(body + n, part, n_part);
    memcpy(body + n + n_part, (const char[]){'\x03', '\0'}, NP_DEFLATE_END_BYTES);
    n += n_part + NP_DEFLATE_END_BYTES + 8; /* the check sum and the length are not looked at */
    body[4] = (char)(n - 5);
    struct np_send_reply reply =
        read_answer(NP_OTLP_GRPC, 200, GRPC "grpc-encoding: gzip\ngrpc-status: 0", body, n);
    ok_int(reply.outcome, NP_SEND_PARTIAL);
    ok_int(reply.n_rejected, 3);
    reply = read_answer(NP_OTLP_GRPC, 200, GRPC "grpc-encoding: br\ngrpc-status: 0", body, n);
    ok_int(reply.outcome, NP_SEND_ACCEPTED);
}

/* The answer has more levels than recursion could read within the stack. */
TEST(a_deeply_nested_answer_is_ignored)
{
    enum { DEPTH = 200000 };
    static const char level[] = "{\"partialSuccess\":";
    size_t n = DEPTH * (sizeof(level) - 1);
    NP_AUTO(np_freep) char *body = np_xmalloc(n + 1);

    for (size_t i = 0; i < DEPTH; i++)
        memcpy(body + i * (sizeof(level) - 1), level, sizeof(level));
    struct np_send_reply reply = read_answer(NP_OTLP_HTTP_JSON, 200, JSON, body, n);
    ok_int(reply.outcome, NP_SEND_ACCEPTED);
}

TEST(a_long_text_is_cut_and_stays_valid)
{
    char body[2000];

    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = i % 2 ? '\xa9' : '\xc3';
    struct np_send_reply reply =
        read_answer(NP_OTLP_HTTP_JSON, 500, "content-type: text/plain", body, sizeof(body));
    size_t n = strlen(reply.text);
    ok(n < sizeof(reply.text) && n > 200);
    ok((unsigned char)reply.text[n - 1] == 0xa9);
}

TAP_MAIN
