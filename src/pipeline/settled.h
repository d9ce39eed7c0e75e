/*
 * Phase "settled": the worker has ended, and the record is final in memory: the states of files and
 * session (verdict.h), failures, sums, times. Inside pipeline/ only.
 */
#ifndef NP_PIPELINE_SETTLED_H
#define NP_PIPELINE_SETTLED_H

#include "pipeline/session.h"

/*
 * Wait for the worker, which has closed its pipe (a session that is open only, without images or
 * failed by np_active_fail, has none), settle the record, and end the spans that the worker left
 * open.
 */
void np_active_settle(struct np_active *active);

#endif
