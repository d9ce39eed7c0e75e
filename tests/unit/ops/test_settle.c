/* The last step of a surface: on balls whose edge is known, with dark, bright and narrow things
 * about. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/settle.h"
#include "tap.h"

enum { SIDE = 96, LEVEL = 4 };
static const double MIDDLE[3] = {48, 48, 48}, RADIUS_MM = 30;
static const double BRAIN = 100, FAT = 250;

static const struct np_settle_options OPTIONS = {.dark = 0,
                                                 .share = 0.5,
                                                 .softness = 0.25,
                                                 .too_bright = 160,
                                                 .stiffness = 0.15,
                                                 .most_step_mm = 3,
                                                 .move_cost = 0.1};

static double distance_mm(const double at_mm[3])
{
    double sum = 0;

    for (int a = 0; a < 3; a++)
        sum += (at_mm[a] - MIDDLE[a]) * (at_mm[a] - MIDDLE[a]);
    return sqrt(sum);
}

/* A ball of BRAIN whose edge takes 1 mm to fall, as a voxel that it cuts has it; `around` from 2 mm
 * outside on. */
static struct np_image *draw_ball(double around)
{
    struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 1, 1, 1);
    struct np_image *image = np_image_new(&grid);

    for (int64_t z = 0, i = 0; z < SIDE; z++)
        for (int64_t y = 0; y < SIDE; y++)
            for (int64_t x = 0; x < SIDE; x++, i++) {
                const double at_mm[3] = {(double)x + 0.5, (double)y + 0.5, (double)z + 0.5};
                double out = distance_mm(at_mm) - RADIUS_MM;
                double inside = fmin(fmax(0.5 - out, 0), 1);
                image->voxel[i] = (float)(out > 2 ? around : BRAIN * inside);
            }
    return image;
}

/* Mean distance from the middle, and the one that is furthest from `expected`. */
static double mean_radius_mm(const struct np_mesh *mesh, double expected, double *worst)
{
    double sum = 0;

    *worst = 0;
    for (int v = 0; v < mesh->n_vertices; v++) {
        double r = distance_mm(mesh->position_mm[v]);
        sum += r;
        *worst = fmax(*worst, fabs(r - expected));
    }
    return sum / mesh->n_vertices;
}

static int settle(struct np_mesh *mesh, const struct np_image *image, int n_threads)
{
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(n_threads);
    const struct np_exec exec = {.team = team};

    return np_surface_settle(mesh, image, &OPTIONS, &exec, NULL);
}

TEST(a_surface_2_mm_outside_a_ball_comes_to_rest_on_it)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_ball(0);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(LEVEL, MIDDLE, RADIUS_MM + 2);
    double worst;

    ok_int(settle(mesh, image, 1), 0);
    /* Places lie 0.25 mm apart; seen from 2 mm outside, what is under it begins with the edge. */
    ok_near(mean_radius_mm(mesh, RADIUS_MM, &worst), RADIUS_MM, 0.3, "mean radius, mm");
    ok_below(worst, 0.6, "furthest from the ball, mm");
}

TEST(fat_around_the_ball_is_as_little_brain_as_air)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_ball(FAT);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(LEVEL, MIDDLE, RADIUS_MM + 2);
    double worst;

    ok_int(settle(mesh, image, 1), 0);
    ok_near(mean_radius_mm(mesh, RADIUS_MM, &worst), RADIUS_MM, 0.5, "mean radius, mm");
}

TEST(no_more_than_half_a_millimetre_outwards)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_ball(0);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(LEVEL, MIDDLE, RADIUS_MM - 5);
    double worst;

    ok_int(settle(mesh, image, 1), 0);
    ok_near(mean_radius_mm(mesh, RADIUS_MM - 4.5, &worst), RADIUS_MM - 4.5, 0.01,
            "mean radius, mm");
    ok_below(worst, 0.01, "furthest from that, mm");
}

TEST(a_slit_of_2_mm_is_bridged)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_ball(0);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(LEVEL, MIDDLE, RADIUS_MM);
    double worst;

    for (int64_t i = 0; i < (int64_t)SIDE * SIDE * SIDE; i++)
        if (i % SIDE == SIDE / 2 || i % SIDE == SIDE / 2 - 1)
            image->voxel[i] = 0;
    ok_int(settle(mesh, image, 1), 0);
    mean_radius_mm(mesh, RADIUS_MM, &worst);
    /* A vertex alone would go 3 mm down. */
    ok_below(worst, 1.2, "furthest from the ball, mm");
}

TEST(any_number_of_threads_puts_the_vertices_at_the_same_places)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_ball(0);
    NP_AUTO(np_mesh_freep) struct np_mesh *one = np_mesh_new_sphere(LEVEL, MIDDLE, RADIUS_MM + 1);
    NP_AUTO(np_mesh_freep) struct np_mesh *three = np_mesh_new_sphere(LEVEL, MIDDLE, RADIUS_MM + 1);

    ok_int(settle(one, image, 1), 0);
    ok_int(settle(three, image, 3), 0);
    ok(memcmp(one->position_mm, three->position_mm,
              (size_t)one->n_vertices * sizeof(*one->position_mm)) == 0);
}

TEST(without_memory_the_surface_stays_as_it_is)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw_ball(0);
    NP_AUTO(np_mesh_freep) struct np_mesh *was = np_mesh_new_sphere(1, MIDDLE, RADIUS_MM + 1);
    NP_AUTO(np_mesh_freep) struct np_mesh *mesh = np_mesh_new_sphere(1, MIDDLE, RADIUS_MM + 1);
    struct np_error err = {0};
    int n = 0, code;

    do {
        ok(memcmp(mesh->position_mm, was->position_mm,
                  (size_t)was->n_vertices * sizeof(*was->position_mm)) == 0);
        np_alloc_fail_at(++n);
        code = np_surface_settle(mesh, image, &OPTIONS, NULL, &err);
        np_alloc_fail_at(0);
    } while (code == NP_ENOMEM);
    ok_int(code, 0);
    ok_above(n, 5, "requests that failed");
    ok_contains(err.text, "no memory");
}

TAP_MAIN
