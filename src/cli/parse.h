/* From the command line to settings. */
#ifndef NP_CLI_PARSE_H
#define NP_CLI_PARSE_H

#include "config/config.h"

/*
 * Read the configuration file, the environment and the command line into `config`, which holds the
 * defaults (np_config_init); later sources take precedence. After success config->command is the
 * command, its places are set, and every given option applies to it.
 *   notices  gets sentences to print once at the start: ignored options of other tools, features of
 *            a later version
 * Words of the command line are bytes and kept unchanged; messages may hold such bytes only where
 * they are valid UTF-8.
 * Returns 0, NP_EUSAGE, NP_ELEVEL (unknown analysis level), NP_ECONFIG and NP_ENOINPUT
 * (configuration file or environment). On failure `config` may be filled in part; release it.
 */
int np_cli_parse(int argc, char **argv, struct np_config *config, struct np_strings *notices,
                 struct np_error *err) NP_MUST_USE;

#endif
