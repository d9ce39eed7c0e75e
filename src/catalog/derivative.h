/*
 * The facts about a kind of file that we write: its name and its sidecar. The rows are
 * those of a recipe's outputs (stages/recipes.c); bids makes the name, record the sidecar.
 */
#ifndef NP_CATALOG_DERIVATIVE_H
#define NP_CATALOG_DERIVATIVE_H

#include <stdbool.h>

#include "catalog/measure.h"

/* Where the source's suffix ("T2w") stands in the name when another suffix takes its place. */
enum np_source_suffix {
    NP_SOURCE_SUFFIX_IS_KEPT,  /* there is no other suffix */
    NP_SOURCE_SUFFIX_IN_MOD,   /* sub-01_mod-T2w_biasfield */
    NP_SOURCE_SUFFIX_IN_SPACE, /* sub-01_space-T2w_desc-brain_mask; not for the modality whose masks
                                  have the short name (catalog/modality.h) */
};

/* SkullStripped of the sidecar. */
enum np_skull {
    NP_SKULL_UNSAID,
    NP_SKULL_AS_IN_SOURCE,
    NP_SKULL_REMOVED, /* unless no brain was looked for */
};

/* Runs after which an image is something else than usual. */
enum np_circumstance {
    NP_USUALLY,
    NP_WITHOUT_BIAS_CORRECTION,
    NP_WITHOUT_BRAIN,   /* --skull-strip skip of a head: the mask is the image's support */
    NP_WITH_GIVEN_MASK, /* --mask-dir */
    NP_OF_STRIPPED,     /* the source had no skull */
    NP_N_CIRCUMSTANCES
};

struct np_derivative {
    const char *label;  /* label of label-; NULL = none */
    const char *desc;   /* label of desc-; NULL = none */
    const char *suffix; /* NULL = the source's */
    enum np_source_suffix source_suffix;
    const char *extension; /* ".nii.gz" */

    /* the sidecar: there is none without a usual description; texts that are NULL are absent */
    const char *description[NP_N_CIRCUMSTANCES]; /* NULL = as usually */
    const char *type[NP_N_CIRCUMSTANCES];        /* of a mask */
    const char *units;
    enum np_skull skull;
    bool keeps_acquisition; /* how the source was acquired is true of it too */
    unsigned shows; /* its parameters: the measures shown in one of these, enum np_shown_in */
};

#endif
