/* The limits on this process that would make it crash. */
#ifndef NP_CLI_LIMITS_H
#define NP_CLI_LIMITS_H

#include "base/error.h"

/*
 * Raise a small limit on the stack as far as it may be raised, and see to it that threads have
 * large enough ones. Children inherit both. Call it first of all. Returns 0, NP_ENOMEM (the limit
 * is too low and cannot be raised).
 */
int np_limits_prepare(struct np_error *err) NP_MUST_USE;

#endif
