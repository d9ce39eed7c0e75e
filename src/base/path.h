/*
 * Paths and files. Paths are bytes: nothing here cares whether they are valid UTF-8.
 * Errors name the path and the system's reason.
 */
#ifndef NP_BASE_PATH_H
#define NP_BASE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* "a/b" from "a" and "b"; "b" when `directory` is empty; one slash between them.
 * The caller frees. */
char *np_path_join(const char *directory, const char *name);

/* The part after the last slash; borrowed from `path`. */
const char *np_path_name(const char *path);

/* The part before the last slash, "." when there is none, "/" for the root. The caller frees. */
char *np_path_directory(const char *path);

/*
 * Absolute, links resolved as far as the path exists; parts that do not exist yet are kept as they
 * are (".", ".." and double slashes folded). The caller frees. NULL only when the working directory
 * cannot be read.
 */
char *np_path_resolve(const char *path);

/* True when signs of a container are seen: paths may be other ones outside. */
bool np_path_in_container(void);

/* A question about a path that does not exist: in a container, whether it is bound; else "". It
 * goes after a sentence. */
const char *np_path_missing_hint(void);

/* True when `path` is `directory` or lies below it; both resolved. */
bool np_path_is_below(const char *path, const char *directory);

/* `path` relative to `directory` ("../x" where needed), both resolved. The caller frees. */
char *np_path_relative(const char *path, const char *directory);

/* The same of two absolute paths without links, as text. */
char *np_path_between(const char *to, const char *from);

bool np_path_exists(const char *path);

/* True also for a link that leads nowhere (content that git-annex has not fetched): what a rename
 * would replace. */
bool np_path_is_taken(const char *path);

/* Signs of a file that change when it is written: for a link, those of its target where that exists. */
struct np_path_stamp {
    bool is_there;
    int64_t n_bytes, mtime_ns;
};

struct np_path_stamp np_path_stamp(const char *path);

/* Is there something at `path` that was not there, or not as it is now, when `stamp` was taken? */
bool np_path_is_newer(const char *path, const struct np_path_stamp *stamp);

bool np_path_is_directory(const char *path);

/* Returns 0 for a folder, else NP_ENOINPUT: "'PATH': expected WHAT, found a file" or "nothing of that
 * name"; a folder that cannot be reached is not said to be missing. */
int np_directory_require(const char *path, const char *what, struct np_error *err) NP_MUST_USE;

/* Make the folder and its parents (mode 0777 less the umask). Returns 0, NP_ECREATE, NP_ESPACE (no
 * space, quota or inodes); the sentence ends with the system's reason. */
int np_directory_make(const char *path, struct np_error *err) NP_MUST_USE;

/* True for a folder, false for a link to one. A walk over a tree that uses it cannot run in
 * circles. */
bool np_path_is_real_directory(const char *path);

/* Add the names in a folder to `names`, without "." and "..", and sort. Returns 0, NP_ENOINPUT,
 * NP_EIO (also when the listing breaks off); on failure `names` is untouched. */
int np_directory_list(const char *path, struct np_strings *names, struct np_error *err) NP_MUST_USE;

/* Read the whole file; the text is terminated for convenience. More than `most` bytes is
 * NP_EHEADER. A named pipe without a writer counts as empty. Returns 0, NP_ENOINPUT, NP_EIO. */
int np_file_read(const char *path, size_t most, struct np_str *content,
                 struct np_error *err) NP_MUST_USE;

/*
 * A file that is written under a temporary name beside its final name: ".NAME.PLACE.PID.tmp", PLACE
 * being np_process_place; a hash of NAME where that would be too long for the file system. BIDS validators do not see it; a later run removes it only when its
 * writer is certainly dead. np_atomic_commit syncs the content and renames it to `path`; without it
 * no file appears.
 */
struct np_atomic_file {
    char *path;
    char *temporary;
    int fd; /* -1 = none */
};

/* Open the temporary file. Returns 0, NP_ECREATE, NP_ESPACE; on failure nothing is left to
 * release. */
int np_atomic_open(struct np_atomic_file *file, const char *path, struct np_error *err) NP_MUST_USE;
int np_atomic_write(struct np_atomic_file *file, const void *bytes, size_t n_bytes,
                    struct np_error *err) NP_MUST_USE;

/* Sync and close, but keep the temporary name: many files can then be renamed together. */
int np_atomic_finish(struct np_atomic_file *file, struct np_error *err) NP_MUST_USE;

/* Finish if not done yet, rename, sync the folder. Returns 0, NP_EIO, NP_ESPACE, NP_ECREATE. */
int np_atomic_commit(struct np_atomic_file *file, struct np_error *err) NP_MUST_USE;

/* Remove a file that was not committed. Accepts {0} and a committed file. */
void np_atomic_done(struct np_atomic_file *file);

/* All of the above for content in memory. */
int np_file_write_atomic(const char *path, const void *bytes, size_t n_bytes,
                         struct np_error *err) NP_MUST_USE;

/*
 * The same without waiting for the disk: readers see the old or the new content, but after a power
 * cut there may be neither. For content that is rewritten soon.
 */
int np_file_replace(const char *path, const void *bytes, size_t n_bytes,
                    struct np_error *err) NP_MUST_USE;

/* The same for a file that other users read: its mode is 0644, whatever the umask. */
int np_file_replace_public(const char *path, const void *bytes, size_t n_bytes,
                           struct np_error *err) NP_MUST_USE;

/*
 * Replace the content of a file in the room that it has, for a full disk, where no second file can
 * be written beside it: `n_bytes` of text, then spaces to the file's old length. Not atomic: a
 * reader may see a mixture for a moment. Returns 0; NP_ESPACE (the file is shorter; it is
 * unchanged), NP_EIO, NP_ECREATE.
 */
int np_file_overwrite(const char *path, const char *text, size_t n_bytes,
                      struct np_error *err) NP_MUST_USE;

/*
 * Decide whether a file that a user named as an output may be replaced, and find the one to
 * replace: `path`, or what it links to. Allowed are a name that is not in use, an empty file, and a
 * regular file that begins with `beginning`, as the files of that option do.
 *   target  the path to write, links resolved; the caller frees
 * Returns 0, NP_ECREATE (another file, a folder, a device, a pipe, a link to nothing), NP_EIO.
 */
int np_path_replaceable(const char *path, const char *beginning, char **target,
                        struct np_error *err) NP_MUST_USE;

/*
 * Write a file that does not exist yet, whole or not at all: of several processes that try, on any
 * host, one succeeds. Returns 0, 1 when there is a file of that name already (which is unchanged),
 * NP_ECREATE, NP_ESPACE, NP_EIO.
 */
int np_file_write_first(const char *path, const void *bytes, size_t n_bytes,
                        struct np_error *err) NP_MUST_USE;

/* Write all bytes, also when signals interrupt. Returns 0 or -errno. */
int np_fd_write_all(int fd, const void *bytes, size_t n_bytes) NP_MUST_USE;

/* Remove temporaries in `directory` whose owner at this place is dead. Never an error. */
void np_atomic_sweep(const char *directory);

/* This machine's name, "localhost" when unknown. Borrowed. */
const char *np_host_name(void);

/* The kernel's boot id, "" when unknown. Borrowed. */
const char *np_boot_id(void);

/*
 * The place within which process ids are unique: the host's name and, inside a PID namespace of its
 * own (a container), the number of that namespace. Two containers on one host can both have a
 * process 7. Borrowed.
 */
const char *np_process_place(void);

/* True unless the process is known to have ended (a zombie has ended). Only for ids of this
 * place; a number that cannot be a process id counts as ended. */
bool np_process_alive(int64_t pid);

/* Clock ticks since boot at which the process started (field 22 of /proc/PID/stat), 0 when
 * unknown: it distinguishes a reused process id. */
uint64_t np_process_start(int64_t pid);

#endif
