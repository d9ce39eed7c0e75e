/*
 * The run's record: one file of OTLP/JSON lines, "<start>_<run>.otlp.jsonl". Everything that is sent
 * is read from it, and it is what a killed run leaves behind.
 *
 * Format. Each line is one complete request in OTLP/JSON and ends in a line feed:
 * {"resourceSpans": …}, {"resourceLogs": …} or {"resourceMetrics": …}, as in the Collector's file
 * format. A span is written when it has ended. A span that has begun is written, too, as a log
 * record with eventName "neuro.span.start" (otlp/encode.h), unless it ended before the next write:
 * OTLP has no message for an open span, and a span without an end time would mislead its readers.
 * np_spool_record_close_open_spans (spool/closing.h) ends the open spans of a dead run. The last
 * line of a run that has ended is a log record with eventName "neuro.run.end".
 *
 * Lines are appended by single writes to a file opened with O_APPEND, so that a kill leaves at most
 * the last line torn; the next append begins with a line feed then. Lines are held until
 * np_trace_settle, which is called before each wait and each fork, or until there are 60 KiB or 256
 * of them. The spans of one write, and its log records, share lines: at most 16 and about 16 KiB
 * (spool/line_batch.h). A line has at most NP_SPOOL_LINE_MOST bytes (spool/lines.h); metrics are
 * split to fit.
 */
#ifndef NP_SPOOL_RECORD_H
#define NP_SPOOL_RECORD_H

#include "base/error.h"
#include "otlp/encode.h"
#include "trace/trace.h"

/* How the name of a record ends. */
#define NP_SPOOL_RECORD_SUFFIX ".otlp.jsonl"

/* Counts of written and lost observations. */
struct np_spool_health {
    int64_t n_lines; /* written */
    int64_t n_bytes;
    int64_t n_lost; /* not written because of a full disk, missing memory or their length:
                       starts, ended spans, log records, lines of metrics */
    int64_t n_spans, n_spans_lost; /* ended spans, written and lost */
    int64_t n_logs, n_logs_lost;   /* log records, without span starts */
    struct np_error first_loss;
};

/*
 * Open or create `path` (and its folders) and make `sink` append to it: span starts, span ends,
 * logs and metrics. `resource` and `scope` are copied; both may be NULL. settle writes what is held
 * back; flush does that and syncs the file to the disk; close syncs and releases.
 *
 * Telemetry never fails the run: what cannot be written is counted and the run goes on. A forked
 * child must neither use nor close the sink. As long as it is open the file is locked (flock),
 * where files can be: the run is alive. Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO. On failure `sink`
 * is untouched.
 */
int np_spool_record_open(const char *path, const struct np_attrs *resource,
                         const struct np_instrumentation *scope, struct np_trace_sink *sink,
                         struct np_error *err) NP_MUST_USE;

/* Let at most `most` items share a line (0 = the default), because a line is never split between
 * requests. Call it before anything is observed. */
void np_spool_record_limit_items(const struct np_trace_sink *sink, int64_t most);

/*
 * Note that the run has ended, as the last line of the record, with the run's exit status. A record
 * without this line is one of a run that goes on or was killed. Space for the line is set aside
 * when the record is opened, where the file system can do that, so that the line finds room on a
 * disk that has become full. Call it once, after the last observation.
 */
void np_spool_record_end(const struct np_trace_sink *sink, int exit_status);

/* Report written and lost spans and log records as the trace's metrics otel.sdk.processor.*. */
void np_spool_record_observe(const struct np_trace_sink *sink, struct np_trace *trace);

/* Returns true once after the first loss; `what` is then a sentence for the user, with the number of
 * losses and the first reason. Call it after a flush. */
bool np_spool_record_trouble(const struct np_trace_sink *sink, struct np_error *what);

#endif
