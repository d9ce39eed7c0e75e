/* The sessions that a run was asked for, kept for `status`: record/plans.h. */
#ifndef NP_PIPELINE_ASKED_H
#define NP_PIPELINE_ASKED_H

#include "pipeline/run.h"
#include "record/plans.h"

/* The session or file of a job; borrows from it. */
struct np_asked np_job_asked(const struct np_job *job);

/*
 * Write the plan of a run, before its first session begins. A run of a whole dataset also says and
 * keeps which sessions of earlier plans the dataset does not hold any more; a run that finds one
 * of these again takes that back. Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO.
 */
int np_run_keep_plan(const struct np_run *run, struct np_error *err) NP_MUST_USE;

/* True when an earlier plan of OUTPUT_DIR asked for a session that this run is to process. */
bool np_run_was_asked(const struct np_run *run);

#endif
