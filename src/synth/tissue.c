/*
 * A sample is painted from the outside in. Each surface is painted over the earlier ones, with the
 * share of the sample that lies inside it. So a border between two tissues mixes these two and no
 * third.
 */
#include "synth/tissue.h"

#include <math.h>

/* Spin echo and gradient echo at 3 T, estimated by eye from public images. */
static const float LEVEL[][NP_SYNTH_N_LABELS] = {
    [NP_SYNTH_T1W] = {0, 700, 1300, 500, 50, 430, 560, 200, 780, 420, 760, 210, 640, 800, 1000,
                      420},
    [NP_SYNTH_T2W] = {0, 380, 900, 260, 40, 500, 900, 1550, 500, 160, 120, 1600, 720, 560, 470,
                      1150},
    [NP_SYNTH_FLAIR] = {0, 450, 900, 400, 40, 450, 700, 130, 700, 380, 200, 140, 1000, 880, 760,
                        1350},
};

const float *np_synth_tissue_levels(enum np_synth_contrast contrast)
{
    return LEVEL[contrast];
}

/* A sample being painted. */
struct canvas {
    const struct np_synth_tissue_options *options;
    float intensity;
    enum np_synth_label label;
};

/* Share of a sample that lies inside a surface at this signed distance. */
static float cover(const struct canvas *canvas, float distance_mm)
{
    float share = 0.5f - distance_mm / canvas->options->edge_mm;

    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static void paint(struct canvas *canvas, enum np_synth_label label, float share)
{
    if (share <= 0)
        return;
    canvas->intensity += share * (canvas->options->level[label] - canvas->intensity);
    if (share >= 0.5f)
        canvas->label = label;
}

static void paint_inside(struct canvas *canvas, enum np_synth_label label, float distance_mm)
{
    paint(canvas, label, cover(canvas, distance_mm));
}

/* Distance to a sheet: `across` is the distance perpendicular to it, and the sheet ends where
 * `beyond` becomes positive. */
static float sheet_mm(float across, float beyond)
{
    return beyond <= 0 ? fabsf(across) : sqrtf(across * across + beyond * beyond);
}

static void paint_outside_skull(struct canvas *canvas, const float *f)
{
    static const float SKIN_MM = 1.6f, SCLERA_MM = 1.2f, CORTICAL_BONE_MM = 2.2f, MUCOSA_MM = 1.5f;
    float depth_mm = -f[NP_FIELD_HEAD];

    paint_inside(canvas, NP_SYNTH_SKIN, -depth_mm);
    paint_inside(canvas, NP_SYNTH_FAT, SKIN_MM - depth_mm);
    paint_inside(canvas, NP_SYNTH_MUSCLE, SKIN_MM + f[NP_FIELD_FAT] - depth_mm);
    if (depth_mm > SKIN_MM + f[NP_FIELD_FAT]) /* planes of fat between muscles */
        paint(canvas, NP_SYNTH_FAT, fminf(fmaxf(1.1f - 6 * fabsf(f[NP_FIELD_TEXTURE]), 0), 0.6f));
    if (depth_mm > 3) {
        paint_inside(canvas, NP_SYNTH_BONE, f[NP_FIELD_BONE]);
        paint_inside(canvas, NP_SYNTH_MARROW, f[NP_FIELD_BONE] + CORTICAL_BONE_MM);
    }
    paint_inside(canvas, NP_SYNTH_FAT, fmaxf(f[NP_FIELD_ORBIT], 2 - depth_mm));
    paint_inside(canvas, NP_SYNTH_NERVE, f[NP_FIELD_NERVE]);
    paint_inside(canvas, NP_SYNTH_MUSCLE, f[NP_FIELD_EYE]);
    paint_inside(canvas, NP_SYNTH_VITREOUS, f[NP_FIELD_EYE] + SCLERA_MM);
    paint_inside(canvas, NP_SYNTH_MUCOSA, f[NP_FIELD_AIR] - MUCOSA_MM);
    paint_inside(canvas, NP_SYNTH_AIR, f[NP_FIELD_AIR]);
}

static void paint_skull(struct canvas *canvas, const float *f)
{
    float thick_mm = f[NP_FIELD_SKULL];
    float middle_mm = f[NP_FIELD_CAVITY] - 0.5f * thick_mm;

    if (f[NP_FIELD_AIR] > 0) {
        paint_inside(canvas, NP_SYNTH_BONE, f[NP_FIELD_CAVITY] - thick_mm);
        paint_inside(canvas, NP_SYNTH_MARROW,
                     fabsf(middle_mm) - (0.5f * thick_mm - f[NP_FIELD_TABLE]));
    }
}

static void paint_meninges(struct canvas *canvas, const float *f)
{
    static const float CANAL_MM = 3.2f;
    float dura_mm = canvas->options->dura_mm;

    paint_inside(canvas, NP_SYNTH_DURA, f[NP_FIELD_CAVITY]);
    paint_inside(canvas, NP_SYNTH_CSF, f[NP_FIELD_CAVITY] + dura_mm);
    paint_inside(canvas, NP_SYNTH_BLOOD, fmaxf(f[NP_FIELD_SINUS], 0.6f - f[NP_FIELD_HULL]));
    paint_inside(canvas, NP_SYNTH_CSF, fmaxf(f[NP_FIELD_STEM] - CANAL_MM, 2 + f[NP_FIELD_HEAD]));
}

/* Distance below the pial surface (positive inside) after sulci of this depth are cut in; sulci
 * open towards the surface. */
static float folded_mm(float unfolded_mm, float fold_mm, float depth_mm, float half_width_mm)
{
    static const float OPENING_MM = 9, OPENING = 1.2f;
    float open = fminf(fmaxf(1 - unfolded_mm / OPENING_MM, 0), 1);

    return fminf(unfolded_mm, sheet_mm(fold_mm, unfolded_mm - depth_mm) -
                                  half_width_mm * (1 + OPENING * open * open));
}

static void paint_cerebrum(struct canvas *canvas, const float *f)
{
    static const float CAP_MM = 0.4f, CORTEX_MM = 2.7f;
    float atrophy = canvas->options->atrophy;
    float surface = -f[NP_FIELD_CEREBRUM] - CAP_MM;
    float fissure =
        sheet_mm(f[NP_FIELD_FISSURE], -f[NP_FIELD_FISSURE_END]) - (0.8f + 0.7f * atrophy);
    float sylvian =
        sheet_mm(f[NP_FIELD_SYLVIAN], f[NP_FIELD_SYLVIAN_END]) - (0.9f + 1.0f * atrophy);
    float unfolded = fminf(surface, fminf(fissure, sylvian));
    float pial =
        folded_mm(unfolded, f[NP_FIELD_FOLD], f[NP_FIELD_FOLD_DEPTH], 0.4f + 0.45f * atrophy);

    paint_inside(canvas, NP_SYNTH_CSF, f[NP_FIELD_CEREBRUM]);
    paint_inside(canvas, NP_SYNTH_GREY, -pial);
    paint_inside(canvas, NP_SYNTH_WHITE, CORTEX_MM - pial);
}

static void paint_cerebellum(struct canvas *canvas, const float *f)
{
    static const float CAP_MM = 0.3f, CORTEX_MM = 0.9f, FOLIUM_MM = 2.8f, HALF_WIDTH_MM = 0.15f;
    static const float DEEP_MM = 13, SHALLOW_MM = 4;
    float unfolded = -f[NP_FIELD_CEREBELLUM] - CAP_MM;
    float nearest = floorf(f[NP_FIELD_FOLIA] + 0.5f);
    float depth = fmodf(nearest, 4) == 0 ? DEEP_MM : SHALLOW_MM;
    float pial =
        folded_mm(unfolded, (f[NP_FIELD_FOLIA] - nearest) * FOLIUM_MM, depth, HALF_WIDTH_MM);

    paint_inside(canvas, NP_SYNTH_CSF, f[NP_FIELD_CEREBELLUM]);
    paint_inside(canvas, NP_SYNTH_GREY, -pial);
    paint_inside(canvas, NP_SYNTH_WHITE, CORTEX_MM - pial);
}

/* Veins run along the openings of the sulci. */
static void paint_veins(struct canvas *canvas, const float *f)
{
    float depth = f[NP_FIELD_CEREBRUM] + 0.5f, side = f[NP_FIELD_FOLD];

    if (canvas->options->vein_mm > 0)
        paint_inside(canvas, NP_SYNTH_BLOOD,
                     sqrtf(depth * depth + side * side) - canvas->options->vein_mm);
}

static void paint_brain(struct canvas *canvas, const float *f)
{
    float half_edge = 0.5f * canvas->options->edge_mm;

    /* Fluid fills the space between the parts of the brain, under its smooth surface. */
    paint_inside(canvas, NP_SYNTH_CSF, f[NP_FIELD_HULL]);
    if (f[NP_FIELD_CEREBELLUM] < half_edge)
        paint_cerebellum(canvas, f);
    if (f[NP_FIELD_CEREBRUM] < half_edge)
        paint_cerebrum(canvas, f);
    paint_inside(canvas, NP_SYNTH_WHITE, f[NP_FIELD_STEM]);
    if (f[NP_FIELD_CEREBRUM] < -6)
        paint_inside(canvas, NP_SYNTH_DEEP_GREY, f[NP_FIELD_DEEP_GREY]);
    paint_inside(canvas, NP_SYNTH_LESION, fmaxf(f[NP_FIELD_LESION], f[NP_FIELD_CEREBRUM] + 0.5f));
    paint_inside(canvas, NP_SYNTH_CSF, f[NP_FIELD_VENTRICLE]);
    paint_veins(canvas, f);
}

void np_synth_tissue_at(const float f[NP_N_FIELDS], const struct np_synth_tissue_options *options,
                        struct np_synth_tissue *tissue)
{
    struct canvas canvas = {.options = options, .label = NP_SYNTH_AIR};

    *tissue = (struct np_synth_tissue){0, 0, NP_SYNTH_AIR};
    if (f[NP_FIELD_HEAD] >= 0.5f * options->edge_mm)
        return;
    if (f[NP_FIELD_CAVITY] > -2)
        paint_outside_skull(&canvas, f);
    if (f[NP_FIELD_CAVITY] < f[NP_FIELD_SKULL] + options->edge_mm)
        paint_skull(&canvas, f);
    paint_meninges(&canvas, f);
    if (f[NP_FIELD_HULL] < 2 * options->edge_mm || f[NP_FIELD_STEM] < options->edge_mm)
        paint_brain(&canvas, f);
    if (f[NP_FIELD_AIR] > 1)
        paint_inside(&canvas, NP_SYNTH_BLOOD, f[NP_FIELD_ARTERY]);
    tissue->intensity = canvas.intensity;
    tissue->label = (uint8_t)canvas.label;
    tissue->brain = cover(&canvas, f[NP_FIELD_HULL]);
}
