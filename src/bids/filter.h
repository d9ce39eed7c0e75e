/*
 * --bids-filter-file: a JSON object of queries, one per kind of image, as fMRIPrep, BABS and PyBIDS
 * write them:
 *     {"t1w": {"datatype": "anat", "session": "01", "acquisition": null, "run": [1, 2]}}
 * A query restricts images of its own kind only. Its members are entities by their long or short
 * names, "suffix", "extension" and "datatype". Values are
 *     text                      the label; an index ("run", "echo", …) matches with any padding
 *     a number                  an index; it matches with any padding
 *     null or "Query.NONE"      the entity must be absent
 *     "*" or "Query.ANY"        the entity must be present ("Query.REQUIRED" too)
 *     "Query.OPTIONAL"          no restriction
 *     a list of these           any of them
 * UNIT1 without a query of its own follows that of T1w, for which it stands.
 */
#ifndef NP_BIDS_FILTER_H
#define NP_BIDS_FILTER_H

#include "base/str.h"
#include "bids/entities.h"

enum { NP_FILTER_MOST_BYTES = 1 << 20 };

struct np_filter;

/*
 * Read a filter file. Unknown kinds of images and unknown members are ignored, with a sentence in
 * `warnings`. Returns 0, or NP_ECONFIG (cannot be read, over 1 MiB, not JSON, wrong types) with
 * file, line, column and what was found.
 */
int np_filter_read(const char *path, struct np_filter **filter, struct np_strings *warnings,
                   struct np_error *err) NP_MUST_USE;

/* The same for text in memory, terminated; sentences use `label` as the file's name. */
int np_filter_parse(const char *label, const char *text, size_t n_bytes, struct np_filter **filter,
                    struct np_strings *warnings, struct np_error *err) NP_MUST_USE;
void np_filter_freep(struct np_filter **filter);

/* True when the filter accepts an image of this kind (suffix, "T1w") and name. A NULL filter
 * accepts all. */
bool np_filter_accepts(const struct np_filter *filter, const char *modality, const char *datatype,
                       const struct np_bids_name *name);

/* True when the filter could accept an image of this kind in this session. `session` NULL = no
 * session entity. */
bool np_filter_accepts_session(const struct np_filter *filter, const char *modality,
                               const char *participant, const char *session);

#endif
