/*
 * Content and format are separate: encode.c walks spans, logs and metrics, translate.c walks lines
 * of a record, and a format writes what they find. A format is a few functions over one buffer.
 * JSON is in json.c, protobuf in protobuf.c. Protobuf needs the field's number where JSON takes its
 * name, and the message's length where JSON takes a bracket.
 */
#ifndef NP_OTLP_FORMAT_H
#define NP_OTLP_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "otlp/fields.h"
#include "otlp/writer.h"

/* A scalar, or a list of packed scalars; the field's type says which member counts. */
struct np_otlp_value {
    union {
        /* Need not be valid UTF-8. The byte after its `n` bytes can be read, and continues no
         * UTF-8 sequence: a NUL, or a quote. */
        const char *string;
        const uint8_t *id; /* BYTES too */
        bool boolean;
        int64_t integer; /* INT64, SFIXED64, ENUM, SINT32 */
        uint64_t fixed;  /* FIXED32, FIXED64, UINT32 */
        double number;
        const uint64_t *fixed_list; /* UINT64_LIST too */
        const double *number_list;
    } as;
    size_t n; /* bytes of a string or an id, elements of a list */
};

struct np_otlp_format {
    /* The request itself. */
    void (*begin)(struct np_otlp_writer *writer);
    void (*end)(struct np_otlp_writer *writer);
    /* A repeated message field: open the list, then message_begin/_end for each element. */
    void (*list_begin)(struct np_otlp_writer *writer, const struct np_otlp_field *field);
    void (*list_end)(struct np_otlp_writer *writer);
    /* One message: an element of the open list, else the value of `field`. */
    void (*message_begin)(struct np_otlp_writer *writer, const struct np_otlp_field *field);
    void (*message_end)(struct np_otlp_writer *writer);
    void (*scalar)(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                   const struct np_otlp_value *value);
    /* A whole message that was written before in this format, between begin and end. */
    void (*ready)(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                  const void *bytes, size_t n);
};

#endif
