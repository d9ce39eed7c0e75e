#include "catalog/warning.h"

#include <stddef.h>
#include <string.h>

#define X(ident, key, meaning, remedy) [NP_WARNING_##ident] = {key, meaning, remedy},
const struct np_warning_row np_warning_rows[NP_N_WARNINGS] = {NP_WARNINGS(X)};
#undef X

const struct np_warning_row *np_warning_find(const char *key)
{
    for (int i = 0; i < NP_N_WARNINGS; i++)
        if (strcmp(np_warning_rows[i].key, key) == 0)
            return &np_warning_rows[i];
    return NULL;
}
