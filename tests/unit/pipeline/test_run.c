/* Whole runs over small datasets: what they count, what they leave, how they end. */
#include <fcntl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "pipeline/scene.h"
#include "trace/names.h"

static void run_over(struct scene *scene, const char *participants, const char *output)
{
    scene_begin(scene, participants, output);
    np_run_execute(&scene->run);
}

static enum np_state status_of(const struct scene *scene, size_t job)
{
    return state_on_disk(scene->plan->job[job].place.status);
}

TEST(a_run_does_all_sessions_and_counts_them)
{
    struct scene scene;

    run_over(&scene, "01 02 03 04", "all");
    ok_int((int64_t)scene.run.results.n_success, 2);
    ok_int((int64_t)scene.run.results.n_failed, 1);
    ok_int((int64_t)scene.run.results.n_nothing, 1);
    ok_str(np_results_headline(&scene.run.results)->examples.item[0], "sub-03");
    ok_int(scene.run.exit_status, 1);
    ok_int(status_of(&scene, 0), NP_STATE_SUCCESS);
    ok_int(status_of(&scene, 2), NP_STATE_FAILED);
    ok_int(status_of(&scene, 3), NP_STATE_NOTHING_TO_DO);
    const struct np_span *span = span_named(&scene, NP_SPAN_RUN);
    ok(span && span->status == NP_STATUS_ERROR);
    ok_contains(span ? span->status_message : "", "1 session failed");
    scene_done(&scene);
}

TEST(a_second_run_finds_all_complete)
{
    struct scene first, second;

    run_over(&first, "01", "again");
    scene_done(&first);
    run_over(&second, "01", "again");
    ok_int((int64_t)second.run.results.n_skipped, 1);
    ok_int((int64_t)second.run.results.n_success, 0);
    ok_int(second.run.exit_status, 0);
    ok(span_named(&second, NP_SPAN_SESSION) == NULL);
    scene_done(&second);
}

TEST(the_first_crash_stops_the_run_when_that_is_asked_for)
{
    struct scene scene;

    scene_configure(&scene, "03 01", "first-crash");
    scene.config.stop_on_first_crash = true;
    scene.config.parallel = 1;
    scene_open(&scene);
    ok_str(scene.plan->job[0].label, "sub-01");
    np_run_execute(&scene.run);
    ok_int((int64_t)scene.run.results.n_failed, 1);
    ok_int((int64_t)scene.run.results.n_success, 1);
    scene_done(&scene);
    scene_configure(&scene, "03 04 02", "first-crash-2");
    scene.config.stop_on_first_crash = true;
    scene.config.fail_rate = 1;
    scene_open(&scene);
    np_run_execute(&scene.run);
    ok_int((int64_t)scene.run.results.n_failed, 1);
    ok_int((int64_t)scene.run.results.n_not_started, 1);
    ok_int(scene.run.exit_status, 1);
    scene_done(&scene);
}

TEST(a_session_whose_record_cannot_be_written_stops_no_other)
{
    struct scene scene;

    scene_begin(&scene, "01 02", "one-blocked");
    ok_int(np_directory_make(scene.plan->job[0].place.status, NULL), 0);
    np_run_execute(&scene.run);
    ok_int((int64_t)scene.run.results.n_failed, 1);
    ok_int((int64_t)scene.run.results.n_success, 1);
    ok_str(np_results_headline(&scene.run.results)->examples.item[0], "sub-01");
    ok_int(np_results_headline(&scene.run.results)->first.code, NP_ECREATE);
    ok_int(scene.run.exit_status, 1);
    ok_int(status_of(&scene, 1), NP_STATE_SUCCESS);
    scene_done(&scene);
}

TEST(the_only_session_s_reason_is_the_run_s_exit_status)
{
    struct scene scene;

    scene_begin(&scene, "01", "only-blocked");
    ok_int(np_directory_make(scene.plan->job[0].place.status, NULL), 0);
    np_run_execute(&scene.run);
    ok_int(scene.run.exit_status, np_outcome_info(NP_OUTCOME_CANT_CREATE)->exit_status);
    scene_done(&scene);
}

TEST(a_signal_before_the_run_begins_nothing)
{
    struct scene scene;

    scene_begin(&scene, "01 02", "stopped-early");
    scene.cancel.signal = SIGTERM;
    np_run_execute(&scene.run);
    ok_int((int64_t)scene.run.results.n_not_started, 2);
    ok_int(scene.run.exit_status, 128 + SIGTERM);
    ok_int(status_of(&scene, 0), NP_N_STATES);
    ok(span_named(&scene, NP_SPAN_SESSION) == NULL);
    scene_done(&scene);
}

/* Sends TERM to the test as soon as a record says that a session is in load_file. */
static int send_term(void *context, int channel)
{
    const char *status = context;
    struct np_session_record record = {0};

    (void)channel;
    for (int i = 0; i < 1000; i++, poll(NULL, 0, 10)) {
        bool is_there = np_record_read(status, &record, NULL) == 0 && np_record_open_stage(&record);
        np_record_done(&record);
        if (is_there)
            return kill(getppid(), SIGTERM);
    }
    return 1;
}

TEST(TERM_stops_the_sessions_at_work_and_begins_no_others)
{
    struct scene scene;

    scene_configure(&scene, "01 02", "stopped");
    scene.config.slow_stage = np_xstrdup("load_file");
    scene.config.slow_stage_s = 600;
    scene_open(&scene);
    int64_t start_ns = np_clock_mono_ns();
    ok(run_until_term(&scene, send_term, scene.plan->job[0].place.status));
    ok_below((double)(np_clock_mono_ns() - start_ns) * 1e-9, 120, "s");
    ok_int((int64_t)scene.run.results.n_interrupted, 1);
    ok_int((int64_t)scene.run.results.n_not_started, 1);
    ok_int(scene.run.exit_status, 128 + SIGTERM);
    ok_int(status_of(&scene, 0), NP_STATE_INTERRUPTED);
    ok_int(status_of(&scene, 1), NP_N_STATES);
    scene_done(&scene);
}

TEST(without_a_process_for_its_worker_a_session_fails_and_the_run_begins_no_more)
{
    struct scene scene;
    struct rlimit before;

    scene_begin(&scene, "01 02", "no-process");
    getrlimit(RLIMIT_NOFILE, &before);
    int next = open("/dev/null", O_RDONLY);
    close(next);
    /* room for the record's temporary and the folder that is synced, and for the journal; a pipe
     * needs two beside the journal */
    struct rlimit few = {.rlim_cur = (rlim_t)next + 2, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    np_run_execute(&scene.run);
    setrlimit(RLIMIT_NOFILE, &before);
    ok_int((int64_t)scene.run.results.n_failed, 1);
    ok_int((int64_t)scene.run.results.n_not_started, 1);
    ok_int(np_results_headline(&scene.run.results)->first.code, NP_EBUSY);
    ok_contains(np_results_headline(&scene.run.results)->first.sentence, "no worker");
    ok_int(status_of(&scene, 0), NP_STATE_FAILED);
    scene_done(&scene);
}

TEST(injected_faults_are_refused_beside_real_results)
{
    struct scene scene;
    struct np_error err = {0};

    run_over(&scene, "01", "mixed");
    scene.config.fail_rate = 0.5;
    ok_int(np_run_prepare(&scene.run, &err), NP_EUSAGE);
    ok_contains(err.text, "holds real results (sub-01)");
    scene_done(&scene);
}

TEST(run_ids_are_random_uuids)
{
    char a[40], b[40];

    np_run_id(a);
    np_run_id(b);
    ok_int((int64_t)strlen(a), 36);
    ok(a[14] == '4' && strchr("89ab", a[19]));
    ok(strcmp(a, b) != 0);
}

TAP_MAIN
