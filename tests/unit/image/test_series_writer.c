/* Series of volumes: what we write is read back by us, by niftilib and by nibabel as what it was. */
#include "image/series_writer.h"

#include <fcntl.h>
#include <math.h>
#include <nifti2_io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "codec/sha256.h"
#include "image/series.h"
#include "tap.h"

enum { NX = 17, NY = 23, NZ = 11, NT = 7, N_VOXELS = NX * NY * NZ };

static const char *file_name(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", tap_directory(), name);
    return path;
}

/* Oblique and mirrored, as scanners make them. */
static struct np_grid series_grid(int n_volumes)
{
    struct np_grid grid = np_grid_make(NX, NY, NZ, 3, 3, 3.5);
    const double c = 0.96, s = 0.28; /* Pythagorean: exact cosines */

    grid.world_from_voxel.m[0][0] = -3 * c;
    grid.world_from_voxel.m[1][0] = 3 * s;
    grid.world_from_voxel.m[0][1] = 3 * s;
    grid.world_from_voxel.m[1][1] = 3 * c;
    grid.n[3] = n_volumes;
    grid.tr_s = 2.25;
    return grid;
}

/* An integer that all three datatypes hold. */
static int integer_at(int64_t volume, int64_t i)
{
    return (int)((volume * 31 + i * 7) % 251);
}

static void fill(struct np_image *image, int64_t volume, double slope, double inter)
{
    for (int64_t i = 0; i < N_VOXELS; i++)
        image->voxel[i] = (float)(integer_at(volume, i) * slope + inter);
}

static int write_series(const char *path, const struct np_series_output *how,
                        const struct np_exec *exec, struct np_series_written *written,
                        struct np_error *err)
{
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(how->grid);

    if (!image)
        return np_error_set(err, NP_ENOMEM, "no memory for an image");
    NP_TRY(np_series_writer_open(path, path, how, exec, &writer, err));
    for (int64_t volume = 0; volume < how->grid->n[3]; volume++) {
        fill(image, volume, how->scl_slope, how->scl_inter);
        NP_TRY(np_series_writer_append(writer, image, err));
    }
    return np_series_writer_finish(writer, written, err);
}

static void ok_reads_back(const char *path, const struct np_series_output *how, int version)
{
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    NP_AUTO(np_image_freep) struct np_image *expected = np_image_new(how->grid);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(how->grid);
    struct np_error err = {0};

    ok_int(np_series_open(path, NULL, &series, &err), 0);
    ok_str(err.text, "");
    if (!series)
        return;
    const struct np_nifti_info *info = np_series_info(series);
    ok_int(info->version, version);
    ok_int(info->datatype, (int)how->datatype);
    ok_int(info->grid.n[3], how->grid->n[3]);
    ok_near(info->grid.tr_s, how->grid->n[3] > 1 ? how->grid->tr_s : 0, 0, "TR, s");
    ok(np_grid_same(&info->grid, how->grid));
    for (int64_t volume = 0; volume < how->grid->n[3]; volume++) {
        ok_int(np_series_read(series, volume, image, NULL, &err), 0);
        fill(expected, volume, info->scl_slope, info->scl_inter);
        ok(memcmp(image->voxel, expected->voxel, N_VOXELS * sizeof(float)) == 0);
    }
}

static const enum np_series_datatype datatypes[] = {NP_SERIES_UINT8, NP_SERIES_INT16,
                                                    NP_SERIES_FLOAT32};

TEST(every_datatype_comes_back_exactly_in_both_versions_plain_and_gzipped)
{
    static const char *const names[] = {"round.nii", "round.nii.gz"};
    struct np_grid grid = series_grid(NT);

    for (int version = 1; version <= 2; version++)
        for (size_t i = 0; i < 2 * NP_COUNT(datatypes); i++) {
            enum np_series_datatype datatype = datatypes[i / 2];
            bool is_float = datatype == NP_SERIES_FLOAT32;
            struct np_nifti_info like = {.version = version, .xform_code = 1};
            const struct np_series_output how = {.grid = &grid,
                                                 .datatype = datatype,
                                                 .scl_slope = is_float ? 1 : 0.1,
                                                 .scl_inter = is_float ? 0 : -12.3,
                                                 .header.like = &like};
            const char *path = file_name(names[i % 2]);
            struct np_series_written written = {.n_clipped = 99};
            struct np_error err = {0};
            char sha256[65];
            ok_int(write_series(path, &how, NULL, &written, &err), 0);
            ok_str(err.text, "");
            ok_int(written.n_clipped, 0);
            ok_int(written.n_nan, 0);
            ok_int(np_sha256_file(path, sha256, NULL), 0);
            ok_str(written.file.sha256, sha256);
            ok_reads_back(path, &how, version);
        }
}

TEST(a_series_of_one_volume_has_four_axes)
{
    struct np_grid grid = series_grid(1);
    const struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_INT16, .scl_slope = 1};
    struct np_series_written written;
    struct np_error err = {0};

    ok_int(write_series(file_name("one.nii"), &how, NULL, &written, &err), 0);
    ok_reads_back(file_name("one.nii"), &how, 1);
    nifti_image *theirs = nifti_image_read(file_name("one.nii"), 0);
    ok(theirs != NULL);
    if (!theirs)
        return;
    ok_int(theirs->ndim, 4);
    ok_int(theirs->nt, 1);
    ok_near(theirs->dt, 2.25, 0, "TR, s");
    nifti_image_free(theirs);
}

TEST(more_than_32767_volumes_make_it_version_2)
{
    struct np_grid grid = np_grid_make(2, 2, 2, 1, 1, 1);
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    struct np_series_output how = {.grid = &grid, .datatype = NP_SERIES_UINT8, .scl_slope = 1};
    struct np_series_written written;
    struct np_error err = {0};
    uint8_t voxel[8] = {0};
    int code;

    grid.n[3] = 32768;
    grid.tr_s = 0.01;
    code = np_series_writer_open(file_name("long.nii.gz"), file_name("long.nii.gz"), &how, NULL,
                                 &writer, &err);
    for (int64_t volume = 0; code == 0 && volume < grid.n[3]; volume++) {
        voxel[0] = (uint8_t)volume;
        code = np_series_writer_append_stored(writer, voxel, &err);
    }
    ok_int(code, 0);
    ok_int(np_series_writer_finish(writer, &written, &err), 0);
    ok_int(np_series_open(file_name("long.nii.gz"), NULL, &series, &err), 0);
    ok_int(np_series_info(series)->version, 2);
    ok_int(np_series_info(series)->grid.n[3], 32768);
    ok_int(np_series_read_stored(series, 32767, voxel, &err), 0);
    ok_int(voxel[0], (uint8_t)32767);
}

TEST(what_was_read_is_written_back_as_the_same_bytes)
{
    struct np_grid grid = series_grid(NT);
    struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_INT16, .scl_slope = 0.037, .scl_inter = 1000.7};
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    struct np_series_written first, second;
    struct np_error err = {0};

    ok_int(write_series(file_name("first.nii.gz"), &how, NULL, &first, &err), 0);
    ok_int(np_series_open(file_name("first.nii.gz"), NULL, &series, &err), 0);
    const struct np_nifti_info *info = np_series_info(series);
    const struct np_series_output again = {.grid = &info->grid,
                                           .datatype = (enum np_series_datatype)info->datatype,
                                           .scl_slope = info->scl_slope,
                                           .scl_inter = info->scl_inter,
                                           .header.like = info};
    const char *path = file_name("second.nii.gz");
    ok_int(np_series_writer_open(path, path, &again, NULL, &writer, &err), 0);
    for (int64_t volume = 0; volume < NT; volume++) {
        ok_int(np_series_read(series, volume, image, NULL, &err), 0);
        ok_int(np_series_writer_append(writer, image, &err), 0);
    }
    ok_int(np_series_writer_finish(writer, &second, &err), 0);
    ok_str(second.file.sha256, first.file.sha256);
    ok_str(second.file.voxel_sha256, first.file.voxel_sha256);
}

TEST(the_bytes_are_the_same_for_any_number_of_threads_and_for_stored_voxels)
{
    enum { SIDE = 100, N = 5 };
    struct np_grid grid = np_grid_make(SIDE, SIDE, SIDE, 2, 2, 2);
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    NP_AUTO(np_freep) int16_t *stored = np_xcalloc(SIDE * SIDE * SIDE, sizeof(*stored));
    struct np_series_written first = {0};

    grid.n[3] = N;
    const struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_INT16, .scl_slope = 0.5, .scl_inter = 8};
    for (int run = 0; run < 6; run++) {
        NP_AUTO(np_team_freep) struct np_team *team = np_team_new(1 + run % 3);
        NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
        struct np_exec exec = {.team = team};
        struct np_series_written written;
        struct np_error err = {0};
        const char *path = file_name("threads.nii.gz");
        ok_int(np_series_writer_open(path, path, &how, &exec, &writer, &err), 0);
        for (int64_t volume = 0; volume < N; volume++) {
            for (int64_t i = 0; i < SIDE * SIDE * SIDE; i++) {
                stored[i] = (int16_t)((i * 7919 + volume * 17) % 8192 - 4000);
                image->voxel[i] = (float)stored[i] * 0.5F + 8;
            }
            ok_int(run < 3 ? np_series_writer_append(writer, image, &err)
                           : np_series_writer_append_stored(writer, stored, &err),
                   0);
        }
        ok_int(np_series_writer_finish(writer, &written, &err), 0);
        if (run == 0)
            first = written;
        ok_str(written.file.sha256, first.file.sha256);
        ok_str(written.file.voxel_sha256, first.file.voxel_sha256);
    }
}

/* One volume of these values, stored as `datatype`; what was stored, as integers. */
static void store(const float *value, int n, enum np_series_datatype datatype, double slope,
                  double inter, int *found, struct np_series_written *written)
{
    struct np_grid grid = np_grid_make(n, 2, 2, 1, 1, 1);
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    const struct np_series_output how = {
        .grid = &grid, .datatype = datatype, .scl_slope = slope, .scl_inter = inter};
    const char *path = file_name("store.nii");
    uint64_t room[64];

    for (int i = 0; i < 4 * n; i++)
        image->voxel[i] = value[i % n];
    ok_int(np_series_writer_open(path, path, &how, NULL, &writer, NULL), 0);
    ok_int(np_series_writer_append(writer, image, NULL), 0);
    ok_int(np_series_writer_finish(writer, written, NULL), 0);
    ok_int(np_series_open(path, NULL, &series, NULL), 0);
    ok_int(np_series_read_stored(series, 0, room, NULL), 0);
    for (int i = 0; i < n; i++)
        found[i] = datatype == NP_SERIES_UINT8 ? ((uint8_t *)room)[i] : ((int16_t *)room)[i];
}

TEST(values_are_rounded_and_those_that_do_not_fit_are_clipped_and_counted)
{
    static const float value[] = {0,         0.49F,  0.51F,    1.5F,     2.5F,   -1,
                                  254.6F,    255.4F, 256,      1e30F,    -1e30F, INFINITY,
                                  -INFINITY, NAN,    32767.4F, -32768.4F};
    static const int bytes[] = {0, 0, 1, 2, 2, 0, 255, 255, 255, 255, 0, 255, 0, 0, 255, 0};
    static const int shorts[] = {0,   0,     1,      2,     2,      -1, 255,   255,
                                 256, 32767, -32768, 32767, -32768, 0,  32767, -32768};
    enum { N = NP_COUNT(value) };
    struct np_series_written written;
    int found[N];

    store(value, N, NP_SERIES_UINT8, 1, 0, found, &written);
    ok(memcmp(found, bytes, sizeof(bytes)) == 0);
    ok_int(written.n_clipped, 4 * 8);
    ok_int(written.n_nan, 4);
    store(value, N, NP_SERIES_INT16, 1, 0, found, &written);
    ok(memcmp(found, shorts, sizeof(shorts)) == 0);
    ok_int(written.n_clipped, 4 * 4);
    ok_int(written.n_nan, 4);
}

TEST(scaling_is_divided_out_and_nan_is_the_value_0)
{
    static const float value[] = {100, 101, 99.5F, 0, NAN, 120};
    static const int expected[] = {0, 4, -2, -400, -400, 80};
    struct np_series_written written;
    int found[NP_COUNT(value)];

    store(value, NP_COUNT(value), NP_SERIES_INT16, 0.25, 100, found, &written);
    ok(memcmp(found, expected, sizeof(expected)) == 0);
    ok_int(written.n_clipped, 0);
    ok_int(written.n_nan, 4);
}

TEST(niftilib_reads_the_header_as_it_was_meant)
{
    struct np_grid grid = series_grid(NT);
    struct np_nifti_info like = {.xform_code = 2, .slice_code = 3, .dim_info = 0x39};

    for (int version = 1; version <= 2; version++) {
        const struct np_series_output how = {.grid = &grid,
                                             .datatype = NP_SERIES_INT16,
                                             .scl_slope = 0.5,
                                             .scl_inter = -4,
                                             .header = {.like = &like, .description = "by us"}};
        struct np_series_written written;
        struct np_error err = {0};
        like.version = version;
        ok_int(write_series(file_name("theirs.nii.gz"), &how, NULL, &written, &err), 0);
        nifti_image *theirs = nifti_image_read(file_name("theirs.nii.gz"), 1);
        ok(theirs != NULL);
        if (!theirs)
            return;
        ok_int(theirs->iname_offset, version == 1 ? 352 : 544);
        ok_int(theirs->ndim, 4);
        ok_int(theirs->nt, NT);
        ok_near(theirs->dt, 2.25, 0, "TR");
        ok_int(theirs->time_units, NIFTI_UNITS_SEC);
        ok_int(theirs->xyz_units, NIFTI_UNITS_MM);
        ok_int(theirs->datatype, NIFTI_TYPE_INT16);
        ok_near(theirs->scl_slope, 0.5, 0, "slope");
        ok_near(theirs->scl_inter, -4, 0, "intercept");
        ok_int(theirs->sform_code, 2);
        ok_int(theirs->slice_code, 3);
        ok_int(theirs->slice_end, NZ - 1);
        ok_str(theirs->descrip, "by us");
        int64_t n_bad = 0;
        for (int64_t i = 0; i < NT * N_VOXELS; i++)
            n_bad += ((int16_t *)theirs->data)[i] != integer_at(i / N_VOXELS, i % N_VOXELS);
        ok_int(n_bad, 0);
        nifti_image_free(theirs);
    }
}

static const char nibabel_makes[] =
    "import sys, numpy, nibabel\n"
    "r = numpy.random.default_rng(5)\n"
    "i = nibabel.Nifti1Image(r.normal(800, 90, (17, 23, 11, 7)), numpy.diag([-3, 3, 3.5, 1]))\n"
    "i.set_data_dtype(numpy.int16); i.header.set_xyzt_units('mm', 'msec')\n"
    "i.header['pixdim'][4] = 2250; nibabel.save(i, sys.argv[1] + '/made.nii.gz')\n";

static const char nibabel_compares[] =
    "import sys, numpy, nibabel; d = sys.argv[1]\n"
    "a = nibabel.load(d + '/made.nii.gz'); b = nibabel.load(d + '/int16.nii.gz')\n"
    "c = nibabel.load(d + '/float32.nii')\n"
    "assert a.shape == b.shape == c.shape == (17, 23, 11, 7)\n"
    "assert b.get_data_dtype() == numpy.int16 and c.get_data_dtype() == numpy.float32\n"
    "assert (a.dataobj.get_unscaled() == b.dataobj.get_unscaled()).all()\n"
    "assert (a.dataobj.slope, a.dataobj.inter) == (b.dataobj.slope, b.dataobj.inter)\n"
    "assert (a.get_fdata() == b.get_fdata()).all()\n"
    "assert (a.get_fdata().astype('f4') == numpy.asarray(c.dataobj)).all()\n"
    "assert numpy.allclose(a.affine, b.affine) and numpy.allclose(a.affine, c.affine)\n"
    "for i in b, c:\n"
    "    assert i.header.get_zooms()[3] == 2.25 and i.header.get_xyzt_units() == ('mm', 'sec')\n";

static void copy_series(const char *from, const char *to, enum np_series_datatype datatype)
{
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    struct np_series_written written;
    struct np_error err = {0};

    ok_int(np_series_open(from, NULL, &series, &err), 0);
    if (!series)
        return;
    const struct np_nifti_info *info = np_series_info(series);
    bool is_float = datatype == NP_SERIES_FLOAT32;
    const struct np_series_output how = {.grid = &info->grid,
                                         .datatype = datatype,
                                         .scl_slope = is_float ? 1 : info->scl_slope,
                                         .scl_inter = is_float ? 0 : info->scl_inter,
                                         .header.like = info};
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&info->grid);
    int code = np_series_writer_open(to, to, &how, NULL, &writer, &err);
    for (int64_t volume = 0; code == 0 && volume < info->grid.n[3]; volume++) {
        code = np_series_read(series, volume, image, NULL, &err);
        if (code == 0)
            code = np_series_writer_append(writer, image, &err);
    }
    if (code == 0)
        code = np_series_writer_finish(writer, &written, &err);
    ok_int(code, 0);
    ok_int(code == 0 ? written.n_clipped + written.n_nan : 1, 0);
    ok_str(err.text, "");
}

TEST(nibabels_series_are_read_and_ours_are_read_by_nibabel_exactly)
{
    if (!tap_succeeds("/usr/bin/python3", "-c", "import nibabel")) {
        tap_skip("no nibabel here");
        return;
    }
    ok(tap_succeeds("/usr/bin/python3", "-c", nibabel_makes, tap_directory()));
    copy_series(file_name("made.nii.gz"), file_name("int16.nii.gz"), NP_SERIES_INT16);
    copy_series(file_name("made.nii.gz"), file_name("float32.nii"), NP_SERIES_FLOAT32);
    ok(tap_succeeds("/usr/bin/python3", "-c", nibabel_compares, tap_directory()));
}

static void ok_refused(struct np_series_output how, const char *sentence)
{
    struct np_series_writer *writer = NULL;
    struct np_error err = {0};

    ok_int(np_series_writer_open("out.nii", file_name("refused.nii"), &how, NULL, &writer, &err),
           NP_EVALUE);
    ok_contains(err.text, sentence);
    ok(!writer && !np_path_exists(file_name("refused.nii")));
}

TEST(scaling_that_stores_nothing_is_refused_before_a_file_is_made)
{
    struct np_grid grid = series_grid(NT);
    struct np_series_output how = {.grid = &grid, .datatype = NP_SERIES_INT16};
    const char *slope = "'out.nii': expected a finite slope other than 0";

    ok_refused(how, slope);
    how.scl_slope = 1e-60; /* 0 as a float of NIfTI-1 */
    ok_refused(how, slope);
    how.scl_slope = NAN;
    ok_refused(how, slope);
    how.scl_slope = 1;
    how.scl_inter = INFINITY;
    ok_refused(how, slope);
    how.datatype = NP_SERIES_FLOAT32;
    how.scl_inter = 2;
    ok_refused(how, "'out.nii': expected slope 1 and intercept 0 for floats, found 1 and 2");
    how.scl_inter = 0;
    grid.tr_s = NAN;
    ok_refused(how, "'out.nii': expected a finite time between volumes, found nan s");
    grid.tr_s = 1e39;
    ok_refused(how, "'out.nii': expected a finite time between volumes, found 1e+39 s");
}

TEST(volumes_that_are_missing_or_too_many_are_a_bug_that_is_named)
{
    struct np_grid grid = series_grid(2);
    const struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_INT16, .scl_slope = 1};
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    struct np_series_written written = {.n_nan = 99};
    struct np_error few = {0}, many = {0};

    ok_int(np_series_writer_open("x.nii", file_name("count.nii"), &how, NULL, &writer, NULL), 0);
    ok_int(np_series_writer_append(writer, image, NULL), 0);
    ok_int(np_series_writer_finish(writer, &written, &few), NP_EINTERNAL);
    ok_contains(few.text, "'x.nii': expected 2 volumes, found 1");
    ok_int(written.n_nan, 99);
    ok_int(np_series_writer_append(writer, image, NULL), 0);
    ok_int(np_series_writer_append(writer, image, &many), NP_EINTERNAL);
    ok_contains(many.text, "'x.nii': expected 2 volumes, found one more");
}

TEST(a_series_that_was_not_finished_is_refused_by_readers)
{
    static const char *const names[] = {"half.nii", "half.nii.gz"};
    struct np_grid grid = series_grid(NT);
    const struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_INT16, .scl_slope = 1};
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);

    for (int i = 0; i < 2; i++) {
        NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
        NP_AUTO(np_series_freep) struct np_series *series = NULL;
        struct np_error err = {0};
        char sha256[65];
        int64_t n_extra;
        ok_int(np_series_writer_open(names[i], file_name(names[i]), &how, NULL, &writer, &err), 0);
        for (int volume = 0; volume < NT; volume++)
            ok_int(np_series_writer_append(writer, image, &err), 0);
        np_series_writer_freep(&writer);
        int code = np_series_open(file_name(names[i]), NULL, &series, &err);
        if (code == 0)
            code = np_series_finish(series, &n_extra, sha256, &err);
        ok_int(code, NP_ETRUNCATED);
    }
}

TEST(a_limit_of_the_file_s_size_is_an_error_whenever_it_is_reached)
{
    static const char *const names[] = {"full.nii", "full.nii.gz"};
    struct np_grid grid = series_grid(NT);
    const struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_INT16, .scl_slope = 1};

    for (int i = 0; i < 2; i++) {
        struct np_series_written whole;
        ok_int(write_series(file_name(names[i]), &how, NULL, &whole, NULL), 0);
        for (int64_t quarter = 0; quarter < 4; quarter++) {
            struct np_series_written written = {.n_nan = 99};
            struct np_error err = {0};
            tap_limit_file_size(whole.file.n_bytes * quarter / 4);
            int code = write_series(file_name(names[i]), &how, NULL, &written, &err);
            tap_limit_file_size(-1);
            ok_int(code, NP_EIO);
            ok_contains(err.text, "': cannot write");
            ok_int(written.n_nan, 99);
        }
    }
}

TEST(the_folder_must_be_there_and_errors_name_the_target)
{
    struct np_grid grid = series_grid(2);
    const struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_INT16, .scl_slope = 1};
    struct np_series_writer *writer = NULL;
    struct np_error err = {0};

    ok_int(np_series_writer_open("x/out.nii", "/dev/null/nowhere", &how, NULL, &writer, &err),
           NP_ECREATE);
    ok_contains(err.text, "'x/out.nii': cannot create: Not a directory");
    ok(!writer);
}

TEST(a_signal_stops_writing)
{
    struct np_cancel cancel = {.signal = 15};
    struct np_exec exec = {.cancel = &cancel};
    struct np_grid grid = series_grid(2);
    const struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_INT16, .scl_slope = 1};
    struct np_series_written written;
    struct np_error err = {0};

    ok_int(write_series(file_name("stop.nii.gz"), &how, &exec, &written, &err), NP_ECANCELED);
}

TEST(every_failed_allocation_is_no_memory)
{
    struct np_grid grid = series_grid(2);
    const struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_INT16, .scl_slope = 1};
    int code = NP_ENOMEM, nth;

    for (nth = 1; code == NP_ENOMEM && nth < 50; nth++) {
        struct np_series_written written = {.n_nan = 99};
        struct np_error err = {0};
        np_alloc_fail_at(nth);
        code = write_series(file_name("memory.nii.gz"), &how, NULL, &written, &err);
        ok(code == 0 ||
           (code == NP_ENOMEM && written.n_nan == 99 && strstr(err.text, "no memory")));
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok(nth > 5);
}

TAP_MAIN
