#include "catalog/measure.h"

#include <string.h>

#define ATTRIBUTE(key) (__builtin_strncmp(key, "neuro.", 6) == 0 ? (key) : "neuro." key)
#define X(ident, key_, kind_, unit_, shown_, formula_, meaning_) \
    [NP_MEASURE_##ident] = {.key = (key_),                       \
                            .attribute = ATTRIBUTE(key_),        \
                            .kind = NP_MEASURE_KIND_##kind_,     \
                            .unit = (unit_),                     \
                            .shown = (shown_),                   \
                            .formula = (formula_),               \
                            .meaning = (meaning_)},
#define XG(ident, key, kind, unit, shown, formula, meaning, gauge, name) \
    X(ident, key, kind, unit, shown, formula, meaning)
const struct np_measure_row np_measure_rows[NP_N_MEASURES] = {NP_MEASURES(X, XG)};
#undef XG
#undef X

/* Under whitestripe these were the stripe's, under the other methods the brain's. */
#define OF_STRIPE(key, now)                                                                        \
    {                                                                                              \
        key, NP_MEASURE_NORMALIZATION_METHOD, "whitestripe", NP_MEASURE_NORMALIZATION_STRIPE_##now \
    }
const struct np_measure_alias np_measure_aliases[] = {
    OF_STRIPE("normalization.voxels", VOXELS), OF_STRIPE("normalization.mean", MEAN),
    OF_STRIPE("normalization.sd", SD),         OF_STRIPE("normalization.low", LOW),
    OF_STRIPE("normalization.high", HIGH),
};
const size_t np_n_measure_aliases = sizeof(np_measure_aliases) / sizeof(np_measure_aliases[0]);

const struct np_measure_row *np_measure_find(const char *key)
{
    for (size_t i = 0; i < NP_N_MEASURES; i++)
        if (strcmp(np_measure_rows[i].key, key) == 0)
            return &np_measure_rows[i];
    return NULL;
}
