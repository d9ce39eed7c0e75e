/* The first line as a path, the rest as .bidsignore: any patterns end in reasonable time and touch
 * no foreign memory. */
#include <string.h>

#include "bids/bidsignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    const uint8_t *end = n_bytes ? memchr(bytes, '\n', n_bytes) : NULL;
    size_t n_path = end ? (size_t)(end - bytes) : 0;
    NP_AUTO(np_freep) char *path = np_xstrndup((const char *)bytes, n_path);
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    struct np_ignore ignore = {0};

    np_ignore_parse((const char *)bytes + n_path, n_bytes - n_path, &ignore, &warnings);
    np_ignore_matches(&ignore, path, NP_PATH_FILE);
    np_ignore_matches(&ignore, path, NP_PATH_FOLDER);
    np_ignore_done(&ignore);
    return 0;
}
