/*
 * How a run is observed, by its options and the OTEL_* variables: one open before the run, one
 * close after it.
 */
#ifndef NP_CLI_OBSERVATION_H
#define NP_CLI_OBSERVATION_H

#include "cli/telemetry.h"
#include "config/config.h"
#include "otlp/redact.h"
#include "pipeline/run.h"
#include "send/settings.h"
#include "show/pull.h"

/* {0} is a run without telemetry. */
struct np_observation {
    struct np_send_settings settings;
    enum np_naming naming;             /* in use: hash becomes none when there is no key */
    struct np_otlp_redactor *redactor; /* NULL = labels stay */
    struct np_attrs resource;
    struct np_trace *trace;
    struct np_trace_sink record;   /* self NULL = none, as in the next one */
    struct np_trace_sink textfile; /* of --metrics-textfile */
    struct np_show_pull *pull;     /* NULL = none */
    struct np_telemetry sending;
};

/* Read the settings alone; `warnings` gets a sentence a line.
 * Needs np_observation_done whatever was found. */
void np_observation_read(const struct np_config *config, struct np_observation *observation,
                         struct np_str *warnings);

/* Release what np_observation_read made. */
void np_observation_done(struct np_observation *observation);

/*
 * Observe a run that is prepared (it has its id, plan, console): make its trace with the settings'
 * limits and kinds of metrics, set the run's sampler, and open in this order
 *   1. the key that hides labels
 *   2. what Prometheus reads, and the console
 *   3. the record below OUTPUT_DIR, and the sender of what it gets (unless --no-telemetry)
 * A sink that cannot be opened is a warning on the run's console, never an error: observing is no
 * reason to have no results. Fork nothing that outlives the run after this.
 */
void np_observation_open(struct np_observation *observation, const struct np_config *config,
                         struct np_run *run);

/*
 * After the run and its last collection: flush, let the sender end (which may take its deadline),
 * print the losses and the outcome of sending, release all. The run's trace is gone then.
 */
void np_observation_close(struct np_observation *observation, struct np_run *run);

#endif
