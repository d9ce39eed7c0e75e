/*
 * The console exporter: telemetry as lines for people. It writes one line for each span that ends,
 * for each log record, and for each time series when metrics are collected:
 *   span skull_strip 1.234 s, error "no brain", trace 4bf9…, span 00f0…, parent b7ad… key=value …
 *     event exception 2026-11-21T10:20:30.123Z key=value …
 *   log 2026-11-21T10:20:30.123Z INFO "a sentence" trace 4bf9…, span 00f0… key=value …
 *   metric neuro.files.processed 3 {file} key=value …
 *   metric neuro.stage.duration count 4, sum 12.5, min 0.1, max 8 s key=value …
 * The form may change; programs read the record.
 */
#ifndef NP_SHOW_CONSOLE_H
#define NP_SHOW_CONSOLE_H

#include "base/error.h"
#include "otlp/redact.h"
#include "send/settings.h"
#include "trace/trace.h"

/*
 * Make `sink` write to `fd` (borrowed) for the signals whose NP_SEND_TO_CONSOLE bit is set in
 * `settings`. Attributes go through `redactor` (borrowed; may be NULL). A line that cannot be
 * written is lost without an error.
 */
void np_show_console_open(int fd, const struct np_send_settings *settings,
                          const struct np_otlp_redactor *redactor, struct np_trace_sink *sink);

#endif
