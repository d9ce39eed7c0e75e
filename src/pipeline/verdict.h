/*
 * The final state of a session and its files, decided from facts alone: the worker's reports, how
 * it ended, the signal that stopped the run, and whether the records could be written. These
 * functions read, write and print nothing. Inside pipeline/ only.
 */
#ifndef NP_PIPELINE_VERDICT_H
#define NP_PIPELINE_VERDICT_H

#include "record/record.h"

/* Time for a worker to stop after a signal; Slurm's KillWait is 30 s. */
enum { NP_STOP_GRACE_S = 20 };

/* The worker's last report about a file. */
struct np_verdict_reported {
    enum np_state state; /* NOT_STARTED without a report, RUNNING without a report of its end */
    int code;            /* of its failure; 0 = none */
    int signal;          /* that interrupted it; 0 = none */
};

struct np_verdict_facts {
    const struct np_verdict_reported *file;
    size_t n_files;
    int code;        /* the session failed as a whole, without a worker: NP_E…; 0 = no failure */
    int wait_status; /* of the worker, as of waitpid; 0 when there was none */
    int run_signal;  /* that stopped the run; 0 = none */
    bool was_too_late; /* the worker did not stop within NP_STOP_GRACE_S, and was killed */
};

/* The reason for a state. */
enum np_verdict_reason {
    NP_VERDICT_SAID,     /* the worker reported it */
    NP_VERDICT_SESSION,  /* the session failed as a whole */
    NP_VERDICT_STOPPED,  /* a signal stopped the run, or this worker alone */
    NP_VERDICT_TOO_LATE, /* the same, and the worker had to be killed */
    NP_VERDICT_DIED,     /* a signal ended the worker */
    NP_VERDICT_ENDED,    /* the worker ended by itself without a result */
};

struct np_verdict {
    enum np_state state;
    enum np_verdict_reason reason;
    int code;        /* NP_E…; 0 = no failure */
    int signal;      /* that stopped the work or ended the worker; 0 = none */
    int exit_status; /* of a worker that ended by itself */
};

/* The state of a file. */
struct np_verdict np_verdict_file(const struct np_verdict_facts *facts, size_t index);

/*
 * The state of the session from its settled files: the worst of them. Failed is worse than
 * interrupted, interrupted worse than success; without files the state is nothing-to-do. `*from`
 * gets the file whose failure is the session's, n_files when there is none.
 */
struct np_verdict np_verdict_session(const struct np_verdict_facts *facts,
                                     const struct np_verdict *file, size_t *from);

/* The state of the session after its final records were written with this result (0 or NP_E…): a
 * success that is not on disk does not count. */
struct np_verdict np_verdict_commit(struct np_verdict session, int write_code);

/* Names for the sentence about a file's end, besides the verdict; borrowed, `stage` may be NULL. */
struct np_verdict_words {
    const char *label; /* of the job */
    const char *path;  /* of the file */
    const char *stage; /* that was running */
    int64_t peak_rss_bytes;
    double cpu_s,
        cpu_limit_s; /* of the worker, and where the kernel kills it; INFINITY = nowhere */
};

/* Set `why` for a file whose end the worker did not report (reasons STOPPED, TOO_LATE, DIED,
 * ENDED). */
void np_verdict_explain(const struct np_verdict *file, const struct np_verdict_words *words,
                        struct np_error *why);

#endif
