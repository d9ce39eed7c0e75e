/*
 * A session's life, phase by phase, with real workers: what stands on disk after each, and what a
 * record that cannot be written, a TERM and a killed child in each of them make of it. (The rules
 * alone, with all their cases, are test_verdict.c's.)
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "pipeline/scene.h"
#include "pipeline/verdict.h"
#include "trace/names.h"

static const struct np_job *job_of(const struct scene *scene)
{
    return &scene->plan->job[0];
}

static enum np_state status(const struct scene *scene)
{
    return state_on_disk(job_of(scene)->place.status);
}

static bool is_complete(const struct scene *scene)
{
    return np_path_exists(job_of(scene)->place.complete);
}

static void begin_session(struct scene *scene, struct np_active *active)
{
    struct np_error err = {0};

    ok_int(np_active_open(active, &scene->run, job_of(scene), scene->span, &err), 0);
    ok_str(err.text, "");
    ok_int(active->phase, NP_PHASE_OPEN);
}

static void begin_work(struct scene *scene, struct np_active *active)
{
    begin_session(scene, active);
    ok_int(np_active_work(active, scene->span, NULL, NULL), 0);
    ok_int(active->phase, NP_PHASE_WORKING);
}

static void finish_work(struct np_active *active)
{
    ok(read_until_worker_ends(active));
    np_active_settle(active);
    ok_int(active->phase, NP_PHASE_SETTLED);
}

static void commit(struct scene *scene, struct np_active *active)
{
    ok(!np_active_report(active));
    np_active_commit(active);
    ok_int(active->phase, NP_PHASE_COMMITTED);
    ok(!np_path_exists(job_of(scene)->place.lock));
}

/* Both, with nothing in between. */
static void finish_session(struct scene *scene, struct np_active *active)
{
    finish_work(active);
    commit(scene, active);
}

/* Read until the worker has begun a stage of this name. */
static bool wait_for_stage(struct np_active *active, const char *name)
{
    for (int i = 0; i < 100; i++) {
        struct pollfd fd = {.fd = np_active_fd(active), .events = POLLIN};
        const struct np_stage_record *open = np_record_open_stage(&active->record);
        if (open && strcmp(open->name, name) == 0)
            return true;
        if (poll(&fd, 1, 100) > 0 && !np_active_read(active))
            return false;
    }
    return false;
}

/* A session whose worker stays in load_file until somebody ends it. */
static void begin_slow_work(struct scene *scene, const char *output, struct np_active *active)
{
    scene_configure(scene, "01", output);
    scene->config.slow_stage = np_xstrdup("load_file");
    scene->config.slow_stage_s = 60;
    scene_open(scene);
    begin_work(scene, active);
    ok(wait_for_stage(active, "load_file"));
}

TEST(each_phase_leaves_on_disk_what_it_promises)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "phases");
    begin_session(&scene, &active);
    ok_int(status(&scene), NP_STATE_RUNNING);
    ok(np_path_exists(job_of(&scene)->place.lock));
    ok_int(np_active_work(&active, scene.span, NULL, NULL), 0);
    finish_work(&active);
    ok_int(active.record.state, NP_STATE_SUCCESS);
    ok(active.record.file[0].n_outputs >= 4);
    ok_int(status(&scene), NP_STATE_RUNNING);
    ok(!is_complete(&scene));
    commit(&scene, &active);
    ok_int(status(&scene), NP_STATE_SUCCESS);
    ok_int(state_on_disk(job_of(&scene)->place.complete), NP_STATE_SUCCESS);
    const struct np_span *span = span_named(&scene, NP_SPAN_SESSION);
    ok(span && span->status == NP_STATUS_OK);
    ok_str(text_of(&span->attrs, NP_KEY_NEURO_OUTCOME), "ok");
    session_done(&scene, &active);
}

TEST(a_final_state_does_not_reach_the_disk_before_its_commit)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "early");
    begin_work(&scene, &active);
    finish_work(&active);
    np_active_heartbeat(&active);
    ok_int(status(&scene), NP_STATE_RUNNING);
    commit(&scene, &active);
    session_done(&scene, &active);
}

TEST(a_bad_image_fails_its_session_with_the_stage_that_said_so)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "03", "bad");
    begin_work(&scene, &active);
    finish_session(&scene, &active);
    ok_int(status(&scene), NP_STATE_FAILED);
    ok(!is_complete(&scene));
    ok_str(active.record.failure.stage, "load_file");
    ok_int((int64_t)np_error_outcome(active.record.failure.code), NP_OUTCOME_BAD_DATA);
    const struct np_span *span = span_named(&scene, NP_SPAN_SESSION);
    ok(span && span->status == NP_STATUS_ERROR);
    ok_str(text_of(&span->attrs, NP_KEY_NEURO_OUTCOME), "bad-data");
    session_done(&scene, &active);
}

/* Killed. */

TEST(working_a_killed_worker_is_a_failed_session_with_its_signal_and_stage)
{
    struct scene scene;
    struct np_active active;

    begin_slow_work(&scene, "killed", &active);
    kill(active.working.worker.pid, SIGKILL);
    finish_session(&scene, &active);
    ok_int(status(&scene), NP_STATE_FAILED);
    ok(!is_complete(&scene));
    ok_int(active.record.failure.code, NP_EKILLED);
    ok_int(active.record.failure.signal, SIGKILL);
    ok_str(active.record.failure.stage, "load_file");
    ok_contains(active.record.failure.sentence, "died of signal 9 (Killed) in load_file");
    ok_int(active.record.file[0].stage[0].state, NP_STATE_FAILED);
    ok(active.record.peak_rss_bytes > 1 << 20);
    const struct np_span *stage = span_named(&scene, "load_file"); /* that it left open */
    ok(stage && stage->status == NP_STATUS_ERROR);
    ok_str(text_of(&stage->attrs, NP_KEY_ERROR_TYPE), "killed");
    session_done(&scene, &active);
}

TEST(open_a_worker_killed_before_its_first_word_fails_the_session)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "killed-early");
    begin_session(&scene, &active);
    ok_int(np_active_work(&active, scene.span, NULL, NULL), 0);
    kill(active.working.worker.pid, SIGKILL);
    finish_session(&scene, &active);
    ok_int(status(&scene), NP_STATE_FAILED);
    ok_int(active.record.failure.code, NP_EKILLED);
    session_done(&scene, &active);
}

TEST(settled_a_worker_killed_after_its_last_word_takes_nothing_back)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "killed-late");
    begin_work(&scene, &active);
    ok(read_until_worker_ends(&active));
    kill(active.working.worker.pid, SIGKILL); /* it may have ended, but has not been waited for */
    np_active_settle(&active);
    commit(&scene, &active);
    ok_int(status(&scene), NP_STATE_SUCCESS);
    ok(is_complete(&scene));
    session_done(&scene, &active);
}

/* TERM. */

TEST(open_TERM_before_the_work_interrupts_the_session)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "term-open");
    begin_session(&scene, &active);
    scene.cancel.signal = SIGTERM; /* the worker inherits the flag */
    ok_int(np_active_work(&active, scene.span, NULL, NULL), 0);
    finish_session(&scene, &active);
    ok_int(status(&scene), NP_STATE_INTERRUPTED);
    ok(!is_complete(&scene));
    ok_int(active.record.failure.signal, SIGTERM);
    session_done(&scene, &active);
}

TEST(working_TERM_interrupts_the_session)
{
    struct scene scene;
    struct np_active active;

    begin_slow_work(&scene, "term-working", &active);
    scene.cancel.signal = SIGTERM;
    np_active_stop(&active, SIGTERM); /* no handler here: the signal ends the worker */
    finish_session(&scene, &active);
    ok_int(status(&scene), NP_STATE_INTERRUPTED);
    ok(!is_complete(&scene));
    ok_int(active.record.failure.code, NP_ECANCELED);
    ok_int(active.record.failure.signal, SIGTERM);
    ok_contains(active.record.failure.sentence, "stopped by signal 15");
    session_done(&scene, &active);
}

TEST(working_one_that_does_not_stop_in_time_is_killed_and_was_interrupted)
{
    struct scene scene;
    struct np_active active;

    void (*old)(int) = signal(SIGTERM, SIG_IGN); /* the worker inherits it */
    begin_slow_work(&scene, "term-ignored", &active);
    scene.cancel.signal = SIGTERM;
    np_active_stop(&active, SIGTERM);
    np_active_kill_late(&active);
    signal(SIGTERM, old);
    finish_session(&scene, &active);
    ok_int(status(&scene), NP_STATE_INTERRUPTED);
    ok_contains(active.record.failure.sentence, "did not stop within");
    ok_int(active.record.failure.signal, SIGTERM);
    session_done(&scene, &active);
}

TEST(settled_TERM_takes_nothing_back)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "term-settled");
    begin_work(&scene, &active);
    finish_work(&active);
    scene.cancel.signal = SIGTERM;
    commit(&scene, &active);
    ok_int(status(&scene), NP_STATE_SUCCESS);
    ok(is_complete(&scene));
    session_done(&scene, &active);
}

/* A record that cannot be written. */

static void block(const char *path)
{
    NP_AUTO(np_freep) char *inside = np_path_join(path, "in-the-way");

    unlink(path);
    ok_int(np_directory_make(inside, NULL), 0);
}

static void unblock(const char *path)
{
    NP_AUTO(np_freep) char *inside = np_path_join(path, "in-the-way");

    ok_int(rmdir(inside), 0);
    ok_int(rmdir(path), 0);
}

TEST(open_a_first_record_that_cannot_be_written_begins_no_session)
{
    struct scene scene;
    struct np_active active;
    struct np_error err = {0};

    scene_begin(&scene, "01", "no-first");
    block(job_of(&scene)->place.status);
    int code = np_active_open(&active, &scene.run, job_of(&scene), scene.span, &err);
    ok_int(code, NP_ECREATE);
    ok_contains(err.text, "_status.json");
    ok_int(active.phase, NP_PHASE_NONE);
    ok(!np_path_exists(job_of(&scene)->place.lock));
    scene_done(&scene);
}

TEST(open_its_span_ends_as_failed_and_its_trace_is_kept)
{
    struct scene scene;
    struct np_active active;
    struct np_error err = {0};

    scene_begin(&scene, "01", "no-first-span");
    scene.run.sampler.ratio = 0; /* failed ones are kept all the same */
    block(job_of(&scene)->place.status);
    ok(np_active_open(&active, &scene.run, job_of(&scene), scene.span, &err) < 0);
    const struct np_span *span = span_named(&scene, NP_SPAN_SESSION);
    ok(span != NULL);
    if (!span)
        return;
    ok_int(span->status, NP_STATUS_ERROR);
    ok_contains(span->status_message, "_status.json");
    ok_str(text_of(&span->attrs, NP_KEY_ERROR_TYPE), "cant-create");
    ok_str(text_of(&span->attrs, NP_KEY_NEURO_OUTCOME), "cant-create");
    ok(span->end_ns >= span->start_ns && span->end_ns > 0);
    ok(span->flags & NP_FLAG_SAMPLED);
    scene_done(&scene);
}

TEST(open_no_room_for_the_first_record_begins_no_session)
{
    struct scene scene;
    struct np_active active;
    struct np_error err = {0};
    struct rlimit before;

    scene_begin(&scene, "01", "no-room");
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit none = {.rlim_cur = 600, .rlim_max = before.rlim_max}; /* a lock fits */
    setrlimit(RLIMIT_FSIZE, &none);
    int code = np_active_open(&active, &scene.run, job_of(&scene), scene.span, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    ok_int((int64_t)np_error_outcome(code), NP_OUTCOME_IO);
    ok(!np_path_exists(job_of(&scene)->place.status));
    const struct np_span *span = span_named(&scene, NP_SPAN_SESSION);
    ok(span && span->status == NP_STATUS_ERROR);
    scene_done(&scene);
}

TEST(working_a_heartbeat_that_cannot_be_written_fails_nothing)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "no-heartbeat");
    begin_session(&scene, &active);
    block(job_of(&scene)->place.status);
    np_active_heartbeat(&active);
    ok_int(np_active_work(&active, scene.span, NULL, NULL), 0);
    finish_work(&active);
    unblock(job_of(&scene)->place.status);
    commit(&scene, &active);
    ok_int(status(&scene), NP_STATE_SUCCESS);
    ok(is_complete(&scene));
    session_done(&scene, &active);
}

TEST(commit_a_status_that_cannot_be_written_fails_the_session)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "no-status");
    begin_work(&scene, &active);
    finish_work(&active);
    ok_int(active.record.state, NP_STATE_SUCCESS);
    block(job_of(&scene)->place.status);
    commit(&scene, &active);
    ok_int(active.record.state, NP_STATE_FAILED);
    ok_int(active.record.failure.code, NP_ECREATE);
    ok(!is_complete(&scene));
    const struct np_span *span = span_named(&scene, NP_SPAN_SESSION);
    ok(span && span->status == NP_STATUS_ERROR);
    session_done(&scene, &active);
}

TEST(commit_a_completion_record_that_cannot_be_written_fails_the_session_on_disk_too)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "no-completion");
    begin_work(&scene, &active);
    finish_work(&active);
    block(job_of(&scene)->place.complete);
    commit(&scene, &active);
    ok_int(active.record.state, NP_STATE_FAILED);
    ok_int(status(&scene), NP_STATE_FAILED);
    ok_contains(active.record.failure.sentence, "_complete.json");
    session_done(&scene, &active);
}

/* Runs that come second. */

TEST(a_session_that_another_process_holds_is_not_begun)
{
    struct scene scene;
    struct np_active first, second;
    struct np_error err = {0};

    scene_begin(&scene, "01", "twice");
    begin_session(&scene, &first);
    ok_int(np_active_open(&second, &scene.run, job_of(&scene), scene.span, &err), NP_ELOCKED);
    ok_int(second.phase, NP_PHASE_NONE);
    ok(np_path_exists(job_of(&scene)->place.lock));
    ok_int(status(&scene), NP_STATE_RUNNING);
    np_active_settle(&first);
    commit(&scene, &first);
    np_record_done(&first.record);
    scene_done(&scene);
}

TEST(a_session_that_another_run_has_completed_meanwhile_is_left_as_it_is)
{
    struct scene scene;
    struct np_active active;
    struct np_error err = {0};

    scene_begin(&scene, "01", "meanwhile");
    begin_work(&scene, &active);
    finish_session(&scene, &active);
    np_record_done(&active.record);
    ok_int(np_active_open(&active, &scene.run, job_of(&scene), scene.span, &err), 1);
    ok_int(status(&scene), NP_STATE_SUCCESS);
    ok(is_complete(&scene));
    ok(!np_path_exists(job_of(&scene)->place.lock));
    scene_done(&scene);
}

TEST(a_try_that_fails_keeps_what_an_earlier_success_left)
{
    struct scene scene;
    struct np_active active;

    scene_begin(&scene, "01", "kept");
    begin_work(&scene, &active);
    finish_session(&scene, &active);
    size_t n_outputs = active.record.file[0].n_outputs;
    np_record_done(&active.record);
    scene.config.rerun = NP_RERUN_ALL;
    begin_work(&scene, &active);
    kill(active.working.worker.pid, SIGKILL);
    finish_session(&scene, &active);
    ok_int(status(&scene), NP_STATE_FAILED);
    ok_int((int64_t)active.record.n_attempts, 1);
    ok_int(active.record.attempt[0].state, NP_STATE_SUCCESS);
    ok_int((int64_t)active.record.file[0].kept.n, (int64_t)n_outputs);
    for (size_t i = 0; i < active.record.file[0].kept.n; i++) {
        NP_AUTO(np_freep)
        char *path = np_path_join(scene.config.output_dir, active.record.file[0].kept.item[i]);
        ok(np_path_exists(path));
    }
    session_done(&scene, &active);
}

TAP_MAIN
