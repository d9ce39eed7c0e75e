/* The manual page, from the same tables as the help. */
#ifndef NP_CLI_MANPAGE_H
#define NP_CLI_MANPAGE_H

#include <stdio.h>

#include "config/config.h"

/* Print neuro-preprocess(1) in roff (the man macros); `defaults` as for np_cli_print_help. */
void np_cli_print_man(FILE *out, const struct np_config *defaults);

#endif
