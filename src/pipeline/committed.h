/*
 * Phase "committed": the final record is on disk, the completion record after it, and all that the
 * session held is released. Inside pipeline/ only.
 */
#ifndef NP_PIPELINE_COMMITTED_H
#define NP_PIPELINE_COMMITTED_H

#include "pipeline/session.h"

/*
 * Remove outputs that the session replaces, write the status record, and write the completion
 * record when the session is complete; a failed write makes the session fail. Then end the span,
 * measure (observe.h), print the outcome, and release everything except the record: the caller
 * reads it and calls np_record_done.
 */
void np_active_commit(struct np_active *active);

#endif
