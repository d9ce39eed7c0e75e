/* demo-data: a dataset that can be used at once, its truth outside it, and one broken image. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "bids/dataset.h"
#include "cli/demo_data.h"
#include "image/nifti.h"
#include "tap.h"

/* The coarsest voxels: what is tested here does not depend on them. */
static struct np_config make_config(const char *folder, int n_participants, int n_sessions)
{
    struct np_config config = {.demo_participants = n_participants,
                               .demo_sessions = n_sessions,
                               .demo_size_mm = 8,
                               .random_seed = 7};

    np_strings_add(&config.inputs, folder);
    return config;
}

static void config_done(struct np_config *config)
{
    np_strings_done(&config->inputs);
}

static char *below(const char *name)
{
    return np_path_join(tap_directory(), name);
}

TEST(the_dataset_opens_and_all_but_the_last_image_can_be_read)
{
    NP_AUTO(np_freep) char *root = below("demo");
    NP_AUTO(config_done) struct np_config config = make_config(root, 2, 2);
    NP_AUTO(np_dataset_freep) struct np_dataset *dataset = NULL;
    struct np_selection everything = {0};
    struct np_error err = {0};

    ok_int(np_demo_data(&config, &err), 0);
    ok_int(np_dataset_open(root, &everything, &dataset, &err), 0);
    if (!dataset)
        return;
    ok_int((int64_t)dataset->n_sessions, 4);
    ok_int((int64_t)dataset->warnings.n, 0);
    ok_int((int64_t)dataset->session[0].n_scans, 3); /* FLAIR, T1w, T2w */
    for (size_t i = 0; i < dataset->n_sessions; i++)
        for (size_t s = 0; s < dataset->session[i].n_scans; s++) {
            NP_AUTO(np_image_freep) struct np_image *image = NULL;
            struct np_nifti_content content;
            int code = np_nifti_read_volume(dataset->session[i].scan[s].path, NULL, NULL, &content,
                                            &image, NULL);
            ok_int(code, i + 1 < dataset->n_sessions ? 0 : NP_ETRUNCATED);
        }
}

TEST(one_session_has_no_session_folder_and_its_truth_lies_beside_the_dataset)
{
    NP_AUTO(np_freep) char *root = below("one");
    NP_AUTO(config_done) struct np_config config = make_config(root, 1, 1);
    NP_AUTO(np_freep) char *image_path = below("one/sub-01/anat/sub-01_T1w.nii.gz");
    NP_AUTO(np_freep) char *mask_path = below("one-truth/sub-01/anat/sub-01_T1w_mask.nii.gz");
    NP_AUTO(np_freep) char *bias_path = below("one-truth/sub-01/anat/sub-01_T1w_biasfield.nii.gz");
    NP_AUTO(np_image_freep) struct np_image *image = NULL;
    NP_AUTO(np_image_freep) struct np_image *mask = NULL;
    NP_AUTO(np_image_freep) struct np_image *bias = NULL;
    struct np_nifti_content content;

    ok_int(np_demo_data(&config, NULL), 0);
    /* The only image is whole. */
    ok_int(np_nifti_read_volume(image_path, NULL, NULL, &content, &image, NULL), 0);
    ok_int(np_nifti_read_volume(mask_path, NULL, NULL, &content, &mask, NULL), 0);
    ok_int(np_nifti_read_volume(bias_path, NULL, NULL, &content, &bias, NULL), 0);
    if (!image || !mask || !bias)
        return;
    ok(np_grid_same(&image->grid, &mask->grid));
    ok(np_grid_same(&image->grid, &bias->grid));
    double log_free_mean = 0, n = 0;
    for (size_t i = 0; i < np_grid_voxels(&mask->grid); i++)
        if (mask->voxel[i] > 0) {
            log_free_mean += bias->voxel[i];
            n++;
        }
    ok_near(n * np_grid_voxel_mm3(&mask->grid) / 1e6, 1.3, 0.4, "brain, litres");
    ok_near(log_free_mean / n, 1, 0.03, "mean field: 1, but for the log's curvature");
}

TEST(a_folder_with_content_is_refused_and_left_as_it_is)
{
    NP_AUTO(np_freep) char *root = below("full");
    NP_AUTO(np_freep) char *file = below("full/keep.txt");
    NP_AUTO(np_freep) char *truth = below("full-truth");
    NP_AUTO(config_done) struct np_config config = make_config(root, 1, 1);
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    struct np_error err = {0};

    ok_int(np_directory_make(root, NULL), 0);
    ok_int(np_file_write_atomic(file, "x", 1, NULL), 0);
    ok_int(np_demo_data(&config, &err), NP_ECREATE);
    ok_contains(err.text, "keep.txt");
    ok_int(np_directory_list(root, &names, NULL), 0);
    ok_int((int64_t)names.n, 1);
    ok(!np_path_exists(truth));
}

TEST(the_same_seed_makes_the_same_files)
{
    static const char *const NAMES[] = {"dataset_description.json", "README.md",
                                        "sub-01/anat/sub-01_T1w.nii.gz",
                                        "sub-02/anat/sub-02_T1w.nii.gz"};
    NP_AUTO(np_freep) char *a = below("same-a");
    NP_AUTO(np_freep) char *b = below("same-b");
    NP_AUTO(config_done) struct np_config config_a = make_config(a, 2, 1);
    NP_AUTO(config_done) struct np_config config_b = make_config(b, 2, 1);

    ok_int(np_demo_data(&config_a, NULL), 0);
    ok_int(np_demo_data(&config_b, NULL), 0);
    for (size_t i = 0; i < NP_COUNT(NAMES); i++) {
        NP_AUTO(np_freep) char *path_a = np_path_join(a, NAMES[i]);
        NP_AUTO(np_freep) char *path_b = np_path_join(b, NAMES[i]);
        NP_AUTO(np_str_done) struct np_str in_a = {0};
        NP_AUTO(np_str_done) struct np_str in_b = {0};
        ok_int(np_file_read(path_a, 1 << 24, &in_a, NULL), 0);
        ok_int(np_file_read(path_b, 1 << 24, &in_b, NULL), 0);
        ok(in_a.length == in_b.length && memcmp(in_a.text, in_b.text, in_a.length) == 0);
    }
}

TAP_MAIN
