/*
 * Draw one synthetic head for the benchmarks, on a grid of N x N x N voxels of 1 mm:
 *   phantom STEM SEED N BIAS_PERCENT NOISE_PERCENT
 * writes STEM_T1w.nii.gz and STEM_brainmask.nii.gz. Without bias and noise it is the clean head
 * that fields of the benchmark's own are laid over.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "image/nifti.h"
#include "synth/head.h"

static int draw(char **word, struct np_error *err)
{
    static const struct np_nifti_output how = {.description = "synthetic"};
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(2);
    NP_AUTO(np_freep) char *image_path = np_xasprintf("%s_T1w.nii.gz", word[0]);
    NP_AUTO(np_freep) char *mask_path = np_xasprintf("%s_brainmask.nii.gz", word[0]);
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    struct np_exec exec = {team, NULL};
    struct np_synth_options options;
    struct np_nifti_written written;

    np_synth_options_init(&options);
    options.seed = options.scan_seed = strtoull(word[1], NULL, 10);
    for (int a = 0; a < 3; a++)
        options.shape[a] = strtoll(word[2], NULL, 10);
    options.bias_percent = strtod(word[3], NULL);
    options.noise_percent = strtod(word[4], NULL);
    NP_TRY(np_synth_head(&options, &exec, &head, err));
    /* Whole numbers, as a scanner stores them. */
    for (size_t i = 0; i < np_grid_voxels(&head.image->grid); i++)
        head.image->voxel[i] = floorf(head.image->voxel[i] + 0.5f);
    NP_TRY(np_nifti_write_image(image_path, image_path, head.image, &how, &exec, &written, err));
    return np_nifti_write_mask(mask_path, mask_path, head.brain, &how, &exec, &written, err);
}

int main(int argc, char **argv)
{
    struct np_error err = {0};

    if (argc != 6) {
        fputs("usage: phantom STEM SEED N BIAS_PERCENT NOISE_PERCENT\n", stderr);
        return 64;
    }
    if (draw(argv + 1, &err) != 0) {
        fprintf(stderr, "phantom: %s\n", err.text);
        return 1;
    }
    return 0;
}
