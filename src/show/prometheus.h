/*
 * Metrics in the Prometheus text format 0.0.4: as a file for node_exporter's textfile collector,
 * and as the body of a page that a Prometheus server scrapes.
 *
 * Names are those that a Prometheus server gives to metrics that come by OTLP:
 *   - dots become underscores;
 *   - the unit is spelled out: s -> seconds, By -> bytes, 1 -> ratio for gauges; annotations such
 *     as "{file}" add nothing;
 *   - counters end in _total.
 * So neuro.stage.duration becomes neuro_stage_duration_seconds_bucket, _sum and _count.
 *
 * An exponential histogram is written as its count and sum, without buckets. The format has no
 * exemplars. Bounds of buckets have a decimal point here ("60.0") and none by OTLP; the queries in
 * the documentation use no bounds.
 */
#ifndef NP_SHOW_PROMETHEUS_H
#define NP_SHOW_PROMETHEUS_H

#include "base/error.h"
#include "otlp/buffer.h"
#include "otlp/redact.h"
#include "trace/trace.h"

/*
 * Append the points to `out`. They must be cumulative, and the points of one metric must be
 * neighbours, as np_trace_collect and np_trace_snapshot give them. With `resource` (may be NULL) a
 * series target_info with its attributes comes first. Label values go through `redactor` (may be
 * NULL). A failure is noted in out->failed.
 */
void np_show_prometheus_text(const struct np_metric_point *point, size_t n_points,
                             const struct np_attrs *resource,
                             const struct np_otlp_redactor *redactor, struct np_otlp_buffer *out);

/*
 * Make `sink` write the file `path` anew at each collection. The file is written under another
 * name and then renamed, so that a reader always finds it whole. node_exporter reads files that
 * end in ".prom". A failure to write does not stop the run; np_show_textfile_trouble reports the
 * first one. `path` is copied; `redactor` is borrowed until the sink is closed.
 */
void np_show_textfile_open(const char *path, const struct np_otlp_redactor *redactor,
                           struct np_trace_sink *sink);

/* True once, after the first failure to write: `what` then holds a sentence for the user. */
bool np_show_textfile_trouble(const struct np_trace_sink *sink, struct np_error *what);

#endif
