/*
 * Brain extraction on heads drawn from ellipsoids, with known truth: brain (white and grey matter),
 * fluid, dark skull, bright scalp, neck with a brain stem in it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "ops/brain.h"
#include "ops/morphology.h"
#include "ops/prior.h"
#include "tap.h"

static const double BRAIN_MM[3] = {66, 84, 60}; /* semi-axes of the tissue */
static const double BRAIN_ML = 1393.4;          /* 4/3 pi a b c */

/* Values of white matter, grey matter, fluid, skull, scalp, neck and air. */
struct palette {
    double white, grey, fluid, skull, scalp, neck, air;
};
static const struct palette T1W = {100, 72, 22, 9, 120, 62, 1};
static const struct palette T2W = {60, 80, 190, 12, 90, 40, 1};
static const struct palette FLAIR = {80, 100, 15, 8, 60, 35, 1};

/* About the distance (mm) from the tissue's surface, positive outside. */
static double outside_mm(const double p[3])
{
    double r = 0, slope = 0;

    for (int i = 0; i < 3; i++) {
        double q = p[i] / BRAIN_MM[i];
        r += q * q;
        slope += q * q / (BRAIN_MM[i] * BRAIN_MM[i]);
    }
    r = sqrt(r);
    return r > 0.1 ? (r - 1) * r / sqrt(slope) : -50;
}

static double paint(const struct palette *c, const double p[3])
{
    double out = outside_mm(p);
    double stem = sqrt(p[0] * p[0] + (p[1] + 20) * (p[1] + 20));
    double neck = sqrt(p[0] * p[0] + (p[1] + 25) * (p[1] + 25));
    /* Cortex with gyri and sulci: grey matter down to 3 … 20 mm. */
    double fold = sin(p[0] / 4) * sin(p[1] / 5) * sin(p[2] / 4);
    double cortex_mm = 3 + 17 * fold * fold;

    if (out <= 0)
        return out < -cortex_mm ? c->white : c->grey;
    if (p[2] < -20 && stem < 9)
        return c->white;
    if (out < 2.5)
        return c->fluid;
    if (out < 9)
        return c->skull;
    if (out < 15)
        return c->scalp;
    return p[2] < -40 && neck < 62 ? c->neck : c->air;
}

struct head {
    struct np_image *image;
    struct np_mask *truth;
};

static void head_done(struct head *head)
{
    np_image_freep(&head->image);
    np_mask_freep(&head->truth);
}

/* A head in `n` voxels of `mm`, with the brain's centre `up_mm` above the middle of the image. */
static struct head draw_head(const struct palette *colours, int64_t nx, int64_t ny, int64_t nz,
                             double sx, double sy, double sz, double up_mm)
{
    struct np_grid grid = np_grid_make(nx, ny, nz, sx, sy, sz);
    struct head head = {np_image_new(&grid), np_mask_new(&grid)};
    struct np_random random;

    np_random_seed(&random, 1, 0);
    for (int64_t z = 0, i = 0; z < nz; z++)
        for (int64_t y = 0; y < ny; y++)
            for (int64_t x = 0; x < nx; x++, i++) {
                const double voxel[3] = {(double)x, (double)y, (double)z};
                double p[3];
                np_affine_apply(&grid.world_from_voxel, voxel, p);
                p[2] -= up_mm;
                double a = paint(colours, p) + 2 * np_random_normal(&random);
                head.image->voxel[i] = (float)fabs(a);
                head.truth->voxel[i] = outside_mm(p) <= 0.6; /* and what touches it */
            }
    return head;
}

/* Drawn heads are easy: a part of the iterations is enough for most of them. */
static const double LESS = 0.6;

/* Twice what both masks hold, by what they hold together. */
static double dice(const struct np_mask *a, const struct np_mask *b)
{
    int64_t both = 0;

    for (size_t i = 0; i < np_grid_voxels(&a->grid); i++)
        both += a->voxel[i] & b->voxel[i];
    return 2 * (double)both / (double)(np_mask_count(a) + np_mask_count(b));
}

static double dice_of(const struct head *head, enum np_contrast contrast, double effort,
                      struct np_brain_report *report)
{
    struct np_brain_options options = np_brain_defaults(contrast, NULL);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
    struct np_error err = {0};
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(2);
    const struct np_exec exec = {.team = team};

    options.effort = effort;
    ok_int(np_brain_extract(head->image, &options, &exec, &mask, report, &err), 0);
    ok_str(err.text, "");
    return mask ? dice(mask, head->truth) : 0;
}

TEST(a_head_of_isotropic_voxels_with_a_long_neck)
{
    NP_AUTO(head_done) struct head head = draw_head(&T1W, 120, 140, 170, 1.5, 1.5, 1.5, 45);
    struct np_brain_report report = {0};

    ok_above(dice_of(&head, NP_CONTRAST_T1W, 1, &report), 0.98, "Dice");
    ok_near(report.volume_mm3 / 1e3 / BRAIN_ML, 1.03, 0.05, "volume, relative to the tissue");
    ok_near(report.centre_mm[2], 45, 3, "height of the centre, mm");
    ok_below(report.rim, 0.3, "rim over inside (fluid and skull: 0.22 and 0.09)");
    ok_below(report.border_share, 0.01, "share of the image's border");
}

TEST(axial_slices_of_4_mm)
{
    NP_AUTO(head_done) struct head head = draw_head(&T1W, 164, 204, 38, 1, 1, 4, 2);

    ok_above(dice_of(&head, NP_CONTRAST_T1W, LESS, NULL), 0.95, "Dice");
}

TEST(sagittal_slices_of_5_mm)
{
    NP_AUTO(head_done) struct head head = draw_head(&T1W, 34, 204, 170, 5, 1, 1, 8);

    ok_above(dice_of(&head, NP_CONTRAST_T1W, LESS, NULL), 0.95, "Dice");
}

TEST(coronal_slices_of_4_mm)
{
    NP_AUTO(head_done) struct head head = draw_head(&T1W, 164, 52, 170, 1, 4, 1, 8);

    ok_above(dice_of(&head, NP_CONTRAST_T1W, LESS, NULL), 0.95, "Dice");
}

TEST(bright_fluid_ends_the_brain_in_t2w)
{
    NP_AUTO(head_done) struct head head = draw_head(&T2W, 110, 140, 110, 1.5, 1.5, 1.5, 10);

    ok_above(dice_of(&head, NP_CONTRAST_T2W, LESS, NULL), 0.95, "Dice");
}

TEST(flair)
{
    NP_AUTO(head_done) struct head head = draw_head(&FLAIR, 82, 105, 80, 2, 2, 2, 10);

    ok_above(dice_of(&head, NP_CONTRAST_FLAIR, LESS, NULL), 0.95, "Dice");
}

TEST(any_number_of_threads_gives_the_same_mask_and_report)
{
    NP_AUTO(head_done) struct head head = draw_head(&T1W, 60, 72, 60, 3, 3, 3, 15);
    struct np_brain_options options = np_brain_defaults(NP_CONTRAST_T1W, NULL);
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_exec exec = {.team = team};
    NP_AUTO(np_mask_freep) struct np_mask *one = NULL;
    NP_AUTO(np_mask_freep) struct np_mask *three = NULL;
    struct np_brain_report a, b;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    options.effort = 0.5;
    ok_int(np_brain_extract(head.image, &options, NULL, &one, &a, NULL), 0);
    ok_int(np_brain_extract(head.image, &options, &exec, &three, &b, NULL), 0);
    ok(one && three && memcmp(one->voxel, three->voxel, np_grid_voxels(&one->grid)) == 0);
    ok(memcmp(&a, &b, sizeof(a)) == 0);
}

/* The mask's volume where the network says that the brain has `brain_mm3`. */
static double volume_with(const struct head *head, struct np_prior *prior, double brain_mm3)
{
    struct np_brain_options options = np_brain_defaults(NP_CONTRAST_T1W, prior);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
    struct np_brain_report report = {0};

    prior->brain_mm3 = brain_mm3;
    options.effort = LESS;
    ok_int(np_brain_extract(head->image, &options, NULL, &mask, &report, NULL), 0);
    return report.volume_mm3;
}

TEST(the_margin_grows_with_the_fourth_root_of_the_networks_volume)
{
    NP_AUTO(head_done) struct head head = draw_head(&T1W, 90, 110, 36, 2, 2, 6, 15);
    NP_AUTO(np_prior_done) struct np_prior prior = {0};

    ok_int(np_prior_make(head.image, NULL, &prior, NULL), 0);
    double least = volume_with(&head, &prior, 10e3), small = volume_with(&head, &prior, 181e3);
    double large = volume_with(&head, &prior, 2900e3), most = volume_with(&head, &prior, 1e9);
    ok_near(small, least, 0, "0.6 of the margin is the least");
    ok_near(most, large, 0, "1.2 of it is the most");
    /* Above and below, 1.2 mm of margin by 1.2 instead of 0.6, on pi a b of brain; 6 mm of slice round it. */
    ok_near((large - small) / 1e3, 2 * 0.72 * 3.1416 * 6.6 * 8.4 / 10, 10, "ml more");
}

static int extract_code(const struct np_image *image, struct np_error *err)
{
    struct np_brain_options options = np_brain_defaults(NP_CONTRAST_T1W, NULL);
    NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;

    options.effort = 0.3; /* no brain in less time */
    int code = np_brain_extract(image, &options, NULL, &mask, NULL, err);
    ok((mask != NULL) == (code == 0));
    return code;
}

TEST(a_constant_image_holds_no_brain)
{
    struct np_grid grid = np_grid_make(40, 40, 40, 4, 4, 4);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_error err = {0};

    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        image->voxel[i] = 7;
    ok_int(extract_code(image, &err), NP_EMETHOD);
    ok_contains(err.text, "both 7");
}

/* Rayleigh (air of a magnitude image), zero mean, and far from zero. */
static double noise(struct np_random *random, int kind)
{
    double a = np_random_normal(random), b = np_random_normal(random);

    return kind == 0 ? sqrt(a * a + b * b) : kind == 1 ? a : 100 + 10 * a;
}

TEST(noise_of_any_kind_and_voxel_size_holds_no_brain)
{
    const struct np_grid grids[] = {np_grid_make(36, 36, 36, 4, 4, 4),
                                    np_grid_make(90, 90, 90, 1.5, 1.5, 1.5),
                                    np_grid_make(90, 90, 30, 1.8, 1.8, 5)};

    for (int g = 0; g < (int)NP_COUNT(grids); g++)
        for (int kind = g; kind < (g == 0 ? 3 : g + 1); kind++) {
            NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grids[g]);
            struct np_random random;
            struct np_error err = {0};
            np_random_seed(&random, 3, (uint64_t)kind);
            for (size_t i = 0; i < np_grid_voxels(&grids[g]); i++)
                image->voxel[i] = (float)noise(&random, kind);
            ok_int(extract_code(image, &err), NP_EMETHOD);
            ok_contains(err.text, "brain found");
        }
}

TEST(a_small_ball_is_no_brain_and_the_sentence_has_the_numbers)
{
    struct np_grid grid = np_grid_make(60, 60, 60, 2, 2, 2);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_error err = {0};

    for (int64_t z = 0, i = 0; z < 60; z++)
        for (int64_t y = 0; y < 60; y++)
            for (int64_t x = 0; x < 60; x++, i++) {
                int64_t d2 = (x - 30) * (x - 30) + (y - 30) * (y - 30) + (z - 30) * (z - 30);
                image->voxel[i] = d2 < 15 * 15 ? 100 : 1; /* 30 mm: 113 ml */
            }
    ok_int(extract_code(image, &err), NP_EMETHOD);
    ok_contains(err.text, "expected 300 to 2500 ml");
}

TEST(a_signal_stops_it)
{
    NP_AUTO(head_done) struct head head = draw_head(&T1W, 45, 54, 45, 4, 4, 4, 15);
    struct np_brain_options options = np_brain_defaults(NP_CONTRAST_T1W, NULL);
    const struct np_cancel cancel = {.signal = 15};
    const struct np_exec exec = {.cancel = &cancel};
    struct np_mask *mask = NULL;

    ok_int(np_brain_extract(head.image, &options, &exec, &mask, NULL, NULL), NP_ECANCELED);
    ok(mask == NULL);
}

TEST(each_allocation_that_fails_is_reported_and_leaves_the_outputs_alone)
{
    /* A small ball, hardly any iterations: no brain in the end, and that is fine here. */
    struct np_grid grid = np_grid_make(20, 20, 20, 3, 3, 3);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_brain_options options = np_brain_defaults(NP_CONTRAST_T1W, NULL);
    int code = NP_ENOMEM, n = 0;

    for (int64_t i = 0; i < 8000; i++) {
        int64_t x = i % 20 - 10, y = i / 20 % 20 - 10, z = i / 400 - 10;
        image->voxel[i] = x * x + y * y + z * z < 64 ? 100 : 1;
    }
    options.effort = 0.01;
    while (code == NP_ENOMEM && n < 500) {
        NP_AUTO(np_mask_freep) struct np_mask *mask = NULL;
        struct np_error err = {0};
        np_alloc_fail_at(++n);
        code = np_brain_extract(image, &options, NULL, &mask, NULL, &err);
        np_alloc_fail_at(0);
        ok(mask == NULL);
        if (code == NP_ENOMEM)
            ok_contains(err.text, "memory");
        else
            ok_contains(err.text, "expected 300 to 2500 ml");
    }
    ok_int(code, NP_EMETHOD);
    ok_above(n, 30, "allocations");
}

TAP_MAIN
