#include "ops/overlap.h"

#include <math.h>

#include "ops/histogram.h"
#include "ops/morphology.h"

static bool on_surface(const struct np_mask *mask, int64_t x, int64_t y, int64_t z)
{
    const int64_t *n = mask->grid.n;
    const uint8_t *v = mask->voxel + (z * n[1] + y) * n[0] + x;

    if (!*v)
        return false;
    if (x == 0 || y == 0 || z == 0 || x == n[0] - 1 || y == n[1] - 1 || z == n[2] - 1)
        return true;
    return !(v[-1] && v[1] && v[-n[0]] && v[n[0]] && v[-n[0] * n[1]] && v[n[0] * n[1]]);
}

static struct np_mask *surface_of(const struct np_mask *mask)
{
    struct np_mask *surface = np_mask_new(&mask->grid);
    const int64_t *n = mask->grid.n;

    for (int64_t z = 0, i = 0; surface && z < n[2]; z++)
        for (int64_t y = 0; y < n[1]; y++)
            for (int64_t x = 0; x < n[0]; x++, i++)
                surface->voxel[i] = on_surface(mask, x, y, z);
    return surface;
}

/* Distances from the voxels of `from` to `to`: their 95 % quantile, sum and number. */
static int one_way(const struct np_mask *from, const struct np_mask *to, const struct np_exec *exec,
                   double *q95_mm, double *sum_mm, int64_t *count, struct np_error *err)
{
    static const double p[1] = {0.95};
    NP_AUTO(np_image_freep) struct np_image *distance = np_image_new(&from->grid);
    size_t n = np_grid_voxels(&from->grid);

    if (!distance)
        return np_error_set(err, NP_ENOMEM, "overlap: no memory for %zu MiB",
                            np_grid_mib(&from->grid));
    NP_TRY(np_distance_mm2(to, NP_DISTANCE_TO_ONE, exec, distance, err));
    for (size_t i = 0; i < n; i++) {
        distance->voxel[i] = sqrtf(distance->voxel[i]);
        if (from->voxel[i]) {
            *sum_mm += (double)distance->voxel[i];
            ++*count;
        }
    }
    return np_image_quantiles(distance, from, p, 1, exec, q95_mm, err);
}

int np_overlap_measure(const struct np_mask *mask, const struct np_mask *reference,
                       const struct np_exec *exec, struct np_overlap *overlap, struct np_error *err)
{
    int64_t n_a = np_mask_count(mask), n_b = np_mask_count(reference), both = 0, count = 0;
    double there_mm, back_mm, sum_mm = 0;

    if (!np_grid_same(&mask->grid, &reference->grid))
        return np_error_set(err, NP_EGEOMETRY, "overlap: the masks lie on different grids");
    if (n_a == 0 || n_b == 0)
        return np_error_set(err, NP_EDOMAIN, "overlap: the %s is empty",
                            n_a == 0 ? "mask" : "reference");
    for (size_t i = 0; i < np_grid_voxels(&mask->grid); i++)
        both += mask->voxel[i] & reference->voxel[i];
    NP_AUTO(np_mask_freep) struct np_mask *a = surface_of(mask);
    NP_AUTO(np_mask_freep) struct np_mask *b = surface_of(reference);
    if (!a || !b)
        return np_error_set(err, NP_ENOMEM, "overlap: no memory for %zu MiB",
                            np_grid_mib(&mask->grid) / 2 + 1);
    NP_TRY(one_way(a, b, exec, &there_mm, &sum_mm, &count, err));
    NP_TRY(one_way(b, a, exec, &back_mm, &sum_mm, &count, err));
    *overlap = (struct np_overlap){
        .dice = 2 * (double)both / (double)(n_a + n_b),
        .jaccard = (double)both / (double)(n_a + n_b - both),
        .sensitivity = (double)both / (double)n_b,
        .false_positive = (double)(n_a - both) / (double)n_b,
        .hd95_mm = fmax(there_mm, back_mm),
        .surface_distance_mm = sum_mm / (double)count,
    };
    return 0;
}
