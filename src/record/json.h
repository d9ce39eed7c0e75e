/* What the record's JSON readers and writers share: jansson with our types and rules. Inside
 * record/ only. */
#ifndef NP_RECORD_JSON_H
#define NP_RECORD_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "base/str.h"
#include "json/json.h"

/* Set `key` to a text made valid UTF-8, or to null. Bytes that are not UTF-8 are kept reversibly:
 * see np_json_get_text. */
void np_json_text(json_t *object, const char *key, const char *text);

/* Set `key` to an ISO 8601 time in UTC with nanoseconds, or to null for 0. */
void np_json_time(json_t *object, const char *key, int64_t unix_ns);

/* A number; null when it is not finite. */
json_t *np_json_number(double value);
json_t *np_json_strings(const struct np_strings *list);

/* Indented text with sorted keys as given, newline at the end; takes the reference. Floats have 12
 * digits. */
char *np_json_take_text(json_t *json);

/* Readers: NULL, 0, "" when absent or of another type. Texts are new. */
char *np_json_get_text(const json_t *object, const char *key);
int64_t np_json_get_integer(const json_t *object, const char *key);
double np_json_get_number(const json_t *object, const char *key);

/* Nanoseconds since 1970; 0 for a time before that, or one that nanoseconds cannot count (after
 * 2262). */
int64_t np_json_get_time(const json_t *object, const char *key);

/* A hash or a UUID; "" when it is anything but hexadecimal digits and dashes that fit. */
void np_json_get_hex(const json_t *object, const char *key, char *out, size_t size);
void np_json_get_strings(const json_t *array, struct np_strings *list);

#endif
