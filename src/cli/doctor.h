/* neuro-preprocess doctor: what would stop or slow a run here, and what to do about it. */
#ifndef NP_CLI_DOCTOR_H
#define NP_CLI_DOCTOR_H

#include <stdio.h>

#include "config/config.h"

/*
 * Check this machine, job and container, and the places given (bids_dir, output_dir, work_dir; each
 * may be NULL). One line a check on `out`: "ok", "warn" or "FAIL", what was found, and what to do
 * unless it is ok. Nothing stays behind: a probe folder is made where the output would go, and
 * removed. Returns the exit status: 0 when nothing failed, else that of the first failure: 66
 * no-input, 73 cant-create, 74 io, …
 */
int np_doctor(const struct np_config *config, FILE *out);

#endif
