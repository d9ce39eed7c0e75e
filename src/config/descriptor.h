/*
 * Boutiques descriptors (schema 0.5): how a driver such as bosh, Nipoppy or CBRAIN calls the
 * program. Generated from the option table and the outcome table, so that neither is told twice.
 */
#ifndef NP_CONFIG_DESCRIPTOR_H
#define NP_CONFIG_DESCRIPTOR_H

#include "config/config.h"

/*
 * The descriptor as JSON, indented, with a final newline; the caller frees.
 *   command  NP_COMMAND_IDPS: of `idps`; anything else: of the BIDS App
 *   version  of the program and of its container image: "0.1.0"
 */
char *np_descriptor_json(enum np_command command, const char *version);

/*
 * What an exit status means and what to do, as one sentence or more: of every outcome that is no
 * success, and of the signals that end a run in good order. NULL for any other status; the caller
 * frees.
 */
char *np_descriptor_exit_text(int exit_status);

#endif
