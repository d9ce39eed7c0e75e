/* The options with which a run is repeated, for a command that people copy. */
#ifndef NP_CONFIG_AGAIN_H
#define NP_CONFIG_AGAIN_H

#include "base/str.h"
#include "config/config.h"

/* Append " WORD", quoted where a shell would read it otherwise. */
void np_add_shell_word(struct np_str *out, const char *word);

/*
 * Append " --normalize zscore …": every setting of `command` that differs from its default, paths made absolute.
 * Left out are those that select participants and sessions, that are about one run (--rerun, --dry-run, …), that
 * inject faults, and addresses with a password. The options that change results are those of
 * `results` (np_config_results_json; NULL or no JSON: of `config`).
 */
void np_config_add_again(const struct np_config *config, enum np_command command,
                         const char *results, struct np_str *out);

#endif
