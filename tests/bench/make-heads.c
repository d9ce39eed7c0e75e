/*
 * make-heads DIR [--name NAME]: write the named synthetic heads, each with its truth, as
 * DIR/NAME_T1w.nii.gz, NAME_brainmask.nii.gz, NAME_biasfield.nii.gz and NAME_tissue.nii.gz (1 grey
 * matter, 2 white matter, 3 fluid, 0 everything else). make-heads --list names them, a sentence each.
 */
#include "synth/heads.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "image/nifti.h"

static void list_heads(void)
{
    for (int i = 0; i < NP_SYNTH_N_CASES; i++)
        printf("%-16s%s\n", np_synth_cases[i].name, np_synth_cases[i].sentence);
}

static char *file_name(const char *directory, const char *name, const char *ending)
{
    NP_AUTO(np_freep) char *file = np_xasprintf("%s_%s.nii.gz", name, ending);

    return np_path_join(directory, file);
}

static int write_tissue(const char *path, const struct np_synth_head *head, struct np_error *err)
{
    static const struct np_nifti_output how = {.description = "synthetic, known truth"};
    static const uint8_t tissue[NP_SYNTH_N_LABELS] = {
        [NP_SYNTH_GREY] = 1, [NP_SYNTH_DEEP_GREY] = 1, [NP_SYNTH_WHITE] = 2, [NP_SYNTH_CSF] = 3};
    NP_AUTO(np_mask_freep) struct np_mask *labels = np_mask_new(&head->image->grid);
    struct np_nifti_written written;

    if (!labels)
        return np_error_set(err, NP_ENOMEM, "no memory for the tissues");
    for (size_t i = 0; i < np_grid_voxels(&labels->grid); i++)
        labels->voxel[i] = tissue[head->label[i]];
    return np_nifti_write_mask(path, path, labels, &how, NULL, &written, err);
}

static int write_head(const char *directory, const struct np_synth_case *which,
                      struct np_error *err)
{
    static const struct np_nifti_output how = {.description = "synthetic, known truth"};
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_image_freep) struct np_image *bias = NULL;
    NP_AUTO(np_freep) char *t1w = file_name(directory, which->name, "T1w");
    NP_AUTO(np_freep) char *mask = file_name(directory, which->name, "brainmask");
    NP_AUTO(np_freep) char *field = file_name(directory, which->name, "biasfield");
    NP_AUTO(np_freep) char *tissue = file_name(directory, which->name, "tissue");
    struct np_nifti_written written;

    NP_TRY(np_synth_head(&which->options, NULL, &head, err));
    NP_TRY(np_synth_bias(&head, &bias, err));
    /* Whole numbers, as a scanner stores them. */
    for (size_t i = 0; i < np_grid_voxels(&head.image->grid); i++)
        head.image->voxel[i] = floorf(head.image->voxel[i] + 0.5f);
    NP_TRY(np_nifti_write_image(t1w, t1w, head.image, &how, NULL, &written, err));
    NP_TRY(np_nifti_write_mask(mask, mask, head.brain, &how, NULL, &written, err));
    NP_TRY(write_tissue(tissue, &head, err));
    return np_nifti_write_image(field, field, bias, &how, NULL, &written, err);
}

static int usage(void)
{
    fputs("usage: make-heads DIR [--name NAME] | --list\n", stderr);
    return 64;
}

int main(int argc, char **argv)
{
    const struct np_synth_case *only = NULL;
    struct np_error err = {0};

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list_heads();
        return 0;
    }
    if (argc == 4 && strcmp(argv[2], "--name") == 0)
        only = np_synth_case_find(argv[3]);
    if (argv[1] == NULL || argv[1][0] == '-' || (argc != 2 && !only))
        return usage();
    if (np_directory_make(argv[1], &err) < 0) {
        fprintf(stderr, "make-heads: %s\n", err.text);
        return 73;
    }
    for (int i = 0; i < NP_SYNTH_N_CASES; i++) {
        if (only && only != &np_synth_cases[i])
            continue;
        if (write_head(argv[1], &np_synth_cases[i], &err) < 0) {
            fprintf(stderr, "make-heads: %s: %s\n", np_synth_cases[i].name, err.text);
            return 70;
        }
    }
    return 0;
}
