#include "cli/drain.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int pending(int fd)
{
    struct stat status;
    int n = 0;

    if (fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode) || ioctl(fd, FIONREAD, &n) != 0)
        return 0;
    return n;
}

void np_drain_output(void)
{
    enum { STEPS = 200 };
    const struct timespec step = {.tv_nsec = 5 * 1000 * 1000};

    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < STEPS && (pending(STDOUT_FILENO) > 0 || pending(STDERR_FILENO) > 0); i++)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
}

bool np_output_lost(void)
{
    struct stat status;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return false;
    return fstat(STDOUT_FILENO, &status) == 0 && !S_ISFIFO(status.st_mode) &&
           !S_ISSOCK(status.st_mode);
}
