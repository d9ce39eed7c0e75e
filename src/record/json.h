/* Helpers for the record's JSON readers and writers: jansson with our types and rules. Inside
 * record/ only. */
#ifndef NP_RECORD_JSON_H
#define NP_RECORD_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "base/str.h"
#include "json/json.h"

/* Set `key` to a text, or to null. Bytes that are not UTF-8 are kept reversibly: see
 * np_json_get_text. */
void np_json_text(json_t *object, const char *key, const char *text);

/* Set `key` to an ISO 8601 time in UTC with nanoseconds, or to null for 0. */
void np_json_time(json_t *object, const char *key, int64_t unix_ns);

/* Set `key` to a number; null when it is not finite. */
json_t *np_json_number(double value);
json_t *np_json_strings(const struct np_strings *list);

/* Indented text with the keys in the given order and a newline at the end; takes the reference.
 * Floats have 12 digits. */
char *np_json_take_text(json_t *json);
/* The same without indentation, in one line. */
char *np_json_take_line(json_t *json);

/* Readers give NULL, 0 or "" when the key is absent or has another type. Texts are new. */
char *np_json_get_text(const json_t *object, const char *key);
int64_t np_json_get_integer(const json_t *object, const char *key);
double np_json_get_number(const json_t *object, const char *key);

/* Nanoseconds since 1970; 0 for a time before 1970 or after 2262, which nanoseconds cannot
 * count. */
int64_t np_json_get_time(const json_t *object, const char *key);

/* A hash or a UUID; "" when the value has other characters than hexadecimal digits and dashes or
 * does not fit. */
void np_json_get_hex(const json_t *object, const char *key, char *out, size_t size);
void np_json_get_strings(const json_t *array, struct np_strings *list);

/* True when a file ends as an object of ours does: it is neither cut off nor still being written.
 * Reading ten thousand records a second time would take as long as the first: this looks at the end
 * alone. */
bool np_json_file_ends(const char *path);

#endif
