#include "send/libcurl.h"

#include "send/library.h"

static bool find_functions(void *library, struct np_libcurl *out)
{
    const struct np_library_function table[] = {
#define X(name) {"curl_" #name, &out->name},
        NP_LIBCURL_FUNCTIONS(X)
#undef X
    };

    return np_library_find(library, table, NP_COUNT(table));
}

const struct np_libcurl *np_libcurl_load(struct np_error *err)
{
    /* Debian has two builds of libcurl, with OpenSSL and with GnuTLS. Both have the same functions. */
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    static struct np_libcurl loaded;
    struct np_libcurl found = {0};

    if (loaded.version)
        return &loaded;
    void *library = np_library_open(names, NP_COUNT(names));
    if (!library) {
        np_error_set(err, NP_ENOINPUT,
                     "libcurl.so.4 cannot be loaded, so telemetry is not sent: install libcurl4");
        return NULL;
    }
    /* The library is never closed: OpenSSL registers handlers that run when the process exits. */
    if (!find_functions(library, &found) || found.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        np_error_set(err, NP_ENOINPUT,
                     "libcurl.so.4 is older than 7.66 or does not start, so telemetry is not sent");
        return NULL;
    }
    found.version = found.version_info(CURLVERSION_NOW);
    loaded = found;
    return &loaded;
}
