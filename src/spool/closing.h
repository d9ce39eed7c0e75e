/* Closing the spans that a dead run left open in its record. */
#ifndef NP_SPOOL_CLOSING_H
#define NP_SPOOL_CLOSING_H

#include <stdint.h>

#include "base/error.h"

/* The words about damaged lines, after their number. */
#define NP_SPOOL_UNREADABLE " of its lines cannot be read: what they held is not sent"

/* The contents of the record of a dead run. */
struct np_spool_closing {
    int64_t n_lines;      /* that could be read */
    int64_t n_unreadable; /* damaged, foreign, or too long */
    int64_t n_torn;       /* 1: the run's last line was cut short, as a kill leaves it */
    int64_t n_started;    /* spans whose start was seen */
    int64_t n_closed;     /* spans that were open, and are ended now */
    int64_t last_seen_ns; /* the latest time in the file: no later sign of life is known */
};

/*
 * Append the end of every span that began and did not end: with its ids, name, attributes and links
 * as at its start, and the resource and scope of its run. A second call finds nothing to do. A torn
 * last line is left as it is, as a line of its own.
 *
 * A span of a run that has no end gets status Error, error.type "killed", neuro.error.code
 * NP_EKILLED, and the latest time in the file as its end. The end of a span can be missing though
 * its run or its session ended, as on a full disk: then it gets neuro.telemetry.incomplete and no
 * error.type; a session gets the status that its final record in the output folder tells, other
 * spans get none. An end is known from the run's last line, the end of the trace's root, or the
 * session's final record.
 *
 * The run must be dead: while its record is locked, by the run or by another process that is closing
 * it, the answer is NP_EBUSY. Where files cannot be locked, one process at a time should do this:
 * what two of them append at once is the same line twice. At most 65536 spans open at once are
 * followed; later ones are not closed. `report` may be NULL; on failure it is untouched, and what
 * was appended already stays (call again). Returns 0, NP_EBUSY, NP_ENOINPUT (no such file, not a
 * file, not writable), NP_EIO, NP_ESPACE, NP_ENOMEM.
 */
int np_spool_record_close_open_spans(const char *path, struct np_spool_closing *report,
                                     struct np_error *err) NP_MUST_USE;

#endif
