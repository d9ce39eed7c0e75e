/* The table of imaging-derived phenotypes: what is complete, under stable names, described. */
#include "record/idps.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "record/place.h"
#include "tap.h"

/* A record of one image with a volume and a stage. */
static void put(const char *output, const char *participant, const char *session,
                enum np_state state, double volume_mm3)
{
    NP_AUTO(np_record_place_done) struct np_record_place place;
    NP_AUTO(np_record_done) struct np_session_record record;

    np_record_place_session(&place, output, participant, session, session ? session : "unnamed");
    np_record_init(&record);
    record.state = state;
    record.participant = np_xstrdup(participant);
    record.session = session ? np_xstrdup(session) : NULL;
    record.file = np_xcalloc(1, sizeof(*record.file));
    record.n_files = 1;
    struct np_file_record *file = &record.file[0];
    file->path = np_xasprintf("sub-%s/anat/x_T1w.nii", participant);
    file->modality = np_xstrdup("T1w");
    file->method = np_xstrdup("load_file:1 skull_strip:2");
    record.software_version = np_xstrdup("0.1.0");
    record.config = np_xstrdup(session ? "{\"normalize\":\"none\"}" : "{}");
    file->state = state;
    np_file_record_number(file, "skull_strip.volume", volume_mm3, "mm3");
    for (int i = 0; session && i < 2; i++) {
        np_file_record_warn(file, "mask-unsure", "of an image with a session");
        np_file_record_warn(file, "header-mismatch", "of an image with a session");
    }
    np_file_record_stage(file, "load_file")->wall_s = 0.5;
    np_file_record_stage(file, "skull_strip")->wall_s = 1.5;
    ok_int(np_directory_make(place.directory, NULL), 0);
    ok_int(np_record_write(place.status, &record, NULL), 0);
}

/* Add an output to a record that is there, and the output itself. */
static void put_metrics(const char *output, const char *participant, const char *metrics)
{
    NP_AUTO(np_record_place_done) struct np_record_place place;
    NP_AUTO(np_record_done) struct np_session_record record = {0};
    NP_AUTO(np_freep)
    char *path = np_xasprintf("sub-%s/anat/sub-%s_desc-iqm_T1w.json", participant, participant);
    NP_AUTO(np_freep) char *whole = np_path_join(output, path);
    NP_AUTO(np_freep) char *folder = np_path_directory(whole);

    np_record_place_session(&place, output, participant, NULL, "unnamed");
    ok_int(np_record_read(place.status, &record, NULL), 0);
    np_file_record_output(&record.file[0], path)->n_bytes = (int64_t)strlen(metrics);
    ok_int(np_record_write(place.status, &record, NULL), 0);
    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(np_file_write_atomic(whole, metrics, strlen(metrics), NULL), 0);
}

static char *fresh_output(const char *name)
{
    return np_path_join(tap_directory(), name);
}

TEST(a_row_for_each_complete_image_and_none_for_others)
{
    NP_AUTO(np_freep) char *output = fresh_output("rows");
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_idps_done) struct np_idps idps;

    put(output, "01", NULL, NP_STATE_SUCCESS, 1.25e6);
    put(output, "02", "pre", NP_STATE_SUCCESS, 1.5e6);
    put(output, "03", NULL, NP_STATE_FAILED, 0);
    ok_int(np_survey_read(output, &survey, NULL), 0);
    np_idps_collect(output, &survey, &idps);
    ok_int((int64_t)idps.n_rows, 2);
    ok_int((int64_t)idps.n_sessions, 2);
    NP_AUTO(np_freep) char *text = np_idps_tsv(&idps);
    ok_str(
        text,
        "participant_id\tbids_participant_id\tsession_id\tbids_session_id\tmodality\t"
        "source_file\tversion\tmethod\tconfiguration\twarnings\tskull_strip_volume\tduration_load_"
        "file\tduration_skull_strip\t"
        "duration\n"
        "01\tsub-01\tunnamed\tn/a\tT1w\tsub-01/anat/x_T1w.nii\t0.1.0\t"
        "load_file:1 skull_strip:2\tdefaults\tn/a\t1250000\t0.5\t1.5\t2\n"
        "02\tsub-02\tpre\tses-pre\tT1w\tsub-02/anat/x_T1w.nii\t0.1.0\t"
        "load_file:1 "
        "skull_strip:2\tnormalize=none\tmask-unsure;header-mismatch\t1500000\t0.5\t1.5\t2\n");
}

TEST(quality_metrics_are_joined_and_missing_ones_are_na)
{
    NP_AUTO(np_freep) char *output = fresh_output("metrics");
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_idps_done) struct np_idps idps;

    put(output, "01", NULL, NP_STATE_SUCCESS, 1e6);
    put(output, "02", NULL, NP_STATE_SUCCESS, 1e6);
    put_metrics(output, "02", "{\"cjv\": 0.25, \"provenance\": {\"x\": 1}, \"name\": \"y\"}");
    ok_int(np_survey_read(output, &survey, NULL), 0);
    np_idps_collect(output, &survey, &idps);
    ok_int((int64_t)idps.n_columns, 5);
    ok_str(idps.column[4].name, "iqm_cjv");
    NP_AUTO(np_freep) char *text = np_idps_tsv(&idps);
    ok_contains(text, "\t0.5\t1.5\t2\tn/a\n");
    ok_contains(text, "\t0.5\t1.5\t2\t0.25\n");
}

TEST(metrics_that_cannot_be_read_are_left_out)
{
    static const char *const broken[] = {"", "[1]", "{\"cjv\": ", "{\"cjv\": null}"};

    for (size_t i = 0; i < NP_COUNT(broken); i++) {
        NP_AUTO(np_freep) char *name = np_xasprintf("broken-%zu", i);
        NP_AUTO(np_freep) char *output = fresh_output(name);
        NP_AUTO(np_survey_done) struct np_survey survey = {0};
        NP_AUTO(np_idps_done) struct np_idps idps;
        put(output, "01", NULL, NP_STATE_SUCCESS, 1e6);
        put_metrics(output, "01", broken[i]);
        ok_int(np_survey_read(output, &survey, NULL), 0);
        np_idps_collect(output, &survey, &idps);
        ok_int((int64_t)idps.n_columns, 4);
    }
}

TEST(a_measure_of_another_version_keeps_its_column)
{
    NP_AUTO(np_file_record_done) struct np_file_record file = {.state = NP_STATE_SUCCESS};
    struct np_session_record record = {.file = &file, .n_files = 1};
    struct np_survey_row row = {.record = record};
    const struct np_survey survey = {.row = &row, .n_rows = 1};
    NP_AUTO(np_idps_done) struct np_idps idps;

    np_file_record_number(&file, "tissue.grey", 7e5, "mm3");
    row.record.file = &file;
    np_idps_collect("/nowhere", &survey, &idps);
    ok_int((int64_t)idps.n_columns, 1);
    ok_str(idps.column[0].name, "tissue_grey");
    ok_str(idps.column[0].unit, "mm3");
    ok_str(idps.column[0].description, "Measure 'tissue.grey' of the records.");
}

TEST(the_dictionary_describes_every_column_with_its_unit)
{
    NP_AUTO(np_freep) char *output = fresh_output("dictionary");
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_idps_done) struct np_idps idps;

    put(output, "01", NULL, NP_STATE_SUCCESS, 1e6);
    ok_int(np_survey_read(output, &survey, NULL), 0);
    np_idps_collect(output, &survey, &idps);
    NP_AUTO(np_freep) char *text = np_idps_json(&idps);
    json_t *json = json_loads(text, 0, NULL);
    ok_int((int64_t)json_object_size(json), 14);
    const json_t *volume = json_object_get(json, "skull_strip_volume");
    ok_str(json_string_value(json_object_get(volume, "Units")), "mm3");
    ok_str(json_string_value(json_object_get(volume, "Description")),
           "Volume of the brain mask (voxels of the mask x volume of a voxel).");
    ok(json_object_get(json, "participant_id") != NULL);
    const json_t *levels = json_object_get(json_object_get(json, "warnings"), "Levels");
    ok_str(json_string_value(json_object_get(levels, "mask-unsure")),
           "The brain mask was kept, and may be wrong");
    json_decref(json);
}

TEST(no_output_gives_no_rows)
{
    struct np_survey survey = {0};
    NP_AUTO(np_idps_done) struct np_idps idps;

    np_idps_collect("/nowhere", &survey, &idps);
    ok_int((int64_t)idps.n_rows, 0);
    ok_int((int64_t)idps.n_columns, 0);
}

TAP_MAIN
