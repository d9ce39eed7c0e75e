/* neuro-preprocess: parse the command line, run the command, and wait until the last line was
 * read. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/demo_data.h"
#include "cli/doctor.h"
#include "cli/drain.h"
#include "cli/explain.h"
#include "cli/limits.h"
#include "cli/manpage.h"
#include "cli/parse.h"
#include "cli/signals.h"
#include "cli/usage.h"
#include "cli/version.h"
#include "config/config_file.h"
#include "config/descriptor.h"

static int done(int code, const struct np_error *err)
{
    return code < 0 ? np_command_fail(err) : 0;
}

static int print_help(const struct np_config *config)
{
    NP_AUTO(np_config_done) struct np_config defaults;

    np_config_init(&defaults);
    if (config->command == NP_COMMAND_MAN)
        np_cli_print_man(stdout, &defaults);
    else
        np_cli_print_help(stdout, &defaults, config->topic);
    return 0;
}

static int print_version(void)
{
    NP_AUTO(np_strings_done) struct np_strings libraries = {0};

    np_command_libraries(&libraries);
    np_cli_print_version(stdout, &libraries);
    return 0;
}

static int print_text(char *text)
{
    fputs(text, stdout);
    np_freep(&text);
    return 0;
}

static int demo_data(const struct np_config *config)
{
    struct np_error err = {0};

    return done(np_demo_data(config, &err), &err);
}

static int dispatch(const struct np_config *config, const struct np_cancel *cancel)
{
    struct np_error err = {0};

    switch (config->command) {
    case NP_COMMAND_PARTICIPANT:
    case NP_COMMAND_PROCESS:
    case NP_COMMAND_BATCH:
        return np_command_run(config, cancel);
    case NP_COMMAND_GROUP:
        return np_command_group(config);
    case NP_COMMAND_STATUS:
        return np_command_status(config, cancel);
    case NP_COMMAND_IDPS:
        return np_command_idps(config);
    case NP_COMMAND_DOCTOR:
        return np_doctor(config, stdout);
    case NP_COMMAND_ESTIMATE:
        return np_command_estimate(config);
    case NP_COMMAND_DEMO_DATA:
        return demo_data(config);
    case NP_COMMAND_HELP:
    case NP_COMMAND_MAN:
        return print_help(config);
    case NP_COMMAND_VERSION:
        return print_version();
    case NP_COMMAND_EXPLAIN:
        return done(np_cli_explain(stdout, config->argument, &err), &err);
    case NP_COMMAND_PRINT_CONFIG:
        return print_text(np_config_json(config));
    case NP_COMMAND_PRINT_CONFIG_SCHEMA:
        return print_text(np_config_schema_json());
    case NP_COMMAND_COMPLETION:
        return done(np_cli_print_completion(stdout, config->argument, &err), &err);
    case NP_COMMAND_BIDS_EXEC_SPEC:
        return print_text(np_descriptor_json(config->topic, np_cli_version()));
    case NP_COMMAND_REPLAY:
        return np_command_replay(config);
    }
    return np_outcome_info(NP_OUTCOME_INTERNAL)->exit_status;
}

static int run(int argc, char **argv, const struct np_cancel *cancel)
{
    NP_AUTO(np_config_done) struct np_config config;
    NP_AUTO(np_strings_done) struct np_strings notices = {0};
    struct np_error err = {0};

    np_config_init(&config);
    if (np_cli_parse(argc, argv, &config, &notices, &err) < 0)
        return np_command_fail(&err);
    for (size_t i = 0; i < notices.n && config.verbosity >= 0; i++)
        fprintf(stderr, "neuro-preprocess: notice: %s\n", notices.item[i]);
    return dispatch(&config, cancel);
}

static int fail_for_output(void)
{
    struct np_error err = {0};

    np_error_set(&err, NP_EIO, "standard output cannot be written; not all of it was printed");
    return np_command_fail_with(&err, "send standard output elsewhere, or free space where it "
                                      "goes, then run the same command again");
}

int main(int argc, char **argv)
{
    struct np_error err = {0};

    np_open_output();
    if (np_limits_prepare(&err) < 0)
        return np_command_fail_with(&err, "set it in this shell (ulimit -s 8192) or in the job's "
                                          "limits, then run the same command again");
    int status = run(argc, argv, np_signals_install());

    np_drain_output();
    return status == 0 && np_output_lost() ? fail_for_output() : status;
}
