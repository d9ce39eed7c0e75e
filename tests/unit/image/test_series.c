/* Series of volumes: each volume is read exactly, in any order, and what changed or is missing is
 * refused with a sentence. */
#include "image/series.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/sha256.h"
#include "odd_nifti.h"

enum { NX = 7, NY = 5, NZ = 3, NT = 6, N_VOXELS = NX * NY * NZ };

/* The stored value of a voxel: all differ, and fit a byte where they must. */
static int stored_value(int64_t volume, int64_t voxel)
{
    return (int)(volume * 40 + voxel % 37);
}

static struct odd odd_series(int version, int n_volumes)
{
    struct odd odd = odd_make(version);
    const int64_t dim[8] = {4, NX, NY, NZ, n_volumes, 1, 1, 1};

    memcpy(odd.dim, dim, sizeof(dim));
    odd.pixdim[4] = 2.5;
    odd.xyzt_units = 2 | 8;
    return odd;
}

static enum odd_kind kind_of(int datatype)
{
    return datatype == 2    ? ODD_INT8
           : datatype == 4  ? ODD_INT16
           : datatype == 16 ? ODD_FLOAT32
                            : ODD_FLOAT64;
}

/* A file of NT volumes less `n_missing` bytes. */
static const char *write_series(const char *name, struct odd odd, size_t n_missing)
{
    static const int sizes[] = {[2] = 1, [4] = 2, [16] = 4, [64] = 8};
    size_t size = (size_t)sizes[odd.datatype], n = (size_t)odd.dim[4] * N_VOXELS;
    NP_AUTO(np_freep) uint8_t *voxel = np_xcalloc(n, size);

    for (size_t i = 0; i < n; i++)
        odd_put(voxel + i * size, kind_of(odd.datatype),
                stored_value((int64_t)i / N_VOXELS, (int64_t)i % N_VOXELS), odd.big_endian);
    return odd_write(name, &odd, voxel, n * size - n_missing);
}

static int64_t n_wrong(const struct np_image *image, int64_t volume, double slope, double inter)
{
    int64_t n = 0;

    for (int64_t i = 0; i < N_VOXELS; i++)
        n += image->voxel[i] != (float)(stored_value(volume, i) * slope + inter);
    return n;
}

static void ok_reads_all(const char *path, double slope, double inter)
{
    static const int64_t order[] = {0, 1, 2, 5, 0, 3, 3, 2, 4, 5, 1};
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    struct np_error err = {0};
    char sha256[65], expected[65];
    int64_t n_extra;

    ok_int(np_series_open(path, NULL, &series, &err), 0);
    ok_str(err.text, "");
    if (!series)
        return;
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&np_series_info(series)->grid);
    for (size_t i = 0; i < NP_COUNT(order); i++) {
        struct np_nifti_seen seen = NP_NIFTI_NOTHING_SEEN;
        ok_int(np_series_read(series, order[i], image, &seen, &err), 0);
        ok_int(n_wrong(image, order[i], slope, inter), 0);
        ok_near(seen.minimum, order[i] * 40 * slope + inter, 1e-4, "minimum");
        ok_near(seen.maximum, (order[i] * 40 + 36) * slope + inter, 1e-4, "maximum");
    }
    ok_int(np_series_finish(series, &n_extra, sha256, &err), 0);
    ok_int(n_extra, 0);
    NP_AUTO(np_freep) char *data_path = np_nifti_data_path(path);
    ok_int(np_sha256_file(data_path, expected, NULL), 0);
    ok_str(sha256, expected);
    ok_int(np_series_read(series, 0, image, NULL, &err), 0);
    ok_int(n_wrong(image, 0, slope, inter), 0);
}

TEST(volumes_are_read_in_any_order_whatever_the_file)
{
    static const int datatypes[] = {2, 4, 16, 64};

    for (int i = 0; i < 2 * 2 * (int)NP_COUNT(datatypes); i++) {
        struct odd odd = odd_series(1 + i % 2, NT);
        odd.big_endian = i / 2 % 2;
        odd.datatype = datatypes[i / 4];
        odd.bitpix = odd.datatype == 2 ? 8 : odd.datatype == 4 ? 16 : odd.datatype / 16 * 32;
        if (odd.datatype == 64)
            odd.bitpix = 64;
        odd.slope = 0.5;
        odd.inter = -3;
        const char *path = write_series("any.nii", odd, 0);
        ok_reads_all(path, 0.5, -3);
        gzip_file(path, odd_path("any.nii.gz"));
        ok_reads_all(odd_path("any.nii.gz"), 0.5, -3);
    }
}

TEST(pairs_are_read_by_either_name)
{
    struct odd odd = odd_series(1, NT);

    odd.vox_offset = 352;
    const char *single = write_series("single.nii", odd, 0);
    NP_AUTO(np_str_done) struct np_str content = {0};
    ok_int(np_file_read(single, 1 << 20, &content, NULL), 0);
    odd.magic = "ni1\0";
    odd.vox_offset = 16;
    odd_write("pair.hdr", &odd, NULL, 0);
    odd_write_bytes("pair.img", content.text + 352 - 16, content.length - 352 + 16);
    ok_reads_all(odd_path("pair.hdr"), 1, 0);
    ok_reads_all(odd_path("pair.img"), 1, 0);
    gzip_file(odd_path("pair.img"), odd_path("pair.img.gz"));
    unlink(odd_path("pair.img"));
    ok_reads_all(odd_path("pair.hdr"), 1, 0);
}

TEST(stored_voxels_are_given_as_they_are_in_this_machines_byte_order)
{
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        NP_AUTO(np_series_freep) struct np_series *series = NULL;
        struct odd odd = odd_series(1, NT);
        struct np_error err = {0};
        int16_t voxel[N_VOXELS];
        odd.big_endian = big_endian;
        odd.datatype = 4;
        odd.bitpix = 16;
        odd.slope = 0.25;
        ok_int(np_series_open(write_series("stored.nii", odd, 0), NULL, &series, &err), 0);
        ok_near(np_series_info(series)->scl_slope, 0.25, 0, "slope");
        ok_str(np_series_info(series)->datatype_name, "INT16");
        for (int64_t volume = NT - 1; volume >= 0; volume--) {
            int64_t n = 0;
            ok_int(np_series_read_stored(series, volume, voxel, &err), 0);
            for (int64_t i = 0; i < N_VOXELS; i++)
                n += voxel[i] != stored_value(volume, i);
            ok_int(n, 0);
        }
    }
}

TEST(the_header_says_how_many_volumes_and_how_far_apart)
{
    static const struct {
        int units;
        double tr_s;
    } cases[] = {{2 | 8, 2.5}, {2 | 16, 2.5e-3}, {2 | 24, 2.5e-6}, {2, 2.5}, {2 | 32, 0}};

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_series_freep) struct np_series *series = NULL;
        struct odd odd = odd_series(2, NT);
        odd.xyzt_units = cases[i].units;
        ok_int(np_series_open(write_series("tr.nii", odd, 0), NULL, &series, NULL), 0);
        ok_int(np_series_info(series)->grid.n[3], NT);
        ok_near(np_series_info(series)->grid.tr_s, cases[i].tr_s, 1e-12, "TR, s");
    }
}

TEST(one_volume_is_a_series_of_one)
{
    struct odd odd = odd_series(1, 1);

    for (int n_axes = 3; n_axes <= 5; n_axes++) {
        NP_AUTO(np_series_freep) struct np_series *series = NULL;
        NP_AUTO(np_image_freep) struct np_image *image = NULL;
        NP_AUTO(np_image_freep) struct np_image *whole = NULL;
        struct np_nifti_content content;
        odd.dim[0] = n_axes;
        const char *path = write_series("one.nii", odd, 0);
        ok_int(np_series_open(path, NULL, &series, NULL), 0);
        image = np_image_new(&np_series_info(series)->grid);
        ok_int(np_series_info(series)->grid.n[3], 1);
        ok_int(np_series_read(series, 0, image, NULL, NULL), 0);
        ok_int(n_wrong(image, 0, 1, 0), 0);
        ok_int(np_nifti_read_volume(path, NULL, NULL, &content, &whole, NULL), 0);
        ok(memcmp(whole->voxel, image->voxel, N_VOXELS * sizeof(float)) == 0);
    }
}

static void ok_refused(const char *path, int code, const char *sentence)
{
    struct np_series *series = NULL;
    struct np_error err = {0};

    ok_int(np_series_open(path, NULL, &series, &err), code);
    ok_contains(err.text, sentence);
    ok_contains(err.text, path);
    ok(!series);
    np_series_freep(&series);
}

TEST(a_fifth_axis_and_scaling_that_is_none_are_refused)
{
    struct odd odd = odd_series(1, NT);

    for (int n_fourth = 1; n_fourth <= 2; n_fourth++) {
        const uint8_t voxel[NT * N_VOXELS] = {0};
        odd.dim[0] = 5;
        odd.dim[4] = n_fourth;
        odd.dim[5] = NT / n_fourth;
        ok_refused(odd_write("five.nii", &odd, voxel, sizeof(voxel)), NP_EDIMENSION,
                   "expected volumes along one axis, the fourth, found 5 axes; split the image");
    }
    odd = odd_series(1, NT);
    odd.inter = NAN;
    ok_refused(write_series("nan.nii", odd, 0), NP_EVALUE,
               "expected finite scaling, found slope 1 and intercept nan");
    odd.slope = NAN;
    ok_reads_all(write_series("none.nii", odd, 0), 1, 0);
    odd.slope = 0;
    odd.inter = 7; /* without a slope it does not count */
    ok_reads_all(write_series("zero.nii", odd, 0), 1, 0);
}

/* Reads volume after volume; returns the code of the first that fails, and its number. */
static int read_until_failure(const char *path, int64_t *failed, struct np_error *err)
{
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    int code = np_series_open(path, NULL, &series, err);

    *failed = -1;
    if (code < 0)
        return code;
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&np_series_info(series)->grid);
    if (!image)
        return np_error_set(err, NP_ENOMEM, "no memory for an image");
    for (*failed = 0; code == 0 && *failed < NT; ++*failed) {
        code = np_series_read(series, *failed, image, NULL, err);
        if (code < 0)
            break;
        ok_int(n_wrong(image, *failed, 1, 0), 0);
    }
    return code;
}

TEST(missing_volumes_are_said_by_number)
{
    const char *plain = write_series("short.nii", odd_series(1, NT), 2 * N_VOXELS + 1);
    struct np_error err = {0};
    int64_t failed;

    ok_refused(plain, NP_ETRUNCATED,
               "expected 982 bytes by its header (6 volumes), found 771 (3 whole volumes)");
    gzip_file(plain, odd_path("short.nii.gz"));
    ok_int(read_until_failure(odd_path("short.nii.gz"), &failed, &err), NP_ETRUNCATED);
    ok_int(failed, 3);
    ok_contains(err.text, "volume 4 of 6: '");
    ok_contains(err.text, "short.nii.gz': expected 982 bytes by its header, found 771");
}

TEST(a_stream_that_was_cut_gives_the_volumes_before_the_cut)
{
    NP_AUTO(np_str_done) struct np_str file = {0};
    const char *gz = odd_path("cut.nii.gz");

    gzip_with("wb0", write_series("cut.nii", odd_series(1, NT), 0), gz);
    ok_int(np_file_read(gz, 1 << 20, &file, NULL), 0);
    for (int64_t whole = 0; whole < NT; whole++) {
        /* 10 bytes of gzip header, 5 of a stored block */
        size_t n = 15 + 352 + (size_t)(whole + 1) * N_VOXELS - 10;
        struct np_error err = {0};
        char said[50];
        int64_t failed;
        odd_write_bytes("cut.nii.gz", file.text, n);
        ok_int(read_until_failure(gz, &failed, &err), NP_ETRUNCATED);
        ok_int(failed, whole);
        snprintf(said, sizeof(said), "volume %d of 6: '", (int)failed + 1);
        ok_contains(err.text, said);
        ok_contains(err.text, "expected the end of its gzip stream");
    }
}

TEST(what_was_not_read_is_checked_at_the_end)
{
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    const char *plain = write_series("end.nii", odd_series(1, NT), 1);
    struct np_error err = {0};
    char sha256[65];
    int64_t n_extra;

    gzip_file(plain, odd_path("end.nii.gz"));
    ok_int(np_series_open(odd_path("end.nii.gz"), NULL, &series, &err), 0);
    ok_int(np_series_finish(series, &n_extra, sha256, &err), NP_ETRUNCATED);
    ok_contains(err.text, "end.nii.gz': expected 982 bytes by its header, found 981");
    np_series_freep(&series);
    struct odd odd = odd_series(1, NT);
    write_series("more.nii", odd, 0);
    int fd = open(odd_path("more.nii"), O_WRONLY | O_APPEND);
    ok_int(write(fd, "12345", 5), 5);
    close(fd);
    err = (struct np_error){0};
    ok_int(np_series_open(odd_path("more.nii"), NULL, &series, &err), 0);
    ok_int(np_series_finish(series, &n_extra, sha256, &err), 0);
    ok_int(n_extra, 5);
}

enum change { CHANGE_NONE, CHANGE_SIZE, CHANGE_TIME, CHANGE_BYTES, CHANGE_REPLACED };

/* Change a file that is open; the bytes of voxels are changed with the time of change put back. */
static void change_file(const char *path, enum change change, off_t at)
{
    struct stat before;
    int fd = open(path, O_WRONLY);

    ok_int(fstat(fd, &before), 0);
    struct timespec times[2] = {before.st_atim, before.st_mtim};
    if (change == CHANGE_SIZE)
        ok_int(ftruncate(fd, before.st_size + 1), 0);
    if (change == CHANGE_BYTES)
        ok_int(pwrite(fd, "\xff", 1, at), 1);
    if (change == CHANGE_TIME)
        times[1].tv_sec += 1;
    if (change != CHANGE_REPLACED)
        ok_int(futimens(fd, times), 0);
    close(fd);
    if (change == CHANGE_REPLACED)
        ok_int(rename(odd_write_bytes("other.nii", "other", 5), path), 0);
}

static int read_twice(const char *path, enum change change, int64_t last, off_t at,
                      struct np_error *err)
{
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    uint8_t voxel[N_VOXELS];
    char sha256[65];
    int64_t n_extra;

    NP_TRY(np_series_open(path, NULL, &series, err));
    for (int64_t i = 0; i <= last; i++)
        NP_TRY(np_series_read_stored(series, i, voxel, err));
    change_file(path, change, at);
    for (int64_t i = 0; i < NT; i++)
        NP_TRY(np_series_read_stored(series, i, voxel, err));
    return np_series_finish(series, &n_extra, sha256, err);
}

TEST(a_file_that_changes_between_two_passes_is_noticed)
{
    static const struct {
        enum change change;
        off_t at;
        int code;
    } cases[] = {
        {CHANGE_NONE, 0, 0},           {CHANGE_SIZE, 0, NP_EBUSY},
        {CHANGE_TIME, 0, NP_EBUSY},    {CHANGE_BYTES, 352, NP_EBUSY},
        {CHANGE_BYTES, 500, NP_EBUSY}, {CHANGE_REPLACED, 0, 0}, /* the opened one goes on */
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        const char *path = write_series("change.nii", odd_series(1, NT), 0);
        struct np_error err = {0};
        ok_int(read_twice(path, cases[i].change, NT - 1, cases[i].at, &err), cases[i].code);
        if (cases[i].code < 0) {
            ok_contains(err.text, "change.nii': expected the file as it was when it was first");
            ok_contains(err.text, "; run again when nothing writes to it");
        }
    }
}

/* Far more than the reader's buffer, so that a first pass can end in the middle of the file. */
TEST(what_a_first_pass_did_not_read_may_be_anything_later)
{
    enum { N = 300, SIDE = 64 };
    struct odd odd = odd_series(1, N);
    NP_AUTO(np_freep) uint8_t *voxel = np_xcalloc(N, SIDE * SIDE);

    odd.dim[1] = odd.dim[2] = SIDE;
    odd.dim[3] = 1;
    for (int late = 0; late < 2; late++) {
        NP_AUTO(np_series_freep) struct np_series *series = NULL;
        const char *path = odd_write("pass.nii", &odd, voxel, N * SIDE * SIDE);
        struct np_error err = {0};
        uint8_t volume[SIDE * SIDE];
        char sha256[65], expected[65];
        int64_t n_extra;
        int code = np_series_open(path, NULL, &series, &err);
        for (int64_t i = 0; code == 0 && i < 150; i++)
            code = np_series_read_stored(series, i, volume, &err);
        ok_int(code, 0);
        change_file(path, CHANGE_BYTES, (late ? 290 : 100) * SIDE * SIDE);
        ok_int(np_series_read_stored(series, 0, volume, &err), 0);
        code = np_series_finish(series, &n_extra, sha256, &err);
        ok_int(code, late ? 0 : NP_EBUSY);
        if (late) {
            ok_int(np_sha256_file(path, expected, NULL), 0);
            ok_str(sha256, expected);
        }
    }
}

TEST(any_number_of_threads_reads_the_same)
{
    enum { SIDE = 120, N = 4 }; /* 3.3 MiB a volume: in chunks */
    size_t n = SIDE * SIDE * SIDE;
    struct odd odd = odd_series(1, N);
    NP_AUTO(np_freep) int16_t *voxel = np_xcalloc(N * n, sizeof(*voxel));

    for (size_t i = 0; i < N * n; i++)
        voxel[i] = (int16_t)(i * 7919 % 64000 - 32000);
    for (int i = 1; i <= 3; i++)
        odd.dim[i] = SIDE;
    odd.datatype = 4;
    odd.bitpix = 16;
    odd.slope = 0.5;
    const char *path = odd_write("threads.nii", &odd, voxel, N * n * sizeof(*voxel));
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        NP_AUTO(np_team_freep) struct np_team *team = np_team_new(n_threads);
        NP_AUTO(np_series_freep) struct np_series *series = NULL;
        NP_AUTO(np_image_freep) struct np_image *image = NULL;
        struct np_exec exec = {.team = team};
        ok_int(np_series_open(path, &exec, &series, NULL), 0);
        image = np_image_new(&np_series_info(series)->grid);
        for (int64_t volume = N - 1; volume >= 0; volume--) {
            int64_t n_bad = 0;
            ok_int(np_series_read(series, volume, image, NULL, NULL), 0);
            for (size_t i = 0; i < n; i++)
                n_bad += image->voxel[i] != 0.5F * voxel[(size_t)volume * n + i];
            ok_int(n_bad, 0);
        }
    }
}

TEST(a_signal_stops_reading)
{
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    struct np_cancel cancel = {.signal = 0};
    struct np_exec exec = {.cancel = &cancel};
    struct np_error err = {0};
    uint8_t voxel[N_VOXELS];

    ok_int(np_series_open(write_series("stop.nii", odd_series(1, NT), 0), &exec, &series, &err), 0);
    ok_int(np_series_read_stored(series, 0, voxel, &err), 0);
    cancel.signal = 15;
    ok_int(np_series_read_stored(series, 4, voxel, &err), NP_ECANCELED);
}

TEST(every_failed_allocation_is_no_memory_and_leaves_nothing)
{
    int code = NP_ENOMEM, nth;

    gzip_file(write_series("memory.nii", odd_series(1, NT), 0), odd_path("memory.nii.gz"));
    for (nth = 1; code == NP_ENOMEM && nth < 50; nth++) {
        struct np_error err = {0};
        int64_t failed;
        np_alloc_fail_at(nth);
        code = read_until_failure(odd_path("memory.nii.gz"), &failed, &err);
        ok(code == 0 || (code == NP_ENOMEM && strstr(err.text, "no memory")));
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok(nth > 3);
}

TAP_MAIN
