/* Phase "open": the session is ours, and its record says so. Inside pipeline/ only. */
#ifndef NP_PIPELINE_OPEN_H
#define NP_PIPELINE_OPEN_H

#include "pipeline/session.h"

/*
 * Take the lock, close what a dead predecessor left, write the first record ("running"). On failure
 * no record was begun (at worst a completion record is gone, and the session will be done again):
 * its span, if it had one, has ended as failed, `active` is a free place, and `err`, which must not
 * be NULL, says why (NP_EBUSY, NP_ECREATE, NP_ESPACE, NP_EIO, NP_ECONFIG). Returns 1, and leaves
 * everything as it is, when another run has completed the job since this one was planned.
 */
int np_active_open(struct np_active *active, struct np_run *run, const struct np_job *job,
                   const struct np_span *run_span, struct np_error *err);

#endif
