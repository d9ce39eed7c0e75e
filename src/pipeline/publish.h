/* Put the outputs of one file in place: all of them, or none. */
#ifndef NP_PIPELINE_PUBLISH_H
#define NP_PIPELINE_PUBLISH_H

#include "base/exec.h"
#include "config/config.h"
#include "pipeline/targets.h"
#include "record/record.h"
#include "work/work.h"

/* The outputs to publish, and their place. All borrowed. */
struct np_publish_order {
    const struct np_config *config;
    const char *root; /* the dataset's folder; NULL for `process` */
    const struct np_record_place *place;
    const struct np_job_file *file;
    const struct np_targets_seen
        *seen; /* what was in the outputs' places when work began; NULL: not
                                           known, whatever is there is replaced */
};

/*
 * Write the images in `work`, in the input's axis order, and their sidecars to temporary files
 * beside their targets, synced; then rename all of them. `record` gets the outputs with sizes and
 * hashes. Returns 0, NP_ETAKEN (another program wrote in the place of an output since `seen`),
 * NP_ECREATE, NP_ESPACE, NP_EIO, NP_ENOMEM, NP_ECANCELED. On failure no new file is visible, except
 * when a rename failed: files renamed before it stay, and `record` lists none of them. Then, and
 * when the process is killed between the renames, the file of np_record_replacing_of is left.
 */
int np_publish(const struct np_publish_order *order, struct np_work *work,
               const struct np_exec *exec, struct np_file_record *record,
               struct np_error *err) NP_MUST_USE;

#endif
