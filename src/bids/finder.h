/* State of discovery: the selection in its normal form. Private to bids/. */
#ifndef NP_BIDS_FINDER_H
#define NP_BIDS_FINDER_H

#include "bids/bidsignore.h"
#include "bids/dataset.h"
#include "bids/filter.h"

struct np_finder {
    const char *root;
    /* labels without prefix, sorted, each once; empty = no restriction */
    struct np_strings participants, sessions, modalities, runs, echoes;
    struct np_strings datatypes;      /* folders that hold images of these modalities, each once */
    struct np_strings runs_seen;      /* of images that only the choice of runs could leave out */
    struct np_strings words_left_out; /* of the session at hand: kinds of images that are there */
    bool filter_left_out;             /* an image of the session at hand did not pass a filter */
    /* sessions without images: left so by a filter; others; what is there instead */
    struct np_strings emptied, empty, there_instead;
    struct np_strings substituted; /* sessions whose substitutes are used */
    size_t n_beside;               /* substitutes that were left out beside the first modality */
    struct np_ignore ignore;
    struct np_filter *filter;    /* NULL = accepts all */
    struct np_strings *warnings; /* borrowed */
};

void np_finder_warn(const struct np_finder *finder, const char *format, ...) NP_PRINTF(2, 3);

/* List the names in a folder, sorted, without those that begin with a dot. Returns 0 or errno. */
int np_folder_list(const char *root, const char *relative, struct np_strings *names) NP_MUST_USE;

/*
 * Add the images to preprocess in `folder` ("sub-01/ses-1/anat"), which is that of a datatype
 * ("anat"), to `session`, whose participant and session label are set. Returns 0 or the errno of
 * listing the folder.
 */
int np_scans_find(struct np_finder *finder, const char *folder, const char *datatype,
                  struct np_session *session) NP_MUST_USE;
void np_scan_done(struct np_scan *scan);

#endif
