/* The files that make OUTPUT_DIR a BIDS derivative dataset (BIDS 1.11.1, "Derivatives"). */
#ifndef NP_RECORD_DESCRIPTION_H
#define NP_RECORD_DESCRIPTION_H

#include "base/error.h"
#include "base/str.h"
#include "bids/dataset.h"
#include "record/folder.h"

struct np_description {
    const char *output_dir;
    const struct np_dataset *source;
    const struct np_strings *links; /* "NAME=URI", from --dataset-link */
    const char *version;            /* of neuro-preprocess */
    const struct np_folder *folder; /* its configurations, for the methods' text */
    bool has_given_masks;           /* brain masks are given for some of its images */
};

/*
 * Write dataset_description.json, .bidsignore, README.md, CITATION.md and descriptions.tsv. Each is
 * written atomically, and only when its content would change. A README.md or
 * CITATION.md that a user wrote or edited is kept; so are the user's lines in .bidsignore and rows in
 * descriptions.tsv. GeneratedBy keeps the entries of other
 * versions that wrote here. Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO; NP_ECONFIG when OUTPUT_DIR
 * has a dataset_description.json of another kind of dataset (a raw one, or another tool's), which
 * is never changed.
 */
int np_description_write(const struct np_description *what, struct np_error *err) NP_MUST_USE;

/* Name and DOI of the source dataset that the description in OUTPUT_DIR tells of; NULL where it tells
 * none. The caller frees both. False when there is no description of ours. */
bool np_description_source(const char *output_dir, char **name, char **doi);

/* Look whether OUTPUT_DIR may be written to: NP_ECONFIG when it is a dataset of another kind. Also
 * for what is made of plain files: it must not end up in somebody's raw dataset. */
int np_description_check(const char *output_dir, struct np_error *err) NP_MUST_USE;

/* "bids:NAME:" for the source dataset: the first --dataset-link, else "raw"; the caller frees. */
char *np_description_source_prefix(const struct np_strings *links);

#endif
