/* Functions of the room's parts that other rooms do not need. */
#ifndef NP_OTLP_INSIDE_H
#define NP_OTLP_INSIDE_H

#include "otlp/reader.h"
#include "otlp/redact.h"

/* Take the word (null, true, false) that the next byte begins. */
bool np_otlp_reader_word(struct np_otlp_reader *text, const char *word);

/* As np_otlp_reader_int64; "NaN" and "Infinity" are doubles. */
bool np_otlp_reader_uint64(struct np_otlp_reader *text, uint64_t *out);
bool np_otlp_reader_double(struct np_otlp_reader *text, double *out);

/* As np_otlp_reader_member, to a list's next element. */
enum np_otlp_step np_otlp_reader_element(struct np_otlp_reader *text, size_t *n_before);

/* A redactor with this key; it is copied. */
struct np_otlp_redactor *np_otlp_redactor_new(const void *key, size_t n_bytes);

#endif
