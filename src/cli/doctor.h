/* neuro-preprocess doctor: finds problems that would stop or slow a run here, and prints
 * remedies. */
#ifndef NP_CLI_DOCTOR_H
#define NP_CLI_DOCTOR_H

#include <stdio.h>

#include "config/config.h"

/*
 * Check this machine, job and container, and the given places (bids_dir, output_dir, work_dir; each
 * may be NULL). Prints one line per check on `out`: "ok", "warn" or "FAIL", the finding, and the
 * remedy unless it is ok. Nothing remains: a temporary folder at the output's place is removed.
 * Returns the exit status: 0 when nothing failed, else that of the first failure: 66 no-input, 73
 * cant-create, 74 io, …
 */
int np_doctor(const struct np_config *config, FILE *out);

#endif
