/* The dataset that the options name, and what they select of it: for runs, `estimate` and `doctor`. */
#ifndef NP_PIPELINE_SELECTED_H
#define NP_PIPELINE_SELECTED_H

#include "bids/dataset.h"
#include "config/config.h"

/* np_dataset_open of `config`'s BIDS_DIR with its labels, modalities, runs, echoes, filter file and
 * list of sessions; returns what that returns. The caller frees `*dataset`. */
int np_dataset_open_selected(const struct np_config *config, struct np_dataset **dataset,
                             struct np_error *err) NP_MUST_USE;

#endif
