/*
 * Image quality, in two stages. The first sees the image as it was measured, which the second bias
 * correction takes; it leaves the regions that the second stage measures in. Neither fails a
 * session: a value that cannot be measured is absent.
 */
#include "ops/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/quality_head.h"
#include "stages/stage.h"

enum { LEAST_AIR = 1000 }; /* voxels */

/* --skull-strip skip of a head: its mask is no brain. A mask that was given is one. */
static bool has_brain(const struct np_work *work, const struct np_config *config)
{
    return config->skull_strip != NP_SKULL_STRIP_SKIP || work->already_stripped || work->mask_path;
}

/* A value that does not exist is left out. */
static void measure(struct np_work *work, enum np_measure_ident ident, double value)
{
    if (isfinite(value))
        np_work_measure(work, ident, value);
}

static bool has_air(const struct np_mask *regions)
{
    for (size_t i = 0; i < np_grid_voxels(&regions->grid); i++)
        if (regions->voxel[i] & NP_REGION_HAT)
            return true;
    return false;
}

/* ---- regions --------------------------------------------------------------------------------- */

/* The background of UNIT1 is no air: it is a quotient of noise. */
static bool may_have_air(const struct np_work *work)
{
    return !work->already_stripped && work->modality != &np_modalities[NP_MODALITY_UNIT1];
}

struct air {
    const struct np_image *source;
    struct np_mask *regions;
    struct {
        int64_t n, n_positive; /* of the hat */
    } * plane;
};

/* Voxels that were not measured are no part of the hat. */
static void look_at_plane(void *context, int64_t z)
{
    const struct air *air = context;
    const int64_t n_plane = air->regions->grid.n[0] * air->regions->grid.n[1];
    const float *source = air->source->voxel + z * n_plane;
    uint8_t *region = air->regions->voxel + z * n_plane;
    int64_t n = 0, n_positive = 0;

    for (int64_t i = 0; i < n_plane; i++) {
        if (region[i] & NP_REGION_FRAME)
            region[i] &= (uint8_t) ~(NP_REGION_HAT | NP_REGION_ARTIFACT);
        if (region[i] & NP_REGION_HAT) {
            n++;
            n_positive += source[i] > 0;
        }
    }
    air->plane[z].n = n;
    air->plane[z].n_positive = n_positive;
}

static void forget_plane(void *context, int64_t z)
{
    const struct air *air = context;
    const int64_t n_plane = air->regions->grid.n[0] * air->regions->grid.n[1];
    uint8_t *region = air->regions->voxel + z * n_plane;

    for (int64_t i = 0; i < n_plane; i++)
        region[i] &= (uint8_t) ~(NP_REGION_HAT | NP_REGION_ARTIFACT | NP_REGION_HEAD);
}

/* Air is the hat where at least half of it is not 0, and where it is large enough. Without air there
 * is nothing beside the head to compare it with. */
static int leave_air(const struct np_work *work, struct np_mask *regions,
                     const struct np_exec *exec, struct np_error *err)
{
    struct air air = {work->raw, regions, NULL};
    const int64_t n_planes = regions->grid.n[2];
    int64_t n = 0, n_positive = 0;

    air.plane = np_try_calloc((size_t)n_planes, sizeof(*air.plane));
    if (!air.plane)
        return np_error_set(err, NP_ENOMEM, "image quality: no memory for its counts");
    np_exec_run(exec, n_planes, look_at_plane, &air);
    for (int64_t z = 0; z < n_planes; z++) {
        n += air.plane[z].n;
        n_positive += air.plane[z].n_positive;
    }
    if (n < LEAST_AIR || 2 * n_positive < n)
        np_exec_run(exec, n_planes, forget_plane, &air);
    free(air.plane);
    return 0;
}

/* Without air the head is the brain. */
static int find_regions(struct np_work *work, const struct np_exec *exec, struct np_mask *regions,
                        struct np_error *err)
{
    const struct np_grid *grid = &work->raw->grid;
    const struct np_hat_planes planes = np_quality_planes(work->brain);
    NP_AUTO(np_mask_freep) struct np_mask *head = np_mask_new(grid);
    int code = NP_EDOMAIN;

    if (!head)
        return np_error_set(err, NP_ENOMEM, "image quality: no memory for the head's outline");
    if (may_have_air(work))
        code = np_quality_head(work->raw, work->brain, &planes, exec, head, err);
    if (code == 0)
        return np_quality_regions(work->raw, head, work->brain, &planes, exec, regions->voxel, err);
    if (code != NP_EDOMAIN)
        return code;
    const struct np_hat_planes none = {0, grid->n[2], grid->n[2]};
    if (err)
        *err = (struct np_error){0};
    return np_quality_regions(work->raw, work->brain, work->brain, &none, exec, regions->voxel,
                              err);
}

static int measure_source(struct np_work *work, const struct np_mask *regions,
                          const struct np_exec *exec, struct np_error *err)
{
    const struct np_quality_input input = {.source = work->raw, .region = regions->voxel};
    struct np_quality quality;

    NP_TRY(np_quality_measure(&input, exec, &quality, err));
    measure(work, NP_MEASURE_QUALITY_FWHM_X, quality.fwhm[0]);
    measure(work, NP_MEASURE_QUALITY_FWHM_Y, quality.fwhm[1]);
    measure(work, NP_MEASURE_QUALITY_FWHM_Z, quality.fwhm[2]);
    measure(work, NP_MEASURE_QUALITY_FWHM_AVG, quality.fwhm_avg);
    if (has_air(regions))
        measure(work, NP_MEASURE_QUALITY_AIR_NOISE_MISFIT, quality.qi_2);
    return 0;
}

static int run_regions(struct np_work *work, const struct np_config *config,
                       const struct np_exec *exec, struct np_error *err)
{
    struct np_error why = {0};

    np_mask_freep(&work->regions);
    if (!has_brain(work, config))
        return 0;
    NP_AUTO(np_mask_freep) struct np_mask *regions = np_mask_new(&work->raw->grid);
    if (!regions)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for another %zu MiB", work->path,
                            np_grid_mib(&work->raw->grid) / sizeof(float));
    int code = find_regions(work, exec, regions, &why);
    if (code == 0)
        code = leave_air(work, regions, exec, &why);
    if (code == 0)
        code = measure_source(work, regions, exec, &why);
    if (code == 0) {
        work->regions = regions;
        regions = NULL;
    }
    if (code < 0 && code != NP_EDOMAIN) /* without a bright brain there is nothing to measure */
        return np_error_set(err, code, "'%s': %s", work->path, why.text);
    return 0;
}

const struct np_stage np_stage_quality_regions = {
    .name = NP_STAGE_QUALITY_REGIONS,
    .version = 1,
    .needs = NP_SLOT_RAW | NP_SLOT_BRAIN,
    .gives = NP_SLOT_REGIONS,
    .run = run_regions,
    .doi = "10.1002/mrm.21992",
};

/* ---- metrics --------------------------------------------------------------------------------- */

/* In the order of the rows. */
static void report_summary(struct np_work *work, enum np_measure_ident first,
                           const struct np_quality_summary *summary)
{
    const double value[] = {summary->mean, summary->median,   summary->p05, summary->p95,
                            summary->stdv, summary->kurtosis, summary->mad, summary->n};

    for (size_t i = 0; i < NP_COUNT(value); i++)
        measure(work, (enum np_measure_ident)(first + i), value[i]);
}

static void report_image(struct np_work *work, const struct np_quality *quality)
{
    static const enum np_measure_ident size[] = {NP_MEASURE_QUALITY_SIZE_X,
                                                 NP_MEASURE_QUALITY_SIZE_Y,
                                                 NP_MEASURE_QUALITY_SIZE_Z},
                                       spacing[] = {NP_MEASURE_QUALITY_SPACING_X,
                                                    NP_MEASURE_QUALITY_SPACING_Y,
                                                    NP_MEASURE_QUALITY_SPACING_Z};

    for (int a = 0; a < 3; a++) {
        measure(work, size[a], (double)quality->size[a]);
        measure(work, spacing[a], quality->spacing_mm[a]);
    }
    measure(work, NP_MEASURE_QUALITY_EFC, quality->efc);
    measure(work, NP_MEASURE_QUALITY_INU_MED,
            np_work_value(work, NP_MEASURE_BIAS_BRAIN_FIELD_MEDIAN, NAN));
    measure(work, NP_MEASURE_QUALITY_INU_RANGE,
            np_work_value(work, NP_MEASURE_BIAS_BRAIN_FIELD_RANGE, NAN));
}

/* MRIQC's mark for a value that does not exist is no value of ours. */
static double unmarked(double value)
{
    return value == -1 ? NAN : value;
}

static void report_air(struct np_work *work, const struct np_quality *quality)
{
    measure(work, NP_MEASURE_QUALITY_FBER, unmarked(quality->fber));
    measure(work, NP_MEASURE_QUALITY_AIR_ARTIFACTS, unmarked(quality->qi_1));
    measure(work, NP_MEASURE_QUALITY_CNR_AIR, quality->cnr);
    measure(work, NP_MEASURE_QUALITY_SNRD_AIR_CSF, unmarked(quality->snrd[NP_TISSUE_CSF]));
    measure(work, NP_MEASURE_QUALITY_SNRD_AIR_GM, unmarked(quality->snrd[NP_TISSUE_GM]));
    measure(work, NP_MEASURE_QUALITY_SNRD_AIR_WM, unmarked(quality->snrd[NP_TISSUE_WM]));
    measure(work, NP_MEASURE_QUALITY_SNRD_AIR_TOTAL, unmarked(quality->snrd_total));
    report_summary(work, NP_MEASURE_QUALITY_SUMMARY_AIR_MEAN, &quality->summary[NP_QUALITY_BG]);
}

static void report_tissues(struct np_work *work, const struct np_quality *quality)
{
    static const struct {
        enum np_measure_ident icvs, rpve, snr, summary;
    } of[] = {
        [NP_TISSUE_CSF] = {NP_MEASURE_QUALITY_ICVS_CSF, NP_MEASURE_QUALITY_RPVE_CSF,
                           NP_MEASURE_QUALITY_SNR_CSF, NP_MEASURE_QUALITY_SUMMARY_CSF_MEAN},
        [NP_TISSUE_GM] = {NP_MEASURE_QUALITY_ICVS_GM, NP_MEASURE_QUALITY_RPVE_GM,
                          NP_MEASURE_QUALITY_SNR_GM, NP_MEASURE_QUALITY_SUMMARY_GM_MEAN},
        [NP_TISSUE_WM] = {NP_MEASURE_QUALITY_ICVS_WM, NP_MEASURE_QUALITY_RPVE_WM,
                          NP_MEASURE_QUALITY_SNR_WM, NP_MEASURE_QUALITY_SUMMARY_WM_MEAN},
    };

    measure(work, NP_MEASURE_QUALITY_CJV, quality->cjv);
    measure(work, NP_MEASURE_QUALITY_SNR_TOTAL, quality->snr_total);
    measure(work, NP_MEASURE_QUALITY_WM2MAX, quality->wm2max);
    for (int k = 0; k < NP_N_TISSUES; k++) {
        measure(work, of[k].icvs, quality->icvs[k]);
        measure(work, of[k].rpve, quality->rpve[k]);
        measure(work, of[k].snr, quality->snr[k]);
        report_summary(work, of[k].summary, &quality->summary[k]);
    }
}

/* T2w has no segmentation of its own, but its levels are good enough to measure contrast and noise
 * by. Those of FLAIR are not: lesions and fluid. */
static int own_tissues(const struct np_work *work, const struct np_exec *exec,
                       struct np_tissue *tissue, struct np_error *err)
{
    if (work->modality != &np_modalities[NP_MODALITY_T2W])
        return NP_EMETHOD;
    return np_tissue_classify(work->flat, work->brain, NP_CONTRAST_T2W, exec, tissue, err);
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    NP_AUTO(np_tissue_done) struct np_tissue own = {0};
    struct np_quality quality;
    struct np_error why = {0};
    int code = NP_EMETHOD;

    (void)config;
    if (!work->regions)
        return 0;
    struct np_quality_input input = {.corrected = work->flat, .region = work->regions->voxel};
    input.tissue = work->tissue;
    if (!work->tissue)
        code = own_tissues(work, exec, &own, &why);
    if (code == 0)
        input.tissue = &own;
    if (work->tissue || code == 0 || code == NP_EMETHOD)
        code = np_quality_measure(&input, exec, &quality, &why);
    bool is_air_there = has_air(work->regions);
    np_mask_freep(&work->regions);
    if (code == NP_EDOMAIN)
        return 0;
    if (code < 0)
        return np_error_set(err, code, "'%s': %s", work->path, why.text);
    report_image(work, &quality);
    if (is_air_there)
        report_air(work, &quality);
    if (input.tissue)
        report_tissues(work, &quality);
    return 0;
}

const struct np_stage np_stage_quality = {
    .name = NP_STAGE_QUALITY,
    .version = 1,
    .needs = NP_SLOT_FLAT | NP_SLOT_BRAIN,
    .uses = NP_SLOT_REGIONS | NP_SLOT_TISSUE,
    .takes = NP_SLOT_REGIONS,
    .run = run,
    .doi = "10.1371/journal.pone.0184661",
};
