/* Slots, measures, facts and warnings of one file. */
#include "tap.h"
#include "work/work.h"

TEST(slots_show_which_fields_are_filled)
{
    NP_AUTO(np_work_done) struct np_work work;
    const struct np_grid grid = np_grid_make(2, 2, 2, 1, 1, 1);

    np_work_init(&work, "x.nii", &np_modalities[NP_MODALITY_T1W]);
    ok_int(np_work_slots(&work), 0);
    work.raw = np_image_new(&grid);
    work.brain = np_mask_new(&grid);
    ok_int(np_work_slots(&work), NP_SLOT_RAW | NP_SLOT_BRAIN);
    work.field = np_image_new(&grid);
    np_image_freep(&work.raw);
    ok_int(np_work_slots(&work), NP_SLOT_FIELD | NP_SLOT_BRAIN);
    work.head_field = np_xcalloc(1, sizeof(*work.head_field));
    ok_int(np_work_slots(&work), NP_SLOT_FIELD | NP_SLOT_BRAIN | NP_SLOT_HEAD_FIELD);
}

TEST(a_slot_is_found_by_what_it_holds_and_released_alone)
{
    NP_AUTO(np_work_done) struct np_work work;
    const struct np_grid grid = np_grid_make(2, 2, 2, 1, 1, 1);

    np_work_init(&work, "x.nii", &np_modalities[NP_MODALITY_T1W]);
    ok(np_work_image(&work, NP_SLOT_FLAT) == &work.flat);
    ok(np_work_mask(&work, NP_SLOT_BRAIN) == &work.brain);
    ok(np_work_image(&work, NP_SLOT_BRAIN) == NULL);
    ok(np_work_mask(&work, NP_SLOT_FLAT) == NULL);
    work.flat = np_image_new(&grid);
    work.norm = np_image_new(&grid);
    work.brain = np_mask_new(&grid);
    work.head_field = np_bspline_field_new(grid.n);
    np_work_release(&work, NP_SLOT_FLAT | NP_SLOT_HEAD_FIELD | NP_SLOT_RAW);
    ok_int(np_work_slots(&work), NP_SLOT_NORM | NP_SLOT_BRAIN);
}

TEST(a_measure_taken_again_replaces_the_first)
{
    NP_AUTO(np_work_done) struct np_work work;

    np_work_init(&work, "x.nii", &np_modalities[NP_MODALITY_T1W]);
    np_work_measure(&work, NP_MEASURE_BIAS_ITERATIONS, 50);
    np_work_measure(&work, NP_MEASURE_SKULL_STRIP_VOLUME, 1.4e6);
    np_work_measure(&work, NP_MEASURE_BIAS_ITERATIONS, 70);
    ok_int((int64_t)work.n_measures, 2);
    ok_near(np_work_value(&work, NP_MEASURE_BIAS_ITERATIONS, -1), 70, 0, "the later one");
    ok_near(np_work_value(&work, NP_MEASURE_SKULL_STRIP_RIM, -1), -1, 0, "the fallback");
    ok_int(work.measure[1].ident, NP_MEASURE_SKULL_STRIP_VOLUME);
}

TEST(a_fact_that_is_set_again_replaces_the_first)
{
    NP_AUTO(np_work_done) struct np_work work;

    np_work_init(&work, "x.nii", &np_modalities[NP_MODALITY_T1W]);
    np_work_fact(&work, NP_MEASURE_NORMALIZATION_METHOD, "zscore");
    np_work_fact(&work, NP_MEASURE_NORMALIZATION_METHOD, "percentile");
    ok_int((int64_t)work.n_facts, 1);
    ok_str(work.fact[0].text, "percentile");
}

TEST(warnings_are_kept_in_order_as_text)
{
    NP_AUTO(np_work_done) struct np_work work;

    np_work_init(&work, "x.nii", &np_modalities[NP_MODALITY_T1W]);
    np_work_warn(&work, NP_WARNING_MASK_UNSURE, "'%s': %d %% odd", work.path, 5);
    np_work_warn(&work, NP_WARNING_HEADER_MISMATCH, "second");
    ok_int((int64_t)work.n_warnings, 2);
    ok_str(work.warning[0].sentence, "'x.nii': 5 % odd");
    ok_str(work.warning[1].sentence, "second");
    ok_str(np_warning_rows[work.warning[0].ident].key, "mask-unsure");
    ok_str(np_warning_rows[work.warning[1].ident].key, "header-mismatch");
}

TAP_MAIN
