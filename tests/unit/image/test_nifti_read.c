/* Reading NIfTI: what is sound is read exactly, what lies is refused with a sentence. */
#include "image/nifti.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "odd_nifti.h"

enum { N_VOXELS = 24 };

static const uint8_t counting[N_VOXELS] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                           12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

static int read_path(const char *path, struct np_nifti_info *info, struct np_nifti_content *content,
                     struct np_image **image, struct np_error *err)
{
    *err = (struct np_error){0};
    return np_nifti_read_volume(path, NULL, info, content, image, err);
}

static void ok_reads_counting(const char *path)
{
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    struct np_nifti_info info;
    struct np_nifti_content content;
    struct np_error err;

    ok_int(read_path(path, &info, &content, &image, &err), 0);
    ok_str(err.text, "");
    if (!image)
        return;
    for (int i = 0; i < N_VOXELS; i++)
        ok_near(image->voxel[i], i, 0, "voxel (an integer: exact)");
    ok_near(content.minimum, 0, 0, "minimum");
    ok_near(content.maximum, 23, 0, "maximum");
    ok_int(content.n_nonfinite, 0);
    ok_near(image->grid.spacing_mm[1], 2, 1e-12, "spacing, mm");
    ok_near(image->grid.world_from_voxel.m[2][3], -30, 0, "offset, mm");
}

TEST(both_versions_in_both_byte_orders)
{
    for (int version = 1; version <= 2; version++)
        for (int big = 0; big <= 1; big++) {
            struct odd odd = odd_make(version);
            struct np_nifti_info info;
            struct np_error err = {0};
            odd.big_endian = big;
            const char *path = odd_write("orders.nii", &odd, counting, N_VOXELS);
            ok_reads_counting(path);
            ok_int(np_nifti_read_info(path, &info, &err), 0);
            ok_int(info.version, version);
            ok_int(info.swapped, big);
            ok_int(info.gzipped, false);
            ok_int(info.file_bytes, (int64_t)odd.vox_offset + N_VOXELS);
            ok_str(info.datatype_name, "UINT8");
            ok_int(info.geometry, NP_GEOMETRY_SFORM);
        }
}

static const struct {
    int datatype, n_bytes;
    enum odd_kind kind;
    const char *name;
    double value[3];
} types[] = {
    {2, 1, ODD_INT8, "UINT8", {0, 127, 255}},
    {256, 1, ODD_INT8, "INT8", {-128, 0, 127}},
    {4, 2, ODD_INT16, "INT16", {-32768, 1, 32767}},
    {512, 2, ODD_INT16, "UINT16", {0, 1, 65535}},
    {8, 4, ODD_INT32, "INT32", {-2147483648.0, 5, 2147483648.0 - 128}},
    {768, 4, ODD_INT32, "UINT32", {0, 5, 4294967296.0 - 256}},
    {1024, 8, ODD_INT64, "INT64", {-1099511627776.0, 5, 1099511627776.0}},
    {1280, 8, ODD_INT64, "UINT64", {0, 5, 1099511627776.0}},
    {16, 4, ODD_FLOAT32, "FLOAT32", {-1.5, 0.25, 3e30}},
    {64, 8, ODD_FLOAT64, "FLOAT64", {-1.5, 0.25, 0x1p100}},
};

/* Values that float32 holds exactly, so that equality is the claim. */
TEST(every_datatype_in_both_byte_orders_is_exact)
{
    for (size_t t = 0; t < NP_COUNT(types); t++)
        for (int big = 0; big <= 1; big++) {
            NP_AUTO(np_image_freep) struct np_image *image = NULL;
            struct odd odd = odd_make(1);
            struct np_nifti_info info;
            struct np_nifti_content content;
            struct np_error err;
            uint8_t voxel[8 * N_VOXELS];
            odd.datatype = types[t].datatype;
            odd.bitpix = 8 * types[t].n_bytes;
            odd.big_endian = big;
            for (int i = 0; i < N_VOXELS; i++)
                odd_put(voxel + i * types[t].n_bytes, types[t].kind, types[t].value[i % 3], big);
            const char *path =
                odd_write("types.nii", &odd, voxel, (size_t)types[t].n_bytes * N_VOXELS);
            ok_int(read_path(path, &info, &content, &image, &err), 0);
            ok_str(info.datatype_name, types[t].name);
            ok_int(info.bytes_per_voxel, types[t].n_bytes);
            for (int i = 0; image && i < N_VOXELS; i++)
                ok(image->voxel[i] == (float)types[t].value[i % 3]);
            ok_near(content.minimum, (float)types[t].value[0], 0, "minimum");
            ok_near(content.maximum, (float)types[t].value[2], 0, "maximum");
        }
}

TEST(slope_and_intercept_scale_and_a_slope_of_0_or_none_means_none)
{
    static const struct {
        double slope, inter, first, last;
    } cases[] = {{2, -3, -3, 43}, {-0.5, 0, 0, -11.5},  {0, 7, 0, 23},          {0, NAN, 0, 23},
                 {NAN, 7, 0, 23}, {INFINITY, 0, 0, 23}, {-INFINITY, NAN, 0, 23}};

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_image_freep) struct np_image *image = NULL;
        struct odd odd = odd_make(1);
        struct np_nifti_content content;
        struct np_error err;
        odd.slope = cases[i].slope;
        odd.inter = cases[i].inter;
        ok_int(read_path(odd_write("slope.nii", &odd, counting, N_VOXELS), NULL, &content, &image,
                         &err),
               0);
        if (!image)
            continue;
        ok_near(image->voxel[0], cases[i].first, 0, "first voxel");
        ok_near(image->voxel[23], cases[i].last, 0, "last voxel");
    }
}

TEST(voxels_that_are_not_finite_become_0_and_are_counted)
{
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    struct odd odd = odd_make(1);
    double voxel[N_VOXELS];
    struct np_nifti_content content;
    struct np_error err;

    for (int i = 0; i < N_VOXELS; i++)
        voxel[i] = i + 5;
    voxel[3] = NAN;
    voxel[7] = INFINITY;
    voxel[8] = -INFINITY;
    voxel[9] = 1e300; /* finite in the file, not as float */
    odd.datatype = 64;
    ok_int(
        read_path(odd_write("nan.nii", &odd, voxel, sizeof(voxel)), NULL, &content, &image, &err),
        0);
    ok_int(content.n_nonfinite, 4);
    ok_int(content.n_too_large, 1);
    ok_near(content.minimum, 5, 0, "minimum of the finite");
    ok_near(content.maximum, 28, 0, "maximum of the finite");
    ok(image && image->voxel[3] == 0 && image->voxel[9] == 0 && image->voxel[10] == 15);
    np_image_freep(&image);
    for (int i = 0; i < N_VOXELS; i++)
        voxel[i] = NAN;
    ok_int(
        read_path(odd_write("nan.nii", &odd, voxel, sizeof(voxel)), NULL, &content, &image, &err),
        0);
    ok_int(content.n_nonfinite, N_VOXELS);
    ok_int(content.n_too_large, 0);
    ok_near(content.minimum, 0, 0, "minimum of none");
}

/* Integers are always finite in the file; floats of 32 bits may become too large by the slope. */
TEST(voxels_that_scaling_makes_too_large_are_counted_apart)
{
    static const float single[N_VOXELS] = {1, 3e38F, NAN, -2e38F, -1};
    static const struct {
        int datatype;
        const void *voxel;
        size_t n_bytes;
        int64_t n_nonfinite, n_too_large;
    } cases[] = {{2, counting, N_VOXELS, 22, 22}, {16, single, sizeof(single), 3, 2}};

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_image_freep) struct np_image *image = NULL;
        struct odd odd = odd_make(1);
        struct np_nifti_content content;
        struct np_error err;
        odd.datatype = cases[i].datatype;
        odd.slope = i == 0 ? 2e38 : 2;
        ok_int(read_path(odd_write("large.nii", &odd, cases[i].voxel, cases[i].n_bytes), NULL,
                         &content, &image, &err),
               0);
        ok_int(content.n_nonfinite, cases[i].n_nonfinite);
        ok_int(content.n_too_large, cases[i].n_too_large);
    }
}

TEST(gzipped_files_and_pairs_by_either_name)
{
    for (int version = 1; version <= 2; version++) {
        struct odd odd = odd_make(version);
        struct np_nifti_info info;
        struct np_error err = {0};
        const char *gz = odd_path("zip.nii.gz");
        gzip_file(odd_write("zip.nii", &odd, counting, N_VOXELS), gz);
        ok_reads_counting(gz);
        ok_int(np_nifti_read_info(gz, &info, &err), 0);
        ok_int(info.gzipped, true);
        odd.magic = version == 1 ? "ni1\0" : "ni2\0\r\n\032\n";
        odd.vox_offset = 0;
        const char *hdr = odd_write("pair.hdr", &odd, NULL, 0);
        const char *img = odd_write_bytes("pair.img", counting, N_VOXELS);
        ok_reads_counting(hdr);
        ok_reads_counting(img);
        gzip_file(img, odd_path("pair.img.gz"));
        unlink(img);
        ok_reads_counting(hdr);
        ok_reads_counting(odd_path("pair.img.gz"));
        gzip_file(hdr, odd_path("pair.hdr.gz"));
        unlink(hdr);
        ok_reads_counting(odd_path("pair.hdr.gz"));
        ok_int(np_nifti_read_info(odd_path("pair.img.gz"), &info, &err), 0);
        ok_int(info.gzipped, true);
        unlink(odd_path("pair.hdr.gz"));
        unlink(odd_path("pair.img.gz"));
    }
}

TEST(extensions_before_the_voxels_are_skipped_and_bytes_after_them_counted)
{
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    struct odd odd = odd_make(1);
    uint8_t voxel[N_VOXELS + 100] = {0};
    struct np_nifti_content content;
    struct np_error err;

    memcpy(voxel, counting, N_VOXELS);
    odd.vox_offset = 1360;
    ok_reads_counting(odd_write("ext.nii", &odd, voxel, N_VOXELS));
    const char *path = odd_write("ext.nii", &odd, voxel, sizeof(voxel));
    ok_int(read_path(path, NULL, &content, &image, &err), 0);
    ok_int(content.n_extra_bytes, 100);
}

TEST(units_are_scaled_to_mm_and_s)
{
    static const struct {
        int units;
        double mm, s;
    } cases[] = {
        {1 | 8, 1e3, 1}, {2 | 16, 1, 1e-3}, {3 | 24, 1e-3, 1e-6}, {0, 1, 1}, {2 | 32, 1, 0}};

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        struct odd odd = odd_make(1);
        struct np_nifti_info info;
        struct np_error err = {0};
        odd.xyzt_units = cases[i].units;
        odd.dim[0] = 4;
        odd.dim[4] = 2;
        odd.pixdim[4] = 3;
        const char *path = odd_write("units.nii", &odd, counting, N_VOXELS);
        ok_int(np_nifti_read_info(path, &info, &err), NP_ETRUNCATED); /* one volume of two */
        uint8_t both[2 * N_VOXELS] = {0};
        ok_int(np_nifti_read_info(odd_write("units.nii", &odd, both, sizeof(both)), &info, NULL),
               0);
        ok_int(info.grid.n[3], 2);
        ok_near(info.grid.tr_s, 3 * cases[i].s, 1e-12, "TR, s");
        ok_near(info.grid.spacing_mm[2], 3 * cases[i].mm, 1e-9, "spacing, mm");
        ok_near(info.grid.world_from_voxel.m[1][3], -20 * cases[i].mm, 1e-9, "offset, mm");
    }
}

/* NIfTI-2 holds doubles; a NIfTI-1 file could not hold what is beyond floats. */
TEST(a_step_that_no_float_holds_is_refused)
{
    uint8_t both[2 * N_VOXELS] = {0};

    for (int axis = 2; axis <= 4; axis += 2) {
        struct odd odd = odd_make(2);
        struct np_nifti_info info;
        struct np_error err = {0};
        odd.dim[0] = 4;
        odd.dim[4] = 2;
        odd.pixdim[axis] = 1e39;
        const char *path = odd_write("beyond.nii", &odd, both, sizeof(both));
        ok_int(np_nifti_read_info(path, &info, &err), NP_EHEADER);
        ok_contains(err.text, axis == 2 ? "expected a finite voxel size along axis 2, found 1e+39"
                                        : "expected a finite step along axis 4, found 1e+39");
        odd.pixdim[axis] = 1e38;
        ok_int(np_nifti_read_info(odd_write("within.nii", &odd, both, sizeof(both)), &info, NULL),
               0);
    }
}

/* A rotation by 90 degrees about z: x runs to anterior, y to left. The quaternion is
 * (cos 45, 0, 0, sin 45). */
TEST(a_qform_places_voxels_where_no_sform_does)
{
    for (int qfac = -1; qfac <= 1; qfac += 2) {
        struct odd odd = odd_make(1);
        struct np_nifti_info info;
        struct np_error err = {0};
        double p[3] = {1, 1, 1};
        odd.sform_code = 0;
        odd.qform_code = 2;
        odd.quatern[2] = 0.70710678118654752;
        odd.qoffset[0] = 100;
        odd.pixdim[0] = qfac;
        ok_int(np_nifti_read_info(odd_write("q.nii", &odd, counting, N_VOXELS), &info, &err), 0);
        ok_int(info.geometry, NP_GEOMETRY_QFORM);
        ok_int(info.xform_code, 2);
        np_affine_apply(&info.grid.world_from_voxel, p, p);
        ok_near(p[0], 98, 1e-5, "x, mm (floats of the header)");
        ok_near(p[1], 1, 1e-5, "y, mm");
        ok_near(p[2], 3 * qfac, 1e-5, "z, mm");
    }
}

/* The identity as qform; the sform of odd_make is its equal. */
static void set_both(struct odd *o)
{
    o->qform_code = 1;
    for (int i = 0; i < 3; i++)
        o->qoffset[i] = o->srow[i][3];
}
static void set_mirrored(struct odd *o)
{
    set_both(o);
    o->srow[0][0] = -1;
    o->srow[0][3] = 10;
}
static void set_apart(struct odd *o)
{
    set_both(o);
    o->srow[1][3] += 1;
}
static void set_nearly_the_same(struct odd *o)
{
    set_both(o);
    o->srow[1][3] += 0.01;
    o->pixdim[2] = 2.002;
}
/* By 180 degrees about z: handedness stays. */
static void set_turned(struct odd *o)
{
    set_both(o);
    o->quatern[2] = 1;
}
static void set_scaled(struct odd *o)
{
    o->srow[2][2] = 1.5;
}
static void set_scaled_both(struct odd *o)
{
    set_both(o);
    o->srow[2][2] = 1.5;
}
static void set_scaled_whole(struct odd *o)
{
    set_both(o);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            o->srow[i][j] *= 0.5;
}
static void set_no_pixdim(struct odd *o)
{
    o->pixdim[1] = o->pixdim[2] = o->pixdim[3] = 0;
    o->qform_code = 1;
}
static void set_metres(struct odd *o)
{
    set_both(o);
    o->xyzt_units = 1;
}
static void set_code_6(struct odd *o)
{
    o->sform_code = 6;
}
static void set_qform_code_9(struct odd *o)
{
    set_both(o);
    o->sform_code = 0;
    o->qform_code = 9;
}
static void set_code_5(struct odd *o)
{
    o->sform_code = 5;
}
static void set_infinite_slope(struct odd *o)
{
    o->slope = INFINITY;
}

/* A header that contradicts itself: one sentence with both figures, or none. */
TEST(a_header_that_contradicts_itself_is_doubted_with_both_figures)
{
    static const struct {
        void (*set)(struct odd *o);
        const char *sentence; /* NULL = none */
        int xform_code;
    } cases[] = {
        {set_both, NULL, 1},
        {set_nearly_the_same, NULL, 1},
        {set_no_pixdim, NULL, 1},
        {set_metres, NULL, 1},
        {set_code_5, NULL, 5},
        {set_mirrored,
         "run towards LAS by the sform (code 1), which is used, and towards RAS by the qform (code "
         "1)",
         1},
        {set_apart,
         "up to 1.0 mm apart: voxel (0, 0, 0) lies at (-10.0, -19.0, -30.0) mm by the sform (code "
         "1), which is used, and at (-10.0, -20.0, -30.0) mm by the qform (code 1)",
         1},
        {set_turned,
         "up to 10.0 mm apart: voxel (3, 2, 0) lies at (-7.0, -16.0, -30.0) mm by the sform (code "
         "1), which is used, and at (-13.0, -24.0, -30.0) mm by the qform (code 1)",
         1},
        {set_scaled,
         "voxels are 1 x 2 x 1.5 mm by the sform, which is used, and 1 x 2 x 3 mm by pixdim: "
         "volumes are 0.5 times those by pixdim",
         1},
        {set_scaled_both, "voxels are 1 x 2 x 1.5 mm by the sform", 1},
        {set_scaled_whole, "volumes are 0.125 times those by pixdim", 1},
        {set_code_6, "(1 to 5) for the sform, found 6; outputs are written with 2 (aligned)", 2},
        {set_qform_code_9, "(1 to 5) for the qform, found 9; outputs are written with 2", 2},
        {set_infinite_slope, "expected a finite scl_slope, found inf", 1},
    };

    for (int version = 1; version <= 2; version++)
        for (size_t i = 0; i < NP_COUNT(cases); i++) {
            NP_AUTO(np_strings_done) struct np_strings sentences = {0};
            struct odd odd = odd_make(version);
            struct np_nifti_info info;
            cases[i].set(&odd);
            const char *path = odd_write("doubt.nii", &odd, counting, N_VOXELS);
            ok_int(np_nifti_read_info(path, &info, NULL), 0);
            np_nifti_doubts(&info, &sentences);
            ok_int((int64_t)sentences.n, cases[i].sentence != NULL);
            if (sentences.n && cases[i].sentence)
                ok_contains(sentences.item[0], cases[i].sentence);
            ok_int(info.xform_code, cases[i].xform_code);
        }
}

TEST(trailing_axes_of_length_1_do_not_count)
{
    struct odd odd = odd_make(1);

    odd.dim[0] = 5;
    odd.dim[6] = -9; /* beyond dim[0]: means nothing */
    ok_reads_counting(odd_write("five.nii", &odd, counting, N_VOXELS));
}

static void set_dim0_8(struct odd *o)
{
    o->dim[0] = 8;
}
static void set_dim0_0(struct odd *o)
{
    o->dim[0] = 0;
}
static void set_axis_0(struct odd *o)
{
    o->dim[2] = 0;
}
static void set_axis_negative(struct odd *o)
{
    o->dim[3] = -4;
}
static void set_axes_huge(struct odd *o)
{
    o->dim[0] = 7;
    for (int i = 1; i < 8; i++)
        o->dim[i] = 32767;
}
static void set_axes_large(struct odd *o)
{
    o->dim[1] = o->dim[2] = o->dim[3] = 4000;
}
static void set_4d(struct odd *o)
{
    o->dim[0] = 4;
    o->dim[3] = 1;
    o->dim[4] = 2;
}
static void set_2d(struct odd *o)
{
    o->dim[0] = 2;
    o->dim[2] = 6;
}
static void set_complex(struct odd *o)
{
    o->datatype = 32;
}
static void set_rgb(struct odd *o)
{
    o->datatype = 128;
}
static void set_bits(struct odd *o)
{
    o->datatype = 1;
}
static void set_float128(struct odd *o)
{
    o->datatype = 1536;
}
static void set_type_77(struct odd *o)
{
    o->datatype = 77;
}
static void set_offset_0(struct odd *o)
{
    o->vox_offset = 0;
}
static void set_offset_nan(struct odd *o)
{
    o->vox_offset = NAN;
}
static void set_offset_half(struct odd *o)
{
    o->vox_offset = 400.5;
}
static void set_offset_huge(struct odd *o)
{
    o->vox_offset = 1e30;
}
static void set_offset_beyond(struct odd *o)
{
    o->vox_offset = 1048576;
}
static void set_pixdim_nan(struct odd *o)
{
    o->pixdim[2] = NAN;
}
static void set_no_forms(struct odd *o)
{
    o->sform_code = 0;
}
static void set_sform_singular(struct odd *o)
{
    memset(o->srow[1], 0, sizeof(o->srow[1]));
    o->qform_code = 1;
}
static void set_sform_infinite(struct odd *o)
{
    o->srow[0][0] = INFINITY;
}
static void set_sform_far(struct odd *o)
{
    o->srow[2][3] = 1e30;
}
static void set_sform_tiny(struct odd *o)
{
    for (int i = 0; i < 3; i++)
        o->srow[i][i] = 1e-9;
}
static void set_qform_long(struct odd *o)
{
    o->sform_code = 0;
    o->qform_code = 1;
    o->quatern[0] = 3;
}
static void set_qform_flat(struct odd *o)
{
    o->sform_code = 0;
    o->qform_code = 1;
    o->pixdim[3] = 0;
}
static void set_inter_infinite(struct odd *o)
{
    o->inter = INFINITY;
}
static void set_analyze(struct odd *o)
{
    o->magic = "\0\0\0\0";
}
static void set_pair_magic(struct odd *o)
{
    o->magic = "ni1\0";
}
static void set_sizeof_hdr(struct odd *o)
{
    o->sizeof_hdr = 349;
}

static const struct {
    void (*lie)(struct odd *);
    int code;
    const char *sentence; /* expected and found */
} lies[] = {
    {set_dim0_8, NP_EHEADER, "expected 1 to 7 dimensions, found 8"},
    {set_dim0_0, NP_EHEADER, "expected 1 to 7 dimensions, found 0"},
    {set_axis_0, NP_EHEADER, "expected at least 1 voxel along axis 2, found 0"},
    {set_axis_negative, NP_EHEADER, "expected at least 1 voxel along axis 3, found -4"},
    {set_axes_huge, NP_EHEADER, "expected dimensions of an image, found a product beyond 2^63"},
    {set_axes_large, NP_ETRUNCATED, "expected 64000000352 bytes by its header, found 376;"},
    {set_4d, NP_EDIMENSION, "expected one 3-D volume, found 2 volumes"},
    {set_2d, NP_EDIMENSION, "expected a 3-D volume, found 4 x 6 x 1 voxels"},
    {set_complex, NP_EDATATYPE, "found datatype COMPLEX64 (32); take its magnitude"},
    {set_rgb, NP_EDATATYPE, "found datatype RGB24 (128); it is a picture"},
    {set_bits, NP_EDATATYPE, "found datatype BINARY (1); convert it to UINT8"},
    {set_float128, NP_EDATATYPE, "found datatype FLOAT128 (1536); convert it to FLOAT64"},
    {set_type_77, NP_EDATATYPE, "expected a datatype of the NIfTI standard, found code 77"},
    {set_offset_0, NP_EHEADER, "expected the voxels at byte 352 or later, found vox_offset 0"},
    {set_offset_nan, NP_EHEADER, "expected the voxels at a whole number of bytes, found"},
    {set_offset_half, NP_EHEADER, "whole number of bytes, found vox_offset 400.5"},
    {set_offset_huge, NP_EHEADER, "whole number of bytes, found vox_offset 1e+30"},
    {set_offset_beyond, NP_ETRUNCATED, "expected 1048600 bytes by its header, found 4120"},
    {set_pixdim_nan, NP_EHEADER, "expected a finite voxel size along axis 2, found nan"},
    {set_no_forms, NP_EGEOMETRY, "expected an sform or a qform that says where the voxels are"},
    {set_sform_singular, NP_EGEOMETRY, "found a singular matrix"},
    {set_sform_infinite, NP_EGEOMETRY, "found numbers that are not finite"},
    {set_sform_far, NP_EGEOMETRY, "found numbers that are not finite or beyond 1000 km"},
    {set_sform_tiny, NP_EGEOMETRY, "found voxels smaller than a nanometre"},
    {set_qform_long, NP_EGEOMETRY, "expected a qform that places voxels in space, found a quat"},
    {set_qform_flat, NP_EGEOMETRY, "found a voxel size (pixdim) that is not above 0"},
    {set_inter_infinite, NP_EVALUE, "expected finite scaling, found slope 1 and intercept inf"},
    {set_analyze, NP_EFORMAT, "found an ANALYZE 7.5 header, which does not say where left is"},
    {set_pair_magic, NP_EFORMAT, "expected a single-file image (magic 'n+1'), found the header"},
    {set_sizeof_hdr, NP_EFORMAT, "found data of an unknown format (first bytes 5d 01 00 00"},
};

static void ok_refused(const char *path, int code, const char *sentence)
{
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    struct np_nifti_info info = {.version = 99};
    struct np_nifti_content content = {.n_nonfinite = 99};
    struct np_error err;

    ok_int(read_path(path, &info, &content, &image, &err), code);
    ok_contains(err.text, sentence);
    ok_contains(err.text, path);
    ok_contains(err.text, "expected ");
    ok_contains(err.text, "; ");
    ok(!image && info.version == 99 && content.n_nonfinite == 99);
}

TEST(every_lie_of_a_header_is_refused_with_its_sentence_and_nothing_is_touched)
{
    for (size_t i = 0; i < NP_COUNT(lies); i++) {
        struct odd odd = odd_make(1);
        lies[i].lie(&odd);
        const char *path = odd_write("lie.nii", &odd, counting, N_VOXELS);
        ok_refused(path, lies[i].code, lies[i].sentence);
    }
}

TEST(nothing_is_allocated_by_a_lie)
{
    for (size_t i = 0; i < NP_COUNT(lies); i++) {
        struct odd odd = odd_make(1);
        struct np_nifti_info info;
        struct np_nifti_content content;
        struct np_image *image = NULL;
        struct np_error err;
        lies[i].lie(&odd);
        const char *path = odd_write("lie.nii", &odd, counting, N_VOXELS);
        np_alloc_fail_at(0);
        read_path(path, &info, &content, &image, &err);
        ok_int(np_alloc_requests(), 1); /* the reader's own buffer, of fixed size */
    }
}

TEST(lies_of_version_2_too)
{
    struct odd odd = odd_make(2);

    odd.magic = "n+2\0\n\n\032\n";
    ok_refused(odd_write("lie2.nii", &odd, counting, N_VOXELS), NP_EFORMAT,
               "expected NIfTI-2's eight magic bytes, found their last four changed");
    odd.magic = "n+1\0\r\n\032\n";
    ok_refused(odd_write("lie2.nii", &odd, counting, N_VOXELS), NP_EFORMAT,
               "expected NIfTI-2's magic");
    odd = odd_make(2);
    odd.dim[1] = (int64_t)1 << 40;
    odd.dim[2] = (int64_t)1 << 40;
    ok_refused(odd_write("lie2.nii", &odd, counting, N_VOXELS), NP_EHEADER, "beyond 2^63");
    odd = odd_make(2);
    odd.vox_offset = 352;
    ok_refused(odd_write("lie2.nii", &odd, counting, N_VOXELS), NP_EHEADER,
               "expected the voxels at byte 544 or later, found vox_offset 352");
    odd = odd_make(2);
    odd.vox_offset = 9e18;
    ok_refused(odd_write("lie2.nii", &odd, counting, N_VOXELS), NP_ETRUNCATED, "by its header");
}

TEST(a_gzip_file_cannot_hold_more_than_deflate_allows)
{
    struct odd odd = odd_make(1);
    const char *gz = odd_path("bomb.nii.gz");

    odd.dim[1] = odd.dim[2] = odd.dim[3] = 2000;
    gzip_file(odd_write("bomb.nii", &odd, counting, N_VOXELS), gz);
    ok_refused(gz, NP_ETRUNCATED, "expected 8000000352 bytes by its header, found a gzip file of");
    odd = odd_make(1);
    odd.dim[1] = 400; /* within the limit, but not there */
    gzip_file(odd_write("short.nii", &odd, counting, N_VOXELS), odd_path("short.nii.gz"));
    ok_refused(odd_path("short.nii.gz"), NP_ETRUNCATED,
               "expected 2752 bytes by its header, found 376; the file was cut");
}

TEST(a_file_cut_at_any_byte_is_truncated)
{
    struct odd odd = odd_make(1);
    NP_AUTO(np_str_done) struct np_str file = {0};

    ok_int(np_file_read(odd_write("whole.nii", &odd, counting, N_VOXELS), 1000, &file, NULL), 0);
    for (size_t n = 4; n < file.length; n++)
        ok_refused(odd_write_bytes("cut.nii", file.text, n), NP_ETRUNCATED, "found ");
    ok_refused(odd_write_bytes("cut.nii", file.text, 352), NP_ETRUNCATED,
               "found 352; fetch or convert");
    ok_refused(odd_write_bytes("cut.nii", file.text, 348), NP_ETRUNCATED,
               "found 348 (nothing but the header)");
}

static const struct {
    const char *begin;
    size_t n;
    int code;
    const char *sentence;
} other_files[] = {
    {"", 0, NP_ETRUNCATED, "found 0 bytes"},
    {"<!DOCTYPE html>\n<html><body>Sign in</body></html>", 49, NP_EFORMAT,
     "found a web page (HTML"},
    {"<?xml version=\"1.0\"?>", 21, NP_EFORMAT, "found an XML document"},
    {"{\"EchoTime\": 0.03}", 18, NP_EFORMAT, "found a JSON file (a sidecar?)"},
    {"NRRD0005\n", 9, NP_EFORMAT, "found an NRRD file"},
    {"\0\0\0\1\0\0\1\0\0\0\1\0", 12, NP_EFORMAT, "found a FreeSurfer MGH file"},
    {"PK\3\4xxxx", 8, NP_EFORMAT, "found a ZIP archive"},
    {"\x89PNG\r\n\x1a\n", 8, NP_EFORMAT, "found a PNG picture"},
    {"just some words\n", 16, NP_EFORMAT, "found text ('just some words ')"},
    {"\xde\xad\xbe\xef\1\2\3\4\5", 9, NP_EFORMAT, "first bytes de ad be ef 01 02 03 04)"},
    {"\xde", 1, NP_EFORMAT, "first bytes de)"},
    {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", 57, NP_ECONTENT,
     "git lfs pull"},
    {"/annex/objects/MD5E-s1--aa.nii.gz\n", 34, NP_ECONTENT, "git annex get"},
    {"../../.git/annex/objects/x/y/MD5E\n", 34, NP_ECONTENT, "git annex get"},
};

TEST(content_of_another_format_is_named)
{
    uint8_t dicom[400] = {0};

    for (size_t i = 0; i < NP_COUNT(other_files); i++)
        ok_refused(odd_write_bytes("strange.nii", other_files[i].begin, other_files[i].n),
                   other_files[i].code, other_files[i].sentence);
    for (int i = 0; i < 4; i++)
        dicom[128 + i] = (uint8_t) "DICM"[i];
    ok_refused(odd_write_bytes("dicom.nii", dicom, sizeof(dicom)), NP_EFORMAT,
               "found a DICOM file; convert it first, for example with dcm2niix");
    gzip_file(odd_path("dicom.nii"), odd_path("dicom.nii.gz"));
    ok_refused(odd_path("dicom.nii.gz"), NP_EFORMAT, "found in the gzip file a DICOM file");
    gzip_file(odd_path("dicom.nii.gz"), odd_path("twice.nii.gz"));
    ok_refused(odd_path("twice.nii.gz"), NP_EFORMAT, "found in the gzip file a gzip file; unpack");
    gzip_file(odd_write_bytes("words", "just words", 10), odd_path("words.nii.gz"));
    ok_refused(odd_path("words.nii.gz"), NP_EFORMAT, "found gzipped text ('just words')");
}

TEST(half_a_pair_and_links_without_content_are_named)
{
    struct odd odd = odd_make(1);

    ok_refused(odd_write("single.hdr", &odd, counting, N_VOXELS), NP_EFORMAT,
               "expected the header of a pair (magic 'ni1'), found a single-file image");
    odd.magic = "ni1\0";
    odd.vox_offset = 0;
    odd_write("alone.hdr", &odd, NULL, 0);
    struct np_nifti_info info;
    struct np_error err = {0};
    ok_int(np_nifti_read_info(odd_path("alone.hdr"), &info, &err), NP_ENOINPUT);
    ok_contains(err.text, "alone.img'");
    err = (struct np_error){0};
    odd_write_bytes("widow.img", counting, N_VOXELS);
    ok_int(np_nifti_read_info(odd_path("widow.img"), &info, &err), NP_ENOINPUT);
    ok_contains(err.text, "widow.hdr'");
    ok_int(symlink("../.git/annex/objects/ab/cd/K/K", odd_path("annex.nii.gz")), 0);
    ok_refused(odd_path("annex.nii.gz"), NP_ECONTENT, "git-annex link to content that is not here");
}

/* 6.5 MiB: read in several chunks, the last of them short. */
enum { NX = 130, NY = 120, NZ = 218, N_LARGE = NX * NY * NZ };

static int16_t large_voxel(int64_t i)
{
    return (int16_t)(i * 7919 % 64000 - 32000);
}

static const char *write_large(const char *name)
{
    NP_AUTO(np_freep) int16_t *voxel = np_xmalloc(N_LARGE * sizeof(*voxel));
    struct odd odd = odd_make(1);

    for (int64_t i = 0; i < N_LARGE; i++)
        voxel[i] = large_voxel(i);
    odd.datatype = 4;
    odd.slope = 0.1;
    odd.dim[1] = NX;
    odd.dim[2] = NY;
    odd.dim[3] = NZ;
    return odd_write(name, &odd, voxel, N_LARGE * sizeof(*voxel));
}

TEST(any_number_of_threads_reads_every_voxel)
{
    static const int threads[] = {1, 2, 3, 8};
    char names[2][1000];

    snprintf(names[0], sizeof(names[0]), "%s", write_large("threads.nii"));
    snprintf(names[1], sizeof(names[1]), "%s", odd_path("threads.nii.gz"));
    gzip_file(names[0], names[1]);
    for (size_t i = 0; i < 2 * NP_COUNT(threads); i++) {
        NP_AUTO(np_team_freep) struct np_team *team = np_team_new(threads[i / 2]);
        NP_AUTO(np_image_freep) struct np_image *image = NULL;
        struct np_exec exec = {.team = team};
        struct np_nifti_content content;
        int64_t n_wrong = 0;
        ok_int(np_nifti_read_volume(names[i % 2], &exec, NULL, &content, &image, NULL), 0);
        /* scaled in double */
        for (int64_t v = 0; image && v < N_LARGE; v++)
            n_wrong += image->voxel[v] != (float)((double)large_voxel(v) * (double)0.1f);
        ok(image != NULL);
        ok_int(n_wrong, 0);
        ok_near(content.minimum, (float)(-32000 * (double)0.1f), 0, "minimum");
        ok_near(content.maximum, (float)(31999 * (double)0.1f), 0, "maximum");
    }
}

TEST(a_large_file_cut_or_damaged_in_any_chunk_is_refused)
{
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(2);
    NP_AUTO(np_str_done) struct np_str file = {0};
    struct np_exec exec = {.team = team};
    const char *gz = odd_path("large.nii.gz");

    /* Stored, so that a flipped bit means another voxel: its checksum shows it. */
    gzip_with("wb0", write_large("large.nii"), gz);
    ok_int(np_file_read(gz, 16 << 20, &file, NULL), 0);
    for (int tenth = 1; tenth < 10; tenth++) {
        size_t at = file.length * (size_t)tenth / 10;
        struct np_nifti_content content;
        struct np_image *image = NULL;
        struct np_error err = {0};
        const char *cut = odd_write_bytes("part.nii.gz", file.text, at);
        ok_int(np_nifti_read_volume(cut, &exec, NULL, &content, &image, &err), NP_ETRUNCATED);
        ok_contains(err.text, "expected the end of its gzip stream");
        file.text[at] ^= 0x04;
        err = (struct np_error){0};
        const char *bad = odd_write_bytes("part.nii.gz", file.text, file.length);
        ok_int(np_nifti_read_volume(bad, &exec, NULL, &content, &image, &err), NP_EFORMAT);
        ok_contains(err.text, "expected sound gzip data");
        ok(!image);
        file.text[at] ^= 0x04;
    }
}

TEST(a_signal_stops_it)
{
    struct odd odd = odd_make(1);
    struct np_cancel cancel = {.signal = 2};
    struct np_exec exec = {.cancel = &cancel};
    struct np_nifti_content content;
    struct np_image *image = NULL;

    const char *path = odd_write("stop.nii", &odd, counting, N_VOXELS);
    ok_int(np_nifti_read_volume(path, &exec, NULL, &content, &image, NULL), NP_ECANCELED);
    ok(!image);
}

TEST(every_failed_allocation_is_no_memory_and_leaves_nothing)
{
    struct odd odd = odd_make(1);
    const char *gz = odd_path("memory.nii.gz");
    int code = NP_ENOMEM, nth;

    gzip_file(odd_write("memory.nii", &odd, counting, N_VOXELS), gz);
    for (nth = 1; code == NP_ENOMEM && nth < 50; nth++) {
        NP_AUTO(np_image_freep) struct np_image *image = NULL;
        struct np_nifti_content content;
        struct np_error err;
        np_alloc_fail_at(nth);
        code = read_path(gz, NULL, &content, &image, &err);
        ok(code == 0 || (code == NP_ENOMEM && !image && strstr(err.text, "no memory")));
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok(nth > 4);
}

TAP_MAIN
