/* Where the network finds the brain of drawn heads, and what does not change its answer. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "ops/prior.h"
#include "synth/heads.h"
#include "tap.h"

/* A synthetic head with its brain, in voxels of so many mm; `share` of its field of view. */
static void draw_part(const char *name, double mm, double share, struct np_synth_head *head)
{
    struct np_synth_options options = np_synth_case_find(name)->options;

    for (int i = 0; i < 3; i++) {
        double extent_mm = (double)options.shape[i] * options.spacing_mm[i];
        options.shape[i] = (int64_t)(share * extent_mm / mm);
        options.spacing_mm[i] = mm;
    }
    ok_int(np_synth_head(&options, NULL, head, NULL), 0);
}

static void draw(const char *name, struct np_synth_head *head)
{
    draw_part(name, 2.5, 1, head);
}

/* Dice coefficient of the brain and the places with a distance below 1 mm. */
static double agreement(const struct np_prior *prior, const struct np_mask *brain, int64_t shift)
{
    const struct np_grid *grid = &brain->grid;
    int64_t both = 0, sum = 0;

    for (int64_t z = 0, i = 0; z < grid->n[2]; z++)
        for (int64_t y = 0; y < grid->n[1]; y++)
            for (int64_t x = 0; x < grid->n[0]; x++, i++) {
                const int64_t at[3] = {x + shift, y + shift, z + shift};
                double mm[3];
                for (int a = 0; a < 3; a++)
                    mm[a] = ((double)at[a] + 0.5) * grid->spacing_mm[a];
                int inside = np_prior_at(prior, mm) < 1;
                both += inside & brain->voxel[i];
                sum += inside + brain->voxel[i];
            }
    return 2 * (double)both / (double)sum;
}

TEST(heads_of_many_kinds_are_found_within_a_few_millimetres)
{
    static const struct {
        const char *name;
        double least; /* as measured, less 0.01: the drawing is not the one that was learned */
    } heads[] = {{"Child", 0.92}, {"Atrophy", 0.91}, {"Gadolinium", 0.84}, {"WideNeck", 0.91}};
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(2);
    const struct np_exec exec = {.team = team};

    for (size_t i = 0; i < NP_COUNT(heads); i++) {
        NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
        NP_AUTO(np_prior_done) struct np_prior prior = {0};
        draw(heads[i].name, &head);
        ok_int(np_prior_make(head.image, &exec, &prior, NULL), 0);
        ok_above(agreement(&prior, head.brain, 0), heads[i].least, heads[i].name);
        ok_above(prior.far_share, 0.2, "share far outside: scalp, face and neck");
    }
}

static void enlarge(struct np_grid *grid, double factor)
{
    for (int a = 0; a < 3; a++) {
        grid->spacing_mm[a] *= factor;
        for (int b = 0; b < 4; b++)
            grid->world_from_voxel.m[a][b] *= factor;
    }
}

TEST(a_head_larger_than_those_that_were_learned_is_found_too)
{
    static const double factor = 1.35; /* 2.7 l of brain */
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_prior_done) struct np_prior usual = {0};
    NP_AUTO(np_prior_done) struct np_prior huge = {0};

    draw("Tilted", &head);
    ok_int(np_prior_make(head.image, NULL, &usual, NULL), 0);
    double usual_agreement = agreement(&usual, head.brain, 0);
    enlarge(&head.image->grid, factor);
    enlarge(&head.brain->grid, factor);
    ok_int(np_prior_make(head.image, NULL, &huge, NULL), 0);
    ok_near(usual.distance_mm->grid.spacing_mm[0], 4, 0, "mm");
    ok_above(huge.distance_mm->grid.spacing_mm[0], 4, "mm");
    ok_above(agreement(&huge, head.brain, 0), usual_agreement - 0.015, "Dice");
}

TEST(a_brain_without_skull_has_next_to_nothing_far_outside)
{
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_prior_done) struct np_prior prior = {0};

    draw("Tilted", &head);
    for (size_t i = 0; i < np_grid_voxels(&head.image->grid); i++)
        head.image->voxel[i] *= head.brain->voxel[i];
    ok_int(np_prior_make(head.image, NULL, &prior, NULL), 0);
    ok_below(prior.far_share, 0.03, "share far outside");
    ok_above(agreement(&prior, head.brain, 0), 0.92, "Dice");
}

/* `image` with `margin` voxels of 0 around. */
static struct np_image *pad(const struct np_image *image, int64_t margin)
{
    const int64_t *n = image->grid.n;
    struct np_grid grid =
        np_grid_make(n[0] + 2 * margin, n[1] + 2 * margin, n[2] + 2 * margin, 2.5, 2.5, 2.5);
    struct np_image *padded = np_image_new(&grid);

    for (int64_t z = 0; z < n[2]; z++)
        for (int64_t y = 0; y < n[1]; y++)
            memcpy(padded->voxel + ((z + margin) * grid.n[1] + y + margin) * grid.n[0] + margin,
                   image->voxel + (z * n[1] + y) * n[0], (size_t)n[0] * sizeof(float));
    return padded;
}

TEST(neither_air_around_nor_the_scale_matters)
{
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_prior_done) struct np_prior prior = {0}, scaled = {0};

    draw("Child", &head);
    NP_AUTO(np_image_freep) struct np_image *padded = pad(head.image, 24); /* 60 mm */
    ok_int(np_prior_make(padded, NULL, &prior, NULL), 0);
    ok_above(agreement(&prior, head.brain, 24), 0.92, "Dice with 60 mm of zeros around");
    for (size_t i = 0; i < np_grid_voxels(&padded->grid); i++)
        padded->voxel[i] *= 1024;
    ok_int(np_prior_make(padded, NULL, &scaled, NULL), 0);
    ok(memcmp(prior.distance_mm->voxel, scaled.distance_mm->voxel,
              np_grid_voxels(&prior.distance_mm->grid) * sizeof(float)) == 0);
}

TEST(any_number_of_threads_gives_the_same_bytes)
{
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_prior_done) struct np_prior one = {0}, three = {0};
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(3);
    const struct np_exec exec = {.team = team};

    draw("CoilBias", &head);
    ok_int(np_prior_make(head.image, NULL, &one, NULL), 0);
    ok_int(np_prior_make(head.image, &exec, &three, NULL), 0);
    ok(memcmp(one.distance_mm->voxel, three.distance_mm->voxel,
              np_grid_voxels(&one.distance_mm->grid) * sizeof(float)) == 0);
    ok(one.far_share == three.far_share && one.brain_mm3 == three.brain_mm3);
}

TEST(what_has_no_contrast_holds_no_brain)
{
    struct np_grid grid = np_grid_make(40, 40, 40, 4, 4, 4);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    NP_AUTO(np_prior_done) struct np_prior prior = {0};
    struct np_error err = {0};

    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        image->voxel[i] = 7;
    ok_int(np_prior_make(image, NULL, &prior, &err), NP_EMETHOD);
    ok_contains(err.text, "no brain found");
    ok(prior.distance_mm == NULL);
}

TEST(each_allocation_that_fails_is_reported_as_such)
{
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    int code = NP_ENOMEM, n = 0;
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(2);
    const struct np_exec exec = {.team = team};

    draw_part("Child", 5, 0.5, &head); /* as many allocations as of a whole head */
    while (code == NP_ENOMEM && n < 200) {
        NP_AUTO(np_prior_done) struct np_prior prior = {0};
        struct np_error err = {0};
        np_alloc_fail_at(++n);
        code = np_prior_make(head.image, &exec, &prior, &err);
        np_alloc_fail_at(0);
        ok((prior.distance_mm != NULL) == (code == 0));
        if (code)
            ok_contains(err.text, "memory");
    }
    ok_int(code, 0);
    ok_above(n, 20, "allocations");
}

TEST(a_signal_stops_it)
{
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_prior_done) struct np_prior prior = {0};
    const struct np_cancel cancel = {.signal = 15};
    const struct np_exec exec = {.cancel = &cancel};

    draw("Child", &head);
    ok_int(np_prior_make(head.image, &exec, &prior, NULL), NP_ECANCELED);
}

TAP_MAIN
