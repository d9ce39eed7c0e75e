#include "cli/drain.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void np_open_output(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDWR); /* gets the lowest free number: this descriptor */
}

static bool is_pipe(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

static int pending(int fd)
{
    int n = 0;

    return is_pipe(fd) && ioctl(fd, FIONREAD, &n) == 0 ? n : 0;
}

void np_drain_output(void)
{
    enum { STEPS = 200, MS = 1000 * 1000 };
    const struct timespec step = {.tv_nsec = 5 * MS}, grace = {.tv_nsec = 20 * MS};

    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < STEPS && (pending(STDOUT_FILENO) > 0 || pending(STDERR_FILENO) > 0); i++)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
    /* The reader may have read several lines at once and print them one by one, but only while
     * we run. */
    if (is_pipe(STDOUT_FILENO) || is_pipe(STDERR_FILENO))
        clock_nanosleep(CLOCK_MONOTONIC, 0, &grace, NULL);
}

bool np_output_lost(void)
{
    struct stat status;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return false;
    return fstat(STDOUT_FILENO, &status) == 0 && !S_ISFIFO(status.st_mode) &&
           !S_ISSOCK(status.st_mode);
}
