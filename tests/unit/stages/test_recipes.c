/* The order of stages: each finds what it needs. */
#include <math.h>
#include <string.h>

#include "stages/stage.h"
#include "tap.h"

TEST(every_modality_has_a_recipe_that_can_work)
{
    for (size_t i = 0; i < NP_N_MODALITIES; i++) {
        const struct np_recipe *recipe = np_recipe_find(&np_modalities[i]);
        struct np_error err = {0};
        if (np_modalities[i].use == NP_USE_IN_A_LATER_VERSION) {
            ok(recipe == NULL);
            continue;
        }
        ok_int(np_recipe_check(recipe, &err), 0);
        for (const struct np_stage *const *stage = recipe->stage; *stage; stage++)
            ok((*stage)->run && (*stage)->version > 0);
    }
}

TEST(a_stage_before_what_it_needs_is_named)
{
    static const struct np_stage *const wrong[] = {&np_stage_load_file, &np_stage_normalization,
                                                   &np_stage_skull_strip, NULL};
    const struct np_recipe recipe = {"wrong", wrong};
    struct np_error err = {0};

    ok_int(np_recipe_check(&recipe, &err), NP_EINTERNAL);
    ok_contains(err.text, "'normalization'");
}

TEST(a_stage_after_its_slot_was_taken_is_named)
{
    static const struct np_stage *const wrong[] = {
        &np_stage_load_file,       &np_stage_bias_correction, &np_stage_skull_strip,
        &np_stage_bias_refinement, &np_stage_validate_data,   NULL};
    const struct np_recipe recipe = {"wrong", wrong};
    struct np_error err = {0};

    ok_int(np_recipe_check(&recipe, &err), NP_EINTERNAL);
    ok_contains(err.text, "'validate_data'");
}

TEST(the_version_of_a_recipe_names_stages_and_versions_in_order)
{
    static const struct np_stage *const two[] = {&np_stage_load_file, &np_stage_skull_strip, NULL};
    const struct np_recipe recipe = {"wrong", two};
    NP_AUTO(np_freep) char *version = np_recipe_version(&recipe);
    NP_AUTO(np_freep)
    char *expected = np_xasprintf("load_file:%d skull_strip:%d", np_stage_load_file.version,
                                  np_stage_skull_strip.version);

    ok_str(version, expected);
}

TEST(the_factor_is_the_exponential_of_the_field)
{
    const struct np_grid grid = np_grid_make(3, 1, 1, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *field = np_image_new(&grid);

    field->voxel[0] = 0;
    field->voxel[1] = 0.5F;
    field->voxel[2] = -1;
    np_field_to_factor(field);
    ok_near(field->voxel[0], 1, 0, "exp 0");
    ok_near(field->voxel[1], exp(0.5), 2e-7, "single precision");
    ok_near(field->voxel[2], exp(-1), 1e-7, "single precision");
}

TAP_MAIN
