#include "base/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exec.h"

enum { FIRST_OTHER_FD = 3, MOST_FD = 65536, STEP_MS = 5 };
static const int64_t MS = INT64_C(1000000);

/* The child's side. */

static void close_range_of(int first, int last)
{
    if (first > last)
        return;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0u) == 0)
        return;
#endif
    for (int fd = first; fd <= last && fd < MOST_FD; fd++)
        close(fd);
}

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Close all descriptors above 2 but the channel and those that the options name. */
static void close_others(const struct np_child_options *options, int channel)
{
    int kept[NP_CHILD_MOST_KEPT + 1] = {channel};
    size_t n = 1 + options->n_kept;
    int next = FIRST_OTHER_FD;

    for (size_t i = 0; i < options->n_kept; i++)
        kept[1 + i] = options->kept[i];
    qsort(kept, n, sizeof(*kept), compare_fds);
    for (size_t i = 0; i < n; i++) {
        close_range_of(next, kept[i] - 1);
        next = kept[i] < next ? next : kept[i] + 1;
    }
    close_range_of(next, INT_MAX);
}

static void silence(void)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; fd < FIRST_OTHER_FD && nowhere >= 0; fd++)
        dup2(nowhere, fd);
}

static void set_signals(enum np_child_signals signals)
{
    sigset_t none;

    for (size_t i = 0; i < NP_N_STOP_SIGNALS && signals != NP_CHILD_INHERITS_HANDLERS; i++)
        signal(np_stop_signals[i], signals == NP_CHILD_ENDS_ON_SIGNALS ? SIG_DFL : SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void be_child(const struct np_child_options *options, int channel, pid_t parent)
{
    /* The parent may have ended before this was asked for: no signal comes then. */
    if (options->death_signal)
        prctl(PR_SET_PDEATHSIG, options->death_signal);
    if (options->death_signal && getppid() != parent)
        _exit(EXIT_FAILURE);
    if (options->name)
        prctl(PR_SET_NAME, options->name);
    set_signals(options->signals);
    if (options->is_silent)
        silence();
    close_others(options, channel);
    _exit(options->run(options->context, channel));
}

/* The parent's side. */

/* ends[0] becomes the parent's, ends[1] the child's. */
static int open_channel(enum np_child_channel kind, int ends[2])
{
    int made =
        kind == NP_CHILD_PIPE
            ? pipe2(ends, O_CLOEXEC)
            : socketpair(AF_UNIX,
                         (kind == NP_CHILD_STREAM ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0,
                         ends);

    return made == 0 ? fcntl(ends[0], F_SETFL, O_NONBLOCK) : -1;
}

int np_child_start(const struct np_child_options *options, struct np_child *child,
                   struct np_error *err)
{
    int ends[2] = {-1, -1};
    pid_t parent = getpid(), pid = -1;

    assert(options->n_kept <= NP_CHILD_MOST_KEPT);
    *child = (struct np_child){.fd = -1};
    fflush(NULL);
    if (open_channel(options->channel, ends) == 0)
        pid = fork();
    if (pid == 0)
        be_child(options, ends[1], parent);
    int reason = errno;
    if (ends[1] >= 0)
        close(ends[1]);
    if (pid > 0) {
        *child = (struct np_child){.pid = pid, .fd = ends[0]};
        return 0;
    }
    if (ends[0] >= 0)
        close(ends[0]);
    return np_error_errno(err, reason, NP_EBUSY, "cannot start a process%s%s",
                          options->name ? " " : "", options->name ? options->name : "");
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

/* True when the child has ended. A child that other code has waited for has ended, too. */
static bool reap(struct np_child *child, struct np_child_end *end)
{
    struct rusage used = {0};
    int status = 0;
    pid_t gone;

    while ((gone = wait4(child->pid, &status, WNOHANG, &used)) < 0 && errno == EINTR)
        ;
    if (gone == 0)
        return false;
    child->pid = 0;
    if (end && gone > 0)
        *end = (struct np_child_end){.wait_status = status,
                                     .peak_rss_bytes = (int64_t)used.ru_maxrss * 1024,
                                     .cpu_s = seconds(used.ru_utime) + seconds(used.ru_stime)};
    return true;
}

/* A descriptor that can be read once the process has ended; -1 on kernels before 5.3. */
static int open_pidfd(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0u);
#else
    (void)pid;
    return -1;
#endif
}

/* Wait for the end, or a part of the time until `until_ns`; without a pidfd a short part. */
static void wait_a_while(int pidfd, int64_t until_ns)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    int64_t left_ns = until_ns - np_clock_mono_ns();
    int64_t left_ms = left_ns > 0 ? left_ns / MS + 1 : 0;
    int64_t most_ms = pidfd >= 0 ? INT_MAX : STEP_MS;

    poll(&fd, 1, (int)(left_ms < most_ms ? left_ms : most_ms));
}

bool np_child_wait(struct np_child *child, int64_t until_ns, struct np_child_end *end)
{
    if (end)
        *end = (struct np_child_end){0};
    if (child->pid <= 0 || reap(child, end))
        return true;
    int pidfd = open_pidfd(child->pid);
    bool has_ended = false;
    while (!has_ended && np_clock_mono_ns() < until_ns) {
        wait_a_while(pidfd, until_ns);
        has_ended = reap(child, end);
    }
    if (pidfd >= 0)
        close(pidfd);
    return has_ended;
}

bool np_child_stop(struct np_child *child, int signal, double grace_s, struct np_child_end *end)
{
    if (child->pid > 0 && signal)
        kill(child->pid, signal);
    bool by_itself = np_child_wait(child, np_clock_mono_ns() + (int64_t)(grace_s * 1e9), end);
    if (!by_itself) {
        kill(child->pid, SIGKILL);
        np_child_wait(child, INT64_MAX, end);
    }
    np_child_close(child);
    return by_itself;
}

void np_child_close(struct np_child *child)
{
    if (child->fd >= 0)
        close(child->fd);
    child->fd = -1;
}
