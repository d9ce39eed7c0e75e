/* Writing a file of one volume, from memory. */
#include <nifti1.h>

#include "image/nifti_out.h"

static int write_voxels(const char *path, const char *fd_path, const struct np_nifti_form *form,
                        const void *voxel, const struct np_nifti_output *how,
                        const struct np_exec *exec, struct np_nifti_written *written,
                        struct np_error *err)
{
    NP_AUTO(np_nifti_out_done) struct np_nifti_out out = {0};
    struct np_bytes all = {voxel, np_grid_voxels(form->grid) * (size_t)form->bytes_per_voxel};

    NP_TRY(np_nifti_out_open(path, fd_path, form, how, exec, &out, err));
    return np_nifti_out_finish(&out, &all, written, err);
}

int np_nifti_write_image(const char *path, const char *fd_path, const struct np_image *image,
                         const struct np_nifti_output *how, const struct np_exec *exec,
                         struct np_nifti_written *written, struct np_error *err)
{
    const struct np_nifti_form form = {.grid = &image->grid,
                                       .datatype = NIFTI_TYPE_FLOAT32,
                                       .bytes_per_voxel = sizeof(float),
                                       .scl_slope = 1};

    return write_voxels(path, fd_path, &form, image->voxel, how, exec, written, err);
}

int np_nifti_write_mask(const char *path, const char *fd_path, const struct np_mask *mask,
                        const struct np_nifti_output *how, const struct np_exec *exec,
                        struct np_nifti_written *written, struct np_error *err)
{
    const struct np_nifti_form form = {.grid = &mask->grid,
                                       .datatype = NIFTI_TYPE_UINT8,
                                       .bytes_per_voxel = sizeof(uint8_t),
                                       .scl_slope = 1};

    return write_voxels(path, fd_path, &form, mask->voxel, how, exec, written, err);
}
