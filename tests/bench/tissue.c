/*
 * The tissues of a brain in a given mask, for a comparison with other programs on equal terms:
 *   tissue IMAGE MASK T1w|T2w THREADS OUT
 * writes labels (1 GM, 2 WM, 3 CSF) to OUT, and prints seconds, means and volumes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "image/nifti.h"
#include "ops/tissue.h"

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int classify(char **word, struct np_error *err)
{
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(atoi(word[3]));
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    NP_AUTO(np_image_freep) struct np_image *inside = NULL;
    NP_AUTO(np_tissue_done) struct np_tissue tissue = {0};
    struct np_exec exec = {team, NULL};
    struct np_nifti_content content;
    struct np_nifti_written written;

    NP_TRY(np_nifti_read_volume(word[0], &exec, NULL, &content, &image, err));
    NP_TRY(np_nifti_read_volume(word[1], &exec, NULL, &content, &inside, err));
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&image->grid);
    if (!mask)
        return np_error_set(err, NP_ENOMEM, "no memory for a mask");
    for (size_t i = 0; i < np_grid_voxels(&mask->grid); i++)
        mask->voxel[i] = inside->voxel[i] > 0;
    double start_s = now_s();
    NP_TRY(np_tissue_classify(image, mask,
                              strcmp(word[2], "T2w") ? NP_CONTRAST_T1W : NP_CONTRAST_T2W, &exec,
                              &tissue, err));
    np_tissue_labels(&tissue, &exec, mask->voxel);
    printf("%.3f s, %d iterations; CSF GM WM: mean %g %g %g, sd %g %g %g, ml %.0f %.0f %.0f\n",
           now_s() - start_s, tissue.n_iterations, tissue.mean[0], tissue.mean[1], tissue.mean[2],
           tissue.sd[0], tissue.sd[1], tissue.sd[2], tissue.mm3[0] / 1000, tissue.mm3[1] / 1000,
           tissue.mm3[2] / 1000);
    return np_nifti_write_mask(word[4], word[4], mask, NULL, &exec, &written, err);
}

int main(int argc, char **argv)
{
    struct np_error err = {0};

    if (argc != 6) {
        fputs("usage: tissue IMAGE MASK T1w|T2w THREADS OUT\n", stderr);
        return 64;
    }
    if (classify(argv + 1, &err) != 0) {
        fprintf(stderr, "tissue: %s\n", err.text);
        return 1;
    }
    return 0;
}
