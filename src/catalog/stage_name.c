#include "catalog/stage_name.h"

#define X(ident, name) const char NP_STAGE_##ident[sizeof(name)] = name;
NP_STAGE_NAMES(X)
#undef X
