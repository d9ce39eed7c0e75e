/*
 * The supervisor's loop: begins the sessions of a plan, as many at once as the plan says, listens
 * to their workers, takes each session through its phases (session.h), and passes signals on. It
 * computes nothing itself. Inside pipeline/ only.
 */
#ifndef NP_PIPELINE_SUPERVISOR_H
#define NP_PIPELINE_SUPERVISOR_H

#include <signal.h>

#include "pipeline/session.h"

struct np_supervisor {
    struct np_run *run;
    const struct np_span *span; /* preprocess_run; borrowed */
    struct np_active *active;   /* n_slots places */
    size_t n_slots;
    size_t next_job;
    bool begins_no_more; /* --stop-on-first-crash saw one, or there is no process to be had */
    bool watch_ended;    /* nobody is at the other end of run->watch any more */
    bool forwarded;      /* the signal went to the workers, at forwarded_ns (monotonic) */
    int64_t forwarded_ns;
    sigset_t open;   /* the signal mask that lets signals in */
    sigset_t closed; /* and the one that holds them back */
    int64_t beat_ns;
    int64_t collected_ns; /* when metrics were collected last */
};

void np_supervisor_init(struct np_supervisor *supervisor, struct np_run *run,
                        const struct np_span *run_span);
void np_supervisor_done(struct np_supervisor *supervisor);

/* Do all jobs of the plan that are to be done; run->results says what became of them. Returns when
 * all are committed, or when a signal (run->cancel) has stopped the run. */
void np_supervise(struct np_supervisor *supervisor);

/* The workers' process ids, 0 in a place without one; `pid` has room for n_slots. */
void np_supervisor_workers(const struct np_supervisor *supervisor, pid_t *pid);

#endif
