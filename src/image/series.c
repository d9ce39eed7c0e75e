#include "image/series.h"

#include <assert.h>

#include "image/nifti_file.h"

struct np_series {
    struct np_nifti_file file;
    const struct np_exec *exec;
};

static int check_axes(const struct np_nifti_file *file, struct np_error *err)
{
    if (file->layout.n_axes <= 4)
        return 0;
    return np_error_set(err, NP_EDIMENSION,
                        "'%s': expected volumes along one axis, the fourth, found %d axes; split "
                        "the image into series",
                        file->path, file->layout.n_axes);
}

int np_series_open(const char *path, const struct np_exec *exec, struct np_series **out,
                   struct np_error *err)
{
    NP_AUTO(np_series_freep) struct np_series *series = np_xcalloc(1, sizeof(*series));

    series->exec = exec;
    NP_TRY(np_nifti_file_open(path, &series->file, err));
    NP_TRY(check_axes(&series->file, err));
    NP_TRY(np_nifti_file_check_scaling(&series->file, err));
    *out = series;
    series = NULL;
    return 0;
}

void np_series_freep(struct np_series **series)
{
    if (*series)
        np_nifti_file_done(&(*series)->file);
    np_freep(series);
}

const struct np_nifti_info *np_series_info(const struct np_series *series)
{
    return &series->file.info;
}

static bool same_shape(const struct np_grid *a, const struct np_grid *b)
{
    return a->n[0] == b->n[0] && a->n[1] == b->n[1] && a->n[2] == b->n[2];
}

int np_series_read(struct np_series *series, int64_t volume, struct np_image *image,
                   struct np_nifti_seen *seen, struct np_error *err)
{
    struct np_nifti_seen unseen = NP_NIFTI_NOTHING_SEEN;

    assert(same_shape(&image->grid, &series->file.info.grid));
    return np_nifti_file_read(&series->file, volume, series->exec, image->voxel,
                              seen ? seen : &unseen, err);
}

int np_series_read_stored(struct np_series *series, int64_t volume, void *voxel,
                          struct np_error *err)
{
    return np_nifti_file_read_stored(&series->file, volume, series->exec, voxel, err);
}

int np_series_finish(struct np_series *series, int64_t *n_extra_bytes, char sha256[65],
                     struct np_error *err)
{
    return np_nifti_file_finish(&series->file, series->exec, n_extra_bytes, sha256, err);
}
