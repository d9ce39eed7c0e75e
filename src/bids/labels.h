/* Labels and indices, as users write them and as file names contain them. */
#ifndef NP_BIDS_LABELS_H
#define NP_BIDS_LABELS_H

#include "base/str.h"

/* True for at least one letter, digit or '+', as BIDS allows in a label. */
bool np_label_is_valid(const char *label);

/* "01" from "sub-01" (key "sub"), and from "01"; borrowed from `text`. */
const char *np_label_strip(const char *text, const char *key);

/* True for the same index with any padding ("1", "01"). Texts that are not all digits are
 * compared as they are. */
bool np_index_equal(const char *a, const char *b);

/*
 * The label of `known` that was probably meant: the same index with other padding, the same letters
 * in the other case, else the nearest with at most one edit per three characters. NULL when no
 * label is that close. Borrowed from `known`.
 */
const char *np_label_nearest(const char *asked, const struct np_strings *known);

/* The length of an image's file name without its extension (.nii, .nii.gz, .hdr, .img and other
 * image formats, in any case); 0 without such an extension. */
size_t np_image_stem_length(const char *file_name);

#endif
