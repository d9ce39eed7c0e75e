/* The stages of each recipe, and the files that it gives. */
#include "stages/stage.h"

/* In order. */
#define ANATOMICAL_STAGES(X) \
    X(load_file)             \
    X(validate_data)         \
    X(bias_correction)       \
    X(skull_strip)           \
    X(quality_regions)       \
    X(bias_refinement)       \
    X(normalization)

#define X(name) &np_stage_##name,
static const struct np_stage *const anatomical[] = {ANATOMICAL_STAGES(X) X(quality) NULL};
static const struct np_stage *const t1w[] = {ANATOMICAL_STAGES(X) X(tissue) X(quality) NULL};
#undef X

static bool wants_bias_field(const struct np_config *config)
{
    return config->save_bias_field;
}

static bool wants_normalized(const struct np_config *config)
{
    return config->level == NP_LEVEL_FULL && config->normalize != NP_NORMALIZE_NONE;
}

static bool wants_brain(const struct np_config *config)
{
    return config->save_brain;
}

static bool wants_labels(const struct np_config *config)
{
    return config->level == NP_LEVEL_FULL;
}

static bool wants_shares(const struct np_config *config)
{
    return config->save_probseg;
}

static void make_factor(struct np_work *work)
{
    np_field_to_factor(work->field);
}

static void clear_outside_brain(struct np_work *work)
{
    size_t n = np_grid_voxels(&work->flat->grid);

    for (size_t i = 0; i < n; i++)
        work->flat->voxel[i] = work->brain->voxel[i] ? work->flat->voxel[i] : 0;
}

enum { BIAS_FIELD, PREPROC, BRAIN, NORM, MASK, LABELS, SHARE_GM, SHARE_WM, SHARE_CSF };
enum { N_WITHOUT_TISSUES = LABELS };

#define SHARE_OF(abbreviation, tissue, function)                                                   \
    {                                                                                              \
        .file = {.label = abbreviation,                                                            \
                 .suffix = "probseg",                                                              \
                 .source_suffix = NP_SOURCE_SUFFIX_IN_SPACE,                                       \
                 .extension = ".nii.gz",                                                           \
                 .description = {"Share of " tissue " in each voxel of the brain mask, 0 to 1; "   \
                                 "0 outside"},                                                     \
                 .shows = NP_IN_TISSUE},                                                           \
        .slot = NP_SLOT_TISSUE, .format = NP_OUTPUT_FLOAT32, .header_text = abbreviation " share", \
        .made_of = NP_SLOT_FLAT | NP_SLOT_BRAIN, .is_wanted = wants_shares,                        \
        .draw_image = function, .may_be_absent = true                                              \
    }

static const struct np_output outputs[] = {
    [BIAS_FIELD] = {.file = {.suffix = "biasfield",
                             .source_suffix = NP_SOURCE_SUFFIX_IN_MOD,
                             .extension = ".nii.gz",
                             .description = {"Multiplicative bias field that the source was "
                                             "divided by"},
                             .skull = NP_SKULL_AS_IN_SOURCE,
                             .shows = NP_IN_FIELD},
                    .slot = NP_SLOT_FIELD,
                    .format = NP_OUTPUT_FLOAT32,
                    .header_text = "bias field",
                    .is_wanted = wants_bias_field,
                    .prepare = make_factor},
    [PREPROC] =
        {.file = {.desc = "preproc",
                  .extension = ".nii.gz",
                  .description = {"Whole head divided by the estimated bias field; same "
                                  "grid and units as the source, not clipped",
                                  [NP_WITHOUT_BIAS_CORRECTION] =
                                      "Whole head as in the source: no bias correction was "
                                      "asked for; same grid and units",
                                  [NP_OF_STRIPPED] =
                                      "Image whose skull was removed before, divided by the "
                                      "estimated bias field where that was asked for; same "
                                      "grid and units as the source, what little lies "
                                      "outside the brain mask is not cleared"},
                  .skull = NP_SKULL_AS_IN_SOURCE,
                  .keeps_acquisition = true,
                  .shows = NP_IN_PREPROC},
         .slot = NP_SLOT_FLAT,
         .format = NP_OUTPUT_INTENSITIES,
         .header_text = "bias-corrected"},
    [BRAIN] =
        {.file = {.desc = "brain",
                  .extension = ".nii.gz",
                  .description = {"Brain, bias-corrected, in the source's units: desc-preproc "
                                  "inside the brain mask, 0 outside",
                                  [NP_WITHOUT_BIAS_CORRECTION] =
                                      "Brain as in the source (no bias correction was asked "
                                      "for), same units; 0 outside the brain mask",
                                  [NP_WITHOUT_BRAIN] =
                                      "Whole support of the image (no brain extraction was "
                                      "asked for), in the source's units; 0 outside"},
                  .skull = NP_SKULL_REMOVED,
                  .keeps_acquisition = true,
                  .shows = NP_IN_BRAIN},
         .slot = NP_SLOT_FLAT,
         .format = NP_OUTPUT_INTENSITIES,
         .header_text = "brain",
         .made_of = NP_SLOT_FLAT | NP_SLOT_BRAIN,
         .is_wanted = wants_brain,
         .prepare = clear_outside_brain,
         .reads = NP_SLOT_BRAIN},
    [NORM] = {.file = {.desc = "norm",
                       .extension = ".nii.gz",
                       .description = {"Brain, bias-corrected and intensity-normalized; 0 outside "
                                       "the brain mask",
                                       [NP_WITHOUT_BRAIN] =
                                           "Whole support of the image (no brain extraction was "
                                           "asked for), intensity-normalized; 0 outside"},
                       .units = "arbitrary",
                       .skull = NP_SKULL_REMOVED,
                       .keeps_acquisition = true,
                       .shows = NP_IN_NORM},
              .slot = NP_SLOT_NORM,
              .format = NP_OUTPUT_FLOAT32,
              .header_text = "brain, normalized",
              .made_of = NP_SLOT_FLAT | NP_SLOT_BRAIN,
              .is_wanted = wants_normalized},
    [MASK] = {.file = {.desc = "brain",
                       .suffix = "mask",
                       .source_suffix = NP_SOURCE_SUFFIX_IN_SPACE,
                       .extension = ".nii.gz",
                       .description = {"Brain mask: brain tissue, ventricles and sulcal CSF; 1 "
                                       "inside",
                                       [NP_WITH_GIVEN_MASK] =
                                           "Brain mask that was made elsewhere and given to the "
                                           "run; 1 inside",
                                       [NP_WITHOUT_BRAIN] = "Support of the image, not a brain "
                                                            "mask: no brain extraction was asked "
                                                            "for"},
                       .type = {"Brain", [NP_WITHOUT_BRAIN] = "ROI"},
                       .shows = NP_IN_MASK},
              .slot = NP_SLOT_BRAIN,
              .format = NP_OUTPUT_UINT8,
              .header_text = "brain mask",
              .made_of = NP_SLOT_FLAT},
    [LABELS] = {.file = {.suffix = "dseg",
                         .source_suffix = NP_SOURCE_SUFFIX_IN_SPACE,
                         .extension = ".nii.gz",
                         .description = {"Tissue with the largest share in each voxel of the brain "
                                         "mask: 1 grey matter, 2 white matter, 3 cerebrospinal "
                                         "fluid; 0 outside"},
                         .shows = NP_IN_TISSUE},
                .slot = NP_SLOT_TISSUE,
                .format = NP_OUTPUT_UINT8,
                .header_text = "tissues",
                .made_of = NP_SLOT_FLAT | NP_SLOT_BRAIN,
                .is_wanted = wants_labels,
                .draw_labels = np_draw_tissue_labels,
                .may_be_absent = true},
    [SHARE_GM] = SHARE_OF("GM", "grey matter", np_draw_gm),
    [SHARE_WM] = SHARE_OF("WM", "white matter", np_draw_wm),
    [SHARE_CSF] = SHARE_OF("CSF", "cerebrospinal fluid", np_draw_csf),
};

static const struct np_recipe recipes[] = {
    [NP_RECIPE_ANATOMICAL] = {.name = "anatomical",
                              .stage = anatomical,
                              .output = outputs,
                              .n_outputs = N_WITHOUT_TISSUES,
                              .main_output = &outputs[PREPROC]},
    [NP_RECIPE_T1W] = {.name = "T1w",
                       .stage = t1w,
                       .output = outputs,
                       .n_outputs = NP_COUNT(outputs),
                       .main_output = &outputs[PREPROC]},
};

const struct np_recipe *np_recipe_find(const struct np_modality *modality)
{
    const struct np_recipe *recipe = &recipes[modality->recipe];

    return recipe->stage ? recipe : NULL;
}

bool np_output_is_wanted(const struct np_output *output, const struct np_config *config)
{
    return !output->is_wanted || output->is_wanted(config);
}

unsigned np_recipe_wanted_slots(const struct np_recipe *recipe, const struct np_config *config)
{
    unsigned slots = 0;

    for (size_t i = 0; i < recipe->n_outputs; i++)
        if (np_output_is_wanted(&recipe->output[i], config))
            slots |= recipe->output[i].slot | recipe->output[i].reads;
    return slots;
}

/* Slots that stages before `end` fill which only add. */
static unsigned added_by(const struct np_recipe *recipe, const struct np_stage *const *end)
{
    unsigned added = 0;

    for (const struct np_stage *const *stage = recipe->stage; stage < end; stage++)
        added |= np_stage_only_adds((*stage)->name) ? (*stage)->gives : 0u;
    return added;
}

/* A stage that only adds fills slots that no stage fills before it, takes none but of such a stage,
 * and none needs them after it but one that only adds, too. */
static int check_addition(const struct np_recipe *recipe, const struct np_stage *const *stage,
                          unsigned have, struct np_error *err)
{
    bool is_seen = ((*stage)->gives & have) || ((*stage)->takes & ~added_by(recipe, stage));

    for (const struct np_stage *const *later = stage + 1; *later; later++)
        is_seen =
            is_seen || (!np_stage_only_adds((*later)->name) &&
                        ((*later)->needs | (*later)->gives | (*later)->takes | (*later)->uses) &
                            (*stage)->gives);
    if (is_seen)
        return np_error_set(err, NP_EINTERNAL,
                            "%s: stage '%s' is said to add only, and another stage sees its slots",
                            recipe->name, (*stage)->name);
    return 0;
}

int np_recipe_check(const struct np_recipe *recipe, struct np_error *err)
{
    unsigned have = 0;

    for (const struct np_stage *const *stage = recipe->stage; *stage; stage++) {
        if ((*stage)->needs & ~have)
            return np_error_set(err, NP_EINTERNAL,
                                "%s: stage '%s' needs slots that no earlier stage gives (0x%x)",
                                recipe->name, (*stage)->name, (*stage)->needs & ~have);
        if (np_stage_only_adds((*stage)->name))
            NP_TRY(check_addition(recipe, stage, have, err));
        have = (have & ~(*stage)->takes) | (*stage)->gives;
    }
    for (size_t i = 0; i < recipe->n_outputs; i++)
        if ((recipe->output[i].slot | recipe->output[i].reads) & ~have)
            return np_error_set(err, NP_EINTERNAL,
                                "%s: output '%s' is written from a slot that no stage fills",
                                recipe->name, recipe->output[i].header_text);
    return 0;
}

char *np_recipe_version(const struct np_recipe *recipe)
{
    struct np_str text = {0};

    for (const struct np_stage *const *stage = recipe->stage; *stage; stage++)
        np_str_addf(&text, "%s%s:%d", text.length ? " " : "", (*stage)->name, (*stage)->version);
    return np_str_take(&text);
}
