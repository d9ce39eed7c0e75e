/*
 * OTLP/JSON: protobuf's JSON mapping with OTLP's exceptions. Names in lowerCamelCase, ids in hex,
 * enums as integers, 64-bit integers as strings, NaN and infinities as strings. One request is one
 * line: nothing here writes a line feed.
 */
#include "otlp/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "otlp/format.h"
#include "trace/trace.h"

enum { NOTE_MESSAGE, NOTE_LIST };

static void add_char(struct np_otlp_buffer *out, char c)
{
    np_otlp_buffer_add(out, &c, 1);
}

/* True when the last byte opened an object or a list. */
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

/* The first byte that is not plain. */
static const char *plain_end(const char *at, const char *end)
{
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

/* Plain characters are copied together; a byte that is not valid UTF-8 becomes U+FFFD. */
static void add_string(struct np_otlp_buffer *out, const char *text, size_t length)
{
    const char *end = text + length;

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

enum { MOST_DECIMALS = 20 }; /* of a number of 64 bits */

/* Write the digits of `value`, at least `least` of them, before `end`; returns the first. */
static char *digits_before(char *end, uint64_t value, int least)
{
    char *at = end;

    while (value > 0 || end - at < least) {
        *--at = (char)('0' + value % 10);
        value /= 10;
    }
    return at;
}

/* `quote` is "\"" or "". */
static void add_unsigned(struct np_otlp_buffer *out, const char *quote, uint64_t value)
{
    char text[MOST_DECIMALS], *end = text + sizeof(text);
    const char *first = digits_before(end, value, 1);

    np_otlp_buffer_text(out, quote);
    np_otlp_buffer_add(out, first, (size_t)(end - first));
    np_otlp_buffer_text(out, quote);
}

static void add_integer(struct np_otlp_buffer *out, const char *quote, int64_t value)
{
    char text[MOST_DECIMALS + 1], *end = text + sizeof(text);
    char *first = digits_before(end, value < 0 ? -(uint64_t)value : (uint64_t)value, 1);

    if (value < 0)
        *--first = '-';
    np_otlp_buffer_text(out, quote);
    np_otlp_buffer_add(out, first, (size_t)(end - first));
    np_otlp_buffer_text(out, quote);
}

/* The doubles that "%.15g" writes without an exponent. */
static const double LEAST_PLAIN = 1e-4, MOST_PLAIN = 1e15;
enum { MOST_PLACES = 18 }; /* 15 digits of such a number reach so far behind the point */

/*
 * Find the fewest decimals of a number of at most 15 digits that reads back as `size`, a plain
 * double; `*scaled` is then that number without its point. False when there is none.
 * Scaled number and power of ten are exact, and a quotient is rounded as a reader rounds. A decimal
 * of 15 digits, times the power, is at most 0.25 from its integer, so rint finds it.
 */
static bool find_decimal(double size, int *n_places, double *scaled)
{
    double power = 1;

    for (int n = 0; n <= MOST_PLACES && size * power < MOST_PLAIN; n++) {
        *scaled = rint(size * power);
        *n_places = n;
        if (*scaled / power == size)
            return true;
        power *= 10;
    }
    return false;
}

/* `scaled` with a point before its last `n_places` digits. */
static void add_decimal(struct np_otlp_buffer *out, bool is_negative, uint64_t scaled, int n_places)
{
    char text[MOST_DECIMALS], *end = text + sizeof(text);
    char *first = digits_before(end, scaled, n_places + 1), *point = end - n_places;

    if (is_negative)
        add_char(out, '-');
    np_otlp_buffer_add(out, first, (size_t)(point - first));
    if (n_places > 0)
        add_char(out, '.');
    np_otlp_buffer_add(out, point, (size_t)n_places);
}

/* The fewest of `digits` to 17 digits that read back as the same double; 17 always do. */
static void add_shortest(struct np_otlp_buffer *out, double value, int digits)
{
    enum { MOST_DIGITS = 17 };
    char text[40];

    do {
        snprintf(text, sizeof(text), "%.*g", digits, value);
    } while (digits++ < MOST_DIGITS && strtod(text, NULL) != value);
    char *comma = strchr(text, ','); /* some locales' decimal point */
    if (comma)
        *comma = '.';
    np_otlp_buffer_text(out, text);
}

/* As the first of "%.15g", "%.16g", "%.17g" that reads back. Most numbers are integers or have few
 * digits; they are written without printf. */
static void add_finite(struct np_otlp_buffer *out, double value)
{
    enum { EXACT_DIGITS = 15 };
    double size = fabs(value), scaled;
    bool is_plain_size = size >= LEAST_PLAIN && size < MOST_PLAIN;
    int n_places;

    if (!is_plain_size)
        add_shortest(out, value, EXACT_DIGITS);
    else if (find_decimal(size, &n_places, &scaled))
        add_decimal(out, value < 0, (uint64_t)scaled, n_places);
    else
        add_shortest(out, value, EXACT_DIGITS + 1);
}

static void add_number(struct np_otlp_buffer *out, double value)
{
    if (isnan(value))
        np_otlp_buffer_text(out, "\"NaN\"");
    else if (isinf(value))
        np_otlp_buffer_text(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else if (value == 0) /* a bare -0 is an integer to most readers, which has no sign */
        np_otlp_buffer_text(out, signbit(value) ? "-0.0" : "0");
    else
        add_finite(out, value);
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
            add_unsigned(out, "\"", value->as.fixed_list[i]);
    }
    add_char(out, ']');
}

/* Add the value of a field; its key was added before. */
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
        add_integer(out, "", value->as.integer);
        break;
    case NP_OTLP_INT64:
    case NP_OTLP_SFIXED64:
        add_integer(out, "\"", value->as.integer);
        break;
    case NP_OTLP_UINT32:
    case NP_OTLP_FIXED32:
        add_unsigned(out, "", value->as.fixed);
        break;
    case NP_OTLP_FIXED64:
        add_unsigned(out, "\"", value->as.fixed);
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
    .ready = ready,
};
