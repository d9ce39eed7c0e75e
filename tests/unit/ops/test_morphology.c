/* Distances against brute force; balls, components and holes against drawn shapes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "ops/morphology.h"
#include "tap.h"

static int64_t at(const struct np_grid *grid, int64_t x, int64_t y, int64_t z)
{
    return x + grid->n[0] * (y + grid->n[1] * z);
}

static struct np_mask *random_mask(const struct np_grid *grid, double share, uint64_t seed)
{
    struct np_mask *mask = np_mask_new(grid);
    struct np_random random;

    np_random_seed(&random, seed, 0);
    for (size_t i = 0; i < np_grid_voxels(grid); i++)
        mask->voxel[i] = np_random_uniform(&random) < share;
    return mask;
}

/* A ball about the voxel in the middle. */
static struct np_mask *ball(const struct np_grid *grid, double radius_mm)
{
    struct np_mask *mask = np_mask_new(grid);

    for (int64_t z = 0; z < grid->n[2]; z++)
        for (int64_t y = 0; y < grid->n[1]; y++)
            for (int64_t x = 0; x < grid->n[0]; x++) {
                double dx = (double)(x - grid->n[0] / 2) * grid->spacing_mm[0];
                double dy = (double)(y - grid->n[1] / 2) * grid->spacing_mm[1];
                double dz = (double)(z - grid->n[2] / 2) * grid->spacing_mm[2];
                mask->voxel[at(grid, x, y, z)] =
                    dx * dx + dy * dy + dz * dz <= radius_mm * radius_mm * (1 + 1e-9);
            }
    return mask;
}

static double brute_force_mm2(const struct np_mask *mask, int target, int64_t x, int64_t y,
                              int64_t z)
{
    const struct np_grid *grid = &mask->grid;
    double best = INFINITY;

    for (int64_t c = 0; c < grid->n[2]; c++)
        for (int64_t b = 0; b < grid->n[1]; b++)
            for (int64_t a = 0; a < grid->n[0]; a++) {
                if (mask->voxel[at(grid, a, b, c)] != target)
                    continue;
                double dx = (double)(x - a) * grid->spacing_mm[0];
                double dy = (double)(y - b) * grid->spacing_mm[1];
                double dz = (double)(z - c) * grid->spacing_mm[2];
                best = fmin(best, dx * dx + dy * dy + dz * dz);
            }
    return best;
}

static void ok_distances(const struct np_mask *mask, enum np_distance_to to)
{
    const struct np_grid *grid = &mask->grid;
    NP_AUTO(np_image_freep) struct np_image *distance = np_image_new(grid);
    double worst = 0;

    ok_int(np_distance_mm2(mask, to, NULL, distance, NULL), 0);
    for (int64_t z = 0; z < grid->n[2]; z++)
        for (int64_t y = 0; y < grid->n[1]; y++)
            for (int64_t x = 0; x < grid->n[0]; x++)
                worst = fmax(worst, fabs((double)distance->voxel[at(grid, x, y, z)] -
                                         brute_force_mm2(mask, to == NP_DISTANCE_TO_ONE, x, y, z)));
    /* Values up to 2000 mm² in single precision. */
    ok_below(worst, 5e-4, "distance error, mm2");
}

/* Specks, and balls that touch no border, some and all. */
TEST(distances_are_those_of_brute_force_on_anisotropic_grids)
{
    const struct np_grid grids[] = {np_grid_make(13, 11, 9, 1, 1, 1),
                                    np_grid_make(17, 14, 6, 0.5, 0.7, 4),
                                    np_grid_make(5, 19, 12, 3.3, 0.9, 1.1)};
    static const double radius_mm[] = {3, 4.5, 6, 9};

    for (size_t g = 0; g < NP_COUNT(grids); g++) {
        NP_AUTO(np_mask_freep) struct np_mask *specks = random_mask(&grids[g], 0.01, g);
        ok_distances(specks, NP_DISTANCE_TO_ONE);
        ok_distances(specks, NP_DISTANCE_TO_ZERO);
        for (size_t r = 0; r < NP_COUNT(radius_mm); r++) {
            NP_AUTO(np_mask_freep) struct np_mask *one = ball(&grids[g], radius_mm[r]);
            ok_distances(one, NP_DISTANCE_TO_ONE);
            ok_distances(one, NP_DISTANCE_TO_ZERO);
        }
    }
}

TEST(without_any_target_every_distance_is_infinite)
{
    const struct np_grid grid = np_grid_make(4, 5, 6, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
    NP_AUTO(np_image_freep) struct np_image *distance = np_image_new(&grid);
    int finite = 0;

    ok_int(np_distance_mm2(mask, NP_DISTANCE_TO_ONE, NULL, distance, NULL), 0);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        finite += isfinite(distance->voxel[i]) != 0;
    ok_int(finite, 0);
}

TEST(of_equal_components_the_first_is_kept)
{
    const struct np_grid grid = np_grid_make(60, 24, 24, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
    int64_t n = 0;

    for (int64_t z = 0; z < 24; z++)
        for (int64_t y = 0; y < 24; y++)
            for (int64_t x = 0; x < 60; x++) {
                double r2 = (double)((y - 12) * (y - 12) + (z - 12) * (z - 12));
                double a = (double)((x - 15) * (x - 15)), b = (double)((x - 43) * (x - 43));
                mask->voxel[at(&grid, x, y, z)] = r2 + a < 81 || r2 + b < 81;
            }
    ok_int(np_mask_keep_largest(mask, NP_CONNECT_26, &n, NULL), 0);
    ok_int(n, 2);
    ok_int(mask->voxel[at(&grid, 15, 12, 12)], 1);
    ok_int(mask->voxel[at(&grid, 43, 12, 12)], 0);
}

TEST(voxels_that_meet_at_a_corner_are_one_component_of_26_and_two_of_6)
{
    const struct np_grid grid = np_grid_make(6, 6, 6, 1, 1, 1);
    static const int step[3][3] = {{1, 1, 1}, {-1, 1, 1}, {1, -1, 1}};

    for (size_t s = 0; s < NP_COUNT(step); s++) {
        NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
        int64_t n = 0;
        mask->voxel[at(&grid, 2, 2, 2)] = 1;
        mask->voxel[at(&grid, 2 + step[s][0], 2 + step[s][1], 2 + step[s][2])] = 1;
        ok_int(np_mask_keep_largest(mask, NP_CONNECT_26, &n, NULL), 0);
        ok_int(n, 1);
        ok_int(np_mask_count(mask), 2);
        ok_int(np_mask_keep_largest(mask, NP_CONNECT_6, &n, NULL), 0);
        ok_int(n, 2);
        ok_int(np_mask_count(mask), 1);
    }
}

/* Components counted by flood fill, for comparison. */
static int64_t flood_count(const struct np_mask *mask, int reach)
{
    const struct np_grid *grid = &mask->grid;
    size_t n = np_grid_voxels(grid);
    int64_t *stack = calloc(n + 1, sizeof(*stack)), count = 0;
    uint8_t *seen = calloc(n, 1);

    for (int64_t start = 0; start < (int64_t)n; start++) {
        if (!mask->voxel[start] || seen[start])
            continue;
        int64_t top = 0;
        count++;
        stack[top++] = start;
        seen[start] = 1;
        while (top > 0) {
            int64_t i = stack[--top], x = i % grid->n[0];
            int64_t y = i / grid->n[0] % grid->n[1], z = i / grid->n[0] / grid->n[1];
            for (int d = 0; d < 27; d++) {
                int64_t dx = d % 3 - 1, dy = d / 3 % 3 - 1, dz = d / 9 - 1;
                if (llabs(dx) + llabs(dy) + llabs(dz) > reach || x + dx < 0 || y + dy < 0 ||
                    z + dz < 0 || x + dx >= grid->n[0] || y + dy >= grid->n[1] ||
                    z + dz >= grid->n[2])
                    continue;
                int64_t j = at(grid, x + dx, y + dy, z + dz);
                if (mask->voxel[j] && !seen[j]) {
                    seen[j] = 1;
                    stack[top++] = j;
                }
            }
        }
    }
    free(stack);
    free(seen);
    return count;
}

TEST(components_of_random_masks_are_as_many_as_a_flood_fill_finds)
{
    const struct np_grid grid = np_grid_make(19, 17, 13, 1, 1, 1);

    for (uint64_t seed = 0; seed < 6; seed++) {
        NP_AUTO(np_mask_freep)
        struct np_mask *mask = random_mask(&grid, 0.05 + 0.05 * (double)seed, seed);
        NP_AUTO(np_mask_freep) struct np_mask *copy = np_mask_new(&grid);
        memcpy(copy->voxel, mask->voxel, np_grid_voxels(&grid));
        int64_t n6 = 0, n26 = 0;
        int64_t expected6 = flood_count(mask, 1), expected26 = flood_count(mask, 3);
        ok_int(np_mask_keep_largest(mask, NP_CONNECT_6, &n6, NULL), 0);
        ok_int(np_mask_keep_largest(copy, NP_CONNECT_26, &n26, NULL), 0);
        ok_int(n6, expected6);
        ok_int(n26, expected26);
        ok_int(flood_count(copy, 3), 1);
    }
}

TEST(holes_are_filled_and_dents_are_not)
{
    const struct np_grid grid = np_grid_make(31, 31, 31, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *mask = ball(&grid, 12);
    int64_t whole = np_mask_count(mask);

    mask->voxel[at(&grid, 15, 15, 15)] = 0;
    mask->voxel[at(&grid, 16, 16, 16)] = 0; /* touches only at a corner */
    ok_int(np_mask_fill_holes(mask, NULL), 0);
    ok_int(np_mask_count(mask), whole);
    for (int64_t x = 15; x < 31; x++)
        mask->voxel[at(&grid, x, 15, 15)] = 0; /* a channel to the outside */
    ok_int(np_mask_fill_holes(mask, NULL), 0);
    ok_int(np_mask_count(mask), whole - 13);
}

TEST(a_mask_knows_its_centroid_and_its_share_of_the_border)
{
    const struct np_grid grid = np_grid_make(10, 10, 10, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
    double centre[3];

    ok(np_mask_border_share(mask) == 0);
    ok(!np_mask_centroid(mask, centre));
    for (int64_t i = 0; i < 10; i++)
        mask->voxel[at(&grid, i, 4, 5)] = 1;
    ok_near(np_mask_border_share(mask), 2.0 / (1000 - 512), 1e-12, "share of the border");
    ok(np_mask_centroid(mask, centre));
    ok_near(centre[0], 4.5, 1e-12, "centroid x");
    ok_near(centre[2], 5, 1e-12, "centroid z");
    memset(mask->voxel, 1, 1000);
    ok_near(np_mask_border_share(mask), 1, 1e-12, "share of the border, all");
}

TEST(any_number_of_threads_gives_the_same_distances)
{
    const struct np_grid grid = np_grid_make(50, 41, 37, 0.8, 1.1, 2);
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_exec exec = {.team = team};
    NP_AUTO(np_mask_freep) struct np_mask *mask = random_mask(&grid, 0.001, 5);
    NP_AUTO(np_image_freep) struct np_image *one = np_image_new(&grid);
    NP_AUTO(np_image_freep) struct np_image *three = np_image_new(&grid);

    ok_int(np_distance_mm2(mask, NP_DISTANCE_TO_ONE, NULL, one, NULL), 0);
    ok_int(np_distance_mm2(mask, NP_DISTANCE_TO_ONE, &exec, three, NULL), 0);
    ok(memcmp(one->voxel, three->voxel, np_grid_voxels(&grid) * sizeof(float)) == 0);
}

static int all_of_it(struct np_mask *mask, struct np_image *distance, struct np_error *err)
{
    NP_TRY(np_distance_mm2(mask, NP_DISTANCE_TO_ONE, NULL, distance, err));
    NP_TRY(np_mask_fill_holes(mask, err));
    return np_mask_keep_largest(mask, NP_CONNECT_6, NULL, err);
}

TEST(each_allocation_that_fails_is_reported_as_such)
{
    const struct np_grid grid = np_grid_make(20, 20, 20, 1, 1, 1);
    int code = NP_ENOMEM, n = 0;

    while (code != 0 && n < 100) {
        NP_AUTO(np_mask_freep) struct np_mask *mask = random_mask(&grid, 0.3, 1);
        NP_AUTO(np_image_freep) struct np_image *distance = np_image_new(&grid);
        struct np_error err = {0};
        np_alloc_fail_at(++n);
        code = all_of_it(mask, distance, &err);
        np_alloc_fail_at(0);
        ok(code == 0 || (code == NP_ENOMEM && strstr(err.text, "no memory")));
    }
    ok_int(code, 0);
    ok_above(n, 4, "allocations");
}

TEST(a_signal_stops_the_work)
{
    const struct np_grid grid = np_grid_make(20, 20, 20, 1, 1, 1);
    const struct np_cancel cancel = {.signal = 15};
    const struct np_exec exec = {.cancel = &cancel};
    NP_AUTO(np_mask_freep) struct np_mask *mask = ball(&grid, 5);
    NP_AUTO(np_image_freep) struct np_image *distance = np_image_new(&grid);

    ok_int(np_distance_mm2(mask, NP_DISTANCE_TO_ONE, &exec, distance, NULL), NP_ECANCELED);
}

TAP_MAIN
