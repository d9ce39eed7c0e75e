/*
 * A change of storage order is a signed permutation of the axes: the voxel at index o in RAS order
 * is the native voxel whose index along axis[w] is o[w], or n - 1 - o[w] where the axis runs
 * against the world's. In memory this is a walk with three strides, which may be negative.
 */
#include "image/orient.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* The strides, in the memory of one order, of steps along the axes of the other order. */
struct walk {
    int64_t n[3];
    ptrdiff_t stride[3];
    ptrdiff_t start;
};

/* Strides of steps along R, A, S in the memory of `native`. */
static struct walk walk_in_ras_order(const struct np_grid *native)
{
    const ptrdiff_t strides[3] = {1, (ptrdiff_t)native->n[0],
                                  (ptrdiff_t)(native->n[0] * native->n[1])};
    struct walk walk = {.start = 0};
    int axis[3], sign[3];

    np_grid_orientation(native, axis, sign);
    for (int w = 0; w < 3; w++) {
        walk.n[w] = native->n[axis[w]];
        walk.stride[w] = sign[w] * strides[axis[w]];
        if (sign[w] < 0)
            walk.start -= (ptrdiff_t)(walk.n[w] - 1) * walk.stride[w];
    }
    return walk;
}

/* Strides of steps along x, y, z of `native` in memory in RAS order. */
static struct walk walk_in_native_order(const struct np_grid *native)
{
    struct walk walk = {.start = 0};
    ptrdiff_t stride = 1;
    int axis[3], sign[3];

    np_grid_orientation(native, axis, sign);
    for (int w = 0; w < 3; w++) {
        walk.n[axis[w]] = native->n[axis[w]];
        walk.stride[axis[w]] = sign[w] * stride;
        if (sign[w] < 0)
            walk.start += (ptrdiff_t)(native->n[axis[w]] - 1) * stride;
        stride *= (ptrdiff_t)native->n[axis[w]];
    }
    return walk;
}

static struct np_grid ras_grid(const struct np_grid *native)
{
    struct np_grid ras = *native;
    int axis[3], sign[3];

    np_grid_orientation(native, axis, sign);
    for (int w = 0; w < 3; w++) {
        double last = (double)(native->n[axis[w]] - 1);
        ras.n[w] = native->n[axis[w]];
        ras.spacing_mm[w] = native->spacing_mm[axis[w]];
        for (int i = 0; i < 3; i++) {
            double step = native->world_from_voxel.m[i][axis[w]];
            ras.world_from_voxel.m[i][w] = sign[w] * step;
            if (sign[w] < 0)
                ras.world_from_voxel.m[i][3] += last * step;
        }
    }
    ras.n[3] = 1;
    return ras;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct copy_job {
    struct walk walk;
    int near, far; /* of y and z: the axis with shorter strides in the input, and the other one */
    const void *in;
    void *out;
};

/*
 * Copy along a walk, with one task for each position on the far axis. When steps along x are far
 * apart in memory, tiles of x and of the axis with stride 1 keep both sides in the cache.
 */
#define COPY_ALONG(name, type)                                                          \
    static void name(void *context, int64_t u)                                          \
    {                                                                                   \
        enum { TILE = 32 };                                                             \
        const struct copy_job *job = context;                                           \
        const struct walk *walk = &job->walk;                                           \
        const int near = job->near, far = job->far;                                     \
        const int64_t nx = walk->n[0];                                                  \
        const ptrdiff_t sx = walk->stride[0], sv = walk->stride[near];                  \
        const ptrdiff_t out_step[3] = {1, (ptrdiff_t)nx, (ptrdiff_t)(nx * walk->n[1])}; \
        const type *from = (const type *)job->in + walk->start + u * walk->stride[far]; \
        type *to = (type *)job->out + u * out_step[far];                                \
                                                                                        \
        for (int64_t v0 = 0; v0 < walk->n[near]; v0 += TILE)                            \
            for (int64_t x0 = 0; x0 < nx; x0 += TILE)                                   \
                for (int64_t v = v0; v < least(v0 + TILE, walk->n[near]); v++)          \
                    for (int64_t x = x0; x < least(x0 + TILE, nx); x++)                 \
                        to[x + v * out_step[near]] = from[x * sx + v * sv];             \
    }

COPY_ALONG(copy_floats, float)
COPY_ALONG(copy_bytes, uint8_t)

static void copy_along(const struct walk *walk, const void *in, void *out, np_task_fn *copy,
                       const struct np_exec *exec)
{
    int near = walk->stride[2] == 1 || walk->stride[2] == -1 ? 2 : 1;
    struct copy_job job = {.walk = *walk, .near = near, .far = 3 - near, .in = in, .out = out};

    np_exec_run(exec, walk->n[job.far], copy, &job);
}

bool np_grid_is_ras(const struct np_grid *native)
{
    struct walk walk = walk_in_ras_order(native);
    ptrdiff_t stride = 1;

    for (int i = 0; i < 3; i++) {
        if (walk.stride[i] != stride)
            return false;
        stride *= (ptrdiff_t)walk.n[i];
    }
    return true;
}

struct np_image *np_image_to_ras(const struct np_image *image, const struct np_exec *exec)
{
    struct np_grid grid = ras_grid(&image->grid);
    struct walk walk = walk_in_ras_order(&image->grid);
    struct np_image *ras = np_image_new(&grid);

    if (ras)
        copy_along(&walk, image->voxel, ras->voxel, copy_floats, exec);
    return ras;
}

struct np_mask *np_mask_to_ras(const struct np_mask *mask, const struct np_exec *exec)
{
    struct np_grid grid = ras_grid(&mask->grid);
    struct walk walk = walk_in_ras_order(&mask->grid);
    struct np_mask *ras = np_mask_new(&grid);

    if (ras)
        copy_along(&walk, mask->voxel, ras->voxel, copy_bytes, exec);
    return ras;
}

struct np_image *np_image_from_ras(const struct np_image *ras, const struct np_grid *native,
                                   const struct np_exec *exec)
{
    struct walk walk = walk_in_native_order(native);
    struct np_image *image = np_image_new(native);

    assert(np_grid_voxels(native) == np_grid_voxels(&ras->grid));
    if (image)
        copy_along(&walk, ras->voxel, image->voxel, copy_floats, exec);
    return image;
}

struct np_mask *np_mask_from_ras(const struct np_mask *ras, const struct np_grid *native,
                                 const struct np_exec *exec)
{
    struct walk walk = walk_in_native_order(native);
    struct np_mask *mask = np_mask_new(native);

    assert(np_grid_voxels(native) == np_grid_voxels(&ras->grid));
    if (mask)
        copy_along(&walk, ras->voxel, mask->voxel, copy_bytes, exec);
    return mask;
}
