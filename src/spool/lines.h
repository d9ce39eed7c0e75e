/* Read JSON lines of a bounded length. A record may have any size, and any program may have
 * written it. */
#ifndef NP_SPOOL_LINES_H
#define NP_SPOOL_LINES_H

#include <stdint.h>

#include "base/error.h"

/* The longest line that we write, and the longest that is read (a closed span's line is a little
 * longer than that of its start). */
enum { NP_SPOOL_LINE_MOST = 4 << 20, NP_SPOOL_LINE_READ_MOST = NP_SPOOL_LINE_MOST + (64 << 10) };

struct np_spool_lines {
    int fd; /* borrowed */
    char *buffer;
    size_t from, to; /* bytes in the buffer that were not returned yet */
    int64_t offset;  /* of the line that was returned last, in the file */
    int64_t next_offset;
    int64_t n_too_long; /* lines that were skipped */
    bool at_end, skipping;
    bool ends_in_newline; /* after the last line: whether it was complete */
};

/* Read `fd` from where it stands, which counts as offset 0. Returns 0, NP_ENOMEM. */
int np_spool_lines_open(struct np_spool_lines *lines, int fd, struct np_error *err) NP_MUST_USE;

/*
 * Return the next line that is not empty, without its line feed. `*line` is borrowed until the next
 * call and not terminated. A last line without a line feed is returned, too. Returns 1, 0 at the
 * end, NP_EIO.
 */
int np_spool_lines_next(struct np_spool_lines *lines, const char **line, size_t *length,
                        struct np_error *err) NP_MUST_USE;

/* Return the last line once more with the next call, and read what a writer has appended
 * meanwhile. */
void np_spool_lines_put_back(struct np_spool_lines *lines);

/* Continue after the end with what a writer has appended meanwhile. */
void np_spool_lines_continue(struct np_spool_lines *lines);
void np_spool_lines_done(struct np_spool_lines *lines);

#endif
