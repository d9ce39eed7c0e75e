#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *np_path_join(const char *directory, const char *name)
{
    if (!*directory)
        return np_xstrdup(name);
    bool has_slash = directory[strlen(directory) - 1] == '/';
    return np_xasprintf("%s%s%s", directory, has_slash ? "" : "/", name);
}

const char *np_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *np_path_directory(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return np_xstrdup(".");
    return slash == path ? np_xstrdup("/") : np_xstrndup(path, (size_t)(slash - path));
}

/* Fold "", "." and ".." of an absolute path, as text. */
static char *fold(const char *path)
{
    struct np_str out = {0};

    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.') {
            char *slash = out.text ? strrchr(out.text, '/') : NULL;
            if (slash) {
                *slash = '\0';
                out.length = (size_t)(slash - out.text);
            }
        } else if (n > 0 && !(n == 1 && path[0] == '.')) {
            np_str_add_char(&out, '/');
            np_str_add_bytes(&out, path, n);
        }
        path += n + (path[n] == '/');
    }
    if (out.length == 0)
        np_str_add_char(&out, '/');
    return np_str_take(&out);
}

char *np_path_resolve(const char *path)
{
    NP_AUTO(np_freep) char *absolute = NULL;

    if (*path == '/') {
        absolute = np_xstrdup(path);
    } else {
        NP_AUTO(np_freep) char *cwd = getcwd(NULL, 0);
        if (!cwd)
            return NULL;
        absolute = np_path_join(cwd, path);
    }
    /* The system resolves the longest part that exists; the rest is resolved as text. */
    NP_AUTO(np_freep) char *head = np_xstrdup(absolute);
    size_t n_head = strlen(head);
    for (;;) {
        NP_AUTO(np_freep) char *real = realpath(n_head ? head : "/", NULL);
        if (!real && n_head == 0)
            return fold(absolute);
        if (real) {
            NP_AUTO(np_freep) char *joined = np_path_join(real, absolute + n_head);
            return fold(joined);
        }
        while (n_head > 0 && head[n_head - 1] == '/')
            n_head--;
        while (n_head > 0 && head[n_head - 1] != '/')
            n_head--;
        head[n_head] = '\0';
    }
}

bool np_path_in_container(void)
{
    static const char *const variables[] = {"APPTAINER_NAME", "SINGULARITY_NAME"};
    static const char *const signs[] = {"/.dockerenv", "/run/.containerenv"};
    bool is_inside = false;

    for (size_t i = 0; i < NP_COUNT(variables); i++)
        is_inside = is_inside || getenv(variables[i]);
    for (size_t i = 0; i < NP_COUNT(signs); i++)
        is_inside = is_inside || np_path_exists(signs[i]);
    return is_inside;
}

const char *np_path_missing_hint(void)
{
    return np_path_in_container() ? "; is it bound into the container (apptainer -B, docker -v)?"
                                  : "";
}

bool np_path_is_below(const char *path, const char *directory)
{
    NP_AUTO(np_freep) char *inner = np_path_resolve(path);
    NP_AUTO(np_freep) char *outer = np_path_resolve(directory);

    if (!inner || !outer)
        return false;
    size_t n = strlen(outer);
    if (strcmp(outer, "/") == 0)
        return true;
    return strncmp(inner, outer, n) == 0 && (inner[n] == '/' || inner[n] == '\0');
}

char *np_path_between(const char *to, const char *from)
{
    size_t same = 0, last_slash = 0;
    while (to[same] && to[same] == from[same]) {
        if (to[same] == '/')
            last_slash = same;
        same++;
    }
    bool to_ends = to[same] == '\0' || to[same] == '/';
    bool from_ends = from[same] == '\0' || from[same] == '/';
    size_t cut = to_ends && from_ends ? same : last_slash;
    struct np_str out = {0};
    for (const char *s = from + cut; *s; s++)
        if (*s == '/' && s[1])
            np_str_add(&out, out.length ? "/.." : "..");
    const char *rest = to + cut + (to[cut] == '/');
    if (*rest) {
        if (out.length)
            np_str_add_char(&out, '/');
        np_str_add(&out, rest);
    }
    if (!out.length)
        np_str_add_char(&out, '.');
    return np_str_take(&out);
}

char *np_path_relative(const char *path, const char *directory)
{
    NP_AUTO(np_freep) char *to = np_path_resolve(path);
    NP_AUTO(np_freep) char *from = np_path_resolve(directory);

    return to && from ? np_path_between(to, from) : np_xstrdup(path);
}

bool np_path_exists(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0;
}

bool np_path_is_taken(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

struct np_path_stamp np_path_stamp(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0 && lstat(path, &status) != 0)
        return (struct np_path_stamp){0};
    return (struct np_path_stamp){
        .is_there = true,
        .n_bytes = status.st_size,
        .mtime_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec,
    };
}

bool np_path_is_newer(const char *path, const struct np_path_stamp *stamp)
{
    struct np_path_stamp now = np_path_stamp(path);

    return now.is_there &&
           (!stamp->is_there || now.n_bytes != stamp->n_bytes || now.mtime_ns != stamp->mtime_ns);
}

bool np_path_is_directory(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int np_directory_require(const char *path, const char *what, struct np_error *err)
{
    struct stat status;
    int reason = stat(path, &status) == 0 ? 0 : errno;

    if (!reason && S_ISDIR(status.st_mode))
        return 0;
    if (reason && reason != ENOENT && reason != ENOTDIR)
        return np_error_errno(err, reason, NP_ENOINPUT, "'%s': expected %s, cannot look there",
                              path, what);
    return np_error_set(err, NP_ENOINPUT, "'%s': expected %s, found %s%s", path, what,
                        reason ? "nothing of that name" : "a file",
                        reason ? np_path_missing_hint() : "");
}

bool np_path_is_real_directory(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* mkdir that accepts an existing folder. Some file systems answer for an existing one that they
 * are read-only, or that they know no such call. The reason is kept before stat sets another. */
static int make_one(const char *folder)
{
    int reason = mkdir(folder, 0777) == 0 ? 0 : errno;

    return reason == 0 || reason == EEXIST || np_path_is_directory(folder) ? 0 : reason;
}

int np_directory_make(const char *path, struct np_error *err)
{
    if (np_path_is_directory(path))
        return 0;
    if (!*path)
        return np_error_set(err, NP_ECREATE, "'': expected the name of a folder, found nothing");
    NP_AUTO(np_freep) char *copy = np_xstrdup(path);
    for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        int reason = make_one(copy);
        if (reason)
            return np_error_errno(err, reason, NP_ECREATE, "'%s': cannot make the folder '%s'",
                                  path, copy);
        if (!slash)
            break;
        *slash = '/';
    }
    if (!np_path_is_directory(path))
        return np_error_set(err, NP_ECREATE,
                            "'%s': expected a folder, found something else of that name", path);
    return 0;
}

int np_directory_list(const char *path, struct np_strings *names, struct np_error *err)
{
    NP_AUTO(np_strings_done) struct np_strings found = {0};
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return np_error_errno(err, errno, NP_ENOINPUT, "'%s': cannot list the folder", path);
    while (errno = 0, entry = readdir(dir))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            np_strings_add(&found, entry->d_name);
    int reason = errno;
    closedir(dir);
    if (reason)
        return np_error_errno(err, reason, NP_EIO, "'%s': cannot list the whole folder", path);
    for (size_t i = 0; i < found.n; i++)
        np_strings_give(names, found.item[i]);
    found.n = 0;
    np_strings_sort(names);
    return 0;
}

/* Like read, but waits for data from a pipe that has a writer, and continues after signals. */
static ssize_t read_some(int fd, void *buffer, size_t size)
{
    for (;;) {
        ssize_t n = read(fd, buffer, size);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN))
            return n;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (errno == EAGAIN)
            poll(&wait, 1, -1);
    }
}

int np_file_read(const char *path, size_t most, struct np_str *content, struct np_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return np_error_errno(err, errno, NP_ENOINPUT, "'%s': cannot open", path);
    char buffer[65536];
    ssize_t n;
    np_str_clear(content);
    while ((n = read_some(fd, buffer, sizeof(buffer))) != 0) {
        if (n < 0) {
            int reason = errno;
            close(fd);
            return np_error_errno(err, reason, NP_EIO, "'%s': cannot read", path);
        }
        if (content->length + (size_t)n > most) {
            close(fd);
            return np_error_set(err, NP_EHEADER, "'%s': expected at most %zu bytes, found more",
                                path, most);
        }
        np_str_add_bytes(content, buffer, (size_t)n);
    }
    close(fd);
    return 0;
}

int np_fd_write_all(int fd, const void *bytes, size_t n_bytes)
{
    const char *next = bytes;

    while (n_bytes > 0) {
        ssize_t n = write(fd, next, n_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        next += n;
        n_bytes -= (size_t)n;
    }
    return 0;
}

/* FNV-1a: tells the names of one folder apart. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return hash;
}

/* Make the file ".STEM.PLACE.PID.tmp" in the folder. Returns 0 or its errno. */
static int open_temporary(struct np_atomic_file *file, const char *directory, const char *stem)
{
    free(file->temporary);
    file->temporary =
        np_xasprintf("%s/.%s.%s.%ld.tmp", directory, stem, np_process_place(), (long)getpid());
    /* A file with our place and process id can only be left over from an earlier, dead process. */
    unlink(file->temporary);
    file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return file->fd >= 0 ? 0 : errno;
}

int np_atomic_open(struct np_atomic_file *file, const char *path, struct np_error *err)
{
    NP_AUTO(np_freep) char *directory = np_path_directory(path);
    const char *name = np_path_name(path);
    char hash[17];

    snprintf(hash, sizeof(hash), "%016" PRIx64, hash_of(name));
    *file = (struct np_atomic_file){.fd = -1, .path = np_xstrdup(path)};
    int reason = open_temporary(file, directory, name);
    if (reason == ENAMETOOLONG) /* the file's own name may yet fit */
        reason = open_temporary(file, directory, hash);
    if (!reason)
        return 0;
    np_freep(&file->temporary);
    np_freep(&file->path);
    return np_error_errno(err, reason, NP_ECREATE, "'%s': cannot create", path);
}

int np_atomic_write(struct np_atomic_file *file, const void *bytes, size_t n_bytes,
                    struct np_error *err)
{
    int result = np_fd_write_all(file->fd, bytes, n_bytes);

    return result < 0 ? np_error_errno(err, -result, NP_EIO, "'%s': cannot write", file->path) : 0;
}

int np_atomic_finish(struct np_atomic_file *file, struct np_error *err)
{
    if (file->fd < 0)
        return 0;
    int synced = fsync(file->fd) == 0 || errno == EINVAL ? 0 : errno;
    int closed = close(file->fd) == 0 ? 0 : errno;
    file->fd = -1;
    if (synced || closed)
        return np_error_errno(err, synced ? synced : closed, NP_EIO, "'%s': cannot write",
                              file->path);
    return 0;
}

static void sync_directory_of(const char *path)
{
    NP_AUTO(np_freep) char *directory = np_path_directory(path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd); /* may fail: on some file systems folders cannot be synced */
        close(fd);
    }
}

int np_atomic_commit(struct np_atomic_file *file, struct np_error *err)
{
    NP_TRY(np_atomic_finish(file, err));
    if (rename(file->temporary, file->path) != 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot put the file in place",
                              file->path);
    np_freep(&file->temporary);
    sync_directory_of(file->path);
    return 0;
}

void np_atomic_done(struct np_atomic_file *file)
{
    if (file->temporary) {
        if (file->fd >= 0)
            close(file->fd);
        unlink(file->temporary);
    }
    np_freep(&file->temporary);
    np_freep(&file->path);
    file->fd = -1;
}

int np_file_write_atomic(const char *path, const void *bytes, size_t n_bytes, struct np_error *err)
{
    NP_AUTO(np_atomic_done) struct np_atomic_file file = {.fd = -1};

    NP_TRY(np_atomic_open(&file, path, err));
    NP_TRY(np_atomic_write(&file, bytes, n_bytes, err));
    return np_atomic_commit(&file, err);
}

/* `mode` 0 leaves what the umask gives. */
static int replace(const char *path, const void *bytes, size_t n_bytes, mode_t mode,
                   struct np_error *err)
{
    NP_AUTO(np_atomic_done) struct np_atomic_file file = {.fd = -1};

    NP_TRY(np_atomic_open(&file, path, err));
    if (mode && fchmod(file.fd, mode) != 0)
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot set the mode", path);
    NP_TRY(np_atomic_write(&file, bytes, n_bytes, err));
    int closed = close(file.fd) == 0 ? 0 : errno;
    file.fd = -1;
    if (closed)
        return np_error_errno(err, closed, NP_EIO, "'%s': cannot write", path);
    if (rename(file.temporary, path) != 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot put the file in place", path);
    np_freep(&file.temporary);
    return 0;
}

int np_file_replace(const char *path, const void *bytes, size_t n_bytes, struct np_error *err)
{
    return replace(path, bytes, n_bytes, 0, err);
}

int np_file_replace_public(const char *path, const void *bytes, size_t n_bytes,
                           struct np_error *err)
{
    return replace(path, bytes, n_bytes, 0644, err);
}

/* Returns 0 or -errno. */
static int write_over(int fd, const char *text, size_t n_bytes, size_t n_room)
{
    NP_AUTO(np_freep) char *padded = np_xcalloc(n_room + 1, 1);

    memset(padded, ' ', n_room);
    memcpy(padded, text, n_bytes);
    int code = np_fd_write_all(fd, padded, n_room);
    return code == 0 && fsync(fd) != 0 ? -errno : code;
}

int np_file_overwrite(const char *path, const char *text, size_t n_bytes, struct np_error *err)
{
    struct stat status;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot open", path);
    bool fits = fstat(fd, &status) == 0 && (size_t)status.st_size >= n_bytes;
    int code = fits ? write_over(fd, text, n_bytes, (size_t)status.st_size) : -ENOSPC;
    close(fd);
    return code < 0 ? np_error_errno(err, -code, NP_EIO, "'%s': cannot write", path) : 0;
}

static const char *kind_of_file(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISFIFO(mode))
        return "a pipe";
    return S_ISSOCK(mode) ? "a socket" : "a device";
}

/* Sets `*begins` when the regular file is empty or begins with the text. */
static int look_at_beginning(const char *path, const char *beginning, bool *begins,
                             struct np_error *err)
{
    char found[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot see what it holds", path);
    ssize_t n = read(fd, found, sizeof(found) - 1);
    int reason = errno;
    close(fd);
    if (n < 0)
        return np_error_errno(err, reason, NP_EIO, "'%s': cannot read", path);
    *begins = n == 0 || np_starts_with(found, beginning);
    return 0;
}

int np_path_replaceable(const char *path, const char *beginning, char **target,
                        struct np_error *err)
{
    struct stat status;
    bool begins = true;
    int reason = stat(path, &status) == 0 ? 0 : errno;

    if (reason && lstat(path, &status) == 0)
        return np_error_set(err, NP_ECREATE,
                            "'%s': expected a file or a new name, found a link that leads to no "
                            "file; remove the link or choose another name",
                            path);
    if (reason && reason != ENOENT && reason != ENOTDIR)
        return np_error_errno(err, reason, NP_ECREATE, "'%s': cannot see what is there", path);
    if (!reason && !S_ISREG(status.st_mode))
        return np_error_set(err, NP_ECREATE,
                            "'%s': expected a file or a new name, found %s; choose another name",
                            path, kind_of_file(status.st_mode));
    if (!reason)
        NP_TRY(look_at_beginning(path, beginning, &begins, err));
    if (!begins)
        return np_error_set(err, NP_ECREATE,
                            "'%s': expected a new name, or a file that this option wrote before, "
                            "found another file; choose another name, or remove the file",
                            path);
    *target = np_path_resolve(path);
    if (!*target)
        return np_error_set(err, NP_ECREATE, "'%s': the working directory cannot be read", path);
    return 0;
}

/* A server that was asked twice reports that the name exists, though the first time it made it for
 * us: the file itself tells. */
static bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;

    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* For file systems without hard links: a reader may see the file while it is still empty. */
static int write_exclusively(const char *path, const void *bytes, size_t n_bytes,
                             struct np_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0 && errno == EEXIST)
        return 1;
    if (fd < 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot create", path);
    int written = np_fd_write_all(fd, bytes, n_bytes);
    int closed = close(fd) == 0 ? 0 : -errno;
    if (written == 0 && closed == 0)
        return 0;
    unlink(path);
    return np_error_errno(err, written ? -written : -closed, NP_EIO, "'%s': cannot write", path);
}

int np_file_write_first(const char *path, const void *bytes, size_t n_bytes, struct np_error *err)
{
    NP_AUTO(np_atomic_done) struct np_atomic_file file = {.fd = -1};

    if (np_path_exists(path))
        return 1;
    NP_TRY(np_atomic_open(&file, path, err));
    NP_TRY(np_atomic_write(&file, bytes, n_bytes, err));
    NP_TRY(np_atomic_finish(&file, err));
    int reason = link(file.temporary, path) == 0 ? 0 : errno;
    if (reason == 0 || is_same_file(file.temporary, path)) {
        sync_directory_of(path);
        return 0;
    }
    if (reason == EEXIST)
        return 1;
    if (reason == EPERM || reason == EOPNOTSUPP || reason == ENOSYS || reason == EMLINK)
        return write_exclusively(path, bytes, n_bytes, err);
    return np_error_errno(err, reason, NP_ECREATE, "'%s': cannot put the file in place", path);
}

/* True for ".NAME.PLACE.PID.tmp" with our place and the id of a dead process. */
static bool is_orphan(const char *name)
{
    if (name[0] != '.' || !np_ends_with(name, ".tmp"))
        return false;
    NP_AUTO(np_freep) char *stem = np_xstrndup(name, strlen(name) - strlen(".tmp"));
    char *dot = strrchr(stem, '.');
    if (!dot || dot == stem)
        return false;
    char *end;
    long pid = strtol(dot + 1, &end, 10);
    if (*end || pid <= 0)
        return false;
    *dot = '\0';
    NP_AUTO(np_freep) char *owner = np_xasprintf(".%s", np_process_place());
    return np_ends_with(stem, owner) && !np_process_alive(pid);
}

void np_atomic_sweep(const char *directory)
{
    NP_AUTO(np_strings_done) struct np_strings names = {0};

    if (np_directory_list(directory, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.n; i++)
        if (is_orphan(names.item[i])) {
            NP_AUTO(np_freep) char *path = np_path_join(directory, names.item[i]);
            unlink(path);
        }
}

const char *np_host_name(void)
{
    static char name[256];

    if (!name[0] && (gethostname(name, sizeof(name) - 1) != 0 || !name[0] || strchr(name, '/')))
        snprintf(name, sizeof(name), "localhost");
    return name;
}

const char *np_boot_id(void)
{
    static char id[64];

    if (!id[0]) {
        NP_AUTO(np_str_done) struct np_str content = {0};
        if (np_file_read("/proc/sys/kernel/random/boot_id", sizeof(id), &content, NULL) == 0)
            snprintf(id, sizeof(id), "%.*s", (int)strcspn(np_str_text(&content), "\n"),
                     np_str_text(&content));
    }
    return id;
}

const char *np_process_place(void)
{
    /* The kernel's number of the initial PID namespace. */
    static const char first_namespace[] = "pid:[4026531836]";
    static char place[300];

    if (!place[0]) {
        char name[64] = "";
        ssize_t n = readlink("/proc/self/ns/pid", name, sizeof(name) - 1);
        bool own = n > 0 && strcmp(name, first_namespace) != 0 && strchr(name, '[');
        const char *number = own ? strchr(name, '[') + 1 : "";
        snprintf(place, sizeof(place), "%s%s%.*s", np_host_name(), own ? "+" : "",
                 (int)strcspn(number, "]"), number);
    }
    return place;
}

/* Read the fields of /proc/PID/stat after the command, which may itself contain spaces and
 * brackets. */
static bool read_stat(int64_t pid, char *state, uint64_t *start)
{
    char path[64];
    NP_AUTO(np_str_done) struct np_str content = {0};

    snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
    if (np_file_read(path, 4096, &content, NULL) < 0)
        return false;
    const char *after = strrchr(np_str_text(&content), ')');
    if (!after)
        return false;
    unsigned long long ticks = 0;
    int n =
        sscanf(after + 1,
               " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               state, &ticks);
    *start = ticks;
    return n == 2;
}

bool np_process_alive(int64_t pid)
{
    char state;
    uint64_t start;

    if (pid <= 0 || pid > INT_MAX || (kill((pid_t)pid, 0) != 0 && errno == ESRCH))
        return false;
    return !read_stat(pid, &state, &start) || (state != 'Z' && state != 'X');
}

uint64_t np_process_start(int64_t pid)
{
    char state;
    uint64_t start;

    return read_stat(pid, &state, &start) ? start : 0;
}
