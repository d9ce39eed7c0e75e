/* Labels and indices as users write them and as names hold them. */
#ifndef NP_BIDS_LABELS_H
#define NP_BIDS_LABELS_H

#include "base/str.h"

/* Letters, digits and '+', at least one: what BIDS allows in a label. */
bool np_label_is_valid(const char *label);

/* "01" from "sub-01" (key "sub"), and from "01"; borrowed from `text`. */
const char *np_label_strip(const char *text, const char *key);

/* The same index whatever the padding ("1", "01"); texts that are not all digits compare as they
 * stand. */
bool np_index_equal(const char *a, const char *b);

/*
 * The label of `known` that was probably meant: the same index with other padding, the same letters
 * in the other case, else the nearest with at most one edit per three characters. NULL when nothing
 * is that near. Borrowed from `known`.
 */
const char *np_label_nearest(const char *asked, const struct np_strings *known);

/* The length of an image's file name without its extension (.nii, .nii.gz, .hdr, .img and what else
 * images come as, in any case); 0 when it has none of these. */
size_t np_image_stem_length(const char *file_name);

#endif
