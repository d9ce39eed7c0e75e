/* The files of `batch`: all images below a folder that can be an anatomical head. */
#ifndef NP_PIPELINE_BATCH_H
#define NP_PIPELINE_BATCH_H

#include "pipeline/plan.h"

/*
 * Add the images below config->inputs to plan->paths and plan->names (relative to the folder), in
 * the order of names. OUTPUT_DIR, hidden names and links to folders are left out. So are files
 * whose names say that they are no head: masks, BOLD, diffusion, field maps, derivatives; one
 * warning counts and names them. Returns 0, NP_ENOINPUT (no such folder), NP_ECREATE (the folder is
 * in OUTPUT_DIR), NP_ESELECT (no image is left).
 */
int np_batch_find(const struct np_config *config, struct np_plan *plan,
                  struct np_error *err) NP_MUST_USE;

/* False when a name without folder says that the image is no head: "x_bold.nii.gz",
 * "mask.nii", "sub-01_desc-preproc_T1w.nii.gz". */
bool np_batch_is_head_name(const char *name);

#endif
