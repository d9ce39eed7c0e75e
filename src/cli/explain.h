/* Explain an exit status, its name, or an error. */
#ifndef NP_CLI_EXPLAIN_H
#define NP_CLI_EXPLAIN_H

#include <stdio.h>

#include "base/error.h"

/*
 * Print meaning and remedy. `code` is an exit status ("65"; 129 to 192 are signals), an outcome's
 * name ("bad-data", also the telemetry's error.type), or an error ("NP_EFORMAT"). Returns 0,
 * NP_EUSAGE (no such code: lists the valid ones).
 */
int np_cli_explain(FILE *out, const char *code, struct np_error *err) NP_MUST_USE;

#endif
