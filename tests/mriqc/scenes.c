/*
 * The scenes of the unit tests of image quality, for MRIQC's functions:
 *   scenes FOLDER
 * writes of each scene SCENE.source, .corrected, .field (float32), .region (bytes, enum
 * np_quality_region), .ruled (the same by ops/quality_regions.h), .csf, .gm, .wm (bytes, share x 255), x fastest, and SCENE.txt: "size X Y Z",
 * "spacing X Y Z", and a line "metric VALUE" for each of ours.
 */
#include <stdio.h>

#include "ops/quality_scenes.h"

static int put(const char *folder, const char *scene, const char *name, const void *bytes,
               size_t size)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/%s.%s", folder, scene, name);
    FILE *file = fopen(path, "wb");

    if (!file)
        return -1;
    size_t written = fwrite(bytes, 1, size, file);
    return fclose(file) == 0 && written == size ? 0 : -1;
}

static int put_text(const char *folder, const char *scene, const struct np_quality *quality)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s/%s.txt", folder, scene);
    const int64_t *n = quality->size;
    const double *spacing = quality->spacing_mm;
    FILE *file = fopen(path, "w");

    if (!file)
        return -1;
    fprintf(file, "size %d %d %d\nspacing %.17g %.17g %.17g\n", (int)n[0], (int)n[1], (int)n[2],
            spacing[0], spacing[1], spacing[2]);
    for (size_t i = 0; i < NP_COUNT(QUALITY_KEYS); i++)
        fprintf(file, "%s %.17g\n", QUALITY_KEYS[i].name, quality_value(quality, &QUALITY_KEYS[i]));
    return fclose(file);
}

static int put_tissues(const char *folder, const char *scene, const struct np_tissue *tissue)
{
    static const char *const name[NP_N_TISSUES] = {"csf", "gm", "wm"};
    size_t n = np_grid_voxels(&tissue->grid);
    NP_AUTO(np_freep) float *share = np_xcalloc(n, sizeof(*share));
    NP_AUTO(np_freep) uint8_t *byte = np_xcalloc(n, 1);

    for (int k = 0; k < NP_N_TISSUES; k++) {
        np_tissue_shares(tissue, (enum np_tissue_class)k, NULL, share);
        for (size_t i = 0; i < n; i++)
            byte[i] = (uint8_t)lrintf(share[i] * NP_TISSUE_WHOLE);
        NP_TRY(put(folder, scene, name[k], byte, n));
    }
    return 0;
}

static int put_ruled(const char *folder, const char *scene, const struct quality_scene *from,
                     struct np_error *err)
{
    size_t n = np_grid_voxels(&from->corrected->grid);
    NP_AUTO(np_freep) uint8_t *region = np_xcalloc(n, 1);

    NP_TRY(quality_scene_ruled(from, NULL, region, err));
    return put(folder, scene, "ruled", region, n);
}

static int write_scene(const char *folder, const struct quality_scene_row *row,
                       struct np_error *err)
{
    NP_AUTO(quality_scene_done) struct quality_scene scene = {0};
    struct np_quality quality;

    NP_TRY(quality_scene_make(row, &scene, err));
    const struct np_quality_input input = quality_scene_input(&scene);
    size_t n = np_grid_voxels(&scene.corrected->grid);
    NP_TRY(np_quality_measure(&input, NULL, &quality, err));
    if (put(folder, row->name, "source", scene.head.image->voxel, n * sizeof(float)) ||
        put(folder, row->name, "corrected", scene.corrected->voxel, n * sizeof(float)) ||
        put(folder, row->name, "field", scene.field->voxel, n * sizeof(float)) ||
        put(folder, row->name, "region", scene.region, n) ||
        put_ruled(folder, row->name, &scene, err) ||
        put_tissues(folder, row->name, &scene.tissue) || put_text(folder, row->name, &quality))
        return np_error_set(err, NP_EIO, "cannot write to '%s'", folder);
    return 0;
}

int main(int argc, char **argv)
{
    struct np_error err = {0};

    if (argc != 2) {
        fputs("usage: scenes FOLDER\n", stderr);
        return 64;
    }
    for (size_t i = 0; i < NP_COUNT(QUALITY_SCENES); i++)
        if (write_scene(argv[1], &QUALITY_SCENES[i], &err) != 0) {
            fprintf(stderr, "scenes: %s\n", err.text);
            return 1;
        }
    return 0;
}
