/* neuro-preprocess demo-data: a small BIDS dataset of synthetic heads, and the truth beside it. */
#ifndef NP_CLI_DEMO_DATA_H
#define NP_CLI_DEMO_DATA_H

#include "config/config.h"

/*
 * Write a dataset into config->inputs.item[0], which must not exist or be empty, and the truth
 * (brain masks, bias fields) into the folder of that name with "-truth" added, outside the dataset.
 * The dataset has demo_participants × demo_sessions T1w images of demo_size_mm voxels; the first
 * session of the first participant also has T2w and FLAIR images; there are session folders when
 * there is more than one session. With at least two sessions altogether, the last image is broken
 * on purpose: its gzip stream ends half way. random_seed determines everything: the same settings
 * give the same voxels (and with the same codec the same bytes). Prints a summary. Returns 0,
 * NP_EUSAGE, NP_ECREATE (folder not empty, not writable), NP_ESPACE, NP_EIO, NP_ENOMEM.
 */
int np_demo_data(const struct np_config *config, struct np_error *err) NP_MUST_USE;

#endif
