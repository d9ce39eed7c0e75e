#include "tap.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_TESTS = 256 };

static struct {
    const char *name;
    tap_test_fn *fn;
} tests[MOST_TESTS];
static int n_tests;
static int n_checks, n_failed;
static const char *skipped;
static char directory[64];

void tap_register(const char *name, tap_test_fn *fn)
{
    if (n_tests == MOST_TESTS)
        abort();
    tests[n_tests].name = name;
    tests[n_tests++].fn = fn;
}

void tap_check(bool passed, const char *file, int line, const char *format, ...)
{
    n_checks++;
    if (passed)
        return;
    n_failed++;
    printf("# %s:%d: failed: ", file, line);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

void tap_check_string(const char *found, const char *expected, const char *file, int line)
{
    bool same = found && expected ? strcmp(found, expected) == 0 : found == expected;

    tap_check(same, file, line, "found '%s', expected '%s'", found ? found : "(null)",
              expected ? expected : "(null)");
}

void tap_check_contains(const char *found, const char *part, const char *file, int line)
{
    tap_check(found && strstr(found, part), file, line, "found '%s', expected it to contain '%s'",
              found ? found : "(null)", part);
}

void tap_check_integer(int64_t found, int64_t expected, const char *what, const char *file,
                       int line)
{
    tap_check(found == expected, file, line, "%s is %lld, expected %lld", what, (long long)found,
              (long long)expected);
}

void tap_check_near(double found, double expected, double tolerance, const char *what,
                    const char *file, int line)
{
    tap_check(fabs(found - expected) <= tolerance, file, line, "%s: %.9g, expected %.9g ± %g", what,
              found, expected, tolerance);
}

bool tap_run(const char *const *argv)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, 1);
        dup2(nowhere, 2);
        char *const *words; /* execvp does not change them */
        memcpy(&words, &argv, sizeof(words));
        execvp(argv[0], words);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

void tap_limit_file_size(int64_t most)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN); /* then the write fails instead */
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
        abort();
    limit.rlim_cur = most >= 0 && (rlim_t)most < limit.rlim_max ? (rlim_t)most : limit.rlim_max;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        abort();
}

void tap_skip(const char *why)
{
    skipped = why;
}

static void remove_directory(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        execlp("rm", "rm", "-rf", directory, (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

const char *tap_directory(void)
{
    if (!directory[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(directory, sizeof(directory), "%.40s/np-unit-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(directory))
            abort();
        atexit(remove_directory);
    }
    return directory;
}

int tap_main(int argc, char **argv)
{
    int n_bad = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%d\n", n_tests);
    for (int i = 0; i < n_tests; i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1])) {
            printf("ok %d - %s # SKIP not asked for\n", i + 1, tests[i].name);
            continue;
        }
        n_checks = n_failed = 0;
        skipped = NULL;
        tests[i].fn();
        bool good = n_failed == 0 && (n_checks > 0 || skipped);
        n_bad += !good;
        printf("%s %d - %s%s%s\n", good ? "ok" : "not ok", i + 1, tests[i].name,
               skipped ? " # SKIP " : "", skipped ? skipped : "");
    }
    return n_bad > 0;
}
