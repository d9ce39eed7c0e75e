/* libevent with its HTTP client, loaded when it is first needed: half a millisecond. Building needs
 * the headers; the library may be missing, then libcurl takes its place. */
#ifndef NP_SEND_LIBEVENT_H
#define NP_SEND_LIBEVENT_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "base/error.h"

/* The functions that are used. */
#define NP_LIBEVENT_FUNCTIONS(X)              \
    X(event_set_log_callback)                 \
    X(event_config_new)                       \
    X(event_config_free)                      \
    X(event_config_set_flag)                  \
    X(event_base_new_with_config)             \
    X(event_base_free)                        \
    X(event_base_loop)                        \
    X(event_new)                              \
    X(event_add)                              \
    X(event_free)                             \
    X(evbuffer_add)                           \
    X(evbuffer_add_cb)                        \
    X(evbuffer_get_length)                    \
    X(evbuffer_remove)                        \
    X(bufferevent_getfd)                      \
    X(bufferevent_get_input)                  \
    X(bufferevent_get_output)                 \
    X(evhttp_add_header)                      \
    X(evhttp_clear_headers)                   \
    X(evhttp_cancel_request)                  \
    X(evhttp_connection_base_new)             \
    X(evhttp_connection_free)                 \
    X(evhttp_connection_get_bufferevent)      \
    X(evhttp_connection_set_closecb)          \
    X(evhttp_connection_set_flags)            \
    X(evhttp_connection_set_max_headers_size) \
    X(evhttp_connection_set_retries)          \
    X(evhttp_connection_set_timeout_tv)       \
    X(evhttp_make_request)                    \
    X(evhttp_request_free)                    \
    X(evhttp_request_get_input_buffer)        \
    X(evhttp_request_get_input_headers)       \
    X(evhttp_request_get_output_buffer)       \
    X(evhttp_request_get_output_headers)      \
    X(evhttp_request_get_response_code)       \
    X(evhttp_request_new)                     \
    X(evhttp_request_set_chunked_cb)          \
    X(evhttp_request_set_error_cb)            \
    X(evhttp_request_set_header_cb)

struct np_libevent {
#define X(name) __typeof__(name) *name;
    NP_LIBEVENT_FUNCTIONS(X)
#undef X
};

/* The library, loaded once in a process; it prints nothing. NULL when it is not installed or lacks
 * a function. */
const struct np_libevent *np_libevent_load(struct np_error *err);

#endif
