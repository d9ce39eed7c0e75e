/*
 * The second bias field, fitted to the raw image inside the brain. The brain has few tissues and a
 * sharp histogram, so the error is half of the first field's. Away from the brain the first field
 * is kept.
 */
#include "ops/bias.h"
#include "ops/elementary.h"
#include "ops/histogram.h"
#include "ops/n4.h"
#include "stages/stage.h"

/* A spline is usable up to about one span of its finest level (25 mm) from the voxels that it
 * was fitted to. */
static const double PASSAGE_MM = 20;
/* The long spans take the field as far as they can; more iterations of the shortest ones, a wider
 * Gaussian, finer spans or fewer samples would fit anatomy instead of the field
 * (docs/methods/bias.md has the numbers). */
static const double STOP = 3e-4;
static const double LAST_STOP = 6e-4;
static const int MOST_ITERATIONS = 100; /* a level */
static const double RELAXATION = 2;
static const double FWHM_LOG = 0.13;
static const double MESH_MM = 220;
static const double SAMPLE_MM = 3.6;

static void report_fit(struct np_work *work, const struct np_n4_report *fit,
                       const double log_range[3])
{
    np_work_measure(work, NP_MEASURE_BIAS_REFINEMENT_POINTS, (double)fit->n_points);
    np_work_measure(work, NP_MEASURE_BIAS_REFINEMENT_ITERATIONS, fit->n_iterations);
    np_work_measure(work, NP_MEASURE_BIAS_REFINEMENT_CHANGE, fit->change);
    np_work_measure(work, NP_MEASURE_BIAS_BRAIN_FIELD_RANGE,
                    np_exp(log_range[1]) - np_exp(log_range[0]));
    np_work_measure(work, NP_MEASURE_BIAS_BRAIN_FIELD_MEDIAN, np_exp(log_range[2]));
}

/* Without correction FLAT remains a copy of RAW, and FIELD is 0. */
static int leave_as_it_is(struct np_work *work, struct np_error *err)
{
    work->field = np_image_new(&work->flat->grid);
    return work->field ? 0
                       : np_error_set(err, NP_ENOMEM, "'%s': no memory for another %zu MiB",
                                      work->path, np_grid_mib(&work->flat->grid));
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    static const double quantiles[] = {0.05, 0.95, 0.5};
    struct np_n4_options options = np_n4_options_default();
    struct np_n4_report fit;
    double mean, log_range[3];
    /* The new field reuses the memory of FLAT, and the new image that of RAW, because the first
     * access to new pages is expensive. A failure may spoil FLAT but never RAW; the file has
     * then failed. */
    struct np_image *field = work->flat;

    if (config->bias_correction == NP_BIAS_NONE)
        return leave_as_it_is(work, err);
    options.n_iterations = MOST_ITERATIONS;
    options.stop = STOP;
    options.last_stop = LAST_STOP;
    options.relaxation = RELAXATION;
    options.fwhm_log = FWHM_LOG;
    options.mesh_mm = MESH_MM;
    options.shrink_mm = SAMPLE_MM;
    NP_TRY(np_n4_estimate(work->raw, work->brain, &options, exec, field, &fit, err));
    NP_TRY(np_bias_blend(field, work->brain, work->head_field, PASSAGE_MM, exec, err));
    NP_TRY(np_image_mean(field, work->brain, exec, &mean, err));
    np_bias_shift(field, -mean, exec);
    NP_TRY(np_image_quantiles(field, work->brain, quantiles, 3, exec, log_range, err));
    np_bias_divide(work->raw, field, exec, work->raw);
    work->flat = work->raw;
    work->raw = NULL;
    work->field = field;
    report_fit(work, &fit, log_range);
    return 0;
}

const struct np_stage np_stage_bias_refinement = {
    .name = NP_STAGE_BIAS_REFINEMENT,
    .version = 4,
    .needs = NP_SLOT_RAW | NP_SLOT_FLAT | NP_SLOT_HEAD_FIELD | NP_SLOT_BRAIN,
    .gives = NP_SLOT_FLAT | NP_SLOT_FIELD,
    .takes = NP_SLOT_RAW,
    .run = run,
    .doi = "10.1109/TMI.2010.2046908",
};
