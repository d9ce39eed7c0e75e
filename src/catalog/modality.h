/*
 * The kinds of images: one row each. Options, discovery, filters, recipes, names of derivatives,
 * demo data, redaction and sentences of the help all read this table.
 */
#ifndef NP_CATALOG_MODALITY_H
#define NP_CATALOG_MODALITY_H

#include <stdbool.h>
#include <stddef.h>

#include "catalog/contrast.h"

/*
 * X(ident, suffix, datatype, filter key, use, contrast, white peak, recipe, name of masks)
 *   suffix      of BIDS; the value of --modalities
 *   datatype    the folder of BIDS that holds such images
 *   filter key  the query of --bids-filter-file
 *   use         enum np_modality_use
 *   contrast, white peak   enums of catalog/contrast.h
 *   recipe      enum np_recipe_ident
 *   masks       SHORT: sub-01_desc-brain_mask, of the kind that a session has as a rule;
 *               SPACE: sub-01_space-T2w_desc-brain_mask
 */
/* The default: an image has this modality when neither its name nor an option gives one. */
#define NP_FIRST_MODALITY(X) X(T1W, "T1w", "anat", "t1w", BY_DEFAULT, T1W, LAST, T1W, SHORT)
#define NP_OTHER_ANATOMICAL_MODALITIES(X)                                             \
    X(T2W, "T2w", "anat", "t2w", BY_DEFAULT, T2W, LARGEST, ANATOMICAL, SPACE)         \
    X(FLAIR, "FLAIR", "anat", "flair", BY_DEFAULT, FLAIR, LARGEST, ANATOMICAL, SPACE) \
    X(UNIT1, "UNIT1", "anat", "unit1", AS_SUBSTITUTE, T1W, LAST, T1W, SPACE)
#define NP_OTHER_MODALITIES(X) \
    X(BOLD, "bold", "func", "bold", IN_A_LATER_VERSION, T2W, LARGEST, NONE, SPACE)

#define NP_MODALITIES(X)              \
    NP_FIRST_MODALITY(X)              \
    NP_OTHER_ANATOMICAL_MODALITIES(X) \
    NP_OTHER_MODALITIES(X)

enum np_modality_ident {
#define X(ident, ...) NP_MODALITY_##ident,
    NP_MODALITIES(X)
#undef X
        NP_N_MODALITIES
};

enum np_modality_use {
    NP_USE_BY_DEFAULT,
    NP_USE_AS_SUBSTITUTE,      /* by default too, in a session without the first modality; beside it
                                  only when the first is not selected */
    NP_USE_ON_REQUEST,         /* only when --modalities names it */
    NP_USE_IN_A_LATER_VERSION, /* known and refused */
};

/* The order of stages that an image goes through; stages/recipes.c has them. */
enum np_recipe_ident {
    NP_RECIPE_NONE,
    NP_RECIPE_ANATOMICAL,
    NP_RECIPE_T1W, /* the same, and the tissues */
};

enum np_mask_name { NP_MASK_NAME_SHORT, NP_MASK_NAME_SPACE };

struct np_modality {
    const char *suffix;
    const char *datatype;
    const char *filter_key;
    enum np_modality_use use;
    enum np_contrast contrast;
    enum np_white_peak white_peak;
    enum np_recipe_ident recipe;
    enum np_mask_name mask_name;
};

extern const struct np_modality np_modalities[NP_N_MODALITIES];

/* The row of a suffix; NULL when there is none. */
const struct np_modality *np_modality_find(const char *suffix);

/* Is it among the modalities when --modalities names none? */
bool np_modality_is_default(const struct np_modality *modality);

/* Does the brain mask of such an image bear the short name? */
bool np_modality_mask_is_short(const char *suffix);

/* "T1w, T2w, …", "T1w T2w …" and "t1w, t2w, …" as literals, for sentences. */
#define NP_MODALITY_SUFFIX(ident, suffix, ...) suffix
#define NP_MODALITY_COMMA_SUFFIX(ident, suffix, ...) ", " suffix
#define NP_MODALITY_BLANK_SUFFIX(ident, suffix, ...) " " suffix
#define NP_MODALITY_KEY(ident, suffix, datatype, key, ...) key
#define NP_MODALITY_COMMA_KEY(ident, suffix, datatype, key, ...) ", " key
#define NP_ANATOMICAL_SUFFIXES            \
    NP_FIRST_MODALITY(NP_MODALITY_SUFFIX) \
    NP_OTHER_ANATOMICAL_MODALITIES(NP_MODALITY_COMMA_SUFFIX)
#define NP_ANATOMICAL_ARGUMENTS           \
    NP_FIRST_MODALITY(NP_MODALITY_SUFFIX) \
    NP_OTHER_ANATOMICAL_MODALITIES(NP_MODALITY_BLANK_SUFFIX)
#define NP_ANATOMICAL_FILTER_KEYS      \
    NP_FIRST_MODALITY(NP_MODALITY_KEY) \
    NP_OTHER_ANATOMICAL_MODALITIES(NP_MODALITY_COMMA_KEY)
#define NP_FIRST_SUFFIX NP_FIRST_MODALITY(NP_MODALITY_SUFFIX)

#endif
