/* Completion scripts for shells, from the option table. */
#ifndef NP_CLI_COMPLETE_H
#define NP_CLI_COMPLETE_H

#include <stdio.h>

#include "base/error.h"

/* Print the script of "bash", "zsh" or "fish". Returns 0, NP_EUSAGE (another shell). */
int np_cli_print_completion(FILE *out, const char *shell, struct np_error *err) NP_MUST_USE;

#endif
