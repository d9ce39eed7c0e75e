/* Phase "open": we hold the lock of the session, and its record is in state running. Inside
 * pipeline/ only. */
#ifndef NP_PIPELINE_OPEN_H
#define NP_PIPELINE_OPEN_H

#include "pipeline/session.h"

/*
 * Take the lock, close the record of a dead predecessor, write the first record ("running"). On
 * failure there is no new record (at worst a completion record was removed, and the session will be
 * processed again): its span, if it had one, has ended as failed, `active` is unused, and `err`,
 * which must not be NULL, gives the reason (NP_ELOCKED: another run works on it; NP_ECREATE, NP_ESPACE, NP_EIO, NP_ECONFIG).
 * Returns 1, and changes nothing, when another run has completed the job since this one was
 * planned.
 */
int np_active_open(struct np_active *active, struct np_run *run, const struct np_job *job,
                   const struct np_span *run_span, struct np_error *err) NP_MUST_USE;

#endif
