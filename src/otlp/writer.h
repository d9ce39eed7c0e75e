/* The state of one request that is being written. otlp/format.h has the functions that write. */
#ifndef NP_OTLP_WRITER_H
#define NP_OTLP_WRITER_H

#include "otlp/buffer.h"

struct np_otlp_format; /* np_otlp_json, np_otlp_protobuf */

/* The deepest path of our own, to the value of a point's attribute, is 14; lists and maps as values
 * of attributes, which others may write, go deeper. */
enum { NP_OTLP_DEEPEST = 48 };

struct np_otlp_writer {
    const struct np_otlp_format *format;
    struct np_otlp_buffer *out;
    /* For formats: what they note of each open list or message. */
    size_t note[NP_OTLP_DEEPEST];
    int depth;
};

#endif
