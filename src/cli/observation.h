/*
 * How a run is observed, by its options and the OTEL_* variables: limits, sampler, kinds of
 * metrics, and the two ways in which Prometheus reads them. Sending is not here.
 */
#ifndef NP_CLI_OBSERVATION_H
#define NP_CLI_OBSERVATION_H

#include "config/config.h"
#include "otlp/redact.h"
#include "pipeline/run.h"
#include "send/settings.h"
#include "show/pull.h"

struct np_observation {
    struct np_send_settings settings;
    enum np_naming naming;             /* what holds: hash becomes none when there is no key */
    struct np_otlp_redactor *redactor; /* NULL = labels stay */
    struct np_trace_sink textfile;     /* self NULL = none */
    struct np_show_pull *pull;         /* NULL = none */
    struct np_trace *trace;            /* borrowed */
};

/* Read settings; `warnings` gets a sentence a line.
 * Needs np_observation_done whatever was found. */
void np_observation_read(const struct np_config *config, struct np_observation *observation,
                         struct np_str *warnings);

/* Settle the run's trace, sampler and collections accordingly and open what Prometheus reads. What
 * cannot be had is a warning on the console. The redactor belongs to the observation: close the
 * trace first. */
void np_observation_begin(struct np_observation *observation, const struct np_config *config,
                          struct np_run *run);

/* Say on the console, once, what went wrong meanwhile. */
void np_observation_say(const struct np_observation *observation, struct np_console *console);

/* End what was opened: call it after the run, before its trace is released. */
void np_observation_end(struct np_observation *observation);

/* Release the rest, after the trace is released. */
void np_observation_done(struct np_observation *observation);

#endif
