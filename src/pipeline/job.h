/* A job: the unit that has a state. It is a session of a dataset, or one file of `process` or
 * `batch`. */
#ifndef NP_PIPELINE_JOB_H
#define NP_PIPELINE_JOB_H

#include "bids/dataset.h"
#include "bids/derivative.h"
#include "pipeline/estimate.h"
#include "record/complete.h"
#include "record/place.h"
#include "stages/stage.h"

/* One image of a job. */
struct np_job_file {
    const char *path;           /* path for opening the file; borrowed */
    const char *recorded;       /* path in records; borrowed */
    const struct np_scan *scan; /* NULL for `process` */
    const char *modality;       /* "T1w"; borrowed */
    const struct np_recipe *recipe;
    char *method;                      /* np_recipe_version */
    char *mask;                        /* a brain mask to take as it is; NULL = find the brain */
    struct np_mask_record mask_record; /* of that mask; the hash only when `mask` is a copy in
                                          OUTPUT_DIR, then of the file that was given earlier */
    struct np_grid grid;               /* as the header says; no voxels when it cannot be read */
    struct np_image_seen seen;         /* in its voxels */
    struct np_need need;               /* while it is processed, and of what it writes */
    struct np_error refused; /* set when it does not fit the allowed memory, or the names of its
                                  results do not fit the file system */
};

enum np_decision {
    NP_DECIDE_RUN,
    NP_DECIDE_SKIP,          /* complete */
    NP_DECIDE_NOTHING_TO_DO, /* a session without images */
    NP_DECIDE_CONFLICT,      /* complete, but with other options or methods */
    NP_DECIDE_LEAVE,         /* not selected by --rerun; or made otherwise, with --allow-mixed */
    NP_DECIDE_WITHDRAWN,     /* by the user: record/plans.h */
};

struct np_job {
    char *label;                      /* "sub-01/ses-1", or the file's path for `process` */
    const struct np_session *session; /* NULL for `process` */
    struct np_job_file *file;
    size_t n_files;
    struct np_record_place place;
    enum np_decision decision;
    char *why;               /* reason of the decision; may be NULL */
    bool is_warned;          /* of a complete one: a success with warnings */
    struct np_error refused; /* of a job to run: set when it will fail before any work */
    struct np_need need;     /* with its records */
};

void np_job_done(struct np_job *job);

/* The path, relative to OUTPUT_DIR, of an output of a file of a job; the caller frees. */
char *np_job_output(const struct np_job_file *file, const struct np_output *output);

/* The same of the brain mask that its recipe gives; NULL when it gives none. */
char *np_job_mask(const struct np_job_file *file);

/* Add the paths of the outputs that its recipe gives with these settings; of all that it may give
 * when `config` is NULL. */
void np_job_outputs(const struct np_job_file *file, const struct np_config *config,
                    struct np_strings *paths);

#endif
