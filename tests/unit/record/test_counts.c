/* Sessions counted by state; failed ones by what failed. */
#include "record/counts.h"
#include "tap.h"

static void add(struct np_survey *survey, const char *label, enum np_state state, int code,
                const char *stage)
{
    struct np_survey_row *row =
        np_survey_add_unrecorded(survey, np_xstrdup(label), label, NULL, label);
    struct np_error why = {0};

    row->state = row->record.state = state;
    row->has_record = true;
    if (!code)
        return;
    np_error_set(&why, code, "a sentence");
    np_failure_set(&row->record.failure, &why, stage);
}

TEST(failures_of_one_stage_and_type_are_one_entry_and_add_up_to_the_failed)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_counts_done) struct np_counts counts;
    size_t sum = 0;

    add(&survey, "01", NP_STATE_SUCCESS, 0, NULL);
    add(&survey, "02", NP_STATE_FAILED, NP_EFORMAT, "load_file");
    add(&survey, "03", NP_STATE_FAILED, NP_EMETHOD, "skull_strip");
    add(&survey, "04", NP_STATE_FAILED, NP_EFORMAT, "load_file");
    add(&survey, "05", NP_STATE_FAILED, NP_ENOINPUT, NULL);
    add(&survey, "06", NP_STATE_INTERRUPTED, NP_EKILLED, "load_file");
    np_counts_find(&survey, &counts);
    ok_int((int64_t)counts.of_state[NP_STATE_SUCCESS], 1);
    ok_int((int64_t)counts.of_state[NP_STATE_FAILED], 4);
    ok_int((int64_t)counts.of_state[NP_STATE_INTERRUPTED], 1);
    ok_int((int64_t)counts.n_failures, 3);
    ok_str(counts.failure[0].stage, "load_file");
    ok_str(counts.failure[0].error_type, "bad-data");
    ok_int((int64_t)counts.failure[0].n, 2);
    ok_str(counts.failure[2].stage, "");
    for (size_t i = 0; i < counts.n_failures; i++)
        sum += counts.failure[i].n;
    ok_int((int64_t)sum, (int64_t)counts.of_state[NP_STATE_FAILED]);
}

TEST(a_failure_that_is_gone_can_be_kept_with_0)
{
    struct np_counts counts = {0};

    np_counts_add_failure(&counts, "load_file", "bad-data", 0);
    np_counts_add_failure(&counts, "load_file", "bad-data", 2);
    np_counts_add_failure(&counts, "load_file", "io", 0);
    ok_int((int64_t)counts.n_failures, 2);
    ok_int((int64_t)counts.failure[0].n, 2);
    ok_int((int64_t)counts.failure[1].n, 0);
    np_counts_done(&counts);
    ok_int((int64_t)counts.n_failures, 0);
}

TAP_MAIN
