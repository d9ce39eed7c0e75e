/*
 * One writer per session: a lock file made with O_EXCL (which network file systems honour, unlike
 * flock). It holds the place (np_process_place), the process id, the start of that process, the
 * boot id and the Slurm job. Nobody waits for a lock: the second process gets an error that names
 * the holder and the time.
 */
#ifndef NP_RECORD_LOCK_H
#define NP_RECORD_LOCK_H

#include <stdbool.h>

#include "base/error.h"

/* We cannot ask another host whether a process runs there: its lock counts as held while its time
 * stamp is younger than this. */
enum { NP_LOCK_STALE_S = 600 };

struct np_lock {
    char *path; /* NULL = not held */
    char *text; /* what we wrote: if the file differs, another process took the lock over */
};

/*
 * Take the lock. A stale lock is taken over. It is stale when
 *   - it is of this place and this boot, and its process is gone, or
 *   - it is of an earlier start of the Slurm job that we run in, or
 *   - it is of another place or another boot, and its time stamp is older than NP_LOCK_STALE_S.
 *     Another boot is no proof that its process is gone: two hosts can have the same name.
 * Returns 0, NP_ELOCKED (names the holder, and the time at which the lock becomes stale),
 * NP_ECREATE (also when `path` is a folder), NP_ESPACE.
 */
int np_lock_take(struct np_lock *lock, const char *path, struct np_error *err) NP_MUST_USE;

/* Renew the time stamp, so that other hosts see that the lock is held. */
void np_lock_touch(const struct np_lock *lock);

/* Is there a lock, and is it not stale? For a reader, who takes none. */
bool np_lock_is_held(const char *path);

/* Remove the lock, unless another process has taken it over. Accepts a lock that is not held. */
void np_lock_release(struct np_lock *lock);

#endif
