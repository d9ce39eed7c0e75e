/*
 * The needs of work, before it begins: memory, disk, inodes and time, from the options, the
 * recipe, the images' headers and a sample of their voxels. The plan of a run, `estimate` and
 * `doctor` all say these numbers. docs/hpc.md says how they were measured.
 */
#ifndef NP_PIPELINE_ESTIMATE_H
#define NP_PIPELINE_ESTIMATE_H

#include "config/config.h"
#include "image/nifti.h"
#include "stages/stage.h"

/*
 * Disk is counted in blocks of 4 KiB, files and folders, as `du` does. It and the inodes are meant
 * to be at least what is written and at most 1.5 times that; memory, at least the peak of the
 * process that works on a session, and at most 1.3 times that with the usual options.
 */
struct np_need {
    int64_t memory_bytes;
    int64_t disk_bytes;
    int64_t inodes;
    double seconds; /* on one thread of a slow machine */
};

/* Memory of a run beside its sessions: the supervisor and the process that sends telemetry. */
enum { NP_ESTIMATE_RUN_BYTES = 24 << 20 };

/* Most memory that a session's second thread adds, and each one after it. */
enum { NP_ESTIMATE_BYTES_PER_THREAD = 8 << 20 };

/* Threads of a session: what the options say, else two; a run may choose others. */
int np_estimate_threads(const struct np_config *config);

/* Threads to estimate on. The caller frees. */
struct np_team *np_estimate_team(const struct np_config *config);

/* Facts about an image that its voxels show; all zero when they were not looked at. */
struct np_image_seen {
    bool has_skull; /* it was not removed, and no mask is given: --skull-strip skip then keeps the
                       support, and asks no network */
    int64_t n_runs; /* rows of voxels without a gap in the support, before its largest part is
                       taken; many where the air is about as bright as the support's limit */
};

/* Peak memory of the process that works on an image of this grid with `n_threads`. */
int64_t np_estimate_memory(const struct np_config *config, const struct np_recipe *recipe,
                           const struct np_grid *grid, const struct np_image_seen *seen,
                           int n_threads);

/*
 * One image without a given mask, worked on by `n_threads`. `info` gets what its header says,
 * and `seen` the facts that its voxels show.
 * False when the header cannot be read: what it costs to find that out is estimated then, and
 * `info` and `seen` are untouched.
 */
bool np_estimate_image(const struct np_config *config, const struct np_recipe *recipe,
                       const char *path, int n_threads, struct np_nifti_info *info,
                       struct np_image_seen *seen, struct np_need *need);

/* The same without disk and inodes, which only a look at the voxels shows, nor the skull, which
 * counts as not known. */
bool np_estimate_header(const struct np_config *config, const struct np_recipe *recipe,
                        const char *path, int n_threads, struct np_nifti_info *info,
                        struct np_need *need);

/* The size of the records of a session, or of a file of `process`. */
struct np_need np_estimate_records(const struct np_config *config, bool is_session,
                                   size_t n_images);

/* The files that a run writes once: those that describe OUTPUT_DIR, its plan, and the telemetry. */
struct np_need np_estimate_run(const struct np_config *config);

/* Bytes or files as a whole number, at most INT64_MAX. */
int64_t np_need_count(double value);

/* Add what comes before or after: the larger memory, the sums of the rest. Sums stop at INT64_MAX. */
void np_need_add(struct np_need *total, const struct np_need *part);

/* Raise each of `most` to what `part` needs. */
void np_need_most(struct np_need *most, const struct np_need *part);

#endif
