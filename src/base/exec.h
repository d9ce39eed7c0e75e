/*
 * How a kernel executes: its threads, and the request to stop.
 *
 * Results are the same bytes for any number of threads. The size of the problem alone determines
 * how work is divided into tasks, each task writes to its own memory, and the caller combines the
 * results in the order of the tasks.
 */
#ifndef NP_BASE_EXEC_H
#define NP_BASE_EXEC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Set by a signal handler. Every kernel that can run longer than 50 ms reads it, on any thread. */
struct np_cancel {
    atomic_int signal; /* 0 = go on; lock-free, so a handler may set it */
};

/* The signals that stop a run in order: what people and schedulers send, and the notices that come
 * before a limit (USR1: Slurm; USR1 or USR2: Grid Engine; XCPU: the kernel's own). */
enum { NP_N_STOP_SIGNALS = 6 };
extern const int np_stop_signals[NP_N_STOP_SIGNALS];

struct np_team;

struct np_exec {
    struct np_team *team;           /* NULL = the calling thread alone */
    const struct np_cancel *cancel; /* NULL = never */
};

/* Start a team of `n_threads`, the caller included. Never NULL; the team is smaller when threads
 * cannot be created. */
struct np_team *np_team_new(int n_threads);
void np_team_freep(struct np_team **team);
int np_team_size(const struct np_team *team);

typedef void np_task_fn(void *context, int64_t task);

/*
 * Call fn(context, i) once for each i in [0, n_tasks), in any order, on the team's threads; return
 * when all calls are done. `exec` may be NULL. Calls must not be nested.
 */
void np_exec_run(const struct np_exec *exec, int64_t n_tasks, np_task_fn *fn, void *context);

/* True when the work should stop. `exec` may be NULL. */
bool np_exec_canceled(const struct np_exec *exec);

/* 0, or NP_ECANCELED with a sentence. */
int np_exec_check(const struct np_exec *exec, struct np_error *err) NP_MUST_USE;

#endif
