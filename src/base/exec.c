#include "base/exec.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

const int np_stop_signals[NP_N_STOP_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};

/*
 * The team waits between runs. A run is published under the lock with a new `generation`; threads
 * take tasks from an atomic counter; the last thread to finish wakes the caller. Both waits begin
 * by polling, because many runs last less than it takes to wake a thread (a deforming surface has a
 * thousand runs of 50 us), and then sleep.
 */
struct np_team {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t done;
    pthread_t *thread;
    int n_helpers;
    atomic_ullong generation;
    atomic_int n_busy;
    bool stop;
    np_task_fn *fn;
    void *context;
    int64_t n_tasks;
    atomic_llong next_task;
};

enum { POLLS = 4000 }; /* about 50 us of polling */

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void run_tasks(struct np_team *team)
{
    for (;;) {
        int64_t task = atomic_fetch_add(&team->next_task, 1);
        if (task >= team->n_tasks)
            return;
        team->fn(team->context, task);
    }
}

/* Wait for the generation after `seen`. Returns `seen` when the team is to stop. */
static uint64_t wait_for_run(struct np_team *team, uint64_t seen)
{
    uint64_t now = seen;

    for (int i = 0; i < POLLS && now == seen; i++) {
        pause_briefly();
        now = atomic_load_explicit(&team->generation, memory_order_acquire);
    }
    if (now != seen)
        return now;
    pthread_mutex_lock(&team->lock);
    while (!team->stop && team->generation == seen)
        pthread_cond_wait(&team->wake, &team->lock);
    now = team->generation;
    pthread_mutex_unlock(&team->lock);
    return now;
}

static void wait_for_helpers(struct np_team *team)
{
    for (int i = 0; i < POLLS; i++) {
        if (atomic_load_explicit(&team->n_busy, memory_order_acquire) == 0)
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&team->lock);
    while (team->n_busy > 0)
        pthread_cond_wait(&team->done, &team->lock);
    pthread_mutex_unlock(&team->lock);
}

static void *helper_main(void *argument)
{
    struct np_team *team = argument;
    uint64_t seen = 0, now;

    while ((now = wait_for_run(team, seen)) != seen) {
        seen = now;
        run_tasks(team);
        if (atomic_fetch_sub(&team->n_busy, 1) > 1)
            continue;
        /* Signal under the lock: otherwise it could come between the caller's test and its wait,
         * and be lost. */
        pthread_mutex_lock(&team->lock);
        pthread_cond_signal(&team->done);
        pthread_mutex_unlock(&team->lock);
    }
    return NULL;
}

struct np_team *np_team_new(int n_threads)
{
    struct np_team *team = np_xcalloc(1, sizeof(*team));
    int n_wanted = n_threads > 1 ? n_threads - 1 : 0;

    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->done, NULL);
    team->thread = np_xcalloc((size_t)n_wanted + 1, sizeof(*team->thread));
    /* Block signals in helper threads, so that the main thread receives them. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team->n_helpers < n_wanted &&
           pthread_create(&team->thread[team->n_helpers], NULL, helper_main, team) == 0)
        team->n_helpers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return team;
}

void np_team_freep(struct np_team **address)
{
    struct np_team *team = *address;

    if (!team)
        return;
    pthread_mutex_lock(&team->lock);
    team->stop = true;
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->lock);
    for (int i = 0; i < team->n_helpers; i++)
        pthread_join(team->thread[i], NULL);
    pthread_cond_destroy(&team->done);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->lock);
    free(team->thread);
    np_freep(address);
}

int np_team_size(const struct np_team *team)
{
    return team ? team->n_helpers + 1 : 1;
}

void np_exec_run(const struct np_exec *exec, int64_t n_tasks, np_task_fn *fn, void *context)
{
    struct np_team *team = exec ? exec->team : NULL;

    if (!team || team->n_helpers == 0 || n_tasks <= 1) {
        for (int64_t i = 0; i < n_tasks; i++)
            fn(context, i);
        return;
    }
    pthread_mutex_lock(&team->lock);
    team->fn = fn;
    team->context = context;
    team->n_tasks = n_tasks;
    atomic_store(&team->next_task, 0);
    atomic_store(&team->n_busy, team->n_helpers);
    atomic_fetch_add_explicit(&team->generation, 1, memory_order_release);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->lock);
    run_tasks(team);
    wait_for_helpers(team);
}

bool np_exec_canceled(const struct np_exec *exec)
{
    return exec && exec->cancel && exec->cancel->signal != 0;
}

int np_exec_check(const struct np_exec *exec, struct np_error *err)
{
    if (!np_exec_canceled(exec))
        return 0;
    int signal = exec->cancel->signal;
    return np_error_set(err, NP_ECANCELED, "stopped by signal %d%s", signal,
                        signal == SIGXCPU ? " (the limit of CPU time, ulimit -t: raise it)" : "");
}
