#include <stdlib.h>

#include "bids/derivative.h"
#include "tap.h"

static const struct np_derivative preproc = {.desc = "preproc", .extension = ".nii.gz"};
static const struct np_derivative norm = {.desc = "norm", .extension = ".nii.gz"};
static const struct np_derivative mask = {.desc = "brain",
                                          .suffix = "mask",
                                          .source_suffix = NP_SOURCE_SUFFIX_IN_SPACE,
                                          .extension = ".nii.gz"};
static const struct np_derivative field = {
    .suffix = "biasfield", .source_suffix = NP_SOURCE_SUFFIX_IN_MOD, .extension = ".nii.gz"};
static const struct np_derivative metrics = {.desc = "iqm", .extension = ".json"};

static char *derived(const char *relative, const char *file_name, const struct np_derivative *kind)
{
    NP_AUTO(np_freep) char *path = np_xstrdup(relative);
    struct np_scan scan = {.relative = path};

    if (!np_bids_name_parse(file_name, &scan.name))
        abort();
    char *result = np_derivative_path(&scan, kind);
    np_bids_name_done(&scan.name);
    return result;
}

TEST(derivatives_keep_the_sources_entities_with_desc_last)
{
    static const struct {
        const char *folder, *name;
        const struct np_derivative *kind;
        const char *expected;
    } cases[] = {
        {"sub-01/anat", "sub-01_T1w.nii.gz", &preproc,
         "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz"},
        {"sub-01/ses-1/anat", "sub-01_ses-1_T1w.nii", &norm,
         "sub-01/ses-1/anat/sub-01_ses-1_desc-norm_T1w.nii.gz"},
        {"sub-01/anat", "sub-01_acq-x_run-001_echo-2_part-mag_T1w.nii.gz", &preproc,
         "sub-01/anat/sub-01_acq-x_run-001_echo-2_part-mag_desc-preproc_T1w.nii.gz"},
        {"sub-01/anat", "sub-01_run-1_T1w.nii.gz", &mask,
         "sub-01/anat/sub-01_run-1_desc-brain_mask.nii.gz"},
        {"sub-01/anat", "sub-01_T2w.nii.gz", &mask,
         "sub-01/anat/sub-01_space-T2w_desc-brain_mask.nii.gz"},
        {"sub-01/anat", "sub-01_FLAIR.nii.gz", &mask,
         "sub-01/anat/sub-01_space-FLAIR_desc-brain_mask.nii.gz"},
        {"sub-01/anat", "sub-01_run-1_echo-1_T1w.nii.gz", &field,
         "sub-01/anat/sub-01_run-1_mod-T1w_echo-1_biasfield.nii.gz"},
        {"sub-01/anat", "sub-01_T2w.nii.gz", &field, "sub-01/anat/sub-01_mod-T2w_biasfield.nii.gz"},
        {"sub-01/anat", "sub-01_run-2_T1w.nii.gz", &metrics,
         "sub-01/anat/sub-01_run-2_desc-iqm_T1w.json"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *relative = np_xasprintf("%s/%s", cases[i].folder, cases[i].name);
        NP_AUTO(np_freep) char *path = derived(relative, cases[i].name, cases[i].kind);
        ok_str(path, cases[i].expected);
    }
}

TEST(an_image_of_no_dataset_gives_its_stem)
{
    static const struct {
        const char *name, *modality;
        const struct np_derivative *kind;
        const char *expected;
    } cases[] = {
        {"scan.nii.gz", "T1w", &preproc, "scan_desc-preproc.nii.gz"},
        {"scan.nii.gz", "T1w", &mask, "scan_desc-brain_mask.nii.gz"},
        {"scan.nii.gz", "T1w", &norm, "scan_desc-norm.nii.gz"},
        {"scan.nii.gz", "T2w", &field, "scan_mod-T2w_biasfield.nii.gz"},
        {"scan.nii", "T1w", &metrics, "scan_desc-iqm.json"},
        {"scan.nii", "T1w", &preproc, "scan_desc-preproc.nii.gz"},
        {"scan.hdr", "T1w", &preproc, "scan_desc-preproc.nii.gz"},
        {"scan.img", "T1w", &preproc, "scan_desc-preproc.nii.gz"},
        {"/data/a b/my scan.v2.nii.gz", "T1w", &norm, "my scan.v2_desc-norm.nii.gz"},
        {"no_extension", "T1w", &norm, "no_extension_desc-norm.nii.gz"},
        {"sub-01_T1w.nii.gz", "T1w", &preproc, "sub-01_desc-preproc_T1w.nii.gz"},
        {"sub-01_T1w.nii.gz", "T1w", &mask, "sub-01_desc-brain_mask.nii.gz"},
        {"sub-01_ses-2_T2w.img", "T2w", &mask, "sub-01_ses-2_space-T2w_desc-brain_mask.nii.gz"},
        {"sub-01.nii.gz", "T1w", &preproc, "sub-01_desc-preproc.nii.gz"},
        {"sub-01_T1w.v2.nii.gz", "T1w", &preproc, "sub-01_T1w.v2_desc-preproc.nii.gz"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep)
        char *path = np_derivative_path_plain(cases[i].name, cases[i].modality, cases[i].kind);
        ok_str(path, cases[i].expected);
    }
}

TEST(a_sidecar_has_its_images_name)
{
    static const char *const cases[][2] = {
        {"a/x_T1w.nii.gz", "a/x_T1w.json"},
        {"x.nii", "x.json"},
        {"a.b/x.hdr", "a.b/x.json"},
        {"a.nii/x", "a.nii/x.json"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *path = np_derivative_sidecar(cases[i][0]);
        ok_str(path, cases[i][1]);
    }
}

TAP_MAIN
