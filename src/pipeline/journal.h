/* The log of a session: each log record goes to the session's _log.jsonl (later attempts append)
 * and to the trace. */
#ifndef NP_PIPELINE_JOURNAL_H
#define NP_PIPELINE_JOURNAL_H

#include "trace/trace.h"

struct np_journal {
    int fd; /* -1 = none */
    char run_id[40];
};

/* Open for appending. If the file cannot be opened (or is a link), lines are dropped; the record
 * will report the error. */
void np_journal_open(struct np_journal *journal, const char *path, const char *run_id);
void np_journal_write(struct np_journal *journal, const struct np_log_record *record);
void np_journal_close(struct np_journal *journal);

#endif
