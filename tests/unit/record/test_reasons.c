/* Failures summed by their reason: the sentences do not depend on which session ended first. */
#include "record/reasons.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

/* The session's image was cut after so many bytes. */
static void add(struct np_reasons *reasons, const char *label, int bytes)
{
    NP_AUTO(np_failure_done)
    struct np_failure failure = {
        .code = NP_ETRUNCATED,
        .stage = np_xstrdup("load_file"),
        .sentence = np_xasprintf("%s was cut after %d bytes", label, bytes),
        .hint = np_xstrdup("fetch it again"),
    };

    np_reasons_add(reasons, label, &failure);
}

TEST(one_session_has_the_whole_sentence)
{
    NP_AUTO(np_reasons_done) struct np_reasons reasons = {0};

    add(&reasons, "sub-02", 7);
    ok_int((int64_t)reasons.n, 1);
    NP_AUTO(np_freep) char *text = np_reason_text(&reasons.reason[0]);
    ok_str(text, "sub-02: sub-02 was cut after 7 bytes (bad-data at load_file). "
                 "What to do: fetch it again");
}

/* Every order of five sessions gives the same two sentences. */
TEST(any_order_of_ends_gives_the_same_sentences)
{
    static const char *const label[] = {"sub-01", "sub-02", "sub-03", "sub-04", "sub-05"};
    int n_wrong = 0, n_orders = 0;

    for (int code = 0; code < 3125; code++) {
        NP_AUTO(np_reasons_done) struct np_reasons reasons = {0};
        unsigned taken = 0;
        for (int rest = code, i = 0; i < 5; i++, rest /= 5)
            taken |= 1U << (rest % 5);
        if (taken != 31)
            continue;
        for (int rest = code, i = 0; i < 5; i++, rest /= 5)
            add(&reasons, label[rest % 5], rest % 5 + 1);
        NP_AUTO(np_freep) char *text = np_reason_text(&reasons.reason[0]);
        NP_AUTO(np_freep) char *brief = np_reason_short(&reasons.reason[0]);
        n_wrong += strcmp(text, "sub-01: sub-01 was cut after 1 bytes (bad-data at load_file) — "
                                "and 4 more for the same reason (sub-02, sub-03, …). "
                                "What to do: fetch it again") != 0;
        n_wrong += strcmp(brief, "bad-data at load_file: sub-01, sub-02, sub-03 and 2 more. "
                                 "What to do: fetch it again") != 0;
        n_orders++;
    }
    ok_int(n_orders, 120);
    ok_int(n_wrong, 0);
}

TAP_MAIN
