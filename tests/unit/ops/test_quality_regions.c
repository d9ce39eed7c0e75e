/* The regions of an image: of boxes that are drawn here, and of heads beside MRIQC's functions. */
#include "ops/quality_regions.h"

#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "ops/quality_mriqc.h"
#include "ops/quality_scenes.h"
#include "tap.h"

enum { SIDE = 40, N_VOXELS = SIDE * SIDE * SIDE };
static const struct np_hat_planes PLANES = {SIDE / 2, 10, 20};

struct box {
    struct np_image *source;
    struct np_mask *head, *brain;
    uint8_t region[N_VOXELS];
};

static void box_done(struct box *box)
{
    np_image_freep(&box->source);
    np_mask_freep(&box->head);
    np_mask_freep(&box->brain);
}

static int at(int x, int y, int z)
{
    return (z * SIDE + y) * SIDE + x;
}

static void fill(struct box *box, const int from[3], const int end[3], float value)
{
    for (int z = from[2]; z < end[2]; z++)
        for (int y = from[1]; y < end[1]; y++)
            for (int x = from[0]; x < end[0]; x++)
                box->source->voxel[at(x, y, z)] = value;
}

/* A head of 1000 in the first 12 of x; air of 1 to 21 elsewhere. Its median is 11, the median
 * distance to it 5: ten robust standard deviations are 74. */
static void box_make(struct box *box)
{
    const struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 1, 1, 3);
    struct np_random random;

    np_random_seed(&random, 4, 0);
    box->source = np_image_new(&grid);
    box->head = np_mask_new(&grid);
    box->brain = np_mask_new(&grid);
    for (int i = 0; i < N_VOXELS; i++) {
        box->head->voxel[i] = i % SIDE < 12;
        box->brain->voxel[i] = i % SIDE < 6;
        box->source->voxel[i] =
            box->head->voxel[i] ? 1000 : (float)(1 + 20 * np_random_uniform(&random));
    }
}

static int64_t count(const struct box *box, int bit)
{
    int64_t n = 0;

    for (int i = 0; i < N_VOXELS; i++)
        n += (box->region[i] & bit) != 0;
    return n;
}

static void find(struct box *box)
{
    struct np_error err = {0};

    ok_int(np_quality_regions(box->source, box->head, box->brain, &PLANES, NULL, box->region, &err),
           0);
}

TEST(the_hat_is_what_is_high_and_not_head)
{
    NP_AUTO(box_done) struct box box = {0};

    box_make(&box);
    find(&box);
    ok_int(count(&box, NP_REGION_HEAD), 12 * SIDE * SIDE);
    ok_int(count(&box, NP_REGION_BRAIN), 6 * SIDE * SIDE);
    ok_int(count(&box, NP_REGION_HAT), 28 * SIDE / 2 * (30 + 20));
    ok(box.region[at(20, 5, 10)] == NP_REGION_HAT && box.region[at(20, 5, 9)] == 0);
    ok(box.region[at(20, 25, 20)] == NP_REGION_HAT && box.region[at(20, 25, 19)] == 0);
    ok_int(count(&box, NP_REGION_ARTIFACT), 0);
    ok_int(count(&box, NP_REGION_FRAME), 0);
}

TEST(a_bright_block_in_the_air_is_an_artifact)
{
    NP_AUTO(box_done) struct box box = {0};

    box_make(&box);
    fill(&box, (const int[]){30, 5, 30}, (const int[]){34, 9, 34}, 90);
    find(&box);
    /* Without its 8 corners and the 2 inner voxels of its 12 edges, which no opening with faces'
     * neighbours reaches. */
    ok_int(count(&box, NP_REGION_ARTIFACT), 64 - 8 - 24);
    ok(box.region[at(31, 6, 31)] == (NP_REGION_HAT | NP_REGION_ARTIFACT));
}

TEST(what_is_no_artifact)
{
    NP_AUTO(box_done) struct box box = {0};

    box_make(&box);
    /* too dark; at the head, nearer than a tenth of 28 voxels; below the hat; alone */
    fill(&box, (const int[]){30, 5, 30}, (const int[]){34, 9, 34}, 60);
    fill(&box, (const int[]){12, 5, 30}, (const int[]){14, 30, 38}, 500);
    fill(&box, (const int[]){30, 30, 5}, (const int[]){38, 38, 15}, 500);
    box.source->voxel[at(25, 20, 35)] = 5000;
    find(&box);
    ok_int(count(&box, NP_REGION_ARTIFACT), 0);
}

TEST(zeros_at_a_side_are_the_frame)
{
    NP_AUTO(box_done) struct box box = {0};

    box_make(&box);
    fill(&box, (const int[]){36, 0, 0}, (const int[]){40, 40, 40}, 0);
    fill(&box, (const int[]){20, 10, 5}, (const int[]){30, 11, 15}, 0); /* one voxel thin */
    box.source->voxel[at(20, 20, 20)] = 0;
    find(&box);
    ok_int(count(&box, NP_REGION_FRAME), 4 * SIDE * SIDE);
    ok(box.region[at(36, 5, 30)] == (NP_REGION_FRAME | NP_REGION_HAT));
}

TEST(the_frame_has_two_components_at_most)
{
    NP_AUTO(box_done) struct box box = {0};

    box_make(&box);
    fill(&box, (const int[]){20, 5, 5}, (const int[]){30, 15, 15}, 0);
    fill(&box, (const int[]){20, 25, 5}, (const int[]){30, 34, 15}, -1);
    fill(&box, (const int[]){20, 5, 25}, (const int[]){28, 15, 34}, 0);
    find(&box);
    /* An opening with faces' and edges' neighbours takes the 8 corners of a block. */
    ok_int(count(&box, NP_REGION_FRAME), 1000 - 8 + 900 - 8);
    fill(&box, (const int[]){20, 5, 5}, (const int[]){30, 34, 34}, 9);
    fill(&box, (const int[]){20, 5, 5}, (const int[]){27, 12, 12}, 0);
    find(&box);
    ok_int(count(&box, NP_REGION_FRAME), 0); /* 343 voxels are too few */
}

TEST(unusable_input_is_refused)
{
    NP_AUTO(box_done) struct box box = {0};
    struct np_error size = {0}, empty = {0}, stopped = {0};
    struct np_cancel cancel = {2};
    const struct np_exec exec = {NULL, &cancel};

    box_make(&box);
    box.head->grid.n[0] = SIDE - 1;
    ok_int(np_quality_regions(box.source, box.head, box.brain, &PLANES, NULL, box.region, &size),
           NP_EGEOMETRY);
    box.head->grid.n[0] = SIDE;
    ok_int(
        np_quality_regions(box.source, box.head, box.brain, &PLANES, &exec, box.region, &stopped),
        NP_ECANCELED);
    memset(box.brain->voxel, 0, N_VOXELS);
    ok_int(np_quality_regions(box.source, box.head, box.brain, &PLANES, NULL, box.region, &empty),
           NP_EDOMAIN);
}

TEST(each_request_for_memory_may_fail)
{
    NP_AUTO(box_done) struct box box = {0};
    int64_t n = 0;
    int code;

    box_make(&box);
    fill(&box, (const int[]){36, 0, 0}, (const int[]){40, 40, 40}, 0);
    fill(&box, (const int[]){30, 5, 30}, (const int[]){34, 9, 34}, 90);
    do {
        struct np_error err = {0};
        np_alloc_fail_at(++n);
        code = np_quality_regions(box.source, box.head, box.brain, &PLANES, NULL, box.region, &err);
        np_alloc_fail_at(0);
        ok(code == 0 || code == NP_ENOMEM);
    } while (code != 0);
    ok_above(n, 8, "requests");
}

static double mriqc_count(const char *scene, const char *key)
{
    for (size_t i = 0; i < NP_COUNT(MRIQC_VALUES); i++)
        if (!strcmp(MRIQC_VALUES[i].scene, scene) && !strcmp(MRIQC_VALUES[i].key, key))
            return MRIQC_VALUES[i].value;
    return -1;
}

TEST(regions_are_those_of_mriqcs_functions_for_any_number_of_threads)
{
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_exec exec = {team, NULL};

    for (size_t s = 0; s < NP_COUNT(QUALITY_SCENES); s++) {
        NP_AUTO(quality_scene_done) struct quality_scene scene = {0};
        struct np_error err = {0};
        const char *name = QUALITY_SCENES[s].name;
        int64_t n_artifact = 0, n_frame = 0;
        ok_int(quality_scene_make(&QUALITY_SCENES[s], &scene, &err), 0);
        size_t n = np_grid_voxels(&scene.corrected->grid);
        NP_AUTO(np_freep) uint8_t *alone = np_xcalloc(n, 1);
        NP_AUTO(np_freep) uint8_t *many = np_xcalloc(n, 1);
        ok_int(quality_scene_ruled(&scene, NULL, alone, &err), 0);
        ok_int(quality_scene_ruled(&scene, &exec, many, &err), 0);
        ok(memcmp(alone, many, n) == 0);
        for (size_t i = 0; i < n; i++) {
            n_artifact += (alone[i] & NP_REGION_ARTIFACT) != 0;
            n_frame += (alone[i] & NP_REGION_FRAME) != 0;
        }
        ok_near((double)n_artifact, mriqc_count(name, "n_artifact"), 0.001 * (double)n_artifact,
                name);
        ok_near((double)n_frame, mriqc_count(name, "n_frame"), 0, name);
    }
}

TAP_MAIN
