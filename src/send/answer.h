/* What a server's answer means: status, headers and body -> struct np_send_reply. No network here.
 */
#ifndef NP_SEND_ANSWER_H
#define NP_SEND_ANSWER_H

#include "otlp/buffer.h"
#include "send/transport.h"

/* The headers (and trailers) that count, "" = not there; longer ones are cut. */
struct np_send_answer_headers {
    char content_type[64];
    char retry_after[64];
    char grpc_status[16];
    char grpc_message[1024];        /* percent-encoded */
    char grpc_status_details[8192]; /* base64 of a google.rpc.Status */
    char grpc_encoding[16];
};

/* Keep a header line ("Name: value", with or without line end) if it counts. A status line
 * ("HTTP/…") begins a new answer: what was kept of one before it is dropped. */
void np_send_answer_header(struct np_send_answer_headers *headers, const char *line, size_t n);

struct np_send_answer {
    enum np_otlp_protocol protocol; /* of the request */
    int http_status;
    const struct np_send_answer_headers *headers;
    const void *body; /* after HTTP's own decompression */
    size_t n_body;
    int64_t now_unix_ns; /* for a Retry-After that is a date */
};

/* One message of gRPC and nothing after it. */
bool np_send_answer_is_message(const void *body, size_t n_body);

/* Fill `reply`. Any bytes may stand in the answer. */
void np_send_answer_read(const struct np_send_answer *answer, struct np_send_reply *reply);

/* Seconds to wait of a Retry-After header: a number, or a date; -1 when it is neither. */
double np_send_retry_after_s(const char *value, int64_t now_unix_ns);

/* Set `reply` to `outcome` with a sentence; everything else to nothing. */
void np_send_reply_set(struct np_send_reply *reply, enum np_send_outcome outcome,
                       const char *format, ...) NP_PRINTF(3, 4);

#endif
