/* How people come from what is seen of a session to its files, and do it again. Inside pipeline/ only. */
#ifndef NP_PIPELINE_RERUN_H
#define NP_PIPELINE_RERUN_H

#include "config/config.h"
#include "record/record.h"

/* The folder of a session's results, absolute; of its records where it has no results. The caller
 * frees. */
char *np_rerun_folder(const char *output_dir, const struct np_session_record *record);

/*
 * The command that does this session again and no other, for a shell, with absolute paths: "neuro-preprocess /data/bids
 * /data/out participant --participant-label 01 --session-label BL". One that was a success has
 * `--rerun all`. In an image of Apptainer it begins with "apptainer exec", the image and what is bound into it. Of an image below a folder of `batch` it is `batch` again, which does what is left.
 * NULL for an image without a dataset when `config` is of no such run. The caller frees.
 */
char *np_rerun_command(const struct np_config *config, const struct np_session_record *record);

#endif
