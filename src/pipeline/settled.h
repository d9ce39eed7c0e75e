/* Phase "settled": the worker has ended, and the record is final in memory. Inside pipeline/ only. */
#ifndef NP_PIPELINE_SETTLED_H
#define NP_PIPELINE_SETTLED_H

#include "pipeline/session.h"

/* The worker has ended so (zeroed when none was started): settle the states of the files and of the
 * session, and end the spans that the worker left open. */
void np_active_settle(struct np_active *active, const struct np_child_end *end);

#endif
