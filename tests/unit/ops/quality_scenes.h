/*
 * Synthetic heads with all that image quality is measured from, for the unit tests and for the
 * comparison with MRIQC's functions (tests/mriqc), which see the same bytes. Masks come from the
 * truth: the comparison is one of formulas.
 */
#ifndef NP_TESTS_QUALITY_SCENES_H
#define NP_TESTS_QUALITY_SCENES_H

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/bias.h"
#include "ops/quality.h"
#include "ops/quality_regions.h"
#include "synth/head.h"

struct quality_scene {
    struct np_synth_head head; /* its image is the source */
    struct np_image *corrected, *field;
    uint8_t *region;
    struct np_tissue tissue;
};

struct quality_scene_row {
    const char *name;
    double spacing_mm[3];
    double bias_percent, noise_percent, ghost_percent;
    enum np_synth_extent extent;
    double grey_levels; /* white matter's, of an image in integers; 0 = not rounded */
    int64_t n_frame;    /* planes at the image's front that were not measured */
};

static const struct quality_scene_row QUALITY_SCENES[] = {
    {"plain", {3, 3, 3}, 30, 4, 0, NP_SYNTH_WHOLE_HEAD, 0, 0},
    {"ghosts", {2.5, 2.5, 2.5}, 50, 7, 12, NP_SYNTH_WHOLE_HEAD, 0, 9},
    {"thick", {2, 2, 5}, 20, 5, 0, NP_SYNTH_WHOLE_HEAD, 180, 0},
    {"stripped", {3, 3, 3}, 10, 3, 0, NP_SYNTH_STRIPPED, 0, 0},
    {"artifacts", {2.5, 2.5, 3}, 20, 1, 40, NP_SYNTH_WHOLE_HEAD, 0, 0},
};

static inline void quality_scene_done(struct quality_scene *scene)
{
    np_synth_head_done(&scene->head);
    np_image_freep(&scene->corrected);
    np_image_freep(&scene->field);
    np_freep(&scene->region);
    np_tissue_done(&scene->tissue);
}

static inline void quality_scene_measured(const struct quality_scene_row *row,
                                          struct quality_scene *scene)
{
    const int64_t *n = scene->head.image->grid.n;
    float *value = scene->head.image->voxel;

    for (int64_t i = 0; i < n[0] * n[1] * n[2]; i++) {
        int64_t y = i / n[0] % n[1];
        if (row->grey_levels > 0)
            value[i] =
                rintf((float)((double)value[i] * row->grey_levels / np_synth_white(NP_SYNTH_T1W)));
        if (y >= n[1] - row->n_frame)
            value[i] = 0;
    }
}

static inline void quality_scene_regions(const struct quality_scene_row *row,
                                         struct quality_scene *scene)
{
    const int64_t *n = scene->head.image->grid.n;
    double white = row->grey_levels > 0 ? row->grey_levels : np_synth_white(NP_SYNTH_T1W);

    for (int64_t i = 0; i < n[0] * n[1] * n[2]; i++) {
        double value = (double)scene->head.image->voxel[i];
        bool is_head = scene->head.label[i] != NP_SYNTH_AIR;
        bool is_frame = i / n[0] % n[1] >= n[1] - row->n_frame;
        bool is_hat = !is_head && i / (n[0] * n[1]) > n[2] / 3;
        bool is_artifact = is_hat && value > 0.035 * row->noise_percent * white;
        scene->region[i] =
            (uint8_t)((is_head ? NP_REGION_HEAD : 0) | (is_frame ? NP_REGION_FRAME : 0) |
                      (is_hat ? NP_REGION_HAT : 0) | (is_artifact ? NP_REGION_ARTIFACT : 0) |
                      (scene->head.brain->voxel[i] ? NP_REGION_BRAIN : 0));
    }
}

static inline int quality_scene_make(const struct quality_scene_row *row,
                                     struct quality_scene *scene, struct np_error *err)
{
    struct np_synth_options options;

    np_synth_options_init(&options);
    memcpy(options.spacing_mm, row->spacing_mm, sizeof(options.spacing_mm));
    options.bias_percent = row->bias_percent;
    options.noise_percent = row->noise_percent;
    options.ghost_percent = row->ghost_percent;
    options.extent = row->extent;
    NP_TRY(np_synth_head(&options, NULL, &scene->head, err));
    const struct np_grid *grid = &scene->head.image->grid;
    quality_scene_measured(row, scene);
    NP_TRY(np_synth_bias(&scene->head, &scene->field, err));
    scene->corrected = np_image_new(grid);
    scene->region = np_xcalloc(np_grid_voxels(grid), 1);
    if (!scene->corrected)
        return np_error_set(err, NP_ENOMEM, "no memory for a scene");
    np_bias_divide(scene->head.image, scene->head.log_bias, NULL, scene->corrected);
    quality_scene_regions(row, scene);
    return np_tissue_classify(scene->corrected, scene->head.brain, NP_CONTRAST_T1W, NULL,
                              &scene->tissue, err);
}

static inline struct np_quality_input quality_scene_input(const struct quality_scene *scene)
{
    return (struct np_quality_input){scene->head.image, scene->corrected, scene->field,
                                     scene->region, &scene->tissue};
}

/* The head by the truth; the hat is lower in the rear half. */
static inline struct np_hat_planes quality_scene_planes(const struct quality_scene *scene)
{
    int64_t n_y = scene->corrected->grid.n[1], n_z = scene->corrected->grid.n[2];

    return (struct np_hat_planes){n_y / 2, n_z / 4, n_z / 3};
}

/* The regions by their rules instead of the truth. */
static inline int quality_scene_ruled(const struct quality_scene *scene, const struct np_exec *exec,
                                      uint8_t *region, struct np_error *err)
{
    const struct np_hat_planes planes = quality_scene_planes(scene);
    size_t n = np_grid_voxels(&scene->corrected->grid);
    NP_AUTO(np_mask_freep) struct np_mask *head = np_mask_new(&scene->corrected->grid);

    for (size_t i = 0; head && i < n; i++)
        head->voxel[i] = scene->head.label[i] != NP_SYNTH_AIR;
    return np_quality_regions(scene->head.image, head, scene->head.brain, &planes, exec, region,
                              err);
}

/* ---- the metrics by their names ------------------------------------------------------------- */

struct quality_key {
    const char *name;
    size_t offset; /* of a double */
};

#define QUALITY_KEY(name, member)                 \
    {                                             \
        name, offsetof(struct np_quality, member) \
    }
#define QUALITY_TISSUES(name, member)                  \
    QUALITY_KEY(name "_csf", member[NP_TISSUE_CSF]),   \
        QUALITY_KEY(name "_gm", member[NP_TISSUE_GM]), \
        QUALITY_KEY(name "_wm", member[NP_TISSUE_WM])
#define QUALITY_SUMMARY(name, which)                        \
    QUALITY_KEY(name "_mean", summary[which].mean),         \
        QUALITY_KEY(name "_median", summary[which].median), \
        QUALITY_KEY(name "_p95", summary[which].p95),       \
        QUALITY_KEY(name "_p05", summary[which].p05),       \
        QUALITY_KEY(name "_k", summary[which].kurtosis),    \
        QUALITY_KEY(name "_stdv", summary[which].stdv),     \
        QUALITY_KEY(name "_mad", summary[which].mad), QUALITY_KEY(name "_n", summary[which].n)

static const struct quality_key QUALITY_KEYS[] = {
    QUALITY_KEY("cjv", cjv),
    QUALITY_KEY("cnr", cnr),
    QUALITY_KEY("efc", efc),
    QUALITY_KEY("fber", fber),
    QUALITY_KEY("fwhm_x", fwhm[0]),
    QUALITY_KEY("fwhm_y", fwhm[1]),
    QUALITY_KEY("fwhm_z", fwhm[2]),
    QUALITY_KEY("fwhm_avg", fwhm_avg),
    QUALITY_TISSUES("icvs", icvs),
    QUALITY_KEY("inu_med", inu_med),
    QUALITY_KEY("inu_range", inu_range),
    QUALITY_KEY("qi_1", qi_1),
    QUALITY_KEY("qi_2", qi_2),
    QUALITY_TISSUES("rpve", rpve),
    QUALITY_TISSUES("snr", snr),
    QUALITY_KEY("snr_total", snr_total),
    QUALITY_TISSUES("snrd", snrd),
    QUALITY_KEY("snrd_total", snrd_total),
    QUALITY_KEY("spacing_x", spacing_mm[0]),
    QUALITY_KEY("spacing_y", spacing_mm[1]),
    QUALITY_KEY("spacing_z", spacing_mm[2]),
    QUALITY_SUMMARY("summary_bg", NP_QUALITY_BG),
    QUALITY_SUMMARY("summary_csf", NP_TISSUE_CSF),
    QUALITY_SUMMARY("summary_gm", NP_TISSUE_GM),
    QUALITY_SUMMARY("summary_wm", NP_TISSUE_WM),
    QUALITY_KEY("wm2max", wm2max),
};

static inline double quality_value(const struct np_quality *quality, const struct quality_key *key)
{
    double value;

    memcpy(&value, (const char *)quality + key->offset, sizeof(value));
    return value;
}

#endif
