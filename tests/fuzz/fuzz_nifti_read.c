/* Any bytes as a NIfTI file, plain or gzipped: read whole, and written again when it was sound.
 * Finding: no crash, no leak, no memory beyond what the file's own size allows; the second reading
 * gives the same voxels. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "image/nifti.h"
#include "image/orient.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* A file of its own for the second generation, kept open as long as its path is used. */
static int memory_file(char path[64])
{
    int fd = memfd_create("fuzz", 0);

    require(fd >= 0);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void check_second_generation(const struct np_image *image)
{
    NP_AUTO(np_image_freep) struct np_image *back = NULL;
    NP_AUTO(np_image_freep) struct np_image *ras = np_image_to_ras(image, NULL);
    NP_AUTO(np_image_freep) struct np_image *native = np_image_from_ras(ras, &image->grid, NULL);
    size_t n = np_grid_voxels(&image->grid) * sizeof(float);
    struct np_nifti_info like = {.version = 2, .xform_code = 1};
    struct np_nifti_output how = {.like = &like};
    struct np_nifti_content content;
    struct np_nifti_written written;
    struct np_error err = {0};
    char path[64];

    require(memcmp(native->voxel, image->voxel, n) == 0);
    int fd = memory_file(path);
    require(np_nifti_write_image("fuzz.nii.gz", path, image, &how, NULL, &written, &err) == 0);
    require(np_nifti_read_volume(path, NULL, NULL, &content, &back, &err) == 0);
    require(content.n_nonfinite == 0);
    for (size_t i = 0; i < n / sizeof(float); i++)
        require(back->voxel[i] == image->voxel[i]);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    struct np_nifti_info info;
    struct np_nifti_content content;
    struct np_error err = {0};
    const char *path = fuzz_file(".nii", bytes, n_bytes);

    int code = np_nifti_read_volume(path, NULL, &info, &content, &image, &err);
    if (code < 0) {
        require(!image && strstr(err.text, path));
        return 0;
    }
    require(isfinite(content.minimum) && content.minimum <= content.maximum);
    require(np_grid_voxels(&info.grid) <= 1032 * n_bytes);
    check_second_generation(image);
    return 0;
}
