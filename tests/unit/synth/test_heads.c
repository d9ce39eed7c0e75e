/* The named heads, and the features that they combine. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "draw.h"
#include "synth/heads.h"

/* Without what the features add. */
static struct np_synth_options plain(uint64_t seed)
{
    struct np_synth_options options = coarse(seed);

    options.atrophy = options.bias_percent = options.noise_percent = 0;
    return options;
}

/* A named head, at least 3 mm a voxel. */
static struct np_synth_head draw_named(const char *name)
{
    struct np_synth_options options = np_synth_case_find(name)->options;

    for (int i = 0; i < 3; i++) {
        double coarser = fmax(options.spacing_mm[i], COARSE_MM);
        options.shape[i] = (int64_t)((double)options.shape[i] * options.spacing_mm[i] / coarser);
        options.spacing_mm[i] = coarser;
    }
    return draw(&options);
}

static double brain_ml(const struct np_synth_head *head)
{
    return (double)np_mask_count(head->brain) * np_grid_voxel_mm3(&head->brain->grid) / 1000;
}

/* Voxels of a label, all of them or those within the brain mask. */
static int64_t count(const struct np_synth_head *head, enum np_synth_label label, int least_mask)
{
    int64_t n = 0;

    for (size_t i = 0; i < n_voxels(head); i++)
        n += head->label[i] == label && head->brain->voxel[i] >= least_mask;
    return n;
}

TEST(names_are_file_names_and_unique)
{
    for (int i = 0; i < NP_SYNTH_N_CASES; i++) {
        const struct np_synth_case *one = &np_synth_cases[i];
        int64_t n_odd = 0;
        for (const char *c = one->name; *c; c++)
            n_odd += !isalnum((unsigned char)*c);
        ok_int(n_odd, 0);
        ok(np_synth_case_find(one->name) == one);
        ok_above((double)strlen(one->sentence), 20, "letters of what it shows");
        for (int j = 0; j < i; j++)
            ok(np_synth_cases[j].options.seed != one->options.seed);
    }
    ok(!np_synth_case_find("Nobody"));
}

TEST(the_hardest_heads_have_whole_brains_of_plausible_size)
{
    static const char *const NAMES[] = {"WideNeck", "Tilted", "Gadolinium", "BrightDura"};

    for (size_t i = 0; i < NP_COUNT(NAMES); i++) {
        NP_AUTO(np_synth_head_done) struct np_synth_head head = draw_named(NAMES[i]);
        int64_t foreign = 0, out = 0, grey = count(&head, NP_SYNTH_GREY, 0);
        for (size_t v = 0; v < n_voxels(&head); v++)
            foreign += head.brain->voxel[v] && head.label[v] < NP_SYNTH_BLOOD;
        out = grey - count(&head, NP_SYNTH_GREY, 1);
        ok_above(brain_ml(&head), 1000, "brain, ml");
        ok_below(brain_ml(&head), 1700, "brain, ml");
        /* A voxel of 3 mm on the border may be half brain and yet mostly dura. */
        ok_below((double)foreign, 1e-2 * (double)np_mask_count(head.brain), "dura in the mask");
        ok_below((double)out, 3e-3 * (double)grey, "grey matter outside the mask");
    }
}

TEST(a_turned_head_is_the_same_head)
{
    struct np_synth_options options = plain(21);
    NP_AUTO(np_synth_head_done) struct np_synth_head upright = draw(&options);

    options.tilt_deg[0] = -24;
    options.tilt_deg[2] = 10;
    NP_AUTO(np_synth_head_done) struct np_synth_head turned = draw(&options);
    /* The stem is cut in the head's own axes; the mask's border falls differently on the voxels. */
    ok_near(brain_ml(&turned) / brain_ml(&upright), 1, 0.005, "volume, relative");
    ok(n_voxels(&turned) != n_voxels(&upright));
}

TEST(an_oblique_grid_has_the_same_voxels_and_an_oblique_affine)
{
    struct np_synth_options options = plain(22);
    NP_AUTO(np_synth_head_done) struct np_synth_head straight = draw(&options);

    options.oblique_deg[0] = 18;
    options.oblique_deg[1] = -7;
    NP_AUTO(np_synth_head_done) struct np_synth_head oblique = draw(&options);
    ok(memcmp(straight.image->voxel, oblique.image->voxel, n_voxels(&straight) * sizeof(float)) ==
       0);
    ok(np_grid_same(&oblique.image->grid, &oblique.brain->grid));
    ok(!np_grid_same(&oblique.image->grid, &straight.image->grid));
    const struct np_affine *world = &oblique.image->grid.world_from_voxel;
    ok_near(np_affine_determinant(world), 27, 1e-9, "mm³ a voxel");
    /* The slices' direction leans back by 18° and sideways by 7°. */
    ok_near(world->m[2][2] / 3, cos(18 * M_PI / 180) * cos(7 * M_PI / 180), 1e-12, "cosine");
}

TEST(a_cropped_image_ends_within_the_brain)
{
    struct np_synth_options options = plain(23);
    NP_AUTO(np_synth_head_done) struct np_synth_head whole = draw(&options);

    options.crop_top_mm = 12;
    options.neck_mm = -12;
    NP_AUTO(np_synth_head_done) struct np_synth_head cropped = draw(&options);
    size_t slice = (size_t)(cropped.brain->grid.n[0] * cropped.brain->grid.n[1]);
    int64_t top = 0, bottom = 0;
    for (size_t i = 0; i < slice; i++) {
        top += cropped.brain->voxel[n_voxels(&cropped) - 1 - i];
        bottom += cropped.brain->voxel[i];
    }
    ok_above((double)top * 0.09, 15, "brain in the top slice, cm²");
    ok_above((double)bottom * 0.09, 5, "brain in the lowest slice, cm²");
    ok_below(brain_ml(&cropped), 0.98 * brain_ml(&whole), "brain, ml");
}

TEST(shoulders_widen_the_lowest_slice)
{
    struct np_synth_options options = plain(24);

    options.neck_mm = 150;
    options.shape[0] = 100;
    options.shape[1] = 80;
    options.shape[2] = 96;
    NP_AUTO(np_synth_head_done) struct np_synth_head neck = draw(&options);
    options.shoulder_mm = 190;
    NP_AUTO(np_synth_head_done) struct np_synth_head shoulders = draw(&options);
    int64_t n_neck = 0, n_shoulders = 0;
    for (size_t i = 0; i < 100 * 80; i++) {
        n_neck += neck.label[i] != NP_SYNTH_AIR;
        n_shoulders += shoulders.label[i] != NP_SYNTH_AIR;
    }
    ok_above((double)n_neck, 600, "voxels of neck");
    ok_above((double)n_shoulders, 2 * (double)n_neck, "voxels of shoulders");
    ok_near(brain_ml(&shoulders), brain_ml(&neck), 1e-9, "brain, ml");
}

TEST(each_thickness_option_changes_its_layer)
{
    struct np_synth_options options = plain(25);

    for (int i = 0; i < 3; i++)
        options.spacing_mm[i] = 1.5; /* one sample a voxel, so that labels are exact */
    options.skull_mm = 4;
    options.fat_mm = 3;
    NP_AUTO(np_synth_head_done) struct np_synth_head thin = draw(&options);
    options.skull_mm = 9;
    options.fat_mm = 12;
    options.dura_mm = 2.5;
    options.csf_gap_mm = 4;
    options.nerve_mm = 4;
    NP_AUTO(np_synth_head_done) struct np_synth_head thick = draw(&options);
    ok_above((double)count(&thick, NP_SYNTH_MARROW, 0),
             2 * (double)count(&thin, NP_SYNTH_MARROW, 0), "marrow");
    ok_above((double)count(&thick, NP_SYNTH_FAT, 0), 2 * (double)count(&thin, NP_SYNTH_FAT, 0),
             "fat");
    ok_above((double)count(&thick, NP_SYNTH_DURA, 0), 2 * (double)count(&thin, NP_SYNTH_DURA, 0),
             "dura");
    ok_above((double)count(&thick, NP_SYNTH_NERVE, 0), 20, "optic nerves, voxels");
    ok_int(count(&thick, NP_SYNTH_NERVE, 1), 0);
    ok_int(count(&thick, NP_SYNTH_DURA, 1), 0);
    ok_near(brain_ml(&thick), brain_ml(&thin), 1e-9, "brain, ml");
}

TEST(lesions_and_veins_are_part_of_the_brain_and_leave_its_truth_alone)
{
    struct np_synth_options options = plain(26);

    options.level[NP_SYNTH_LESION] = 333;
    NP_AUTO(np_synth_head_done) struct np_synth_head sound = draw(&options);
    options.n_lesions = 10;
    options.lesion_mm = 18;
    options.vein_mm = 1.5;
    NP_AUTO(np_synth_head_done) struct np_synth_head ill = draw(&options);
    ok_int(count(&sound, NP_SYNTH_LESION, 0), 0);
    ok_above((double)count(&ill, NP_SYNTH_LESION, 1), 300, "voxels of lesion");
    ok_int(count(&ill, NP_SYNTH_LESION, 0) - count(&ill, NP_SYNTH_LESION, 1), 0);
    ok_above((double)count(&ill, NP_SYNTH_BLOOD, 0), (double)count(&sound, NP_SYNTH_BLOOD, 0),
             "voxels of blood");
    ok(memcmp(sound.brain->voxel, ill.brain->voxel, n_voxels(&sound)) == 0);
    int64_t n_level = 0;
    for (size_t i = 0; i < n_voxels(&ill); i++)
        n_level += ill.image->voxel[i] == 333;
    ok_above((double)n_level, 200, "voxels at the level asked for");
}

TEST(a_ghost_is_a_copy_half_the_image_away)
{
    struct np_synth_options options = plain(27);
    NP_AUTO(np_synth_head_done) struct np_synth_head clean = draw(&options);

    options.ghost_percent = 20;
    NP_AUTO(np_synth_head_done) struct np_synth_head ghosted = draw(&options);
    int64_t nx = clean.image->grid.n[0], ny = clean.image->grid.n[1], nz = clean.image->grid.n[2];
    double worst = 0;
    for (int64_t z = 0; z < nz; z++)
        for (int64_t y = 0; y < ny; y++)
            for (int64_t x = 0; x < nx; x++) {
                const float *row = clean.image->voxel + z * ny * nx + x;
                double expected = row[y * nx] + 0.2 * row[(y + ny / 2) % ny * nx];
                double found = ghosted.image->voxel[(z * ny + y) * nx + x];
                worst = fmax(worst, fabs(found - expected));
            }
    ok_below(worst, 0.01, "difference, of 1000: single precision");
}

TEST(cutting_k_space_off_rings_and_keeps_the_sum)
{
    struct np_synth_options options = plain(28);
    NP_AUTO(np_synth_head_done) struct np_synth_head clean = draw(&options);

    options.kspace_share = 1;
    NP_AUTO(np_synth_head_done) struct np_synth_head whole = draw(&options);
    options.kspace_share = 0.5;
    NP_AUTO(np_synth_head_done) struct np_synth_head ringing = draw(&options);
    double worst = 0, sum = 0, ringing_sum = 0, rings = 0;
    for (size_t i = 0; i < n_voxels(&clean); i++) {
        worst = fmax(worst, fabs((double)whole.image->voxel[i] - clean.image->voxel[i]));
        sum += clean.image->voxel[i];
        ringing_sum += ringing.image->voxel[i];
        if (clean.image->voxel[i] == 0)
            rings = fmax(rings, ringing.image->voxel[i]);
    }
    ok_below(worst, 0.01, "all of k-space changes nothing");
    /* The magnitude of what rings below 0 adds to it. */
    ok_near(ringing_sum / sum, 1, 0.05, "sum, relative");
    /* A step of 1300 (fat) overshoots by 9 %, seen at whole voxels. */
    ok_above(rings, 60, "ringing in the air");
}

TEST(every_allocation_of_a_ringing_head_may_fail)
{
    struct np_synth_options options = plain(1);
    int code = NP_ENOMEM;
    int64_t nth = 0;

    options.kspace_share = 0.8;
    options.shape[0] = options.shape[1] = 8;
    options.shape[2] = 2;
    while (code == NP_ENOMEM && nth < 100) {
        NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
        np_alloc_fail_at(++nth);
        code = np_synth_head(&options, NULL, &head, NULL);
        np_alloc_fail_at(0);
        ok(code == 0 || (code == NP_ENOMEM && !head.image));
    }
    ok_int(code, 0);
}

TAP_MAIN
