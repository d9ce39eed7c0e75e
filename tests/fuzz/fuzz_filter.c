/* Any bytes as a filter file: refused with a sentence that has a line and a column, or usable on
 * any image. */
#include <stdlib.h>
#include <string.h>

#include "bids/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void ask(const struct np_filter *filter)
{
    static const char *const files[] = {"sub-01_T1w.nii.gz", "sub-1_ses-02_acq-x_run-01_T2w.nii"};

    for (size_t i = 0; i < NP_COUNT(files); i++) {
        NP_AUTO(np_bids_name_done) struct np_bids_name name = {0};
        if (!np_bids_name_parse(files[i], &name))
            abort();
        np_filter_accepts(filter, name.suffix, "anat", &name);
        np_filter_accepts_session(filter, name.suffix, "01", name.entity[NP_ENTITY_SES]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_freep) char *text = np_xstrndup((const char *)bytes, n_bytes);
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};
    NP_AUTO(np_filter_freep) struct np_filter *filter = NULL;
    struct np_error err = {0};
    int result = np_filter_parse("f.json", text, n_bytes, &filter, &warnings, &err);

    if (result == 0)
        ask(filter);
    else if (result != NP_ECONFIG || filter || !strstr(err.text, "'f.json' line "))
        abort();
    return 0;
}
