/* Any bytes as a file's name: parsed or refused; what was parsed is formatted to a name that parses
 * to the same. */
#include <stdlib.h>
#include <string.h>

#include "bids/entities.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_freep) char *text = np_xstrndup((const char *)bytes, n_bytes);
    struct np_bids_name name = {0}, again = {0};

    if (!np_bids_name_parse(text, &name))
        return 0;
    NP_AUTO(np_freep) char *once = np_bids_name_format(&name);
    if (!np_bids_name_parse(once, &again))
        abort();
    NP_AUTO(np_freep) char *twice = np_bids_name_format(&again);
    if (strcmp(once, twice) != 0)
        abort();
    np_bids_name_done(&name);
    np_bids_name_done(&again);
    return 0;
}
