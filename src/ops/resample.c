/*
 * For each axis a table holds the input voxels and weights of every output voxel. z and y are done
 * together, row by row (weighted sums of input rows), then x within the row. This needs one row of
 * scratch; doing z alone first would need a whole volume.
 */
#include "ops/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/lanes.h"

/* Output voxel i is the sum over k < count[i] of weight[i * most + k] × input[first[i] + k]. */
struct axis_table {
    int64_t *first;
    int64_t *count;
    float *weight;
    int64_t most;
};

struct resample_job {
    const struct np_image *in;
    struct np_image *out;
    const struct np_exec *exec;
    const struct axis_table *axis; /* three */
    float *row;                    /* scratch for one input row per output plane */
    float *weight;                 /* scratch for the weights of rows along y, per output plane */
};

static void tables_done(struct axis_table (*axis)[3])
{
    for (int i = 0; i < 3; i++) {
        free((*axis)[i].first);
        free((*axis)[i].count);
        free((*axis)[i].weight);
    }
}

struct np_grid np_grid_isotropic(const struct np_grid *grid, double spacing_mm)
{
    struct np_grid out = *grid;
    double corner[3], shift[3];

    out.n[3] = 1;
    for (int i = 0; i < 3; i++) {
        double ratio = spacing_mm / grid->spacing_mm[i];
        out.n[i] = (int64_t)fmax(1, floor((double)grid->n[i] / ratio + 0.5));
        out.spacing_mm[i] = spacing_mm;
        shift[i] = 0.5 * (ratio - 1); /* position of the first centre, in input voxels */
        for (int w = 0; w < 3; w++)
            out.world_from_voxel.m[w][i] = grid->world_from_voxel.m[w][i] * ratio;
    }
    np_affine_apply(&grid->world_from_voxel, shift, corner);
    for (int w = 0; w < 3; w++)
        out.world_from_voxel.m[w][3] = corner[w];
    return out;
}

/* The affine in_from_out; false when it is more than a scale and a shift for each axis. */
static bool axis_map(const struct np_grid *in, const struct np_grid *out, double scale[3],
                     double shift[3])
{
    struct np_affine in_from_world;

    if (!np_affine_invert(&in->world_from_voxel, &in_from_world))
        return false;
    struct np_affine map = np_affine_mul(&in_from_world, &out->world_from_voxel);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            /* The axes may diverge by less than a hundredth of a voxel over the whole length. */
            if (j != i && fabs(map.m[i][j]) * (double)out->n[j] > 0.01)
                return false;
        scale[i] = map.m[i][i];
        shift[i] = map.m[i][3];
        if (!(scale[i] > 0))
            return false;
    }
    return true;
}

/* Weights of a tent of half-width max(1, scale) input voxels around each output centre. */
static int make_table(int64_t n_in, int64_t n_out, double scale, double shift,
                      struct axis_table *table)
{
    double half = scale > 1 ? scale : 1;

    table->most = (int64_t)ceil(2 * half) + 1;
    table->first = np_try_malloc((size_t)n_out, sizeof(*table->first));
    table->count = np_try_malloc((size_t)n_out, sizeof(*table->count));
    table->weight = np_try_malloc((size_t)(n_out * table->most), sizeof(*table->weight));
    if (!table->first || !table->count || !table->weight)
        return NP_ENOMEM;
    for (int64_t i = 0; i < n_out; i++) {
        double centre = fmin(fmax((double)i * scale + shift, 0), (double)(n_in - 1));
        int64_t from = (int64_t)fmax(ceil(centre - half), 0);
        int64_t to = (int64_t)fmin(floor(centre + half), (double)(n_in - 1));
        float *weight = table->weight + i * table->most, sum = 0;
        int64_t count = 0;
        for (int64_t j = from; j <= to; j++) {
            float w = (float)(1 - fabs((double)j - centre) / half);
            if (w <= 1e-6f && count == 0) { /* a weight of about 0 at the start of the tent */
                from++;
                continue;
            }
            weight[count++] = w;
            sum += w;
        }
        for (int64_t k = 0; k < count; k++)
            weight[k] /= sum;
        table->first[i] = from;
        table->count[i] = count;
    }
    return 0;
}

enum { BLOCK_LANES = 4, BLOCK = BLOCK_LANES * NP_LANES };

/* The same as below, for BLOCK values that stay in registers. */
static void add_block(float *sum, const float *in, const float *weight, int64_t n_rows, int64_t n)
{
    np_lanes value[BLOCK_LANES];

    for (int k = 0; k < BLOCK_LANES; k++)
        value[k] = np_lanes_load(sum + k * NP_LANES);
    for (int64_t row = 0; row < n_rows; row++, in += n) {
        np_lanes w = np_lanes_all(weight[row]);
        for (int k = 0; k < BLOCK_LANES; k++)
            value[k] += np_lanes_load(in + k * NP_LANES) * w;
    }
    for (int k = 0; k < BLOCK_LANES; k++)
        np_lanes_store(sum + k * NP_LANES, value[k]);
}

/* sum[x] += weight[0] in[0][x], then the same for the next rows; rows of n values are
 * contiguous. */
static void add_weighted(float *sum, const float *in, const float *weight, int64_t n_rows,
                         int64_t n)
{
    int64_t x = 0;

    for (; x + BLOCK <= n; x += BLOCK)
        add_block(sum + x, in + x, weight, n_rows, n);
    for (; x < n; x++)
        for (int64_t row = 0; row < n_rows; row++)
            sum[x] += weight[row] * in[row * n + x];
}

static void resample_plane(void *context, int64_t z)
{
    const struct resample_job *job = context;
    const struct axis_table *ax = &job->axis[0], *ay = &job->axis[1], *az = &job->axis[2];
    const int64_t *n = job->in->grid.n, *m = job->out->grid.n;
    float *row = job->row + z * n[0];

    if (np_exec_canceled(job->exec))
        return;
    for (int64_t y = 0; y < m[1]; y++) {
        memset(row, 0, (size_t)n[0] * sizeof(*row));
        for (int64_t c = 0; c < az->count[z]; c++) {
            float *weight = job->weight + z * ay->most;
            for (int64_t b = 0; b < ay->count[y]; b++)
                weight[b] = az->weight[z * az->most + c] * ay->weight[y * ay->most + b];
            add_weighted(row, job->in->voxel + ((az->first[z] + c) * n[1] + ay->first[y]) * n[0],
                         weight, ay->count[y], n[0]);
        }
        float *out = job->out->voxel + (z * m[1] + y) * m[0];
        for (int64_t x = 0; x < m[0]; x++) {
            const float *in = row + ax->first[x], *weight = ax->weight + x * ax->most;
            float sum = 0;
            for (int64_t a = 0; a < ax->count[x]; a++)
                sum += weight[a] * in[a];
            out[x] = sum;
        }
    }
}

/* True when each output voxel is one input voxel with weight 1. */
static bool is_identity(const struct axis_table *table, int64_t n_in, int64_t n_out)
{
    for (int64_t i = 0; i < n_out; i++)
        if (table->first[i] != i || table->count[i] != 1)
            return false;
    return n_in == n_out;
}

static void copy_plane(void *context, int64_t z)
{
    const struct resample_job *job = context;
    size_t n = (size_t)(job->in->grid.n[0] * job->in->grid.n[1]);

    memcpy(job->out->voxel + (size_t)z * n, job->in->voxel + (size_t)z * n,
           n * sizeof(*job->out->voxel));
}

int np_resample(const struct np_image *in, const struct np_grid *grid, const struct np_exec *exec,
                struct np_image **out, struct np_error *err)
{
    NP_AUTO(tables_done) struct axis_table axis[3] = {{0}};
    double scale[3], shift[3];

    if (!axis_map(&in->grid, grid, scale, shift))
        return np_error_set(err, NP_EGEOMETRY,
                            "resampling: the axes of the two grids are not parallel");
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(grid);
    NP_AUTO(np_freep)
    float *row = np_try_malloc((size_t)(in->grid.n[0] * grid->n[2]), sizeof(*row));
    NP_AUTO(np_freep) float *weight = NULL;
    bool fits = image && row;
    for (int i = 0; i < 3 && fits; i++)
        fits = make_table(in->grid.n[i], grid->n[i], scale[i], shift[i], &axis[i]) == 0;
    if (fits)
        weight = np_try_malloc((size_t)(axis[1].most * grid->n[2]), sizeof(*weight));
    if (!weight)
        return np_error_set(err, NP_ENOMEM, "resampling: no memory for %zu MiB", np_grid_mib(grid));
    bool same = is_identity(&axis[0], in->grid.n[0], grid->n[0]) &&
                is_identity(&axis[1], in->grid.n[1], grid->n[1]) &&
                is_identity(&axis[2], in->grid.n[2], grid->n[2]);
    struct resample_job job = {
        .in = in, .out = image, .exec = exec, .axis = axis, .row = row, .weight = weight};
    np_exec_run(exec, grid->n[2], same ? copy_plane : resample_plane, &job);
    NP_TRY(np_exec_check(exec, err));
    *out = image;
    image = NULL;
    return 0;
}
