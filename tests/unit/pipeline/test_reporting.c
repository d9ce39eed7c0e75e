/*
 * When a report is written, and what becomes of a session whose report is not: nothing else. The
 * reporters here write down what they find, fail, die, hang.
 */
#include "base/clock.h"
#include "pipeline/scene.h"
#include "trace/names.h"

static struct np_session_record read_status(const struct scene *scene)
{
    struct np_session_record record = {0};

    ok_int(np_record_read(scene->plan->job[0].place.status, &record, NULL), 0);
    return record;
}

/* The findings of a reporter: state, number of outputs, failure of the record that it was given, the
 * state on disk, and whether there was a completion record. */
static char *note_path(const struct scene *scene)
{
    return np_path_join(scene->config.output_dir, "note");
}

static int write_note(void *self, const struct np_report_task *task, struct np_error *err)
{
    const struct np_session_record *record = task->record;
    NP_AUTO(np_freep) char *path = np_path_join(task->config->output_dir, "note");
    NP_AUTO(np_freep)
    char *text =
        np_xasprintf("%s, %zu outputs, code %d, end %d; on disk %s, complete %d",
                     np_state_name(record->state), record->file[0].n_outputs, record->failure.code,
                     record->end_ns > 0, np_state_name(state_on_disk(task->job->place.status)),
                     np_path_exists(task->job->place.complete));

    (void)self;
    return np_file_write_atomic(path, text, strlen(text), err);
}

static char *read_note(const struct scene *scene)
{
    NP_AUTO(np_freep) char *path = note_path(scene);
    struct np_str text = {0};

    if (np_file_read(path, 1000, &text, NULL) < 0)
        np_str_add(&text, "no note");
    return np_str_take(&text);
}

static int fail(void *self, const struct np_report_task *task, struct np_error *err)
{
    (void)self;
    return np_error_set(err, NP_ESPACE, "'%s': no room for the page", task->job->label);
}

static int die(void *self, const struct np_report_task *task, struct np_error *err)
{
    (void)self;
    (void)task;
    (void)err;
    raise(SIGKILL);
    return 0;
}

static int hang(void *self, const struct np_report_task *task, struct np_error *err)
{
    (void)self;
    (void)task;
    (void)err;
    sleep(600);
    return 0;
}

static void run_with(struct scene *scene, const char *participants, const char *output,
                     int (*write)(void *, const struct np_report_task *, struct np_error *))
{
    scene_begin(scene, participants, output);
    scene->run.reporter = (struct np_reporter){.write = write, .deadline_s = 20};
    np_run_execute(&scene->run);
}

TEST(a_report_is_written_from_the_final_record_and_before_that_reaches_the_disk)
{
    struct scene scene;

    run_with(&scene, "01", "order", write_note);
    NP_AUTO(np_freep) char *note = read_note(&scene);
    ok_str(note, "success, 8 outputs, code 0, end 1; on disk running, complete 0");
    NP_AUTO(np_record_done) struct np_session_record after = read_status(&scene);
    ok_int(after.state, NP_STATE_SUCCESS);
    ok(np_path_exists(scene.plan->job[0].place.complete));
    ok_int(scene.run.exit_status, 0);
    scene_done(&scene);
}

TEST(a_session_that_failed_gets_its_report_too)
{
    struct scene scene;

    run_with(&scene, "03", "failed", write_note);
    NP_AUTO(np_freep) char *note = read_note(&scene);
    ok_contains(note, "failed, 0 outputs, code -");
    ok_contains(note, "on disk running, complete 0");
    scene_done(&scene);
}

TEST(a_session_whose_worker_was_killed_gets_its_report_too)
{
    struct scene scene;
    struct np_active active;
    struct np_error err = {0};

    scene_begin(&scene, "01", "crashed");
    scene.run.reporter = (struct np_reporter){.write = write_note, .deadline_s = 20};
    ok_int(np_active_open(&active, &scene.run, &scene.plan->job[0], scene.span, &err), 0);
    ok_int(np_active_work(&active, scene.span, NULL, NULL), 0);
    kill(active.working.worker.pid, SIGKILL);
    ok(read_until_worker_ends(&active));
    np_active_settle(&active);
    ok(np_active_report(&active));
    ok_int(active.phase, NP_PHASE_REPORTING);
    ok(np_active_fd(&active) >= 0);
    int64_t until_ns = np_clock_mono_ns() + INT64_C(20000000000);
    while (!np_active_report_is_over(&active) && np_clock_mono_ns() < until_ns)
        poll(NULL, 0, 10);
    NP_AUTO(np_freep) char *note = read_note(&scene);
    ok_contains(note, "failed, 0 outputs, code ");
    np_active_commit(&active);
    ok_int(state_on_disk(scene.plan->job[0].place.status), NP_STATE_FAILED);
    session_done(&scene, &active);
}

TEST(a_session_without_images_has_no_report)
{
    struct scene scene;

    run_with(&scene, "04", "empty", write_note);
    NP_AUTO(np_freep) char *note = read_note(&scene);
    ok_str(note, "no note");
    scene_done(&scene);
}

/* The session stays what it was, and its log has one warning. */
static void check_harmless(struct scene *scene, const char *warning)
{
    NP_AUTO(np_record_done) struct np_session_record record = read_status(scene);

    ok_int(record.state, NP_STATE_SUCCESS);
    ok_int(record.failure.code, 0);
    ok_int((int64_t)record.file[0].n_warnings, 0);
    ok(np_path_exists(scene->plan->job[0].place.complete));
    ok_int(scene->run.exit_status, 0);
    const struct np_log_record *log = log_with(scene, "no report: ");
    ok(log && log->severity == NP_WARN);
    ok_contains(log ? log->body : "", warning);
    const struct np_span *span = span_named(scene, NP_SPAN_SESSION);
    ok(span && span->status == NP_STATUS_OK);
    scene_done(scene);
}

TEST(a_report_that_fails_is_a_warning_in_its_own_words)
{
    struct scene scene;

    run_with(&scene, "01", "failing", fail);
    check_harmless(&scene, "no room for the page");
}

TEST(a_report_whose_process_is_killed_is_a_warning)
{
    struct scene scene;

    run_with(&scene, "01", "dying", die);
    check_harmless(&scene, "its process died of signal 9");
}

TEST(a_report_that_takes_too_long_is_a_warning)
{
    struct scene scene;

    scene_begin(&scene, "01", "hanging");
    scene.run.reporter = (struct np_reporter){.write = hang, .deadline_s = 0.1};
    int64_t start_ns = np_clock_mono_ns();
    np_run_execute(&scene.run);
    ok_below((double)(np_clock_mono_ns() - start_ns) * 1e-9, 120, "s");
    check_harmless(&scene, "it took too long");
}

TEST(TERM_while_a_report_is_written_stops_it_and_the_session_stays_complete)
{
    struct scene scene;
    struct np_active active;
    struct np_error err = {0};

    scene_begin(&scene, "01", "stopped");
    scene.run.reporter = (struct np_reporter){.write = hang, .deadline_s = 60};
    ok_int(np_active_open(&active, &scene.run, &scene.plan->job[0], scene.span, &err), 0);
    ok_int(np_active_work(&active, scene.span, NULL, NULL), 0);
    ok(read_until_worker_ends(&active));
    np_active_settle(&active);
    ok(np_active_report(&active));
    ok(!np_active_report_is_over(&active));
    scene.cancel.signal = SIGTERM;
    ok(np_active_report_is_over(&active));
    np_active_commit(&active);
    ok_int(state_on_disk(scene.plan->job[0].place.status), NP_STATE_SUCCESS);
    ok(log_with(&scene, "the run was stopped") != NULL);
    session_done(&scene, &active);
}

static int note_and_hang(void *self, const struct np_report_task *task, struct np_error *err)
{
    write_note(self, task, err);
    sleep(600);
    return 0;
}

/* Sends TERM to the test as soon as there is a note. */
static int send_term(void *context, int channel)
{
    const char *note = context;

    (void)channel;
    for (int i = 0; i < 2000; i++, poll(NULL, 0, 10))
        if (np_path_exists(note))
            return kill(getppid(), SIGTERM);
    return 1;
}

TEST(a_run_stopped_while_a_report_is_written_commits_the_session_and_begins_no_other)
{
    struct scene scene;

    scene_begin(&scene, "01 02", "stopped-run");
    scene.run.reporter = (struct np_reporter){.write = note_and_hang, .deadline_s = 600};
    NP_AUTO(np_freep) char *note = note_path(&scene);
    int64_t start_ns = np_clock_mono_ns();
    ok(run_until_term(&scene, send_term, note));
    ok_below((double)(np_clock_mono_ns() - start_ns) * 1e-9, 120, "s");
    ok_int(scene.run.exit_status, 128 + SIGTERM);
    ok_int((int64_t)scene.run.results.n_success, 1);
    ok_int((int64_t)scene.run.results.n_not_started, 1);
    ok_int(state_on_disk(scene.plan->job[0].place.status), NP_STATE_SUCCESS);
    ok(np_path_exists(scene.plan->job[0].place.complete));
    scene_done(&scene);
}

/* The report of sub-01 takes until sub-02 is complete. */
static int wait_for_sub_02(void *self, const struct np_report_task *task, struct np_error *err)
{
    const char *other = self;

    for (int i = 0; i < 1000 && strcmp(task->job->label, "sub-01") == 0; i++) {
        if (state_on_disk(other) == NP_STATE_SUCCESS)
            return write_note(NULL, task, err);
        poll(NULL, 0, 10);
    }
    return 0;
}

TEST(other_sessions_go_on_while_a_report_is_written)
{
    struct scene scene;

    scene_configure(&scene, "01 02", "beside");
    scene.config.parallel = 2;
    scene_open(&scene);
    if (scene.plan->n_parallel < 2) {
        tap_skip("this machine does one session at once");
        scene_done(&scene);
        return;
    }
    scene.run.reporter = (struct np_reporter){
        .write = wait_for_sub_02, .self = scene.plan->job[1].place.status, .deadline_s = 20};
    np_run_execute(&scene.run);
    NP_AUTO(np_freep) char *note = read_note(&scene);
    ok_contains(note, "on disk running");
    ok_int((int64_t)scene.run.results.n_success, 2);
    scene_done(&scene);
}

TAP_MAIN
