/*
 * Failures of sessions, summed by their reason: the outcome, what is to be done about it, and the
 * stage at which it came. Pure data.
 */
#ifndef NP_RECORD_REASONS_H
#define NP_RECORD_REASONS_H

#include "record/record.h"

/* So many sessions of a reason are named; the others are counted. */
enum { NP_REASON_EXAMPLES = 3 };

struct np_reason {
    struct np_failure first;    /* of examples.item[0] */
    struct np_strings examples; /* the first labels in their order, at most NP_REASON_EXAMPLES */
    size_t n;                   /* number of sessions */
};

/*
 * {0} is empty. In order of first appearance. Sessions end in any order: what is said of a reason
 * is the same for each of them.
 */
struct np_reasons {
    struct np_reason *reason;
    size_t n;
};

/* Count the failure of a session; its code must not be 0. */
void np_reasons_add(struct np_reasons *reasons, const char *label,
                    const struct np_failure *failure);
void np_reasons_done(struct np_reasons *reasons);

/* "sub-01: 'x.nii.gz': … (bad-data at load_file) — and 4 more for the same reason (sub-02, sub-03,
 * …). What to do: …"; the caller frees. */
char *np_reason_text(const struct np_reason *reason);

/* For readers who have seen the sentences: "bad-data at load_file: sub-01, sub-02, sub-03 and
 * 2 more. What to do: …"; the caller frees. */
char *np_reason_short(const struct np_reason *reason);

#endif
