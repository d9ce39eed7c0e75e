#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "tap.h"

static char *at(const char *name)
{
    return np_path_join(tap_directory(), name);
}

/* When not 0, mkdir fails with it. */
static int mkdir_reason;

int mkdir(const char *path, mode_t mode)
{
    if (!mkdir_reason)
        return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    errno = mkdir_reason;
    return -1;
}

TEST(paths_join_and_part)
{
    NP_AUTO(np_freep) char *a = np_path_join("a", "b");
    NP_AUTO(np_freep) char *b = np_path_join("a/", "b");
    NP_AUTO(np_freep) char *c = np_path_directory("/x");
    NP_AUTO(np_freep) char *d = np_path_directory("x");

    ok_str(a, "a/b");
    ok_str(b, "a/b");
    ok_str(c, "/");
    ok_str(d, ".");
    ok_str(np_path_name("/a/b.nii.gz"), "b.nii.gz");
}

TEST(relative_paths_lead_from_one_folder_to_another)
{
    static const struct {
        const char *to, *from, *expected;
    } cases[] = {
        {"bids", "out", "../bids"}, {"bids", "bids/derivatives/x", "../.."},
        {"a/b", "a", "b"},          {"a", "a", "."},
        {"abc", "abd", "../abc"},   {"a/b c", "a/d/e", "../../b c"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep) char *to = at(cases[i].to);
        NP_AUTO(np_freep) char *from = at(cases[i].from);
        NP_AUTO(np_freep) char *found = np_path_relative(to, from);
        ok_str(found, cases[i].expected);
    }
}

TEST(below_is_decided_on_resolved_paths)
{
    NP_AUTO(np_freep) char *real = at("real");
    NP_AUTO(np_freep) char *link = at("link");
    NP_AUTO(np_freep) char *inside = at("link/not/yet/there");
    NP_AUTO(np_freep) char *beside = at("real2");
    NP_AUTO(np_freep) char *dots = at("real/x/../../other");

    ok_int(np_directory_make(real, NULL), 0);
    ok_int(symlink(real, link), 0);
    ok(np_path_is_below(inside, real));
    ok(np_path_is_below(real, real));
    ok(!np_path_is_below(beside, real));
    ok(!np_path_is_below(dots, real));
}

TEST(a_file_is_there_whole_or_not_at_all)
{
    NP_AUTO(np_freep) char *path = at("atomic/file");
    NP_AUTO(np_freep) char *folder = at("atomic");
    struct np_atomic_file file;
    struct np_str text = {0};

    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(np_atomic_open(&file, path, NULL), 0);
    ok_int(np_atomic_write(&file, "half", 4, NULL), 0);
    ok(!np_path_exists(path));
    np_atomic_done(&file);
    ok(!np_path_exists(path));
    struct np_strings names = {0};
    ok_int(np_directory_list(folder, &names, NULL), 0);
    ok_int((int64_t)names.n, 0);
    np_strings_done(&names);
    ok_int(np_file_write_atomic(path, "whole", 5, NULL), 0);
    ok_int(np_file_read(path, 100, &text, NULL), 0);
    ok_str(text.text, "whole");
    struct np_error err = {0};
    ok_int(np_file_read(path, 3, &text, &err), NP_EHEADER);
    ok_contains(err.text, "at most 3");
    np_str_done(&text);
}

/* Each child writes a text of its own; its exit status is what np_file_write_first returned. */
static pid_t start_writer(const char *path, int number)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    char text[32];
    snprintf(text, sizeof(text), "writer %d", number);
    _exit(np_file_write_first(path, text, strlen(text), NULL) == 0 ? 0 : 1);
}

TEST(of_many_that_write_a_file_first_one_does_and_the_others_get_EEXIST)
{
    NP_AUTO(np_freep) char *folder = at("first");
    NP_AUTO(np_freep) char *path = at("first/file");
    NP_AUTO(np_str_done) struct np_str found = {0};
    NP_AUTO(np_strings_done) struct np_strings names = {0};
    pid_t pid[8];
    int winner = -1, n_winners = 0;

    ok_int(np_directory_make(folder, NULL), 0);
    for (int i = 0; i < 8; i++)
        pid[i] = start_writer(path, i);
    for (int i = 0; i < 8; i++) {
        int status = 0;
        ok_int(waitpid(pid[i], &status, 0), pid[i]);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            winner = i;
            n_winners++;
        }
    }
    ok_int(n_winners, 1);
    NP_AUTO(np_freep) char *expected = np_xasprintf("writer %d", winner);
    ok_int(np_file_read(path, 100, &found, NULL), 0);
    ok_str(found.text, expected);
    ok_int(np_directory_list(folder, &names, NULL), 0);
    ok_int((int64_t)names.n, 1);
}

TEST(files_follow_the_umask)
{
    NP_AUTO(np_freep) char *path = at("mode");
    struct stat status;

    mode_t before = umask(027);
    ok_int(np_file_write_atomic(path, "", 0, NULL), 0);
    umask(before);
    ok_int(stat(path, &status), 0);
    ok_int(status.st_mode & 0777, 0640);
}

/* A child opens a temporary and dies without a word. */
static pid_t leave_orphan(const char *path)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct np_atomic_file file;
        _exit(np_atomic_open(&file, path, NULL) == 0 ? 0 : 1);
    }
    waitpid(pid, NULL, 0);
    return pid;
}

TEST(only_temporaries_of_the_dead_are_swept)
{
    NP_AUTO(np_freep) char *folder = at("sweep");
    NP_AUTO(np_freep) char *orphan = at("sweep/orphan");
    NP_AUTO(np_freep) char *mine = at("sweep/mine");
    NP_AUTO(np_freep) char *foreign = at("sweep/.x.another-host.1.tmp");
    struct np_atomic_file file;
    struct np_strings names = {0};

    ok_int(np_directory_make(folder, NULL), 0);
    leave_orphan(orphan);
    ok_int(np_atomic_open(&file, mine, NULL), 0);
    close(open(foreign, O_CREAT | O_WRONLY, 0666));
    ok_int(np_directory_list(folder, &names, NULL), 0);
    ok_int((int64_t)names.n, 3);
    np_strings_done(&names);
    np_atomic_sweep(folder);
    ok_int(np_directory_list(folder, &names, NULL), 0);
    ok_int((int64_t)names.n, 2);
    ok(np_path_exists(file.temporary));
    ok(np_path_exists(foreign));
    np_strings_done(&names);
    np_atomic_done(&file);
}

TEST(processes_are_known_to_be_alive_or_gone)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    ok(np_process_alive(getpid()));
    ok(np_process_start(getpid()) > 0);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    ok(!np_process_alive(pid)); /* a zombie */
    waitpid(pid, NULL, 0);
    ok(!np_process_alive(pid));
}

TEST(errors_name_the_path_and_the_reason)
{
    struct np_error err = {0};
    NP_AUTO(np_freep) char *path = at("nowhere/file");

    ok_int(np_file_write_atomic(path, "", 0, &err), NP_ECREATE);
    ok_contains(err.text, "nowhere/file");
    ok_contains(err.text, "No such file");
}

TEST(a_number_that_is_no_process_id_counts_as_ended)
{
    ok(!np_process_alive(0));
    ok(!np_process_alive(-1));
    ok(!np_process_alive(INT64_C(1) << 40));
    ok(np_starts_with(np_process_place(), np_host_name()));
}

TEST(a_pipe_without_a_writer_is_empty_and_one_with_a_writer_is_read_whole)
{
    NP_AUTO(np_freep) char *path = at("pipe");
    NP_AUTO(np_str_done) struct np_str content = {0};
    struct np_error err = {0};

    ok_int(mkfifo(path, 0666), 0);
    ok_int(np_file_read(path, 100, &content, &err), 0);
    ok_int((int64_t)content.length, 0);
    int ends[2];
    ok_int(pipe(ends), 0); /* as a shell's <(command) */
    pid_t pid = fork();
    if (pid == 0) {
        usleep(50 * 1000);
        _exit(np_fd_write_all(ends[1], "late", 4) == 0 ? 0 : 1);
    }
    close(ends[1]);
    NP_AUTO(np_freep) char *opened = np_xasprintf("/dev/fd/%d", ends[0]);
    ok_int(np_file_read(opened, 100, &content, &err), 0);
    close(ends[0]);
    ok_str(np_str_text(&content), "late");
    waitpid(pid, NULL, 0);
}

TEST(a_link_to_a_folder_is_no_real_folder)
{
    NP_AUTO(np_freep) char *folder = at("real");
    NP_AUTO(np_freep) char *link = at("link-to-real");

    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(symlink(folder, link), 0);
    ok(np_path_is_directory(link) && !np_path_is_real_directory(link));
    ok(np_path_is_real_directory(folder));
}

TEST(a_folder_without_a_name_cannot_be_made)
{
    struct np_error err = {0};

    ok_int(np_directory_make("", &err), NP_ECREATE);
}

/* stat of a folder that is not there says ENOENT: that is not the reason. */
TEST(a_folder_that_cannot_be_made_has_the_reason_of_the_system)
{
    static const struct {
        int reason, code;
        const char *text;
    } table[] = {
        {EACCES, NP_ECREATE, "Permission denied"},
        {EROFS, NP_ECREATE, "Read-only file system"},
        {ENAMETOOLONG, NP_ECREATE, "File name too long"},
        {ENOENT, NP_ECREATE, "No such file or directory"},
        {ENOSPC, NP_ESPACE, "No space left on device"},
        {EDQUOT, NP_ESPACE, "Disk quota exceeded"},
    };
    NP_AUTO(np_freep) char *folder = at("never/made");
    NP_AUTO(np_freep) char *existing = at(".");

    for (size_t i = 0; i < NP_COUNT(table); i++) {
        struct np_error err = {0};
        mkdir_reason = table[i].reason;
        int code = np_directory_make(folder, &err);
        int code_of_existing = np_directory_make(existing, NULL);
        mkdir_reason = 0;
        ok_int(code, table[i].code);
        ok_contains(err.text, table[i].text);
        ok_int(code_of_existing, 0);
    }
}

/* A read-only parent answers EROFS for a folder that is there. */
TEST(an_existing_folder_needs_no_permission_above_it)
{
    NP_AUTO(np_freep) char *folder = at("above/there");
    NP_AUTO(np_freep) char *above = at("above");

    ok_int(np_directory_make(folder, NULL), 0);
    mkdir_reason = EROFS;
    ok_int(np_directory_make(folder, NULL), 0);
    ok_int(np_directory_make(above, NULL), 0);
    mkdir_reason = 0;
}

TEST(a_file_is_overwritten_in_its_room_or_not_at_all)
{
    NP_AUTO(np_freep) char *path = np_path_join(tap_directory(), "room.json");
    NP_AUTO(np_str_done) struct np_str found = {0};
    struct np_error err = {0};
    struct stat status;

    ok_int(np_file_write_atomic(path, "{\"a\": 1}    \n", 13, NULL), 0);
    ok_int(np_file_overwrite(path, "{\"b\": 22}", 9, NULL), 0);
    ok_int(np_file_read(path, 100, &found, NULL), 0);
    ok_str(np_str_text(&found), "{\"b\": 22}    ");
    ok_int(np_file_overwrite(path, "{\"c\": 4444444}", 14, &err), NP_ESPACE);
    ok_contains(err.text, path);
    ok(stat(path, &status) == 0 && status.st_size == 13);
    ok_int(np_file_overwrite("/nowhere/room.json", "{}", 2, NULL), NP_ECREATE);
}

TEST(what_a_user_named_is_replaced_only_when_it_begins_as_ours)
{
    NP_AUTO(np_freep) char *ours = at("ours.tsv");
    NP_AUTO(np_freep) char *theirs = at("theirs.tsv");
    NP_AUTO(np_freep) char *link = at("link.tsv");
    NP_AUTO(np_freep) char *fresh = at("no/such/folder/new.tsv");
    NP_AUTO(np_freep) char *target = NULL;
    NP_AUTO(np_freep) char *followed = NULL;
    NP_AUTO(np_freep) char *new_target = NULL;
    char *none = NULL;
    struct np_error err = {0};

    ok_int(np_file_write_atomic(ours, "a\tb\n", 4, NULL), 0);
    ok_int(np_file_write_atomic(theirs, "b\ta\n", 4, NULL), 0);
    ok_int(symlink("ours.tsv", link), 0);
    ok_int(np_path_replaceable(ours, "a\t", &target, NULL), 0);
    ok_int(np_path_replaceable(link, "a\t", &followed, NULL), 0);
    ok_int(np_path_replaceable(fresh, "a\t", &new_target, NULL), 0);
    ok_str(followed, target);
    ok_contains(new_target, "no/such/folder/new.tsv");
    ok_int(np_path_replaceable(theirs, "a\t", &none, &err), NP_ECREATE);
    ok_contains(err.text, "theirs.tsv': expected a new name");
    ok(!none);
}

/* The longest name that the file system takes; the caller frees. */
static char *longest_name(char letter)
{
    char name[256] = "";

    memset(name, letter, sizeof(name) - 1);
    return at(name);
}

TEST(a_file_may_have_the_longest_name_there_is)
{
    NP_AUTO(np_freep) char *path = longest_name('n');
    NP_AUTO(np_freep) char *other = longest_name('n');
    struct np_atomic_file one = {.fd = -1}, two = {.fd = -1};

    other[strlen(other) - 1] = 'o'; /* the same up to the last letter, open at the same time */
    ok_int(np_atomic_open(&one, path, NULL), 0);
    ok_int(np_atomic_open(&two, other, NULL), 0);
    ok(strcmp(one.temporary, two.temporary) != 0);
    ok(np_path_name(one.temporary)[0] == '.' && np_ends_with(one.temporary, ".tmp"));
    ok_int(np_atomic_write(&one, "1", 1, NULL), 0);
    ok_int(np_atomic_commit(&one, NULL), 0);
    ok_int(np_atomic_commit(&two, NULL), 0);
    ok(np_path_exists(path) && np_path_exists(other));
    np_atomic_done(&one);
    np_atomic_done(&two);
}

TEST(a_public_file_is_readable_whatever_the_umask)
{
    NP_AUTO(np_freep) char *path = at("public");
    struct stat status;
    mode_t before = umask(077);

    ok_int(np_file_replace_public(path, "x", 1, NULL), 0);
    umask(before);
    ok_int(stat(path, &status), 0);
    ok_int(status.st_mode & 07777, 0644);
}

TEST(a_stamp_tells_what_was_written_since_behind_a_link_too)
{
    NP_AUTO(np_freep) char *path = at("stamped");
    NP_AUTO(np_freep) char *link_path = at("stamped-link");
    const struct np_path_stamp nothing = np_path_stamp(path);

    ok(!nothing.is_there);
    ok(!np_path_is_newer(path, &nothing));
    ok_int(symlink("stamped", link_path), 0);
    ok(np_path_stamp(link_path).is_there); /* a link to nothing is something, too */
    ok_int(np_file_replace(path, "x", 1, NULL), 0);
    ok(np_path_is_newer(path, &nothing));
    const struct np_path_stamp before = np_path_stamp(link_path);
    ok(!np_path_is_newer(path, &before));
    ok_int(np_file_replace(path, "xy", 2, NULL), 0);
    ok(np_path_is_newer(link_path, &before));
    ok_int(unlink(path), 0);
    ok(!np_path_is_newer(path, &before)); /* what is gone was not written */
}

TAP_MAIN
