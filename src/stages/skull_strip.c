#include "stages/skull_strip.h"

#include "ops/brain.h"
#include "ops/stripped.h"
#include "stages/stage.h"

static void take(struct np_work *work, struct np_mask **mask, const char *method)
{
    double volume_mm3 = (double)np_mask_count(*mask) * np_grid_voxel_mm3(&(*mask)->grid);

    work->brain = *mask;
    *mask = NULL;
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_VOLUME, volume_mm3);
    np_work_fact(work, NP_MEASURE_SKULL_STRIP_METHOD, method);
}

bool np_skull_is_certain(double above_mm3, double minimum)
{
    return np_stripped_is_ruled_out(above_mm3, minimum);
}

/* Whether the skull was removed, for a mask that is not ours. The network is asked only where it
 * can matter; where it finds no brain, the image alone decides. */
static int see_whether_stripped(struct np_work *work, const struct np_exec *exec,
                                struct np_error *err)
{
    NP_AUTO(np_mask_freep) struct np_mask *stripped = NULL;
    NP_AUTO(np_prior_done) struct np_prior prior = {0};
    struct np_error own = {0};
    bool is_possible;

    work->already_stripped = false;
    NP_TRY(np_stripped_is_possible(work->flat, exec, &is_possible, err));
    if (!is_possible)
        return 0;
    int code = np_prior_make(work->flat, exec, &prior, &own);
    if (code < 0 && code != NP_EMETHOD)
        return np_error_set(err, code, "%s", own.text);
    NP_TRY(np_stripped_detect(work->flat, code < 0 ? NULL : &prior, exec, &stripped, NULL, err));
    work->already_stripped = stripped != NULL;
    return 0;
}

/* --skull-strip skip: the user says that everything above the background is brain. */
static int keep_support(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    struct np_mask *mask = NULL;

    NP_TRY(see_whether_stripped(work, exec, err));
    NP_TRY(np_support_mask(work->flat, exec, &mask, err));
    if (!work->already_stripped)
        np_work_warn(work, NP_WARNING_SUPPORT_NOT_BRAIN,
                     "'%s': brain extraction was skipped as requested, but the image does not look "
                     "stripped: its mask is the image's support, not the brain",
                     work->path);
    take(work, &mask, "skip");
    return 0;
}

/* An image whose skull was removed keeps its support; otherwise there is no mask yet. */
static int keep_stripped(struct np_work *work, const struct np_prior *prior,
                         const struct np_exec *exec, struct np_error *err)
{
    struct np_stripped_report report;
    struct np_mask *mask = NULL;

    NP_TRY(np_stripped_detect(work->flat, prior, exec, &mask, &report, err));
    if (prior)
        np_work_measure(work, NP_MEASURE_SKULL_STRIP_FAR_SHARE, report.far_share);
    if (!mask)
        return 0;
    work->already_stripped = true;
    take(work, &mask, "already-stripped");
    if (report.unsure)
        np_work_warn(
            work, NP_WARNING_MASK_UNSURE,
            "'%s' was taken for an image without skull, but the signs do not agree (%.0f %% "
            "of it lie far outside the brain, and the layers under its surface dip to "
            "%.2f); look at it, and use --skull-strip force if it has a skull",
            work->path, 100 * report.far_share, report.scalp_dip);
    return 0;
}

/* The mask of --mask-dir stays as it is. */
static int keep_given(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    struct np_mask *given = work->brain;

    NP_TRY(see_whether_stripped(work, exec, err));
    take(work, &given, "given");
    return 0;
}

static void report_extraction(struct np_work *work, const struct np_brain_report *report)
{
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_BORDER_LEVEL, report->border_level);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_RIM, report->rim);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_BORDER_CONTACT, report->border_share);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_CENTRE_X, report->centre_mm[0]);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_CENTRE_Y, report->centre_mm[1]);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_CENTRE_Z, report->centre_mm[2]);
    if (report->doubt[0])
        np_work_warn(work, NP_WARNING_MASK_UNSURE, "'%s': the brain mask is unsure: %s; look at it",
                     work->path, report->doubt);
}

static int extract(struct np_work *work, const struct np_prior *prior, bool force,
                   const struct np_exec *exec, struct np_error *err)
{
    struct np_brain_options options = np_brain_defaults(work->modality->contrast, prior);
    struct np_brain_report report;
    struct np_mask *mask = NULL;

    options.force = force;
    NP_TRY(np_brain_extract(work->flat, &options, exec, &mask, &report, err));
    take(work, &mask, prior ? "network-and-surface" : "adaptive-surface");
    if (prior)
        np_work_measure(work, NP_MEASURE_SKULL_STRIP_AGREEMENT, report.agreement);
    else
        np_work_measure(work, NP_MEASURE_SKULL_STRIP_RESTARTS, report.n_restarts);
    report_extraction(work, &report);
    return 0;
}

/* --skull-strip classic: the image alone decides. */
static int find_classic(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    NP_TRY(keep_stripped(work, NULL, exec, err));
    return work->brain ? 0 : extract(work, NULL, false, exec, err);
}

/* --skull-strip force, when the network finds no brain: the surface may. */
static int find_anything(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    NP_TRY(extract(work, NULL, true, exec, err));
    np_work_warn(work, NP_WARNING_MASK_UNSURE,
                 "'%s': the network found no brain; the mask is of the surface alone, look at it",
                 work->path);
    return 0;
}

static int find(struct np_work *work, enum np_skull_strip how, const struct np_exec *exec,
                struct np_error *err)
{
    NP_AUTO(np_prior_done) struct np_prior prior = {0};

    if (how == NP_SKULL_STRIP_SKIP)
        return keep_support(work, exec, err);
    if (how == NP_SKULL_STRIP_CLASSIC)
        return find_classic(work, exec, err);
    int code = np_prior_make(work->flat, exec, &prior, err);
    if (code == NP_EMETHOD && how == NP_SKULL_STRIP_FORCE) {
        if (err)
            *err = (struct np_error){0};
        return find_anything(work, exec, err);
    }
    if (code < 0)
        return code;
    if (how == NP_SKULL_STRIP_AUTO)
        NP_TRY(keep_stripped(work, &prior, exec, err));
    return work->brain ? 0 : extract(work, &prior, how == NP_SKULL_STRIP_FORCE, exec, err);
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    int code;

    if (!work->mask_path)
        np_mask_freep(&work->brain);
    work->already_stripped = false;
    code =
        work->mask_path ? keep_given(work, exec, err) : find(work, config->skull_strip, exec, err);

    if (code < 0)
        np_error_context(err, "'%s'", work->path);
    return code;
}

const struct np_stage np_stage_skull_strip = {
    .name = NP_STAGE_SKULL_STRIP,
    .version = 5,
    .needs = NP_SLOT_FLAT,
    .gives = NP_SLOT_BRAIN,
    .run = run,
    .doi = "10.1002/hbm.10062",
};
