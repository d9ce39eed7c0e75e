/*
 * OTLP over HTTP (protobuf or JSON) and over gRPC: send one request to one destination and classify
 * the answer. Retries are decided elsewhere.
 *
 * The HTTP is made by libevent for plain http:// addresses and by libcurl for all others. Either is
 * loaded when the first transport that needs it is opened, so a run without an endpoint pays for
 * neither (libcurl: 7 ms and 8 MB; libevent: half a millisecond). All transports of a process share
 * the connections of their library and must be used by one thread.
 */
#ifndef NP_SEND_TRANSPORT_H
#define NP_SEND_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "send/network.h"
#include "send/settings.h"

struct np_send_transport;

enum np_send_library { NP_SEND_LIBCURL, NP_SEND_LIBEVENT };

/*
 * Open a transport to `destination`, which is used during the call only. No connection is made yet.
 * libevent is used where it is installed and can speak to the destination, else libcurl.
 * Returns 0, NP_ENOMEM, NP_ENOINPUT (libcurl is not installed, or a certificate file cannot be
 * read), NP_EUSAGE (libcurl cannot do this protocol: https, HTTP/2). On failure `*transport` is
 * untouched.
 */
int np_send_transport_open(const struct np_send_destination *destination,
                           struct np_send_transport **transport, struct np_error *err) NP_MUST_USE;

/* The same with a library that is known to do for the destination. */
int np_send_transport_open_with(enum np_send_library library,
                                const struct np_send_destination *destination,
                                struct np_send_transport **transport,
                                struct np_error *err) NP_MUST_USE;
void np_send_transport_freep(struct np_send_transport **transport);

/* The other end of a socket, whose hanging-up leaves each request only a part of its time. */
struct np_send_hangup {
    int fd;         /* a stream socket */
    double grace_s; /* from the hang-up to the end of all requests */
    int64_t at_ns;  /* np_clock_mono_ns of the hang-up; 0 = none was seen so far */
};

/* Watch `hangup`, which is borrowed and is set when a request sees it; NULL = none. */
void np_send_transport_watch(struct np_send_transport *transport, struct np_send_hangup *hangup);

/*
 * Send one request and wait for its answer. `body` is what np_otlp_batch_encode made for the same
 * protocol, not compressed. The wait ends at `deadline_ns` (np_clock_mono_ns), at the destination's
 * timeout, or when `cancel_fd` (-1 = none) becomes readable or hangs up. `reply` is always filled.
 * Nothing is sent twice within one call: after reply->is_stale the next call takes a new connection.
 * `batch_id` (NULL = none) is sent as the header or metadata "x-neuro-batch-id"; a batch that is
 * sent again keeps its id.
 */
void np_send_transport_send(struct np_send_transport *transport, const void *body, size_t n_bytes,
                            const char *batch_id, int64_t deadline_ns, int cancel_fd,
                            struct np_send_reply *reply);

#endif
