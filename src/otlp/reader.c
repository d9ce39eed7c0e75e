#include "otlp/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "otlp/inside.h"

void np_otlp_reader_done(struct np_otlp_reader *text)
{
    np_otlp_buffer_done(&text->unescaped);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char np_otlp_reader_peek(struct np_otlp_reader *text)
{
    while (text->at < text->end && is_blank(*text->at))
        text->at++;
    return text->at < text->end ? *text->at : '\0';
}

bool np_otlp_reader_take(struct np_otlp_reader *text, char c)
{
    if (np_otlp_reader_peek(text) != c)
        return false;
    text->at++;
    return true;
}

bool np_otlp_reader_word(struct np_otlp_reader *text, const char *word)
{
    size_t n = strlen(word);

    np_otlp_reader_peek(text);
    if ((size_t)(text->end - text->at) < n || memcmp(text->at, word, n) != 0)
        return false;
    text->at += n;
    return true;
}

/* Strings. */

/* The first byte from `at` that ends a run of plain ones: a quote, a backslash, a control character
 * or the end. */
static const char *run_end(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static bool hex4(const char *at, const char *end, uint32_t *out)
{
    *out = 0;
    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit > 15)
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

static void add_utf8(struct np_otlp_buffer *out, uint32_t c)
{
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = n; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(lead[n] | c);
    np_otlp_buffer_add(out, bytes, n);
}

/* Read the digits after "\u"; a pair of surrogates is one character. */
static bool unicode_escape(struct np_otlp_reader *text)
{
    uint32_t c, low;

    if (!hex4(text->at, text->end, &c))
        return false;
    text->at += 4;
    if (c >= 0xd800 && c < 0xdc00 && text->end - text->at >= 6 && text->at[0] == '\\' &&
        text->at[1] == 'u' && hex4(text->at + 2, text->end, &low) && low >= 0xdc00 &&
        low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        text->at += 6;
    }
    if (c == 0 || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    add_utf8(&text->unescaped, c);
    return true;
}

/* Read the character after a backslash. */
static bool escape(struct np_otlp_reader *text)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";

    if (text->at == text->end)
        return false;
    char c = *text->at++;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (c == 'u')
        return unicode_escape(text);
    if (!letter)
        return false;
    np_otlp_buffer_add(&text->unescaped, &meanings[letter - letters], 1);
    return true;
}

/* The rest of a string that has escapes; text->at is at the first. */
static bool unescape(struct np_otlp_reader *text, const char *start, struct np_otlp_slice *out)
{
    np_otlp_buffer_cut(&text->unescaped, 0);
    np_otlp_buffer_add(&text->unescaped, start, (size_t)(text->at - start));
    while (text->at < text->end && *text->at == '\\') {
        text->at++;
        if (!escape(text))
            return false;
        const char *run = text->at;
        text->at = run_end(run, text->end);
        np_otlp_buffer_add(&text->unescaped, run, (size_t)(text->at - run));
    }
    if (text->at == text->end || *text->at++ != '"')
        return false;
    size_t n = text->unescaped.length;
    np_otlp_buffer_add(&text->unescaped, "", 1);
    if (text->unescaped.failed)
        return false;
    *out = (struct np_otlp_slice){text->unescaped.bytes, n};
    return true;
}

bool np_otlp_reader_string(struct np_otlp_reader *text, struct np_otlp_slice *out)
{
    if (!np_otlp_reader_take(text, '"'))
        return false;
    const char *start = text->at;
    text->at = run_end(start, text->end);
    if (text->at == text->end)
        return false;
    if (*text->at == '\\')
        return unescape(text, start, out);
    if (*text->at != '"')
        return false;
    *out = (struct np_otlp_slice){start, (size_t)(text->at - start)};
    text->at++;
    return true;
}

/* Numbers. */

static bool is_of_number(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
}

/* A number's characters, bare or in quotes. A quoted number has no escapes. */
static bool number_token(struct np_otlp_reader *text, struct np_otlp_slice *out)
{
    if (np_otlp_reader_peek(text) == '"') {
        const char *start = text->at + 1;
        return np_otlp_reader_string(text, out) && out->text == start && out->n > 0;
    }
    const char *start = text->at;
    while (text->at < text->end && is_of_number(*text->at))
        text->at++;
    *out = (struct np_otlp_slice){start, (size_t)(text->at - start)};
    return out->n > 0;
}

/* All of `n` digits, without a superfluous zero. */
static bool digits(const char *at, size_t n, uint64_t *out)
{
    enum { ALWAYS_FIT = 19 };
    uint64_t value = 0;

    if (n == 0 || (n > 1 && at[0] == '0'))
        return false;
    for (size_t i = 0; i < n && i < ALWAYS_FIT; i++) {
        unsigned digit = (unsigned)at[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    for (size_t i = ALWAYS_FIT; i < n; i++) {
        unsigned digit = (unsigned)at[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool np_otlp_reader_uint64(struct np_otlp_reader *text, uint64_t *out)
{
    struct np_otlp_slice token;

    return number_token(text, &token) && digits(token.text, token.n, out);
}

bool np_otlp_reader_int64(struct np_otlp_reader *text, int64_t *out)
{
    struct np_otlp_slice token;
    uint64_t size;

    if (!number_token(text, &token))
        return false;
    bool is_negative = token.text[0] == '-';
    if (!digits(token.text + is_negative, token.n - is_negative, &size) ||
        size > (uint64_t)INT64_MAX + is_negative)
        return false;
    *out = is_negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

bool np_otlp_reader_double(struct np_otlp_reader *text, double *out)
{
    struct np_otlp_slice token;
    char copy[400]; /* long enough for 1e-308 written in digits, the longest useful number */
    char *rest;

    if (!number_token(text, &token))
        return false;
    if (token.n >= sizeof(copy) || memchr(token.text, '\0', token.n))
        return false;
    memcpy(copy, token.text, token.n);
    copy[token.n] = '\0';
    /* strtod accepts more than JSON does: blanks, hexadecimal, "inf", "nan(…)". */
    bool is_word =
        strcmp(copy, "NaN") == 0 || strcmp(copy, "Infinity") == 0 || strcmp(copy, "-Infinity") == 0;
    if (!is_word && strspn(copy, "+-.0123456789Ee") != token.n)
        return false;
    *out = strtod(copy, &rest);
    return !*rest;
}

/* Structure. */

enum np_otlp_step np_otlp_reader_element(struct np_otlp_reader *text, size_t *n_before)
{
    if (np_otlp_reader_take(text, ']'))
        return NP_OTLP_STEP_END;
    if ((*n_before)++ > 0 && !np_otlp_reader_take(text, ','))
        return NP_OTLP_STEP_BROKEN;
    return NP_OTLP_STEP_NEXT;
}

enum np_otlp_step np_otlp_reader_member(struct np_otlp_reader *text, size_t *n_before,
                                        struct np_otlp_slice *name)
{
    if (np_otlp_reader_take(text, '}'))
        return NP_OTLP_STEP_END;
    if ((*n_before)++ > 0 && !np_otlp_reader_take(text, ','))
        return NP_OTLP_STEP_BROKEN;
    if (!np_otlp_reader_take(text, '"'))
        return NP_OTLP_STEP_BROKEN;
    const char *start = text->at;
    for (text->at = run_end(start, text->end); text->at < text->end && *text->at == '\\';)
        text->at = run_end(text->at + 1 < text->end ? text->at + 2 : text->end, text->end);
    *name = (struct np_otlp_slice){start, (size_t)(text->at - start)};
    if (text->at == text->end || *text->at++ != '"' || !np_otlp_reader_take(text, ':'))
        return NP_OTLP_STEP_BROKEN;
    return NP_OTLP_STEP_NEXT;
}

/* A value that is no object and no list. */
static bool skip_scalar(struct np_otlp_reader *text, char first)
{
    struct np_otlp_slice slice;
    double number;

    switch (first) {
    case '"':
        return np_otlp_reader_string(text, &slice);
    case 'n':
        return np_otlp_reader_word(text, "null");
    case 't':
        return np_otlp_reader_word(text, "true");
    case 'f':
        return np_otlp_reader_word(text, "false");
    default:
        return np_otlp_reader_double(text, &number);
    }
}

/* Without recursion: a stack of bits holds the open brackets. */
bool np_otlp_reader_skip(struct np_otlp_reader *text)
{
    enum { MOST_OPEN = 64 };
    uint64_t is_object = 0; /* the innermost is the lowest bit */
    int n_open = 0;
    size_t n_before = 0;
    struct np_otlp_slice name;

    for (;;) {
        char first = np_otlp_reader_peek(text);
        if (first == '{' || first == '[') {
            if (n_open++ == MOST_OPEN)
                return false;
            is_object = is_object << 1 | (first == '{');
            text->at++;
            n_before = 0;
        } else if (!skip_scalar(text, first)) {
            return false;
        }
        enum np_otlp_step step = NP_OTLP_STEP_END;
        while (n_open > 0 && step == NP_OTLP_STEP_END) {
            step = is_object & 1 ? np_otlp_reader_member(text, &n_before, &name)
                                 : np_otlp_reader_element(text, &n_before);
            if (step == NP_OTLP_STEP_END) {
                is_object >>= 1;
                n_open--;
                n_before = 1; /* the closed value is a member of the one around it */
            }
        }
        if (step == NP_OTLP_STEP_BROKEN)
            return false;
        if (n_open == 0)
            return true;
    }
}
