/* Publishing writes the files that a recipe lists, with sidecars, and no others. */
#include <math.h>
#include <string.h>

#include "base/path.h"
#include "pipeline/publish.h"
#include "tap.h"

struct setting {
    char *folder;
    struct np_config config;
    struct np_job_file file;
    struct np_work work;
    struct np_file_record record;
};

static void setting_done(struct setting *s)
{
    np_freep(&s->folder);
    np_work_done(&s->work);
    np_file_record_done(&s->record);
}

/* A file of `process` whose slots are filled as after all stages. */
static void set_up(struct setting *s, const char *name)
{
    const struct np_modality *modality = &np_modalities[NP_MODALITY_T2W];
    const struct np_grid grid = np_grid_make(4, 3, 2, 1, 1, 1);

    *s = (struct setting){.folder = np_path_join(tap_directory(), name)};
    s->config.output_dir = s->folder;
    s->file = (struct np_job_file){.path = "/data/scan.nii.gz",
                                   .recorded = "scan.nii.gz",
                                   .modality = modality->suffix,
                                   .recipe = np_recipe_find(modality)};
    np_work_init(&s->work, s->file.path, modality);
    s->work.info.grid = grid;
    s->work.flat = np_image_new(&grid);
    s->work.norm = np_image_new(&grid);
    s->work.field = np_image_new(&grid);
    s->work.brain = np_mask_new(&grid);
    s->record.path = np_xstrdup(s->file.recorded);
    s->record.modality = np_xstrdup(modality->suffix);
    s->record.method = np_xstrdup("bias:1");
}

static int publish(struct setting *s)
{
    const struct np_exec exec = {0};

    NP_AUTO(np_freep) char *logs = np_path_join(tap_directory(), "logs");
    const struct np_record_place place = {.directory = logs};
    const struct np_publish_order order = {.config = &s->config, .place = &place, .file = &s->file};

    return np_publish(&order, &s->work, &exec, &s->record, NULL);
}

/* The outputs that these settings want, their sidecars, and nothing else: on disk and recorded. */
static void ok_as_listed(struct setting *s, size_t n_expected)
{
    NP_AUTO(np_strings_done) struct np_strings listed = {0}, found = {0};

    np_job_outputs(&s->file, &s->config, &listed);
    ok_int((int64_t)listed.n, (int64_t)n_expected);
    ok_int(publish(s), 0);
    ok_int((int64_t)s->record.n_outputs, (int64_t)(2 * n_expected));
    for (size_t i = 0; i < listed.n && i * 2 + 1 < s->record.n_outputs; i++) {
        NP_AUTO(np_freep) char *sidecar = np_derivative_sidecar(listed.item[i]);
        ok_str(s->record.output[2 * i].path, listed.item[i]);
        ok_str(s->record.output[2 * i + 1].path, sidecar);
    }
    ok_int(np_directory_list(s->folder, &found, NULL), 0);
    ok_int((int64_t)found.n, (int64_t)s->record.n_outputs);
    for (size_t i = 0; i < s->record.n_outputs; i++)
        ok(np_strings_have(&found, s->record.output[i].path));
}

TEST(by_default_three_images_are_listed_and_written)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "default");
    ok_as_listed(&s, 3);
}

TEST(the_field_is_added_when_it_was_asked_for)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "field");
    s.config.save_bias_field = true;
    ok_as_listed(&s, 4);
    ok_int(np_work_slots(&s.work), 0);
}

/* The voxels of an output, in the order of the file. */
static struct np_image *read_output(const struct setting *s, const char *name)
{
    NP_AUTO(np_freep) char *path = np_path_join(s->folder, name);
    struct np_nifti_info info;
    struct np_nifti_content content;
    struct np_image *image = NULL;

    ok_int(np_nifti_read_volume(path, NULL, &info, &content, &image, NULL), 0);
    return image;
}

/* FLAT is 1, 2, 3, …; every third voxel is brain; the files can be read again. */
static void fill(struct setting *s)
{
    s->work.info.xform_code = 1;
    for (size_t i = 0; i < np_grid_voxels(&s->work.flat->grid); i++) {
        s->work.flat->voxel[i] = (float)(i + 1);
        s->work.brain->voxel[i] = i % 3 == 0;
    }
}

static void ok_is_head_inside_mask(struct setting *s)
{
    NP_AUTO(np_image_freep) struct np_image *head = read_output(s, "scan_desc-preproc.nii.gz");
    NP_AUTO(np_image_freep) struct np_image *brain = read_output(s, "scan_desc-brain.nii.gz");
    NP_AUTO(np_image_freep) struct np_image *mask = read_output(s, "scan_desc-brain_mask.nii.gz");

    for (size_t i = 0; i < 24; i++) {
        ok(brain->voxel[i] == head->voxel[i] * mask->voxel[i]);
        ok(head->voxel[i] > 0);
    }
}

TEST(the_brain_is_the_head_inside_the_mask_and_the_head_stays_whole)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "brain");
    s.config.save_brain = true;
    fill(&s);
    ok_as_listed(&s, 4);
    ok_int(np_work_slots(&s.work), NP_SLOT_FIELD); /* of an output that is not wanted */
    ok_is_head_inside_mask(&s);
}

TEST(the_brain_of_a_file_in_another_order_is_the_head_inside_the_mask_too)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "brain-turned");
    s.config.save_brain = true;
    fill(&s);
    s.work.info.grid.world_from_voxel.m[0][0] = -1; /* the file's x runs to the left */
    ok_as_listed(&s, 4);
    ok_is_head_inside_mask(&s);
}

/* The largest change of the head by int16; the brain is still the head inside the mask. */
static double change_by_int16(struct setting *s)
{
    NP_AUTO(np_image_freep) struct np_image *before = np_image_copy(s->work.flat);

    s->config.save_brain = true;
    s->config.output_datatype = NP_DATATYPE_INT16;
    ok_as_listed(s, 4);
    ok_is_head_inside_mask(s);
    NP_AUTO(np_image_freep) struct np_image *head = read_output(s, "scan_desc-preproc.nii.gz");
    double most = 0;
    for (size_t i = 0; i < 24; i++) {
        double change = fabs((double)(head->voxel[i] - before->voxel[i]));
        most = change > most ? change : most; /* with fmax, gcc 12 for arm64 ends with an error */
    }
    return most;
}

static void ok_datatype(const struct setting *s, const char *name, const char *datatype)
{
    NP_AUTO(np_freep) char *path = np_path_join(s->folder, name);
    struct np_nifti_info info = {0};

    ok_int(np_nifti_read_info(path, &info, NULL), 0);
    ok_str(info.datatype_name, datatype);
}

TEST(int16_is_for_images_in_the_units_of_the_source_alone)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "int16");
    fill(&s);
    s.work.flat->voxel[5] = 1000.0F / 3;
    ok(change_by_int16(&s) <= 1000.0 / 3 / 32767);
    ok_datatype(&s, "scan_desc-preproc.nii.gz", "INT16");
    ok_datatype(&s, "scan_desc-brain.nii.gz", "INT16");
    ok_datatype(&s, "scan_desc-norm.nii.gz", "FLOAT32");
    ok_datatype(&s, "scan_desc-brain_mask.nii.gz", "UINT8");
    ok_int((int64_t)s.work.n_warnings, 0);
}

TEST(a_head_that_int16_would_make_coarse_stays_float32_with_a_warning)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "coarse");
    fill(&s);
    s.work.flat->voxel[1] = 1e6F; /* outside the brain, whose intensities go to 22 */
    ok_near(change_by_int16(&s), 0, 0, "nothing is lost");
    ok_datatype(&s, "scan_desc-preproc.nii.gz", "FLOAT32");
    ok_datatype(&s, "scan_desc-brain.nii.gz", "FLOAT32");
    ok_int((int64_t)s.work.n_warnings, 1);
    ok_contains(s.work.warning[0].sentence, "scan.nii.gz': written as float32: the largest values");
}

TEST(values_that_are_not_finite_stay_float32_too)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "infinite");
    fill(&s);
    s.config.output_datatype = NP_DATATYPE_INT16;
    s.work.flat->voxel[1] = INFINITY;
    ok_as_listed(&s, 3);
    ok_datatype(&s, "scan_desc-preproc.nii.gz", "FLOAT32");
    ok_contains(s.work.n_warnings ? s.work.warning[0].sentence : "", "not finite");
}

TEST(what_came_of_the_brain_names_the_whole_head_and_the_mask_as_sources)
{
    NP_AUTO(setting_done) struct setting s;
    NP_AUTO(np_str_done) struct np_str norm = {0}, brain = {0};

    set_up(&s, "sources");
    s.config.save_brain = true;
    ok_int(publish(&s), 0);
    NP_AUTO(np_freep) char *norm_path = np_path_join(s.folder, "scan_desc-norm.json");
    NP_AUTO(np_freep) char *brain_path = np_path_join(s.folder, "scan_desc-brain.json");
    ok_int(np_file_read(norm_path, 1 << 16, &norm, NULL), 0);
    ok_int(np_file_read(brain_path, 1 << 16, &brain, NULL), 0);
    ok(!strstr(np_str_text(&norm), "scan_desc-brain.nii.gz"));
    ok(!strstr(np_str_text(&brain), "scan_desc-brain.nii.gz"));
    ok_contains(np_str_text(&norm), "bids::scan_desc-preproc.nii.gz");
    ok_contains(np_str_text(&brain), "bids::scan_desc-preproc.nii.gz");
    ok_contains(np_str_text(&brain), "bids::scan_desc-brain_mask.nii.gz");
}

TEST(the_minimal_level_leaves_the_normalized_image_out)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "minimal");
    s.config.level = NP_LEVEL_MINIMAL;
    ok_as_listed(&s, 2);
}

TEST(a_row_of_another_recipe_is_written_under_its_name_without_a_sidecar_when_it_describes_none)
{
    NP_AUTO(setting_done) struct setting s;
    NP_AUTO(np_strings_done) struct np_strings found = {0};
    static const struct np_output rows[] = {{.file = {.suffix = "dseg", .extension = ".nii.gz"},
                                             .slot = NP_SLOT_BRAIN,
                                             .format = NP_OUTPUT_UINT8},
                                            {.file = {.desc = "never", .extension = ".nii.gz"},
                                             .slot = NP_SLOT_RAW, /* an empty slot is left out */
                                             .format = NP_OUTPUT_FLOAT32}};
    const struct np_recipe recipe = {
        .name = "other", .output = rows, .n_outputs = NP_COUNT(rows), .main_output = rows};

    set_up(&s, "other");
    s.file.recipe = &recipe;
    ok_int(publish(&s), 0);
    ok_int(np_directory_list(s.folder, &found, NULL), 0);
    ok_int((int64_t)found.n, 1);
    ok_str(found.n ? found.item[0] : "", "scan_dseg.nii.gz");
    ok_int((int64_t)s.record.n_outputs, 1);
}

TEST(a_folder_where_one_output_goes_keeps_all_of_them_away)
{
    NP_AUTO(setting_done) struct setting s;
    NP_AUTO(np_strings_done) struct np_strings listed = {0}, found = {0};

    set_up(&s, "blocked");
    np_job_outputs(&s.file, &s.config, &listed);
    NP_AUTO(np_freep) char *path = np_path_join(s.folder, listed.item[listed.n - 1]);
    ok_int(np_directory_make(path, NULL), 0);
    ok_int(publish(&s), NP_ECREATE);
    ok_int(np_directory_list(s.folder, &found, NULL), 0);
    ok_int((int64_t)found.n, 1);
    ok_int((int64_t)s.record.n_outputs, 0);
}

TAP_MAIN
