/* Any bytes as a ledger: reading it never fails for what is in it, every question about it has an
 * answer, gaps lie apart and are done once they are noted, and what is read again is the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "spool/inside.h"
#include "spool/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static const char DESTINATION[] = "a:4317/";

/* Walk the gaps; each is followed by something that is done, and they come in order. */
static void walk(const struct np_spool_ledger *ledger, enum np_otlp_signal signal,
                 enum np_spool_scope scope)
{
    int64_t at = 0;

    for (int i = 0; i < 10000; i++) {
        struct np_spool_range gap = np_spool_ledger_gap(ledger, DESTINATION, signal, scope, at);
        if (gap.from < at || gap.to <= gap.from)
            abort();
        if (gap.to == INT64_MAX)
            return;
        at = gap.to;
        if (np_spool_ledger_gap(ledger, DESTINATION, signal, scope, at).from == at)
            abort();
    }
}

static void ask(struct np_spool_ledger *ledger)
{
    for (int signal = 0; signal < NP_OTLP_N_SIGNALS; signal++)
        for (int scope = NP_SPOOL_NOT_ANYWHERE; scope <= NP_SPOOL_NOT_HERE; scope++) {
            struct np_spool_range range;
            walk(ledger, (enum np_otlp_signal)signal, (enum np_spool_scope)scope);
            if (np_spool_ledger_accepted(ledger, DESTINATION, (enum np_otlp_signal)signal) < 0)
                abort();
            if (!np_spool_ledger_in_flight(ledger, DESTINATION, (enum np_otlp_signal)signal,
                                           (enum np_spool_scope)scope, &range))
                continue;
            if (range.from < 0 || range.to <= range.from)
                abort();
            const struct np_spool_entry entry = {.destination = DESTINATION,
                                                 .signal = (enum np_otlp_signal)signal,
                                                 .range = range,
                                                 .mark = NP_SPOOL_MARK_ACCEPTED};
            struct np_spool_range again;
            /* An entry that cannot be written is remembered all the same. */
            NP_IGNORE(np_spool_ledger_note(ledger, &entry, NULL));
            if (np_spool_ledger_in_flight(ledger, DESTINATION, (enum np_otlp_signal)signal,
                                          (enum np_spool_scope)scope, &again) &&
                again.from == range.from)
                abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static char record[256];
    struct np_spool_ledger *ledger = NULL;

    const char *path = fuzz_file(".ledger", bytes, n_bytes);
    snprintf(record, sizeof(record), "%.*s", (int)(strlen(path) - strlen(".ledger")), path);
    if (np_spool_ledger_read(record, &ledger, NULL) < 0)
        abort();
    ask(ledger);
    np_spool_ledger_freep(&ledger);
    if (np_spool_ledger_open(record, &ledger, NULL) < 0)
        abort();
    ask(ledger);
    np_spool_ledger_freep(&ledger);
    return 0;
}
