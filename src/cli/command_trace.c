#include "cli/command_trace.h"

#include <stdio.h>

bool np_command_trace_is_sent(const struct np_config *config)
{
    NP_AUTO(np_str_done) struct np_str warnings = {0};
    struct np_observation observation;

    if (config->no_telemetry)
        return false;
    np_observation_read(config, &observation, &warnings);
    bool is_sent = np_send_settings_sends(&observation.settings);
    np_observation_done(&observation);
    return is_sent;
}

void np_command_trace_open(struct np_command_trace *trace, const struct np_config *config,
                           const struct np_folder *folder, bool is_quiet)
{
    *trace = (struct np_command_trace){.plan = {.folder = *folder}};
    np_console_init(&trace->console, config->verbosity);
    if (is_quiet)
        trace->console.out = stderr;
    trace->run = (struct np_run){
        .config = config, .plan = &trace->plan, .console = &trace->console, .version = NP_VERSION};
    np_run_id(trace->run.id);
    np_observation_open(&trace->observation, config, &trace->run);
}

void np_command_trace_close(struct np_command_trace *trace, int exit_status)
{
    trace->run.exit_status = exit_status;
    np_trace_collect(trace->run.trace);
    np_observation_close(&trace->observation, &trace->run);
}
