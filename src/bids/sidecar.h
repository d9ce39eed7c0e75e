/* Metadata of an image by BIDS inheritance: files at the same or a higher level, no extra entities,
 * the deeper wins. */
#ifndef NP_BIDS_SIDECAR_H
#define NP_BIDS_SIDECAR_H

#include <jansson.h>

#include "bids/dataset.h"

/*
 * All metadata that apply to `scan`, merged; a new reference (json_decref). An empty object when
 * there are none. A sidecar that is broken (not JSON, not an object, over 16 MiB) is left out with
 * a sentence in `warnings` that names it. `root` is the dataset's; `used` gets the relative paths
 * of the files that took part; both lists may be NULL.
 * Two files that apply at one level are an ambiguity: warned, the one with more entities wins.
 * An image whose name is not BIDS has the sidecar of its own name beside it, "scan.json".
 */
json_t *np_sidecar_read(const char *root, const struct np_scan *scan, struct np_strings *used,
                        struct np_strings *warnings);

#endif
