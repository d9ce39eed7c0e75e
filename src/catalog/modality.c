#include "catalog/modality.h"

#include <string.h>

#define X(ident, suffix_, datatype_, key, use_, contrast_, peak, recipe_, mask) \
    [NP_MODALITY_##ident] = {.suffix = (suffix_),                               \
                             .datatype = (datatype_),                           \
                             .filter_key = (key),                               \
                             .use = NP_USE_##use_,                              \
                             .contrast = NP_CONTRAST_##contrast_,               \
                             .white_peak = NP_WHITE_##peak,                     \
                             .recipe = NP_RECIPE_##recipe_,                     \
                             .mask_name = NP_MASK_NAME_##mask},
const struct np_modality np_modalities[NP_N_MODALITIES] = {NP_MODALITIES(X)};
#undef X

const struct np_modality *np_modality_find(const char *suffix)
{
    for (size_t i = 0; i < NP_N_MODALITIES; i++)
        if (strcmp(np_modalities[i].suffix, suffix) == 0)
            return &np_modalities[i];
    return NULL;
}

bool np_modality_is_default(const struct np_modality *modality)
{
    return modality->use == NP_USE_BY_DEFAULT || modality->use == NP_USE_AS_SUBSTITUTE;
}

bool np_modality_mask_is_short(const char *suffix)
{
    const struct np_modality *modality = np_modality_find(suffix);

    return modality && modality->mask_name == NP_MASK_NAME_SHORT;
}
