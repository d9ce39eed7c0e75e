/*
 * Read a JSON text token by token, without a tree: a record has many lines, and most of each line
 * goes directly into another buffer. The text is untrusted. There are no messages: false means that
 * the text is not JSON, or that the next token is another one than asked for.
 */
#ifndef NP_OTLP_READER_H
#define NP_OTLP_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "otlp/buffer.h"

/* A position in the text. {.at, .end} begins. */
struct np_otlp_reader {
    const char *at, *end;
    struct np_otlp_buffer unescaped; /* working memory of np_otlp_reader_string */
};

/* Borrowed from the text, or from working memory until the next string is read. */
struct np_otlp_slice {
    const char *text;
    size_t n;
};

void np_otlp_reader_done(struct np_otlp_reader *text);

/* The next byte that is not blank; '\0' at the end. The position stays before it. */
char np_otlp_reader_peek(struct np_otlp_reader *text);

/* Take `c` (not blank, not NUL) and the blanks before it. Returns false when the next byte is
 * another one, which is not taken. */
bool np_otlp_reader_take(struct np_otlp_reader *text, char c);

/*
 * A string's content. NUL characters in it become U+FFFD, and so do lone surrogates. The byte after
 * it can be read and continues no UTF-8 sequence (otlp/writer.h). False, too, when memory is missing:
 * text->unescaped.failed is then set.
 */
bool np_otlp_reader_string(struct np_otlp_reader *text, struct np_otlp_slice *out);

/* A number, bare or in quotes as OTLP/JSON writes 64-bit integers. One out of its range is refused. */
bool np_otlp_reader_int64(struct np_otlp_reader *text, int64_t *out);

/* Skip a value. */
bool np_otlp_reader_skip(struct np_otlp_reader *text);

/* Steps through an object or a list. Its opening bracket was taken before. */
enum np_otlp_step { NP_OTLP_STEP_NEXT, NP_OTLP_STEP_END, NP_OTLP_STEP_BROKEN };

/* Go to the value of an object's next member and add one to `*n_before`, the number of members
 * before it. `*name` is a slice of the text, with its escapes. */
enum np_otlp_step np_otlp_reader_member(struct np_otlp_reader *text, size_t *n_before,
                                        struct np_otlp_slice *name);

#endif
