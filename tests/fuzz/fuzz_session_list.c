/* Any bytes as a list of sessions: refused with a sentence that names the list, or labels that can
 * be parts of a path. */
#include <stdlib.h>
#include <string.h>

#include "bids/labels.h"
#include "bids/session_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_freep) char *text = np_xstrndup((const char *)bytes, n_bytes);
    NP_AUTO(np_session_list_done) struct np_session_list list = {0};
    struct np_error err = {0};
    int result = np_session_list_parse("s.tsv", text, &list, &err);

    if (result < 0 && (result != NP_ECONFIG || list.n || !strstr(err.text, "'s.tsv'")))
        abort();
    for (size_t i = 0; i < list.n; i++)
        if (!np_label_is_valid(list.pair[i].participant) ||
            (list.pair[i].session && !np_label_is_valid(list.pair[i].session)))
            abort();
    return 0;
}
