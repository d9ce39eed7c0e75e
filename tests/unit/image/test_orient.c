/* Storage order: the same head in each of the 48 orders is the same image in RAS order. */
#include "image/orient.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

enum { NX = 37, NY = 70, NZ = 41 }; /* larger than a tile in one axis, no two alike */

/* A value that tells voxels apart, by its place in the reference's order. */
static float value_at(const int64_t v[3])
{
    return (float)(v[0] + NX * (v[1] + NY * v[2]));
}

/* The reference: RAS order, slightly oblique (exact cosines), so nothing is along an axis. */
static struct np_grid reference_grid(void)
{
    const double c = 0.96, s = 0.28;
    const double direction[3][3] = {{c, -s, 0}, {s, c, 0}, {0, 0, 1}};
    struct np_grid grid = np_grid_make(NX, NY, NZ, 0.5, 1, 2);

    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            grid.world_from_voxel.m[i][j] = direction[i][j] * grid.spacing_mm[j];
    return grid;
}

/* One of 48: native axis a runs along reference axis order[a], backwards where the bit is set. */
struct order {
    int axis[3];
    int backwards;
};

static struct order order_number(int i)
{
    static const int permutations[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                           {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct order order = {.backwards = i % 8};

    memcpy(order.axis, permutations[i / 8], sizeof(order.axis));
    return order;
}

static struct np_grid stored_grid(const struct np_grid *reference, const struct order *order)
{
    struct np_grid grid = *reference;

    for (int a = 0; a < 3; a++) {
        int r = order->axis[a];
        bool back = order->backwards >> a & 1;
        grid.n[a] = reference->n[r];
        grid.spacing_mm[a] = reference->spacing_mm[r];
        for (int i = 0; i < 3; i++) {
            double step = reference->world_from_voxel.m[i][r];
            grid.world_from_voxel.m[i][a] = back ? -step : step;
            grid.world_from_voxel.m[i][3] += back ? (double)(reference->n[r] - 1) * step : 0;
        }
    }
    return grid;
}

/* Voxel by voxel, the slow and plain way. */
static struct np_image *stored_image(const struct np_grid *reference, const struct order *order)
{
    struct np_grid grid = stored_grid(reference, order);
    struct np_image *image = np_image_new(&grid);
    float *next = image->voxel;
    int64_t v[3], r[3];

    for (v[2] = 0; v[2] < grid.n[2]; v[2]++)
        for (v[1] = 0; v[1] < grid.n[1]; v[1]++)
            for (v[0] = 0; v[0] < grid.n[0]; v[0]++) {
                for (int a = 0; a < 3; a++)
                    r[order->axis[a]] = order->backwards >> a & 1 ? grid.n[a] - 1 - v[a] : v[a];
                *next++ = value_at(r);
            }
    return image;
}

TEST(all_48_orders_become_the_same_image_and_go_back)
{
    struct np_grid reference = reference_grid();
    size_t n = np_grid_voxels(&reference);
    struct order first = order_number(0);
    NP_AUTO(np_image_freep) struct np_image *expected = stored_image(&reference, &first);

    for (int i = 0; i < 48; i++) {
        struct order order = order_number(i);
        NP_AUTO(np_image_freep) struct np_image *stored = stored_image(&reference, &order);
        NP_AUTO(np_image_freep) struct np_image *ras = np_image_to_ras(stored, NULL);
        NP_AUTO(np_image_freep) struct np_image *back = np_image_from_ras(ras, &stored->grid, NULL);
        ok(np_grid_same(&ras->grid, &reference));
        ok(memcmp(ras->voxel, expected->voxel, n * sizeof(float)) == 0);
        ok(memcmp(back->voxel, stored->voxel, n * sizeof(float)) == 0);
        ok(np_grid_same(&back->grid, &stored->grid));
        for (int a = 0; a < 3; a++)
            ok_near(ras->grid.spacing_mm[a], reference.spacing_mm[a], 0, "spacing, mm");
    }
}

TEST(masks_go_with_their_images)
{
    struct np_grid reference = reference_grid();

    for (int i = 0; i < 48; i++) {
        struct order order = order_number(i);
        NP_AUTO(np_image_freep) struct np_image *stored = stored_image(&reference, &order);
        NP_AUTO(np_mask_freep) struct np_mask *ras = np_mask_new(&reference);
        size_t n = np_grid_voxels(&reference), n_wrong = 0;
        for (size_t v = 0; v < n; v++)
            ras->voxel[v] = v % 5 == 0;
        NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_from_ras(ras, &stored->grid, NULL);
        for (size_t v = 0; v < n; v++)
            n_wrong += mask->voxel[v] != (fmodf(stored->voxel[v], 5) == 0);
        ok_int((int64_t)n_wrong, 0);
        NP_AUTO(np_mask_freep) struct np_mask *back = np_mask_to_ras(mask, NULL);
        ok_int(memcmp(back->voxel, ras->voxel, n), 0);
        ok(np_grid_same(&back->grid, &reference));
    }
}

TEST(world_positions_stay_where_they_are)
{
    struct np_grid reference = reference_grid();
    struct order order = order_number(8 * 3 + 5);
    NP_AUTO(np_image_freep) struct np_image *stored = stored_image(&reference, &order);
    NP_AUTO(np_image_freep) struct np_image *ras = np_image_to_ras(stored, NULL);
    struct np_affine voxel_from_world;
    int64_t n_wrong = 0;

    ok(np_affine_invert(&stored->grid.world_from_voxel, &voxel_from_world));
    for (int i = 0; i < 1000; i++) {
        double p[3] = {i % NX, i * 7 % NY, i * 13 % NZ}, q[3];
        size_t at = (size_t)(p[0] + NX * (p[1] + NY * p[2]));
        np_affine_apply(&ras->grid.world_from_voxel, p, q);
        np_affine_apply(&voxel_from_world, q, q);
        int64_t v[3] = {lround(q[0]), lround(q[1]), lround(q[2])};
        const int64_t *n = stored->grid.n;
        n_wrong += stored->voxel[v[0] + n[0] * (v[1] + n[1] * v[2])] != ras->voxel[at];
    }
    ok_int(n_wrong, 0);
}

TEST(axes_of_length_1_are_no_trouble)
{
    for (int thin = 0; thin < 3; thin++)
        for (int i = 0; i < 48; i++) {
            struct np_grid reference = reference_grid();
            struct order order = order_number(i);
            reference.n[thin] = 1;
            NP_AUTO(np_image_freep) struct np_image *stored = stored_image(&reference, &order);
            NP_AUTO(np_image_freep) struct np_image *ras = np_image_to_ras(stored, NULL);
            NP_AUTO(np_image_freep)
            struct np_image *back = np_image_from_ras(ras, &stored->grid, NULL);
            size_t n = np_grid_voxels(&reference);
            ok(np_grid_same(&ras->grid, &reference));
            ok(memcmp(back->voxel, stored->voxel, n * sizeof(float)) == 0);
        }
}

TEST(failed_allocations_are_null)
{
    struct np_grid grid = np_grid_make(4, 5, 6, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);

    for (int nth = 1; nth <= 2; nth++) {
        np_alloc_fail_at(nth);
        ok(!np_image_to_ras(image, NULL));
        np_alloc_fail_at(nth);
        ok(!np_image_from_ras(image, &grid, NULL));
        np_alloc_fail_at(nth);
        ok(!np_mask_from_ras(mask, &grid, NULL));
    }
    np_alloc_fail_at(0);
}

TAP_MAIN
