/*
 * A first bias field, fitted to the head's tissue: enough to find the brain by, and what remains
 * far from the brain.
 */
#include "ops/bias.h"
#include "ops/elementary.h"
#include "ops/foreground.h"
#include "ops/histogram.h"
#include "ops/n4.h"
#include "stages/stage.h"

/* The head's many tissues give later iterations much to carve into the field. */
static const double STOP = 1e-3;

/* FLAT is a copy of RAW, FIELD is zero. */
static int leave_as_it_is(struct np_work *work, struct np_error *err)
{
    NP_AUTO(np_image_freep) struct np_image *flat = np_image_copy(work->raw);
    NP_AUTO(np_image_freep) struct np_image *field = np_image_new(&work->raw->grid);

    if (!flat || !field)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for another %zu MiB", work->path,
                            2 * np_grid_mib(&work->raw->grid));
    work->flat = flat;
    work->field = field;
    flat = field = NULL;
    np_work_fact(work, "bias.method", "none");
    return 0;
}

static void report_fit(struct np_work *work, const struct np_foreground_report *foreground,
                       const struct np_n4_report *fit, const double log_range[2])
{
    np_work_fact(work, "bias.method", "n4");
    np_work_measure(work, "bias.foreground_threshold", foreground->threshold, "1");
    np_work_measure(work, "bias.points", (double)fit->n_points, "1");
    np_work_measure(work, "bias.iterations", fit->n_iterations, "1");
    np_work_measure(work, "bias.change", fit->change, "1");
    np_work_measure(work, "bias.field_range", np_exp(log_range[1]) - np_exp(log_range[0]), "1");
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    static const double tails[] = {0.05, 0.95};
    NP_AUTO(np_mask_freep) struct np_mask *foreground = NULL;
    struct np_foreground_report threshold;
    struct np_n4_options options = np_n4_options_default();
    struct np_n4_report fit;
    double mean, log_range[2];

    if (config->bias_correction == NP_BIAS_NONE)
        return leave_as_it_is(work, err);
    NP_AUTO(np_image_freep) struct np_image *flat = np_image_new(&work->raw->grid);
    NP_AUTO(np_image_freep) struct np_image *field = np_image_new(&work->raw->grid);
    if (!flat || !field)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for another %zu MiB", work->path,
                            2 * np_grid_mib(&work->raw->grid));
    options.stop = STOP;
    NP_TRY(np_foreground_mask(work->raw, exec, &foreground, &threshold, err));
    NP_TRY(np_n4_estimate(work->raw, foreground, &options, exec, field, &fit, err));
    NP_TRY(np_image_mean(field, foreground, exec, &mean, err));
    np_bias_shift(field, -mean, exec);
    NP_TRY(np_image_quantiles(field, foreground, tails, 2, exec, log_range, err));
    np_bias_divide(work->raw, field, exec, flat);
    work->flat = flat;
    work->field = field;
    flat = field = NULL;
    report_fit(work, &threshold, &fit, log_range);
    return 0;
}

const struct np_stage np_stage_bias_correction = {
    .name = "bias_correction",
    .version = 1,
    .needs = NP_SLOT_RAW,
    .gives = NP_SLOT_FLAT | NP_SLOT_FIELD,
    .run = run,
    .doi = "10.1109/TMI.2010.2046908",
};
