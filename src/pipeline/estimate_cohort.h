/*
 * The needs of many images. Every header is read. Voxels are looked at in some images of each
 * kind (the same recipe, datatype, packing and size, about as many bytes a voxel): what the others
 * will write follows from the sizes of their files, as it did in those.
 */
#ifndef NP_PIPELINE_ESTIMATE_COHORT_H
#define NP_PIPELINE_ESTIMATE_COHORT_H

#include "bids/dataset.h"
#include "pipeline/estimate.h"

/* Images of one kind whose voxels are looked at; all, when a cohort has no more of that kind. */
enum { NP_ESTIMATE_LOOKS = 32 };

/* One image of many. */
struct np_image_need {
    const struct np_recipe *recipe;
    const char *path;
    /* Set by np_estimate_images: */
    bool is_readable;          /* its header; `grid` is empty otherwise */
    struct np_grid grid;       /* by the header */
    struct np_image_seen seen; /* all zero when its voxels were not looked at */
    int64_t file_bytes;        /* of the data file */
    struct np_need need;       /* as np_estimate_image has it */
};

/* Images that `n_threads` each work on; estimated on all CPUs.
 *   image  [n]; `recipe` and `path` are set by the caller */
void np_estimate_images(const struct np_config *config, int n_threads, struct np_image_need *image,
                        size_t n);

/*
 * The sessions of a dataset, with the threads that the options say, else two.
 *   need          [n_sessions]
 *   n_unreadable  gets how many headers could not be read
 */
void np_estimate_sessions(const struct np_config *config, const struct np_dataset *dataset,
                          struct np_need *need, size_t *n_unreadable);

#endif
