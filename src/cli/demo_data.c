#include "cli/demo_data.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "catalog/modality.h"
#include "image/nifti.h"
#include "pipeline/resources.h"
#include "synth/head.h"

/* Extent of the images, mm along R, A, S. */
static const double FIELD_OF_VIEW_MM[3] = {204, 240, 216};

/* Acquisition parameters of a contrast; times that are usual at 3 T. */
struct protocol {
    enum np_modality_ident modality;
    enum np_synth_contrast contrast;
    double repetition_time_s, echo_time_s, inversion_time_s, flip_angle_deg;
    double slice_factor; /* slice thickness / in-plane edge */
    const char *type;
};

static const struct protocol PROTOCOLS[] = {
    {NP_MODALITY_T1W, NP_SYNTH_T1W, 2.3, 0.003, 0.9, 9, 1, "3D"},
    {NP_MODALITY_T2W, NP_SYNTH_T2W, 6, 0.1, 0, 90, 2, "2D"},
    {NP_MODALITY_FLAIR, NP_SYNTH_FLAIR, 5, 0.39, 1.8, 120, 1, "3D"},
};

struct demo {
    const struct np_config *config;
    struct np_exec exec;
    char *root;
    char *truth;
    char *broken; /* relative path of the broken image, or NULL */
    int n_images;
};

/* One image to make. Numbers count from 1. */
struct acquisition {
    const struct protocol *protocol;
    int participant, session;
    char *folder; /* relative to the dataset */
    char *stem;   /* "sub-01_ses-01_T1w" */
};

static void demo_done(struct demo *demo)
{
    np_freep(&demo->root);
    np_freep(&demo->truth);
    np_freep(&demo->broken);
}

static void acquisition_done(struct acquisition *acquisition)
{
    np_freep(&acquisition->folder);
    np_freep(&acquisition->stem);
}

static struct acquisition make_acquisition(const struct demo *demo, int participant, int session,
                                           const struct protocol *protocol)
{
    const struct np_modality *modality = &np_modalities[protocol->modality];
    struct acquisition a = {protocol, participant, session, NULL, NULL};

    if (demo->config->demo_sessions > 1) {
        a.folder = np_xasprintf("sub-%02d/ses-%02d/%s", participant, session, modality->datatype);
        a.stem = np_xasprintf("sub-%02d_ses-%02d_%s", participant, session, modality->suffix);
    } else {
        a.folder = np_xasprintf("sub-%02d/%s", participant, modality->datatype);
        a.stem = np_xasprintf("sub-%02d_%s", participant, modality->suffix);
    }
    return a;
}

/* Person and visit depend on the seed alone, so more participants do not change the first ones. */
static struct np_synth_options choose_options(const struct np_config *config,
                                              const struct acquisition *a)
{
    /* Storage orders that scanners and converters use. */
    static const char *const AXES[] = {"RAS", "LPS", "PIR"};
    const double *fov_mm = FIELD_OF_VIEW_MM;
    struct np_synth_options o;

    np_synth_options_init(&o);
    o.seed = config->random_seed * 100003 + (uint64_t)a->participant;
    o.scan_seed = (uint64_t)a->session * 16 + (uint64_t)a->protocol->contrast;
    o.contrast = a->protocol->contrast;
    memcpy(o.axes, AXES[(a->participant - 1 + (int)a->protocol->contrast) % 3], sizeof(o.axes));
    for (int i = 0; i < 3; i++) {
        double factor = i == 2 ? a->protocol->slice_factor : 1;
        o.spacing_mm[i] = fmin(config->demo_size_mm * factor, 10);
        o.shape[i] = (int64_t)ceil(fov_mm[i] / o.spacing_mm[i]);
    }
    o.bias_shape = a->participant % 2 ? NP_SYNTH_BIAS_COILS : NP_SYNTH_BIAS_POLYNOMIAL;
    o.bias_percent = 20 + 10 * (double)((a->participant + a->session) % 4);
    o.noise_percent = 2 + (double)(a->session % 3);
    return o;
}

/* Write text into a new file below `root`. */
static int write_text(const char *root, const char *name, const struct np_str *text,
                      struct np_error *err)
{
    NP_AUTO(np_freep) char *path = np_path_join(root, name);

    return np_file_write_atomic(path, np_str_text(text), text->length, err);
}

static int write_sidecar(const struct demo *demo, const struct acquisition *a,
                         const struct np_synth_options *o, struct np_error *err)
{
    const struct protocol *p = a->protocol;
    NP_AUTO(np_str_done) struct np_str json = {0};
    NP_AUTO(np_freep) char *name = np_xasprintf("%s/%s.json", a->folder, a->stem);

    np_str_addf(&json,
                "{\n"
                "  \"Description\": \"Synthetic: drawn by a program, nobody was scanned. The "
                "acquisition values below are typical ones and had no part in it.\",\n"
                "  \"Modality\": \"MR\",\n"
                "  \"Manufacturer\": \"synthetic\",\n"
                "  \"MagneticFieldStrength\": 3,\n"
                "  \"MRAcquisitionType\": \"%s\",\n"
                "  \"SliceThickness\": %g,\n"
                "  \"RepetitionTime\": %g,\n"
                "  \"EchoTime\": %g,\n",
                p->type, o->spacing_mm[2], p->repetition_time_s, p->echo_time_s);
    if (p->inversion_time_s > 0)
        np_str_addf(&json, "  \"InversionTime\": %g,\n", p->inversion_time_s);
    np_str_addf(&json,
                "  \"FlipAngle\": %g,\n"
                "  \"SyntheticNoisePercentOfWhiteMatter\": %g,\n"
                "  \"SyntheticBiasPercentPeakToPeak\": %g\n"
                "}\n",
                p->flip_angle_deg, o->noise_percent, o->bias_percent);
    return write_text(demo->root, name, &json, err);
}

/* The path of an image of this acquisition below `root`; its folder is made. The caller frees. */
static int image_path(const char *root, const struct acquisition *a, const char *ending,
                      char **path, struct np_error *err)
{
    NP_AUTO(np_freep) char *folder = np_path_join(root, a->folder);

    NP_TRY(np_directory_make(folder, err));
    *path = np_xasprintf("%s/%s%s", folder, a->stem, ending);
    return 0;
}

static int write_truth(const struct demo *demo, const struct acquisition *a,
                       const struct np_synth_head *head, struct np_error *err)
{
    static const struct np_nifti_output how = {.description = "synthetic, known truth"};
    NP_AUTO(np_image_freep) struct np_image *bias = NULL;
    NP_AUTO(np_freep) char *mask_path = NULL;
    struct np_nifti_written written;
    NP_AUTO(np_freep) char *bias_path = NULL;

    NP_TRY(np_synth_bias(head, &bias, err));
    NP_TRY(image_path(demo->truth, a, "_mask.nii.gz", &mask_path, err));
    NP_TRY(image_path(demo->truth, a, "_biasfield.nii.gz", &bias_path, err));
    NP_TRY(
        np_nifti_write_mask(mask_path, mask_path, head->brain, &how, &demo->exec, &written, err));
    return np_nifti_write_image(bias_path, bias_path, bias, &how, &demo->exec, &written, err);
}

/* Cut the file in half, as after an interrupted copy: a valid beginning without an end. */
static int break_file(const char *path, struct np_error *err)
{
    struct stat status;

    if (stat(path, &status) < 0 || truncate(path, status.st_size / 2) < 0)
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot be cut", path);
    return 0;
}

static int write_scan(struct demo *demo, const struct acquisition *a, struct np_error *err)
{
    static const struct np_nifti_output how = {.description = "synthetic"};
    struct np_synth_options options = choose_options(demo->config, a);
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_freep) char *path = NULL;
    struct np_nifti_written written;

    NP_TRY(np_synth_head(&options, &demo->exec, &head, err));
    /* Whole numbers, as a scanner stores them; they also compress well. */
    for (size_t i = 0; i < np_grid_voxels(&head.image->grid); i++)
        head.image->voxel[i] = floorf(head.image->voxel[i] + 0.5f);
    NP_TRY(image_path(demo->root, a, ".nii.gz", &path, err));
    NP_TRY(np_nifti_write_image(path, path, head.image, &how, &demo->exec, &written, err));
    NP_TRY(write_sidecar(demo, a, &options, err));
    demo->n_images++;
    return write_truth(demo, a, &head, err);
}

static int write_session(struct demo *demo, int participant, int session, struct np_error *err)
{
    const struct np_config *config = demo->config;
    size_t n_protocols = participant == 1 && session == 1 ? NP_COUNT(PROTOCOLS) : 1;

    for (size_t i = 0; i < n_protocols; i++) {
        NP_AUTO(acquisition_done)
        struct acquisition a = make_acquisition(demo, participant, session, &PROTOCOLS[i]);
        NP_TRY(write_scan(demo, &a, err));
        bool is_last = participant == config->demo_participants && session == config->demo_sessions;
        if (is_last && participant * session > 1) {
            demo->broken = np_xasprintf("%s/%s.nii.gz", a.folder, a.stem);
            NP_AUTO(np_freep) char *path = np_path_join(demo->root, demo->broken);
            NP_TRY(break_file(path, err));
        }
    }
    return 0;
}

static int write_participants(const struct demo *demo, struct np_error *err)
{
    NP_AUTO(np_str_done) struct np_str table = {0};
    NP_AUTO(np_str_done) struct np_str columns = {0};

    np_str_add(&table, "participant_id\tanatomy_number\n");
    for (int p = 1; p <= demo->config->demo_participants; p++)
        np_str_addf(&table, "sub-%02d\t%d\n", p, p);
    np_str_add(&columns,
               "{\n"
               "  \"anatomy_number\": {\n"
               "    \"Description\": \"Which of the anatomies of this dataset's random seed was "
               "drawn; nobody was scanned\"\n"
               "  }\n"
               "}\n");
    NP_TRY(write_text(demo->root, "participants.tsv", &table, err));
    return write_text(demo->root, "participants.json", &columns, err);
}

static int write_description(const struct demo *demo, struct np_error *err)
{
    NP_AUTO(np_str_done) struct np_str json = {0};

    np_str_addf(&json,
                "{\n"
                "  \"Name\": \"Synthetic heads\",\n"
                "  \"BIDSVersion\": \"1.9.0\",\n"
                "  \"DatasetType\": \"raw\",\n"
                "  \"License\": \"CC0\",\n"
                "  \"Authors\": [\"neuro-preprocess\"],\n"
                "  \"GeneratedBy\": [\n"
                "    {\n"
                "      \"Name\": \"neuro-preprocess\",\n"
                "      \"Version\": \"%s\",\n"
                "      \"Description\": \"demo-data --participants %d --sessions %d --size %g "
                "--random-seed %llu\"\n"
                "    }\n"
                "  ]\n"
                "}\n",
                NP_VERSION, demo->config->demo_participants, demo->config->demo_sessions,
                demo->config->demo_size_mm, (unsigned long long)demo->config->random_seed);
    return write_text(demo->root, "dataset_description.json", &json, err);
}

static int write_readme(const struct demo *demo, struct np_error *err)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    NP_AUTO(np_str_done) struct np_str truth = {0};

    np_str_add(&text,
               "# Synthetic heads\n\n"
               "Images drawn by `neuro-preprocess demo-data`: heads with a folded cortex, skull, "
               "scalp and neck, a smooth bias field and Rician noise. Nobody was scanned. Each "
               "participant is another anatomy, each session another position, field and noise.\n\n"
               "What is true of each image (brain mask, bias field) lies outside this dataset, in "
               "the folder of the same name with `-truth` added.\n");
    if (demo->broken)
        np_str_addf(&text,
                    "\n`%s` is broken on purpose: its gzip stream ends half way, as after a copy "
                    "that was interrupted.\n",
                    demo->broken);
    np_str_add(&truth,
               "# Truth of the synthetic heads\n\n"
               "For each image of the dataset beside this folder, on its grid:\n\n"
               "- `*_mask.nii.gz`: the brain: tissue, ventricles and the fluid in the sulci under "
               "a smooth outer surface, the brain stem down to the cerebellum's lowest point;\n"
               "- `*_biasfield.nii.gz`: the field that the image was multiplied by.\n");
    NP_TRY(write_text(demo->root, "README.md", &text, err));
    return write_text(demo->truth, "README.md", &truth, err);
}

/* Make a folder; it must not exist or be empty. */
static int claim_folder(const char *path, struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    if (np_path_exists(path)) {
        if (!np_path_is_directory(path))
            return np_error_set(err, NP_ECREATE,
                                "'%s': expected a new or empty folder, found a file; choose "
                                "another name",
                                path);
        NP_TRY(np_directory_list(path, &names, err));
        if (names.n > 0)
            return np_error_set(err, NP_ECREATE,
                                "'%s': expected a new or empty folder, found '%s' in it; remove "
                                "the folder or choose another name",
                                path, names.item[0]);
    }
    return np_directory_make(path, err);
}

static int write_dataset(struct demo *demo, struct np_error *err)
{
    NP_TRY(claim_folder(demo->root, err));
    NP_TRY(claim_folder(demo->truth, err));
    NP_TRY(write_description(demo, err));
    NP_TRY(write_participants(demo, err));
    for (int p = 1; p <= demo->config->demo_participants; p++)
        for (int s = 1; s <= demo->config->demo_sessions; s++)
            NP_TRY(write_session(demo, p, s, err));
    return write_readme(demo, err);
}

int np_demo_data(const struct np_config *config, struct np_error *err)
{
    NP_AUTO(demo_done) struct demo demo = {.config = config};
    struct np_resources resources;

    if (config->inputs.n != 1)
        return np_error_set(err, NP_EUSAGE, "demo-data: expected one folder, found %zu",
                            config->inputs.n);
    demo.root = np_path_resolve(config->inputs.item[0]);
    if (!demo.root)
        return np_error_set(err, NP_ECREATE, "'%s': the working directory cannot be read",
                            config->inputs.item[0]);
    demo.truth = np_xasprintf("%s-truth", demo.root);
    np_resources_detect(&resources);
    NP_AUTO(np_team_freep)
    struct np_team *team = np_team_new(config->nprocs > 0 ? config->nprocs : resources.cpus);
    demo.exec.team = team;
    NP_TRY(write_dataset(&demo, err));
    printf("%d image%s in %s, the truth in %s\n", demo.n_images, np_plural(demo.n_images),
           demo.root, demo.truth);
    if (demo.broken)
        printf("broken on purpose: %s\n", demo.broken);
    return 0;
}
