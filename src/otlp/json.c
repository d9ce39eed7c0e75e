/*
 * OTLP/JSON: protobuf's JSON mapping with OTLP's exceptions. Names in lowerCamelCase, ids in hex,
 * enums as integers, 64-bit integers as strings, NaN and infinities as strings. One request is one
 * line: nothing here writes a line feed.
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/str.h"
#include "otlp/writer.h"
#include "trace/trace.h"

enum { NOTE_MESSAGE, NOTE_LIST };

static void add_char(struct np_otlp_buffer *out, char c)
{
    np_otlp_buffer_add(out, &c, 1);
}

/* Whether something was just opened. */
static bool is_first(const struct np_otlp_buffer *out)
{
    char last = out->length ? out->bytes[out->length - 1] : '{';

    return last == '{' || last == '[';
}

static void separate(struct np_otlp_buffer *out)
{
    if (!is_first(out))
        add_char(out, ',');
}

static void key(struct np_otlp_buffer *out, const struct np_otlp_field *field)
{
    size_t skip = is_first(out); /* the comma */
    size_t n = field->name_length + sizeof(",\"\":") - 1;

    np_otlp_buffer_add(out, field->json_key + skip, n - skip);
}

static void open_container(struct np_otlp_writer *writer, char bracket, size_t note)
{
    assert(writer->depth < NP_OTLP_DEEPEST);
    writer->note[writer->depth++] = note;
    add_char(writer->out, bracket);
}

static void close_container(struct np_otlp_writer *writer, char bracket)
{
    writer->depth--;
    add_char(writer->out, bracket);
}

static void begin(struct np_otlp_writer *writer)
{
    open_container(writer, '{', NOTE_MESSAGE);
}

static void list_begin(struct np_otlp_writer *writer, const struct np_otlp_field *field)
{
    key(writer->out, field);
    open_container(writer, '[', NOTE_LIST);
}

static void list_end(struct np_otlp_writer *writer)
{
    close_container(writer, ']');
}

static void message_begin(struct np_otlp_writer *writer, const struct np_otlp_field *field)
{
    if (writer->note[writer->depth - 1] == NOTE_LIST)
        separate(writer->out);
    else
        key(writer->out, field);
    open_container(writer, '{', NOTE_MESSAGE);
}

static void message_end(struct np_otlp_writer *writer)
{
    close_container(writer, '}');
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* High bits where a byte is not plain: what is below 0x20, or equal after the XOR, shows as a
 * borrow. The lowest that shows is a true one. */
static uint64_t not_plain(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t eight = np_load_little_endian(at);
    uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';

    return (eight | (eight - ones * 0x20) | (quote - ones) | (backslash - ones)) & high;
}

/* The first byte that is not plain. The last eight may overlap those before. */
static const char *plain_end(const char *at, const char *end)
{
    bool is_long = end - at >= 8;

    for (; end - at >= 8; at += 8) {
        uint64_t found = not_plain(at);
        if (found)
            return at + __builtin_ctzll(found) / 8;
    }
    if (is_long && !not_plain(end - 8))
        return end;
    while (at < end && is_plain((unsigned char)*at))
        at++;
    return at;
}

static void add_escaped(struct np_otlp_buffer *out, unsigned char c)
{
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    char text[8] = {'\\', c < sizeof(letters) ? letters[c] : '\0', '\0'};

    if (!text[1])
        snprintf(text, sizeof(text), "\\u%04x", c);
    np_otlp_buffer_text(out, text);
}

/* Runs of plain characters are copied at once; a byte that is no UTF-8 becomes U+FFFD. */
static void add_string(struct np_otlp_buffer *out, const char *text, size_t length)
{
    const char *end = text + length;
    char *at = np_otlp_buffer_room(out, length + 2);

    if (at && plain_end(text, end) == end) { /* as nearly all are */
        *at = '"';
        memcpy(at + 1, text, length);
        at[length + 1] = '"';
        out->length += length + 2;
        return;
    }
    add_char(out, '"');
    while (text < end) {
        const char *run = text;
        text = plain_end(run, end);
        np_otlp_buffer_add(out, run, (size_t)(text - run));
        if (text == end)
            break;
        size_t sequence = np_utf8_sequence(text);
        if (sequence > 1)
            np_otlp_buffer_add(out, text, sequence);
        else if (sequence == 1)
            add_escaped(out, (unsigned char)*text);
        else
            np_otlp_buffer_text(out, "\xef\xbf\xbd");
        text += sequence ? sequence : 1;
    }
    add_char(out, '"');
}

static void add_hex(struct np_otlp_buffer *out, const uint8_t *byte, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    add_char(out, '"');
    while (n > 0) {
        char text[2 * NP_TRACE_ID_BYTES];
        size_t some = n < NP_TRACE_ID_BYTES ? n : NP_TRACE_ID_BYTES;
        for (size_t i = 0; i < some; i++) {
            text[2 * i] = digits[byte[i] >> 4];
            text[2 * i + 1] = digits[byte[i] & 15];
        }
        np_otlp_buffer_add(out, text, 2 * some);
        byte += some;
        n -= some;
    }
    add_char(out, '"');
}

static void add_base64(struct np_otlp_buffer *out, const uint8_t *byte, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    add_char(out, '"');
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)byte[i] << 16 | (i + 1 < n ? (uint32_t)byte[i + 1] << 8 : 0) |
                        (i + 2 < n ? byte[i + 2] : 0);
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        i + 1 < n ? digits[bits >> 6 & 63] : '=',
                        i + 2 < n ? digits[bits & 63] : '='};
        np_otlp_buffer_add(out, four, sizeof(four));
    }
    add_char(out, '"');
}

enum { MOST_DIGITS_64 = 20 };

/* Its digits, from the end of `text` backwards; returns how many. */
static size_t digits_of(uint64_t value, char text[MOST_DIGITS_64])
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    size_t n = 0;

    for (; value >= 100; value /= 100) {
        n += 2;
        memcpy(text + MOST_DIGITS_64 - n, &pairs[2 * (value % 100)], 2);
    }
    if (value >= 10) {
        n += 2;
        memcpy(text + MOST_DIGITS_64 - n, &pairs[2 * value], 2);
    } else {
        text[MOST_DIGITS_64 - ++n] = (char)('0' + value);
    }
    return n;
}

/* `quote` and `sign` are NUL where there is none. */
static void add_digits(struct np_otlp_buffer *out, char quote, char sign, uint64_t value)
{
    char text[2 + MOST_DIGITS_64 + 1], *end = text + 2 + MOST_DIGITS_64;
    char *first = end - digits_of(value, text + 2);

    if (sign)
        *--first = sign;
    if (quote) {
        *--first = quote;
        *end++ = quote;
    }
    np_otlp_buffer_add(out, first, (size_t)(end - first));
}

static void add_integer(struct np_otlp_buffer *out, char quote, int64_t value)
{
    uint64_t size = (uint64_t)value;

    add_digits(out, quote, value < 0 ? '-' : '\0', value < 0 ? 0 - size : size);
}

static void add_unsigned(struct np_otlp_buffer *out, char quote, uint64_t value)
{
    add_digits(out, quote, '\0', value);
}

/* `digits` / 10^places, without zeros at the end. */
static void add_decimal(struct np_otlp_buffer *out, uint64_t digits, int places)
{
    char text[MOST_DIGITS_64], point[] = "0.00000000000000000000";

    while (places > 0 && digits % 10 == 0) {
        digits /= 10;
        places--;
    }
    size_t n = digits_of(digits, text), n_places = (size_t)places;
    const char *first = text + sizeof(text) - n;
    if (n_places == 0) {
        np_otlp_buffer_add(out, first, n);
    } else if (n > n_places) {
        np_otlp_buffer_add(out, first, n - n_places);
        add_char(out, '.');
        np_otlp_buffer_add(out, first + n - n_places, n_places);
    } else {
        np_otlp_buffer_add(out, point, 2 + n_places - n);
        np_otlp_buffer_add(out, first, n);
    }
}

/* Powers of ten that a long double holds exactly: its 64 bits hold 5^27. */
static const long double tens[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                   1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                   1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L};

/* Whether digits / 10^places reads back as `value`, with no doubt: the quotient's own rounding, a
 * last bit up or down, does not change the double. */
static bool reads_back(uint64_t digits, int places, double value)
{
    const long double slack = 0x1p-63L;
    long double quotient = (long double)digits / tens[places];

    return (double)(quotient * (1 - slack)) == value && (double)(quotient * (1 + slack)) == value;
}

/*
 * The same as add_number without the C library, which takes a microsecond: for values from 10^-4 to
 * 10^15, as nearly all are. Of 15 to 17 digits the fewest that read back. False when that is in
 * doubt: nothing was written then.
 */
static bool add_number_fast(struct np_otlp_buffer *out, double value)
{
    enum { FEWEST = 15, MOST = 17 };
    double size = fabs(value);
    int whole_digits = 1;

    if (!(size >= 1e-4 && size < 1e15))
        return false;
    if (size == (double)(uint64_t)size) {
        add_integer(out, '\0', (int64_t)value);
        return true;
    }
    while (whole_digits < FEWEST && size >= (double)tens[whole_digits])
        whole_digits++;
    for (int scale = 1; whole_digits == 1 && size * (double)tens[scale] < 1; scale++)
        whole_digits = 1 - scale; /* zeros after the point are no digits */
    for (int n = FEWEST; n <= MOST; n++) {
        int places = n - whole_digits;
        if (places >= (int)(sizeof(tens) / sizeof(*tens)))
            return false;
        uint64_t digits = (uint64_t)(size * tens[places] + 0.5L);
        if (!reads_back(digits, places, size))
            continue;
        if (value < 0)
            add_char(out, '-');
        add_decimal(out, digits, places);
        return true;
    }
    return false;
}

/* The fewest of 15 to 17 digits that read back as the same double. */
static void add_number_slowly(struct np_otlp_buffer *out, double value)
{
    enum { EXACT_DIGITS = 15, MOST_DIGITS = 17 };
    char text[40];

    for (int digits = EXACT_DIGITS; digits <= MOST_DIGITS; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *comma = strchr(text, ','); /* some locales' decimal point */
    if (comma)
        *comma = '.';
    np_otlp_buffer_text(out, text);
}

static void add_number(struct np_otlp_buffer *out, double value)
{
    if (isnan(value))
        np_otlp_buffer_text(out, "\"NaN\"");
    else if (isinf(value))
        np_otlp_buffer_text(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else if (value == 0) /* a bare -0 is an integer to most readers, which has no sign */
        np_otlp_buffer_text(out, signbit(value) ? "-0.0" : "0");
    else if (!add_number_fast(out, value))
        add_number_slowly(out, value);
}

static void add_list(struct np_otlp_buffer *out, const struct np_otlp_field *field,
                     const struct np_otlp_value *value)
{
    add_char(out, '[');
    for (size_t i = 0; i < value->n; i++) {
        separate(out);
        if (field->type == NP_OTLP_DOUBLE_LIST)
            add_number(out, value->as.number_list[i]);
        else
            add_unsigned(out, '"', value->as.fixed_list[i]);
    }
    add_char(out, ']');
}

/* The value of a field, behind its key. */
static void add_value(struct np_otlp_buffer *out, const struct np_otlp_field *field,
                      const struct np_otlp_value *value)
{
    switch (field->type) {
    case NP_OTLP_STRING:
        add_string(out, value->as.string, value->n);
        break;
    case NP_OTLP_ID:
        add_hex(out, value->as.id, value->n);
        break;
    case NP_OTLP_BYTES:
        add_base64(out, value->as.id, value->n);
        break;
    case NP_OTLP_BOOL:
        np_otlp_buffer_text(out, value->as.boolean ? "true" : "false");
        break;
    case NP_OTLP_ENUM:
    case NP_OTLP_SINT32:
        add_integer(out, '\0', value->as.integer);
        break;
    case NP_OTLP_INT64:
    case NP_OTLP_SFIXED64:
        add_integer(out, '"', value->as.integer);
        break;
    case NP_OTLP_UINT32:
    case NP_OTLP_FIXED32:
        add_unsigned(out, '\0', value->as.fixed);
        break;
    case NP_OTLP_FIXED64:
        add_unsigned(out, '"', value->as.fixed);
        break;
    case NP_OTLP_DOUBLE:
        add_number(out, value->as.number);
        break;
    case NP_OTLP_UINT64_LIST:
    case NP_OTLP_FIXED64_LIST:
    case NP_OTLP_DOUBLE_LIST:
        add_list(out, field, value);
        break;
    case NP_OTLP_MESSAGE:
        assert(!"a message is no scalar");
        break;
    }
}

static void scalar(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                   const struct np_otlp_value *value)
{
    key(writer->out, field);
    add_value(writer->out, field, value);
}

static char *put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}

/* Keys are plain, nearly always. */
static void attribute(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                      const struct np_otlp_attribute *one)
{
    static const char begin_key[] = ",{\"key\":\"", begin_value[] = "\",\"value\":{";
    struct np_otlp_buffer *out = writer->out;
    const char *key_end = one->key + one->n_key, *name = one->member->json_key + 1;
    size_t skip = is_first(out), n_name = one->member->name_length + sizeof("\"\":") - 1;
    char *at =
        np_otlp_buffer_room(out, sizeof(begin_key) + one->n_key + sizeof(begin_value) + n_name);

    if (!at || one->n_key == 0 || plain_end(one->key, key_end) < key_end) {
        np_otlp_write_attribute(writer, field, one);
        return;
    }
    at = put(at, begin_key + skip, sizeof(begin_key) - 1 - skip);
    at = put(at, one->key, one->n_key);
    at = put(at, begin_value, sizeof(begin_value) - 1);
    at = put(at, name, n_name);
    out->length = (size_t)(at - out->bytes);
    add_value(out, one->member, &one->value);
    np_otlp_buffer_add(out, "}}", 2);
}

static void ready(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                  const void *bytes, size_t n)
{
    if (writer->note[writer->depth - 1] == NOTE_LIST)
        separate(writer->out);
    else
        key(writer->out, field);
    np_otlp_buffer_add(writer->out, bytes, n);
}

const struct np_otlp_format np_otlp_json = {
    .begin = begin,
    .end = message_end,
    .list_begin = list_begin,
    .list_end = list_end,
    .message_begin = message_begin,
    .message_end = message_end,
    .scalar = scalar,
    .attribute = attribute,
    .ready = ready,
};
