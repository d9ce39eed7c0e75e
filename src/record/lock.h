/*
 * One writer per session: a lock file made with O_EXCL (which network file systems honour, unlike
 * flock), holding place, process id, its start, the boot id and the Slurm job. Nobody waits: the
 * second one is told who holds it, and since when.
 */
#ifndef NP_RECORD_LOCK_H
#define NP_RECORD_LOCK_H

#include "base/error.h"

/* Of a lock on another host, whose process cannot be asked: held while its time stamp is younger
 * than this. */
enum { NP_LOCK_STALE_S = 600 };

struct np_lock {
    char *path; /* NULL = not held */
    char *text; /* what we wrote in it: tells our lock from one that was taken over */
};

/*
 * Take the lock. A stale one (its process is gone at this place, this host booted since, an earlier
 * start of the Slurm job that we are a later start of, or another place's without a sign of life
 * for NP_LOCK_STALE_S) is taken over. Returns 0, NP_EBUSY (says who
 * and since when), NP_ECREATE, NP_ESPACE.
 */
int np_lock_take(struct np_lock *lock, const char *path, struct np_error *err);

/* Renew the time stamp: a sign of life for other hosts. */
void np_lock_touch(const struct np_lock *lock);

/* Remove it, unless somebody took it over meanwhile. Accepts a lock that is not held. */
void np_lock_release(struct np_lock *lock);

#endif
