#include <math.h>
#include <string.h>

#include "ops/bias.h"
#include "tap.h"

enum { SIDE = 60 };
static const double WIDTH_MM = 20, RADIUS_MM = 20;

/* `inner` is 1 + x/100 in a ball and wild outside it; `outer` is 5 + x/100. */
struct scene {
    struct np_image *inner;
    struct np_bspline_field *outer;
    struct np_mask *mask;
};

static void scene_done(struct scene *scene)
{
    np_image_freep(&scene->inner);
    np_bspline_field_freep(&scene->outer);
    np_mask_freep(&scene->mask);
}

static double radius_mm(const struct np_grid *grid, size_t i)
{
    const double voxel[3] = {(double)(i % SIDE), (double)(i / SIDE % SIDE),
                             (double)(i / SIDE / SIDE)};
    double mm[3];

    np_affine_apply(&grid->world_from_voxel, voxel, mm);
    return sqrt(mm[0] * mm[0] + mm[1] * mm[1] + mm[2] * mm[2]);
}

/* Splines with linear control points are linear: level + slope × voxel along x. */
static struct np_bspline_field *linear_field(double level, double slope)
{
    enum { N_SPANS = 4 };
    struct np_bspline_field *field = np_xcalloc(1, sizeof(*field));
    double position[SIDE], voxels_a_span = (double)(SIDE - 1) / N_SPANS;

    for (int i = 0; i < SIDE; i++)
        position[i] = i / voxels_a_span;
    for (int a = 0; a < 3; a++)
        ok_int(np_bspline_axis_init(&field->axis[a], position, SIDE, N_SPANS), 0);
    field->lattice = np_lattice_new(N_SPANS + 3, N_SPANS + 3, N_SPANS + 3);
    for (size_t i = 0; i < np_lattice_size(field->lattice); i++)
        field->lattice->value[i] =
            level + slope * voxels_a_span * ((double)(i % (N_SPANS + 3)) - 1);
    return field;
}

static void scene_init(struct scene *scene)
{
    struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 2, 2, 2);

    *scene = (struct scene){np_image_new(&grid), linear_field(5, 0.01), np_mask_new(&grid)};
    for (size_t i = 0; i < np_grid_voxels(&grid); i++) {
        float slope = (float)(i % SIDE) / 100;
        scene->mask->voxel[i] = radius_mm(&grid, i) < RADIUS_MM;
        scene->inner->voxel[i] =
            1 + slope + (radius_mm(&grid, i) < RADIUS_MM + 10 ? 0 : (float)(i % 7) - 3);
    }
}

TEST(blending_keeps_the_inside_and_ends_in_the_outer_field)
{
    NP_AUTO(scene_done) struct scene scene;
    scene_init(&scene);
    NP_AUTO(np_image_freep) struct np_image *before = np_image_copy(scene.inner);
    double worst_far = 0;
    int changed_inside = 0;

    ok_int(np_bias_blend(scene.inner, scene.mask, scene.outer, WIDTH_MM, NULL, NULL), 0);
    for (size_t i = 0; i < np_grid_voxels(&scene.inner->grid); i++) {
        double r = radius_mm(&scene.inner->grid, i);
        if (scene.mask->voxel[i])
            changed_inside += scene.inner->voxel[i] != before->voxel[i];
        /* blocks are 4 mm: full weight to 7 mm, interpolated within another block */
        if (r > RADIUS_MM + 7 + 4 + 7 + WIDTH_MM)
            worst_far = fmax(worst_far,
                             fabs((double)scene.inner->voxel[i] - (1 + (double)(i % SIDE) / 100)));
    }
    ok_int(changed_inside, 0);
    ok_below(worst_far, 1e-5, "difference from the outer field, its level moved by -4");
}

TEST(blending_is_smooth_where_the_fields_differ_by_a_step)
{
    NP_AUTO(scene_done) struct scene scene;
    scene_init(&scene);
    double steepest = 0;

    np_bspline_field_freep(&scene.outer);
    scene.outer = linear_field(0, 0);
    for (size_t i = 0; i < np_grid_voxels(&scene.inner->grid); i++)
        scene.inner->voxel[i] = scene.mask->voxel[i] ? 0 : 1;
    ok_int(np_bias_blend(scene.inner, scene.mask, scene.outer, WIDTH_MM, NULL, NULL), 0);
    for (size_t i = 1; i < np_grid_voxels(&scene.inner->grid); i++)
        if (i % SIDE && !scene.mask->voxel[i] && !scene.mask->voxel[i - 1])
            steepest =
                fmax(steepest, fabs((double)(scene.inner->voxel[i] - scene.inner->voxel[i - 1])));
    /* smoothstep's slope is 1.5 / 20 mm, steps are 2 mm, blocks make it uneven by a tenth */
    ok_below(steepest, 1.1 * 1.5 * 2 / WIDTH_MM, "largest step between neighbours");
}

TEST(dividing_by_the_field_restores_the_image)
{
    NP_AUTO(scene_done) struct scene scene;
    scene_init(&scene);
    NP_AUTO(np_image_freep) struct np_image *out = np_image_new(&scene.inner->grid);
    NP_AUTO(np_image_freep) struct np_image *by_fit = np_image_new(&scene.inner->grid);
    NP_AUTO(np_image_freep) struct np_image *field = np_image_new(&scene.inner->grid);
    size_t n = np_grid_voxels(&out->grid);
    double worst = 0;

    for (size_t i = 0; i < n; i++) {
        scene.inner->voxel[i] = i % 5 ? (float)(100 * exp((double)(i % SIDE) / 100)) : 0;
        field->voxel[i] = 5 + (float)(i % SIDE) / 100;
    }
    np_bias_shift(field, -5, NULL);
    np_bias_divide(scene.inner, field, NULL, out);
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)out->voxel[i] - (i % 5 ? 100 : 0)));
    ok_below(worst, 1e-4, "difference from 100, single precision");
    np_bspline_field_shift(scene.outer, -5);
    ok_int(np_bias_divide_by_fit(scene.inner, scene.outer, NULL, by_fit, NULL), 0);
    worst = 0;
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)by_fit->voxel[i] - (i % 5 ? 100 : 0)));
    ok_below(worst, 1e-4, "difference from 100 by the field's control points");
    np_bias_divide(scene.inner, field, NULL, scene.inner);
    ok(memcmp(out->voxel, scene.inner->voxel, n * sizeof(float)) == 0);
    np_alloc_fail_at(1);
    ok_int(np_bias_divide_by_fit(field, scene.outer, NULL, by_fit, NULL), NP_ENOMEM);
    np_alloc_fail_at(0);
    ok_near(by_fit->voxel[1], 100, 1e-4, "untouched by a failure");
}

TEST(any_number_of_threads_gives_the_same_bytes)
{
    static const int n_threads[] = {1, 2, 3, 8};
    NP_AUTO(np_image_freep) struct np_image *first = NULL;

    for (size_t t = 0; t < NP_COUNT(n_threads); t++) {
        NP_AUTO(scene_done) struct scene scene;
        NP_AUTO(np_team_freep) struct np_team *team = np_team_new(n_threads[t]);
        struct np_exec exec = {team, NULL};
        scene_init(&scene);
        ok_int(np_bias_blend(scene.inner, scene.mask, scene.outer, WIDTH_MM, &exec, NULL), 0);
        if (!first)
            first = np_image_copy(scene.inner);
        ok(memcmp(first->voxel, scene.inner->voxel, np_grid_voxels(&first->grid) * sizeof(float)) ==
           0);
    }
}

TEST(an_empty_mask_and_failed_allocations_leave_the_field_alone)
{
    NP_AUTO(scene_done) struct scene scene;
    scene_init(&scene);
    NP_AUTO(np_image_freep) struct np_image *before = np_image_copy(scene.inner);
    int code = NP_ENOMEM, n_failed = 0;
    size_t bytes = np_grid_voxels(&before->grid) * sizeof(float);

    for (int64_t nth = 1; code == NP_ENOMEM && nth < 100; nth++) {
        ok(memcmp(before->voxel, scene.inner->voxel, bytes) == 0);
        np_alloc_fail_at(nth);
        code = np_bias_blend(scene.inner, scene.mask, scene.outer, WIDTH_MM, NULL, NULL);
        n_failed += code == NP_ENOMEM;
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok_above(n_failed, 4, "allocations that were made to fail");
    memset(scene.mask->voxel, 0, np_grid_voxels(&before->grid));
    ok_int(np_bias_blend(scene.inner, scene.mask, scene.outer, WIDTH_MM, NULL, NULL), NP_EDOMAIN);
}

TAP_MAIN
