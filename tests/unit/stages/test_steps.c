/* When steps of stored values are fine enough for a brain. */
#include "stages/stage.h"
#include "tap.h"

/* A brain of intensities 0 to 999 in equal parts: 900 between the 5 % and the 95 % quantile. */
static void fill(struct np_work *work, bool with_brain)
{
    const struct np_grid grid = np_grid_make(1000, 2, 1, 1, 1, 1);

    np_work_init(work, "x.nii", &np_modalities[NP_MODALITY_T1W]);
    work->flat = np_image_new(&grid);
    work->brain = with_brain ? np_mask_new(&grid) : NULL;
    for (int i = 0; i < 1000; i++) {
        work->flat->voxel[i] = (float)i;
        work->flat->voxel[1000 + i] = 1e6F; /* outside */
        if (with_brain)
            work->brain->voxel[i] = 1;
    }
}

static bool are_fine(const struct np_work *work, double step, double *range)
{
    bool answer = false;

    ok_int(np_steps_are_fine(work, step, NULL, range, &answer, NULL), 0);
    return answer;
}

TEST(two_hundred_and_fifty_six_steps_in_the_brains_range_are_enough)
{
    struct np_work work;
    double range;

    fill(&work, true);
    ok(are_fine(&work, 899.0 / 256, &range));
    ok_near(range, 899.1, 0.01, "90 % of 999");
    ok(!are_fine(&work, 900.0 / 256, &range));
    np_work_done(&work);
}

TEST(without_a_brain_or_with_a_constant_one_all_steps_are_fine)
{
    struct np_work work;
    double range;

    fill(&work, false);
    ok(are_fine(&work, 1e9, &range));
    np_work_done(&work);
    fill(&work, true);
    for (int i = 0; i < 1000; i++)
        work.flat->voxel[i] = 5;
    ok(are_fine(&work, 1e9, &range));
    np_work_done(&work);
}

TAP_MAIN
