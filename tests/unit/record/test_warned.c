/* Sessions with warnings: counted and listed as successes, in each form of `status`. */
#include "record/warned.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "record/place.h"
#include "record/table.h"
#include "tap.h"

/* A record of `n_images` images of one session in this state, each with the warnings of `keys`. */
static void put(const char *output, const char *participant, enum np_state state, int n_images,
                const char *const *keys, size_t n_keys)
{
    NP_AUTO(np_record_place_done) struct np_record_place place;
    NP_AUTO(np_record_done) struct np_session_record record;

    np_record_place_session(&place, output, participant, NULL, "unnamed");
    np_record_init(&record);
    record.state = state;
    record.participant = np_xstrdup(participant);
    record.config = np_xstrdup("{}");
    record.file = np_xcalloc((size_t)n_images, sizeof(*record.file));
    for (int i = 0; i < n_images; i++) {
        struct np_file_record *file = &record.file[record.n_files++];
        file->path = np_xasprintf("sub-%s/anat/%d_T1w.nii", participant, i);
        file->modality = np_xstrdup("T1w");
        file->method = np_xstrdup("load_file:1");
        file->state = state;
        for (size_t k = 0; k < n_keys; k++) {
            NP_AUTO(np_freep) char *sentence = np_xasprintf("%s of image %d", keys[k], i);
            np_file_record_warn(file, keys[k], sentence);
        }
    }
    ok_int(np_directory_make(place.directory, NULL), 0);
    ok_int(np_record_write(place.status, &record, NULL), 0);
}

static const char *const unsure[] = {"mask-unsure"};
static const char *const both[] = {"header-mismatch", "mask-unsure", "mask-unsure"};

/*
 * 11 sessions: 01 to 06 with an unsure mask, 07 with two keys in two images, 08 and 09 without a
 * warning; 10 failed and 11 runs, with one.
 */
static void survey_cohort(struct np_survey *survey)
{
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "cohort");

    for (int i = 1; i <= 6; i++) {
        NP_AUTO(np_freep) char *participant = np_xasprintf("%02d", i);
        put(output, participant, NP_STATE_SUCCESS, 1, unsure, 1);
    }
    put(output, "07", NP_STATE_SUCCESS, 2, both, NP_COUNT(both));
    put(output, "08", NP_STATE_SUCCESS, 1, NULL, 0);
    put(output, "09", NP_STATE_SUCCESS, 1, NULL, 0);
    put(output, "10", NP_STATE_FAILED, 1, unsure, 1);
    put(output, "11", NP_STATE_RUNNING, 1, unsure, 1);
    ok_int(np_survey_read(output, survey, NULL), 0);
    ok_int((int64_t)survey->n_rows, 11);
}

static char *table_of(const struct np_survey *survey, enum np_survey_rows rows)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    np_survey_print_table(survey, rows, out);
    fclose(out);
    return text;
}

TEST(sessions_are_counted_once_and_by_each_of_their_keys)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_warned_done) struct np_warned warned;

    survey_cohort(&survey);
    np_warned_find(&survey, &warned);
    ok_int((int64_t)warned.n_sessions, 7);
    ok_int((int64_t)warned.keys.n, 2);
    ok_str(warned.keys.item[0], "mask-unsure");
    ok_int((int64_t)warned.n_of[0], 7);
    ok_str(warned.keys.item[1], "header-mismatch");
    ok_int((int64_t)warned.n_of[1], 1);
}

TEST(the_table_gives_five_examples_of_each_kind_and_what_to_do)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    survey_cohort(&survey);
    NP_AUTO(np_freep) char *text = table_of(&survey, NP_SURVEY_ALL);
    ok_contains(text, "9 success (7 with warnings)");
    ok_contains(text, "\nsuccess with warning, mask-unsure: 7\n  sub-01: mask-unsure of image 0\n");
    ok_contains(text, "  sub-05: mask-unsure of image 0\n  … and 2 more (all: --warnings, --format "
                      "tsv)\n  what to do: look at the mask");
    ok(!strstr(text, "sub-06"));
    ok_contains(text, "\nsuccess with warning, header-mismatch: 1\n  sub-07: header-mismatch of "
                      "image 0 (and 1 more image of this session)\n  what to do: ");
}

TEST(all_of_them_are_listed_when_asked_for_and_no_failure)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    survey_cohort(&survey);
    NP_AUTO(np_freep) char *text = table_of(&survey, NP_SURVEY_WARNED);
    ok_contains(text, "  sub-06: mask-unsure of image 0\n  sub-07: mask-unsure of image 0 (and 1 ");
    ok(!strstr(text, "more (all"));
    ok(!strstr(text, "sub-10") && !strstr(text, "\nfailed"));
    NP_AUTO(np_freep) char *failed = table_of(&survey, NP_SURVEY_TO_RERUN);
    ok_contains(failed, "(7 with warnings)");
    ok(!strstr(failed, "success with warning"));
}

TEST(the_tsv_has_the_keys_of_each_session_in_its_last_column)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    survey_cohort(&survey);
    NP_AUTO(np_freep) char *tsv = np_survey_tsv(&survey, NP_SURVEY_ALL, NULL);
    NP_AUTO(np_freep) char *warned = np_survey_tsv(&survey, NP_SURVEY_WARNED, NULL);
    size_t n_lines = 0, n_unsure = 0;
    char *state = NULL;
    for (char *line = strtok_r(tsv, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        const char *cell = strrchr(line, '\t') + 1;
        const char *expected = n_lines == 0                   ? "warnings"
                               : n_lines == 7                 ? "header-mismatch;mask-unsure"
                               : n_lines == 8 || n_lines == 9 ? "n/a"
                                                              : "mask-unsure";
        ok_str(cell, expected);
        n_lines++;
    }
    ok_int((int64_t)n_lines, 12);
    for (const char *at = warned; (at = strstr(at, "mask-unsure\n")); at++)
        n_unsure++;
    ok_int((int64_t)n_unsure, 7);
    ok(!strstr(warned, "\nsub-08") && !strstr(warned, "\nsub-10"));
}

TEST(json_counts_sessions_by_key_and_has_each_sentence)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    survey_cohort(&survey);
    NP_AUTO(np_freep) char *text = np_survey_json(&survey, NP_SURVEY_WARNED);
    json_t *json = json_loads(text, 0, NULL);
    const json_t *counts = json_object_get(json, "warnings");
    const json_t *sessions = json_object_get(json, "sessions");
    ok_int(json_integer_value(json_object_get(json, "n_with_warnings")), 7);
    ok_int(json_integer_value(json_object_get(counts, "mask-unsure")), 7);
    ok_int(json_integer_value(json_object_get(counts, "header-mismatch")), 1);
    ok_int((int64_t)json_array_size(sessions), 7);
    const json_t *all = json_object_get(json_array_get(sessions, 6), "warnings");
    ok_int((int64_t)json_array_size(all), 6);
    const json_t *last = json_array_get(all, 5);
    ok_str(json_string_value(json_object_get(last, "file")), "sub-07/anat/1_T1w.nii");
    ok_str(json_string_value(json_object_get(last, "key")), "mask-unsure");
    ok_str(json_string_value(json_object_get(last, "sentence")), "mask-unsure of image 1");
    json_decref(json);
}

TEST(for_nipoppy_a_warning_is_a_success_unless_warnings_are_asked_for)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    survey_cohort(&survey);
    NP_AUTO(np_freep) char *again = np_survey_nipoppy(&survey, NP_SURVEY_ALL);
    NP_AUTO(np_freep) char *warned = np_survey_nipoppy(&survey, NP_SURVEY_WARNED);
    ok(strstr(again, "10\tunnamed\n") && !strstr(again, "01\t") && !strstr(again, "07\t"));
    ok_str(warned, "01\tunnamed\n02\tunnamed\n03\tunnamed\n04\tunnamed\n05\tunnamed\n06\tunnamed\n"
                   "07\tunnamed\n");
}

TAP_MAIN
