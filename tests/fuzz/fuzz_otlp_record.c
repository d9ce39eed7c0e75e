/* Any bytes as the record of a dead run: closing its spans never fails for what is in the file, and
 * leaves nothing open. */
#include <stdlib.h>

#include "fuzz.h"
#include "spool/closing.h"
#include "spool/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    const char *path = fuzz_file(".otlp.jsonl", bytes, n_bytes);
    struct np_spool_closing first, second;

    if (np_spool_record_close_open_spans(path, &first, NULL) < 0 ||
        np_spool_record_close_open_spans(path, &second, NULL) < 0)
        abort();
    if (first.n_closed > first.n_started || second.n_closed != 0 ||
        second.n_unreadable != first.n_unreadable || second.n_lines < first.n_lines ||
        second.last_seen_ns != first.last_seen_ns)
        abort();
    return 0;
}
