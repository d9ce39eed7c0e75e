/*
 * A file of metrics for node_exporter's textfile collector, which reads all files of one folder
 * that end in ".prom". It serves a series that two of them hold only once, and which one is not
 * said. So each series has the label neuro_textfile: the file's name without ".prom".
 */
#ifndef NP_SHOW_TEXTFILE_H
#define NP_SHOW_TEXTFILE_H

#include "base/error.h"
#include "otlp/redact.h"
#include "trace/trace.h"

/*
 * Find out before any work whether `path` may be written: its name ends in ".prom", it does not lie
 * below `dataset` (NULL = none), and it is new or a file that an earlier run wrote. The same holds
 * for the file that a link leads to. Returns 0, NP_EUSAGE (the name), NP_ECREATE, NP_EIO.
 */
int np_show_textfile_check(const char *path, const char *dataset, struct np_error *err) NP_MUST_USE;

/*
 * Make `sink` write the file `path` anew at each collection, with mode 0644: the collector is
 * another user. The file is written under another name and then renamed, so that a reader always
 * finds it whole. A file that np_show_textfile_check refuses is not replaced here either. A failure to
 * write does not stop the run; np_show_textfile_trouble reports the first one. `path` is copied;
 * `redactor` is borrowed until the sink is closed.
 */
void np_show_textfile_open(const char *path, const struct np_otlp_redactor *redactor,
                           struct np_trace_sink *sink);

/* True once, after the first failure to write: `what` then holds a sentence for the user. */
bool np_show_textfile_trouble(const struct np_trace_sink *sink, struct np_error *what);

#endif
