/* JSON objects from text and files, and sentences that say where in them something is wrong. */
#ifndef NP_JSON_JSON_H
#define NP_JSON_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

/* json_decref for NP_AUTO: drops the reference and nulls it. */
void np_json_freep(json_t **json);

/* A text that was or is to be read; borrowed. */
struct np_json_source {
    const char *label; /* stands for it in sentences: a path as a rule */
    const char *text;
    size_t n_bytes;
};

/*
 * The object in a text, a new reference. A byte order mark is skipped. `jansson_flags`: 0, or
 * JSON_REJECT_DUPLICATES where the same member twice is an error (else the last one counts).
 * Returns 0, NP_ECONFIG (no JSON, no object), NP_ENOMEM; on failure `object` is untouched and the
 * sentence begins as np_json_place does.
 */
int np_json_parse(const struct np_json_source *source, size_t jansson_flags, json_t **object,
                  struct np_error *err) NP_MUST_USE;

/*
 * The same from a plain file of at most `most` bytes, called `label` in sentences; duplicates are
 * tolerated. Returns 0, NP_ECONFIG (also: too long), NP_ENOINPUT (no plain file, cannot be opened),
 * NP_EIO, NP_ENOMEM.
 */
int np_json_read(const char *path, const char *label, size_t most, json_t **object,
                 struct np_error *err) NP_MUST_USE;

/*
 * "'study.json' line 3, column 14": where the value of text[key[0]][key[1]]… stands in valid JSON,
 * the deepest of them that is there. Both count from 1, columns in characters. The caller frees.
 */
char *np_json_place(const struct np_json_source *source, const char *const *key, size_t n_keys);

/* NP_ECONFIG with the sentence "PLACE: WHAT: expected EXPECTED, found …" about the value there;
 * `what` may be NULL. */
int np_json_wrong(const struct np_json_source *source, const char *const *key, size_t n_keys,
                  const char *what, const char *expected, const json_t *found,
                  struct np_error *err) NP_MUST_USE;

/* "a list", "the text 'x'", "the number 3", …: what was found; the caller frees. */
char *np_json_describe(const json_t *value);

#endif
