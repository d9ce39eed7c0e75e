/* --help, from the option table and the defaults of a fresh configuration. */
#ifndef NP_CLI_USAGE_H
#define NP_CLI_USAGE_H

#include <stdio.h>

#include "config/config.h"
#include "config/options.h"

/*
 * Print the help of one command, or with NP_COMMAND_HELP of the program: forms, options by group
 * with the defaults found in `defaults`, exit codes, examples. At most 100 columns.
 */
void np_cli_print_help(FILE *out, const struct np_config *defaults, enum np_command topic);

/* "--work-dir DIR", "--participant-label LABEL...", "--normalize {zscore|none}";
 * the caller frees. */
char *np_cli_option_form(const struct np_option *option);

/* The default as help shows it, "" without a default; the caller frees. */
char *np_cli_option_default(const struct np_option *option, const struct np_config *defaults);

/* "--nthreads, --n-cpus, --n-procs", "" when the option has no other name; the caller frees. */
char *np_cli_option_aliases(const struct np_option *option);

/* The accepted options of other tools: "--notrack --no-sub ..."; the caller frees. */
char *np_cli_foreign_options(void);

/* A command line and what it does, for the help and the man page; ends with {NULL}. */
struct np_cli_example {
    const char *line;
    const char *does;
};

extern const struct np_cli_example np_cli_examples[];

#endif
