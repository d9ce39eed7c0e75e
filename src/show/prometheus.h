/*
 * Metrics in the Prometheus text format 0.0.4: the content of a file for node_exporter's textfile
 * collector, and of a page that a Prometheus server scrapes.
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

/* How a text is made; all may be NULL. */
struct np_show_page {
    const struct np_attrs *resource; /* its attributes come first, as a series target_info */
    const struct np_otlp_redactor *redactor; /* for the values of labels */
    const char *textfile;                    /* a label of each series: neuro_textfile */
};

/*
 * Append the points to `out`. They must be cumulative, and the points of one metric must be
 * neighbours, as np_trace_collect and np_trace_snapshot give them. A failure is noted in
 * out->failed.
 */
void np_show_prometheus_text(const struct np_metric_point *point, size_t n_points,
                             const struct np_show_page *page, struct np_otlp_buffer *out);

#endif
