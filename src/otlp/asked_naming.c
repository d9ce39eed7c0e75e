#include "otlp/asked_naming.h"

#include <string.h>

#include "base/alloc.h"
#include "otlp/inside.h"
#include "trace/names.h"

static bool is_text(struct np_otlp_slice slice, const char *text)
{
    return slice.n == strlen(text) && memcmp(slice.text, text, slice.n) == 0;
}

enum { NOT_KNOWN = -1 };

/* A value: the way of naming that it says, or NOT_KNOWN. */
static bool read_value(struct np_otlp_reader *text, int *naming)
{
    struct np_otlp_slice name, string;
    size_t n = 0;
    enum np_otlp_step step;

    *naming = NOT_KNOWN;
    if (!np_otlp_reader_take(text, '{'))
        return false;
    while ((step = np_otlp_reader_member(text, &n, &name)) == NP_OTLP_STEP_NEXT) {
        if (!is_text(name, "stringValue") || np_otlp_reader_peek(text) != '"') {
            if (!np_otlp_reader_skip(text))
                return false;
            continue;
        }
        if (!np_otlp_reader_string(text, &string))
            return false;
        for (int i = NP_NAME_LABEL; i <= NP_NAME_NONE; i++)
            if (is_text(string, np_naming_name((enum np_naming)i)))
                *naming = i;
    }
    return step == NP_OTLP_STEP_END;
}

/* One of the two attributes, or another one. */
enum which { ANOTHER, ASKED, NAMED };

static enum which which_of(struct np_otlp_slice key)
{
    return is_text(key, NP_KEY_NEURO_TELEMETRY_ID)      ? ASKED
           : is_text(key, NP_KEY_NEURO_TELEMETRY_NAMED) ? NAMED
                                                        : ANOTHER;
}

static bool read_attribute(struct np_otlp_reader *text, enum which *which, int *naming)
{
    struct np_otlp_slice name, key;
    size_t n = 0;
    enum np_otlp_step step;

    *which = ANOTHER;
    *naming = NOT_KNOWN;
    if (!np_otlp_reader_take(text, '{'))
        return false;
    while ((step = np_otlp_reader_member(text, &n, &name)) == NP_OTLP_STEP_NEXT) {
        bool is_whole = true;
        if (is_text(name, "key") && np_otlp_reader_peek(text) == '"') {
            is_whole = np_otlp_reader_string(text, &key);
            *which = is_whole ? which_of(key) : ANOTHER;
        } else if (is_text(name, "value") && np_otlp_reader_peek(text) == '{') {
            is_whole = read_value(text, naming);
        } else {
            is_whole = np_otlp_reader_skip(text);
        }
        if (!is_whole)
            return false;
    }
    return step == NP_OTLP_STEP_END;
}

/* The two attributes of a resource; `n_…` counts how often each stands there. */
struct said {
    int asked, named;
    size_t n_asked, n_named;
};

/* The strictest that is asked for; unknown ways are the strictest of all. */
static void note(struct said *said, enum which which, int naming)
{
    int asked = naming == NOT_KNOWN ? NP_NAME_NONE : naming;

    if (which == ASKED && (said->n_asked++ == 0 || asked > said->asked))
        said->asked = asked;
    if (which == NAMED && said->n_named++ == 0)
        said->named = naming;
}

static bool read_attributes(struct np_otlp_reader *text, struct said *said)
{
    size_t n = 0;
    enum np_otlp_step step;

    if (!np_otlp_reader_take(text, '['))
        return false;
    while ((step = np_otlp_reader_element(text, &n)) == NP_OTLP_STEP_NEXT) {
        enum which which;
        int naming;
        if (!read_attribute(text, &which, &naming))
            return false;
        note(said, which, naming);
    }
    return step == NP_OTLP_STEP_END;
}

bool np_otlp_asked_naming(const char *from, const char *end, enum np_naming *asked,
                          enum np_naming *named)
{
    NP_AUTO(np_otlp_reader_done) struct np_otlp_reader text = {.at = from, .end = end};
    struct np_otlp_slice name;
    struct said said = {0};
    size_t n = 0;

    if (!np_otlp_reader_take(&text, '{'))
        return false;
    while (np_otlp_reader_member(&text, &n, &name) == NP_OTLP_STEP_NEXT) {
        bool is_whole = is_text(name, "attributes") && np_otlp_reader_peek(&text) == '['
                            ? read_attributes(&text, &said)
                            : np_otlp_reader_skip(&text);
        if (!is_whole)
            return false;
    }
    if (said.n_asked > 0)
        *asked = (enum np_naming)said.asked;
    *named =
        said.n_named == 1 && said.named != NOT_KNOWN ? (enum np_naming)said.named : NP_NAME_LABEL;
    return true;
}
