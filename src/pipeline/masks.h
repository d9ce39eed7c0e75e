/*
 * Brain masks that people made: those of --mask-dir, and those that were given to an earlier run,
 * whose copies OUTPUT_DIR holds.
 *
 * A file of --mask-dir belongs to the image whose own mask would have its name
 * (sub-01_ses-1_desc-brain_mask.nii.gz), directly in the folder or in the folders that OUTPUT_DIR
 * would have. Whether it fits the image is seen when both are read: stages/load_file.c.
 */
#ifndef NP_PIPELINE_MASKS_H
#define NP_PIPELINE_MASKS_H

#include "pipeline/plan.h"

/* Look whether the folder of --mask-dir can be used. Returns 0 (also without --mask-dir), NP_ENOINPUT
 * (no such folder), NP_EUSAGE (it is OUTPUT_DIR, or lies in it: its masks are the program's own). */
int np_masks_check(const struct np_config *config, struct np_error *err) NP_MUST_USE;

/*
 * Find the masks of --mask-dir for the images of the plan. An image with two of them, or one that
 * two images share, is refused by itself (NP_ECLASH). plan->warnings names the files that fit no
 * image; in a dataset those whose image is there but not selected are fine, and of a selection of
 * participants or sessions only their files are looked at.
 * Returns 0 (also without --mask-dir), what np_masks_check returns, NP_EIO.
 */
int np_masks_find(const struct np_config *config, struct np_plan *plan,
                  struct np_error *err) NP_MUST_USE;

/* For those images of a job that have no mask of --mask-dir: the copy of one that was given
 * earlier, as its sidecar in OUTPUT_DIR tells, as long as it is the file that was written. */
void np_masks_keep(const struct np_config *config, struct np_job *job);

#endif
