/* Names of the outputs, relative to OUTPUT_DIR. The caller frees every returned text. */
#ifndef NP_BIDS_DERIVATIVE_H
#define NP_BIDS_DERIVATIVE_H

#include "bids/dataset.h"
#include "catalog/derivative.h"

/* "sub-01/ses-1/anat/sub-01_ses-1_desc-preproc_T1w.nii.gz" */
char *np_derivative_path(const struct np_scan *scan, const struct np_derivative *derivative);

/*
 * The same for an image that is no part of a dataset: its stem names it ("scan_desc-norm.nii.gz"),
 * or its own entities when it has them, and then its suffix beats `modality`. Folders are dropped.
 */
char *np_derivative_path_plain(const char *file_name, const char *modality,
                               const struct np_derivative *derivative);

/* "x.nii.gz" → "x.json" */
char *np_derivative_sidecar(const char *image_path);

#endif
