/* Whether a record is needed any more. */
#ifndef NP_SEND_ACKNOWLEDGED_H
#define NP_SEND_ACKNOWLEDGED_H

#include <stdbool.h>

#include "base/error.h"
#include "send/settings.h"

/*
 * `*is_all` becomes true when every destination of `settings` has acknowledged all items of its
 * signal in the record of a run that has ended, and has rejected none. Items of a signal without a
 * destination are not acknowledged; traces that the sampler left out need not be. Nothing is
 * written or sent. Returns 0, NP_ENOINPUT, NP_EIO, NP_ENOMEM.
 */
int np_send_acknowledged(const char *record_path, const struct np_send_settings *settings,
                         bool *is_all, struct np_error *err) NP_MUST_USE;

#endif
