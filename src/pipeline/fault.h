/* Faults injected on request (--fail-rate, --slow-stage): deterministic for a seed, and marked
 * as injected in all records. */
#ifndef NP_PIPELINE_FAULT_H
#define NP_PIPELINE_FAULT_H

#include "base/exec.h"
#include "config/config.h"

/* True when this run injects faults of any kind. */
bool np_fault_enabled(const struct np_config *config);

/*
 * The stage of `n_stages` at which the file `name` is to fail: -1 = none. Depends on --random-seed,
 * --fail-rate and `name` alone.
 */
int np_fault_stage(const struct np_config *config, const char *name, int n_stages);

/* Sleep for the delay of --slow-stage, if this is the stage: true then. Ends early when canceled. */
bool np_fault_delay(const struct np_config *config, const char *stage, const struct np_exec *exec);

#endif
