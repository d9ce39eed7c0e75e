/* Phase "committed": the final record is on disk, and everything is released. Inside pipeline/ only. */
#ifndef NP_PIPELINE_COMMITTED_H
#define NP_PIPELINE_COMMITTED_H

#include "pipeline/session.h"

/* Write the settled record, and the completion record where there is one; end the span, measure,
 * release all but the record. */
void np_active_commit(struct np_active *active);

#endif
