/* The brain's intensities on a scale that compares between images. */
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
        return np_normalize_percentile(work->flat, work->brain, exec, found, err);
    case NP_NORMALIZE_NONE:
        break;
    }
    return np_error_set(err, NP_EINTERNAL, "normalization: no method %d", (int)method);
}

/* Whatever the method: value = normalized · scale + offset undoes it. */
static void report(struct np_work *work, enum np_normalize method,
                   const struct np_normalization *found)
{
    static const char *const name[] = {
        [NP_NORMALIZE_ZSCORE] = "zscore",
        [NP_NORMALIZE_WHITESTRIPE] = "whitestripe",
        [NP_NORMALIZE_PERCENTILE] = "percentile",
    };

    np_work_fact(work, "normalization.method", name[method]);
    np_work_measure(work, "normalization.offset", found->offset, "1");
    np_work_measure(work, "normalization.scale", found->scale, "1");
    np_work_measure(work, "normalization.voxels", (double)found->n_voxels, "1");
    if (method != NP_NORMALIZE_PERCENTILE) {
        np_work_measure(work, "normalization.mean", found->offset, "1");
        np_work_measure(work, "normalization.sd", found->scale, "1");
    }
    if (method != NP_NORMALIZE_ZSCORE) {
        np_work_measure(work, "normalization.low", found->low, "1");
        np_work_measure(work, "normalization.high", found->high, "1");
    }
    if (method == NP_NORMALIZE_WHITESTRIPE)
        np_work_measure(work, "normalization.mode", found->mode, "1");
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    struct np_normalization found;

    if (config->normalize == NP_NORMALIZE_NONE) {
        np_work_fact(work, "normalization.method", "none");
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
    .version = 2,
    .needs = NP_SLOT_FLAT | NP_SLOT_BRAIN,
    .gives = NP_SLOT_NORM,
    .run = run,
};
