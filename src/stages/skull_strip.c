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

/* --skull-strip skip: the user says that everything above the background is brain. */
static int keep_support(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    struct np_mask *mask = NULL;

    NP_AUTO(np_mask_freep) struct np_mask *stripped = NULL;
    NP_TRY(np_stripped_detect(work->flat, exec, &stripped, NULL, err));
    NP_TRY(np_support_mask(work->flat, exec, &mask, err));
    work->already_stripped = stripped != NULL;
    if (!stripped)
        np_work_warn(work, NP_WARNING_SUPPORT_NOT_BRAIN,
                     "'%s': brain extraction was skipped as requested, but the image does not look "
                     "stripped: its mask is the image's support, not the brain",
                     work->path);
    take(work, &mask, "skip");
    return 0;
}

/* --skull-strip auto: an image whose skull was removed keeps its support; otherwise there is no
 * mask yet. */
static int keep_stripped(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    struct np_mask *mask = NULL;

    NP_TRY(np_stripped_detect(work->flat, exec, &mask, NULL, err));
    if (!mask)
        return 0;
    work->already_stripped = true;
    take(work, &mask, "already-stripped");
    return 0;
}

/* The mask of --mask-dir stays as it is. */
static int keep_given(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    NP_AUTO(np_mask_freep) struct np_mask *stripped = NULL;
    struct np_mask *given = work->brain;

    NP_TRY(np_stripped_detect(work->flat, exec, &stripped, NULL, err));
    work->already_stripped = stripped != NULL;
    take(work, &given, "given");
    return 0;
}

static int extract(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    struct np_brain_options options = np_brain_defaults(work->modality->contrast);
    struct np_brain_report report;
    struct np_mask *mask = NULL;

    NP_TRY(np_brain_extract(work->flat, &options, exec, &mask, &report, err));
    take(work, &mask, "adaptive-surface");
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_RESTARTS, report.n_restarts);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_BORDER_LEVEL, report.border_level);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_RIM, report.rim);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_BORDER_CONTACT, report.border_share);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_CENTRE_X, report.centre_mm[0]);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_CENTRE_Y, report.centre_mm[1]);
    np_work_measure(work, NP_MEASURE_SKULL_STRIP_CENTRE_Z, report.centre_mm[2]);
    return 0;
}

static int find(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
                struct np_error *err)
{
    np_mask_freep(&work->brain);
    work->already_stripped = false;
    if (config->skull_strip == NP_SKULL_STRIP_SKIP)
        return keep_support(work, exec, err);
    if (config->skull_strip == NP_SKULL_STRIP_AUTO)
        NP_TRY(keep_stripped(work, exec, err));
    return work->brain ? 0 : extract(work, exec, err);
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    int code = work->mask_path ? keep_given(work, exec, err) : find(work, config, exec, err);

    if (code < 0)
        np_error_context(err, "'%s'", work->path);
    return code;
}

const struct np_stage np_stage_skull_strip = {
    .name = NP_STAGE_SKULL_STRIP,
    .version = 2,
    .needs = NP_SLOT_FLAT,
    .gives = NP_SLOT_BRAIN,
    .run = run,
    .doi = "10.1002/hbm.10062",
};
