#include "ops/bias.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementary.h"
#include "ops/lanes.h"
#include "ops/morphology.h"

static const double BLOCK_MM = 4;

/* The number of slabs depends on the image alone, so sums are the same for any number of
 * threads. */
enum { N_SLABS = 16 };

struct shift_job {
    struct np_image *field;
    float shift;
};

static size_t plane_voxels(const struct np_grid *grid)
{
    return (size_t)(grid->n[0] * grid->n[1]);
}

static void shift_plane(void *context, int64_t z)
{
    const struct shift_job *job = context;
    size_t n = plane_voxels(&job->field->grid);
    float *value = job->field->voxel + n * (size_t)z;

    for (size_t i = 0; i < n; i++)
        value[i] += job->shift;
}

void np_bias_shift(struct np_image *log_field, double shift, const struct np_exec *exec)
{
    struct shift_job job = {log_field, (float)shift};

    np_exec_run(exec, log_field->grid.n[2], shift_plane, &job);
}

static void divide_row(const float *in, const float *log_field, size_t n, float *out)
{
    enum { CHUNK = 256 };
    float factor[CHUNK];

    for (size_t done = 0; done < n; done += CHUNK) {
        size_t count = n - done < CHUNK ? n - done : CHUNK, i = 0;

        np_expf_n(log_field + done, factor, count);
        for (; i + NP_LANES <= count; i += NP_LANES)
            np_lanes_store(out + done + i,
                           np_lanes_load(in + done + i) / np_lanes_load(factor + i));
        for (; i < count; i++)
            out[done + i] = in[done + i] / factor[i];
    }
}

struct divide_job {
    const struct np_image *in, *field;
    struct np_image *out;
};

static void divide_plane(void *context, int64_t z)
{
    const struct divide_job *job = context;
    size_t n = plane_voxels(&job->in->grid), begin = n * (size_t)z;

    divide_row(job->in->voxel + begin, job->field->voxel + begin, n, job->out->voxel + begin);
}

void np_bias_divide(const struct np_image *in, const struct np_image *log_field,
                    const struct np_exec *exec, struct np_image *out)
{
    struct divide_job job = {in, log_field, out};

    np_exec_run(exec, in->grid.n[2], divide_plane, &job);
}

struct divide_fit_job {
    const struct np_image *in;
    const struct np_bspline_field *field;
    float *scratch; /* [nz][scratch of the field] */
    struct np_image *out;
};

static void divide_fit_plane(void *context, int64_t z)
{
    const struct divide_fit_job *job = context;
    const int64_t *n = job->in->grid.n;
    float *scratch = job->scratch + np_bspline_field_scratch(job->field) * (size_t)z;

    np_bspline_field_plane(job->field, z, scratch);
    for (int64_t y = 0; y < n[1]; y++) {
        int64_t begin = n[0] * (y + n[1] * z);
        divide_row(job->in->voxel + begin, np_bspline_field_row(job->field, y, scratch),
                   (size_t)n[0], job->out->voxel + begin);
    }
}

/* One scratch buffer for each plane of `grid`. */
static float *scratch_new(const struct np_bspline_field *field, const struct np_grid *grid,
                          struct np_error *err)
{
    float *scratch =
        np_try_calloc(np_bspline_field_scratch(field) * (size_t)grid->n[2], sizeof(*scratch));

    if (!scratch)
        np_error_set(err, NP_ENOMEM, "bias field: no memory to evaluate it");
    return scratch;
}

int np_bias_divide_by_fit(const struct np_image *in, const struct np_bspline_field *log_field,
                          const struct np_exec *exec, struct np_image *out, struct np_error *err)
{
    NP_AUTO(np_freep) float *scratch = scratch_new(log_field, &in->grid, err);
    struct divide_fit_job job = {in, log_field, scratch, out};

    if (!scratch)
        return NP_ENOMEM;
    np_exec_run(exec, in->grid.n[2], divide_fit_plane, &job);
    return 0;
}

/* --- blending --------------------------------------------------------------------------------- */

/* The position of a voxel between the centres of two blocks, along one axis. */
struct between {
    int64_t low, high; /* blocks */
    float share;       /* of the higher */
};

/*
 * The weight is smooth, so it is computed for blocks of about BLOCK_MM and interpolated linearly. A
 * distance map of all voxels would cost more than the fit.
 */
struct blend_job {
    struct np_image *inner;
    const struct np_mask *mask;
    const struct np_bspline_field *outer;
    float *scratch; /* [nz][scratch of outer] */
    float level;    /* mean of inner minus mean of outer, in the mask */
    struct {
        int64_t n;
        double sum;
    } part[N_SLABS];
    int64_t block[3];
    struct np_mask *near;    /* blocks that hold a voxel of the mask */
    struct np_image *weight; /* of inner, per block */
    struct between *at_x;    /* [nx] */
    float *row;              /* [nz][blocks in x] weights of one row, interpolated in y and z */
};

static void blend_job_done(struct blend_job *job)
{
    np_mask_freep(&job->near);
    np_image_freep(&job->weight);
    free(job->at_x);
    free(job->row);
    free(job->scratch);
}

/* Sum of inner minus outer over the voxels of the mask in one slab of planes. */
static void sum_slab(void *context, int64_t task)
{
    struct blend_job *job = context;
    const int64_t *n = job->mask->grid.n;
    int64_t z_end = n[2] * (task + 1) / N_SLABS, count = 0;
    size_t nx = (size_t)n[0];
    double sum = 0;

    for (int64_t z = n[2] * task / N_SLABS; z < z_end; z++) {
        float *scratch = job->scratch + np_bspline_field_scratch(job->outer) * (size_t)z;
        bool mixed = false;
        for (int64_t y = 0; y < n[1]; y++) {
            const uint8_t *inside = job->mask->voxel + n[0] * (y + n[1] * z);
            const float *inner = job->inner->voxel + n[0] * (y + n[1] * z);
            size_t x = np_next_inside(inside, 0, nx);
            if (x == nx)
                continue;
            if (!mixed)
                np_bspline_field_plane(job->outer, z, scratch);
            mixed = true;
            const float *outer = np_bspline_field_row(job->outer, y, scratch);
            for (; x < nx; x = np_next_inside(inside, x + 1, nx), count++)
                sum += (double)inner[x] - (double)outer[x];
        }
    }
    job->part[task].n = count;
    job->part[task].sum = sum;
}

static int find_level(struct blend_job *job, const struct np_exec *exec, struct np_error *err)
{
    int64_t n = 0;
    double sum = 0;

    np_exec_run(exec, N_SLABS, sum_slab, job);
    for (int i = 0; i < N_SLABS; i++) {
        n += job->part[i].n;
        sum += job->part[i].sum;
    }
    if (n == 0)
        return np_error_set(err, NP_EDOMAIN, "bias field: the mask holds no voxel");
    job->level = (float)(sum / (double)n);
    return np_exec_check(exec, err);
}

static void find_near_blocks(void *context, int64_t bz)
{
    struct blend_job *job = context;
    const int64_t *n = job->mask->grid.n, *blocks = job->near->grid.n;
    int64_t z_end = (bz + 1) * job->block[2] < n[2] ? (bz + 1) * job->block[2] : n[2];

    for (int64_t z = bz * job->block[2]; z < z_end; z++)
        for (int64_t y = 0; y < n[1]; y++) {
            const uint8_t *inside = job->mask->voxel + n[0] * (y + n[1] * z);
            uint8_t *near = job->near->voxel + blocks[0] * (y / job->block[1] + blocks[1] * bz);
            size_t end = (size_t)n[0], block = (size_t)job->block[0];

            /* One voxel of the mask marks its whole block: continue with the next block. */
            for (size_t x = 0; (x = np_next_inside(inside, x, end)) < end;
                 x = (x / block + 1) * block)
                near[x / block] = 1;
        }
}

/* Find the two blocks whose centres enclose voxel `i`. */
static struct between find_between(int64_t i, int64_t block, int64_t n_blocks)
{
    double position = ((double)i + 0.5) / (double)block - 0.5;
    double low = fmin(fmax(floor(position), 0), (double)(n_blocks > 1 ? n_blocks - 2 : 0));

    return (struct between){
        .low = (int64_t)low,
        .high = (int64_t)low + (n_blocks > 1),
        .share = (float)fmin(fmax(position - low, 0), 1),
    };
}

/* Interpolate a row of block weights from the rows on both sides; false when all of them are 1. */
static bool mix_weights(const struct blend_job *job, struct between y, struct between z, float *row)
{
    const int64_t *n = job->weight->grid.n;
    const float *w = job->weight->voxel;
    const float *below_low = w + n[0] * (y.low + n[1] * z.low);
    const float *below_high = w + n[0] * (y.high + n[1] * z.low);
    const float *above_low = w + n[0] * (y.low + n[1] * z.high);
    const float *above_high = w + n[0] * (y.high + n[1] * z.high);
    float least = 1;

    for (int64_t i = 0; i < n[0]; i++) {
        float below = below_low[i] + y.share * (below_high[i] - below_low[i]);
        float above = above_low[i] + y.share * (above_high[i] - above_low[i]);
        row[i] = below + z.share * (above - below);
        least = row[i] < least ? row[i] : least;
    }
    return least < 1;
}

static void blend_plane(void *context, int64_t z)
{
    struct blend_job *job = context;
    const int64_t *n = job->inner->grid.n, *blocks = job->weight->grid.n;
    float *row = job->row + blocks[0] * z;
    float *scratch = job->scratch + np_bspline_field_scratch(job->outer) * (size_t)z;
    struct between at_z = find_between(z, job->block[2], blocks[2]);

    np_bspline_field_plane(job->outer, z, scratch);
    for (int64_t y = 0; y < n[1]; y++) {
        float *inner = job->inner->voxel + n[0] * (y + n[1] * z);

        if (!mix_weights(job, find_between(y, job->block[1], blocks[1]), at_z, row))
            continue;
        const float *outer = np_bspline_field_row(job->outer, y, scratch);
        for (int64_t x = 0; x < n[0]; x++) {
            struct between at = job->at_x[x];
            float weight = row[at.low] + at.share * (row[at.high] - row[at.low]);
            float base = outer[x] + job->level;
            inner[x] = weight < 1 ? base + weight * (inner[x] - base) : inner[x];
        }
    }
}

/* From squared distance to weight: 1 up to `full_mm`, then falling to 0 over `width_mm`. */
static void distance_to_weight(struct np_image *weight, double full_mm, double width_mm)
{
    size_t n = np_grid_voxels(&weight->grid);

    for (size_t i = 0; i < n; i++) {
        double t = (sqrt((double)weight->voxel[i]) - full_mm) / fmax(width_mm, 1e-6);
        t = fmin(fmax(t, 0), 1);
        weight->voxel[i] = (float)(1 - t * t * (3 - 2 * t));
    }
}

static int make_weights(struct blend_job *job, double width_mm, const struct np_exec *exec,
                        struct np_error *err)
{
    const struct np_grid *grid = &job->mask->grid;
    int64_t n[3];
    double edge_mm[3], diagonal2_mm2 = 0;

    for (int a = 0; a < 3; a++) {
        job->block[a] = (int64_t)fmax(1, floor(BLOCK_MM / grid->spacing_mm[a] + 0.5));
        n[a] = (grid->n[a] + job->block[a] - 1) / job->block[a];
        edge_mm[a] = (double)job->block[a] * grid->spacing_mm[a];
        diagonal2_mm2 += edge_mm[a] * edge_mm[a];
    }
    struct np_grid blocks = np_grid_make(n[0], n[1], n[2], edge_mm[0], edge_mm[1], edge_mm[2]);
    job->near = np_mask_new(&blocks);
    job->weight = np_image_new(&blocks);
    job->row = np_try_malloc((size_t)(n[0] * grid->n[2]), sizeof(*job->row));
    job->at_x = np_try_malloc((size_t)grid->n[0], sizeof(*job->at_x));
    if (!job->near || !job->weight || !job->row || !job->at_x)
        return np_error_set(err, NP_ENOMEM, "bias field: no memory for the weights of %zu blocks",
                            np_grid_voxels(&blocks));
    for (int64_t x = 0; x < grid->n[0]; x++)
        job->at_x[x] = find_between(x, job->block[0], n[0]);
    np_exec_run(exec, n[2], find_near_blocks, job);
    NP_TRY(np_distance_mm2(job->near, NP_DISTANCE_TO_ONE, exec, job->weight, err));
    /* A voxel of the mask is interpolated from its own block and blocks that touch it, so these
     * must weigh 1. */
    distance_to_weight(job->weight, 1.001 * sqrt(diagonal2_mm2), width_mm);
    return 0;
}

int np_bias_blend(struct np_image *inner, const struct np_mask *mask,
                  const struct np_bspline_field *outer, double width_mm, const struct np_exec *exec,
                  struct np_error *err)
{
    NP_AUTO(blend_job_done)
    struct blend_job job = {.inner = inner, .mask = mask, .outer = outer};

    job.scratch = scratch_new(outer, &inner->grid, err);
    if (!job.scratch)
        return NP_ENOMEM;
    NP_TRY(find_level(&job, exec, err));
    NP_TRY(make_weights(&job, width_mm, exec, err));
    NP_TRY(np_exec_check(exec, err));
    np_exec_run(exec, inner->grid.n[2], blend_plane, &job);
    return 0;
}
