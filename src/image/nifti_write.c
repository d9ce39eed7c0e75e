/* Writing a file of one volume, from memory. */
#include <float.h>
#include <math.h>
#include <nifti1.h>

#include "image/nifti_convert.h"
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

/* The largest size of a value; infinite when one is not finite. */
static double reach_of(const struct np_image *image)
{
    size_t n = np_grid_voxels(&image->grid);
    float reach = 0;

    for (size_t i = 0; i < n; i++) {
        float size = fabsf(image->voxel[i]);
        reach = size <= reach ? reach : isnan(size) ? INFINITY : size;
    }
    return reach;
}

bool np_nifti_int16_slope(const struct np_image *image, double *slope)
{
    double reach = reach_of(image);
    int exponent;

    if (!isfinite(reach))
        return false;
    bool is_power = frexp(reach / INT16_MAX, &exponent) == 0.5; /* of two; the least not below */
    double found = reach > 0 ? ldexp(1, exponent - is_power) : 1;
    if (found < (double)FLT_MIN)
        return false;
    *slope = found;
    return true;
}

/* A piece at a time: no second volume is needed. */
static int append_int16(const struct np_image *image, const struct np_nifti_form *form,
                        struct np_nifti_out *out, struct np_error *err)
{
    enum { PIECE = 1 << 14 };
    int64_t n = (int64_t)np_grid_voxels(&image->grid);
    struct np_nifti_misfits misfits = {0};
    int16_t stored[PIECE];

    for (int64_t done = 0; done < n; done += PIECE) {
        int64_t n_piece = n - done < PIECE ? n - done : PIECE;
        np_nifti_store(form->datatype, image->voxel + done, n_piece, form->scl_slope, 0, stored,
                       &misfits);
        NP_TRY(np_packer_append(out->packer, stored, (size_t)n_piece * sizeof(*stored), err));
    }
    long long n_misfits = misfits.n_clipped + misfits.n_nan;
    if (n_misfits == 0)
        return 0;
    return np_error_set(err, NP_EINTERNAL,
                        "'%s': expected a slope that holds this image, found %lld voxels that it "
                        "does not hold",
                        out->path, n_misfits);
}

int np_nifti_write_int16(const char *path, const char *fd_path, const struct np_image *image,
                         double slope, const struct np_nifti_output *how,
                         const struct np_exec *exec, struct np_nifti_written *written,
                         struct np_error *err)
{
    const struct np_nifti_form form = {.grid = &image->grid,
                                       .datatype = NIFTI_TYPE_INT16,
                                       .bytes_per_voxel = sizeof(int16_t),
                                       .scl_slope = slope};
    NP_AUTO(np_nifti_out_done) struct np_nifti_out out = {0};

    NP_TRY(np_nifti_out_open(path, fd_path, &form, how, exec, &out, err));
    NP_TRY(append_int16(image, &form, &out, err));
    return np_nifti_out_finish(&out, &(struct np_bytes){"", 0}, written, err);
}
