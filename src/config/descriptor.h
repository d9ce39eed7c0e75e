/*
 * Boutiques descriptors (schema 0.5): how a driver such as bosh, Nipoppy or CBRAIN calls the
 * program. They are generated from the option table and the outcome table, so that each fact has
 * one source.
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
 * Meaning and remedy of an exit status, as one or more sentences: for every outcome except success,
 * and for the signals after which a run still writes its records. NULL for any other status; the
 * caller frees.
 */
char *np_descriptor_exit_text(int exit_status);

#endif
