/*
 * OTLP/JSON -> any format, by the tables of fields.h: the text is walked once, and each field is
 * written as it is met. Nesting is bounded, and what is no valid OTLP/JSON is refused: an id of a
 * wrong length, an integer out of its range, two values where one can stand, a name twice. One such
 * item would make a server refuse the whole request. Names that the tables do not know are passed
 * over.
 */
#ifndef NP_OTLP_TRANSLATE_H
#define NP_OTLP_TRANSLATE_H

#include "otlp/reader.h"
#include "otlp/writer.h"
#include "trace/trace.h"

struct np_otlp_redactor;

struct np_otlp_translator {
    struct np_otlp_reader text;
    const struct np_otlp_redactor *redactor; /* borrowed; NULL = none */
    struct np_otlp_buffer redacted, list;    /* working memory */
    size_t n_points;                         /* data points in what was translated last */
    char key[64]; /* of the attribute whose value is being read, cut to fit; "" = none. Only with a
                     redactor. */
};

/* What was seen of a span or a log record on the way. */
struct np_otlp_facts {
    struct np_trace_id trace_id; /* zero = none */
    uint32_t flags;
    bool is_for_record_only; /* a log record that only the record needs */
};

void np_otlp_translator_done(struct np_otlp_translator *translator);

/*
 * Write the fields of the object that comes, which is a `message`. With `facts`, what they hold is
 * noted, and the flags of a span are left out: who asked writes them. False when it is broken, or
 * when memory is gone: np_otlp_translator_failed tells.
 */
bool np_otlp_translate(struct np_otlp_translator *translator, enum np_otlp_message_index message,
                       struct np_otlp_writer *w, struct np_otlp_facts *facts);

/* NP_ENOMEM when working memory was gone. */
int np_otlp_translator_failed(const struct np_otlp_translator *translator);

#endif
