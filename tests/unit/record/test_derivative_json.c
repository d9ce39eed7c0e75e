/* Sentences that the sidecars of our images have, and those that they must not have. */
#include <jansson.h>
#include <string.h>

#include "base/path.h"
#include "record/derivative_json.h"
#include "record/json.h"
#include "tap.h"

static const char SIDECAR[] =
    "{\"EchoTime\": 0.003, \"Manufacturer\": \"Maker\", \"PatientName\": \"Doe^Jane\", "
    "\"PatientBirthDate\": \"19700101\", \"AcquisitionTime\": \"10:11:12\", \"InstitutionName\": "
    "\"Clinic\", \"DeviceSerialNumber\": \"4711\", \"SkullStripped\": true}";

static const char OPTIONS[] = "{\"bias-correction\": \"none\", \"normalize\": \"percentile\", "
                              "\"save-bias-field\": true, \"skull-strip\": \"force\"}";

enum kind { PREPROC, NORM, MASK };

static const struct np_derivative derivatives[] = {
    [PREPROC] = {.skull = NP_SKULL_AS_IN_SOURCE,
                 .keeps_acquisition = true,
                 .description = {"corrected", [NP_WITHOUT_BIAS_CORRECTION] = "as it was"},
                 .shows = NP_IN_PREPROC},
    [NORM] = {.skull = NP_SKULL_REMOVED,
              .keeps_acquisition = true,
              .description = {"brain", [NP_WITHOUT_BRAIN] = "support"},
              .shows = NP_IN_NORM},
    [MASK] = {.source_suffix = NP_SOURCE_SUFFIX_IN_SPACE,
              .type = {"Brain", [NP_WITHOUT_BRAIN] = "ROI"}},
};

struct setting {
    char *root;
    struct np_strings made_of;
    struct np_dataset *dataset;
    struct np_file_record file;
    struct np_output_record output;
    struct np_derivative_facts facts;
};

static void put(const char *folder, const char *name, const char *text)
{
    NP_AUTO(np_freep) char *path = np_path_join(folder, name);
    NP_AUTO(np_freep) char *parent = np_path_directory(path);

    ok_int(np_directory_make(parent, NULL), 0);
    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
}

static void setting_done(struct setting *s)
{
    np_dataset_freep(&s->dataset);
    np_file_record_done(&s->file);
    np_freep(&s->root);
    np_strings_done(&s->made_of);
}

/* One image of a dataset, with a sidecar that says too much. */
static void set_up(struct setting *s, const char *modality, enum kind kind)
{
    const struct np_selection everything = {0};
    NP_AUTO(np_freep) char *image = np_xasprintf("sub-01/anat/sub-01_%s.nii.gz", modality);
    NP_AUTO(np_freep) char *sidecar = np_xasprintf("sub-01/anat/sub-01_%s.json", modality);

    *s = (struct setting){.root = np_path_join(tap_directory(), modality)};
    put(s->root, "dataset_description.json", "{\"Name\": \"x\", \"BIDSVersion\": \"1.8.0\"}");
    put(s->root, image, "");
    put(s->root, sidecar, SIDECAR);
    ok_int(np_dataset_open(s->root, &everything, &s->dataset, NULL), 0);
    s->file.path = np_xstrdup(image);
    s->file.modality = np_xstrdup(modality);
    s->file.method = np_xstrdup("bias:1");
    np_file_record_number(&s->file, "bias.iterations", 50, "1");
    np_file_record_number(&s->file, "normalization.scale", 2, "1");
    s->facts = (struct np_derivative_facts){.derivative = &derivatives[kind],
                                            .root = s->root,
                                            .scan = &s->dataset->session[0].scan[0],
                                            .source_prefix = "bids:raw:",
                                            .options = OPTIONS,
                                            .file = &s->file,
                                            .output = &s->output,
                                            .made_of = &s->made_of};
    if (kind != PREPROC)
        np_strings_add(&s->made_of, "p.nii.gz");
    if (kind == NORM)
        np_strings_add(&s->made_of, "m.nii.gz");
}

static json_t *sidecar_of(const struct setting *s)
{
    NP_AUTO(np_freep) char *text = np_derivative_json(&s->facts, NULL);
    json_t *json = json_loads(text, 0, NULL);

    ok(json_is_object(json));
    return json;
}

static const char *source(const json_t *json, size_t i)
{
    const char *text = json_string_value(json_array_get(json_object_get(json, "Sources"), i));

    return text ? text : "";
}

TEST(the_whole_head_comes_from_the_raw_image_and_is_not_stripped)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "T1w", PREPROC);
    NP_AUTO(np_json_freep) json_t *json = sidecar_of(&s);
    ok_int((int64_t)json_array_size(json_object_get(json, "Sources")), 1);
    ok_str(source(json, 0), "bids:raw:sub-01/anat/sub-01_T1w.nii.gz");
    ok(json_is_false(json_object_get(json, "SkullStripped")));
    s.facts.skull_stripped_input = true;
    NP_AUTO(np_json_freep) json_t *stripped = sidecar_of(&s);
    ok(json_is_true(json_object_get(stripped, "SkullStripped")));
}

TEST(the_normalized_brain_comes_from_three_images_and_is_stripped)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "T1w", NORM);
    NP_AUTO(np_json_freep) json_t *json = sidecar_of(&s);
    ok_str(source(json, 0), "bids::p.nii.gz");
    ok_str(source(json, 1), "bids::m.nii.gz");
    ok_str(source(json, 2), "bids:raw:sub-01/anat/sub-01_T1w.nii.gz");
    ok(json_is_true(json_object_get(json, "SkullStripped")));
    const json_t *parameters = json_object_get(json, "Parameters");
    ok_near(np_json_get_number(parameters, "normalization.scale"), 2, 0, "parameter");
}

/* "bias-correction=none …" */
static char *settings_of(const struct setting *s)
{
    NP_AUTO(np_json_freep) json_t *json = sidecar_of(s);
    struct np_str words = {0};
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(json, "Settings"), key, value)
        np_str_addf(&words, "%s%s=%s", words.length ? " " : "", key, json_string_value(value));
    return np_str_take(&words);
}

TEST(what_was_asked_for_stands_apart_from_what_came_of_it_and_only_where_it_matters)
{
    NP_AUTO(setting_done) struct setting head, brain;

    set_up(&head, "T1w", PREPROC);
    set_up(&brain, "T2w", NORM);
    NP_AUTO(np_freep) char *of_head = settings_of(&head);
    NP_AUTO(np_freep) char *of_brain = settings_of(&brain);
    ok_str(of_head, "skull-strip=force bias-correction=none");
    ok_str(of_brain, "skull-strip=force normalize=percentile bias-correction=none");
}

TEST(acquisition_parameters_are_kept_and_personal_data_are_not)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "T1w", PREPROC);
    NP_AUTO(np_json_freep) json_t *json = sidecar_of(&s);
    ok_near(np_json_get_number(json, "EchoTime"), 0.003, 1e-12, "as in the source");
    static const char *const private[] = {"PatientName", "PatientBirthDate", "AcquisitionTime",
                                          "InstitutionName", "DeviceSerialNumber"};
    for (size_t i = 0; i < NP_COUNT(private); i++)
        ok(!json_object_get(json, private[i]));
    NP_AUTO(np_freep) char *text = np_derivative_json(&s.facts, NULL);
    ok(!strstr(text, "Doe") && !strstr(text, "4711"));
    ok(!json_object_get(json_object_get(json, "Parameters"), "normalization.scale"));
}

TEST(a_mask_names_the_image_that_it_was_drawn_on)
{
    NP_AUTO(setting_done) struct setting t1, t2;

    set_up(&t1, "T1w", MASK);
    set_up(&t2, "T2w", MASK);
    NP_AUTO(np_json_freep) json_t *first = sidecar_of(&t1);
    NP_AUTO(np_json_freep) json_t *second = sidecar_of(&t2);
    ok_str(json_string_value(json_object_get(first, "SpatialReference")), "bids::p.nii.gz");
    ok_str(json_string_value(json_object_get(second, "SpatialReference")), "bids::p.nii.gz");
    ok_str(json_string_value(json_object_get(first, "Type")), "Brain");
    ok(!json_object_get(first, "SkullStripped"));
    ok(!json_object_get(first, "EchoTime"));
}

TEST(what_was_left_out_changes_what_the_image_is_said_to_be)
{
    NP_AUTO(setting_done) struct setting head, brain, mask;

    set_up(&head, "T1w", PREPROC);
    set_up(&brain, "T2w", NORM);
    set_up(&mask, "FLAIR", MASK);
    np_file_record_text(&head.file, "bias.method", "none");
    np_file_record_text(&brain.file, "skull_strip.method", "skip");
    np_file_record_text(&mask.file, "skull_strip.method", "skip");
    NP_AUTO(np_json_freep) json_t *first = sidecar_of(&head);
    NP_AUTO(np_json_freep) json_t *second = sidecar_of(&brain);
    NP_AUTO(np_json_freep) json_t *third = sidecar_of(&mask);
    ok_str(json_string_value(json_object_get(first, "Description")), "as it was");
    ok_str(json_string_value(json_object_get(second, "Description")), "support");
    ok(json_is_false(json_object_get(second, "SkullStripped")));
    ok_str(json_string_value(json_object_get(third, "Type")), "ROI");
    ok(!json_object_get(third, "Description"));
    brain.facts.skull_stripped_input = true;
    NP_AUTO(np_json_freep) json_t *stripped = sidecar_of(&brain);
    ok_str(json_string_value(json_object_get(stripped, "Description")), "brain");
    ok(json_is_true(json_object_get(stripped, "SkullStripped")));
}

TEST(an_image_without_a_dataset_is_named_as_it_was_given)
{
    NP_AUTO(setting_done) struct setting s;

    set_up(&s, "T1w", PREPROC);
    s.facts.scan = NULL;
    s.facts.root = NULL;
    NP_AUTO(np_json_freep) json_t *json = sidecar_of(&s);
    ok_str(source(json, 0), "sub-01/anat/sub-01_T1w.nii.gz");
    ok(!json_object_get(json, "EchoTime"));
}

TEST(a_broken_sidecar_of_the_source_is_named)
{
    NP_AUTO(setting_done) struct setting s;
    NP_AUTO(np_strings_done) struct np_strings warnings = {0};

    set_up(&s, "T1w", PREPROC);
    put(s.root, "sub-01/anat/sub-01_T1w.json", "{\"EchoTime\": ");
    np_derivative_check_source(s.root, s.facts.scan, &warnings);
    ok_int((int64_t)warnings.n, 1);
    ok(warnings.n == 1 && strstr(warnings.item[0], "sub-01_T1w.json"));
}

TAP_MAIN
