/* The telemetry of a command that processes no session (group, status --watch): one open before its
 * work, one close after it. */
#ifndef NP_CLI_COMMAND_TRACE_H
#define NP_CLI_COMMAND_TRACE_H

#include "cli/observation.h"

/* Does not move between open and close. */
struct np_command_trace {
    struct np_plan plan; /* without sessions */
    struct np_console console;
    struct np_run run;
    struct np_observation observation;
};

/* True when the options or OTEL_* variables name a destination. */
bool np_command_trace_is_sent(const struct np_config *config);

/* Open the record, and what else the options ask for. `folder` (borrowed until close) gives the dataset's
 * name when there is no --dataset-name; lines go to stderr when `is_quiet`. */
void np_command_trace_open(struct np_command_trace *trace, const struct np_config *config,
                           const struct np_folder *folder, bool is_quiet);

/* Collect the metrics, send what there is, print what was lost. */
void np_command_trace_close(struct np_command_trace *trace, int exit_status);

#endif
