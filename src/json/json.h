/* JSON files of a dataset and of its users: objects of bounded size, with the place of what is
 * wrong. */
#ifndef NP_JSON_JSON_H
#define NP_JSON_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

/*
 * The object in `text`, a new reference; NULL with NP_ECONFIG when it is no JSON or no object. The
 * sentence begins with `label`, line and column. A byte order mark is skipped. `jansson_flags`: 0,
 * or JSON_REJECT_DUPLICATES where the same member twice is an error (else the last one counts).
 */
json_t *np_json_parse(const char *label, const char *text, size_t n_bytes, size_t jansson_flags,
                      struct np_error *err);

/*
 * The same from a file of at most `most` bytes, called `label` in sentences, duplicates tolerated.
 * NULL with NP_ECONFIG, or NP_ENOINPUT, NP_EIO (cannot be read, no plain file), NP_EHEADER (too
 * long).
 */
json_t *np_json_load(const char *path, const char *label, size_t most, struct np_error *err);

/* Lines and columns count from 1, columns in bytes. */
struct np_json_place {
    int line;
    int column;
};

/*
 * Where in the (terminated, valid) JSON `text` the value of text[key[0]][key[1]]… stands; the
 * deepest that is found.
 */
struct np_json_place np_json_locate(const char *text, const char *const *key, size_t n_keys);

/* "a list", "text 'x'", "the number 3", …: what was found; the caller frees. */
char *np_json_describe(const json_t *value);

#endif
