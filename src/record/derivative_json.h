/* The JSON sidecars of our outputs. */
#ifndef NP_RECORD_DERIVATIVE_JSON_H
#define NP_RECORD_DERIVATIVE_JSON_H

#include "bids/derivative.h"
#include "record/record.h"

/* All borrowed. */
struct np_derivative_facts {
    const struct np_derivative *derivative;
    const char *root;           /* of the source dataset; NULL for `process` */
    const struct np_scan *scan; /* NULL for `process` */
    const char *source_prefix;  /* "bids:raw:" */
    const char *options;        /* np_config_results_json */
    const struct np_file_record *file;
    const struct np_output_record *output; /* the image that the sidecar is about */
    const struct np_strings *made_of;      /* other outputs, relative to OUTPUT_DIR; of a mask the
                                              first is what it was drawn on */
    const struct np_strings *header_warnings; /* about the image's header */
    bool skull_stripped_input;
};

/*
 * The sidecar: Description, Sources (BIDS URIs), SpatialReference, SkullStripped, the metadata of
 * the source that are still valid (an allow-list without anything that could identify a person),
 * settings (what was asked for), parameters (what came of it), hashes, warnings about the image's header. The text is the same in every run. The caller frees. `warnings` gets
 * sentences about broken sidecars of the source.
 */
char *np_derivative_json(const struct np_derivative_facts *facts, struct np_strings *warnings);

/* The hashes that a sidecar of ours names; "" where it names none. */
struct np_derivative_hashes {
    char sha256[65], voxel_sha256[65];
    char given_mask_sha256[65]; /* of the mask that was given for the image */
};

/* Read them; false when there is no sidecar of ours at this path. */
bool np_derivative_read_hashes(const char *path, struct np_derivative_hashes *hashes);

/* Only the sentences about broken sidecars of the source. */
void np_derivative_check_source(const char *root, const struct np_scan *scan,
                                struct np_strings *warnings);

#endif
