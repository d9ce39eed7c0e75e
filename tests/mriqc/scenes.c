/*
 * The scenes of the unit tests of image quality, for MRIQC's functions:
 *   scenes FOLDER [T1W…]
 * writes of each scene SCENE.source, .corrected, .field (float32), .region (bytes, enum
 * np_quality_region), .ruled (the same by ops/quality_regions.h), .csf, .gm, .wm (bytes, share x 255), x fastest, and SCENE.txt: "size X Y Z",
 * "spacing X Y Z", and a line "metric VALUE" for each of ours. Of each image T1W it writes the same, but for
 * .ruled: its regions, field and tissues are those of the program's own stages.
 */
#include <stdio.h>

#include "base/path.h"
#include "bids/labels.h"
#include "ops/quality_scenes.h"
#include "stages/stage.h"

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

static int put_input(const char *folder, const char *name, const struct np_quality_input *input,
                     struct np_error *err)
{
    size_t n = np_grid_voxels(&input->corrected->grid);
    struct np_quality quality;

    NP_TRY(np_quality_measure(input, NULL, &quality, err));
    if (put(folder, name, "source", input->source->voxel, n * sizeof(float)) ||
        put(folder, name, "corrected", input->corrected->voxel, n * sizeof(float)) ||
        put(folder, name, "field", input->field->voxel, n * sizeof(float)) ||
        put(folder, name, "region", input->region, n) || put_tissues(folder, name, input->tissue) ||
        put_text(folder, name, &quality))
        return np_error_set(err, NP_EIO, "cannot write to '%s'", folder);
    return 0;
}

static int write_scene(const char *folder, const struct quality_scene_row *row,
                       struct np_error *err)
{
    NP_AUTO(quality_scene_done) struct quality_scene scene = {0};

    NP_TRY(quality_scene_make(row, &scene, err));
    const struct np_quality_input input = quality_scene_input(&scene);
    NP_TRY(put_input(folder, row->name, &input, err));
    return put_ruled(folder, row->name, &scene, err);
}

static int run_stages(struct np_work *work, const struct np_stage *const *stage,
                      struct np_error *err)
{
    NP_AUTO(np_config_done) struct np_config config;

    np_config_init(&config);
    for (; *stage; stage++)
        NP_TRY((*stage)->run(work, &config, NULL, err));
    return 0;
}

static int write_image(const char *folder, const char *path, struct np_error *err)
{
    static const struct np_stage *const to_regions[] = {
        &np_stage_load_file,   &np_stage_validate_data,   &np_stage_bias_correction,
        &np_stage_skull_strip, &np_stage_quality_regions, NULL};
    static const struct np_stage *const to_tissues[] = {&np_stage_bias_refinement, &np_stage_tissue,
                                                        NULL};
    const char *file = np_path_name(path);
    NP_AUTO(np_freep) char *name = np_xstrndup(file, np_image_stem_length(file));
    NP_AUTO(np_work_done) struct np_work work;

    np_work_init(&work, path, &np_modalities[NP_MODALITY_T1W]);
    NP_TRY(run_stages(&work, to_regions, err));
    NP_AUTO(np_image_freep) struct np_image *source = np_image_copy(work.raw);
    NP_TRY(run_stages(&work, to_tissues, err));
    if (!source || !work.regions || !work.tissue)
        return np_error_set(err, NP_EDOMAIN, "'%s': no regions or no tissues", path);
    np_field_to_factor(work.field);
    const struct np_quality_input input = {source, work.flat, work.field, work.regions->voxel,
                                           work.tissue};
    return put_input(folder, name, &input, err);
}

int main(int argc, char **argv)
{
    struct np_error err = {0};

    if (argc < 2) {
        fputs("usage: scenes FOLDER [T1W...]\n", stderr);
        return 64;
    }
    for (int i = 2; i < argc; i++)
        if (write_image(argv[1], argv[i], &err) != 0) {
            fprintf(stderr, "scenes: %s\n", err.text);
            return 1;
        }
    for (size_t i = 0; i < NP_COUNT(QUALITY_SCENES); i++)
        if (write_scene(argv[1], &QUALITY_SCENES[i], &err) != 0) {
            fprintf(stderr, "scenes: %s\n", err.text);
            return 1;
        }
    return 0;
}
