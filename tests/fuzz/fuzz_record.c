/* Any bytes as a status record: read or refused; what was read is written to a text that reads the
 * same. */
#include <stdlib.h>
#include <string.h>

#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_freep) char *text = np_xstrndup((const char *)bytes, n_bytes);
    struct np_error err = {0};
    struct np_session_record record, again;

    if (np_record_parse(text, "fuzzed", &record, &err) < 0) {
        if (err.code == 0 || !err.text[0])
            abort();
        return 0;
    }
    NP_AUTO(np_freep) char *once = np_record_format(&record);
    if (np_record_parse(once, "again", &again, &err) < 0)
        abort();
    NP_AUTO(np_freep) char *twice = np_record_format(&again);
    if (strcmp(once, twice) != 0)
        abort();
    np_record_done(&record);
    np_record_done(&again);
    return 0;
}
