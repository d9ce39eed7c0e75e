/* The meaning of a server's answer: from status, headers and body to struct np_send_reply. Nothing
 * here uses the network. */
#ifndef NP_SEND_ANSWER_H
#define NP_SEND_ANSWER_H

#include "otlp/buffer.h"
#include "send/transport.h"

/* The values of the headers and trailers that are used; "" = absent. Longer values are cut. */
struct np_send_answer_headers {
    char content_type[64];
    char retry_after[64];
    char grpc_status[16];
    char grpc_message[1024];        /* percent-encoded */
    char grpc_status_details[8192]; /* base64 of a google.rpc.Status */
    char grpc_encoding[16];
};

/* Read one header line of `n` bytes ("Name: value", with or without line end) and keep its value
 * if it is used. A status line ("HTTP/…") begins a new answer, so it clears `headers`. */
void np_send_answer_header(struct np_send_answer_headers *headers, const char *line, size_t n);

struct np_send_answer {
    enum np_otlp_protocol protocol; /* of the request */
    int http_status;
    const struct np_send_answer_headers *headers;
    const void *body; /* already decompressed by HTTP's Content-Encoding */
    size_t n_body;
    int64_t now_unix_ns; /* for a Retry-After that is a date */
};

/* True when the body is exactly one gRPC message with its prefix. */
bool np_send_answer_is_message(const void *body, size_t n_body);

/* Fill `reply`. The answer is not trusted: it may hold any bytes. */
void np_send_answer_read(const struct np_send_answer *answer, struct np_send_reply *reply);

/* The seconds that a Retry-After header asks for, as a number or a date; -1 when it is neither. */
double np_send_retry_after_s(const char *value, int64_t now_unix_ns);

/* Set `reply` to `outcome` with a sentence, and its other members to "absent". */
void np_send_reply_set(struct np_send_reply *reply, enum np_send_outcome outcome,
                       const char *format, ...) NP_PRINTF(3, 4);

#endif
