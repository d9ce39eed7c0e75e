/*
 * libcurl, loaded when it is first needed. Most runs send nothing, and loading libcurl with its
 * dependencies costs 7 ms and 8 MB. Building needs the headers; only sending needs the library.
 */
#ifndef NP_SEND_LIBCURL_H
#define NP_SEND_LIBCURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "base/error.h"

/* The functions that are used, under their names without "curl_". */
#define NP_LIBCURL_FUNCTIONS(X) \
    X(global_init)              \
    X(easy_init)                \
    X(easy_setopt)              \
    X(easy_getinfo)             \
    X(easy_cleanup)             \
    X(easy_strerror)            \
    X(slist_append)             \
    X(slist_free_all)           \
    X(multi_init)               \
    X(multi_add_handle)         \
    X(multi_remove_handle)      \
    X(multi_perform)            \
    X(multi_poll)               \
    X(multi_info_read)          \
    X(multi_cleanup)            \
    X(version_info)

struct np_libcurl {
#define X(name) __typeof__(curl_##name) *name;
    NP_LIBCURL_FUNCTIONS(X)
#undef X
    const curl_version_info_data *version;
};

/* The library, loaded once in a process. NULL with an error when it is not installed or older than
 * 7.66. */
const struct np_libcurl *np_libcurl_load(struct np_error *err);

#endif
