/* Intensities of the brain on a scale that is comparable between images. */
#include "ops/normalize.h"

#include "stages/stage.h"

static int find(const struct np_work *work, enum np_normalize method, const struct np_exec *exec,
                struct np_normalization *found, struct np_error *err)
{
    switch (method) {
    case NP_NORMALIZE_ZSCORE:
        return np_normalize_zscore(work->flat, work->brain, exec, found, err);
    case NP_NORMALIZE_WHITESTRIPE:
        return np_normalize_whitestripe(work->flat, work->brain, work->modality->white_peak, exec,
                                        found, err);
    case NP_NORMALIZE_PERCENTILE:
        return np_normalize_percentile(work->flat, work->brain, work->modality->contrast, exec,
                                       found, err);
    case NP_NORMALIZE_NONE:
        break;
    }
    return np_error_set(err, NP_EINTERNAL, "normalization: no method %d", (int)method);
}

static void report_stripe(struct np_work *work, const struct np_normalization *found)
{
    np_work_measure(work, NP_MEASURE_NORMALIZATION_STRIPE_VOXELS, (double)found->n_voxels);
    np_work_measure(work, NP_MEASURE_NORMALIZATION_STRIPE_MEAN, found->offset);
    np_work_measure(work, NP_MEASURE_NORMALIZATION_STRIPE_SD, found->scale);
    np_work_measure(work, NP_MEASURE_NORMALIZATION_STRIPE_LOW, found->low);
    np_work_measure(work, NP_MEASURE_NORMALIZATION_STRIPE_HIGH, found->high);
    np_work_measure(work, NP_MEASURE_NORMALIZATION_MODE, found->mode);
}

/* The two measures that every method has: value = normalized · scale + offset undoes it. */
static void report(struct np_work *work, enum np_normalize method,
                   const struct np_normalization *found)
{
    static const char *const name[] = {
        [NP_NORMALIZE_ZSCORE] = "zscore",
        [NP_NORMALIZE_WHITESTRIPE] = "whitestripe",
        [NP_NORMALIZE_PERCENTILE] = "percentile",
    };

    np_work_fact(work, NP_MEASURE_NORMALIZATION_METHOD, name[method]);
    np_work_measure(work, NP_MEASURE_NORMALIZATION_OFFSET, found->offset);
    np_work_measure(work, NP_MEASURE_NORMALIZATION_SCALE, found->scale);
    if (method == NP_NORMALIZE_WHITESTRIPE) {
        report_stripe(work, found);
        return;
    }
    np_work_measure(work, NP_MEASURE_NORMALIZATION_VOXELS, (double)found->n_voxels);
    if (method == NP_NORMALIZE_ZSCORE) {
        np_work_measure(work, NP_MEASURE_NORMALIZATION_MEAN, found->offset);
        np_work_measure(work, NP_MEASURE_NORMALIZATION_SD, found->scale);
    } else {
        np_work_measure(work, NP_MEASURE_NORMALIZATION_LOW, found->low);
        np_work_measure(work, NP_MEASURE_NORMALIZATION_HIGH, found->high);
    }
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    struct np_normalization found;

    if (config->normalize == NP_NORMALIZE_NONE) {
        np_work_fact(work, NP_MEASURE_NORMALIZATION_METHOD, "none");
        return 0;
    }
    NP_TRY(find(work, config->normalize, exec, &found, err));
    struct np_image *norm = np_image_new(&work->flat->grid);
    if (!norm)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for another %zu MiB", work->path,
                            np_grid_mib(&work->flat->grid));
    np_normalize_apply(work->flat, work->brain, &found, exec, norm);
    np_image_freep(&work->norm);
    work->norm = norm;
    report(work, config->normalize, &found);
    return 0;
}

const struct np_stage np_stage_normalization = {
    .name = NP_STAGE_NORMALIZATION,
    .version = 3,
    .needs = NP_SLOT_FLAT | NP_SLOT_BRAIN,
    .gives = NP_SLOT_NORM,
    .run = run,
};
