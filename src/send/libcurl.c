#include "send/libcurl.h"

#include <dlfcn.h>
#include <string.h>

/* Debian has two builds of libcurl, with OpenSSL and with GnuTLS. Both have the same functions. A
 * lazy binding saves the look-up of the thousands of functions that this process never calls. */
static void *open_library(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *library = NULL;

    for (size_t i = 0; i < NP_COUNT(names) && !library; i++)
        library = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
    return library;
}

static bool find_functions(void *library, struct np_libcurl *out)
{
    const struct {
        const char *name;
        void *address;
    } table[] = {
#define X(name) {"curl_" #name, &out->name},
        NP_LIBCURL_FUNCTIONS(X)
#undef X
    };

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        void *function = dlsym(library, table[i].name);
        if (!function)
            return false;
        memcpy(table[i].address, &function, sizeof(function));
    }
    return true;
}

const struct np_libcurl *np_libcurl_load(struct np_error *err)
{
    static struct np_libcurl loaded;
    struct np_libcurl found = {0};

    if (loaded.version)
        return &loaded;
    void *library = open_library();
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
