/* Brains alone, whole heads, defaced heads and heads with a blank background,
 * drawn as ellipsoids. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "ops/stripped.h"
#include "tap.h"

enum kind { BRAIN, HEAD, HEAD_BLANK, DEFACED };

/* Semi-axes 66, 84, 60 mm; fluid to 3, skull to 10, scalp to 16 mm outside;
 * a face in front below. */
static double paint(enum kind kind, const double p[3], double noise)
{
    double r2 = p[0] * p[0] / (66 * 66) + p[1] * p[1] / (84 * 84) + p[2] * p[2] / (60 * 60);
    double out_mm = (sqrt(r2) - 1) * 68;
    double face = p[0] * p[0] + (p[1] - 50) * (p[1] - 50) + (p[2] + 65) * (p[2] + 65);

    if (out_mm < 0)
        return (out_mm < -5 ? 100 : 70) + noise;
    if (kind == BRAIN)
        return out_mm < 2 ? 25 + noise : 0;
    if (kind == DEFACED && p[1] > 40 && p[2] < -20)
        return 0;
    if (out_mm < 16)
        return (out_mm < 3 ? 25 : out_mm < 10 ? 8 : 110) + noise;
    if (kind != DEFACED && face < 45 * 45)
        return 60 + noise;
    return kind == HEAD ? 3 + noise : 0;
}

static struct np_image *draw(enum kind kind, double sx, double sy, double sz)
{
    struct np_grid grid =
        np_grid_make((int64_t)(190 / sx), (int64_t)(230 / sy), (int64_t)(210 / sz), sx, sy, sz);
    struct np_image *image = np_image_new(&grid);
    struct np_random random;

    np_random_seed(&random, 1, 0);
    for (int64_t z = 0, i = 0; z < grid.n[2]; z++)
        for (int64_t y = 0; y < grid.n[1]; y++)
            for (int64_t x = 0; x < grid.n[0]; x++, i++) {
                const double voxel[3] = {(double)x, (double)y, (double)z};
                double p[3];
                np_affine_apply(&grid.world_from_voxel, voxel, p);
                p[2] -= 20;
                image->voxel[i] = (float)paint(kind, p, 2 * np_random_normal(&random));
            }
    return image;
}

static bool is_stripped(enum kind kind, double sx, double sy, double sz,
                        struct np_stripped_report *report)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw(kind, sx, sy, sz);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;

    ok_int(np_stripped_detect(image, NULL, NULL, &mask, report, NULL), 0);
    return mask != NULL;
}

TEST(a_brain_alone_is_recognised_in_cubes_and_in_thick_slices)
{
    struct np_stripped_report report;

    ok(is_stripped(BRAIN, 2, 2, 2, &report));
    ok_above(report.scalp_dip, 0.95, "dip");
    ok(is_stripped(BRAIN, 1.5, 1.5, 5, &report));
    ok(is_stripped(BRAIN, 5, 1.5, 1.5, &report));
}

TEST(heads_are_not_with_noise_around_them_or_blank_or_defaced)
{
    struct np_stripped_report report;

    ok(!is_stripped(HEAD, 2, 2, 2, &report));
    ok(!is_stripped(HEAD_BLANK, 2, 2, 2, &report));
    ok(!is_stripped(HEAD_BLANK, 1.5, 1.5, 5, &report));
    ok(!is_stripped(DEFACED, 2, 2, 2, &report));
    ok(!is_stripped(DEFACED, 1.5, 1.5, 5, &report));
}

TEST(a_childs_head_is_recognised_by_its_skull_although_its_volume_could_be_a_brains)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw(DEFACED, 2, 2, 2);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
    struct np_stripped_report report;

    for (int w = 0; w < 3; w++) { /* 0.8 as large: 1.3 litres with scalp */
        image->grid.spacing_mm[w] *= 0.8;
        image->grid.world_from_voxel.m[w][w] *= 0.8;
    }
    ok_int(np_stripped_detect(image, NULL, NULL, &mask, &report, NULL), 0);
    ok(mask == NULL);
    ok_below(report.support_mm3, 2.2e6, "volume, mm3");
    ok_below(report.scalp_dip, 0.7, "dip");
}

/* The answer for a drawing when the prior finds this share of it far outside the brain. */
static bool with_prior(enum kind kind, double far_share, struct np_stripped_report *report)
{
    const struct np_prior prior = {.far_share = far_share, .zero_share = 0.5};
    NP_AUTO(np_image_freep) struct np_image *image = draw(kind, 3, 3, 3);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;

    ok_int(np_stripped_detect(image, &prior, NULL, &mask, report, NULL), 0);
    return mask != NULL;
}

TEST(with_a_prior_two_signs_decide)
{
    struct np_stripped_report report;

    ok(with_prior(BRAIN, 0.02, &report) && !report.unsure);
    ok(with_prior(BRAIN, 0.07, &report) && report.unsure);
    ok(!with_prior(BRAIN, 0.16, &report)); /* the top of a head has layers like a brain's */
    ok(!with_prior(HEAD_BLANK, 0.30, &report));
    ok(!with_prior(HEAD_BLANK, 0.08, &report)); /* a head's volume */
    ok(!with_prior(HEAD, 0.02, &report));       /* noise fills the air */
}

TEST(most_heads_are_ruled_out_before_a_prior_is_made_and_no_brain_is)
{
    static const struct {
        enum kind what;
        bool is_possible;
    } table[] = {{HEAD, false}, {HEAD_BLANK, false}, {BRAIN, true}};

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        NP_AUTO(np_image_freep) struct np_image *image = draw(table[i].what, 2, 2, 2);
        bool is_possible = !table[i].is_possible;
        ok_int(np_stripped_is_possible(image, NULL, &is_possible, NULL), 0);
        ok_int(is_possible, table[i].is_possible);
    }
}

static double above_mm3(const struct np_image *image, double limit)
{
    int64_t n = 0;

    for (size_t i = 0; i < np_grid_voxels(&image->grid); i++)
        n += (double)image->voxel[i] > limit;
    return (double)n * np_grid_voxel_mm3(&image->grid);
}

/* The head that fills the air with noise is known of that; a blank one is about as large as the
 * largest brain, and must be looked at. */
TEST(an_image_that_its_size_rules_out_is_ruled_out_by_a_look)
{
    NP_AUTO(np_image_freep) struct np_image *brain = draw(BRAIN, 2, 2, 2);
    NP_AUTO(np_image_freep) struct np_image *head = draw(HEAD, 2, 2, 2);
    bool is_possible = true;

    ok(!np_stripped_is_ruled_out(above_mm3(brain, 1), 0));
    ok(np_stripped_is_ruled_out(above_mm3(head, 1), 0));
    ok(!np_stripped_is_ruled_out(above_mm3(head, 1), -1));
    ok_int(np_stripped_is_possible(head, NULL, &is_possible, NULL), 0);
    ok(!is_possible);
    ok(!np_stripped_is_ruled_out(2.25e6, 0)); /* after bias correction it may be 2.2e6 */
    ok(!np_stripped_is_ruled_out(NAN, 0));
}

TEST(a_z_scored_brain_is_recognised_by_what_lies_outside_it)
{
    const struct np_prior prior = {.far_share = 0.01, .zero_share = 0.5};
    NP_AUTO(np_image_freep) struct np_image *image = draw(BRAIN, 3, 3, 3);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
    struct np_stripped_report report;

    for (size_t i = 0; i < np_grid_voxels(&image->grid); i++)
        if (image->voxel[i] != 0)
            image->voxel[i] = (image->voxel[i] - 80) / 20;
    ok_int(np_stripped_detect(image, &prior, NULL, &mask, &report, NULL), 0);
    ok(mask != NULL && !report.unsure);
}

TEST(the_mask_of_a_brain_alone_is_its_support_without_holes)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw(BRAIN, 2, 2, 2);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
    const int64_t *n = image->grid.n;
    int64_t middle = (n[2] / 2 * n[1] + n[1] / 2) * n[0] + n[0] / 2, expected = 0;

    image->voxel[0] = 90; /* a speck far away */
    for (int64_t i = 1; i < (int64_t)np_grid_voxels(&image->grid); i++)
        expected += fabsf(image->voxel[i]) > 1.1f;
    for (int64_t d = -3; d <= 3; d++)
        image->voxel[middle + d] = 0; /* a hole */
    ok_int(np_stripped_detect(image, NULL, NULL, &mask, NULL, NULL), 0);
    ok(mask != NULL);
    if (!mask)
        return;
    ok_int(mask->voxel[middle], 1);
    ok_int(mask->voxel[0], 0);
    ok_near((double)np_mask_count(mask) / (double)expected, 1, 1e-3, "voxels, relative");
}

TEST(nothing_is_neither_stripped_nor_a_failure_but_has_no_support)
{
    struct np_grid grid = np_grid_make(20, 20, 20, 4, 4, 4);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_mask *mask = NULL;
    struct np_error err = {0};

    ok_int(np_stripped_detect(image, NULL, NULL, &mask, NULL, &err), 0);
    ok(mask == NULL && err.code == 0);
    ok_int(np_support_mask(image, NULL, &mask, &err), NP_EMETHOD);
    ok_contains(err.text, "all voxels are 0");
}

TEST(each_allocation_that_fails_is_reported_as_such)
{
    NP_AUTO(np_image_freep) struct np_image *image = draw(BRAIN, 4, 4, 4);
    int code = NP_ENOMEM, n = 0;

    while (code == NP_ENOMEM && n < 100) {
        NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
        struct np_error err = {0};
        np_alloc_fail_at(++n);
        code = np_stripped_detect(image, NULL, NULL, &mask, NULL, &err);
        np_alloc_fail_at(0);
        ok((mask != NULL) == (code == 0));
        if (code)
            ok_contains(err.text, "memory");
    }
    ok_int(code, 0);
    ok_above(n, 15, "allocations");
}

TAP_MAIN
