/*
 * Metrics as Prometheus reads them: the text format 0.0.4, as a file for node_exporter's textfile
 * collector and as a page that a server fetches.
 *
 * Names are those that Prometheus makes of OTLP: dots become underscores, the unit is spelled out
 * (s -> seconds, By -> bytes, 1 -> ratio for gauges; "{file}" is none), counters end in _total:
 * neuro.stage.duration is neuro_stage_duration_seconds_bucket, _sum and _count. Exponential
 * histograms are shown with the bounds of their metric's definition left out: as count and sum.
 * The format has no exemplars. Bounds of histograms have a decimal point here ("60.0") where they
 * have none when they come through OTLP: the queries that we give use no bounds.
 */
#ifndef NP_SHOW_PROMETHEUS_H
#define NP_SHOW_PROMETHEUS_H

#include "base/error.h"
#include "otlp/buffer.h"
#include "otlp/redact.h"
#include "trace/trace.h"

/*
 * Append the points, cumulative and neighbours by metric, as np_trace_collect and np_trace_snapshot
 * give them. With `resource` (may be NULL) a series target_info with its attributes comes first.
 * Label values go through `redactor` (may be NULL). Failure stands in out->failed.
 */
void np_show_prometheus_text(const struct np_metric_point *point, size_t n_points,
                             const struct np_attrs *resource,
                             const struct np_otlp_redactor *redactor, struct np_otlp_buffer *out);

/* "neuro_files_processed_total", without _bucket, _sum, _count. The caller frees. */
char *np_show_prometheus_name(const struct np_metric_def *def);

/*
 * A sink that writes the file anew at each collection: beside its name, then renamed over it, so
 * that nobody reads half of it. node_exporter takes files that end in ".prom". A failure is kept
 * and told by np_show_textfile_trouble; the run goes on. `path` is copied; `redactor` is borrowed
 * until the sink is closed.
 */
struct np_trace_sink np_show_textfile_sink(const char *path,
                                           const struct np_otlp_redactor *redactor);

/* True once, after the first failure: `what` then holds a sentence for the user. */
bool np_show_textfile_trouble(const struct np_trace_sink *sink, struct np_error *what);

#endif
