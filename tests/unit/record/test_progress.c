/* Counts of a cohort, and the time left where the truth is known. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "record/progress.h"
#include "tap.h"

static const int64_t START_NS = INT64_C(1800000000) * 1000000000;

static struct np_survey_row *add(struct np_survey *survey, enum np_state state, double start_s,
                                 double end_s)
{
    struct np_survey_row *row =
        np_survey_add_unrecorded(survey, np_xstrdup("x"), "01", NULL, "sub-01");

    row->state = state;
    row->has_record = true;
    row->record.start_ns = START_NS + (int64_t)(start_s * 1e9);
    row->record.end_ns = START_NS + (int64_t)(end_s * 1e9);
    return row;
}

static void add_many(struct np_survey *survey, enum np_state state, int n)
{
    for (int i = 0; i < n; i++)
        add(survey, state, 1e6, 1e6);
}

TEST(counts_leave_out_what_is_withdrawn_or_gone)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    struct np_progress progress;

    add_many(&survey, NP_STATE_SUCCESS, 5);
    add_many(&survey, NP_STATE_NOTHING_TO_DO, 1);
    add_many(&survey, NP_STATE_FAILED, 2);
    add_many(&survey, NP_STATE_LOST, 1);
    add_many(&survey, NP_STATE_INCOMPLETE, 1);
    add_many(&survey, NP_STATE_NOT_STARTED, 7);
    add_many(&survey, NP_STATE_WITHDRAWN, 3);
    add_many(&survey, NP_STATE_GONE, 2);
    np_progress_find(&survey, &progress);
    ok_int((int64_t)progress.n_wanted, 17);
    ok_int((int64_t)progress.n_complete, 5);
    ok_int((int64_t)progress.n_nothing, 1);
    ok_int((int64_t)progress.n_rerun, 11);
    NP_AUTO(np_freep) char *text = np_progress_text(&progress);
    ok_str(text, "5 of 17 complete, 1 without images");
}

/* Two at once, each 20 s: one ends every 10 s. */
static void add_steady(struct np_survey *survey, int n, double from_s)
{
    for (int i = 0; i < n; i++)
        add(survey, NP_STATE_SUCCESS, from_s + 10 * i, from_s + 10 * i + 20);
}

TEST(steady_sessions_give_their_rate_and_a_pause_does_not_count)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    struct np_progress progress;

    add_steady(&survey, 15, 0);
    add_steady(&survey, 15, 50000); /* the next morning */
    add(&survey, NP_STATE_RUNNING, 50150, 0);
    add(&survey, NP_STATE_RUNNING, 50160, 0);
    add_many(&survey, NP_STATE_NOT_STARTED, 58);
    np_progress_find(&survey, &progress);
    ok(progress.has_estimate);
    ok_near(progress.left_s, 600, 25, "60 sessions, 10 s each; the first of a morning takes 20");
    ok_near(progress.per_hour, 360, 15, "an hour");
    NP_AUTO(np_freep) char *text = np_progress_text(&progress);
    ok(strstr(text, "30 of 90 complete; 2 running; 5.") && strstr(text, " min left ("));
}

TEST(below_twenty_finished_or_when_nothing_runs_there_is_no_estimate)
{
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    struct np_progress progress;

    add_steady(&survey, NP_PROGRESS_LEAST - 1, 0);
    add(&survey, NP_STATE_RUNNING, 200, 0);
    np_progress_find(&survey, &progress);
    ok(!progress.has_estimate);
    add(&survey, NP_STATE_FAILED, 190, 210);
    np_progress_find(&survey, &progress);
    ok(progress.has_estimate);
    for (size_t i = 0; i < survey.n_rows; i++)
        if (survey.row[i].state == NP_STATE_RUNNING)
            survey.row[i].state = NP_STATE_LOST;
    np_progress_find(&survey, &progress);
    ok(!progress.has_estimate);
}

/* Times between ends that are independent: the truth lies in the range 95 times of 100. */
TEST(the_range_holds_the_truth_as_often_as_it_says)
{
    enum { TRIALS = 400, FINISHED = 40, LEFT = 60 };
    struct np_random random;
    int n_inside = 0;

    np_random_seed(&random, 7, 1);
    for (int t = 0; t < TRIALS; t++) {
        NP_AUTO(np_survey_done) struct np_survey survey = {0};
        struct np_progress progress;
        double now_s = 0, left_s = 0;
        for (int i = 0; i < FINISHED; i++) {
            double gap_s = -10 * log(1 - np_random_uniform(&random));
            add(&survey, NP_STATE_SUCCESS, now_s, now_s + gap_s);
            now_s += gap_s;
        }
        for (int i = 0; i < LEFT; i++)
            left_s += -10 * log(1 - np_random_uniform(&random));
        add(&survey, NP_STATE_RUNNING, now_s, 0);
        add_many(&survey, NP_STATE_NOT_STARTED, LEFT - 1);
        np_progress_find(&survey, &progress);
        n_inside += left_s >= progress.least_s && left_s <= progress.most_s;
    }
    ok_near((double)n_inside / TRIALS, 0.95, 0.04, "share of trials");
}

TAP_MAIN
