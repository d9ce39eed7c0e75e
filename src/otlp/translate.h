/*
 * Translate OTLP/JSON into any format by the tables of fields.h: the text is read once, and each
 * field is written when it is read. Nesting is bounded. Invalid OTLP/JSON is refused (an id of a
 * wrong length, an integer out of its range, two members of a oneof, a name twice), because one
 * such item would make a server refuse the whole request. Unknown names are skipped.
 */
#ifndef NP_OTLP_TRANSLATE_H
#define NP_OTLP_TRANSLATE_H

#include "otlp/fields.h"
#include "otlp/reader.h"
#include "otlp/writer.h"
#include "trace/trace.h"

struct np_otlp_redactor;

struct np_otlp_translator {
    struct np_otlp_reader text;
    const struct np_otlp_redactor *redactor; /* borrowed; NULL = none */
    struct np_otlp_buffer redacted, list;    /* working memory */
    size_t n_points;                         /* data points in the item that was translated last */
    char key[64]; /* the key of the attribute whose value is being read, shortened to fit; "" =
                     none. Only with a redactor. */
};

/* Facts about a span or a log record that the caller needs. */
struct np_otlp_facts {
    struct np_trace_id trace_id; /* zero = none */
    uint32_t flags;
    bool is_for_record_only; /* a log record that only the record needs */
};

void np_otlp_translator_done(struct np_otlp_translator *translator);

/*
 * Write the fields of the reader's next object, which is a `message`. With `facts`, their values are
 * noted, and the flags of a span are left out, because the caller writes them. False when the object
 * is broken, or when memory is missing; np_otlp_translator_failed is true in the second case.
 */
bool np_otlp_translate(struct np_otlp_translator *translator, enum np_otlp_message_index message,
                       struct np_otlp_writer *w, struct np_otlp_facts *facts);

/* NP_ENOMEM when working memory was missing. */
int np_otlp_translator_failed(const struct np_otlp_translator *translator);

#endif
