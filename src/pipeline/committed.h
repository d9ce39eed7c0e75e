/*
 * Phase "committed": the final record is on disk, the completion record after it, and all that the
 * session held is released. Inside pipeline/ only.
 */
#ifndef NP_PIPELINE_COMMITTED_H
#define NP_PIPELINE_COMMITTED_H

#include "pipeline/session.h"

/*
 * Remove what the session's outputs replace, write the status record, and the completion record
 * when the session is complete; a write that fails makes the session fail. Then end the span,
 * measure (observe.h), say the outcome, and release all but the record: the caller reads it, then
 * calls np_record_done.
 */
void np_active_commit(struct np_active *active);

#endif
