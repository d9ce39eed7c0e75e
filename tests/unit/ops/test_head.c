/* The shell below a surface, against distances measured in the whole grid. */
#include <math.h>

#include "base/random.h"
#include "ops/head.h"
#include "ops/histogram.h"
#include "ops/morphology.h"
#include "tap.h"

enum { SIZE = 40 };
static const double FROM_MM = 7, TO_MM = 20;

static struct np_image *noise(void)
{
    struct np_grid grid = np_grid_make(SIZE, SIZE + 3, SIZE - 5, 2, 2, 2);
    struct np_image *image = np_image_new(&grid);
    struct np_random random;

    np_random_seed(&random, 5, 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        image->voxel[i] = (float)(1000 + 100 * np_random_normal(&random));
    return image;
}

static int shell_of_whole_grid(const struct np_image *image, const struct np_mesh *surface,
                               double q[2])
{
    static const double p[2] = {0.5, 0.1};
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&image->grid);
    NP_AUTO(np_image_freep) struct np_image *mm2 = np_image_new(&image->grid);

    NP_TRY(np_mesh_voxelise(surface, NULL, mask, NULL));
    NP_TRY(np_distance_mm2(mask, NP_DISTANCE_TO_ZERO, NULL, mm2, NULL));
    for (size_t i = 0; i < np_grid_voxels(&image->grid); i++)
        mask->voxel[i] =
            (double)mm2->voxel[i] >= FROM_MM * FROM_MM && (double)mm2->voxel[i] <= TO_MM * TO_MM;
    return np_image_quantiles(image, mask, p, 2, NULL, q, NULL);
}

static void compare(const double centre_mm[3], double radius_mm, int expected_code)
{
    NP_AUTO(np_image_freep) struct np_image *image = noise();
    NP_AUTO(np_mesh_freep)
    struct np_mesh *surface = np_mesh_new_sphere(3, centre_mm, radius_mm);
    const struct np_head head = {.fine = image, .coarse = image};
    double expected[2] = {0}, median = 0, low = 0;

    ok_int(shell_of_whole_grid(image, surface, expected), expected_code);
    ok_int(np_head_shell(&head, surface, FROM_MM, TO_MM, NULL, &median, &low, NULL), expected_code);
    if (expected_code == 0) {
        ok_near(median, expected[0], 0, "median");
        ok_near(low, expected[1], 0, "10 % quantile");
    }
}

TEST(a_shell_is_that_of_the_whole_grid_wherever_the_surface_lies)
{
    compare((const double[3]){40, 43, 35}, 25, 0);   /* inside */
    compare((const double[3]){31.3, 50, 30}, 60, 0); /* beyond every face */
    compare((const double[3]){78, 40, 2}, 30, 0);    /* across two faces */
    compare((const double[3]){40, 43, 35}, 45, 0);   /* touches the grid's border */
}

TEST(a_surface_that_holds_nothing_so_deep_is_refused)
{
    compare((const double[3]){40, 43, 35}, 5, NP_EDOMAIN);
    compare((const double[3]){-200, 43, 500}, 30, NP_EDOMAIN);
    compare((const double[3]){400, 43, -50}, 30, NP_EDOMAIN);
}

TEST(a_surface_that_is_not_finite_is_refused)
{
    NP_AUTO(np_image_freep) struct np_image *image = noise();
    NP_AUTO(np_mesh_freep)
    struct np_mesh *surface = np_mesh_new_sphere(2, (const double[3]){40, 40, 40}, 25);
    const struct np_head head = {.fine = image, .coarse = image};
    double median, low;

    for (int v = 0; v < surface->n_vertices; v++)
        surface->position_mm[v][1] = NAN;
    ok_int(np_head_shell(&head, surface, FROM_MM, TO_MM, NULL, &median, &low, NULL), NP_EDOMAIN);
}

TAP_MAIN
