/* Information about this build. */
#ifndef NP_CLI_VERSION_H
#define NP_CLI_VERSION_H

#include <stdio.h>

#include "base/str.h"

/* "0.1.0" */
const char *np_cli_version(void);

/* The commit that it was built from, "unknown" outside a checkout. */
const char *np_cli_commit(void);

/*
 * "neuro-preprocess VERSION", then compiler, flags, libraries and commit, one line each.
 * `libraries` names what is linked besides the JSON library, such as "zlib 1.2.13"; may be NULL.
 */
void np_cli_print_version(FILE *out, const struct np_strings *libraries);

#endif
