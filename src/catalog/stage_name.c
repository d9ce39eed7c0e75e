#include "catalog/stage_name.h"

#include <string.h>

#define X(ident, name) const char NP_STAGE_##ident[sizeof(name)] = name;
NP_STAGE_NAMES(X)
#undef X

bool np_stage_only_adds(const char *name)
{
#define X(ident)                             \
    if (strcmp(name, NP_STAGE_##ident) == 0) \
        return true;
    NP_STAGES_THAT_ADD(X)
#undef X
    return false;
}
