#include "spool/append.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bytes of the first `n` up to the last line feed. */
static size_t whole_lines(const char *bytes, size_t n)
{
    const char *last = memrchr(bytes, '\n', n);

    return last ? (size_t)(last - bytes) + 1 : 0;
}

int np_spool_append(int fd, const char *path, const char *bytes, size_t n_bytes, bool *is_torn,
                    size_t *n_whole, struct np_error *err)
{
    size_t done = 0;
    int failed = 0;

    while (done < n_bytes && !failed) {
        ssize_t n = write(fd, bytes + done, n_bytes - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            failed = n == 0 ? ENOSPC : errno;
    }
    size_t whole = whole_lines(bytes, done);
    if (n_whole)
        *n_whole = whole;
    if (done > 0)
        *is_torn = whole < done;
    if (!failed)
        return 0;
    /* Remove the half line: a reader would join it to the next one. */
    struct stat status;
    if (done > whole && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        ftruncate(fd, status.st_size - (off_t)(done - whole)) == 0)
        *is_torn = false;
    return np_error_errno(err, failed, NP_EIO, "'%s': cannot write telemetry", path);
}

int np_spool_ends_torn(int fd, const char *path, bool *is_torn, struct np_error *err)
{
    struct stat status;
    char last = '\n';

    if (fstat(fd, &status) != 0)
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot read the telemetry record", path);
    if (S_ISREG(status.st_mode) && status.st_size > 0 &&
        pread(fd, &last, 1, status.st_size - 1) != 1)
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot read the telemetry record", path);
    *is_torn = last != '\n';
    return 0;
}
