/*
 * Separable convolution by whole rows: along y and z a row of the result is a weighted sum of input
 * rows, so memory is read in order. Sums are taken in the same order for any number of threads.
 */
#include "ops/smooth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementary.h"
#include "ops/lanes.h"

enum { MAX_REACH = 64 }; /* voxels to each side; wider kernels are cut there */
/* So many voxels of a row are summed at once, in registers. */
enum { BLOCK_LANES = 4, BLOCK = BLOCK_LANES * NP_LANES };

struct kernel {
    int reach;
    float weight[MAX_REACH + 1]; /* at distance 0 … reach, not yet normalised */
};

struct smooth_pass {
    const struct kernel *kernel; /* of this pass */
    const struct np_exec *exec;
    int64_t n[3];
    int axis; /* 1 or 2 */
    const float *in;
    float *out;
};

static struct kernel make_kernel(double fwhm_mm, double spacing_mm)
{
    static const double FWHM_PER_SD = 2.3548200450309493; /* 2 sqrt(2 ln 2) */
    double sd = fwhm_mm / FWHM_PER_SD / spacing_mm;
    struct kernel kernel = {.reach = (int)fmin(floor(3 * sd + 0.5), MAX_REACH)};

    for (int i = 0; i <= kernel.reach; i++)
        kernel.weight[i] = sd > 0 ? (float)np_exp(-0.5 * i * i / (sd * sd)) : 1.0f;
    return kernel;
}

/* The mean of the values around `x`, cut at the ends of the row. */
static float smooth_at(const struct kernel *kernel, const float *in, int64_t n, int64_t x)
{
    int64_t from = x < kernel->reach ? -x : -kernel->reach;
    int64_t to = n - 1 - x < kernel->reach ? n - 1 - x : kernel->reach;
    float sum = 0, weights = 0;

    for (int64_t d = from; d <= to; d++) {
        float w = kernel->weight[d < 0 ? -d : d];
        sum += w * in[x + d];
        weights += w;
    }
    return sum / weights;
}

static float whole_weight(const struct kernel *kernel)
{
    float weights = 0;

    for (int d = -kernel->reach; d <= kernel->reach; d++)
        weights += kernel->weight[d < 0 ? -d : d];
    return weights;
}

/* BLOCK means from `x` on, none of which is cut. */
static void smooth_block(const struct kernel *kernel, const float *in, int64_t x, float weights,
                         float *out)
{
    np_lanes sum[BLOCK_LANES] = {0};

    for (int64_t d = -kernel->reach; d <= kernel->reach; d++) {
        np_lanes w = np_lanes_all(kernel->weight[d < 0 ? -d : d]);
        for (int k = 0; k < BLOCK_LANES; k++)
            sum[k] += w * np_lanes_load(in + x + d + k * NP_LANES);
    }
    for (int k = 0; k < BLOCK_LANES; k++)
        np_lanes_store(out + x + k * NP_LANES, sum[k] / np_lanes_all(weights));
}

static void smooth_row(const struct kernel *kernel, const float *in, int64_t n, float *out)
{
    float weights = whole_weight(kernel);
    int64_t x = 0;

    for (; x < n && x < kernel->reach; x++)
        out[x] = smooth_at(kernel, in, n, x);
    for (; x + BLOCK + kernel->reach <= n; x += BLOCK)
        smooth_block(kernel, in, x, weights, out);
    for (; x < n; x++)
        out[x] = smooth_at(kernel, in, n, x);
}

/* The convolution along x cannot be in place: `in` and `out` are different. */
static void smooth_plane_x(void *context, int64_t z)
{
    const struct smooth_pass *pass = context;
    int64_t nx = pass->n[0], ny = pass->n[1];

    if (np_exec_canceled(pass->exec))
        return;
    for (int64_t y = 0; y < ny; y++)
        smooth_row(pass->kernel, pass->in + (z * ny + y) * nx, nx, pass->out + (z * ny + y) * nx);
}

/* The rows that make one row of the result. */
struct rows {
    const float *first; /* the row at distance `from` */
    int64_t from, to, step;
    const struct kernel *kernel;
    float weights;
};

static struct rows rows_around(const struct smooth_pass *pass, int64_t y, int64_t z)
{
    int64_t nx = pass->n[0], ny = pass->n[1];
    int64_t at = pass->axis == 1 ? y : z, last = pass->n[pass->axis] - 1 - at;
    int64_t reach = pass->kernel->reach;
    struct rows rows = {.from = at < reach ? -at : -reach,
                        .to = last < reach ? last : reach,
                        .step = pass->axis == 1 ? nx : nx * ny,
                        .kernel = pass->kernel};

    rows.first = pass->in + (z * ny + y) * nx + rows.from * rows.step;
    for (int64_t d = rows.from; d <= rows.to; d++)
        rows.weights += rows.kernel->weight[d < 0 ? -d : d];
    return rows;
}

static void average_block(const struct rows *rows, int64_t x, float *out)
{
    np_lanes sum[BLOCK_LANES] = {0};
    const float *row = rows->first + x;

    for (int64_t d = rows->from; d <= rows->to; d++, row += rows->step) {
        np_lanes w = np_lanes_all(rows->kernel->weight[d < 0 ? -d : d]);
        for (int k = 0; k < BLOCK_LANES; k++)
            sum[k] += w * np_lanes_load(row + k * NP_LANES);
    }
    for (int k = 0; k < BLOCK_LANES; k++)
        np_lanes_store(out + x + k * NP_LANES, sum[k] / np_lanes_all(rows->weights));
}

static float average_at(const struct rows *rows, int64_t x)
{
    const float *value = rows->first + x;
    float sum = 0;

    for (int64_t d = rows->from; d <= rows->to; d++, value += rows->step)
        sum += rows->kernel->weight[d < 0 ? -d : d] * *value;
    return sum / rows->weights;
}

/* One plane of the result, along y or z. */
static void smooth_plane_rows(void *context, int64_t z)
{
    const struct smooth_pass *pass = context;
    int64_t nx = pass->n[0], ny = pass->n[1];

    if (np_exec_canceled(pass->exec))
        return;
    for (int64_t y = 0; y < ny; y++) {
        struct rows rows = rows_around(pass, y, z);
        float *out = pass->out + (z * ny + y) * nx;
        int64_t x = 0;

        for (; x + BLOCK <= nx; x += BLOCK)
            average_block(&rows, x, out);
        for (; x < nx; x++)
            out[x] = average_at(&rows, x);
    }
}

int np_smooth_gaussian(const struct np_image *in, double fwhm_mm, const struct np_exec *exec,
                       struct np_image *out, struct np_error *err)
{
    const struct np_grid *grid = &in->grid;
    size_t bytes = np_grid_voxels(grid) * sizeof(*in->voxel);
    struct kernel kernel[3];

    if (memcmp(out->grid.n, grid->n, 3 * sizeof(*grid->n)) != 0)
        return np_error_set(err, NP_EGEOMETRY, "smoothing: input and output differ in size");
    NP_AUTO(np_image_freep) struct np_image *other = np_image_new(grid);
    if (!other)
        return np_error_set(err, NP_ENOMEM, "smoothing: no memory for %zu MiB", np_grid_mib(grid));
    for (int i = 0; i < 3; i++)
        kernel[i] = make_kernel(fwhm_mm, grid->spacing_mm[i]);
    struct smooth_pass pass = {.kernel = &kernel[0],
                               .exec = exec,
                               .n = {grid->n[0], grid->n[1], grid->n[2]},
                               .in = in->voxel,
                               .out = other->voxel};
    np_exec_run(exec, grid->n[2], smooth_plane_x, &pass);
    pass.kernel = &kernel[1];
    pass.axis = 1;
    pass.in = other->voxel;
    pass.out = out->voxel;
    np_exec_run(exec, grid->n[2], smooth_plane_rows, &pass);
    pass.kernel = &kernel[2];
    pass.axis = 2;
    pass.in = out->voxel;
    pass.out = other->voxel;
    np_exec_run(exec, grid->n[2], smooth_plane_rows, &pass);
    NP_TRY(np_exec_check(exec, err));
    memcpy(out->voxel, other->voxel, bytes);
    return 0;
}
