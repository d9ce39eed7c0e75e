/*
 * The supervisor's loop: starts the sessions of a plan, as many at once as the plan allows, reads
 * from their workers, takes each session through its phases (session.h), and forwards signals. It
 * computes nothing itself. Inside pipeline/ only.
 */
#ifndef NP_PIPELINE_SUPERVISOR_H
#define NP_PIPELINE_SUPERVISOR_H

#include <signal.h>

#include "pipeline/session.h"

/* A job that another run was working on when its turn came. */
struct np_deferred {
    const struct np_job *job;
    struct np_failure why;
};

struct np_supervisor {
    struct np_run *run;
    const struct np_span *span; /* preprocess_run; borrowed */
    struct np_active *active;   /* [n_slots] */
    size_t n_slots;
    size_t next_job;
    struct np_deferred *deferred; /* looked at again when all other jobs are done */
    size_t n_deferred, next_deferred;
    bool looks_again;    /* the jobs of the plan are done; those in `deferred` have their turn */
    bool begins_no_more; /* after a failure with --stop-on-first-crash, or without processes, or
                          * on a full disk */
    bool watch_ended;    /* the other end of run->watch is closed */
    bool forwarded;      /* the signal was forwarded to the workers, at forwarded_ns (monotonic) */
    int64_t forwarded_ns;
    sigset_t open;   /* the signal mask in which signals are delivered */
    sigset_t closed; /* the signal mask in which they are blocked */
    int64_t beat_ns;
    int64_t collected_ns; /* time of the last collection of metrics */
};

void np_supervisor_init(struct np_supervisor *supervisor, struct np_run *run,
                        const struct np_span *run_span);
void np_supervisor_done(struct np_supervisor *supervisor);

/* Run the plan's jobs; run->results gets the results. Returns when all are committed, or when a
 * signal (run->cancel) has stopped the run. */
void np_supervise(struct np_supervisor *supervisor);

/* The workers' process ids, 0 for an entry without worker; `pid` has room for n_slots. */
void np_supervisor_workers(const struct np_supervisor *supervisor, pid_t *pid);

#endif
