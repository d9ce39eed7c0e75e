/* The plan of a run, made before any work: sessions, files, stages, memory, disk, inodes. */
#ifndef NP_PIPELINE_PLAN_H
#define NP_PIPELINE_PLAN_H

#include "config/config.h"
#include "pipeline/admission.h"
#include "pipeline/job.h"
#include "pipeline/resources.h"

struct np_plan {
    struct np_dataset *dataset; /* NULL for `process` and `batch` */
    struct np_strings paths;    /* files of `process` and `batch`; the jobs borrow from this list */
    struct np_strings names;    /* their names in records and below OUTPUT_DIR */
    struct np_job *job;
    size_t n_jobs;
    size_t n_run, n_skip, n_nothing, n_conflict, n_leave, n_withdrawn;
    struct np_resources resources;
    int64_t memory_bytes; /* allowed for the run */
    int n_parallel;       /* sessions at once */
    int n_threads;        /* of one session */
    struct np_need need;  /* of all that is to be done */
    int64_t disk_free_bytes, inodes_free;
    size_t n_masks;          /* images with a mask of --mask-dir */
    size_t longest_name;     /* bytes of a file's name that the file system of OUTPUT_DIR takes */
    char *config;            /* np_config_results_json */
    struct np_folder folder; /* what OUTPUT_DIR remembers, as this run will leave it */
    struct np_strings warnings; /* files that were left out of `batch`; a mixed OUTPUT_DIR */
};

/*
 * Find, decide, estimate, check; with config->plan_only nothing is estimated and no image opened,
 * unless the plan is to be printed as JSON, which holds the estimates.
 * Returns 0, or what np_dataset_open returns; NP_ESELECT (nothing
 * selected); NP_EUSAGE (two inputs would write the same file: both named); NP_ECONFIG
 * (OUTPUT_DIR holds another configuration or another dataset; sessions made otherwise); NP_ECREATE
 * (OUTPUT_DIR inside BIDS_DIR, not below derivatives/; the folder of `batch` inside OUTPUT_DIR; a
 * record's name too long for the file system); NP_ENOINPUT (no such folder, no folder of --mask-dir); NP_ENOMEM is never returned:
 * a file too large is refused by itself; NP_ESPACE (disk or inodes do not suffice: says how much is
 * needed and free).
 */
int np_plan_make(const struct np_config *config, struct np_plan **plan,
                 struct np_error *err) NP_MUST_USE;

/* The same without estimates, names and free space, and without a plan: for `doctor`. */
int np_plan_check(const struct np_config *config, struct np_error *err) NP_MUST_USE;
void np_plan_freep(struct np_plan **plan);

/* How complete a job is now, as np_complete_check; `why` and `is_warned` may be NULL. */
enum np_completeness np_plan_completeness(const struct np_plan *plan,
                                          const struct np_config *config, const struct np_job *job,
                                          char **why, bool *is_warned);

#endif
