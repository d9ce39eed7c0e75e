/* Surfaces: counts, orientation, and voxelised volumes against the polyhedron's own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/mesh.h"
#include "tap.h"

static const double ORIGIN[3] = {0, 0, 0};
static const double SPHERE_PER_R3 = 4.18879020478639; /* 4 pi / 3 */

TEST(a_split_icosahedron_has_ten_times_four_to_the_level_plus_two_vertices)
{
    static const int expected[] = {12, 42, 162, 642, 2562, 10242};

    for (int level = 0; level <= NP_MESH_MAX_LEVEL; level++) {
        NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(level, ORIGIN, 50);
        ok_int(mesh->n_vertices, expected[level]);
        ok_int(mesh->n_faces, 2 * (expected[level] - 2)); /* Euler */
    }
}

TEST(every_vertex_has_its_faces_neighbours_in_a_ring_and_twelve_have_five)
{
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(3, ORIGIN, 50);
    int n_five = 0, n_mutual = 0, n_links = 0;

    for (int v = 0; v < mesh->n_vertices; v++) {
        n_five += mesh->n_neighbours[v] == 5;
        for (int k = 0; k < mesh->n_neighbours[v]; k++) {
            int other = mesh->neighbour[v][k];
            n_links++;
            for (int m = 0; m < mesh->n_neighbours[other]; m++)
                n_mutual += mesh->neighbour[other][m] == v;
        }
    }
    ok_int(n_five, 12);
    ok_int(n_mutual, n_links);
    ok_int(n_links, 3 * mesh->n_faces);
}

TEST(normals_of_a_sphere_point_away_from_its_centre)
{
    const double centre[3] = {10, -20, 5};
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(4, centre, 70);
    double worst = 1;

    for (int v = 0; v < mesh->n_vertices; v++) {
        double n[3], along = 0;
        np_mesh_normal(mesh, v, n);
        for (int i = 0; i < 3; i++)
            along += n[i] * (mesh->position_mm[v][i] - centre[i]) / 70;
        worst = fmin(worst, along);
    }
    ok_above(worst, 0.9999, "cosine between normal and radius");
}

TEST(a_fine_sphere_has_the_volume_of_a_ball)
{
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(5, ORIGIN, 10);

    /* A polyhedron inscribed in the sphere: 0.07 % short at 10242 vertices. */
    ok_near(np_mesh_volume_mm3(mesh) / (SPHERE_PER_R3 * 1000), 1, 1e-3, "volume, relative");
}

static double voxelised_volume(const struct np_mesh *mesh, const struct np_grid *grid)
{
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(grid);

    ok_int(np_mesh_voxelise(mesh, NULL, mask, NULL), 0);
    return (double)np_mask_count(mask) * np_grid_voxel_mm3(grid);
}

TEST(voxelised_spheres_keep_their_volume_on_isotropic_and_thick_sliced_grids)
{
    const struct np_grid grids[] = {
        np_grid_make(100, 100, 100, 1, 1, 1), np_grid_make(200, 200, 25, 0.5, 0.5, 4),
        np_grid_make(25, 200, 200, 4, 0.5, 0.5), np_grid_make(77, 61, 143, 1.3, 1.7, 0.7)};

    for (size_t g = 0; g < NP_COUNT(grids); g++) {
        const double centre[3] = {49.81, 50.67, 50.27};
        NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(4, centre, 40);
        /* Counting centres errs by the surface's shell at random: far below 0.5 % here. */
        ok_near(voxelised_volume(mesh, &grids[g]) / np_mesh_volume_mm3(mesh), 1, 5e-3,
                "voxelised volume, relative");
    }
}

TEST(vertices_and_edges_exactly_on_voxel_centres_neither_leak_nor_count_twice)
{
    /* An octahedron on the grid's own points: all its vertices and many points of its edges and
     * faces are voxel centres. */
    const double centre[3] = {16.5, 16.5, 16.5};
    const struct np_grid grid = np_grid_make(33, 33, 33, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(2, centre, 10);
    int wrong = 0;

    for (int v = 0; v < mesh->n_vertices; v++) {
        double *p = mesh->position_mm[v], sum = 0;
        for (int i = 0; i < 3; i++)
            sum += fabs(p[i] - centre[i]);
        for (int i = 0; i < 3; i++) /* on the octahedron, then on the grid */
            p[i] = 0.5 + floor(centre[i] + (p[i] - centre[i]) * 10 / sum);
    }
    ok_int(np_mesh_voxelise(mesh, NULL, mask, NULL), 0);
    for (int z = 0; z < 33; z++)
        for (int y = 0; y < 33; y++)
            for (int x = 0; x < 33; x++) {
                int distance = abs(x - 16) + abs(y - 16) + abs(z - 16);
                uint8_t inside = mask->voxel[(z * 33 + y) * 33 + x];
                /* Rounding moved the vertices by up to 1.5 in this norm. */
                wrong += (distance <= 7 && !inside) || (distance >= 12 && inside);
            }
    ok_int(wrong, 0);
}

TEST(a_surface_that_leaves_the_grid_is_cut_at_its_border)
{
    const double centre[3] = {0.5, 20.5, 20.5};
    const struct np_grid grid = np_grid_make(40, 40, 40, 1, 1, 1);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(4, centre, 15);

    /* From the centre of voxel 0 on half the ball, and its plane as half a voxel more. */
    double expected = SPHERE_PER_R3 * 15 * 15 * 15 / 2 + 0.5 * 3.14159265 * 15 * 15;
    ok_near(voxelised_volume(mesh, &grid) / expected, 1, 0.01, "half a ball, relative");
}

TEST(overlapping_parts_count_as_inside)
{
    /* Two far vertices pulled through the opposite wall: winding 2 or -1 there, never "outside". */
    const double centre[3] = {30, 30, 30};
    const struct np_grid grid = np_grid_make(60, 60, 60, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(3, centre, 20);

    mesh->position_mm[0][0] = 56;
    ok_int(np_mesh_voxelise(mesh, NULL, mask, NULL), 0);
    ok_int(mask->voxel[(30 * 60 + 30) * 60 + 30], 1);
    ok_int(mask->voxel[(2 * 60 + 2) * 60 + 2], 0);
}

TEST(a_vertex_that_is_not_a_number_is_refused)
{
    const struct np_grid grid = np_grid_make(8, 8, 8, 1, 1, 1);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(1, ORIGIN, 2);
    struct np_error err = {0};

    mesh->position_mm[7][1] = NAN;
    ok_int(np_mesh_voxelise(mesh, NULL, mask, &err), NP_EDOMAIN);
    ok_contains(err.text, "vertex 7");
}

TEST(any_number_of_threads_gives_the_same_mask)
{
    const double centre[3] = {30, 30, 30};
    const struct np_grid grid = np_grid_make(60, 60, 61, 1, 1, 1);
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_exec exec = {.team = team};
    NP_AUTO(np_mask_freep) struct np_mask *one = np_mask_new(&grid);
    NP_AUTO(np_mask_freep) struct np_mask *three = np_mask_new(&grid);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(4, centre, 27.3);

    ok_int(np_mesh_voxelise(mesh, NULL, one, NULL), 0);
    ok_int(np_mesh_voxelise(mesh, &exec, three, NULL), 0);
    ok(memcmp(one->voxel, three->voxel, np_grid_voxels(&grid)) == 0);
}

TEST(taubin_smoothing_takes_noise_away_and_keeps_the_size)
{
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(4, ORIGIN, 70);
    double rough = 0, volume = np_mesh_volume_mm3(mesh);

    for (int v = 0; v < mesh->n_vertices; v++) /* +-1 mm, alternating */
        for (int i = 0; i < 3; i++)
            mesh->position_mm[v][i] *= v % 2 ? 71.0 / 70 : 69.0 / 70;
    np_mesh_smooth_taubin(mesh, 10, NULL);
    for (int v = 0; v < mesh->n_vertices; v++) {
        const double *p = mesh->position_mm[v];
        double off = sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]) - 70;
        rough += off * off;
    }
    /* Vertices that were split off one edge are noisy in patches, which stay in part. */
    ok_below(sqrt(rough / mesh->n_vertices), 0.7, "roughness in mm (1 before)");
    ok_near(np_mesh_volume_mm3(mesh) / volume, 1, 0.01, "volume, relative");
}

TAP_MAIN
