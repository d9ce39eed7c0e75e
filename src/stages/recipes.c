/* The stages of each modality, in order. */
#include "stages/stage.h"

static const struct np_stage *const anatomical[] = {
    &np_stage_load_file,
    &np_stage_validate_data,
    &np_stage_bias_correction,
    &np_stage_skull_strip,
    &np_stage_bias_refinement,
    &np_stage_normalization,
    NULL,
};

static const struct np_recipe recipes[] = {
    [NP_RECIPE_ANATOMICAL] = {"anatomical", anatomical},
};

const struct np_recipe *np_recipe_find(const struct np_modality *modality)
{
    const struct np_recipe *recipe = &recipes[modality->recipe];

    return recipe->stage ? recipe : NULL;
}

int np_recipe_check(const struct np_recipe *recipe, struct np_error *err)
{
    unsigned have = 0;

    for (const struct np_stage *const *stage = recipe->stage; *stage; stage++) {
        if ((*stage)->needs & ~have)
            return np_error_set(err, NP_EINTERNAL,
                                "%s: stage '%s' needs slots that no earlier stage gives (0x%x)",
                                recipe->name, (*stage)->name, (*stage)->needs & ~have);
        have = (have & ~(*stage)->takes) | (*stage)->gives;
    }
    return 0;
}

char *np_recipe_version(const struct np_recipe *recipe)
{
    struct np_str text = {0};

    for (const struct np_stage *const *stage = recipe->stage; *stage; stage++)
        np_str_addf(&text, "%s%s:%d", text.length ? " " : "", (*stage)->name, (*stage)->version);
    return np_str_take(&text);
}
