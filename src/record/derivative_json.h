/* The JSON sidecars of the images that we write. */
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
    const struct np_file_record *file;
    const struct np_output_record *output; /* the image that the sidecar is about */
    const struct np_strings *made_of;      /* other outputs, relative to OUTPUT_DIR; of a mask the
                                              first is what it was drawn on */
    bool skull_stripped_input;
};

/*
 * Description, Sources (BIDS URIs), SpatialReference, SkullStripped, what stays valid of the
 * source's metadata (an allow-list: nothing that could identify a person), parameters, hashes.
 * Nothing that changes between two runs. The caller frees. Sentences about broken sidecars of the
 * source go to `warnings`.
 */
char *np_derivative_json(const struct np_derivative_facts *facts, struct np_strings *warnings);

/* Sentences about sidecars of the source that are broken, and nothing else. */
void np_derivative_check_source(const char *root, const struct np_scan *scan,
                                struct np_strings *warnings);

#endif
