/* The cohort's metrics: a table for each modality. */
#include "record/quality_table.h"

#include <string.h>

#include "base/path.h"
#include "tap.h"

/* A session with a T1w and a FLAIR; metrics are numbered by `value`. */
static struct np_survey_row *add(struct np_survey *survey, const char *participant,
                                 enum np_state state, double value)
{
    NP_AUTO(np_freep) char *label = np_xasprintf("sub-%s", participant);
    struct np_survey_row *row =
        np_survey_add_unrecorded(survey, np_xstrdup(label), participant, NULL, label);
    const char *const suffix[] = {"T1w", "FLAIR"};

    row->has_record = true;
    row->state = NP_STATE_SUCCESS;
    row->record.file = np_xcalloc(2, sizeof(*row->record.file));
    row->record.n_files = 2;
    for (int i = 0; i < 2; i++) {
        struct np_file_record *file = &row->record.file[i];
        file->path = np_xasprintf("%s/anat/%s_%s.nii.gz", label, label, suffix[i]);
        file->modality = np_xstrdup(suffix[i]);
        file->state = state;
        np_file_record_number(file, "skull_strip.volume", 1e6, "mm3");
        np_file_record_number(file, "quality.efc", value, "1");
        if (i == 0 && value > 0.5)
            np_file_record_number(file, "quality.spacing_x", 1.25, "mm");
    }
    return row;
}

TEST(a_row_for_each_image_of_the_modality_and_columns_in_the_order_of_the_measures)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    add(&survey, "01", NP_STATE_SUCCESS, 0.25);
    add(&survey, "02", NP_STATE_SUCCESS, 0.75);
    add(&survey, "03", NP_STATE_FAILED, 0.875);
    NP_AUTO(np_freep) char *t1w = np_quality_table_tsv(&survey, "T1w");
    NP_AUTO(np_freep) char *flair = np_quality_table_tsv(&survey, "FLAIR");
    ok_str(t1w, "bids_name\tefc\tspacing_x\nsub-01_T1w\t0.25\tn/a\nsub-02_T1w\t0.75\t1.25\n");
    ok_str(flair, "bids_name\tefc\nsub-01_FLAIR\t0.25\nsub-02_FLAIR\t0.75\n");
    ok(np_quality_table_tsv(&survey, "T2w") == NULL);
    NP_AUTO(np_freep) char *dictionary = np_quality_table_json(&survey, "T1w");
    ok_contains(dictionary, "\"Units\": \"mm\"");
    ok_contains(dictionary, "Entropy focus criterion");
    ok(strstr(dictionary, "volume") == NULL);
}

TEST(a_session_that_is_withdrawn_is_not_in_it_and_a_table_without_rows_is_removed)
{
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "out");
    NP_AUTO(np_freep) char *logs = np_path_join(output, "logs");
    NP_AUTO(np_freep) char *table = np_path_join(logs, "group_T1w.tsv");
    NP_AUTO(np_freep) char *dictionary = np_path_join(logs, "group_T1w.json");
    NP_AUTO(np_freep) char *none = np_path_join(logs, "group_T2w.tsv");
    NP_AUTO(np_survey_done) struct np_survey survey = {0};

    ok_int(np_directory_make(logs, NULL), 0);
    struct np_survey_row *row = add(&survey, "01", NP_STATE_SUCCESS, 0.25);
    ok_int(np_quality_tables_write(output, &survey, NULL), 0);
    ok(np_path_exists(table) && np_path_exists(dictionary) && !np_path_exists(none));
    row->state = NP_STATE_WITHDRAWN;
    ok_int(np_quality_tables_write(output, &survey, NULL), 0);
    ok(!np_path_exists(table) && !np_path_exists(dictionary));
}

TAP_MAIN
