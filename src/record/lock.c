#include "record/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"

enum { MOST_LOCK_BYTES = 4096, MOST_TRIES = 5, JOB_TEXT = 200 };

struct owner {
    char place[300];
    char boot[64];
    char since[NP_CLOCK_TEXT];
    long pid;
    unsigned long long start;
    char job[JOB_TEXT]; /* "CLUSTER/ID" of the Slurm job, "" = none */
    int job_starts;     /* number of restarts of the job */
    time_t stale_at;    /* the lock is given up at this time; 0 = its process can be looked at */
};

/* "" outside of Slurm. A task of an array has an id of its own. */
static void own_job(char job[JOB_TEXT], int *starts)
{
    const char *id = getenv("SLURM_JOB_ID"), *cluster = getenv("SLURM_CLUSTER_NAME");
    const char *restarts = getenv("SLURM_RESTART_COUNT");

    job[0] = '\0';
    *starts = restarts ? atoi(restarts) : 0;
    if (!id || !*id)
        return;
    snprintf(job, JOB_TEXT, "%s/%s", cluster ? cluster : "", id);
    if (strpbrk(job, " \t\n"))
        job[0] = '\0';
}

/* Slurm restarts a job only after it has ended it, on any node. */
static bool was_requeued(const struct owner *owner)
{
    char job[JOB_TEXT];
    int starts;

    own_job(job, &starts);
    return *job && strcmp(job, owner->job) == 0 && owner->job_starts < starts;
}

static char *own_text(void)
{
    char since[NP_CLOCK_TEXT], job[JOB_TEXT];
    int starts;

    own_job(job, &starts);
    NP_AUTO(np_freep) char *of_job = *job ? np_xasprintf(" %s %d", job, starts) : np_xstrdup("");
    return np_xasprintf("%s %ld %llu %s %s%s\n", np_process_place(), (long)getpid(),
                        (unsigned long long)np_process_start(getpid()),
                        np_boot_id()[0] ? np_boot_id() : "-",
                        np_clock_iso8601(np_clock_unix_ns(), since), of_job);
}

static bool parse_owner(const char *text, struct owner *owner)
{
    *owner = (struct owner){0};
    return sscanf(text, "%299s %ld %llu %63s %31s %199s %d", owner->place, &owner->pid,
                  &owner->start, owner->boot, owner->since, owner->job, &owner->job_starts) >= 5;
}

/* The lock's last sign of life, in seconds since 1970; now when it cannot be read. */
static time_t last_touched(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? status.st_mtime : time(NULL);
}

static bool is_of_this_boot(const struct owner *owner)
{
    if (strcmp(owner->place, np_process_place()) != 0)
        return false;
    return strcmp(owner->boot, "-") == 0 || !np_boot_id()[0] ||
           strcmp(owner->boot, np_boot_id()) == 0;
}

/* An incomplete lock is being written, or its writer died while writing: the age decides, as for
 * a process that cannot be looked at from here. */
static bool is_stale(const char *path, const char *text, struct owner *owner)
{
    bool is_whole = parse_owner(text, owner);

    if (!is_whole)
        snprintf(owner->place, sizeof(owner->place), "an unknown host");
    else if (was_requeued(owner))
        return true;
    if (!is_whole || !is_of_this_boot(owner)) {
        owner->stale_at = last_touched(path) + NP_LOCK_STALE_S;
        return time(NULL) > owner->stale_at;
    }
    if (!np_process_alive(owner->pid))
        return true;
    uint64_t start = np_process_start(owner->pid);
    return owner->start && start && start != owner->start;
}

/*
 * Rename the stale lock to a name of our own, then check that the renamed file is the one that we
 * judged. Another process may have replaced it in between; its lock is then renamed back.
 */
static void remove_stale(const char *path, const char *judged)
{
    NP_AUTO(np_freep) char *folder = np_path_directory(path);
    /* Without the lock's own name: together they may be too long for the file system. */
    NP_AUTO(np_freep)
    char *aside =
        np_xasprintf("%s/.stale-lock.%s.%ld.tmp", folder, np_process_place(), (long)getpid());
    NP_AUTO(np_str_done) struct np_str moved = {0};

    if (rename(path, aside) != 0)
        return;
    if (np_file_read(aside, MOST_LOCK_BYTES, &moved, NULL) == 0 &&
        strcmp(np_str_text(&moved), judged) != 0)
        (void)!link(aside, path);
    unlink(aside);
}

/* Returns 1 when a lock exists. */
static int create(const char *path, const char *text, struct np_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0 && errno == EEXIST)
        return 1;
    if (fd < 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot create the lock", path);
    int written = np_fd_write_all(fd, text, strlen(text));
    close(fd);
    if (written < 0) {
        unlink(path);
        return np_error_errno(err, -written, NP_EIO, "'%s': cannot write the lock", path);
    }
    return 0;
}

static int refuse(const char *path, const struct owner *owner, struct np_error *err)
{
    char until[NP_CLOCK_TEXT] = "";

    if (owner->stale_at)
        np_clock_iso8601((int64_t)owner->stale_at * INT64_C(1000000000), until);
    return np_error_set(err, NP_ELOCKED,
                        "another run is working on it: process %ld on %s since %s (lock '%s')%s%s",
                        owner->pid, owner->place[0] ? owner->place : "an unknown host",
                        owner->since[0] ? owner->since : "just now", path,
                        *until ? "; without a further sign of life it is given up at " : "", until);
}

int np_lock_take(struct np_lock *lock, const char *path, struct np_error *err)
{
    NP_AUTO(np_freep) char *own = own_text();
    struct owner owner = {0};

    for (int i = 0; i < MOST_TRIES; i++) {
        int made = create(path, own, err);
        if (made < 0)
            return made;
        if (made == 0) {
            *lock = (struct np_lock){.path = np_xstrdup(path), .text = own};
            own = NULL;
            return 0;
        }
        NP_AUTO(np_str_done) struct np_str text = {0};
        if (np_path_is_directory(path))
            return np_error_set(err, NP_ECREATE,
                                "'%s': expected a lock file or nothing, found a folder; remove it",
                                path);
        if (np_file_read(path, MOST_LOCK_BYTES, &text, NULL) < 0)
            continue; /* the lock was released in the meantime */
        if (!is_stale(path, np_str_text(&text), &owner))
            break;
        remove_stale(path, np_str_text(&text));
    }
    return refuse(path, &owner, err);
}

void np_lock_touch(const struct np_lock *lock)
{
    if (lock->path)
        utimensat(AT_FDCWD, lock->path, NULL, 0);
}

bool np_lock_is_held(const char *path)
{
    NP_AUTO(np_str_done) struct np_str text = {0};
    struct owner owner;

    return np_file_read(path, MOST_LOCK_BYTES, &text, NULL) == 0 &&
           !is_stale(path, np_str_text(&text), &owner);
}

void np_lock_release(struct np_lock *lock)
{
    NP_AUTO(np_str_done) struct np_str text = {0};

    if (lock->path && np_file_read(lock->path, MOST_LOCK_BYTES, &text, NULL) == 0 &&
        strcmp(np_str_text(&text), lock->text) == 0)
        unlink(lock->path);
    np_freep(&lock->path);
    np_freep(&lock->text);
}
