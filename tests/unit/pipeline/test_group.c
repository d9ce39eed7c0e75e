/* The group level closes what dead supervisors left open, and nothing else. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "pipeline/group.h"
#include "record/lock.h"
#include "record/place.h"
#include "tap.h"

/* A record that says "running" in a process, with its stage. */
static void put_running(const char *output, const char *participant, int64_t pid)
{
    NP_AUTO(np_record_place_done) struct np_record_place place;
    NP_AUTO(np_record_done) struct np_session_record record;

    np_record_place_session(&place, output, participant, NULL, "unnamed");
    np_record_init(&record);
    record.state = NP_STATE_RUNNING;
    record.participant = np_xstrdup(participant);
    record.host = np_xstrdup(np_process_place());
    record.boot_id = np_xstrdup(np_boot_id());
    record.pid = pid;
    record.heartbeat_ns = np_clock_unix_ns();
    strcpy(record.run_id, "0000aaaa-0000-4000-8000-00000000bbbb");
    record.file = np_xcalloc(1, sizeof(*record.file));
    record.n_files = 1;
    record.file[0].path = np_xstrdup("x.nii");
    record.file[0].state = NP_STATE_RUNNING;
    np_file_record_stage(&record.file[0], "skull_strip")->state = NP_STATE_RUNNING;
    ok_int(np_directory_make(place.directory, NULL), 0);
    ok_int(np_record_write(place.status, &record, NULL), 0);
}

static pid_t dead_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

TEST(a_dead_supervisors_record_is_closed_with_its_stage_and_a_live_ones_is_not)
{
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "out");
    NP_AUTO(np_freep) char *lock = np_path_join(output, "logs/sub-01/.sub-01.lock");
    NP_AUTO(np_freep) char *table = np_path_join(output, "logs/status.tsv");
    NP_AUTO(np_survey_done) struct np_survey survey = {0}, after = {0};
    NP_AUTO(np_strings_done) struct np_strings closed = {0};

    put_running(output, "01", dead_process());
    put_running(output, "02", getpid());
    ok_int(np_group_run(NULL, output, &survey, &closed, NULL), 0);
    ok_int(np_group_write_table(output, &survey, NULL), 0);
    ok_int((int64_t)closed.n, 1);
    ok_str(closed.item[0], "0000aaaa-0000-4000-8000-00000000bbbb");
    ok(!np_path_exists(lock) && np_path_exists(table));
    ok_int(np_survey_read(output, &after, NULL), 0);
    ok_int((int64_t)after.n_rows, 2);
    ok_int(after.row[0].state, NP_STATE_FAILED);
    ok_int(after.row[0].record.failure.code, NP_EKILLED);
    ok_str(after.row[0].record.failure.stage, "skull_strip");
    ok_int(after.row[1].state, NP_STATE_RUNNING);
}

TEST(a_lost_session_that_another_run_has_taken_over_is_left_to_it)
{
    NP_AUTO(np_freep) char *output = np_path_join(tap_directory(), "taken");
    NP_AUTO(np_freep) char *path = np_path_join(output, "logs/sub-01/.sub-01.lock");
    NP_AUTO(np_lock_release) struct np_lock lock = {0};
    NP_AUTO(np_survey_done) struct np_survey survey = {0};
    NP_AUTO(np_strings_done) struct np_strings closed = {0};

    put_running(output, "01", dead_process());
    ok_int(np_lock_take(&lock, path, NULL), 0);
    ok_int(np_group_run(NULL, output, &survey, &closed, NULL), 0);
    ok_int((int64_t)closed.n, 0);
    ok(np_path_exists(path));
}

TAP_MAIN
