#include "otlp/asked_naming.h"

#include <string.h>

#include "base/alloc.h"
#include "otlp/reader.h"
#include "trace/names.h"

static bool is_text(struct np_otlp_slice slice, const char *text)
{
    return slice.n == strlen(text) && memcmp(slice.text, text, slice.n) == 0;
}

/* A value: what it says when it is a string. */
static bool read_value(struct np_otlp_reader *text, enum np_naming *naming)
{
    struct np_otlp_slice name, string;
    size_t n = 0;
    enum np_otlp_step step;

    *naming = NP_NAME_NONE;
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
                *naming = (enum np_naming)i;
    }
    return step == NP_OTLP_STEP_END;
}

/* An attribute: `*is_it` when its key is neuro.telemetry.id. */
static bool read_attribute(struct np_otlp_reader *text, bool *is_it, enum np_naming *naming)
{
    struct np_otlp_slice name, key;
    size_t n = 0;
    enum np_otlp_step step;

    *is_it = false;
    *naming = NP_NAME_NONE;
    if (!np_otlp_reader_take(text, '{'))
        return false;
    while ((step = np_otlp_reader_member(text, &n, &name)) == NP_OTLP_STEP_NEXT) {
        bool is_whole = true;
        if (is_text(name, "key") && np_otlp_reader_peek(text) == '"') {
            is_whole = np_otlp_reader_string(text, &key);
            *is_it = is_whole && is_text(key, NP_KEY_NEURO_TELEMETRY_ID);
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

/* A list of attributes; `*naming` becomes the strictest, `*is_said` when one says so. */
static bool read_attributes(struct np_otlp_reader *text, bool *is_said, enum np_naming *naming)
{
    size_t n = 0;
    enum np_otlp_step step;

    if (!np_otlp_reader_take(text, '['))
        return false;
    while ((step = np_otlp_reader_element(text, &n)) == NP_OTLP_STEP_NEXT) {
        enum np_naming one;
        bool is_it;
        if (!read_attribute(text, &is_it, &one))
            return false;
        if (is_it && (!*is_said || one > *naming))
            *naming = one;
        *is_said = *is_said || is_it;
    }
    return step == NP_OTLP_STEP_END;
}

bool np_otlp_asked_naming(const char *from, const char *end, enum np_naming *naming)
{
    NP_AUTO(np_otlp_reader_done) struct np_otlp_reader text = {.at = from, .end = end};
    struct np_otlp_slice name;
    size_t n = 0;
    bool is_said = false;

    if (!np_otlp_reader_take(&text, '{'))
        return false;
    while (np_otlp_reader_member(&text, &n, &name) == NP_OTLP_STEP_NEXT) {
        bool is_whole = is_text(name, "attributes") && np_otlp_reader_peek(&text) == '['
                            ? read_attributes(&text, &is_said, naming)
                            : np_otlp_reader_skip(&text);
        if (!is_whole)
            return false;
    }
    return true;
}
