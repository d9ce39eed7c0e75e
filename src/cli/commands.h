/* The commands. Every function returns the exit status, and has printed the error when it is not
 * 0. */
#ifndef NP_CLI_COMMANDS_H
#define NP_CLI_COMMANDS_H

#include "base/exec.h"
#include "config/config.h"
#include "pipeline/console.h"

/* participant, process, batch */
int np_command_run(const struct np_config *config, const struct np_cancel *cancel);
int np_command_group(const struct np_config *config);
int np_command_status(const struct np_config *config, const struct np_cancel *cancel);
int np_command_idps(const struct np_config *config);
int np_command_replay(const struct np_config *config);
int np_command_estimate(const struct np_config *config);

/* The linked libraries, for --version: "zlib 1.2.13", … */
void np_command_libraries(struct np_strings *libraries);

/* Print an error on stderr as one valid UTF-8 line with its remedy; returns its exit status. */
int np_command_fail(const struct np_error *err) NP_MUST_USE;

/* The same with a remedy that fits better than that of the error's outcome. */
int np_command_fail_with(const struct np_error *err, const char *remedy) NP_MUST_USE;

/* --metrics-textfile: refuse a file that must not be written, before any work. Every command that
 * has the option asks. NP_EUSAGE, NP_ECREATE. */
int np_command_check_textfile(const struct np_config *config, struct np_error *err) NP_MUST_USE;

/* Print warnings; `text` has one per line. */
void np_command_warn(const char *text, struct np_console *console);

#endif
