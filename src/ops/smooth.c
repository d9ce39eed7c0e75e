/*
 * Separable convolution by whole rows: along y and z a row of the result is a weighted sum of input
 * rows, so memory is read in order. Sums are taken in the same order for any number of threads.
 */
#include "ops/smooth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementary.h"

enum { MAX_REACH = 64 }; /* voxels to each side; wider kernels are cut there */

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

static void smooth_row(const struct kernel *kernel, const float *in, int64_t n, float *out)
{
    for (int64_t x = 0; x < n; x++) {
        int64_t from = x < kernel->reach ? -x : -kernel->reach;
        int64_t to = n - 1 - x < kernel->reach ? n - 1 - x : kernel->reach;
        float sum = 0, weights = 0;
        for (int64_t d = from; d <= to; d++) {
            float w = kernel->weight[d < 0 ? -d : d];
            sum += w * in[x + d];
            weights += w;
        }
        out[x] = sum / weights;
    }
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

/* One plane of the result, along y or z. */
static void smooth_plane_rows(void *context, int64_t z)
{
    const struct smooth_pass *pass = context;
    int64_t nx = pass->n[0], ny = pass->n[1];
    int64_t step = pass->axis == 1 ? nx : nx * ny, reach = pass->kernel->reach;

    if (np_exec_canceled(pass->exec))
        return;
    for (int64_t y = 0; y < ny; y++) {
        int64_t at = pass->axis == 1 ? y : z;
        int64_t last = pass->n[pass->axis] - 1 - at;
        const float *in = pass->in + (z * ny + y) * nx;
        float *out = pass->out + (z * ny + y) * nx, weights = 0;

        memset(out, 0, (size_t)nx * sizeof(*out));
        for (int64_t d = at < reach ? -at : -reach; d <= (last < reach ? last : reach); d++) {
            float w = pass->kernel->weight[d < 0 ? -d : d];
            const float *row = in + d * step;
            weights += w;
            for (int64_t x = 0; x < nx; x++)
                out[x] += w * row[x];
        }
        for (int64_t x = 0; x < nx; x++)
            out[x] /= weights;
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
