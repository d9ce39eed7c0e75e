/* The head's outline and the air above it, of balls that are drawn here. */
#include "ops/quality_head.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "tap.h"

enum { SIDE = 60 };
static const double BRAIN_MM = 60, HEAD_MM = 75; /* radii */

struct ball {
    struct np_image *source;
    struct np_mask *brain, *head;
};

static void ball_done(struct ball *ball)
{
    np_image_freep(&ball->source);
    np_mask_freep(&ball->brain);
    np_mask_freep(&ball->head);
}

static double radius_mm(const struct np_grid *grid, int64_t i)
{
    const double x = (double)(i % SIDE - SIDE / 2) * grid->spacing_mm[0];
    const double y = (double)(i / SIDE % SIDE - SIDE / 2) * grid->spacing_mm[1];
    const double z = (double)(i / (SIDE * SIDE) - SIDE / 2) * grid->spacing_mm[2];

    return sqrt(x * x + y * y + z * z);
}

/* A brain of 1000 in a dark skull in bright skin; air with this noise. */
static void ball_make(struct ball *ball, double noise)
{
    const struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 4, 4, 4);
    struct np_random random;

    np_random_seed(&random, 8, 0);
    ball->source = np_image_new(&grid);
    ball->brain = np_mask_new(&grid);
    ball->head = np_mask_new(&grid);
    for (int64_t i = 0; i < SIDE * SIDE * SIDE; i++) {
        double r = radius_mm(&grid, i);
        double level = r < BRAIN_MM ? 1000 : (r < BRAIN_MM + 6 ? 50 : (r < HEAD_MM ? 800 : 0));
        ball->source->voxel[i] = (float)hypot(level + noise * np_random_normal(&random),
                                              noise * np_random_normal(&random));
        ball->brain->voxel[i] = r < BRAIN_MM;
    }
}

static int find(struct ball *ball, struct np_error *err)
{
    const struct np_hat_planes planes = np_quality_planes(ball->brain);

    return np_quality_head(ball->source, ball->brain, &planes, NULL, ball->head, err);
}

/* Voxels of the head without, and of the air more than two cells of 8 mm away with the mark. */
static void count_wrong(const struct ball *ball, int64_t *n_missed, int64_t *n_beyond)
{
    *n_missed = *n_beyond = 0;
    for (int64_t i = 0; i < SIDE * SIDE * SIDE; i++) {
        double r = radius_mm(&ball->source->grid, i);
        *n_missed += r < HEAD_MM - 4 && !ball->head->voxel[i];
        *n_beyond += r > HEAD_MM + 16 * sqrt(3) && ball->head->voxel[i];
    }
}

TEST(the_outline_is_that_of_the_skin_whatever_the_noise)
{
    for (int step = 0; step < 3; step++) {
        NP_AUTO(ball_done) struct ball ball = {0};
        int64_t n_missed, n_beyond;
        ball_make(&ball, 1 + 50 * step);
        ok_int(find(&ball, NULL), 0);
        count_wrong(&ball, &n_missed, &n_beyond);
        ok_int(n_missed, 0);
        ok_int(n_beyond, 0);
    }
}

TEST(a_bright_ghost_far_above_the_brain_is_no_head)
{
    NP_AUTO(ball_done) struct ball ball = {0};
    int64_t n_missed, n_beyond, n_ghost = 0;

    ball_make(&ball, 10);
    for (int64_t i = 0; i < SIDE * SIDE * SIDE; i++) {
        int64_t x = i % SIDE, z = i / (SIDE * SIDE);
        if (x < 6 && z > 40) {
            ball.source->voxel[i] = 500;
            n_ghost++;
        }
    }
    ok_int(find(&ball, NULL), 0);
    count_wrong(&ball, &n_missed, &n_beyond);
    ok_int(n_missed, 0);
    ok_int(n_beyond, 0);
    ok_above((double)n_ghost, 1000, "voxels");
}

TEST(the_planes_go_through_the_brains_middle_and_20_mm_below)
{
    NP_AUTO(ball_done) struct ball ball = {0};

    ball_make(&ball, 1);
    const struct np_hat_planes planes = np_quality_planes(ball.brain);
    ok_int(planes.front_y, SIDE / 2);
    ok_int(planes.front_z, SIDE / 2);
    ok_int(planes.rear_z, SIDE / 2 - 5);
}

TEST(no_brain_and_a_brain_as_dark_as_air_are_refused)
{
    NP_AUTO(ball_done) struct ball ball = {0};
    struct np_error dark = {0}, none = {0};

    ball_make(&ball, 1);
    for (int64_t i = 0; i < SIDE * SIDE * SIDE; i++)
        ball.source->voxel[i] = 7;
    ok_int(find(&ball, &dark), NP_EDOMAIN);
    ok_contains(dark.text, "brighter than the air (7), found 7");
    memset(ball.brain->voxel, 0, SIDE * SIDE * SIDE);
    ok_int(find(&ball, &none), NP_EDOMAIN);
    ok_contains(none.text, "found none");
}

TEST(each_request_for_memory_may_fail)
{
    NP_AUTO(ball_done) struct ball ball = {0};
    int64_t n = 0;
    int code;

    ball_make(&ball, 1);
    do {
        struct np_error err = {0};
        np_alloc_fail_at(++n);
        code = find(&ball, &err);
        np_alloc_fail_at(0);
        ok(code == 0 || code == NP_ENOMEM);
    } while (code != 0);
    ok_above((double)n, 4, "requests");
}

TAP_MAIN
