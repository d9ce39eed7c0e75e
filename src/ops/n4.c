/*
 * N4 in steps:
 *  1. Sample voxels of the mask about shrink_mm apart. v = log intensity = u + b, where u is the
 *     log intensity without field and b is the log field.
 *  2. For each level, for each iteration:
 *     a. u = v - b, its range, and how much b changed (coefficient of variation of exp(change));
 *     b. histogram of u, each value shared between its two nearest bins;
 *     c. sharpen: deconvolve the histogram by a Gaussian (Wiener filter), clip at 0; the expected
 *        sharp value of each bin is E(u) = ((x U) * F)(u) / (U * F)(u);
 *     d. fit a B-spline to the residual u - E(u); add its lattice, times the relaxation, to the field's.
 *     The next level starts with the same field on spans of half the length.
 *  3. Keep the control points; np_n4_estimate evaluates them at every voxel.
 * Steps 2a, 2b and 2d run over slabs of planes; sums are combined in the slabs' order.
 */
#include "ops/n4.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/bspline.h"
#include "ops/elementary.h"
#include "ops/histogram.h"
#include "ops/n4_samples.h"
#include "ops/n4_sharpen.h"

enum { MOST_SLABS = 16 };

struct np_n4_options np_n4_options_default(void)
{
    return (struct np_n4_options){
        .mesh_mm = 200,
        .n_levels = 4,
        .n_iterations = 50,
        .stop = 0,
        .last_stop = 0,
        .relaxation = 1,
        .shrink_mm = 4,
        .fwhm_log = 0.15,
        .wiener = 0.01,
        .n_bins = 200,
    };
}

/* --- the grid of splines ---------------------------------------------------------------------- */

/* The number of spans that covers the voxels' centres; the spans are centred on the image. */
static int count_spans(const struct np_grid *grid, int axis, double mesh_mm)
{
    double extent_mm = (double)(grid->n[axis] - 1) * grid->spacing_mm[axis];

    return (int)fmax(1, ceil(extent_mm / mesh_mm - 1e-9));
}

/* Make the tables of the samples along `axis`, for spans of mesh_mm / n_parts. */
static int make_axis(struct np_bspline_axis *out, const struct np_grid *grid, int axis,
                     const struct np_n4_samples *samples, double mesh_mm, int n_parts)
{
    int64_t n = samples->n[axis];
    int n_spans = count_spans(grid, axis, mesh_mm) * n_parts;
    NP_AUTO(np_freep) double *position = np_try_malloc((size_t)n, sizeof(*position));

    if (!position)
        return NP_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        double voxel = (double)(samples->first[axis] + i * samples->step[axis]);
        double from_centre = voxel - 0.5 * (double)(grid->n[axis] - 1);
        position[i] = 0.5 * n_spans + from_centre * grid->spacing_mm[axis] * n_parts / mesh_mm;
    }
    return np_bspline_axis_init(out, position, n, n_spans);
}

static void axes_done(struct np_bspline_axis axis[3])
{
    for (int a = 0; a < 3; a++)
        np_bspline_axis_done(&axis[a]);
}

/* Replace the tables; `axis` holds tables already, or zeros. */
static int remake_axes(struct np_bspline_axis axis[3], const struct np_grid *grid,
                       const struct np_n4_samples *samples, double mesh_mm, int n_parts,
                       struct np_error *err)
{
    axes_done(axis);
    for (int a = 0; a < 3; a++)
        if (make_axis(&axis[a], grid, a, samples, mesh_mm, n_parts) != 0)
            return np_error_set(err, NP_ENOMEM, "bias field: no memory for spline weights");
    return 0;
}

/* --- the fit ---------------------------------------------------------------------------------- */

/* Results of one slab of planes. */
struct slab {
    int64_t z_begin, z_end;
    int64_t first, n;   /* points */
    float low, high;    /* range of u */
    double sum, square; /* of exp(change) - 1 */
    double *count;      /* [n_bins + 1] */
    float *plane;       /* scratch: a plane of control points, mixed for one z */
    float *row;         /* scratch: a row of the evaluated field */
};

struct fit {
    const struct np_n4_options *options;
    struct np_bspline_points points;
    struct np_bspline_axis axis[3];
    struct np_lattice *field;
    float *v;           /* [n points] logarithms */
    float *u;           /* without the field */
    float *scratch;     /* changes, then residuals */
    float *planes;      /* [nz][plane size] */
    float *denominator; /* [n_control z][plane size] */
    float *collected;   /* [plane size] numerators */
    double *counts;     /* [slab][n_bins + 1] */
    float *slab_scratch;
    struct slab slab[MOST_SLABS];
    int n_slabs;
    double low, step; /* of the histogram */
    struct np_n4_sharpener sharpener;
};

static void fit_done(struct fit *fit)
{
    np_bspline_points_done(&fit->points);
    axes_done(fit->axis);
    np_lattice_freep(&fit->field);
    free(fit->v);
    free(fit->u);
    free(fit->scratch);
    free(fit->planes);
    free(fit->denominator);
    free(fit->collected);
    free(fit->counts);
    free(fit->slab_scratch);
    np_n4_sharpener_done(&fit->sharpener);
}

/* Cut the planes into slabs with about the same number of points. The cuts depend on the points
 * alone. */
static void cut_slabs(struct fit *fit)
{
    int64_t nz = fit->points.n_voxels[2], z = 0;

    fit->n_slabs = 0;
    for (int i = 0; i < MOST_SLABS && z < nz; i++) {
        struct slab *slab = &fit->slab[fit->n_slabs];
        int64_t goal = fit->points.n * (i + 1) / MOST_SLABS;

        slab->z_begin = z;
        slab->first = np_bspline_points_of_plane(&fit->points, z);
        while (z < nz &&
               (i == MOST_SLABS - 1 || np_bspline_points_of_plane(&fit->points, z) < goal))
            z++;
        slab->z_end = z;
        slab->n = np_bspline_points_of_plane(&fit->points, z) - slab->first;
        slab->count = fit->counts + (size_t)fit->n_slabs * ((size_t)fit->options->n_bins + 1);
        fit->n_slabs += slab->n > 0;
    }
}

static int fit_init(struct fit *fit, const struct np_n4_samples *samples,
                    const struct np_n4_options *options, struct np_error *err)
{
    fit->options = options;
    np_n4_sharpener_init(&fit->sharpener, options->n_bins);
    if (np_bspline_points_init(&fit->points, samples->inside, samples->n) != 0)
        return np_error_set(err, NP_ENOMEM, "bias field: no memory for the list of samples");
    size_t n = (size_t)fit->points.n;
    if (fit->points.n < NP_N4_LEAST_POINTS)
        return np_error_set(err, NP_EDOMAIN,
                            "bias field: the mask holds %zu positive voxels of those taken (every "
                            "%d, %d and %d along the axes), at least %d are needed; check the mask "
                            "and the voxel sizes",
                            n, samples->step[0], samples->step[1], samples->step[2],
                            NP_N4_LEAST_POINTS);
    fit->v = np_try_malloc(n, sizeof(*fit->v));
    fit->u = np_try_malloc(n, sizeof(*fit->u));
    fit->scratch = np_try_malloc(n, sizeof(*fit->scratch));
    fit->counts = np_try_calloc(MOST_SLABS * ((size_t)options->n_bins + 1), sizeof(*fit->counts));
    if (!fit->v || !fit->u || !fit->scratch || !fit->counts)
        return np_error_set(err, NP_ENOMEM, "bias field: no memory for %zu samples", n);
    size_t n_samples = (size_t)(samples->n[0] * samples->n[1] * samples->n[2]);
    for (size_t i = 0, point = 0; i < n_samples; i++)
        if (samples->inside[i])
            fit->v[point++] = samples->log[i];
    memcpy(fit->u, fit->v, n * sizeof(*fit->u));
    cut_slabs(fit);
    return 0;
}

/* Step 2a for one slab: u from the field, its range, and the field's change. */
static void update_slab(void *context, int64_t task)
{
    struct fit *fit = context;
    struct slab *slab = &fit->slab[task];
    float *change = fit->scratch + slab->first;
    float low = INFINITY, high = -INFINITY;
    double sum = 0, square = 0;

    for (int64_t z = slab->z_begin; z < slab->z_end; z++) {
        if (fit->points.plane[z] == fit->points.plane[z + 1])
            continue;
        np_bspline_plane_mix(fit->axis, fit->field, z, slab->plane);
        for (int64_t r = fit->points.plane[z]; r < fit->points.plane[z + 1]; r++) {
            const struct np_bspline_row *row = &fit->points.row[r];
            const float *field = np_bspline_row_evaluate(fit->axis, slab->plane, row->y, slab->row);

            for (int64_t i = row->first; i < row->first + row->n; i++) {
                float u = fit->v[i] - field[fit->points.x[i]];
                fit->scratch[i] = u - fit->u[i];
                fit->u[i] = u;
                low = u < low ? u : low;
                high = u > high ? u : high;
            }
        }
    }
    np_expf_n(change, change, (size_t)slab->n);
    for (int64_t i = 0; i < slab->n; i++) {
        double e = (double)change[i] - 1;
        sum += e;
        square += e * e;
    }
    slab->low = low;
    slab->high = high;
    slab->sum = sum;
    slab->square = square;
}

/* Run update_slab on all slabs; return the change's coefficient of variation and set the
 * histogram's range. */
static double update(struct fit *fit, const struct np_exec *exec)
{
    float low = INFINITY, high = -INFINITY;
    double sum = 0, square = 0, n = (double)fit->points.n;

    np_exec_run(exec, fit->n_slabs, update_slab, fit);
    for (int i = 0; i < fit->n_slabs; i++) {
        low = fminf(low, fit->slab[i].low);
        high = fmaxf(high, fit->slab[i].high);
        sum += fit->slab[i].sum;
        square += fit->slab[i].square;
    }
    fit->low = (double)low;
    fit->step = ((double)high - (double)low) / (fit->options->n_bins - 1);
    double variance = (square - sum * sum / n) / (n - 1);
    return sqrt(fmax(variance, 0)) / (1 + sum / n);
}

/* Step 2b for one slab. */
static void count_slab(void *context, int64_t task)
{
    struct fit *fit = context;
    struct slab *slab = &fit->slab[task];
    int last = fit->options->n_bins - 1;
    float low = (float)fit->low, per_step = (float)(1 / fit->step);
    const float *u = fit->u + slab->first;

    memset(slab->count, 0, ((size_t)last + 2) * sizeof(*slab->count));
    for (int64_t i = 0; i < slab->n; i++) {
        float position = (u[i] - low) * per_step;
        int bin = (int)position;
        bin = bin < last ? bin : last;
        double share = (double)(position - (float)bin);
        slab->count[bin] += 1 - share;
        slab->count[bin + 1] += share;
    }
}

/* Step 2d for one slab: residuals, then the slab's planes of control points. */
static void contract_slab(void *context, int64_t task)
{
    struct fit *fit = context;
    struct slab *slab = &fit->slab[task];
    const struct np_n4_sharpener *sharpener = &fit->sharpener;
    size_t size = np_bspline_plane_size(fit->axis);
    int last = fit->options->n_bins - 1;
    float low = (float)fit->low, per_step = (float)(1 / fit->step);

    for (int64_t i = slab->first; i < slab->first + slab->n; i++) {
        float position = (fit->u[i] - low) * per_step;
        int bin = (int)position;
        bin = bin < last ? bin : last;
        fit->scratch[i] = fit->u[i] - (sharpener->expected[bin] +
                                       sharpener->slope[bin] * (position - (float)bin));
    }
    for (int64_t z = slab->z_begin; z < slab->z_end; z++)
        np_bspline_plane_numerator(fit->axis, &fit->points, fit->scratch, z,
                                   fit->planes + size * (size_t)z);
}

static void weigh_slab(void *context, int64_t task)
{
    struct fit *fit = context;
    struct slab *slab = &fit->slab[task];
    size_t size = np_bspline_plane_size(fit->axis);

    for (int64_t z = slab->z_begin; z < slab->z_end; z++)
        np_bspline_plane_denominator(fit->axis, &fit->points, z, fit->planes + size * (size_t)z);
}

/* Add the fitted lattice, times the relaxation, to the field's. Control points without voxels are
 * unchanged. */
static void add_fit(struct fit *fit)
{
    size_t size = np_bspline_plane_size(fit->axis);
    int stride = np_bspline_plane_stride(fit->axis);
    const int *n = fit->field->n;
    double *value = fit->field->value, relaxation = fit->options->relaxation;

    for (int k = 0; k < n[2]; k++) {
        np_bspline_collect_numerator(fit->axis, fit->planes, k, fit->collected);
        const float *below = fit->denominator + size * (size_t)k;
        for (int j = 0; j < n[1]; j++)
            for (int i = 0; i < n[0]; i++, value++)
                if (below[j * stride + i] > 0)
                    *value += relaxation * (double)fit->collected[j * stride + i] /
                              (double)below[j * stride + i];
    }
}

/* Prepare a level: its spline tables, buffers and denominators. */
static int begin_level(struct fit *fit, const struct np_grid *grid,
                       const struct np_n4_samples *samples, int level, const struct np_exec *exec,
                       struct np_error *err)
{
    NP_TRY(remake_axes(fit->axis, grid, samples, fit->options->mesh_mm, 1 << level, err));
    const struct np_bspline_axis *axis = fit->axis;
    struct np_lattice *field =
        level ? np_lattice_refine(fit->field)
              : np_lattice_new(axis[0].n_control, axis[1].n_control, axis[2].n_control);
    if (field) {
        np_lattice_freep(&fit->field);
        fit->field = field;
    }
    size_t size = np_bspline_plane_size(axis), row = np_bspline_row_size(axis);
    np_freep(&fit->planes);
    np_freep(&fit->denominator);
    np_freep(&fit->collected);
    np_freep(&fit->slab_scratch);
    fit->planes = np_try_calloc(size * (size_t)axis[2].n, sizeof(*fit->planes));
    fit->denominator = np_try_malloc(size * (size_t)axis[2].n_control, sizeof(*fit->denominator));
    fit->collected = np_try_malloc(size, sizeof(*fit->collected));
    fit->slab_scratch = np_try_calloc((size + row) * MOST_SLABS, sizeof(*fit->slab_scratch));
    if (!field || !fit->planes || !fit->denominator || !fit->collected || !fit->slab_scratch)
        return np_error_set(err, NP_ENOMEM, "bias field: no memory for level %d", level + 1);
    for (int i = 0; i < fit->n_slabs; i++) {
        fit->slab[i].plane = fit->slab_scratch + (size + row) * (size_t)i;
        fit->slab[i].row = fit->slab[i].plane + size;
    }
    np_exec_run(exec, fit->n_slabs, weigh_slab, fit);
    for (int k = 0; k < axis[2].n_control; k++)
        np_bspline_collect_denominator(axis, fit->planes, k, fit->denominator + size * (size_t)k);
    return 0;
}

/* One iteration; range and change are those of the field before this iteration. */
static void iterate(struct fit *fit, const struct np_exec *exec)
{
    double *count = fit->slab[0].count;

    np_exec_run(exec, fit->n_slabs, count_slab, fit);
    for (int s = 1; s < fit->n_slabs; s++)
        for (int i = 0; i < fit->options->n_bins; i++)
            count[i] += fit->slab[s].count[i];
    np_n4_sharpen(&fit->sharpener, count, fit->low, fit->step, fit->options->fwhm_log,
                  fit->options->wiener);
    np_exec_run(exec, fit->n_slabs, contract_slab, fit);
    add_fit(fit);
}

/* The least change that a level goes on for. */
static double least_change(const struct np_n4_options *options, int level)
{
    bool is_last = level == options->n_levels - 1 && options->last_stop > 0;

    return options->relaxation * (is_last ? options->last_stop : options->stop);
}

static int run_level(struct fit *fit, int level, const struct np_exec *exec,
                     struct np_n4_report *report, struct np_error *err)
{
    double least = least_change(fit->options, level);
    bool settled = false;

    update(fit, exec);
    for (int i = 0; i < fit->options->n_iterations && !settled && fit->step > 0; i++) {
        NP_TRY(np_exec_check(exec, err));
        iterate(fit, exec);
        report->change = update(fit, exec);
        report->iterations[level]++;
        report->n_iterations++;
        settled = report->change <= least;
    }
    report->converged = report->converged && (settled || fit->step <= 0);
    return 0;
}

/* --- the field at every voxel ----------------------------------------------------------------- */

struct evaluate_job {
    const struct np_bspline_field *field;
    struct np_image *out;
    float *scratch; /* [slab][scratch of the field] */
    int64_t n_slabs;
};

static void evaluate_slab(void *context, int64_t task)
{
    struct evaluate_job *job = context;
    float *scratch = job->scratch + np_bspline_field_scratch(job->field) * (size_t)task;
    const int64_t *n = job->out->grid.n;

    for (int64_t z = n[2] * task / job->n_slabs; z < n[2] * (task + 1) / job->n_slabs; z++) {
        np_bspline_field_plane(job->field, z, scratch);
        for (int64_t y = 0; y < n[1]; y++)
            memcpy(job->out->voxel + n[0] * (y + n[1] * z),
                   np_bspline_field_row(job->field, y, scratch), (size_t)n[0] * sizeof(float));
    }
}

static int evaluate(const struct np_bspline_field *field, const struct np_exec *exec,
                    struct np_image *out, struct np_error *err)
{
    struct evaluate_job job = {.field = field, .out = out};

    job.n_slabs = out->grid.n[2] < MOST_SLABS ? out->grid.n[2] : MOST_SLABS;
    NP_AUTO(np_freep)
    float *scratch =
        np_try_calloc(np_bspline_field_scratch(field) * (size_t)job.n_slabs, sizeof(*scratch));
    if (!scratch)
        return np_error_set(err, NP_ENOMEM, "bias field: no memory to evaluate it");
    job.scratch = scratch;
    np_exec_run(exec, job.n_slabs, evaluate_slab, &job);
    return 0;
}

static int check_grid(const struct np_grid *grid, const struct np_grid *other, const char *what,
                      struct np_error *err)
{
    for (int a = 0; a < 3; a++)
        if (grid->n[a] != other->n[a])
            return np_error_set(err, NP_EGEOMETRY,
                                "bias field: %s has %" PRId64 " voxels along axis %d, image has "
                                "%" PRId64,
                                what, other->n[a], a, grid->n[a]);
    return 0;
}

/* Report mean and quantiles of the field at the samples. */
static int describe_field(struct fit *fit, const struct np_exec *exec, struct np_n4_report *report,
                          struct np_error *err)
{
    static const double tails[] = {0.05, 0.95};
    struct np_image at_points = {np_grid_make(fit->points.n, 1, 1, 1, 1, 1), fit->scratch};
    double quantile[2];

    for (int64_t i = 0; i < fit->points.n; i++)
        fit->scratch[i] = fit->v[i] - fit->u[i];
    NP_TRY(np_image_mean(&at_points, NULL, exec, &report->mean, err));
    NP_TRY(np_image_quantiles(&at_points, NULL, tails, 2, exec, quantile, err));
    report->low = quantile[0];
    report->high = quantile[1];
    return 0;
}

/* Move the lattice out of `fit` into a field with tables for every voxel. */
static int keep_field(struct fit *fit, const struct np_grid *grid,
                      const struct np_n4_options *options, struct np_bspline_field **field,
                      struct np_error *err)
{
    NP_AUTO(np_bspline_field_freep)
    struct np_bspline_field *made = np_try_calloc(1, sizeof(*made));
    struct np_n4_samples every = {.step = {1, 1, 1}, .n = {grid->n[0], grid->n[1], grid->n[2]}};

    if (!made)
        return np_error_set(err, NP_ENOMEM, "bias field: no memory to keep it");
    NP_TRY(
        remake_axes(made->axis, grid, &every, options->mesh_mm, 1 << (options->n_levels - 1), err));
    made->lattice = fit->field;
    fit->field = NULL;
    *field = made;
    made = NULL;
    return 0;
}

int np_n4_fit(const struct np_image *in, const struct np_mask *mask,
              const struct np_n4_options *options, const struct np_exec *exec,
              struct np_bspline_field **field, struct np_n4_report *report, struct np_error *err)
{
    NP_AUTO(np_n4_samples_done) struct np_n4_samples samples = {0};
    NP_AUTO(fit_done) struct fit fit = {0};
    struct np_n4_report found = {.n_levels = options->n_levels, .converged = true};

    NP_TRY(check_grid(&in->grid, &mask->grid, "mask", err));
    NP_TRY(np_n4_samples_init(&samples, in, mask, options->shrink_mm, exec, err));
    NP_TRY(np_exec_check(exec, err));
    NP_TRY(fit_init(&fit, &samples, options, err));
    for (int level = 0; level < options->n_levels; level++) {
        NP_TRY(begin_level(&fit, &in->grid, &samples, level, exec, err));
        NP_TRY(run_level(&fit, level, exec, &found, err));
    }
    found.n_points = fit.points.n;
    memcpy(found.shrink, samples.step, sizeof(found.shrink));
    memcpy(found.n_control, fit.field->n, sizeof(found.n_control));
    NP_TRY(describe_field(&fit, exec, &found, err));
    NP_TRY(keep_field(&fit, &in->grid, options, field, err));
    if (report)
        *report = found;
    return 0;
}

int np_n4_estimate(const struct np_image *in, const struct np_mask *mask,
                   const struct np_n4_options *options, const struct np_exec *exec,
                   struct np_image *log_field, struct np_n4_report *report, struct np_error *err)
{
    NP_AUTO(np_bspline_field_freep) struct np_bspline_field *field = NULL;
    struct np_n4_report found;

    NP_TRY(check_grid(&in->grid, &log_field->grid, "field", err));
    NP_TRY(np_n4_fit(in, mask, options, exec, &field, &found, err));
    NP_TRY(evaluate(field, exec, log_field, err));
    if (report)
        *report = found;
    return 0;
}
