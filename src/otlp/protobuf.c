/*
 * Protobuf's wire format. A field is a tag (number and wire type) and a value; a message is written
 * after one byte kept free for its length, and moved up when its length needs more: nearly all
 * messages are attributes of less than 128 bytes.
 */
#include "otlp/protobuf.h"

#include <assert.h>
#include <string.h>

#include "base/str.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

enum { MOST_VARINT = 10, MOST_HEAD = 5 + MOST_VARINT };

static size_t put_varint(uint8_t *out, uint64_t value)
{
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

static size_t put_little_endian(uint8_t *out, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(value >> 8 * i);
    return n;
}

static size_t put_tag(uint8_t *out, const struct np_otlp_field *field, enum wire_type type)
{
    return put_varint(out, (uint64_t)field->number << 3 | (uint64_t)type);
}

/* Tag and length; the `n` bytes follow. */
static void add_head(struct np_otlp_buffer *out, const struct np_otlp_field *field, size_t n)
{
    uint8_t head[MOST_HEAD];
    size_t n_head = put_tag(head, field, WIRE_BYTES);

    n_head += put_varint(head + n_head, n);
    np_otlp_buffer_add(out, head, n_head);
}

static void add_bytes(struct np_otlp_buffer *out, const struct np_otlp_field *field,
                      const void *bytes, size_t n)
{
    add_head(out, field, n);
    np_otlp_buffer_add(out, bytes, n);
}

static void add_varint(struct np_otlp_buffer *out, const struct np_otlp_field *field,
                       uint64_t value)
{
    uint8_t bytes[MOST_HEAD];
    size_t n = put_tag(bytes, field, WIRE_VARINT);

    n += put_varint(bytes + n, value);
    np_otlp_buffer_add(out, bytes, n);
}

static void add_fixed(struct np_otlp_buffer *out, const struct np_otlp_field *field, uint64_t value,
                      enum wire_type type)
{
    uint8_t bytes[MOST_HEAD];
    size_t n = put_tag(bytes, field, type);

    n += put_little_endian(bytes + n, value, type == WIRE_32 ? 4 : 8);
    np_otlp_buffer_add(out, bytes, n);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* The length of the valid UTF-8 that `text` begins with. */
static size_t valid_utf8(const char *text, size_t n)
{
    size_t at = 0;

    while (at < n) {
        size_t sequence = np_utf8_sequence(text + at);
        if (sequence == 0)
            break;
        at += sequence;
    }
    return at;
}

/* Decoders refuse a whole request for one string that is not valid UTF-8. */
static void add_mended(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                       const char *text, size_t n)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const char *end = text + n;

    writer->format->message_begin(writer, field);
    while (text < end) {
        size_t valid = valid_utf8(text, (size_t)(end - text));
        np_otlp_buffer_add(writer->out, text, valid);
        text += valid;
        if (text < end) {
            np_otlp_buffer_text(writer->out, replacement);
            text++;
        }
    }
    writer->format->message_end(writer);
}

static void add_string(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                       const char *text, size_t n)
{
    if (valid_utf8(text, n) == n)
        add_bytes(writer->out, field, text, n);
    else
        add_mended(writer, field, text, n);
}

static void add_uint64_list(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                            const struct np_otlp_value *value)
{
    uint8_t bytes[MOST_VARINT];

    writer->format->message_begin(writer, field);
    for (size_t i = 0; i < value->n; i++)
        np_otlp_buffer_add(writer->out, bytes, put_varint(bytes, value->as.fixed_list[i]));
    writer->format->message_end(writer);
}

static void add_64_bit_list(struct np_otlp_buffer *out, const struct np_otlp_field *field,
                            const struct np_otlp_value *value)
{
    uint8_t bytes[8];

    add_head(out, field, value->n * sizeof(bytes));
    for (size_t i = 0; i < value->n; i++) {
        bool is_fixed = field->type == NP_OTLP_FIXED64_LIST;
        uint64_t bits = is_fixed ? value->as.fixed_list[i] : bits_of(value->as.number_list[i]);
        np_otlp_buffer_add(out, bytes, put_little_endian(bytes, bits, sizeof(bytes)));
    }
}

static void scalar(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                   const struct np_otlp_value *value)
{
    struct np_otlp_buffer *out = writer->out;

    switch (field->type) {
    case NP_OTLP_STRING:
        add_string(writer, field, value->as.string, value->n);
        break;
    case NP_OTLP_ID:
    case NP_OTLP_BYTES:
        add_bytes(out, field, value->as.id, value->n);
        break;
    case NP_OTLP_BOOL:
        add_varint(out, field, value->as.boolean);
        break;
    case NP_OTLP_ENUM:
    case NP_OTLP_INT64:
        add_varint(out, field, (uint64_t)value->as.integer);
        break;
    case NP_OTLP_UINT32:
        add_varint(out, field, value->as.fixed);
        break;
    case NP_OTLP_SINT32:
        add_varint(out, field,
                   (uint64_t)value->as.integer << 1 ^ (value->as.integer < 0 ? UINT64_MAX : 0));
        break;
    case NP_OTLP_FIXED32:
        add_fixed(out, field, value->as.fixed, WIRE_32);
        break;
    case NP_OTLP_FIXED64:
        add_fixed(out, field, value->as.fixed, WIRE_64);
        break;
    case NP_OTLP_SFIXED64:
        add_fixed(out, field, (uint64_t)value->as.integer, WIRE_64);
        break;
    case NP_OTLP_DOUBLE:
        add_fixed(out, field, bits_of(value->as.number), WIRE_64);
        break;
    case NP_OTLP_UINT64_LIST:
        add_uint64_list(writer, field, value);
        break;
    case NP_OTLP_FIXED64_LIST:
    case NP_OTLP_DOUBLE_LIST:
        add_64_bit_list(out, field, value);
        break;
    case NP_OTLP_MESSAGE:
        assert(!"a message is no scalar");
        break;
    }
}

/* Protobuf needs no delimiters for a request or a list. */
static void request_border(struct np_otlp_writer *writer)
{
    (void)writer;
}

static void list_begin(struct np_otlp_writer *writer, const struct np_otlp_field *field)
{
    (void)writer;
    (void)field;
}

static void message_begin(struct np_otlp_writer *writer, const struct np_otlp_field *field)
{
    assert(writer->depth < NP_OTLP_DEEPEST);
    add_head(writer->out, field, 0);
    writer->note[writer->depth++] = writer->out->length;
}

static void message_end(struct np_otlp_writer *writer)
{
    struct np_otlp_buffer *out = writer->out;
    size_t start = writer->note[--writer->depth];
    uint8_t length[MOST_VARINT];

    if (out->failed)
        return;
    size_t n = out->length - start;
    size_t n_length = put_varint(length, n);
    np_otlp_buffer_add(out, length, n_length - 1); /* room */
    if (out->failed)
        return;
    if (n_length > 1)
        memmove(out->bytes + start + n_length - 1, out->bytes + start, n);
    memcpy(out->bytes + start - 1, length, n_length);
}

static void ready(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                  const void *bytes, size_t n)
{
    add_bytes(writer->out, field, bytes, n);
}

const struct np_otlp_format np_otlp_protobuf = {
    .begin = request_border,
    .end = request_border,
    .list_begin = list_begin,
    .list_end = request_border,
    .message_begin = message_begin,
    .message_end = message_end,
    .scalar = scalar,
    .ready = ready,
};
