#include "image/orient.h"
#include "stages/stage.h"

/* Set work->raw from `native`; copy it when its voxels are in another order. */
static int to_ras(struct np_work *work, struct np_image **native, const struct np_exec *exec,
                  struct np_error *err)
{
    if (np_grid_is_ras(&(*native)->grid)) {
        work->raw = *native;
        *native = NULL;
        return 0;
    }
    work->raw = np_image_to_ras(*native, exec);
    if (!work->raw)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for another %zu MiB", work->path,
                            np_grid_mib(&(*native)->grid));
    return 0;
}

static int read_image(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    NP_AUTO(np_image_freep) struct np_image *native = NULL;
    struct np_nifti_info info;
    struct np_nifti_content content;

    NP_TRY(np_nifti_read_volume(work->path, exec, &info, &content, &native, err));
    NP_TRY(to_ras(work, &native, exec, err));
    work->info = info;
    work->content = content;
    return 0;
}

/* The mask is read here, so that one that does not fit costs no work, and while memory is free. */
static int read_mask(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    NP_AUTO(np_mask_freep) struct np_mask *native = NULL;

    np_mask_freep(&work->brain);
    if (!work->mask_path)
        return 0;
    NP_TRY(np_nifti_read_mask(work->mask_path, &work->info.grid, exec, work->mask_sha256, &native,
                              err));
    work->brain = np_mask_to_ras(native, exec);
    return work->brain
               ? 0
               : np_error_set(err, NP_ENOMEM, "'%s': no memory for another mask", work->mask_path);
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    char codes[4];

    (void)config;
    NP_TRY(read_image(work, exec, err));
    NP_TRY(read_mask(work, exec, err));
    np_work_fact(work, NP_MEASURE_IMAGE_DTYPE, work->info.datatype_name);
    np_grid_axis_codes(&work->info.grid, codes);
    np_work_fact(work, NP_MEASURE_IMAGE_AXES, codes);
    return 0;
}

const struct np_stage np_stage_load_file = {
    .name = NP_STAGE_LOAD_FILE,
    .version = 1,
    .gives = NP_SLOT_RAW,
    .traits = NP_STAGE_READS_INPUT,
    .run = run,
};
