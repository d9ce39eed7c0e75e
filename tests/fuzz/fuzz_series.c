/* Any bytes as a series of volumes: read forwards and backwards, as floats and as stored, and
 * written again. Finding: no crash, no leak, no memory beyond what the file's own size allows; a
 * volume is the same whenever and however it is read, and after it was written. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "image/series.h"
#include "image/series_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

enum { MOST_VOLUMES = 16 }; /* read of a file: going back costs a pass */

/* The first volumes, written as floats; the file is open as long as its path is used. */
static int write_again(struct np_series *series, int64_t n_volumes, char path[64])
{
    struct np_grid grid = np_series_info(series)->grid;
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(&grid);
    NP_AUTO(np_series_writer_freep) struct np_series_writer *writer = NULL;
    const struct np_series_output how = {
        .grid = &grid, .datatype = NP_SERIES_FLOAT32, .scl_slope = 1};
    struct np_series_written written;
    int fd = memfd_create("fuzz", 0);

    require(fd >= 0 && image);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    grid.n[3] = n_volumes;
    grid.tr_s = isfinite(grid.tr_s) && grid.tr_s > 0 ? grid.tr_s : 0;
    require(np_series_writer_open("fuzz.nii.gz", path, &how, NULL, &writer, NULL) == 0);
    for (int64_t i = 0; i < n_volumes; i++) {
        require(np_series_read(series, i, image, NULL, NULL) == 0);
        require(np_series_writer_append(writer, image, NULL) == 0);
    }
    require(np_series_writer_finish(writer, &written, NULL) == 0);
    return fd;
}

static void check_second_generation(struct np_series *series, int64_t n_volumes)
{
    const struct np_grid *grid = &np_series_info(series)->grid;
    NP_AUTO(np_image_freep) struct np_image *image = np_image_new(grid);
    NP_AUTO(np_image_freep) struct np_image *back = np_image_new(grid);
    NP_AUTO(np_series_freep) struct np_series *second = NULL;
    char path[64];
    int fd = write_again(series, n_volumes, path);

    require(np_series_open(path, NULL, &second, NULL) == 0);
    require(np_series_info(second)->grid.n[3] == n_volumes);
    for (int64_t i = n_volumes - 1; i >= 0; i--) {
        require(np_series_read(series, i, image, NULL, NULL) == 0);
        require(np_series_read(second, i, back, NULL, NULL) == 0);
        for (size_t v = 0; v < np_grid_voxels(grid); v++)
            require(back->voxel[v] == image->voxel[v]);
    }
    close(fd);
}

/* As stored, twice: what is read again is the same. */
static void check_stored(struct np_series *series, int64_t n_volumes)
{
    const struct np_nifti_info *info = np_series_info(series);
    size_t n = np_grid_voxels(&info->grid), size = (size_t)info->bytes_per_voxel;
    NP_AUTO(np_freep) void *first = np_xcalloc(n, size);
    NP_AUTO(np_freep) void *second = np_xcalloc(n, size);

    require(np_series_read_stored(series, 0, first, NULL) == 0);
    require(np_series_read_stored(series, n_volumes - 1, second, NULL) == 0);
    require(np_series_read_stored(series, 0, second, NULL) == 0);
    require(memcmp(first, second, n * size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_series_freep) struct np_series *series = NULL;
    struct np_error err = {0};
    const char *path = fuzz_file(".nii", bytes, n_bytes);
    char sha256[65];
    int64_t n_extra;

    if (np_series_open(path, NULL, &series, &err) < 0) {
        require(!series && strstr(err.text, path));
        return 0;
    }
    const struct np_grid *grid = &np_series_info(series)->grid;
    require(np_grid_voxels(grid) * (size_t)grid->n[3] <= 1032 * n_bytes);
    int64_t n_volumes = grid->n[3] < MOST_VOLUMES ? grid->n[3] : MOST_VOLUMES;
    if (np_series_finish(series, &n_extra, sha256, &err) < 0) {
        require(strstr(err.text, path) != NULL);
        return 0;
    }
    check_stored(series, n_volumes);
    check_second_generation(series, n_volumes);
    return 0;
}
