/* Reading a file of one volume, whole. */
#include <math.h>

#include "image/nifti_file.h"

int np_nifti_read_info(const char *path, struct np_nifti_info *info, struct np_error *err)
{
    NP_AUTO(np_nifti_file_done) struct np_nifti_file file = {0};

    NP_TRY(np_nifti_file_open(path, &file, err));
    *info = file.info;
    return 0;
}

static int check_one_volume(const char *path, const struct np_nifti_info *info,
                            struct np_error *err)
{
    const int64_t *n = info->grid.n;

    if (n[3] > 1)
        return np_error_set(err, NP_EDIMENSION,
                            "'%s': expected one 3-D volume, found %lld volumes; take one of them, "
                            "or their mean",
                            path, (long long)n[3]);
    if (n[0] == 1 || n[1] == 1 || n[2] == 1)
        return np_error_set(err, NP_EDIMENSION,
                            "'%s': expected a 3-D volume, found %lld x %lld x %lld voxels; one "
                            "slice is not enough",
                            path, (long long)n[0], (long long)n[1], (long long)n[2]);
    return 0;
}

int np_nifti_read_volume(const char *path, const struct np_exec *exec, struct np_nifti_info *info,
                         struct np_nifti_content *content, struct np_image **image,
                         struct np_error *err)
{
    NP_AUTO(np_nifti_file_done) struct np_nifti_file file = {0};
    NP_AUTO(np_image_freep) struct np_image *made = NULL;
    struct np_nifti_seen seen = NP_NIFTI_NOTHING_SEEN;
    struct np_nifti_content found = {0};

    NP_TRY(np_nifti_file_open(path, &file, err));
    NP_TRY(check_one_volume(path, &file.info, err));
    NP_TRY(np_nifti_file_check_scaling(&file, err));
    made = np_image_new(&file.info.grid);
    if (!made)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for its %zu MiB of voxels", path,
                            np_grid_mib(&file.info.grid));
    NP_TRY(np_nifti_file_read(&file, 0, exec, made->voxel, &seen, err));
    NP_TRY(np_nifti_file_finish(&file, exec, &found.n_extra_bytes, found.sha256, err));
    bool none = seen.minimum > seen.maximum; /* not one finite voxel */
    found.n_nonfinite = seen.n_nonfinite;
    found.n_too_large = seen.n_too_large;
    found.minimum = none ? 0 : seen.minimum;
    found.maximum = none ? 0 : seen.maximum;
    if (info)
        *info = file.info;
    *content = found;
    *image = made;
    made = NULL;
    return 0;
}
