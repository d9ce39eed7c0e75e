/* Overlap of boxes and shifted balls, whose answers are known. */
#include <math.h>
#include <string.h>

#include "ops/overlap.h"
#include "tap.h"

static struct np_mask *box(const struct np_grid *grid, int64_t x0, int64_t x1)
{
    struct np_mask *mask = np_mask_new(grid);

    for (int64_t z = 5; z < 15; z++)
        for (int64_t y = 5; y < 15; y++)
            for (int64_t x = x0; x < x1; x++)
                mask->voxel[(z * grid->n[1] + y) * grid->n[0] + x] = 1;
    return mask;
}

TEST(equal_masks_agree_fully)
{
    struct np_grid grid = np_grid_make(30, 20, 20, 2, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *a = box(&grid, 5, 15);
    struct np_overlap overlap;

    ok_int(np_overlap_measure(a, a, NULL, &overlap, NULL), 0);
    ok_near(overlap.dice, 1, 1e-12, "Dice");
    ok_near(overlap.jaccard, 1, 1e-12, "Jaccard");
    ok_near(overlap.hd95_mm, 0, 1e-12, "HD95");
    ok_near(overlap.surface_distance_mm, 0, 1e-12, "surface distance");
}

TEST(a_box_half_over_another)
{
    struct np_grid grid = np_grid_make(30, 20, 20, 2, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *a = box(&grid, 5, 15);
    NP_AUTO(np_mask_freep) struct np_mask *b = box(&grid, 10, 20);
    struct np_overlap overlap;

    ok_int(np_overlap_measure(a, b, NULL, &overlap, NULL), 0);
    ok_near(overlap.dice, 0.5, 1e-12, "Dice");
    ok_near(overlap.jaccard, 1.0 / 3, 1e-12, "Jaccard");
    ok_near(overlap.sensitivity, 0.5, 1e-12, "sensitivity");
    ok_near(overlap.false_positive, 0.5, 1e-12, "false positives");
    /* The far end, 10 x 10 of its 488 surface voxels, lies 5 voxels of 2 mm away. */
    ok_near(overlap.hd95_mm, 10, 1e-5, "HD95, mm");
}

TEST(masks_that_cannot_be_compared_are_refused)
{
    struct np_grid grid = np_grid_make(30, 20, 20, 2, 1, 1),
                   other = np_grid_make(30, 20, 20, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *a = box(&grid, 5, 15);
    NP_AUTO(np_mask_freep) struct np_mask *b = box(&other, 5, 15);
    NP_AUTO(np_mask_freep) struct np_mask *empty = np_mask_new(&grid);
    struct np_overlap overlap;
    int code = NP_ENOMEM, n = 0;

    ok_int(np_overlap_measure(a, b, NULL, &overlap, NULL), NP_EGEOMETRY);
    ok_int(np_overlap_measure(a, empty, NULL, &overlap, NULL), NP_EDOMAIN);
    while (code != 0 && n < 50) {
        np_alloc_fail_at(++n);
        code = np_overlap_measure(a, a, NULL, &overlap, NULL);
        np_alloc_fail_at(0);
        ok(code == 0 || code == NP_ENOMEM);
    }
    ok_int(code, 0);
}

TAP_MAIN
