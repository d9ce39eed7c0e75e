/* The command line to settings. */
#ifndef NP_CLI_PARSE_H
#define NP_CLI_PARSE_H

#include "config/config.h"

/*
 * Read the configuration file, the environment and the command line into `config`, which holds the
 * defaults (np_config_init); later ones win. After success config->command says what to do, the
 * places it needs are there, and every option given applies to it.
 *   notices  gets sentences to print once at the start: options of other tools that were ignored,
 *            features that come in a later version
 * The words of the command line are bytes, kept as they are; messages may hold such bytes only
 * where they are valid UTF-8.
 * Returns 0, NP_EUSAGE, NP_ELEVEL (unknown analysis level), NP_ECONFIG and NP_ENOINPUT
 * (configuration file or environment). On failure `config` may be filled in part; release it.
 */
int np_cli_parse(int argc, char **argv, struct np_config *config, struct np_strings *notices,
                 struct np_error *err);

#endif
