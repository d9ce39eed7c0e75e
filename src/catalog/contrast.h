/* The facts about an image's contrast that kernels need. */
#ifndef NP_CATALOG_CONTRAST_H
#define NP_CATALOG_CONTRAST_H

/* The image's contrast: how fluid compares with tissue. */
enum np_contrast {
    NP_CONTRAST_T1W, /* fluid dark, fat bright */
    NP_CONTRAST_T2W, /* fluid brighter than tissue */
    NP_CONTRAST_FLAIR
};

/* The peak of the histogram that is taken for white matter. */
enum np_white_peak {
    NP_WHITE_LAST,   /* the brightest peak of the voxels above the brain's mean */
    NP_WHITE_LARGEST /* the largest peak of all voxels */
};

#endif
