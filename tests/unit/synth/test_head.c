/* Synthetic heads: what is drawn is plausible, and the truth beside it is true. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"

static bool same_bytes(const struct np_synth_head *a, const struct np_synth_head *b)
{
    size_t n = n_voxels(a);

    return n == n_voxels(b) && memcmp(a->image->voxel, b->image->voxel, n * sizeof(float)) == 0 &&
           memcmp(a->log_bias->voxel, b->log_bias->voxel, n * sizeof(float)) == 0 &&
           memcmp(a->brain->voxel, b->brain->voxel, n) == 0 && memcmp(a->label, b->label, n) == 0;
}

static double brain_ml(const struct np_synth_head *head)
{
    return (double)np_mask_count(head->brain) * np_grid_voxel_mm3(&head->brain->grid) / 1000;
}

static double label_mean(const struct np_synth_head *head, enum np_synth_label label)
{
    double sum = 0;
    int64_t n = 0;

    for (size_t i = 0; i < n_voxels(head); i++)
        if (head->label[i] == label) {
            sum += head->image->voxel[i];
            n++;
        }
    return n > 0 ? sum / (double)n : NAN;
}

static int64_t label_count(const struct np_synth_head *head, enum np_synth_label label)
{
    int64_t n = 0;

    for (size_t i = 0; i < n_voxels(head); i++)
        n += head->label[i] == label;
    return n;
}

TEST(any_number_of_threads_draws_the_same_bytes)
{
    struct np_synth_options options = coarse(3);
    NP_AUTO(np_synth_head_done) struct np_synth_head one = draw(&options);

    for (int n_threads = 2; n_threads <= 3; n_threads++) {
        NP_AUTO(np_team_freep) struct np_team *team = np_team_new(n_threads);
        NP_AUTO(np_synth_head_done) struct np_synth_head other = {0};
        struct np_exec exec = {team, NULL};
        ok_int(np_synth_head(&options, &exec, &other, NULL), 0);
        ok(same_bytes(&one, &other));
    }
}

TEST(another_visit_has_other_noise_another_person_another_brain)
{
    struct np_synth_options options = coarse(4);
    NP_AUTO(np_synth_head_done) struct np_synth_head first = draw(&options);

    options.scan_seed = 2;
    NP_AUTO(np_synth_head_done) struct np_synth_head second = draw(&options);
    options.seed = 5;
    NP_AUTO(np_synth_head_done) struct np_synth_head other_person = draw(&options);
    ok(!same_bytes(&first, &second));
    /* The same brain in another position: the mask's border falls differently on 3 mm voxels. */
    ok_below(fabs(brain_ml(&second) / brain_ml(&first) - 1), 0.005, "volume change, relative");
    ok_above(fabs(brain_ml(&other_person) / brain_ml(&first) - 1), 0.005, "difference, relative");
}

TEST(brains_have_the_volumes_of_adults_and_lie_in_heads)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct np_synth_options options = coarse(seed);
        NP_AUTO(np_synth_head_done) struct np_synth_head head = draw(&options);
        int64_t in_air = 0, foreign = 0, grey_out = 0;
        for (size_t i = 0; i < n_voxels(&head); i++) {
            bool brain = head.brain->voxel[i];
            uint8_t label = head.label[i];
            in_air += brain && label == NP_SYNTH_AIR;
            foreign += brain && label < NP_SYNTH_CSF;
            grey_out += !brain && (label == NP_SYNTH_GREY || label == NP_SYNTH_DEEP_GREY);
        }
        double grey = (double)label_count(&head, NP_SYNTH_GREY);
        double white = (double)label_count(&head, NP_SYNTH_WHITE);
        ok_above(brain_ml(&head), 900, "brain, ml");
        ok_below(brain_ml(&head), 1700, "brain, ml");
        ok_int(in_air, 0);
        /* A voxel on the border may be half brain and yet mostly dura or blood: a few. */
        ok_below((double)foreign, 1e-4 * (double)np_mask_count(head.brain), "dura in the mask");
        ok_below((double)grey_out, 1e-3 * grey, "grey matter outside the mask");
        /* Adults: 1.1 to 1.5; the stem and cord add some white matter here. */
        ok_above(grey / white, 0.9, "grey to white matter");
        ok_below(grey / white, 1.7, "grey to white matter");
    }
}

TEST(tissues_have_the_order_of_the_contrast)
{
    struct np_synth_options options = coarse(6);

    options.bias_percent = 0;
    NP_AUTO(np_synth_head_done) struct np_synth_head t1w = draw(&options);
    options.contrast = NP_SYNTH_T2W;
    NP_AUTO(np_synth_head_done) struct np_synth_head t2w = draw(&options);
    options.contrast = NP_SYNTH_FLAIR;
    NP_AUTO(np_synth_head_done) struct np_synth_head flair = draw(&options);
    ok(label_mean(&t1w, NP_SYNTH_WHITE) > label_mean(&t1w, NP_SYNTH_GREY));
    ok(label_mean(&t1w, NP_SYNTH_GREY) > label_mean(&t1w, NP_SYNTH_CSF));
    ok(label_mean(&t2w, NP_SYNTH_CSF) > label_mean(&t2w, NP_SYNTH_GREY));
    ok(label_mean(&t2w, NP_SYNTH_GREY) > label_mean(&t2w, NP_SYNTH_WHITE));
    ok(label_mean(&flair, NP_SYNTH_GREY) > label_mean(&flair, NP_SYNTH_WHITE));
    ok(label_mean(&flair, NP_SYNTH_WHITE) > label_mean(&flair, NP_SYNTH_CSF));
    ok(label_mean(&t1w, NP_SYNTH_FAT) > label_mean(&t1w, NP_SYNTH_WHITE));
    ok(label_mean(&t1w, NP_SYNTH_BONE) < label_mean(&t1w, NP_SYNTH_CSF));
}

TEST(dividing_by_the_true_field_gives_the_unbiased_image)
{
    for (int shape = NP_SYNTH_BIAS_POLYNOMIAL; shape <= NP_SYNTH_BIAS_COILS; shape++) {
        struct np_synth_options options = coarse(7);
        options.noise_percent = 0;
        options.bias_shape = (enum np_synth_bias_shape)shape;
        options.bias_percent = 40;
        NP_AUTO(np_synth_head_done) struct np_synth_head biased = draw(&options);
        options.bias_percent = 0;
        NP_AUTO(np_synth_head_done) struct np_synth_head clean = draw(&options);
        double worst = 0, lowest = 1e9, highest = -1e9, sum = 0;
        for (size_t i = 0; i < n_voxels(&clean); i++) {
            double log_bias = biased.log_bias->voxel[i];
            double mended = biased.image->voxel[i] / exp(log_bias);
            worst = fmax(worst, fabs(mended - clean.image->voxel[i]));
            if (biased.brain->voxel[i]) {
                lowest = fmin(lowest, log_bias);
                highest = fmax(highest, log_bias);
                sum += log_bias;
            }
        }
        ok_below(worst, 0.01, "difference, of 1000: single precision");
        /* The range is set on the 3 mm lattice's nodes; ends fall between the image's voxels. */
        ok_near(exp(highest) - exp(lowest), 0.4, 0.04, "peak to peak");
        ok_near(sum / (double)np_mask_count(biased.brain), 0, 0.002, "mean log field");
    }
}

TEST(noise_is_rician_with_the_sd_asked_for)
{
    struct np_synth_options options = coarse(8);

    options.bias_percent = 0;
    options.noise_percent = 5;
    NP_AUTO(np_synth_head_done) struct np_synth_head noisy = draw(&options);
    options.noise_percent = 0;
    NP_AUTO(np_synth_head_done) struct np_synth_head clean = draw(&options);
    double white2 = 0, air = 0;
    int64_t n_white = 0, n_air = 0;
    for (size_t i = 0; i < n_voxels(&clean); i++) {
        double difference = noisy.image->voxel[i] - clean.image->voxel[i];
        if (clean.image->voxel[i] == (float)np_synth_white(NP_SYNTH_T1W)) {
            white2 += difference * difference;
            n_white++;
        } else if (clean.image->voxel[i] == 0) {
            air += difference;
            n_air++;
        }
    }
    /* Thousands of voxels: 1 % is more than three standard errors. Air: Rayleigh, sd √(π/2). */
    ok_above((double)n_white, 3000, "pure white voxels");
    ok_near(sqrt(white2 / (double)n_white), 50, 1.5, "sd in white matter");
    ok_near(air / (double)n_air, 50 * 1.2533, 0.7, "mean in air");
}

TEST(thick_slices_show_the_same_brain)
{
    struct np_synth_options options = coarse(9);
    NP_AUTO(np_synth_head_done) struct np_synth_head cubes = draw(&options);

    options.spacing_mm[0] = options.spacing_mm[1] = 1.5;
    options.spacing_mm[2] = 4.2;
    NP_AUTO(np_synth_head_done) struct np_synth_head slabs = draw(&options);
    options.spacing_mm[0] = 3;
    options.spacing_mm[1] = options.spacing_mm[2] = 1.5;
    NP_AUTO(np_synth_head_done) struct np_synth_head sagittal = draw(&options);
    ok_near(brain_ml(&slabs) / brain_ml(&cubes), 1, 0.02, "volume, relative");
    ok_near(brain_ml(&sagittal) / brain_ml(&cubes), 1, 0.02, "volume, relative");
}

TEST(storage_order_moves_voxels_but_changes_none)
{
    static const char *const ORDERS[] = {"PIR", "RIP"};
    struct np_synth_options options = coarse(10);

    options.spacing_mm[0] = 2.9; /* three different edges, so that a mix-up shows */
    options.spacing_mm[2] = 4;
    NP_AUTO(np_synth_head_done) struct np_synth_head ras = draw(&options);
    struct np_affine ras_from_world;
    ok(np_affine_invert(&ras.image->grid.world_from_voxel, &ras_from_world));
    for (size_t o = 0; o < NP_COUNT(ORDERS); o++) {
        memcpy(options.axes, ORDERS[o], 4);
        NP_AUTO(np_synth_head_done) struct np_synth_head other = draw(&options);
        const struct np_grid *grid = &other.image->grid;
        char codes[4];
        np_grid_axis_codes(grid, codes);
        ok_str(codes, ORDERS[o]);
        struct np_affine map = np_affine_mul(&ras_from_world, &grid->world_from_voxel);
        int64_t n_wrong = 0, at = 0;
        for (int64_t z = 0; z < grid->n[2]; z++)
            for (int64_t y = 0; y < grid->n[1]; y++)
                for (int64_t x = 0; x < grid->n[0]; x++, at++) {
                    double p[3] = {(double)x, (double)y, (double)z};
                    np_affine_apply(&map, p, p);
                    int64_t from =
                        llround(p[0]) + ras.image->grid.n[0] *
                                            (llround(p[1]) + ras.image->grid.n[1] * llround(p[2]));
                    n_wrong += other.image->voxel[at] != ras.image->voxel[from] ||
                               other.brain->voxel[at] != ras.brain->voxel[from] ||
                               other.label[at] != ras.label[from];
                }
        ok_int(n_wrong, 0);
    }
}

TEST(a_shape_that_is_asked_for_is_given_and_keeps_the_top_of_the_head)
{
    struct np_synth_options options = coarse(11);

    options.shape[0] = 70;
    options.shape[1] = 90;
    options.shape[2] = 80;
    NP_AUTO(np_synth_head_done) struct np_synth_head head = draw(&options);
    size_t slice = 70 * 90;
    int64_t at_top = 0;
    ok_int(head.image->grid.n[0], 70);
    ok_int(head.image->grid.n[1], 90);
    ok_int(head.image->grid.n[2], 80);
    for (size_t i = 79 * slice; i < 80 * slice; i++)
        at_top += head.label[i] != NP_SYNTH_AIR;
    ok_int(at_top, 0);
    ok_above(brain_ml(&head), 900, "brain, ml");
}

TEST(stripped_and_defaced_heads_are_exact_zeros_where_cut)
{
    struct np_synth_options options = coarse(12);

    options.extent = NP_SYNTH_STRIPPED;
    NP_AUTO(np_synth_head_done) struct np_synth_head stripped = draw(&options);
    options.extent = NP_SYNTH_DEFACED;
    NP_AUTO(np_synth_head_done) struct np_synth_head defaced = draw(&options);
    int64_t left = 0, lost = 0;
    for (size_t i = 0; i < n_voxels(&stripped); i++) {
        left += !stripped.brain->voxel[i] && stripped.image->voxel[i] != 0;
        lost += defaced.brain->voxel[i] && defaced.image->voxel[i] == 0;
    }
    ok_int(left, 0);
    ok_int(lost, 0);
    ok_int(label_count(&defaced, NP_SYNTH_VITREOUS), 0);
    ok_above((double)label_count(&defaced, NP_SYNTH_FAT), 1000, "scalp that is left, voxels");
}

TEST(atrophy_widens_the_fluid_spaces)
{
    struct np_synth_options options = coarse(13);

    options.atrophy = 0;
    NP_AUTO(np_synth_head_done) struct np_synth_head young = draw(&options);
    options.atrophy = 1;
    NP_AUTO(np_synth_head_done) struct np_synth_head old = draw(&options);
    ok_above((double)label_count(&old, NP_SYNTH_CSF),
             1.3 * (double)label_count(&young, NP_SYNTH_CSF), "fluid, voxels");
}

TEST(an_option_out_of_range_is_named)
{
    struct np_synth_options options = coarse(1);
    struct np_synth_head head = {0};
    struct np_error err = {0};

    options.spacing_mm[1] = 0;
    ok_int(np_synth_head(&options, NULL, &head, &err), NP_EUSAGE);
    ok_contains(err.text, "spacing A");
    err = (struct np_error){0};
    options = coarse(1);
    memcpy(options.axes, "RLS", 4);
    ok_int(np_synth_head(&options, NULL, &head, &err), NP_EUSAGE);
    ok_contains(err.text, "RLS");
    options = coarse(1);
    options.bias_percent = NAN;
    ok_int(np_synth_head(&options, NULL, &head, NULL), NP_EUSAGE);
    ok(!head.image);
}

TEST(a_signal_stops_the_drawing)
{
    struct np_synth_options options = coarse(1);
    struct np_cancel cancel = {15};
    struct np_exec exec = {NULL, &cancel};
    struct np_synth_head head = {0};

    ok_int(np_synth_head(&options, &exec, &head, NULL), NP_ECANCELED);
    ok(!head.image && !head.brain && !head.log_bias && !head.label);
}

TEST(every_allocation_may_fail)
{
    struct np_synth_options options = coarse(1);
    int code = NP_ENOMEM;
    int64_t nth = 0;

    options.shape[0] = options.shape[1] = 8;
    options.shape[2] = 2;
    while (code == NP_ENOMEM && nth < 100) {
        NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
        struct np_error err = {0};
        np_alloc_fail_at(++nth);
        code = np_synth_head(&options, NULL, &head, &err);
        np_alloc_fail_at(0);
        if (code < 0) {
            ok_int(code, NP_ENOMEM);
            ok_contains(err.text, "no memory");
            ok(!head.image && !head.label);
        }
    }
    ok_int(code, 0);
    ok_above((double)nth, 10, "requests made");
}

TAP_MAIN
