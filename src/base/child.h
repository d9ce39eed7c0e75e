/*
 * The one way to start a process that is a part of this program (fork without exec). A child keeps
 * the descriptors that its options name and no others: a pipe ends, and a file lock is released,
 * only when the last descriptor is closed, so a child with its siblings' descriptors would keep
 * them waiting. Start children before the process has threads.
 */
#ifndef NP_BASE_CHILD_H
#define NP_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* The connection between a child and its parent; the parent's end does not block. */
enum np_child_channel {
    NP_CHILD_PIPE,    /* the child writes, the parent reads */
    NP_CHILD_STREAM,  /* a socket pair of bytes, both ways */
    NP_CHILD_PACKETS, /* a socket pair of packets, both ways */
};

/* How a child handles the signals that stop a run (np_stop_signals). */
enum np_child_signals {
    NP_CHILD_INHERITS_HANDLERS, /* the parent's handlers run in the child, too */
    NP_CHILD_ENDS_ON_SIGNALS,   /* the default actions: such a signal ends it */
    /* They often go to the whole process group: the parent decides. */
    NP_CHILD_IGNORES_STOP_SIGNALS,
};

struct np_child_options {
    const char *name; /* of the process, 15 characters at most; NULL = the parent's */
    enum np_child_channel channel;
    enum np_child_signals signals;
    int death_signal; /* sent to the child when its parent has ended; 0 = the child outlives it */
    bool is_silent;   /* standard input, output and error lead to /dev/null: who reads the
                         parent's output does not wait for the child; otherwise it keeps them */
    const int *kept;  /* n_kept descriptors above 2 that stay open, under the same numbers */
    size_t n_kept;    /* NP_CHILD_MOST_KEPT at most */
    /* The child's work; what it returns is its exit status. `channel` is the child's end. Handlers
     * of atexit do not run afterwards, and nothing is flushed. */
    int (*run)(void *context, int channel);
    void *context;
};

enum { NP_CHILD_MOST_KEPT = 8 };

/* {.fd = -1} is no child. */
struct np_child {
    pid_t pid; /* 0 = none, or waited for already */
    int fd;    /* the parent's end of the channel; -1 = closed */
};

/* How a child ended. */
struct np_child_end {
    int wait_status;        /* as of waitpid */
    int64_t peak_rss_bytes; /* the kernel's high-water mark */
    double cpu_s;           /* user and system */
};

/*
 * Start a child. Standard output and error are flushed before, so that nothing is written twice.
 * In the child no signal is blocked, and SIGPIPE and SIGXFSZ are ignored: a write fails instead.
 * Returns 0, NP_EBUSY (no process, no descriptors); on failure
 * `child` is {.fd = -1}.
 */
int np_child_start(const struct np_child_options *options, struct np_child *child,
                   struct np_error *err) NP_MUST_USE;

/*
 * Wait for the child's end until `until_ns` (np_clock_mono_ns; INT64_MAX = for ever). True when it
 * has ended; child->pid is then 0 and `end`, which may be NULL, is filled; the channel stays open,
 * for what is left to be read. Without a child true, and `end` is zeroed.
 */
bool np_child_wait(struct np_child *child, int64_t until_ns, struct np_child_end *end);

/*
 * End a child: `signal` (0 = none: it has been asked by other means), SIGKILL when it has not ended
 * within `grace_s`, and the channel is closed. `end` may be NULL; without a child it is zeroed.
 * Returns false when it had to be killed.
 */
bool np_child_stop(struct np_child *child, int signal, double grace_s, struct np_child_end *end);

/* Close the parent's end, if it is open. */
void np_child_close(struct np_child *child);

#endif
