/*
 * The files that a session would write, looked at before any of its work: each has one input, and
 * what is there already is ours to replace. Inside pipeline/ only.
 */
#ifndef NP_PIPELINE_TARGETS_H
#define NP_PIPELINE_TARGETS_H

#include "config/config.h"
#include "pipeline/job.h"

/*
 * Check a job: a session, or a file of `process` or `batch`. Reads nothing but records as long as every file that is there is
 * named by one. Returns 0, or
 *   NP_ECLASH   two of its inputs would write the same file; names all of them
 *   NP_ETAKEN   a file that no record of ours names is at the place of an output; names all of them
 *   NP_ETAKEN   a mask of ours was edited in place (it is readable, on the image's grid, not empty
 *               and has other voxels than were recorded, and than the mask that is given for its
 *               image), and the run does not redo all
 * An image whose attempt ended while its results were put in place has files that no record names;
 * they are its own. Of an attempt that ended earlier there are none.
 */
int np_targets_check(const struct np_config *config, const struct np_job *job,
                     struct np_error *err) NP_MUST_USE;

#endif
