#include "trace/naming.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

static const char *const names[] = {"label", "hash", "none"};

const char *np_naming_name(enum np_naming naming)
{
    return names[naming];
}

bool np_naming_parse(const char *text, enum np_naming *naming)
{
    for (size_t i = 0; text && i < NP_COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *naming = (enum np_naming)i;
            return true;
        }
    return false;
}
