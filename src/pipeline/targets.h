/*
 * The files that a session would write, looked at before any of its work and again before they are
 * put in place: each has one input, and what is there already is ours to replace. Inside pipeline/
 * only.
 */
#ifndef NP_PIPELINE_TARGETS_H
#define NP_PIPELINE_TARGETS_H

#include "base/path.h"
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
 * An image whose attempt ended between the renames of its results (np_record_replacing_of is there)
 * has files that no record names; they are its own. Of another attempt there are none.
 */
int np_targets_check(const struct np_config *config, const struct np_job *job,
                     struct np_error *err) NP_MUST_USE;

/* The files in the places of a job's outputs, sidecars among them, at one moment. */
struct np_targets_seen {
    struct np_strings path; /* with OUTPUT_DIR as prefix */
    struct np_path_stamp *stamp;
};

/* To be called before np_targets_check, so that nothing is written between the two unnoticed. */
void np_targets_look(const struct np_config *config, const struct np_job *job,
                     struct np_targets_seen *seen);

void np_targets_seen_done(struct np_targets_seen *seen);

/* Returns 0, or NP_ETAKEN when one of `paths` was written since `seen`; names all of them. A file
 * that is gone was not written. */
int np_targets_unchanged(const struct np_targets_seen *seen, const struct np_strings *paths,
                         struct np_error *err) NP_MUST_USE;

#endif
