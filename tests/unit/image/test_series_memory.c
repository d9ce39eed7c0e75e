/* A series is read and written again in the memory of one volume and the packer's blocks, however
 * many volumes there are. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "image/series.h"
#include "image/series_writer.h"
#include "tap.h"

/* The sanitizers' own memory would be measured. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CAN_MEASURE = 0 };
#else
enum { CAN_MEASURE = 1 };
#endif

static const double MIB = 1 << 20;

static const char *file_name(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", tap_directory(), name);
    return path;
}

/* Noise of ten bits over a pattern: packs to some 70 %, as real volumes do. */
static int16_t voxel_at(int64_t volume, int64_t i)
{
    uint64_t x = (uint64_t)(volume * 1000003 + i) * 0x9e3779b97f4a7c15u;

    return (int16_t)((x >> 54) + (uint64_t)(i / 64 % 500));
}

static int make_series(const struct np_grid *grid, const char *path)
{
    const struct np_series_output how = {
        .grid = grid, .datatype = NP_SERIES_INT16, .scl_slope = 0.5, .scl_inter = 3};
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    int64_t n = (int64_t)np_grid_voxels(grid);
    NP_AUTO(np_freep) int16_t *voxel = np_xcalloc((size_t)n, sizeof(*voxel));
    struct np_series_written written;

    NP_TRY(np_series_writer_open(path, path, &how, NULL, &writer, NULL));
    for (int64_t volume = 0; volume < grid->n[3]; volume++) {
        for (int64_t i = 0; i < n; i++)
            voxel[i] = voxel_at(volume, i);
        NP_TRY(np_series_writer_append_stored(writer, voxel, NULL));
    }
    return np_series_writer_finish(writer, &written, NULL);
}

/* As a stage will do it: volume by volume to floats, and written as what they were. */
static int copy_series(const char *from, const char *to, const struct np_exec *exec,
                       struct np_error *err)
{
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    struct np_series_written written;
    char sha256[65];
    int64_t n_extra;

    NP_TRY(np_series_open(from, exec, &series, err));
    const struct np_nifti_info *info = np_series_info(series);
    const struct np_series_output how = {.grid = &info->grid,
                                         .datatype = NP_SERIES_INT16,
                                         .scl_slope = info->scl_slope,
                                         .scl_inter = info->scl_inter,
                                         .header.like = info};
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&info->grid);
    if (!image)
        return np_error_set(err, NP_ENOMEM, "no memory for an image");
    NP_TRY(np_series_writer_open(to, to, &how, exec, &writer, err));
    for (int64_t volume = 0; volume < info->grid.n[3]; volume++) {
        NP_TRY(np_series_read(series, volume, image, NULL, err));
        NP_TRY(np_series_writer_append(writer, image, err));
    }
    NP_TRY(np_series_finish(series, &n_extra, sha256, err));
    NP_TRY(np_series_writer_finish(writer, &written, err));
    return written.n_clipped == 0 && written.n_nan == 0 ? 0 : NP_EVALUE;
}

/* In bytes, since forget_peak. */
static double peak_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long long kib = -1;

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "VmHWM: %lld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return (double)kib * 1024;
}

static bool forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    bool done = file && fputs("5", file) >= 0;

    return file && fclose(file) == 0 && done;
}

/* Run in a child, so that nothing that was here before is measured; < 0 when it failed. */
static double measure_copy(const char *from, const char *to, int n_threads)
{
    double peak = -1;
    int end[2];

    if (pipe(end) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        struct np_error err = {0};
        bool known = forget_peak();
        struct np_exec exec = {.team = np_team_new(n_threads)};
        int code = copy_series(from, to, &exec, &err);
        peak = known && code == 0 ? peak_bytes() : -1;
        if (code < 0)
            printf("# %s\n", err.text);
        fflush(stdout);
        _exit(write(end[1], &peak, sizeof(peak)) == sizeof(peak) ? 0 : 1);
    }
    close(end[1]);
    if (read(end[0], &peak, sizeof(peak)) != sizeof(peak))
        peak = -1;
    close(end[0]);
    waitpid(pid, NULL, 0);
    return peak;
}

/* Made in a child: its memory is not ours, and a child of ours is measured. */
static void make_in_child(const struct np_grid *grid, const char *path)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(make_series(grid, path) == 0 ? 0 : 1);
    ok(waitpid(pid, &status, 0) == pid && status == 0);
}

static void ok_peak(const char *from, const struct np_grid *grid, int n_threads)
{
    double volume = (double)np_grid_voxels(grid) * sizeof(float);
    double most = 1.5 * volume + (8 * n_threads + 32) * MIB;
    double peak = measure_copy(from, file_name("copy.nii.gz"), n_threads);

    ok_above(peak, 0, "peak memory, bytes");
    ok_below(peak / MIB, most / MIB, "peak memory, MiB");
    printf("# %d threads, volumes of %.1f MiB: peak %.1f MiB, allowed %.1f\n", n_threads,
           volume / MIB, peak / MIB, most / MIB);
}

static void ok_same_content(const char *a, const char *b)
{
    NP_AUTO(np_series_freep) struct np_series *first = NULL;
    NP_AUTO(np_series_freep) struct np_series *second = NULL;
    char sha256[2][65] = {"first", "second"};
    int64_t n_extra;

    ok_int(np_series_open(a, NULL, &first, NULL), 0);
    ok_int(np_series_open(b, NULL, &second, NULL), 0);
    ok_int(np_series_finish(first, &n_extra, sha256[0], NULL), 0);
    ok_int(np_series_finish(second, &n_extra, sha256[1], NULL), 0);
    ok_str(sha256[0], sha256[1]);
}

static const char nibabel_compares[] =
    "import sys, numpy, nibabel\n"
    "a, b = (nibabel.load(p) for p in sys.argv[1:])\n"
    "assert a.shape == b.shape and b.get_data_dtype() == numpy.int16\n"
    "assert (a.dataobj.slope, a.dataobj.inter) == (b.dataobj.slope, b.dataobj.inter)\n"
    "assert numpy.array_equal(a.dataobj.get_unscaled(), b.dataobj.get_unscaled())\n"
    "assert numpy.allclose(a.affine, b.affine, atol=1e-4)\n"
    "assert numpy.allclose(a.header.get_zooms(), b.header.get_zooms())\n";

static void ok_same_for_nibabel(const char *a, const char *b)
{
    if (tap_succeeds("/usr/bin/python3", "-c", "import nibabel"))
        ok(tap_succeeds("/usr/bin/python3", "-c", nibabel_compares, a, b));
}

TEST(five_hundred_small_volumes)
{
    struct np_grid grid = np_grid_make(64, 64, 35, 3, 3, 3.5);
    const char *from = file_name("small.nii.gz");

    grid.n[3] = 500;
    grid.tr_s = 2;
    if (!CAN_MEASURE) {
        tap_skip("a sanitizer's own memory would be measured");
        return;
    }
    make_in_child(&grid, from);
    for (int n_threads = 1; n_threads <= 2; n_threads++)
        ok_peak(from, &grid, n_threads);
    ok_same_content(from, file_name("copy.nii.gz"));
    ok_same_for_nibabel(from, file_name("copy.nii.gz"));
}

TEST(large_volumes)
{
    struct np_grid grid = np_grid_make(192, 192, 128, 1, 1, 1);
    const char *from = file_name("large.nii.gz");

    grid.n[3] = 10; /* 90 MiB as stored, 180 as floats; 75 are allowed */
    if (!CAN_MEASURE) {
        tap_skip("a sanitizer's own memory would be measured");
        return;
    }
    make_in_child(&grid, from);
    ok_peak(from, &grid, 2);
    ok_same_content(from, file_name("copy.nii.gz"));
}

TEST(real_series_come_back_exactly)
{
    const char *folder = getenv("NP_DATA");
    NP_AUTO(np_freep) char *pattern = np_path_join(folder ? folder : "", "*_bold.nii.gz");
    glob_t found = {0};

    if (!folder || glob(pattern, 0, NULL, &found) != 0) {
        tap_skip("NP_DATA names no folder with a *_bold.nii.gz");
        globfree(&found);
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        NP_AUTO(np_team_freep) struct np_team *team = np_team_new(2);
        struct np_exec exec = {.team = team};
        struct np_error err = {0};
        ok_int(copy_series(found.gl_pathv[i], file_name("real.nii.gz"), &exec, &err), 0);
        ok_str(err.text, "");
        ok_same_for_nibabel(found.gl_pathv[i], file_name("real.nii.gz"));
    }
    globfree(&found);
}

TAP_MAIN
