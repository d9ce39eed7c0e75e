/*
 * The run's record: one file of OTLP JSON lines, "<start>_<run>.otlp.jsonl". It is what exporters
 * send from and what is left when a run is killed.
 *
 * Format. Each line is one complete request in OTLP/JSON and ends in a line feed: {"resourceSpans":
 * …}, {"resourceLogs": …} or {"resourceMetrics": …}; every OTLP reader that takes the Collector's
 * file format takes it. A span stands there when it has ended. One that has begun stands there too,
 * as a log record with eventName "neuro.span.start" (otlp/encode.h), unless it had ended before
 * anything was written: OTLP has no message for an open span, and a span without an end time would
 * mislead its readers. Whoever finds the record of a dead run closes what was left open with
 * np_spool_record_close_open_spans.
 *
 * Lines are appended by single writes to a file opened with O_APPEND, so that a kill leaves at most
 * the last line torn; who appends after that puts a line feed first. What comes at once is written
 * at once: lines are held back until np_trace_settle, which is called before each wait and each
 * fork, or until there are 60 KiB or 256 of them; spans, or log records, that follow each other
 * share lines, at most 16 and about 16 KiB (spool/line_batch.h). Lines are at most NP_SPOOL_LINE_MOST
 * bytes (spool/lines.h); metrics are split to fit.
 */
#ifndef NP_SPOOL_RECORD_H
#define NP_SPOOL_RECORD_H

#include "base/error.h"
#include "otlp/encode.h"
#include "trace/trace.h"

/* What became of the observations so far. */
struct np_spool_health {
    int64_t n_lines; /* written */
    int64_t n_bytes;
    int64_t n_lost; /* that could not be written: disk full, no memory, too long; starts, ended
                       spans, log records, lines of metrics */
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
                         struct np_error *err);

/* Let fewer share a line: a line is sent in one request, and a request may have `most` of them (0 =
 * any number). Before anything is observed. */
void np_spool_record_limit_items(const struct np_trace_sink *sink, int64_t most);

/* Let otel.sdk.processor.* of the trace say what became of spans and log records. */
void np_spool_record_observe(const struct np_trace_sink *sink, struct np_trace *trace);

/* With what is held back written first. Borrowed until the sink is closed, and changes with it. */
const struct np_spool_health *np_spool_record_health(const struct np_trace_sink *sink);

/* True once, after the first loss: `what` then holds a sentence for the user. Ask after a flush. */
bool np_spool_record_trouble(const struct np_trace_sink *sink, struct np_error *what);

#endif
