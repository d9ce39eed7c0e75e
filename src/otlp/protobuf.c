/*
 * Protobuf's wire format. A field is a tag (number and wire type) and a value; a message is written
 * after one byte kept free for its length, and moved up when its length needs more: nearly all
 * messages are attributes of less than 128 bytes.
 */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/str.h"
#include "otlp/writer.h"

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

static bool is_ascii(const char *at)
{
    return !(np_load_little_endian(at) & UINT64_C(0x8080808080808080));
}

/* The length of the valid UTF-8 that `text` begins with. */
static size_t valid_utf8(const char *text, size_t n)
{
    size_t at = 0;

    while (n - at >= 8 && is_ascii(text + at))
        at += 8;
    if (n - at < 8 && n >= 8 && is_ascii(text + n - 8))
        return n;
    while (at < n) {
        size_t sequence = (unsigned char)text[at] < 0x80 ? 1 : np_utf8_sequence(text + at);
        if (sequence == 0)
            break;
        at += sequence;
    }
    return at;
}

/* Decoders refuse a whole request for one string that is no UTF-8. */
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

/* The request is what stands between, and a list is its elements one after the other. */
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

/* So many bytes of a scalar with its tag; 0 = it has no short form here. */
static size_t scalar_size(const struct np_otlp_field *field, const struct np_otlp_value *value)
{
    uint8_t varint[MOST_VARINT];

    switch (field->type) {
    case NP_OTLP_STRING:
        return valid_utf8(value->as.string, value->n) == value->n
                   ? 1 + put_varint(varint, value->n) + value->n
                   : 0;
    case NP_OTLP_BOOL:
        return 2;
    case NP_OTLP_INT64:
        return 1 + put_varint(varint, (uint64_t)value->as.integer);
    case NP_OTLP_DOUBLE:
        return 9;
    default:
        return 0;
    }
}

/* As scalar_size counted; the tags here are of one byte. */
static uint8_t *put_scalar(uint8_t *at, const struct np_otlp_field *field,
                           const struct np_otlp_value *value)
{
    switch (field->type) {
    case NP_OTLP_STRING:
        at += put_tag(at, field, WIRE_BYTES);
        at += put_varint(at, value->n);
        memcpy(at, value->as.string, value->n);
        return at + value->n;
    case NP_OTLP_DOUBLE:
        at += put_tag(at, field, WIRE_64);
        return at + put_little_endian(at, bits_of(value->as.number), 8);
    default:
        at += put_tag(at, field, WIRE_VARINT);
        return at + put_varint(at, field->type == NP_OTLP_BOOL ? value->as.boolean
                                                               : (uint64_t)value->as.integer);
    }
}

/* All lengths are known before: nothing is moved up, as message_end has to. */
static void attribute(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                      const struct np_otlp_attribute *one)
{
    struct np_otlp_buffer *out = writer->out;
    uint8_t varint[MOST_VARINT];
    size_t n_value = scalar_size(one->member, &one->value);
    size_t n_key = 1 + put_varint(varint, one->n_key) + one->n_key;
    size_t n = n_key + 1 + put_varint(varint, n_value) + n_value;
    char *room = np_otlp_buffer_room(out, MOST_HEAD + n);

    if (!room || n_value == 0 || one->n_key == 0 || valid_utf8(one->key, one->n_key) < one->n_key) {
        np_otlp_write_attribute(writer, field, one);
        return;
    }
    uint8_t *at = (uint8_t *)room;
    at += put_tag(at, field, WIRE_BYTES);
    at += put_varint(at, n);
    at = put_scalar(at, &np_otlp_fields[NP_FIELD_KEY],
                    &(struct np_otlp_value){.as.string = one->key, .n = one->n_key});
    at += put_tag(at, &np_otlp_fields[NP_FIELD_VALUE], WIRE_BYTES);
    at += put_varint(at, n_value);
    at = put_scalar(at, one->member, &one->value);
    out->length += (size_t)(at - (uint8_t *)room);
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
    .attribute = attribute,
    .ready = ready,
};
