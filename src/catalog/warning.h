/*
 * The subjects of warnings about results: one row each, for records, status, tables, telemetry
 * and --explain. A file that ends with warnings is a success whose result a person should look at.
 */
#ifndef NP_CATALOG_WARNING_H
#define NP_CATALOG_WARNING_H

/* X(ident, key, meaning, remedy); keys are stable, and free of tabs and semicolons. */
#define NP_WARNINGS(X)                                                                             \
    X(MASK_UNSURE, "mask-unsure", "The brain mask was kept, and may be wrong",                     \
      "look at the mask; where it is wrong, correct it and give it with --mask-dir")               \
    X(TISSUE_UNSURE, "tissue-unsure", "The tissues may be wrong, or could not be separated",       \
      "look at the segmentation (dseg) before you use it or the volumes; the other images do not " \
      "depend on it")                                                                              \
    X(SUPPORT_NOT_BRAIN, "support-not-brain",                                                      \
      "Brain extraction was skipped, and the image does not look stripped",                        \
      "leave out --skull-strip skip, or give a mask with --mask-dir")                              \
    X(HEADER_MISMATCH, "header-mismatch",                                                          \
      "The image's header contradicts itself or the NIfTI standard",                               \
      "compare with the original data; where the image is wrong, convert it again")                \
    X(VALUES_NONFINITE, "values-nonfinite", "Some voxels are NaN or infinite, and count as 0",     \
      "look at where they are; convert the image again if they are in the head")                   \
    X(VALUES_TOO_LARGE, "values-too-large",                                                        \
      "Some voxels are too large for 32-bit floats, and count as 0",                               \
      "check the header's scl_slope and scl_inter, or convert the image again")                    \
    X(VALUES_NEGATIVE, "values-negative",                                                          \
      "More than 1 % of the voxels are negative, and take no part in bias correction",             \
      "check whether the image was scaled or filtered before")                                     \
    X(DATATYPE_FLOAT32, "datatype-float32", "int16 was asked for, and the image is float32",       \
      "nothing, unless the file must be small: int16 would make this image coarse")                \
    X(SIDECAR_UNUSABLE, "sidecar-unusable",                                                        \
      "A JSON file that belongs to the image cannot be used as it is",                             \
      "correct it, the BIDS validator names the place; then process the session again")            \
    X(UNNAMED, "unnamed", "A warning in a record of a version that gave warnings no key",          \
      "read its sentence")

enum np_warning_ident {
#define X(ident, ...) NP_WARNING_##ident,
    NP_WARNINGS(X)
#undef X
        NP_N_WARNINGS
};

struct np_warning_row {
    const char *key;     /* in records, status, tables and telemetry */
    const char *meaning; /* a sentence without its full stop */
    const char *remedy;  /* what to do */
};

extern const struct np_warning_row np_warning_rows[NP_N_WARNINGS];

/* The row of a key; NULL when there is none (a record may be of a newer version). */
const struct np_warning_row *np_warning_find(const char *key);

#endif
