#include "synth/heads.h"

#include <string.h>

/* Intensity levels, relative to 1000 for white matter, that replace those of the contrast. */

/* 2-D spin echo without fat suppression: flat brain, fat three times as bright. */
#define SPIN_ECHO                                                                                 \
    [NP_SYNTH_SKIN] = 1500, [NP_SYNTH_FAT] = 2700, [NP_SYNTH_MUSCLE] = 720, [NP_SYNTH_BONE] = 90, \
    [NP_SYNTH_MUCOSA] = 950, [NP_SYNTH_VITREOUS] = 380, [NP_SYNTH_NERVE] = 880,                   \
    [NP_SYNTH_DURA] = 520, [NP_SYNTH_BLOOD] = 330, [NP_SYNTH_CSF] = 400, [NP_SYNTH_GREY] = 850,   \
    [NP_SYNTH_DEEP_GREY] = 900, [NP_SYNTH_LESION] = 600

/* Gadolinium enhances blood, dura, mucosa and pituitary, but not brain. */
#define GADOLINIUM                                                             \
    [NP_SYNTH_BLOOD] = 1700, [NP_SYNTH_DURA] = 1050, [NP_SYNTH_MUCOSA] = 1250, \
    [NP_SYNTH_MUSCLE] = 620

#define CUBES(mm) .spacing_mm = {mm, mm, mm}

/* seed selects the person; scan_seed is 1 throughout. */
/* clang-format off */
const struct np_synth_case np_synth_cases[NP_SYNTH_N_CASES] = {
    {"CoilBias", "90 % coil-shaped bias, 3 % noise",
     {.seed = 101, CUBES(1), .axes = "RAS", .neck_mm = 60, .bias_shape = NP_SYNTH_BIAS_COILS,
      .bias_percent = 90, .noise_percent = 3, .atrophy = 0.2}},
    {"Noisy", "9 % noise, thin fluid, 25 % bias",
     {.seed = 102, CUBES(1), .axes = "LPS", .neck_mm = 60, .csf_gap_mm = 1.5, .bias_percent = 25,
      .noise_percent = 9, .atrophy = 0.1}},
    {"ThickAxial", "2-D spin echo, axial slices of 5 mm, bright fat",
     {.seed = 103, .spacing_mm = {0.9, 0.9, 5}, .axes = "LPS", .neck_mm = 25,
      .bias_shape = NP_SYNTH_BIAS_COILS, .bias_percent = 30, .noise_percent = 2, .atrophy = 0.3,
      .level = {SPIN_ECHO, [NP_SYNTH_MARROW] = 900}}},
    {"ThickSagittal", "2-D spin echo, sagittal slices of 4 mm, long neck",
     {.seed = 104, .spacing_mm = {4, 0.9, 0.9}, .axes = "PIR", .neck_mm = 90, .bias_percent = 35,
      .noise_percent = 3, .atrophy = 0.2, .level = {SPIN_ECHO, [NP_SYNTH_MARROW] = 1100}}},
    {"WideNeck", "wide neck and shoulders in view, lit up by the coil",
     {.seed = 105, CUBES(1.1), .shape = {280, 230, 290}, .axes = "PIR", .neck_scale = 1.3,
      .shoulder_mm = 190, .fat_mm = 7, .bias_shape = NP_SYNTH_BIAS_COILS, .coil_shift_mm = -90,
      .bias_percent = 50, .noise_percent = 3, .atrophy = 0.1}},
    {"ThinFluid", "young: 1 mm between brain and skull, skull of 5 mm",
     {.seed = 106, CUBES(1), .axes = "RAS", .neck_mm = 60, .csf_gap_mm = 1, .skull_mm = 5,
      .bias_percent = 30, .noise_percent = 3, .level = {[NP_SYNTH_DURA] = 520}}},
    {"BrightDura", "thick bright dura and wide bright sinuses, half a millimetre of fluid",
     {.seed = 107, CUBES(1), .axes = "LPS", .neck_mm = 60, .csf_gap_mm = 2, .dura_mm = 1.5,
      .sinus_mm = 4.6, .bias_percent = 30, .noise_percent = 3, .atrophy = 0.1,
      .level = {[NP_SYNTH_DURA] = 850, [NP_SYNTH_BLOOD] = 1050}}},
    {"BrightMarrow", "skull of 8 mm whose marrow is as bright as white matter",
     {.seed = 108, CUBES(1), .axes = "RAS", .neck_mm = 60, .csf_gap_mm = 1.5, .skull_mm = 8,
      .bias_percent = 30, .noise_percent = 3, .atrophy = 0.2, .level = {[NP_SYNTH_MARROW] = 1000}}},
    {"FattyScalp", "12 mm of fat three times as bright as the brain, marrow too",
     {.seed = 109, CUBES(1), .axes = "RAS", .neck_mm = 80, .fat_mm = 12, .neck_scale = 1.25,
      .bias_shape = NP_SYNTH_BIAS_COILS, .bias_percent = 40, .noise_percent = 3, .atrophy = 0.2,
      .level = {[NP_SYNTH_FAT] = 2900, [NP_SYNTH_SKIN] = 1500, [NP_SYNTH_MARROW] = 1200}}},
    {"Atrophy", "old: 6 mm of fluid, wide sulci and ventricles",
     {.seed = 110, CUBES(1), .axes = "LPS", .neck_mm = 60, .csf_gap_mm = 6, .atrophy = 1,
      .brain_scale = 0.93, .bias_percent = 30, .noise_percent = 4,
      .level = {[NP_SYNTH_GREY] = 740, [NP_SYNTH_MARROW] = 800}}},
    {"Child", "small head, skull of 3 mm, 1 mm away, little contrast in the brain",
     {.seed = 111, CUBES(1), .axes = "RAS", .neck_mm = 60, .brain_scale = 0.82, .skull_mm = 3,
      .fat_mm = 2.5, .csf_gap_mm = 1, .bias_percent = 30, .noise_percent = 4,
      .level = {[NP_SYNTH_GREY] = 880, [NP_SYNTH_DEEP_GREY] = 920, [NP_SYNTH_MARROW] = 500}}},
    {"LargeRinging", "large head, ringing from a cut-off k-space",
     {.seed = 112, CUBES(1), .axes = "RAS", .neck_mm = 60, .brain_scale = 1.06,
      .kspace_share = 0.5, .bias_percent = 40, .noise_percent = 3, .atrophy = 0.1}},
    {"Tilted", "chin on the chest: turned by 24, 12 and 10 degrees",
     {.seed = 113, CUBES(1), .axes = "PIR", .neck_mm = 50, .tilt_deg = {-24, 12, 10},
      .bias_percent = 40, .noise_percent = 3, .atrophy = 0.2}},
    {"LargeEyes", "large eyes and optic nerves in bright fat, low brow in the image",
     {.seed = 114, CUBES(1), .axes = "RAS", .neck_mm = 20, .eye_scale = 1.3, .nerve_mm = 3.2,
      .csf_gap_mm = 1.5, .bias_shape = NP_SYNTH_BIAS_COILS, .bias_percent = 40,
      .noise_percent = 3, .atrophy = 0.1, .level = {[NP_SYNTH_FAT] = 1700, [NP_SYNTH_NERVE] = 950}}},
    {"CroppedTop", "slices of 3 mm that end 6 mm below the brain's top and at the cerebellum",
     {.seed = 115, .spacing_mm = {0.8, 0.8, 3}, .axes = "LPS", .neck_mm = -6, .crop_top_mm = 6,
      .bias_shape = NP_SYNTH_BIAS_COILS, .bias_percent = 35, .noise_percent = 2, .atrophy = 0.4,
      .level = {SPIN_ECHO, [NP_SYNTH_MARROW] = 1000}}},
    {"ObliqueSlabs", "coronal slices of 0.7 x 0.7 x 1.5 mm, oblique grid",
     {.seed = 116, .spacing_mm = {0.7, 1.5, 0.7}, .axes = "RIP", .neck_mm = 60,
      .oblique_deg = {18, -7, 11}, .csf_gap_mm = 1.5, .bias_percent = 40, .noise_percent = 4,
      .atrophy = 0.1}},
    {"LowResolution", "cubes of 2 mm, thin fluid, bright marrow",
     {.seed = 117, CUBES(2), .axes = "RAS", .neck_mm = 70, .csf_gap_mm = 1.5, .bias_percent = 40,
      .noise_percent = 3, .atrophy = 0.2, .level = {[NP_SYNTH_MARROW] = 800}}},
    {"Ghosting", "a 12 % ghost of the head across the brain, fat bright",
     {.seed = 118, CUBES(1), .axes = "LPS", .neck_mm = 60, .ghost_percent = 12,
      .kspace_share = 0.8, .bias_percent = 30, .noise_percent = 4, .atrophy = 0.2,
      .level = {[NP_SYNTH_FAT] = 2000}}},
    {"Gadolinium", "bright sinuses, cortical veins, arteries and dura after contrast",
     {.seed = 119, CUBES(1), .axes = "PIR", .neck_mm = 60, .sinus_mm = 4, .vein_mm = 1.1,
      .dura_mm = 1, .csf_gap_mm = 2, .bias_percent = 30, .noise_percent = 3, .atrophy = 0.2,
      .level = {GADOLINIUM, [NP_SYNTH_MARROW] = 700}}},
    {"DefacedLesions", "face cut away, 16 dark lesions, the largest 3 cm across and at the cortex",
     {.seed = 120, CUBES(1), .axes = "LPS", .neck_mm = 60, .extent = NP_SYNTH_DEFACED,
      .n_lesions = 16, .lesion_mm = 18, .csf_gap_mm = 3, .bias_shape = NP_SYNTH_BIAS_COILS,
      .bias_percent = 50, .noise_percent = 4, .atrophy = 0.6}},
};
/* clang-format on */

const struct np_synth_case *np_synth_case_find(const char *name)
{
    for (int i = 0; i < NP_SYNTH_N_CASES; i++)
        if (strcmp(np_synth_cases[i].name, name) == 0)
            return &np_synth_cases[i];
    return NULL;
}
