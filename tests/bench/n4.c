/*
 * One N4 fit by itself, for a comparison with other programs on equal terms (every voxel of a given
 * mask, spans of 200 mm at the first of 4 levels of at most 50 iterations):
 *   n4 IMAGE MASK STOP OUT
 * writes the log field to OUT.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "image/nifti.h"
#include "ops/n4.h"

static int fit(char **word, struct np_error *err)
{
    NP_AUTO(np_team_freep) struct np_team *team = np_team_new(2);
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    NP_AUTO(np_image_freep) struct np_image *inside = NULL;
    struct np_exec exec = {team, NULL};
    struct np_n4_options options = np_n4_options_default();
    struct np_nifti_content content;
    struct np_nifti_written written;

    NP_TRY(np_nifti_read_volume(word[0], &exec, NULL, &content, &image, err));
    NP_TRY(np_nifti_read_volume(word[1], &exec, NULL, &content, &inside, err));
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&image->grid);
    NP_AUTO(np_image_freep) struct np_image *field = np_image_new(&image->grid);
    if (!mask || !field)
        return np_error_set(err, NP_ENOMEM, "no memory for another image");
    if (!np_grid_same(&image->grid, &inside->grid))
        return np_error_set(err, NP_EGEOMETRY, "'%s' and '%s' have different grids", word[0],
                            word[1]);
    for (size_t i = 0; i < np_grid_voxels(&mask->grid); i++)
        mask->voxel[i] = inside->voxel[i] > 0;
    options.shrink_mm = 0;
    options.stop = strtod(word[2], NULL);
    NP_TRY(np_n4_estimate(image, mask, &options, &exec, field, NULL, err));
    return np_nifti_write_image(word[3], word[3], field, NULL, &exec, &written, err);
}

int main(int argc, char **argv)
{
    struct np_error err = {0};

    if (argc != 5) {
        fputs("usage: n4 IMAGE MASK STOP OUT\n", stderr);
        return 64;
    }
    if (fit(argv + 1, &err) != 0) {
        fprintf(stderr, "n4: %s\n", err.text);
        return 1;
    }
    return 0;
}
