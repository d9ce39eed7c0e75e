/*
 * Text: a growing string, a list of strings, and UTF-8 made safe. These use bookkeeping memory
 * (they abort without memory).
 */
#ifndef NP_BASE_STR_H
#define NP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

/* A growing, always terminated string. {0} is a valid empty one; `text` is NULL until something was
 * added. */
struct np_str {
    char *text;
    size_t length;
    size_t capacity;
};

void np_str_add(struct np_str *str, const char *text);
void np_str_add_bytes(struct np_str *str, const void *bytes, size_t n_bytes);
void np_str_add_char(struct np_str *str, char c);
void np_str_addf(struct np_str *str, const char *format, ...) NP_PRINTF(2, 3);

/* Add `text` as a JSON string, in quotes; bytes that are not UTF-8 become U+FFFD. NULL is null. */
void np_str_add_json(struct np_str *str, const char *text);

/* Empty it, keeping the memory. */
void np_str_clear(struct np_str *str);

/* The text, "" when nothing was added; borrowed. */
const char *np_str_text(const struct np_str *str);

/* Hand the text to the caller (free it); the string is empty after. Never NULL. */
char *np_str_take(struct np_str *str);
void np_str_done(struct np_str *str);

/* A list of owned strings. {0} is a valid empty one. */
struct np_strings {
    char **item;
    size_t n;
    size_t capacity;
};

/* Add a copy of `text`. */
void np_strings_add(struct np_strings *list, const char *text);

/* Add `text` itself; the list owns it from now on. */
void np_strings_give(struct np_strings *list, char *text);
bool np_strings_have(const struct np_strings *list, const char *text);
void np_strings_sort(struct np_strings *list);

/* "a, b, c" at most `most` of them, then ", … (N more)"; the caller frees. */
char *np_strings_join(const struct np_strings *list, const char *separator, size_t most);
void np_strings_done(struct np_strings *list);

/* Length in bytes of the valid UTF-8 sequence at `text` (terminated), 0 when it is invalid. */
size_t np_utf8_sequence(const char *text);

/* A copy in which U+FFFD replaces every byte that is not part of valid UTF-8, and spaces replace
 * control characters (C0, DEL, C1), so that the text cannot move a cursor or end a table cell. */
char *np_utf8_clean(const char *text);

/* The number of bytes at `text`, of `n`, before the first that is not printable ASCII or a
 * space. */
size_t np_printable_prefix(const char *text, size_t n);

/* Cut a terminated buffer to at most `most` bytes without splitting a character that was valid. */
void np_utf8_cut(char *text, size_t most);

/* Add `n` bytes at `text` with "%2C" and the like decoded. False, with a part added, when an
 * escape is invalid or stands for NUL. */
bool np_str_add_percent_decoded(struct np_str *str, const char *text, size_t n);

/* Length of the UTF-8 byte order mark at the beginning of `text`: 3, or 0 when there is none. */
size_t np_byte_order_mark(const char *text, size_t n_bytes);

bool np_starts_with(const char *text, const char *prefix);
bool np_ends_with(const char *text, const char *suffix);

/* "s" for the plural, "" for 1: "%zu session%s". */
const char *np_plural(int64_t n);

/* Add "3 failed" to a list of counts with commas between them; nothing for 0. */
void np_str_add_count(struct np_str *str, size_t n, const char *what);

/* Number of edits (insert, delete, replace, swap neighbours) between two short words: for
 * did-you-mean. */
size_t np_edit_distance(const char *a, const char *b);

#endif
