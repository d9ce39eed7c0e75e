/* Put the outputs of one file in place: all of them, or none. */
#ifndef NP_PIPELINE_PUBLISH_H
#define NP_PIPELINE_PUBLISH_H

#include "base/exec.h"
#include "config/config.h"
#include "pipeline/job.h"
#include "record/record.h"
#include "work/work.h"

/*
 * Write the images in `work`, in the input's axis order, and their sidecars to temporary files
 * beside their targets, synced; then rename all of them. `record` gets the outputs with sizes and
 * hashes. `root` is the dataset's folder, NULL for `process`. Returns 0, NP_ECREATE, NP_ESPACE,
 * NP_EIO, NP_ENOMEM, NP_ECANCELED. On failure no new file is visible, except when a rename failed:
 * files renamed before it stay, and `record` lists none of them.
 */
int np_publish(const struct np_config *config, const char *root, const struct np_job_file *file,
               struct np_work *work, const struct np_exec *exec, struct np_file_record *record,
               struct np_error *err) NP_MUST_USE;

#endif
