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
    const struct np_recipe recipe = {.name = "wrong", .stage = wrong};
    struct np_error err = {0};

    ok_int(np_recipe_check(&recipe, &err), NP_EINTERNAL);
    ok_contains(err.text, "'normalization'");
}

TEST(a_stage_after_its_slot_was_taken_is_named)
{
    static const struct np_stage *const wrong[] = {
        &np_stage_load_file,       &np_stage_bias_correction, &np_stage_skull_strip,
        &np_stage_bias_refinement, &np_stage_validate_data,   NULL};
    const struct np_recipe recipe = {.name = "wrong", .stage = wrong};
    struct np_error err = {0};

    ok_int(np_recipe_check(&recipe, &err), NP_EINTERNAL);
    ok_contains(err.text, "'validate_data'");
}

TEST(a_stage_that_only_adds_fills_slots_that_no_other_stage_sees)
{
    struct np_stage taker = np_stage_tissue, user = np_stage_normalization;
    const struct np_stage *const changes[] = {&np_stage_load_file, &np_stage_bias_correction,
                                              &np_stage_skull_strip, &taker, NULL};
    const struct np_stage *const used[] = {&np_stage_load_file,
                                           &np_stage_bias_correction,
                                           &np_stage_skull_strip,
                                           &np_stage_tissue,
                                           &user,
                                           NULL};
    struct np_error err = {0}, other = {0};

    taker.gives |= NP_SLOT_BRAIN;
    ok_int(np_recipe_check(&(struct np_recipe){.name = "wrong", .stage = changes}, &err),
           NP_EINTERNAL);
    ok_contains(err.text, "'tissue' is said to add only");
    user.needs |= NP_SLOT_TISSUE;
    ok_int(np_recipe_check(&(struct np_recipe){.name = "wrong", .stage = used}, &other),
           NP_EINTERNAL);
    ok_contains(other.text, "'tissue' is said to add only");
}

TEST(an_output_that_no_stage_leaves_is_named)
{
    static const struct np_stage *const taken[] = {&np_stage_load_file, &np_stage_bias_correction,
                                                   &np_stage_skull_strip, &np_stage_bias_refinement,
                                                   NULL};
    static const struct np_output raw = {.slot = NP_SLOT_RAW, .header_text = "as it came"};
    const struct np_recipe recipe = {
        .name = "wrong", .stage = taken, .output = &raw, .n_outputs = 1};
    struct np_error err = {0};

    ok_int(np_recipe_check(&recipe, &err), NP_EINTERNAL);
    ok_contains(err.text, "'as it came'");
}

/* How many outputs of the anatomical recipe these settings want. */
static int count_wanted(const struct np_config *config)
{
    const struct np_recipe *recipe = np_recipe_find(&np_modalities[NP_MODALITY_T1W]);
    unsigned slots = np_recipe_wanted_slots(recipe, config);
    int n = 0;

    for (size_t i = 0; i < recipe->n_outputs; i++) {
        bool is_wanted = np_output_is_wanted(&recipe->output[i], config);
        ok(!is_wanted || (slots & recipe->output[i].slot));
        n += is_wanted;
    }
    return n;
}

TEST(settings_decide_which_outputs_are_wanted)
{
    ok_int(count_wanted(&(struct np_config){0}), 4);
    ok_int(count_wanted(&(struct np_config){.save_bias_field = true}), 5);
    ok_int(count_wanted(&(struct np_config){.save_brain = true}), 5);
    ok_int(count_wanted(&(struct np_config){.level = NP_LEVEL_MINIMAL}), 2);
    ok_int(count_wanted(&(struct np_config){.normalize = NP_NORMALIZE_NONE}), 3);
    ok_int(count_wanted(&(struct np_config){.save_probseg = true}), 7);
}

TEST(the_version_of_a_recipe_names_stages_and_versions_in_order)
{
    static const struct np_stage *const two[] = {&np_stage_load_file, &np_stage_skull_strip, NULL};
    const struct np_recipe recipe = {.name = "two", .stage = two};
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
