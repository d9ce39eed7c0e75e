#include "spool/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int np_spool_lines_open(struct np_spool_lines *lines, int fd, struct np_error *err)
{
    char *buffer = np_try_malloc(NP_SPOOL_LINE_READ_MOST, 1);

    if (!buffer)
        return np_error_set(err, NP_ENOMEM, "no memory for %d bytes to read telemetry lines",
                            (int)NP_SPOOL_LINE_READ_MOST);
    *lines = (struct np_spool_lines){.fd = fd, .buffer = buffer, .ends_in_newline = true};
    return 0;
}

void np_spool_lines_done(struct np_spool_lines *lines)
{
    free(lines->buffer);
    *lines = (struct np_spool_lines){.fd = -1};
}

/* Bytes of one read: they stay in the processor's cache, and few lines are longer. */
enum { AT_ONCE = 128 << 10 };

/* Read more behind the bytes in the buffer. A full buffer without a line feed is a line that is
 * too long. */
static int refill(struct np_spool_lines *lines, struct np_error *err)
{
    memmove(lines->buffer, lines->buffer + lines->from, lines->to - lines->from);
    lines->to -= lines->from;
    lines->from = 0;
    if (lines->to == NP_SPOOL_LINE_READ_MOST) {
        lines->next_offset += (int64_t)lines->to;
        lines->to = 0;
        lines->n_too_long += !lines->skipping;
        lines->skipping = true;
    }
    size_t room = NP_SPOOL_LINE_READ_MOST - lines->to;
    ssize_t n;
    do
        n = read(lines->fd, lines->buffer + lines->to, room < AT_ONCE ? room : AT_ONCE);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return np_error_errno(err, errno, NP_EIO, "cannot read telemetry lines");
    lines->at_end = n == 0;
    lines->to += (size_t)n;
    return 0;
}

/* Return a line of `n` bytes with `n_newline` line feeds (0 or 1). Returns false when it is
 * empty or too long. */
static bool take(struct np_spool_lines *lines, size_t n, size_t n_newline, const char **line,
                 size_t *length)
{
    bool skipped = lines->skipping;

    *line = lines->buffer + lines->from;
    *length = n;
    lines->offset = lines->next_offset;
    lines->next_offset += (int64_t)(n + n_newline);
    lines->from += n + n_newline;
    lines->skipping = false;
    lines->ends_in_newline = n_newline > 0;
    return n > 0 && !skipped;
}

int np_spool_lines_next(struct np_spool_lines *lines, const char **line, size_t *length,
                        struct np_error *err)
{
    for (;;) {
        size_t n = lines->to - lines->from;
        const char *start = lines->buffer + lines->from;
        const char *newline = n > 0 ? memchr(start, '\n', n) : NULL;
        if (newline) {
            if (take(lines, (size_t)(newline - start), 1, line, length))
                return 1;
        } else if (lines->at_end) {
            if (n == 0 && lines->skipping)
                lines->ends_in_newline = false;
            return n > 0 && take(lines, n, 0, line, length);
        } else {
            NP_TRY(refill(lines, err));
        }
    }
}

void np_spool_lines_continue(struct np_spool_lines *lines)
{
    lines->at_end = false;
}

void np_spool_lines_put_back(struct np_spool_lines *lines)
{
    lines->from -= (size_t)(lines->next_offset - lines->offset);
    lines->next_offset = lines->offset;
    lines->at_end = false;
}
