/* Grey matter, white matter and cerebrospinal fluid in the brain mask. Tissues that cannot be
 * separated are left out with a warning: the other images do not depend on them. */
#include "ops/tissue.h"

#include <math.h>
#include <stdlib.h>

#include "stages/stage.h"

/* Of a segmentation that is to be believed; docs/methods/tissue.md has the heads that they are
 * from. */
static const double LEAST_SEPARATION = 2.2;
static const double LEAST_RATIO = 0.6, MOST_RATIO = 3; /* of grey to white matter */

/* --skull-strip skip of a head: its mask is no brain. A mask that was given is one. */
static bool has_brain(const struct np_work *work, const struct np_config *config)
{
    return config->skull_strip != NP_SKULL_STRIP_SKIP || work->already_stripped || work->mask_path;
}

/* White and grey matter differ by this many of their standard deviations. */
static double separation_of(const struct np_tissue *tissue)
{
    double gm = tissue->sd[NP_TISSUE_GM], wm = tissue->sd[NP_TISSUE_WM];

    return fabs(tissue->mean[NP_TISSUE_WM] - tissue->mean[NP_TISSUE_GM]) /
           sqrt((gm * gm + wm * wm) / 2);
}

static void report(struct np_work *work, const struct np_tissue *tissue)
{
    static const enum np_measure_ident volume[] = {[NP_TISSUE_CSF] = NP_MEASURE_TISSUE_VOLUME_CSF,
                                                   [NP_TISSUE_GM] = NP_MEASURE_TISSUE_VOLUME_GM,
                                                   [NP_TISSUE_WM] = NP_MEASURE_TISSUE_VOLUME_WM},
                                       mean[] = {[NP_TISSUE_CSF] = NP_MEASURE_TISSUE_MEAN_CSF,
                                                 [NP_TISSUE_GM] = NP_MEASURE_TISSUE_MEAN_GM,
                                                 [NP_TISSUE_WM] = NP_MEASURE_TISSUE_MEAN_WM};

    for (int k = 0; k < NP_N_TISSUES; k++) {
        np_work_measure(work, volume[k], tissue->mm3[k] / 1000);
        np_work_measure(work, mean[k], tissue->mean[k]);
    }
    np_work_measure(work, NP_MEASURE_TISSUE_SEPARATION, separation_of(tissue));
    np_work_measure(work, NP_MEASURE_TISSUE_ITERATIONS, tissue->n_iterations);
}

static void warn_if_unsure(struct np_work *work, const struct np_tissue *tissue)
{
    double separation = separation_of(tissue);
    double gm_ml = tissue->mm3[NP_TISSUE_GM] / 1000, wm_ml = tissue->mm3[NP_TISSUE_WM] / 1000;

    if (separation < LEAST_SEPARATION)
        np_work_warn(
            work, NP_WARNING_TISSUE_UNSURE,
            "'%s': grey and white matter lie only %.1f standard deviations apart (at least "
            "%.1f were expected): their border is unsure; look at it",
            work->path, separation, LEAST_SEPARATION);
    else if (gm_ml < LEAST_RATIO * wm_ml || gm_ml > MOST_RATIO * wm_ml)
        np_work_warn(work, NP_WARNING_TISSUE_UNSURE,
                     "'%s': %.0f ml of grey and %.0f ml of white matter were found (%.1f to %.0f "
                     "times as much grey as white were expected); look at it",
                     work->path, gm_ml, wm_ml, LEAST_RATIO, MOST_RATIO);
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    struct np_error why = {0};
    struct np_tissue tissue = {0};

    np_tissue_freep(&work->tissue);
    if (!has_brain(work, config))
        return 0;
    int code =
        np_tissue_classify(work->flat, work->brain, work->modality->contrast, exec, &tissue, &why);
    if (code == NP_EMETHOD) {
        np_work_warn(work, NP_WARNING_TISSUE_UNSURE, "'%s': no segmentation was made: %s",
                     work->path, why.text);
        return 0;
    }
    if (code < 0)
        return np_error_set(err, code, "'%s': %s", work->path, why.text);
    work->tissue = np_xmalloc(sizeof(*work->tissue));
    *work->tissue = tissue;
    report(work, work->tissue);
    warn_if_unsure(work, work->tissue);
    return 0;
}

const struct np_stage np_stage_tissue = {
    .name = NP_STAGE_TISSUE,
    .version = 2,
    .needs = NP_SLOT_FLAT | NP_SLOT_BRAIN,
    .gives = NP_SLOT_TISSUE,
    .run = run,
    .doi = "10.1109/42.241885",
};

/* ---- what is written of it ---- */

struct np_mask *np_draw_tissue_labels(const struct np_work *work, const struct np_exec *exec)
{
    struct np_mask *labels = np_mask_new(&work->tissue->grid);

    if (labels)
        np_tissue_labels(work->tissue, exec, labels->voxel);
    return labels;
}

static struct np_image *draw(const struct np_work *work, enum np_tissue_class which,
                             const struct np_exec *exec)
{
    struct np_image *image = np_image_new(&work->tissue->grid);

    if (image)
        np_tissue_shares(work->tissue, which, exec, image->voxel);
    return image;
}

struct np_image *np_draw_gm(const struct np_work *work, const struct np_exec *exec)
{
    return draw(work, NP_TISSUE_GM, exec);
}

struct np_image *np_draw_wm(const struct np_work *work, const struct np_exec *exec)
{
    return draw(work, NP_TISSUE_WM, exec);
}

struct np_image *np_draw_csf(const struct np_work *work, const struct np_exec *exec)
{
    return draw(work, NP_TISSUE_CSF, exec);
}
