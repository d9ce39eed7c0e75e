/* Shares of three tissues, on images whose tissues are known. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "ops/tissue.h"
#include "tap.h"

enum { SIDE = 40 };
static const double RADIUS[NP_N_TISSUES] = {17, 14, 10}; /* of nested balls: fluid, grey, white */
static const double LEVEL[NP_N_TISSUES] = {300, 700, 1000};

struct scene {
    struct np_image *image;
    struct np_mask *mask;
    float *share[NP_N_TISSUES]; /* the truth */
};

static void scene_done(struct scene *scene)
{
    np_image_freep(&scene->image);
    np_mask_freep(&scene->mask);
    for (int k = 0; k < NP_N_TISSUES; k++)
        np_freep(&scene->share[k]);
}

/* The share of a voxel inside a ball, when its border is a plane for the voxel. */
static double covered(double distance, double radius)
{
    return fmin(fmax(radius - distance + 0.5, 0), 1);
}

static void set_voxel(struct scene *scene, size_t i, double distance, double noise)
{
    double inner = covered(distance, RADIUS[NP_TISSUE_WM]);
    double middle = covered(distance, RADIUS[NP_TISSUE_GM]);

    scene->share[NP_TISSUE_WM][i] = (float)inner;
    scene->share[NP_TISSUE_GM][i] = (float)(middle - inner);
    scene->share[NP_TISSUE_CSF][i] = (float)(1 - middle);
    scene->mask->voxel[i] = distance < RADIUS[NP_TISSUE_CSF];
    for (int k = 0; k < NP_N_TISSUES; k++)
        scene->image->voxel[i] += scene->share[k][i] * (float)LEVEL[k];
    scene->image->voxel[i] += (float)noise;
}

static struct scene draw(double noise_sd)
{
    struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 1, 1, 1);
    struct scene scene = {.image = np_image_new(&grid), .mask = np_mask_new(&grid)};
    struct np_random random;

    np_random_seed(&random, 11, 0);
    for (int k = 0; k < NP_N_TISSUES; k++)
        scene.share[k] = np_xcalloc(np_grid_voxels(&grid), sizeof(float));
    for (int z = 0, i = 0; z < SIDE; z++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++, i++) {
                double d[3] = {x - 0.5 * SIDE, y - 0.5 * SIDE, z - 0.5 * SIDE};
                set_voxel(&scene, (size_t)i, sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]),
                          noise_sd * np_random_normal(&random));
            }
    return scene;
}

/* The mean error of the shares in the mask. Outside they are 0; inside their sum is 1. */
static void ok_found(const struct scene *scene, const struct np_tissue *found, double mean_error)
{
    size_t n = np_grid_voxels(&scene->image->grid);
    NP_AUTO(np_freep) float *share = np_xcalloc(n, sizeof(*share));
    NP_AUTO(np_freep) float *sum = np_xcalloc(n, sizeof(*sum));
    double error = 0, n_inside = 0, wrong_sum = 0;

    for (int k = 0; k < NP_N_TISSUES; k++) {
        np_tissue_shares(found, (enum np_tissue_class)k, NULL, share);
        for (size_t i = 0; i < n; i++) {
            sum[i] += share[i];
            if (scene->mask->voxel[i])
                error += fabs((double)share[i] - (double)scene->share[k][i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        n_inside += scene->mask->voxel[i];
        wrong_sum = fmax(wrong_sum, fabs((double)sum[i] - scene->mask->voxel[i]));
    }
    ok_below(wrong_sum, 1e-6, "sums of the shares");
    ok_below(error / n_inside, mean_error, "error of the shares");
}

TEST(means_and_shares_are_those_of_the_drawing)
{
    static const double sd = 35;
    NP_AUTO(scene_done) struct scene scene = draw(sd);
    NP_AUTO(np_tissue_done) struct np_tissue found = {0};

    ok_int(np_tissue_classify(scene.image, scene.mask, NP_CONTRAST_T1W, NULL, &found, NULL), 0);
    for (int k = 0; k < NP_N_TISSUES; k++) {
        ok_near(found.mean[k], LEVEL[k], 12, "mean");
        ok_near(found.sd[k], sd, 10, "sd");
    }
    ok_found(&scene, &found, 0.12);
}

TEST(in_t2w_fluid_is_the_brightest)
{
    NP_AUTO(scene_done) struct scene scene = draw(20);
    NP_AUTO(np_tissue_done) struct np_tissue found = {0};

    for (size_t i = 0; i < np_grid_voxels(&scene.image->grid); i++)
        scene.image->voxel[i] = 1300 - scene.image->voxel[i];
    ok_int(np_tissue_classify(scene.image, scene.mask, NP_CONTRAST_T2W, NULL, &found, NULL), 0);
    for (int k = 0; k < NP_N_TISSUES; k++)
        ok_near(found.mean[k], 1300 - LEVEL[k], 12, "mean");
    ok_found(&scene, &found, 0.12);
}

TEST(volumes_are_sums_of_shares_and_labels_are_the_largest)
{
    NP_AUTO(scene_done) struct scene scene = draw(20);
    NP_AUTO(np_tissue_done) struct np_tissue found = {0};
    size_t n = np_grid_voxels(&scene.image->grid);
    NP_AUTO(np_freep) uint8_t *label = np_xcalloc(n, 1);
    double truth[NP_N_TISSUES] = {0};
    int centre = (SIDE / 2 * SIDE + SIDE / 2) * SIDE + SIDE / 2;

    ok_int(np_tissue_classify(scene.image, scene.mask, NP_CONTRAST_T1W, NULL, &found, NULL), 0);
    np_tissue_labels(&found, NULL, label);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < NP_N_TISSUES; k++)
            truth[k] += scene.mask->voxel[i] ? (double)scene.share[k][i] : 0;
    for (int k = 0; k < NP_N_TISSUES; k++)
        ok_near(found.mm3[k] / truth[k], 1, 0.05, "volume");
    ok_int(label[centre], 2);
    ok_int(label[centre + 12], 1);
    ok_int(label[centre + 16], 3);
    ok_int(label[0], 0);
}

TEST(any_number_of_threads_gives_the_same_bytes)
{
    NP_AUTO(scene_done) struct scene scene = draw(60);
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_exec exec = {.team = team};
    NP_AUTO(np_tissue_done) struct np_tissue one = {0};
    NP_AUTO(np_tissue_done) struct np_tissue three = {0};

    ok_int(np_tissue_classify(scene.image, scene.mask, NP_CONTRAST_T1W, NULL, &one, NULL), 0);
    ok_int(np_tissue_classify(scene.image, scene.mask, NP_CONTRAST_T1W, &exec, &three, NULL), 0);
    for (int k = 0; k < NP_N_TISSUES; k++)
        ok(memcmp(one.share[k], three.share[k], (size_t)(one.n[0] * one.n[1] * one.n[2])) == 0);
}

TEST(what_has_no_three_tissues_is_an_error)
{
    NP_AUTO(scene_done) struct scene scene = draw(0);
    struct np_tissue found = {.n_iterations = -1};
    struct np_error err = {0};

    for (size_t i = 0; i < np_grid_voxels(&scene.image->grid); i++)
        scene.image->voxel[i] = 5;
    ok_int(np_tissue_classify(scene.image, scene.mask, NP_CONTRAST_T1W, NULL, &found, &err),
           NP_EMETHOD);
    ok_contains(err.text, "one intensity, 5");
    memset(scene.mask->voxel, 0, np_grid_voxels(&scene.mask->grid));
    ok_int(np_tissue_classify(scene.image, scene.mask, NP_CONTRAST_T1W, NULL, &found, NULL),
           NP_EDOMAIN);
    ok_int(found.n_iterations, -1);
}

TEST(memory_and_signals)
{
    NP_AUTO(scene_done) struct scene scene = draw(20);
    const struct np_cancel cancel = {.signal = 15};
    const struct np_exec exec = {.cancel = &cancel};
    int code = NP_ENOMEM, n = 0;

    while (code == NP_ENOMEM && n < 100) {
        NP_AUTO(np_tissue_done) struct np_tissue found = {0};
        struct np_error err = {0};
        np_alloc_fail_at(++n);
        code = np_tissue_classify(scene.image, scene.mask, NP_CONTRAST_T1W, NULL, &found, &err);
        np_alloc_fail_at(0);
        if (code == NP_ENOMEM)
            ok_contains(err.text, "memory");
    }
    ok_int(code, 0);
    ok_above(n, 7, "allocations");
    struct np_tissue found = {0};
    ok_int(np_tissue_classify(scene.image, scene.mask, NP_CONTRAST_T1W, &exec, &found, NULL),
           NP_ECANCELED);
}

TAP_MAIN
