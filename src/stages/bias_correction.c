/*
 * The first bias field, fitted to the head's tissue: good enough for brain extraction, and the
 * final field far from the brain.
 */
#include "ops/bias.h"
#include "ops/elementary.h"
#include "ops/foreground.h"
#include "ops/n4.h"
#include "stages/stage.h"

/* The head has many tissues; later iterations would fit them instead of the field. */
static const double STOP = 1e-3;

/* Without correction FLAT is a copy of RAW, and HEAD_FIELD is 0. */
static int leave_as_it_is(struct np_work *work, struct np_error *err)
{
    NP_AUTO(np_image_freep) struct np_image *flat = np_image_copy(work->raw);
    NP_AUTO(np_bspline_field_freep)
    struct np_bspline_field *field = np_bspline_field_new(work->raw->grid.n);

    if (!flat || !field)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for another %zu MiB", work->path,
                            np_grid_mib(&work->raw->grid));
    work->flat = flat;
    work->head_field = field;
    flat = NULL;
    field = NULL;
    np_work_fact(work, NP_MEASURE_BIAS_METHOD, "none");
    return 0;
}

static void report_fit(struct np_work *work, const struct np_foreground_report *foreground,
                       const struct np_n4_report *fit)
{
    np_work_fact(work, NP_MEASURE_BIAS_METHOD, "n4");
    np_work_measure(work, NP_MEASURE_BIAS_FOREGROUND_THRESHOLD, foreground->threshold);
    np_work_measure(work, NP_MEASURE_BIAS_POINTS, (double)fit->n_points);
    np_work_measure(work, NP_MEASURE_BIAS_ITERATIONS, fit->n_iterations);
    np_work_measure(work, NP_MEASURE_BIAS_CHANGE, fit->change);
    np_work_measure(work, NP_MEASURE_BIAS_FIELD_RANGE,
                    np_exp(fit->high - fit->mean) - np_exp(fit->low - fit->mean));
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    NP_AUTO(np_mask_freep) struct np_mask *foreground = NULL;
    NP_AUTO(np_bspline_field_freep) struct np_bspline_field *field = NULL;
    struct np_foreground_report threshold;
    struct np_n4_options options = np_n4_options_default();
    struct np_n4_report fit;

    if (config->bias_correction == NP_BIAS_NONE)
        return leave_as_it_is(work, err);
    NP_AUTO(np_image_freep) struct np_image *flat = np_image_new(&work->raw->grid);
    if (!flat)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for another %zu MiB", work->path,
                            np_grid_mib(&work->raw->grid));
    options.stop = STOP;
    NP_TRY(np_foreground_mask(work->raw, exec, &foreground, &threshold, err));
    NP_TRY(np_n4_fit(work->raw, foreground, &options, exec, &field, &fit, err));
    np_bspline_field_shift(field, -fit.mean);
    NP_TRY(np_bias_divide_by_fit(work->raw, field, exec, flat, err));
    work->flat = flat;
    work->head_field = field;
    flat = NULL;
    field = NULL;
    report_fit(work, &threshold, &fit);
    return 0;
}

const struct np_stage np_stage_bias_correction = {
    .name = NP_STAGE_BIAS_CORRECTION,
    .version = 2,
    .needs = NP_SLOT_RAW,
    .gives = NP_SLOT_FLAT | NP_SLOT_HEAD_FIELD,
    .run = run,
    .doi = "10.1109/TMI.2010.2046908",
};
