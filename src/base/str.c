#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static void reserve(struct np_str *str, size_t more)
{
    size_t need = str->length + more + 1;

    if (need <= str->capacity)
        return;
    size_t capacity = str->capacity ? str->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    str->text = np_xrealloc(str->text, capacity);
    str->capacity = capacity;
}

void np_str_add_bytes(struct np_str *str, const void *bytes, size_t n_bytes)
{
    reserve(str, n_bytes);
    if (n_bytes)
        memcpy(str->text + str->length, bytes, n_bytes);
    str->length += n_bytes;
    str->text[str->length] = '\0';
}

void np_str_add(struct np_str *str, const char *text)
{
    np_str_add_bytes(str, text, strlen(text));
}

void np_str_add_char(struct np_str *str, char c)
{
    np_str_add_bytes(str, &c, 1);
}

void np_str_addf(struct np_str *str, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        abort();
    np_str_add_bytes(str, text, (size_t)length);
    free(text);
}

void np_str_add_json(struct np_str *str, const char *text)
{
    if (!text) {
        np_str_add(str, "null");
        return;
    }
    np_str_add_char(str, '"');
    while (*text) {
        size_t n = np_utf8_sequence(text);
        if (n == 0)
            np_str_add(str, "\xef\xbf\xbd");
        else if (*text == '"' || *text == '\\')
            np_str_addf(str, "\\%c", *text);
        else if (n == 1 && (unsigned char)*text < 0x20)
            np_str_addf(str, "\\u%04x", (unsigned)*text);
        else
            np_str_add_bytes(str, text, n);
        text += n ? n : 1;
    }
    np_str_add_char(str, '"');
}

void np_str_clear(struct np_str *str)
{
    str->length = 0;
    if (str->text)
        str->text[0] = '\0';
}

const char *np_str_text(const struct np_str *str)
{
    return str->text ? str->text : "";
}

char *np_str_take(struct np_str *str)
{
    char *text = str->text ? str->text : np_xstrdup("");

    *str = (struct np_str){0};
    return text;
}

void np_str_done(struct np_str *str)
{
    free(str->text);
    *str = (struct np_str){0};
}

void np_strings_give(struct np_strings *list, char *text)
{
    if (list->n == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 8;
        list->item = np_xrealloc(list->item, list->capacity * sizeof(*list->item));
    }
    list->item[list->n++] = text;
}

void np_strings_add(struct np_strings *list, const char *text)
{
    np_strings_give(list, np_xstrdup(text));
}

bool np_strings_have(const struct np_strings *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->item[i], text) == 0)
            return true;
    return false;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void np_strings_sort(struct np_strings *list)
{
    if (list->n > 1)
        qsort(list->item, list->n, sizeof(*list->item), by_bytes);
}

char *np_strings_join(const struct np_strings *list, const char *separator, size_t most)
{
    struct np_str out = {0};

    for (size_t i = 0; i < list->n && i < most; i++) {
        if (i)
            np_str_add(&out, separator);
        np_str_add(&out, list->item[i]);
    }
    if (list->n > most)
        np_str_addf(&out, "%s… (%zu more)", separator, list->n - most);
    return np_str_take(&out);
}

void np_strings_done(struct np_strings *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->item[i]);
    free(list->item);
    *list = (struct np_strings){0};
}

/* Well-formed sequences as in table 3-7 of the Unicode standard. */
size_t np_utf8_sequence(const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    static const struct {
        uint8_t lead_min, lead_max, second_min, second_max, length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < NP_COUNT(forms); i++) {
        if (s[0] < forms[i].lead_min || s[0] > forms[i].lead_max)
            continue;
        if (forms[i].length > 1 && (s[1] < forms[i].second_min || s[1] > forms[i].second_max))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if (s[k] < 0x80 || s[k] > 0xbf)
                return 0;
        return forms[i].length;
    }
    return 0;
}

/* True when the `n` bytes at `text`, one character, are a control character. */
static bool is_control(const char *text, size_t n)
{
    const uint8_t *s = (const uint8_t *)text;

    return n == 1 ? s[0] < 0x20 || s[0] == 0x7f : n == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

/* The high bit of each byte that is below 0x20, 0x7f or above. Only the lowest set bit is
 * reliable. */
static uint64_t not_printable(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t eight = np_load_little_endian(at);

    return (eight | (eight - ones * 0x20) | (eight + ones)) & high;
}

/* Eight bytes at a time; the last eight may overlap the previous ones. */
size_t np_printable_prefix(const char *text, size_t n)
{
    size_t at = 0;

    for (; n - at >= 8; at += 8) {
        uint64_t found = not_printable(text + at);
        if (found)
            return at + (size_t)__builtin_ctzll(found) / 8;
    }
    if (n >= 8 && !not_printable(text + n - 8))
        return n;
    while (at < n && (unsigned char)(text[at] - 0x20) < 0x7f - 0x20)
        at++;
    return at;
}

char *np_utf8_clean(const char *text)
{
    struct np_str out = {0};
    size_t length = strlen(text), plain = np_printable_prefix(text, length);

    if (plain == length)
        return np_xstrndup(text, length);
    np_str_add_bytes(&out, text, plain);
    text += plain;
    while (*text) {
        size_t n = np_utf8_sequence(text);
        if (n == 0)
            np_str_add(&out, "\xef\xbf\xbd");
        else if (is_control(text, n))
            np_str_add_char(&out, ' ');
        else
            np_str_add_bytes(&out, text, n);
        text += n ? n : 1;
    }
    return np_str_take(&out);
}

void np_utf8_cut(char *text, size_t most)
{
    size_t length = strnlen(text, most + 1);

    if (length > most)
        length = most;
    size_t lead = length;
    while (lead > 0 && length - lead < 4 && ((uint8_t)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    text[length] = '\0';
    if (lead > 0 && (uint8_t)text[lead - 1] >= 0xc0 && np_utf8_sequence(text + lead - 1) == 0)
        text[lead - 1] = '\0';
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) % 16 : -1;
}

bool np_str_add_percent_decoded(struct np_str *str, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '%') {
            np_str_add_char(str, text[i]);
            continue;
        }
        int high = i + 2 < n ? hex_digit(text[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_digit(text[i + 2]);
        if (low < 0 || high + low == 0)
            return false;
        np_str_add_char(str, (char)(high << 4 | low));
        i += 2;
    }
    return true;
}

size_t np_byte_order_mark(const char *text, size_t n_bytes)
{
    return n_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

bool np_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool np_ends_with(const char *text, const char *suffix)
{
    size_t n_text = strlen(text), n_suffix = strlen(suffix);

    return n_text >= n_suffix && memcmp(text + n_text - n_suffix, suffix, n_suffix) == 0;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

const char *np_plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

void np_str_add_count(struct np_str *str, size_t n, const char *what)
{
    if (n > 0)
        np_str_addf(str, "%s%zu %s", str->length ? ", " : "", n, what);
}

/* Optimal string alignment: Levenshtein with swaps of neighbours. */
size_t np_edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t n = strnlen(a, LONGEST), m = strnlen(b, LONGEST);
    size_t d[LONGEST + 1][LONGEST + 1];

    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t change = a[i - 1] != b[j - 1];
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    return d[n][m];
}
