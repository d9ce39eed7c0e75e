#include "spool/ranges.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"

bool np_spool_range_is_same(const struct np_spool_range *a, const struct np_spool_range *b)
{
    return a->from == b->from && a->to == b->to;
}

int np_spool_ranges_add(struct np_spool_ranges *ranges, struct np_spool_range added, size_t most)
{
    size_t first = ranges->n; /* search from the end: nearly always it continues the last range */

    while (first > 0 && ranges->item[first - 1].to >= added.from)
        first--;
    size_t last = first;
    for (; last < ranges->n && ranges->item[last].from <= added.to; last++) {
        if (ranges->item[last].from < added.from)
            added.from = ranges->item[last].from;
        if (ranges->item[last].to > added.to)
            added.to = ranges->item[last].to;
    }
    if (last > first) { /* [first, last) become one */
        ranges->item[first] = added;
        memmove(&ranges->item[first + 1], &ranges->item[last],
                (ranges->n - last) * sizeof(*ranges->item));
        ranges->n -= last - first - 1;
        return 0;
    }
    if (ranges->n >= most)
        return 0;
    if (ranges->n == ranges->capacity) {
        size_t capacity = ranges->capacity ? ranges->capacity * 2 : 4;
        struct np_spool_range *item = np_try_realloc(ranges->item, capacity, sizeof(*item));
        if (!item)
            return NP_ENOMEM;
        ranges->item = item;
        ranges->capacity = capacity;
    }
    memmove(&ranges->item[first + 1], &ranges->item[first],
            (ranges->n - first) * sizeof(*ranges->item));
    ranges->item[first] = added;
    ranges->n++;
    return 0;
}

int np_spool_ranges_remove(struct np_spool_ranges *ranges, struct np_spool_range removed)
{
    for (size_t i = ranges->n; i-- > 0;) {
        struct np_spool_range *item = &ranges->item[i], rest = {removed.to, item->to};
        if (item->to <= removed.from || item->from >= removed.to)
            continue;
        if (item->from < removed.from) {
            item->to = removed.from;
        } else {
            memmove(item, item + 1, (ranges->n - i - 1) * sizeof(*item));
            ranges->n--;
        }
        if (rest.from < rest.to)
            NP_TRY(np_spool_ranges_add(ranges, rest, SIZE_MAX));
    }
    return 0;
}

int64_t np_spool_ranges_skip(const struct np_spool_ranges *ranges, int64_t at, int64_t *next)
{
    for (size_t i = 0; i < ranges->n; i++) {
        if (ranges->item[i].to <= at)
            continue;
        if (ranges->item[i].from <= at)
            at = ranges->item[i].to;
        else {
            if (ranges->item[i].from < *next)
                *next = ranges->item[i].from;
            break;
        }
    }
    return at;
}
