#include "image/series_writer.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <nifti1.h>
#include <stdatomic.h>
#include <string.h>

#include "image/nifti_convert.h"
#include "image/nifti_out.h"

_Static_assert(NP_SERIES_UINT8 == NIFTI_TYPE_UINT8 && NP_SERIES_INT16 == NIFTI_TYPE_INT16 &&
                   NP_SERIES_FLOAT32 == NIFTI_TYPE_FLOAT32,
               "NIfTI's own codes");

enum { PIECE = 1 << 16 }; /* voxels that a task makes integers of */

struct np_series_writer {
    struct np_nifti_out out;
    struct np_nifti_form form;
    struct np_grid grid;
    const struct np_exec *exec;
    int64_t n_volumes; /* written */
    int64_t n_voxels;  /* of one */
    void *stored;      /* one volume of integers; NULL for floats */
    const float *from; /* what the tasks make integers of */
    atomic_llong n_clipped, n_nan;
};

static int bytes_of(enum np_series_datatype datatype)
{
    return datatype == NP_SERIES_UINT8 ? 1 : datatype == NP_SERIES_INT16 ? 2 : 4;
}

static int check_form(const char *path, const struct np_nifti_form *form, struct np_error *err)
{
    bool is_float = form->datatype == NIFTI_TYPE_FLOAT32;
    double tr_s = form->grid->tr_s;

    if (!(tr_s >= 0 && tr_s <= FLT_MAX))
        return np_error_set(err, NP_EVALUE,
                            "'%s': expected a finite time between volumes, found %g s; take it "
                            "from the sidecar, or 0 when it is not known",
                            path, tr_s);
    if (is_float && (form->scl_slope != 1 || form->scl_inter != 0))
        return np_error_set(err, NP_EVALUE,
                            "'%s': expected slope 1 and intercept 0 for floats, found %g and %g; "
                            "write the values themselves",
                            path, form->scl_slope, form->scl_inter);
    if (form->scl_slope != 0 && isfinite(form->scl_slope) && isfinite(form->scl_inter))
        return 0;
    return np_error_set(err, NP_EVALUE,
                        "'%s': expected a finite slope other than 0 and a finite intercept, found "
                        "%g and %g; choose a scaling that holds the series' range",
                        path, form->scl_slope, form->scl_inter);
}

/* Volatile, because gcc 12 at -O2 leaves the rounding out where two neighbours are rounded. */
static double rounded_to_float(double value)
{
    volatile float rounded = (float)value;

    return rounded;
}

/* The scaling as it will lie in the file, so that what is stored is what readers will scale. */
static void round_scaling(struct np_nifti_form *form, const struct np_nifti_output *header)
{
    if (np_nifti_compose_version(form, header) == 2)
        return;
    form->scl_slope = rounded_to_float(form->scl_slope);
    form->scl_inter = rounded_to_float(form->scl_inter);
}

static int get_room(const char *path, struct np_series_writer *writer, struct np_error *err)
{
    if (writer->form.datatype == NIFTI_TYPE_FLOAT32)
        return 0;
    writer->stored = np_try_voxels((size_t)writer->n_voxels, (size_t)writer->form.bytes_per_voxel);
    if (writer->stored)
        return 0;
    return np_error_set(err, NP_ENOMEM, "'%s': no memory for a volume of %lld MiB", path,
                        (long long)writer->n_voxels * writer->form.bytes_per_voxel >> 20);
}

int np_series_writer_open(const char *path, const char *fd_path, const struct np_series_output *how,
                          const struct np_exec *exec, struct np_series_writer **out,
                          struct np_error *err)
{
    NP_AUTO(np_series_writer_freep)
    struct np_series_writer *writer = np_xcalloc(1, sizeof(*writer));

    writer->grid = *how->grid;
    writer->exec = exec;
    writer->n_voxels = (int64_t)np_grid_voxels(how->grid);
    writer->form = (struct np_nifti_form){.grid = &writer->grid,
                                          .is_series = true,
                                          .datatype = how->datatype,
                                          .bytes_per_voxel = bytes_of(how->datatype),
                                          .scl_slope = how->scl_slope,
                                          .scl_inter = how->scl_inter};
    round_scaling(&writer->form, &how->header);
    NP_TRY(check_form(path, &writer->form, err));
    NP_TRY(get_room(path, writer, err));
    NP_TRY(np_nifti_out_open(path, fd_path, &writer->form, &how->header, exec, &writer->out, err));
    *out = writer;
    writer = NULL;
    return 0;
}

void np_series_writer_freep(struct np_series_writer **address)
{
    struct np_series_writer *writer = *address;

    if (!writer)
        return;
    np_nifti_out_done(&writer->out);
    np_voxels_free(writer->stored);
    np_freep(address);
}

int np_series_writer_append_stored(struct np_series_writer *writer, const void *voxel,
                                   struct np_error *err)
{
    if (writer->n_volumes == writer->grid.n[3])
        return np_error_set(err, NP_EINTERNAL, "'%s': expected %lld volumes, found one more",
                            writer->out.path, (long long)writer->grid.n[3]);
    NP_TRY(np_packer_append(writer->out.packer, voxel,
                            (size_t)writer->n_voxels * (size_t)writer->form.bytes_per_voxel, err));
    writer->n_volumes++;
    return 0;
}

static void store_piece(void *context, int64_t task)
{
    struct np_series_writer *writer = context;
    const struct np_nifti_form *form = &writer->form;
    int64_t begin = task * PIECE, left = writer->n_voxels - begin;
    uint8_t *raw = (uint8_t *)writer->stored + begin * form->bytes_per_voxel;
    struct np_nifti_misfits misfits = {0};

    np_nifti_store(form->datatype, writer->from + begin, left < PIECE ? left : PIECE,
                   form->scl_slope, form->scl_inter, raw, &misfits);
    atomic_fetch_add(&writer->n_clipped, misfits.n_clipped);
    atomic_fetch_add(&writer->n_nan, misfits.n_nan);
}

int np_series_writer_append(struct np_series_writer *writer, const struct np_image *image,
                            struct np_error *err)
{
    assert((int64_t)np_grid_voxels(&image->grid) == writer->n_voxels);
    if (!writer->stored)
        return np_series_writer_append_stored(writer, image->voxel, err);
    writer->from = image->voxel;
    np_exec_run(writer->exec, (writer->n_voxels + PIECE - 1) / PIECE, store_piece, writer);
    return np_series_writer_append_stored(writer, writer->stored, err);
}

int np_series_writer_finish(struct np_series_writer *writer, struct np_series_written *written,
                            struct np_error *err)
{
    if (writer->n_volumes < writer->grid.n[3])
        return np_error_set(err, NP_EINTERNAL, "'%s': expected %lld volumes, found %lld",
                            writer->out.path, (long long)writer->grid.n[3],
                            (long long)writer->n_volumes);
    NP_TRY(np_nifti_out_finish(&writer->out, &(struct np_bytes){"", 0}, &written->file, err));
    written->n_clipped = writer->n_clipped;
    written->n_nan = writer->n_nan;
    return 0;
}
