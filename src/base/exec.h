/*
 * How a kernel executes: on which threads, and whether it should stop.
 *
 * Determinism is built in here: work is cut into tasks by the problem's size alone, never by the
 * number of threads, and each task writes to places of its own; whoever combines them does it in
 * task order. So results are the same bytes for any thread count.
 */
#ifndef NP_BASE_EXEC_H
#define NP_BASE_EXEC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Set by a signal handler; read, on any thread, by every kernel that can run longer than 50 ms. */
struct np_cancel {
    atomic_int signal; /* 0 = go on; lock-free, so a handler may set it */
};

struct np_team;

struct np_exec {
    struct np_team *team;           /* NULL = the calling thread alone */
    const struct np_cancel *cancel; /* NULL = never */
};

/* Start a team of `n_threads` (the caller counts as one). Never NULL: a team that cannot get
 * threads has fewer. */
struct np_team *np_team_new(int n_threads);
void np_team_freep(struct np_team **team);
int np_team_size(const struct np_team *team);

typedef void np_task_fn(void *context, int64_t task);

/*
 * Call fn(context, i) once for each i in [0, n_tasks), in any order, on the team's threads; returns
 * when all are done. `exec` may be NULL. Not to be nested.
 */
void np_exec_run(const struct np_exec *exec, int64_t n_tasks, np_task_fn *fn, void *context);

/* True when the work should stop. `exec` may be NULL. */
bool np_exec_canceled(const struct np_exec *exec);

/* 0, or NP_ECANCELED with a sentence. */
int np_exec_check(const struct np_exec *exec, struct np_error *err);

#endif
