/*
 * A header is checked in this order: its kind (size, byte order, magic), its axes, its datatype,
 * the position of its voxels in the file, its geometry. Both versions are converted to NIfTI-2's
 * structure, so that each check exists once.
 */
#include "image/nifti_header.h"

#include <float.h>
#include <math.h>
#include <nifti2_io.h>
#include <stdio.h>
#include <string.h>

enum { MOST_AXES = 7 };

static const char nifti2_magic_tail[4] = {'\r', '\n', '\032', '\n'};

struct datatype {
    int code;
    const char *name;
    int n_bytes;
    const char *refusal; /* why it is refused; NULL when it can be read */
};

static const struct datatype datatypes[] = {
    {NIFTI_TYPE_UINT8, "UINT8", 1, NULL},
    {NIFTI_TYPE_INT8, "INT8", 1, NULL},
    {NIFTI_TYPE_INT16, "INT16", 2, NULL},
    {NIFTI_TYPE_UINT16, "UINT16", 2, NULL},
    {NIFTI_TYPE_INT32, "INT32", 4, NULL},
    {NIFTI_TYPE_UINT32, "UINT32", 4, NULL},
    {NIFTI_TYPE_INT64, "INT64", 8, NULL},
    {NIFTI_TYPE_UINT64, "UINT64", 8, NULL},
    {NIFTI_TYPE_FLOAT32, "FLOAT32", 4, NULL},
    {NIFTI_TYPE_FLOAT64, "FLOAT64", 8, NULL},
    {NIFTI_TYPE_FLOAT128, "FLOAT128", 16, "convert it to FLOAT64"},
    {DT_BINARY, "BINARY", 0, "convert it to UINT8"},
    {NIFTI_TYPE_COMPLEX64, "COMPLEX64", 8, "take its magnitude"},
    {NIFTI_TYPE_COMPLEX128, "COMPLEX128", 16, "take its magnitude"},
    {NIFTI_TYPE_COMPLEX256, "COMPLEX256", 32, "take its magnitude"},
    {NIFTI_TYPE_RGB24, "RGB24", 3, "it is a picture: take the image that it was made from"},
    {NIFTI_TYPE_RGBA32, "RGBA32", 4, "it is a picture: take the image that it was made from"},
};

static uint32_t leading_number(const uint8_t *bytes)
{
    uint32_t number;

    memcpy(&number, bytes, sizeof(number));
    return number;
}

/* 1 or 2 by the header's size in either byte order; 0 = neither. */
static int version_of(const uint8_t *bytes, size_t n_bytes, bool *swapped)
{
    uint32_t number = n_bytes >= 4 ? leading_number(bytes) : 0;
    uint32_t other = __builtin_bswap32(number);

    *swapped = other == NP_NIFTI1_BYTES || other == NP_NIFTI2_BYTES;
    if (*swapped)
        number = other;
    return number == NP_NIFTI1_BYTES ? 1 : number == NP_NIFTI2_BYTES ? 2 : 0;
}

size_t np_nifti_header_bytes(const uint8_t *bytes, size_t n_bytes)
{
    static const size_t sizes[] = {0, NP_NIFTI1_BYTES, NP_NIFTI2_BYTES};
    bool swapped;

    return sizes[version_of(bytes, n_bytes, &swapped)];
}

/* Every field that we use. */
static void widen(const nifti_1_header *h1, nifti_2_header *h2)
{
    memset(h2, 0, sizeof(*h2));
    h2->sizeof_hdr = h1->sizeof_hdr;
    memcpy(h2->magic, h1->magic, sizeof(h1->magic));
    h2->datatype = h1->datatype;
    h2->scl_slope = h1->scl_slope;
    h2->scl_inter = h1->scl_inter;
    h2->qform_code = h1->qform_code;
    h2->sform_code = h1->sform_code;
    h2->quatern_b = h1->quatern_b;
    h2->quatern_c = h1->quatern_c;
    h2->quatern_d = h1->quatern_d;
    h2->qoffset_x = h1->qoffset_x;
    h2->qoffset_y = h1->qoffset_y;
    h2->qoffset_z = h1->qoffset_z;
    h2->slice_code = (unsigned char)h1->slice_code;
    h2->xyzt_units = (unsigned char)h1->xyzt_units;
    h2->dim_info = h1->dim_info;
    for (int i = 0; i < 8; i++) {
        h2->dim[i] = h1->dim[i];
        h2->pixdim[i] = h1->pixdim[i];
    }
    for (int i = 0; i < 4; i++) {
        h2->srow_x[i] = h1->srow_x[i];
        h2->srow_y[i] = h1->srow_y[i];
        h2->srow_z[i] = h1->srow_z[i];
    }
}

static int check_magic(const char *path, int version, const char *magic, bool *is_pair,
                       struct np_error *err)
{
    static const char letters[3] = {0, '1', '2'};
    bool known = magic[0] == 'n' && (magic[1] == '+' || magic[1] == 'i') &&
                 magic[2] == letters[version] && magic[3] == '\0';

    *is_pair = magic[1] == 'i';
    if (known && version == 2 && memcmp(magic + 4, nifti2_magic_tail, 4) != 0)
        return np_error_set(err, NP_EFORMAT,
                            "'%s': expected NIfTI-2's eight magic bytes, found their last four "
                            "changed (line ends translated in a text-mode transfer?); fetch it "
                            "again",
                            path);
    if (known)
        return 0;
    if (version == 1)
        return np_error_set(err, NP_EFORMAT,
                            "'%s': expected NIfTI's magic 'n+1' or 'ni1', found an ANALYZE 7.5 "
                            "header, which does not say where left is; convert the original data "
                            "to NIfTI",
                            path);
    return np_error_set(err, NP_EFORMAT,
                        "'%s': expected NIfTI-2's magic 'n+2' or 'ni2', found others; fetch or "
                        "convert the image again",
                        path);
}

static int refuse_overflow(const char *path, struct np_error *err)
{
    return np_error_set(err, NP_EHEADER,
                        "'%s': expected dimensions of an image, found a product beyond 2^63 bytes; "
                        "the header is damaged: convert the image again",
                        path);
}

/* Axes four to seven are volumes, with any meaning. */
static int check_axes(const char *path, const nifti_2_header *h, struct np_grid *grid, int *n_axes,
                      struct np_error *err)
{
    if (h->dim[0] < 1 || h->dim[0] > MOST_AXES)
        return np_error_set(err, NP_EHEADER,
                            "'%s': expected 1 to 7 dimensions, found %lld; the header is damaged: "
                            "convert the image again",
                            path, (long long)h->dim[0]);
    for (int i = 0; i < 4; i++)
        grid->n[i] = 1;
    for (int i = 1; i <= h->dim[0]; i++) {
        int64_t *n = &grid->n[i < 4 ? i - 1 : 3];
        if (h->dim[i] < 1)
            return np_error_set(err, NP_EHEADER,
                                "'%s': expected at least 1 voxel along axis %d, found %lld; the "
                                "header is damaged: convert the image again",
                                path, i, (long long)h->dim[i]);
        if (__builtin_mul_overflow(*n, h->dim[i], n))
            return refuse_overflow(path, err);
        if (h->dim[i] > 1)
            *n_axes = i;
    }
    return 0;
}

static int check_datatype(const char *path, const nifti_2_header *h, struct np_nifti_info *info,
                          struct np_error *err)
{
    for (size_t i = 0; i < NP_COUNT(datatypes); i++) {
        const struct datatype *type = &datatypes[i];
        if (type->code != h->datatype)
            continue;
        if (type->refusal)
            return np_error_set(err, NP_EDATATYPE,
                                "'%s': expected integers or real numbers of at most 64 bits, found "
                                "datatype %s (%d); %s",
                                path, type->name, type->code, type->refusal);
        info->datatype = type->code;
        info->bytes_per_voxel = type->n_bytes;
        snprintf(info->datatype_name, sizeof(info->datatype_name), "%s", type->name);
        return 0;
    }
    return np_error_set(
        err, NP_EDATATYPE,
        "'%s': expected a datatype of the NIfTI standard, found code %d; the header "
        "is damaged: convert the image again",
        path, h->datatype);
}

/* A float of NIfTI-1 may have any value. */
static int read_offset(const char *path, double stated, int64_t *offset, struct np_error *err)
{
    static const double MOST = 9007199254740992.0; /* 2^53: beyond it doubles skip numbers */

    if (!isfinite(stated) || fabs(stated) > MOST || stated != floor(stated))
        return np_error_set(err, NP_EHEADER,
                            "'%s': expected the voxels at a whole number of bytes, found "
                            "vox_offset %g; the header is damaged: convert the image again",
                            path, stated);
    *offset = (int64_t)stated;
    return 0;
}

static int check_layout(const char *path, const struct np_nifti_info *info,
                        struct np_nifti_layout *layout, struct np_error *err)
{
    int64_t least = layout->is_pair ? 0 : info->version == 1 ? NP_NIFTI1_OFFSET : NP_NIFTI2_OFFSET;
    int64_t n = info->bytes_per_voxel, end;

    if (layout->offset < least)
        return np_error_set(err, NP_EHEADER,
                            "'%s': expected the voxels at byte %lld or later, found vox_offset "
                            "%lld; the header is damaged: convert the image again",
                            path, (long long)least, (long long)layout->offset);
    for (int i = 0; i < 4; i++)
        if (__builtin_mul_overflow(n, info->grid.n[i], &n))
            return refuse_overflow(path, err);
    if (__builtin_add_overflow(n, layout->offset, &end))
        return refuse_overflow(path, err);
    layout->n_data_bytes = n;
    return 0;
}

/* mm for one of the header's units of length; codes for "unknown" are taken as mm, as in other
 * programs. */
static double mm_per_unit(int xyzt_units)
{
    switch (XYZT_TO_SPACE(xyzt_units)) {
    case NIFTI_UNITS_METER:
        return 1e3;
    case NIFTI_UNITS_MICRON:
        return 1e-3;
    default:
        return 1;
    }
}

/* Seconds for one of the header's units of time; 0 when the fourth axis is no time. */
static double seconds_per_unit(int xyzt_units)
{
    switch (XYZT_TO_TIME(xyzt_units)) {
    case NIFTI_UNITS_MSEC:
        return 1e-3;
    case NIFTI_UNITS_USEC:
        return 1e-6;
    case NIFTI_UNITS_HZ:
    case NIFTI_UNITS_PPM:
    case NIFTI_UNITS_RADS:
        return 0;
    default:
        return 1;
    }
}

static int refuse_geometry(const char *path, const char *form, const char *what,
                           struct np_error *err)
{
    return np_error_set(err, NP_EGEOMETRY,
                        "'%s': expected a %s that places voxels in space, found %s; correct the "
                        "header or convert the image again",
                        path, form, what);
}

static void read_sform(const nifti_2_header *h, struct np_affine *a)
{
    const double *const rows[3] = {h->srow_x, h->srow_y, h->srow_z};

    *a = np_affine_identity();
    for (int i = 0; i < 3; i++)
        memcpy(a->m[i], rows[i], sizeof(a->m[i]));
}

static int read_qform(const char *path, const nifti_2_header *h, struct np_affine *a,
                      struct np_error *err)
{
    static const double MOST_NORM = 1.001; /* of a unit quaternion in floats, with some room */
    double b = h->quatern_b, c = h->quatern_c, d = h->quatern_d;

    for (int i = 1; i <= 3; i++)
        if (!(h->pixdim[i] > 0))
            return refuse_geometry(path, "qform", "a voxel size (pixdim) that is not above 0", err);
    if (!(b * b + c * c + d * d <= MOST_NORM))
        return refuse_geometry(path, "qform", "a quaternion longer than 1", err);
    nifti_dmat44 q =
        nifti_quatern_to_dmat44(b, c, d, h->qoffset_x, h->qoffset_y, h->qoffset_z, h->pixdim[1],
                                h->pixdim[2], h->pixdim[3], h->pixdim[0] < 0 ? -1 : 1);
    memcpy(a->m, q.m, sizeof(a->m));
    return 0;
}

/* True for a finite value whose squares and sums stay finite. */
static bool affine_is_sane(const struct np_affine *a)
{
    static const double MOST_MM = 1e9;

    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            if (!(fabs(a->m[i][j]) <= MOST_MM))
                return false;
    return true;
}

static int check_affine(const char *path, const char *form, struct np_nifti_info *info,
                        double mm_per, struct np_error *err)
{
    static const double LEAST_SPACING_MM = 1e-6;
    struct np_affine *a = &info->grid.world_from_voxel, ignored;

    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            a->m[i][j] *= mm_per;
    if (!affine_is_sane(a))
        return refuse_geometry(path, form, "numbers that are not finite or beyond 1000 km", err);
    if (!np_affine_invert(a, &ignored))
        return refuse_geometry(path, form, "a singular matrix (it folds space flat)", err);
    for (int j = 0; j < 3; j++) {
        info->grid.spacing_mm[j] =
            sqrt(a->m[0][j] * a->m[0][j] + a->m[1][j] * a->m[1][j] + a->m[2][j] * a->m[2][j]);
        if (!(info->grid.spacing_mm[j] >= LEAST_SPACING_MM))
            return refuse_geometry(path, form, "voxels smaller than a nanometre", err);
    }
    return 0;
}

/* "aligned" for a code that no standard has: other programs refuse such a file. */
static int known_code(int code)
{
    return code <= NIFTI_XFORM_TEMPLATE_OTHER ? code : NIFTI_XFORM_ALIGNED_ANAT;
}

/* For np_nifti_doubts: what the header says beside the sform, as far as it is valid. */
static void read_other_statements(const nifti_2_header *h, struct np_nifti_info *info)
{
    double mm_per = mm_per_unit(h->xyzt_units);
    struct np_affine *a = &info->world_from_voxel_by_qform, ignored;

    for (int i = 0; i < 3; i++)
        info->pixdim_mm[i] = fabs(h->pixdim[i + 1]) * mm_per;
    if (h->sform_code <= 0 || h->qform_code <= 0 || read_qform("", h, a, NULL) < 0)
        return;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            a->m[i][j] *= mm_per;
    info->has_both_forms = affine_is_sane(a) && np_affine_invert(a, &ignored);
}

static int check_geometry(const char *path, const nifti_2_header *h, struct np_nifti_info *info,
                          struct np_error *err)
{
    int most = h->dim[0] < 4 ? (int)h->dim[0] : 4;

    /* NIfTI-2 has doubles; what no float holds could not be written again, and measures nothing. */
    for (int i = 1; i <= most; i++)
        if (!(fabs(h->pixdim[i]) <= FLT_MAX) && (i < 4 || info->grid.n[3] > 1))
            return np_error_set(err, NP_EHEADER,
                                "'%s': expected a finite %s along axis %d, found %g (pixdim); the "
                                "header is damaged: convert the image again",
                                path, i < 4 ? "voxel size" : "step", i, h->pixdim[i]);
    info->qform_code = h->qform_code;
    info->sform_code = h->sform_code;
    read_other_statements(h, info);
    info->grid.tr_s = info->grid.n[3] > 1 ? h->pixdim[4] * seconds_per_unit(h->xyzt_units) : 0;
    if (h->sform_code > 0) {
        info->geometry = NP_GEOMETRY_SFORM;
        info->xform_code = known_code(h->sform_code);
        read_sform(h, &info->grid.world_from_voxel);
        return check_affine(path, "sform", info, mm_per_unit(h->xyzt_units), err);
    }
    if (h->qform_code <= 0)
        return np_error_set(err, NP_EGEOMETRY,
                            "'%s': expected an sform or a qform that says where the voxels are, "
                            "found codes %d and %d; convert the original data again",
                            path, h->sform_code, h->qform_code);
    info->geometry = NP_GEOMETRY_QFORM;
    info->xform_code = known_code(h->qform_code);
    NP_TRY(read_qform(path, h, &info->grid.world_from_voxel, err));
    return check_affine(path, "qform", info, mm_per_unit(h->xyzt_units), err);
}

static void read_scaling(const nifti_2_header *h, struct np_nifti_info *info)
{
    bool none = h->scl_slope == 0 || !isfinite(h->scl_slope);

    info->stated_slope = h->scl_slope;
    info->scl_slope = none ? 1 : h->scl_slope;
    info->scl_inter = none ? 0 : h->scl_inter;
}

/* The header in this machine's byte order and NIfTI-2's structure. */
static int decode(const char *path, const uint8_t *bytes, int version, bool swapped,
                  nifti_2_header *h, int64_t *offset, struct np_error *err)
{
    nifti_1_header h1;

    if (version == 2) {
        memcpy(h, bytes, sizeof(*h));
        if (swapped)
            nifti_swap_as_nifti2(h);
        *offset = h->vox_offset;
        return 0;
    }
    memcpy(&h1, bytes, sizeof(h1));
    if (swapped)
        nifti_swap_as_nifti1(&h1);
    widen(&h1, h);
    return read_offset(path, h1.vox_offset, offset, err);
}

int np_nifti_parse(const char *path, const uint8_t *bytes, size_t n_bytes,
                   struct np_nifti_info *info, struct np_nifti_layout *layout, struct np_error *err)
{
    struct np_nifti_info found = {0};
    struct np_nifti_layout where = {0};
    nifti_2_header h;

    found.version = version_of(bytes, n_bytes, &found.swapped);
    if (found.version == 0)
        return np_nifti_refuse(path, "", bytes, n_bytes, err);
    size_t n_header = np_nifti_header_bytes(bytes, n_bytes);
    if (n_bytes < n_header)
        return np_error_set(err, NP_ETRUNCATED,
                            "'%s': expected a NIfTI header of %zu bytes, found %zu bytes; the file "
                            "was cut: fetch or convert it again",
                            path, n_header, n_bytes);
    const uint8_t *magic = bytes + (found.version == 1 ? offsetof(nifti_1_header, magic)
                                                       : offsetof(nifti_2_header, magic));
    NP_TRY(check_magic(path, found.version, (const char *)magic, &where.is_pair, err));
    NP_TRY(decode(path, bytes, found.version, found.swapped, &h, &where.offset, err));
    NP_TRY(check_axes(path, &h, &found.grid, &where.n_axes, err));
    NP_TRY(check_datatype(path, &h, &found, err));
    NP_TRY(check_layout(path, &found, &where, err));
    NP_TRY(check_geometry(path, &h, &found, err));
    read_scaling(&h, &found);
    found.slice_code = h.slice_code;
    found.dim_info = (unsigned char)h.dim_info;
    *info = found;
    *layout = where;
    return 0;
}
