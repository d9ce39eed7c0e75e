/* status --withdraw and --restore: the user's word on what is wanted. */
#ifndef NP_CLI_WITHDRAWAL_H
#define NP_CLI_WITHDRAWAL_H

#include "config/config.h"
#include "record/survey.h"

/*
 * Record the changes that `config` asks for, and say each on stderr, with how to undo it. `survey` has
 * the sessions that can be named: "sub-01_ses-02", "sub-01/ses-02", "sub-01" (all of a participant),
 * or the name of a file. Returns 0, NP_ESELECT (no such session: nothing was changed), NP_ECREATE,
 * NP_ESPACE, NP_EIO.
 */
int np_withdrawal_apply(const struct np_config *config, const struct np_survey *survey,
                        struct np_error *err) NP_MUST_USE;

#endif
