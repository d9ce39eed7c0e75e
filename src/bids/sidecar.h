/* Metadata of an image by BIDS inheritance: files in its folder or above, without entities that
 * the image does not have; the deeper file takes precedence. */
#ifndef NP_BIDS_SIDECAR_H
#define NP_BIDS_SIDECAR_H

#include <jansson.h>

#include "bids/dataset.h"

/*
 * All metadata that apply to `scan`, merged; a new reference (json_decref). An empty object when
 * there are none. An invalid sidecar (not JSON, not an object, over 16 MiB) is skipped; `warnings`
 * gets a sentence that names it. `root` is the dataset's; `used` gets the relative paths of the
 * files that were merged; both lists may be NULL. Two files that apply at one level are ambiguous:
 * there is a warning, and the one with more entities takes precedence. For an image whose name is
 * not BIDS the sidecar is the file of the same stem, "scan.json".
 */
json_t *np_sidecar_read(const char *root, const struct np_scan *scan, struct np_strings *used,
                        struct np_strings *warnings);

#endif
