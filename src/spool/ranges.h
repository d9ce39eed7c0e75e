/* Sets of byte ranges of a record. Private to this room. */
#ifndef NP_SPOOL_RANGES_H
#define NP_SPOOL_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "spool/entry.h"

bool np_spool_range_is_same(const struct np_spool_range *a, const struct np_spool_range *b);

/* Ascending, apart from each other by at least one byte. `item` is owned: free(). */
struct np_spool_ranges {
    struct np_spool_range *item;
    size_t n, capacity;
};

/* Insert `added` and join it with the ranges that it touches. A set of `most` ranges takes no
 * further one: it stays as it is. Returns 0, NP_ENOMEM. */
int np_spool_ranges_add(struct np_spool_ranges *ranges, struct np_spool_range added,
                        size_t most) NP_MUST_USE;

/* Take `removed` out of the ranges. Returns 0, NP_ENOMEM. */
int np_spool_ranges_remove(struct np_spool_ranges *ranges,
                           struct np_spool_range removed) NP_MUST_USE;

/* The end of the range around `at`, or `at` when no range holds it; `*next` is lowered to the
 * next range's start. */
int64_t np_spool_ranges_skip(const struct np_spool_ranges *ranges, int64_t at, int64_t *next);

#endif
