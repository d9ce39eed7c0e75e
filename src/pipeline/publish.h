/* Put the results of one file in place: all of them, or none. */
#ifndef NP_PIPELINE_PUBLISH_H
#define NP_PIPELINE_PUBLISH_H

#include "base/exec.h"
#include "config/config.h"
#include "pipeline/job.h"
#include "record/record.h"
#include "work/work.h"

/*
 * Write the images that `work` holds, in the input's axis order, and their sidecars to temporary
 * names beside their targets, synced; then rename all of them. `record` gets the outputs with sizes
 * and hashes. `root` is the dataset's folder, NULL for `process`. Returns 0, NP_ECREATE, NP_ESPACE,
 * NP_EIO, NP_ENOMEM, NP_ECANCELED; then nothing new is visible (unless a rename itself failed: what
 * was renamed before it stays, and `record` owns to none of it).
 */
int np_publish(const struct np_config *config, const char *root, const struct np_job_file *file,
               struct np_work *work, const struct np_exec *exec, struct np_file_record *record,
               struct np_error *err);

#endif
