#include "image/nifti_compose.h"

#include <math.h>
#include <nifti2_io.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(nifti_1_header) == NP_NIFTI1_BYTES, "packed as on disk");
_Static_assert(sizeof(nifti_2_header) == NP_NIFTI2_BYTES, "packed as on disk");

static double column_dot(const nifti_dmat44 *m, int i, int j)
{
    return m->m[0][i] * m->m[0][j] + m->m[1][i] * m->m[1][j] + m->m[2][i] * m->m[2][j];
}

/* True for axes at right angles, which a qform can express. Axes of floats are so within about
 * 1e-7. */
static bool has_shear(const nifti_dmat44 *m)
{
    static const double MOST_COSINE = 1e-5;

    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3;
        double lengths = sqrt(column_dot(m, i, i) * column_dot(m, j, j));
        if (fabs(column_dot(m, i, j)) > MOST_COSINE * lengths)
            return true;
    }
    return false;
}

/* The qform and the voxel sizes are computed from the sform as the file stores it, so that a
 * file that is read and written again does not change. */
static void set_geometry(nifti_2_header *h, const struct np_affine *world_from_voxel,
                         int xform_code)
{
    double *const rows[3] = {h->srow_x, h->srow_y, h->srow_z};
    nifti_dmat44 m;
    double ignored[3];

    memcpy(m.m, world_from_voxel->m, sizeof(m.m));
    for (int i = 0; i < 3; i++)
        memcpy(rows[i], m.m[i], 4 * sizeof(double));
    for (int j = 0; j < 3; j++)
        h->pixdim[j + 1] = sqrt(column_dot(&m, j, j));
    h->pixdim[0] = 1;
    h->sform_code = xform_code;
    h->xyzt_units = NIFTI_UNITS_MM;
    if (has_shear(&m))
        return;
    nifti_dmat44_to_quatern(m, &h->quatern_b, &h->quatern_c, &h->quatern_d, &h->qoffset_x,
                            &h->qoffset_y, &h->qoffset_z, &ignored[0], &ignored[1], &ignored[2],
                            &h->pixdim[0]);
    h->qform_code = xform_code;
}

static struct np_affine rounded_to_floats(const struct np_affine *a)
{
    struct np_affine rounded;

    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            rounded.m[i][j] = (float)a->m[i][j];
    return rounded;
}

/* The slice order is valid for the axis that it names as long as that axis has all its slices. */
static void set_slices(nifti_2_header *h, const struct np_nifti_info *like)
{
    int slice_axis = DIM_INFO_TO_SLICE_DIM(like->dim_info);

    h->dim_info = (char)like->dim_info;
    if (like->slice_code <= 0 || slice_axis == 0)
        return;
    h->slice_code = like->slice_code;
    h->slice_end = h->dim[slice_axis] - 1;
}

static int n_axes(const struct np_nifti_form *form)
{
    return form->is_series ? 4 : 3;
}

static void set_time(nifti_2_header *h, double tr_s)
{
    h->pixdim[4] = tr_s;
    if (tr_s > 0)
        h->xyzt_units |= NIFTI_UNITS_SEC;
}

static void fill_header(nifti_2_header *h, int version, const struct np_nifti_form *form,
                        const struct np_nifti_output *how)
{
    struct np_affine world_from_voxel = version == 1
                                            ? rounded_to_floats(&form->grid->world_from_voxel)
                                            : form->grid->world_from_voxel;
    const struct np_nifti_info *like = how ? how->like : NULL;

    memset(h, 0, sizeof(*h));
    h->sizeof_hdr = NP_NIFTI2_BYTES;
    memcpy(h->magic, "n+2\0\r\n\032\n", sizeof(h->magic));
    h->vox_offset = NP_NIFTI2_OFFSET;
    h->datatype = (int16_t)form->datatype;
    h->bitpix = (int16_t)(8 * form->bytes_per_voxel);
    h->scl_slope = form->scl_slope;
    h->scl_inter = form->scl_inter;
    h->dim[0] = n_axes(form);
    for (int i = 0; i < 7; i++) {
        h->dim[i + 1] = i < n_axes(form) ? form->grid->n[i] : 1;
        h->pixdim[i + 1] = 1;
    }
    set_geometry(h, &world_from_voxel, like ? like->xform_code : NIFTI_XFORM_SCANNER_ANAT);
    if (form->is_series)
        set_time(h, form->grid->tr_s);
    if (like)
        set_slices(h, like);
    if (how && how->description)
        snprintf(h->descrip, sizeof(h->descrip), "%s", how->description);
}

/* Every field that fill_header sets. */
static void narrow(const nifti_2_header *h2, nifti_1_header *h1)
{
    memset(h1, 0, sizeof(*h1));
    h1->sizeof_hdr = NP_NIFTI1_BYTES;
    h1->regular = 'r'; /* ANALYZE required it; some readers still check it */
    memcpy(h1->magic, "n+1", sizeof(h1->magic));
    h1->vox_offset = NP_NIFTI1_OFFSET;
    h1->datatype = h2->datatype;
    h1->bitpix = h2->bitpix;
    h1->scl_slope = (float)h2->scl_slope;
    h1->scl_inter = (float)h2->scl_inter;
    h1->dim_info = h2->dim_info;
    h1->slice_code = (char)h2->slice_code;
    h1->slice_end = (short)h2->slice_end;
    h1->xyzt_units = (char)h2->xyzt_units;
    h1->qform_code = (short)h2->qform_code;
    h1->sform_code = (short)h2->sform_code;
    h1->quatern_b = (float)h2->quatern_b;
    h1->quatern_c = (float)h2->quatern_c;
    h1->quatern_d = (float)h2->quatern_d;
    h1->qoffset_x = (float)h2->qoffset_x;
    h1->qoffset_y = (float)h2->qoffset_y;
    h1->qoffset_z = (float)h2->qoffset_z;
    memcpy(h1->descrip, h2->descrip, sizeof(h1->descrip));
    for (int i = 0; i < 8; i++) {
        h1->dim[i] = (short)h2->dim[i];
        h1->pixdim[i] = (float)h2->pixdim[i];
    }
    for (int i = 0; i < 4; i++) {
        h1->srow_x[i] = (float)h2->srow_x[i];
        h1->srow_y[i] = (float)h2->srow_y[i];
        h1->srow_z[i] = (float)h2->srow_z[i];
    }
}

int np_nifti_compose_version(const struct np_nifti_form *form, const struct np_nifti_output *how)
{
    for (int i = 0; i < n_axes(form); i++)
        if (form->grid->n[i] > NP_NIFTI_MOST_AXIS1)
            return 2;
    return how && how->like && how->like->version == 2 ? 2 : 1;
}

size_t np_nifti_compose(const struct np_nifti_form *form, const struct np_nifti_output *how,
                        uint8_t head[NP_NIFTI2_OFFSET])
{
    int version = np_nifti_compose_version(form, how);
    nifti_2_header h2;
    nifti_1_header h1;

    memset(head, 0, NP_NIFTI2_OFFSET);
    fill_header(&h2, version, form, how);
    if (version == 2) {
        memcpy(head, &h2, sizeof(h2));
        return NP_NIFTI2_OFFSET;
    }
    narrow(&h2, &h1);
    memcpy(head, &h1, sizeof(h1));
    return NP_NIFTI1_OFFSET;
}
