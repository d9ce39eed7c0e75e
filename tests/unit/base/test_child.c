#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "tap.h"

static const int64_t SECOND = INT64_C(1000000000);

static int64_t in_s(double s)
{
    return np_clock_mono_ns() + (int64_t)(s * 1e9);
}

/* A child's answer, read until it closes its end or five seconds are over. */
static size_t read_all(const struct np_child *child, void *buffer, size_t most)
{
    size_t n = 0;
    int64_t until_ns = in_s(5);

    while (n < most && np_clock_mono_ns() < until_ns) {
        struct pollfd fd = {.fd = child->fd, .events = POLLIN};
        poll(&fd, 1, 100);
        ssize_t got = read(child->fd, (char *)buffer + n, most - n);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    return n;
}

static int write_int(int fd, int value)
{
    return write(fd, &value, sizeof(value)) == (ssize_t)sizeof(value) ? 0 : 1;
}

/* Sleeps for a minute, whatever signals come. */
static int sleep_on(void *context, int channel)
{
    int64_t until_ns = in_s(60);

    (void)context;
    write_int(channel, 1); /* so that the test knows that its signals are set */
    while (np_clock_mono_ns() < until_ns)
        poll(NULL, 0, 1000);
    return 0;
}

static struct np_child start(const struct np_child_options *options)
{
    struct np_error err = {0};
    struct np_child child;

    if (np_child_start(options, &child, &err) < 0)
        printf("# %s\n", err.text);
    return child;
}

static struct np_child start_sleeper(enum np_child_signals signals)
{
    const struct np_child_options options = {.signals = signals, .run = sleep_on};
    struct np_child child = start(&options);
    int is_there = 0;

    read_all(&child, &is_there, sizeof(is_there));
    ok_int(is_there, 1);
    return child;
}

static int return_7(void *context, int channel)
{
    (void)context;
    (void)channel;
    return 7;
}

TEST(what_a_child_returns_is_its_exit_status)
{
    const struct np_child_options options = {.run = return_7};
    struct np_child child = start(&options);
    struct np_child_end end;

    ok(child.pid > 0);
    ok(np_child_wait(&child, in_s(5), &end));
    ok(WIFEXITED(end.wait_status));
    ok_int(WEXITSTATUS(end.wait_status), 7);
    ok_int(child.pid, 0);
    ok(end.peak_rss_bytes > 0);
    np_child_close(&child);
    ok_int(child.fd, -1);
}

/* Sends the number of each descriptor that is open in it. */
static int list_descriptors(void *context, int channel)
{
    (void)context;
    for (int fd = 0; fd < 1000; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            write_int(channel, fd);
    return 0;
}

TEST(a_child_has_the_descriptors_it_is_given_and_no_others)
{
    int leak[4], found[100];
    for (int i = 0; i < 4; i++) /* even one that would survive exec */
        leak[i] = open("/dev/null", i % 2 ? O_RDONLY : O_RDONLY | O_CLOEXEC);
    int high = fcntl(leak[0], F_DUPFD_CLOEXEC, 500);
    const int kept[] = {high, leak[1]};
    const struct np_child_options options = {.kept = kept, .n_kept = 2, .run = list_descriptors};
    struct np_child child = start(&options);

    size_t n = read_all(&child, found, sizeof(found)) / sizeof(*found);
    ok_int(n, 6); /* three standard ones, the channel, two kept */
    for (int i = 0; i < 3; i++)
        ok_int(found[i], i);
    ok_int(found[3], leak[1]);
    ok(found[4] != leak[2] && found[4] != leak[3] && found[4] != leak[0]);
    ok_int(found[5], high);
    np_child_stop(&child, 0, 5, NULL);
    for (int i = 0; i < 4; i++)
        close(leak[i]);
    close(high);
}

TEST(a_pipe_ends_when_the_one_child_that_holds_it_does)
{
    const struct np_child_options first = {.run = list_descriptors};
    struct np_child sleeper, done = start(&first);
    int64_t start_ns;
    int found[100];

    /* The sleeper is started while the first child's pipe is open. */
    sleeper = start_sleeper(NP_CHILD_ENDS_ON_SIGNALS);
    start_ns = np_clock_mono_ns();
    ok(read_all(&done, found, sizeof(found)) >= 4 * sizeof(*found));
    ok(np_clock_mono_ns() - start_ns < 2 * SECOND);
    np_child_stop(&done, 0, 5, NULL);
    np_child_stop(&sleeper, SIGKILL, 5, NULL);
}

/* Sends where standard output leads. */
static int look_at_output(void *context, int channel)
{
    char target[64] = "";

    (void)context;
    ssize_t n = readlink("/proc/self/fd/1", target, sizeof(target) - 1);
    return n > 0 && write(channel, target, (size_t)n) == n ? 0 : 1;
}

TEST(a_silent_child_holds_nobodys_output)
{
    const struct np_child_options options = {.is_silent = true, .run = look_at_output};
    struct np_child child = start(&options);
    char found[64] = "";

    read_all(&child, found, sizeof(found) - 1);
    ok_str(found, "/dev/null");
    np_child_stop(&child, 0, 5, NULL);
}

TEST(waiting_ends_at_its_deadline_and_the_child_lives_on)
{
    struct np_child child = start_sleeper(NP_CHILD_ENDS_ON_SIGNALS);
    struct np_child_end end;
    int64_t start_ns = np_clock_mono_ns();

    ok(!np_child_wait(&child, in_s(0.2), &end));
    double waited_s = (double)(np_clock_mono_ns() - start_ns) * 1e-9;
    ok_above(waited_s, 0.19, "s");
    ok_below(waited_s, 2, "s");
    ok(child.pid > 0 && kill(child.pid, 0) == 0);
    ok(np_child_stop(&child, SIGTERM, 5, &end));
    ok(WIFSIGNALED(end.wait_status) && WTERMSIG(end.wait_status) == SIGTERM);
    ok_int(child.pid, 0);
    ok_int(child.fd, -1);
}

TEST(a_deadline_that_is_over_is_a_look)
{
    struct np_child child = start_sleeper(NP_CHILD_ENDS_ON_SIGNALS);

    ok(!np_child_wait(&child, 0, NULL));
    np_child_stop(&child, SIGKILL, 5, NULL);
    ok(np_child_wait(&child, 0, NULL));
}

TEST(a_child_that_ignores_the_stop_signals_is_killed_after_its_grace)
{
    struct np_child child = start_sleeper(NP_CHILD_IGNORES_STOP_SIGNALS);
    struct np_child_end end;
    int64_t start_ns = np_clock_mono_ns();

    ok(!np_child_stop(&child, SIGTERM, 0.2, &end));
    ok(WIFSIGNALED(end.wait_status) && WTERMSIG(end.wait_status) == SIGKILL);
    ok_above((double)(np_clock_mono_ns() - start_ns) * 1e-9, 0.19, "s");
}

TEST(each_of_the_signals_that_stop_a_run_is_ignored_on_request)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};
    struct np_child sleeper = start_sleeper(NP_CHILD_IGNORES_STOP_SIGNALS);

    for (size_t i = 0; i < NP_COUNT(signals); i++) {
        struct np_child child = start_sleeper(NP_CHILD_ENDS_ON_SIGNALS);
        struct np_child_end end;
        kill(sleeper.pid, signals[i]);
        kill(child.pid, signals[i]);
        ok(np_child_wait(&child, in_s(5), &end));
        ok_int(WTERMSIG(end.wait_status), signals[i]);
        np_child_close(&child);
    }
    ok(!np_child_wait(&sleeper, in_s(0.1), NULL));
    np_child_stop(&sleeper, SIGKILL, 5, NULL);
}

static volatile sig_atomic_t n_handled;

static void count(int signal)
{
    (void)signal;
    n_handled++;
}

static int wait_for_a_signal(void *context, int channel)
{
    int64_t until_ns = in_s(5);

    (void)context;
    write_int(channel, 1);
    while (!n_handled && np_clock_mono_ns() < until_ns)
        poll(NULL, 0, 10);
    return n_handled;
}

TEST(inherited_handlers_run_in_the_child_even_when_the_parent_holds_signals_back)
{
    const struct np_child_options options = {.signals = NP_CHILD_INHERITS_HANDLERS,
                                             .run = wait_for_a_signal};
    sigset_t usr1, before;
    int is_there = 0;
    struct np_child_end end;

    void (*old)(int) = signal(SIGUSR1, count);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, &before);
    struct np_child child = start(&options);
    read_all(&child, &is_there, sizeof(is_there));
    kill(child.pid, SIGUSR1);
    ok(np_child_wait(&child, in_s(10), &end));
    ok_int(end.wait_status, 1 << 8);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGUSR1, old);
    np_child_close(&child);
}

/* Starts a sleeper with or without a death signal, writes its pid, and ends. */
static int orphan_a_child(void *context, int channel)
{
    const int *death_signal = context;
    const struct np_child_options options = {.death_signal = *death_signal, .run = sleep_on};
    struct np_child child = start(&options);
    int is_there;

    read_all(&child, &is_there, sizeof(is_there));
    write_int(channel, child.pid);
    return 0;
}

static int orphan(int death_signal)
{
    const struct np_child_options options = {.run = orphan_a_child, .context = &death_signal};
    struct np_child child = start(&options);
    int pid = -1;

    read_all(&child, &pid, sizeof(pid));
    np_child_stop(&child, 0, 5, NULL);
    return pid;
}

/* Whether an orphan ends within so many seconds: this process is its parent by then. */
static bool ends(int pid, double within_s)
{
    int64_t until_ns = in_s(within_s);

    while (waitpid(pid, NULL, WNOHANG) == 0 && np_clock_mono_ns() < until_ns)
        poll(NULL, 0, 10);
    return kill(pid, 0) != 0;
}

TEST(a_child_with_a_death_signal_ends_with_its_parent_and_one_without_does_not)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int bound = orphan(SIGKILL), free_one = orphan(0);

    ok(bound > 0 && free_one > 0);
    ok(ends(bound, 5));
    ok(!ends(free_one, 0.3));
    kill(free_one, SIGKILL);
    ok(ends(free_one, 5));
}

static int echo(void *context, int channel)
{
    char text[16];
    ssize_t n = read(channel, text, sizeof(text)); /* the child's end blocks */

    (void)context;
    return n > 0 && write(channel, text, (size_t)n) == n ? 0 : 1;
}

TEST(over_a_socket_pair_both_sides_talk)
{
    static const enum np_child_channel kinds[] = {NP_CHILD_STREAM, NP_CHILD_PACKETS};

    for (size_t i = 0; i < NP_COUNT(kinds); i++) {
        const struct np_child_options options = {.channel = kinds[i], .run = echo};
        struct np_child child = start(&options);
        char answer[16] = "";
        ok_int(write(child.fd, "hello", 5), 5);
        read_all(&child, answer, 5);
        ok_str(answer, "hello");
        np_child_stop(&child, 0, 5, NULL);
    }
}

TEST(without_descriptors_there_is_no_child_and_an_error_says_so)
{
    const struct np_child_options options = {.name = "np-test", .run = return_7};
    struct rlimit before, none;
    struct np_child child;
    struct np_error err = {0};

    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    int code = np_child_start(&options, &child, &err);
    setrlimit(RLIMIT_NOFILE, &before);
    ok_int(code, NP_EBUSY);
    ok_contains(err.text, "cannot start a process np-test");
    ok_int(child.pid, 0);
    ok_int(child.fd, -1);
}

TEST(no_child_is_waited_for_and_stopped_without_harm)
{
    struct np_child none = {.fd = -1};
    struct np_child_end end = {.wait_status = 1};

    ok(np_child_wait(&none, INT64_MAX, &end));
    ok_int(end.wait_status, 0);
    ok(np_child_stop(&none, SIGTERM, 5, &end));
    np_child_close(&none);
}

TAP_MAIN
