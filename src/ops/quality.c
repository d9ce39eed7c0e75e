/*
 * 1. Count the shares in the tissues' box; find white matter's median, hence the factor.
 * 2. One pass over the image counts levels (ops/quality_levels.h) by what the voxels belong to, and
 *    sums differences of neighbours in the brain. Medians, quantiles and sums over any union of
 *    these sets come from the counts.
 * 3. One pass over the box sums shares by rounded intensity, and gathers the voxels of each tissue,
 *    whose medians are exact.
 *
 * Each pass is divided into N_PARTS ranges of planes, with memory of their own.
 */
#include "ops/quality_job.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/elementary.h"
#include "ops/quality_noise.h"

enum { FIELD_BINS = 65536 };
static const double DIETRICH = 0.6551364; /* sqrt((4 - pi) / 2) */
static const double TWO_LN_2 = 1.3862943611198906;

/* ---- metrics of the whole image ---------------------------------------------------------------- */

static double efc_of(const int64_t count[NP_N_LEVELS])
{
    double n = 0, sum = 0, square = 0, entropy = 0;

    for (int32_t i = 0; i < NP_N_LEVELS; i++) {
        double value = np_level_value(i), times = (double)count[i];
        n += times;
        if (times == 0 || value == 0)
            continue;
        sum += times * value;
        square += times * value * value;
        entropy += times * value * np_log(value);
    }
    double most = sqrt(square);
    if (!(most > 0) || n < 2)
        return NAN;
    return (entropy - sum * np_log(most)) / most / (sqrt(n) * -np_log(n) / 2);
}

static double fber_of(const struct np_quality_job *job, int64_t *count)
{
    np_quality_unite(job, NP_QUALITY_IN_HEAD, 0, count);
    double head = np_levels_median_square(count);
    np_quality_unite(job, 0, NP_QUALITY_IN_HEAD | NP_QUALITY_IN_FRAME, count);
    double rest = np_levels_median_square(count);
    return rest >= 1e-3 ? head / rest : -1;
}

static double fwhm_of(const struct np_quality_sums *values, const struct np_quality_sums *steps)
{
    if (values->n < 9 || steps->n < 6)
        return NAN;
    double n = (double)values->n, n_steps = (double)steps->n;
    double variance = (values->square - values->sum * values->sum / n) / (n - 1);
    double of_steps = (steps->square - steps->sum * steps->sum / n_steps) / (n_steps - 1);
    double correlation = 1 - of_steps / (2 * variance);
    if (!(variance > 0) || !(correlation > 0) || !(correlation < 1))
        return NAN;
    return sqrt(-TWO_LN_2 / np_log(correlation));
}

static void measure_smoothness(const struct np_quality_job *job)
{
    for (int a = 0; a < 3; a++)
        job->out->fwhm[a] = fwhm_of(&job->brain, &job->step[a]);
    job->out->fwhm_avg = (job->out->fwhm[0] + job->out->fwhm[1] + job->out->fwhm[2]) / 3;
}

static void measure_air(struct np_quality_job *job, int64_t *count)
{
    int64_t n_artifact = 0;

    if (job->in->source)
        job->failed =
            np_quality_noise_index(job->count[NP_QUALITY_SOURCE_OF_HAT], &job->out->qi_2, job->err);
    for (int p = 0; p < NP_QUALITY_PARTS; p++)
        n_artifact += job->part[p].n_artifact;
    np_quality_unite(job, NP_QUALITY_IN_AIR, 0, count);
    int64_t n_air = np_levels_total(count);
    if (job->in->corrected)
        job->out->qi_1 = n_air ? (double)n_artifact / (double)(n_air + n_artifact) : -1;
}

/* ---- the bias field ---------------------------------------------------------------------------- */

static void count_field(const struct np_quality_job *job, double bins_per_unit)
{
    int64_t n_plane = job->n[0] * job->n[1];

    for (int64_t z = 0; z < job->n[2]; z++)
        for (int64_t i = z * n_plane; job->has_brain[z] && i < (z + 1) * n_plane; i++)
            if (job->in->region[i] & NP_REGION_BRAIN) {
                double bin = ((double)job->in->field->voxel[i] - job->field_low) * bins_per_unit;
                job->field_count[bin < FIELD_BINS - 1 ? (int)bin : FIELD_BINS - 1]++;
            }
}

/* The values are evenly spread in their bin. */
static double field_quantile(const struct np_quality_job *job, int64_t n, double p)
{
    double position = p * (double)(n - 1), width = (job->field_high - job->field_low) / FIELD_BINS;
    int64_t before = 0;
    int i = 0;

    while (i < FIELD_BINS - 1 && (double)(before + job->field_count[i]) <= position)
        before += job->field_count[i++];
    double share = (position - (double)before + 0.5) / (double)job->field_count[i];
    return job->field_low + width * (i + (share < 1 ? share : 1));
}

static void measure_field(const struct np_quality_job *job)
{
    int64_t n = 0;

    if (!job->in->field)
        return;
    if (!(job->field_high > job->field_low)) {
        job->out->inu_med = job->field_low;
        job->out->inu_range = 0;
        return;
    }
    count_field(job, FIELD_BINS / (job->field_high - job->field_low));
    for (int i = 0; i < FIELD_BINS; i++)
        n += job->field_count[i];
    job->out->inu_med = field_quantile(job, n, 0.5);
    job->out->inu_range = field_quantile(job, n, 0.95) - field_quantile(job, n, 0.05);
}

/* ---- volumes ----------------------------------------------------------------------------------- */

static double share_quantile(const int64_t n_share[NP_QUALITY_SHARES], int64_t n, double p)
{
    double position = p * (double)(n - 1), value[2];
    int64_t rank = (int64_t)position;

    for (int side = 0; side < 2; side++) {
        int64_t before = 0, at = rank + side < n ? rank + side : rank;
        int s = 1;
        while (before + n_share[s] <= at)
            before += n_share[s++];
        value[side] = (double)s / NP_TISSUE_WHOLE;
    }
    return value[0] + (position - (double)rank) * (value[1] - value[0]);
}

static double rpve_of(const int64_t n_share[NP_QUALITY_SHARES], int64_t n_voxels)
{
    int64_t n = 0;
    double sum = 0;

    for (int s = 1; s < NP_QUALITY_SHARES; s++)
        n += n_share[s];
    if (n == 0)
        return NAN;
    double low = share_quantile(n_share, n, 0.02), high = share_quantile(n_share, n, 0.98);
    int64_t n_left = 0;
    for (int s = 1; s < NP_QUALITY_SHARES; s++) {
        double share = (double)s / NP_TISSUE_WHOLE;
        if (share < low || share > high)
            continue;
        n_left += n_share[s];
        sum += (double)n_share[s] * (share > 0.5 ? share : 1 - share);
    }
    return (sum + (double)(n_voxels - n_left)) / (double)n;
}

static void measure_volumes(const struct np_quality_job *job)
{
    struct np_quality *out = job->out;
    double all = 0;

    for (int k = 0; k < NP_N_TISSUES; k++)
        all += out->summary[k].n;
    for (int k = 0; k < NP_N_TISSUES; k++) {
        out->icvs[k] = out->summary[k].n / all;
        out->rpve[k] =
            rpve_of(job->n_share[k], (int64_t)np_grid_voxels(&np_quality_image(job->in)->grid));
    }
}

/* ---- signal, contrast and noise ---------------------------------------------------------------- */

/* A quotient by nothing does not exist. */
static double quotient(double above, double below)
{
    return below > 0 ? above / below : NAN;
}

static double snrd_of(double median, const struct np_quality_summary *air)
{
    if (air->mad > 1)
        return DIETRICH * median / air->mad;
    if (isnan(air->stdv))
        return NAN;
    return air->stdv > 1e-3 ? DIETRICH * median / air->stdv : -1;
}

static void measure_contrast(const struct np_quality_job *job, int64_t *count)
{
    struct np_quality *out = job->out;
    const struct np_quality_summary *air = &out->summary[NP_QUALITY_BG];
    const struct np_quality_summary *gm = &out->summary[NP_TISSUE_GM];
    const struct np_quality_summary *wm = &out->summary[NP_TISSUE_WM];
    double contrast = fabs(wm->median - gm->median);

    out->snr_total = out->snrd_total = 0;
    for (int k = 0; k < NP_N_TISSUES; k++) {
        const struct np_quality_summary *of = &out->summary[k];
        out->snr[k] = quotient(of->median, of->n > 1 ? of->stdv * sqrt(of->n / (of->n - 1)) : NAN);
        out->snrd[k] = snrd_of(of->median, air);
        out->snr_total += out->snr[k] / NP_N_TISSUES;
        out->snrd_total += out->snrd[k] / NP_N_TISSUES;
    }
    out->cnr =
        quotient(contrast, sqrt(air->stdv * air->stdv + gm->stdv * gm->stdv + wm->stdv * wm->stdv));
    out->cjv = quotient(wm->mad + gm->mad, contrast);
    np_quality_unite(job, 0, 0, count);
    out->wm2max = quotient(wm->median, np_levels_quantile(count, 0.9995));
}

/* ---- all of them ------------------------------------------------------------------------------- */

enum task { TASK_CSF, TASK_GM, TASK_WM, TASK_AIR, TASK_FIELD, N_TASKS };

static void measure_one(void *context, int64_t task)
{
    struct np_quality_job *job = context;

    if (task == TASK_AIR)
        measure_air(job, (int64_t *)job->counts);
    else if (task == TASK_FIELD)
        measure_field(job);
    else if (job->in->tissue)
        np_quality_summarize_tissue(job, (int)task);
}

/* Until it is measured, a value does not exist. */
static void lack_all(struct np_quality *out)
{
    const struct np_quality_summary none = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

    *out = (struct np_quality){0};
    out->cjv = out->cnr = out->efc = out->fber = out->fwhm_avg = out->wm2max = NAN;
    out->inu_med = out->inu_range = out->qi_1 = out->qi_2 = out->snr_total = out->snrd_total = NAN;
    for (int a = 0; a < 3; a++)
        out->fwhm[a] = NAN;
    for (int k = 0; k < NP_N_TISSUES; k++)
        out->icvs[k] = out->rpve[k] = out->snr[k] = out->snrd[k] = NAN;
    for (int k = 0; k < NP_N_SUMMARIES; k++)
        out->summary[k] = none;
}

/* `counts` is free once its parts are merged: memory for unions. */
static int finish(struct np_quality_job *job, struct np_error *err)
{
    struct np_quality *out = job->out;
    int64_t *count = (int64_t *)job->counts;

    np_exec_run(job->exec, N_TASKS, measure_one, job);
    NP_TRY(job->failed);
    NP_TRY(np_exec_check(job->exec, err));
    if (job->in->source)
        measure_smoothness(job);
    for (int a = 0; a < 3; a++) {
        out->size[a] = job->n[a];
        out->spacing_mm[a] = np_quality_image(job->in)->grid.spacing_mm[a];
    }
    if (job->in->corrected) {
        np_quality_unite(job, 0, NP_QUALITY_IN_FRAME, count);
        out->efc = efc_of(count);
        out->fber = fber_of(job, count);
    }
    if (!job->in->tissue)
        return 0;
    np_quality_summarize_air(job, count);
    measure_volumes(job);
    measure_contrast(job, count);
    return 0;
}

static int get_memory(struct np_quality_job *job, struct np_error *err)
{
    size_t n_counts = (size_t)NP_QUALITY_COUNTS * NP_N_LEVELS;

    job->counts = np_try_voxels(NP_QUALITY_PARTS * n_counts, sizeof(*job->counts));
    job->count = np_try_calloc(NP_QUALITY_COUNTS, sizeof(*job->count));
    job->air = np_try_calloc((size_t)NP_QUALITY_PARTS * NP_QUALITY_ROUNDED, sizeof(*job->air));
    job->has_brain = np_try_calloc((size_t)job->n[2], 1);
    job->tissue_part = np_try_calloc(NP_QUALITY_PARTS, sizeof(*job->tissue_part));
    job->field_count = np_try_calloc(FIELD_BINS, sizeof(*job->field_count));
    if (!job->counts || !job->count || !job->air || !job->has_brain || !job->tissue_part ||
        !job->field_count)
        return np_quality_no_memory(err);
    for (int p = 0; p < NP_QUALITY_PARTS; p++) {
        job->part[p].count = (uint32_t(*)[NP_N_LEVELS])(job->counts + (size_t)p * n_counts);
        job->part[p].air = job->air + (ptrdiff_t)p * NP_QUALITY_ROUNDED;
    }
    return 0;
}

static void job_done(struct np_quality_job *job)
{
    np_voxels_free(job->counts);
    np_freep(&job->count);
    np_freep(&job->air);
    np_freep(&job->has_brain);
    np_freep(&job->tissue_part);
    np_freep(&job->field_count);
    np_freep(&job->weights);
    np_freep(&job->white);
    for (int k = 0; k < NP_N_TISSUES; k++)
        np_freep(&job->gathered[k]);
}

static bool same_size(const struct np_grid *a, const struct np_grid *b)
{
    return a->n[0] == b->n[0] && a->n[1] == b->n[1] && a->n[2] == b->n[2];
}

static int check(const struct np_quality_input *in, struct np_error *err)
{
    const struct np_grid *grid = &np_quality_image(in)->grid;

    if ((in->source && !same_size(grid, &in->source->grid)) ||
        (in->field && !same_size(grid, &in->field->grid)) ||
        (in->tissue && !same_size(grid, &in->tissue->grid)))
        return np_error_set(err, NP_EGEOMETRY,
                            "image quality: the images and the tissues differ in size");
    return 0;
}

int np_quality_measure(const struct np_quality_input *input, const struct np_exec *exec,
                       struct np_quality *quality, struct np_error *err)
{
    struct np_quality out;
    NP_AUTO(job_done)
    struct np_quality_job job = {
        .in = input, .exec = exec, .n = np_quality_image(input)->grid.n, .out = &out, .err = err};

    lack_all(&out);
    NP_TRY(check(input, err));
    NP_TRY(get_memory(&job, err));
    NP_TRY(input->tissue ? np_quality_find_white(&job, err)
                         : np_quality_find_brain_level(&job, err));
    NP_TRY(np_quality_count_image(&job, err));
    if (!memchr(job.has_brain, 1, (size_t)job.n[2]))
        return np_error_set(err, NP_EDOMAIN, "image quality: expected a brain, found none");
    if (input->tissue)
        NP_TRY(np_quality_count_tissues(&job, err));
    NP_TRY(finish(&job, err));
    *quality = out;
    return 0;
}
