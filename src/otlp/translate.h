/*
 * OTLP/JSON -> any format, by the tables of fields.h: the text is walked once, and each field is
 * written as it is met. Nesting is bounded, and what is no valid OTLP/JSON is refused: an id of a
 * wrong length, an integer out of its range, two values where one can stand, a name twice. One such
 * item would make a server refuse the whole request. Names that the tables do not know are passed
 * over.
 */
#ifndef NP_OTLP_TRANSLATE_H
#define NP_OTLP_TRANSLATE_H

#include "otlp/text.h"
#include "otlp/writer.h"
#include "trace/trace.h"

struct np_otlp_redactor;

/* The attribute at one place of a list, as it was the last time: the next span's nearly always has
 * the same key, and often the same value. */
struct np_otlp_plain {
    char text[120];        /* {"key":"…","value":{"…":…}} */
    uint8_t n_head, n_key; /* up to the value; of the key */
    uint8_t n_text;        /* of all, 0 = only the head is known */
    uint8_t
        n_other; /* how often the value was another one: where it always is, it is seldom kept */
    const struct np_otlp_field *member; /* of AnyValue */
    /* What was written for all of it, and how. */
    char written[120];
    uint8_t n_written;
    const struct np_otlp_field *list;
    const struct np_otlp_format *format;
};

enum { NP_OTLP_PLAIN_PLACES = 24 };

struct np_otlp_translator {
    struct np_otlp_text text;
    const struct np_otlp_redactor *redactor; /* borrowed; NULL = none */
    struct np_otlp_buffer redacted, list;    /* working memory */
    struct np_otlp_plain plain[NP_OTLP_PLAIN_PLACES];
    size_t n_points; /* data points in what was translated last */
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
