#include "record/reasons.h"

#include <stdlib.h>
#include <string.h>

static bool is_same(const struct np_failure *a, const struct np_failure *b)
{
    const char *stage_a = a->stage ? a->stage : "", *stage_b = b->stage ? b->stage : "";

    return np_error_outcome(a->code) == np_error_outcome(b->code) && a->injected == b->injected &&
           np_error_remedy(a->code) == np_error_remedy(b->code) && strcmp(stage_a, stage_b) == 0;
}

static struct np_reason *find_or_add(struct np_reasons *reasons, const struct np_failure *failure)
{
    for (size_t i = 0; i < reasons->n; i++)
        if (is_same(&reasons->reason[i].first, failure))
            return &reasons->reason[i];
    reasons->reason = np_xrealloc(reasons->reason, (reasons->n + 1) * sizeof(*reasons->reason));
    struct np_reason *reason = &reasons->reason[reasons->n++];
    *reason = (struct np_reason){0};
    np_failure_copy(failure, &reason->first);
    return reason;
}

/* The label takes its place in the order of labels; what is past the last place is only counted. */
static void add_example(struct np_strings *examples, const char *label)
{
    np_strings_add(examples, label);
    np_strings_sort(examples);
    if (examples->n > NP_REASON_EXAMPLES)
        free(examples->item[--examples->n]);
}

void np_reasons_add(struct np_reasons *reasons, const char *label, const struct np_failure *failure)
{
    struct np_reason *reason = find_or_add(reasons, failure);

    if (reason->n++ > 0 && strcmp(label, reason->examples.item[0]) < 0) {
        np_failure_done(&reason->first);
        np_failure_copy(failure, &reason->first);
    }
    add_example(&reason->examples, label);
}

void np_reasons_done(struct np_reasons *reasons)
{
    for (size_t i = 0; i < reasons->n; i++) {
        np_failure_done(&reasons->reason[i].first);
        np_strings_done(&reasons->reason[i].examples);
    }
    free(reasons->reason);
    *reasons = (struct np_reasons){0};
}

static void add_remedy(struct np_str *text, const struct np_reason *reason)
{
    np_str_addf(text, ". What to do: %s", reason->first.hint ? reason->first.hint : "see the log");
}

static void add_examples(struct np_str *text, const struct np_reason *reason, size_t from)
{
    for (size_t i = from; i < reason->examples.n; i++)
        np_str_addf(text, "%s%s", i > from ? ", " : "", reason->examples.item[i]);
}

char *np_reason_text(const struct np_reason *reason)
{
    NP_AUTO(np_freep) char *failure = np_failure_words(&reason->first);
    struct np_str text = {0};

    np_str_addf(&text, "%s: %s", reason->examples.item[0], failure);
    if (reason->n > 1) {
        np_str_addf(&text, " — and %zu more for the same reason (", reason->n - 1);
        add_examples(&text, reason, 1);
        np_str_add(&text, reason->n > reason->examples.n ? ", …)" : ")");
    }
    add_remedy(&text, reason);
    return np_str_take(&text);
}

char *np_reason_short(const struct np_reason *reason)
{
    NP_AUTO(np_freep) char *kind = np_failure_kind(&reason->first);
    struct np_str text = {0};

    np_str_addf(&text, "%s: ", kind);
    add_examples(&text, reason, 0);
    if (reason->n > reason->examples.n)
        np_str_addf(&text, " and %zu more", reason->n - reason->examples.n);
    add_remedy(&text, reason);
    return np_str_take(&text);
}
