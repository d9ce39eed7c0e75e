#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "record/lock.h"
#include "tap.h"

static char *path_of(const char *name)
{
    return np_path_join(tap_directory(), name);
}

static void write_lock(const char *path, const char *text)
{
    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
}

TEST(a_second_process_gets_an_error_that_names_the_holder)
{
    NP_AUTO(np_freep) char *path = path_of("held");
    NP_AUTO(np_lock_release) struct np_lock first = {0};
    struct np_lock second = {0};
    struct np_error err = {0};
    char pid[32];

    ok_int(np_lock_take(&first, path, NULL), 0);
    ok_int(np_lock_take(&second, path, &err), NP_ELOCKED);
    snprintf(pid, sizeof(pid), "process %ld on ", (long)getpid());
    ok_contains(err.text, pid);
    ok_contains(err.text, "since");
}

TEST(a_released_lock_can_be_taken_again)
{
    NP_AUTO(np_freep) char *path = path_of("again");
    struct np_lock lock = {0};

    ok_int(np_lock_take(&lock, path, NULL), 0);
    np_lock_release(&lock);
    ok(!np_path_exists(path));
    ok_int(np_lock_take(&lock, path, NULL), 0);
    np_lock_release(&lock);
}

TEST(a_dead_owners_lock_is_taken_over)
{
    NP_AUTO(np_freep) char *path = path_of("dead");
    struct np_lock lock = {0};
    pid_t pid = fork();

    if (pid == 0) {
        _exit(np_lock_take(&lock, path, NULL) == 0 ? 0 : 1);
    }
    waitpid(pid, NULL, 0);
    ok(np_path_exists(path));
    ok_int(np_lock_take(&lock, path, NULL), 0);
    np_lock_release(&lock);
}

/* A file's name may have 255 bytes, and the lock of a dead process must go, however long its. */
TEST(a_dead_owners_lock_with_the_longest_name_is_taken_over)
{
    char name[256] = "";
    struct np_lock lock = {0};

    memset(name, 'n', sizeof(name) - 1);
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), name);
    pid_t pid = fork();
    if (pid == 0)
        _exit(np_lock_take(&lock, path, NULL) == 0 ? 0 : 1);
    waitpid(pid, NULL, 0);
    ok(np_path_exists(path));
    ok_int(np_lock_take(&lock, path, NULL), 0);
    np_lock_release(&lock);
}

TEST(a_reused_pid_does_not_hold_its_namesakes_lock)
{
    NP_AUTO(np_freep) char *path = path_of("reused");
    NP_AUTO(np_freep)
    char *text = np_xasprintf("%s %ld 1 %s 2026-01-01T00:00:00.000Z\n", np_process_place(),
                              (long)getpid(), np_boot_id()[0] ? np_boot_id() : "-");
    struct np_lock lock = {0};

    write_lock(path, text);
    ok_int(np_lock_take(&lock, path, NULL), 0);
    np_lock_release(&lock);
}

TEST(another_hosts_lock_holds_until_it_gave_no_sign_of_life_for_long)
{
    NP_AUTO(np_freep) char *path = path_of("foreign");
    struct np_lock lock = {0};
    struct np_error err = {0};

    write_lock(path, "elsewhere 1 1 - 2026-01-01T00:00:00.000Z\n");
    ok_int(np_lock_take(&lock, path, &err), NP_ELOCKED);
    ok_contains(err.text, "elsewhere");
    ok_contains(err.text, "without a further sign of life it is given up at 20");
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 700}, {.tv_sec = time(NULL) - 700}};
    utimensat(AT_FDCWD, path, old, 0);
    ok_int(np_lock_take(&lock, path, NULL), 0);
    np_lock_release(&lock);
}

TEST(another_boot_of_a_host_of_this_name_holds_until_it_gave_no_sign_of_life_for_long)
{
    NP_AUTO(np_freep) char *path = path_of("namesake");
    NP_AUTO(np_freep)
    char *text =
        np_xasprintf("%s 999999999 1 another-boot 2026-01-01T00:00:00.000Z\n", np_process_place());
    struct np_lock lock = {0};
    struct np_error err = {0};
    const struct timespec touched = {.tv_sec = 1767225600}, old[2] = {touched, touched};

    write_lock(path, text);
    ok_int(np_lock_take(&lock, path, &err), NP_ELOCKED);
    ok_contains(err.text, "given up at");
    utimensat(AT_FDCWD, path, old, 0); /* 2026-01-01T00:00:00Z */
    ok_int(np_lock_take(&lock, path, NULL), 0);
    np_lock_release(&lock);
}

TEST(a_folder_in_the_place_of_a_lock_is_named)
{
    NP_AUTO(np_freep) char *path = path_of("folder");
    struct np_lock lock = {0};
    struct np_error err = {0};

    ok_int(np_directory_make(path, NULL), 0);
    ok_int(np_lock_take(&lock, path, &err), NP_ECREATE);
    ok_contains(err.text, path);
    ok_contains(err.text, "found a folder");
}

TEST(a_process_that_lost_the_lock_does_not_release_its_successors)
{
    NP_AUTO(np_freep) char *path = path_of("lost");
    struct np_lock lock = {0};

    ok_int(np_lock_take(&lock, path, NULL), 0);
    write_lock(path, "elsewhere 1 1 - 2026-01-01T00:00:00.000Z\n");
    np_lock_release(&lock);
    ok(np_path_exists(path));
    ok(lock.path == NULL);
}

TEST(a_containers_processes_are_not_taken_for_the_hosts)
{
    NP_AUTO(np_freep) char *path = path_of("container");
    NP_AUTO(np_freep)
    char *text = np_xasprintf("%s+1 999999999 1 - 2026-01-01T00:00:00.000Z\n", np_process_place());
    struct np_lock lock = {0};

    write_lock(path, text);
    ok_int(np_lock_take(&lock, path, NULL), NP_ELOCKED);
}

/* The environment of a task; NULL = outside of Slurm. */
static void be_job(const char *id, const char *restarts)
{
    unsetenv("SLURM_CLUSTER_NAME");
    unsetenv("SLURM_RESTART_COUNT");
    unsetenv("SLURM_JOB_ID");
    if (!id)
        return;
    setenv("SLURM_CLUSTER_NAME", "farm", 1);
    setenv("SLURM_JOB_ID", id, 1);
    if (restarts)
        setenv("SLURM_RESTART_COUNT", restarts, 1);
}

TEST(a_requeued_job_takes_over_its_own_lock_from_the_node_it_was_on_and_no_other_jobs)
{
    static const struct {
        const char *id, *restarts;
        int code;
    } cases[] = {
        {"7", "1", 0},
        {"7", "2", 0},
        {"7", NULL, NP_ELOCKED},
        {"8", "1", NP_ELOCKED},
        {NULL, NULL, NP_ELOCKED},
        {"7 x", "1", NP_ELOCKED},
    };
    NP_AUTO(np_freep) char *path = path_of("requeued");

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        struct np_lock lock = {0};
        write_lock(path, "elsewhere 1 1 - 2026-01-01T00:00:00.000Z farm/7 0\n");
        be_job(cases[i].id, cases[i].restarts);
        ok_int(np_lock_take(&lock, path, NULL), cases[i].code);
        np_lock_release(&lock);
    }
    be_job(NULL, NULL);
}

TEST(a_lock_names_its_job_so_that_the_next_start_can_take_it_over)
{
    NP_AUTO(np_freep) char *path = path_of("job");
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct np_lock lock = {0};

    be_job("7", "3");
    ok_int(np_lock_take(&lock, path, NULL), 0);
    ok_int(np_file_read(path, 4096, &text, NULL), 0);
    ok_contains(np_str_text(&text), " farm/7 3\n");
    np_lock_release(&lock);
    ok(!np_path_exists(path));
    be_job(NULL, NULL);
}

TEST(of_many_takers_of_a_stale_lock_one_gets_it)
{
    NP_AUTO(np_freep) char *path = path_of("race");
    enum { N = 8, ROUNDS = 3 };

    for (int round = 0; round < ROUNDS; round++) {
        int won = 0;
        write_lock(path, "elsewhere 1 1 - 2026-01-01T00:00:00.000Z\n");
        const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
        utimensat(AT_FDCWD, path, old, 0);
        int gate[2], done[2];
        ok_int(pipe(gate), 0);
        ok_int(pipe(done), 0);
        for (int i = 0; i < N; i++)
            if (fork() == 0) {
                char c;
                struct np_lock lock = {0};
                close(gate[1]);
                close(done[1]);
                (void)!read(gate[0], &c, 1);
                int code = np_lock_take(&lock, path, NULL);
                /* the winner stays alive until all have tried */
                if (code == 0)
                    sleep(1);
                _exit(code == 0 ? 0 : 1);
            }
        close(gate[1]);
        for (int i = 0; i < N; i++) {
            int status;
            wait(&status);
            won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        close(gate[0]);
        close(done[0]);
        close(done[1]);
        ok_int(won, 1);
        unlink(path);
        if (won != 1)
            break;
    }
}

TAP_MAIN
