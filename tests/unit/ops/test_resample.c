/* Resampling of linear functions, which linear weights reproduce exactly. */
#include <math.h>
#include <string.h>

#include "ops/resample.h"
#include "tap.h"

/* An oblique grid: axes turned about z, origin off centre. */
static struct np_grid oblique(int64_t nx, int64_t ny, int64_t nz, double sx, double sy, double sz)
{
    struct np_grid grid = np_grid_make(nx, ny, nz, sx, sy, sz);
    struct np_affine turn = {{{0.8, -0.6, 0, 12}, {0.6, 0.8, 0, -7}, {0, 0, 1, 33}, {0, 0, 0, 1}}};

    grid.world_from_voxel = np_affine_mul(&turn, &grid.world_from_voxel);
    return grid;
}

static double slope_at(const struct np_grid *grid, int64_t x, int64_t y, int64_t z)
{
    const double voxel[3] = {(double)x, (double)y, (double)z};
    double p[3];

    np_affine_apply(&grid->world_from_voxel, voxel, p);
    return 100 + 2 * p[0] - 3 * p[1] + 0.5 * p[2];
}

static struct np_image *slope(const struct np_grid *grid)
{
    struct np_image *image = np_image_new(grid);

    for (int64_t z = 0, i = 0; z < grid->n[2]; z++)
        for (int64_t y = 0; y < grid->n[1]; y++)
            for (int64_t x = 0; x < grid->n[0]; x++)
                image->voxel[i++] = (float)slope_at(grid, x, y, z);
    return image;
}

TEST(the_isotropic_grid_keeps_the_outer_corner_and_the_field_of_view)
{
    struct np_grid grid = oblique(256, 240, 30, 0.9, 0.9, 4), iso = np_grid_isotropic(&grid, 1);
    const double corner_old[3] = {-0.5, -0.5, -0.5};
    double a[3], b[3];

    np_affine_apply(&grid.world_from_voxel, corner_old, a);
    np_affine_apply(&iso.world_from_voxel, corner_old, b);
    for (int i = 0; i < 3; i++)
        ok_near(b[i], a[i], 1e-9, "outer corner, mm");
    ok_int(iso.n[0], 230);
    ok_int(iso.n[1], 216);
    ok_int(iso.n[2], 120);
    ok_near(np_grid_voxel_mm3(&iso), 1, 1e-9, "voxel, mm3");
}

/* Largest error away from the border, where no value is held. */
static double worst_inside(const struct np_image *image, int64_t margin)
{
    const int64_t *n = image->grid.n;
    double worst = 0;

    for (int64_t z = margin; z < n[2] - margin; z++)
        for (int64_t y = margin; y < n[1] - margin; y++)
            for (int64_t x = margin; x < n[0] - margin; x++)
                worst = fmax(worst, fabs((double)image->voxel[(z * n[1] + y) * n[0] + x] -
                                         slope_at(&image->grid, x, y, z)));
    return worst;
}

TEST(a_linear_function_stays_itself_on_a_finer_grid)
{
    struct np_grid grid = oblique(24, 30, 10, 2, 1.5, 4), iso = np_grid_isotropic(&grid, 1);
    NP_AUTO(np_image_freep) struct np_image *in = slope(&grid);
    NP_AUTO(np_image_freep) struct np_image *out = NULL;

    ok_int(np_resample(in, &iso, NULL, &out, NULL), 0);
    ok_below(worst_inside(out, 3), 1e-3, "error away from the border (values up to 300)");
}

TEST(a_coarser_grid_averages_and_skips_nothing)
{
    /* Stripes of one voxel: samples would see all or nothing, an average sees half. */
    struct np_grid grid = np_grid_make(64, 64, 64, 0.5, 0.5, 0.5);
    struct np_grid coarse = np_grid_isotropic(&grid, 2);
    NP_AUTO(np_image_freep) struct np_image *in = np_image_new(&grid);
    NP_AUTO(np_image_freep) struct np_image *out = NULL;
    double worst = 0;

    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        in->voxel[i] = i % 2 ? 100 : 0;
    ok_int(np_resample(in, &coarse, NULL, &out, NULL), 0);
    for (int64_t i = 0; i < 16 * 16 * 16; i++)
        if (i % 16 != 0 && i % 16 != 15) /* at the border a part of the weights is missing */
            worst = fmax(worst, fabs((double)out->voxel[i] - 50));
    ok_below(worst, 1e-3, "difference from the mean");
}

TEST(the_same_grid_gives_the_same_values)
{
    struct np_grid grid = oblique(9, 8, 7, 1, 2, 3);
    NP_AUTO(np_image_freep) struct np_image *in = slope(&grid);
    NP_AUTO(np_image_freep) struct np_image *out = NULL;

    ok_int(np_resample(in, &grid, NULL, &out, NULL), 0);
    ok_below(worst_inside(out, 0), 1e-4, "error");
}

TEST(grids_that_are_turned_against_each_other_are_refused)
{
    struct np_grid grid = np_grid_make(9, 8, 7, 1, 2, 3), turned = oblique(9, 8, 7, 1, 2, 3);
    NP_AUTO(np_image_freep) struct np_image *in = slope(&grid);
    struct np_image *out = NULL;

    ok_int(np_resample(in, &turned, NULL, &out, NULL), NP_EGEOMETRY);
    ok(out == NULL);
}

TEST(threads_signals_and_memory)
{
    struct np_grid grid = np_grid_make(33, 21, 18, 0.7, 0.9, 3), iso = np_grid_isotropic(&grid, 1);
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_cancel cancel = {.signal = 2};
    const struct np_exec three = {.team = team}, stopped = {.cancel = &cancel};
    NP_AUTO(np_image_freep) struct np_image *in = slope(&grid);
    NP_AUTO(np_image_freep) struct np_image *a = NULL;
    NP_AUTO(np_image_freep) struct np_image *b = NULL;
    struct np_image *none = NULL;
    int code = NP_ENOMEM, n = 0;

    ok_int(np_resample(in, &iso, NULL, &a, NULL), 0);
    ok_int(np_resample(in, &iso, &three, &b, NULL), 0);
    ok(memcmp(a->voxel, b->voxel, np_grid_voxels(&iso) * sizeof(float)) == 0);
    ok_int(np_resample(in, &iso, &stopped, &none, NULL), NP_ECANCELED);
    while (code != 0 && n < 50) {
        np_alloc_fail_at(++n);
        code = np_resample(in, &iso, NULL, &none, NULL);
        np_alloc_fail_at(0);
        ok((code == NP_ENOMEM) == (none == NULL));
    }
    ok_int(code, 0);
    np_image_freep(&none);
}

TAP_MAIN
