/*
 * The state of one file between the stages: typed slots and measures. Stages take and fill slots;
 * the runner reads the measures and publishes them. All images are in closest-to-RAS+ axis order
 * (image/orient.h).
 */
#ifndef NP_WORK_WORK_H
#define NP_WORK_WORK_H

#include <stdbool.h>

#include "bids/dataset.h"
#include "catalog/measure.h"
#include "catalog/modality.h"
#include "catalog/warning.h"
#include "image/image.h"
#include "image/nifti.h"
#include "ops/bspline.h"
#include "ops/tissue.h"

enum np_slot {
    NP_SLOT_RAW = 1 << 0,  /* as read, finite values, arbitrary units */
    NP_SLOT_FLAT = 1 << 1, /* bias-corrected */
    NP_SLOT_BRAIN = 1 << 2,
    NP_SLOT_NORM = 1 << 3,       /* normalized, 0 outside the brain */
    NP_SLOT_FIELD = 1 << 4,      /* natural logarithm of the field that was divided out */
    NP_SLOT_HEAD_FIELD = 1 << 5, /* the first field, fitted to the whole head; as control points */
    NP_SLOT_TISSUE = 1 << 6,     /* shares of three tissues in BRAIN */
    NP_SLOT_REGIONS = 1 << 7,    /* bits of enum np_quality_region (ops/quality.h) */
};

/* A number that a stage found out. */
struct np_measure {
    enum np_measure_ident ident;
    double value;
};

/* A word that a stage found out. */
struct np_fact {
    enum np_measure_ident ident;
    char *text;
};

/* Something about the result that a person should look at. */
struct np_warning {
    enum np_warning_ident ident;
    char *sentence;
};

struct np_work {
    const struct np_scan *scan;         /* borrowed; NULL for `process` */
    const char *path;                   /* of the input; borrowed */
    const struct np_modality *modality; /* of the table */
    const char *mask_path; /* a brain mask to take instead of finding one; NULL = none; borrowed */

    struct np_nifti_info info; /* of the input, native axis order */
    struct np_nifti_content content;
    char mask_sha256[65]; /* of the file at mask_path, once it was read */

    /* slots; RAS order; owned */
    struct np_image *raw, *flat, *norm, *field;
    struct np_bspline_field *head_field;
    struct np_mask *brain, *regions;
    struct np_tissue *tissue;
    bool already_stripped; /* the input had no skull: its mask is its support */

    struct np_measure *measure;
    size_t n_measures;
    struct np_fact *fact;
    size_t n_facts;
    struct np_warning *warning; /* in the order in which they came */
    size_t n_warnings;
};

void np_work_init(struct np_work *work, const char *path, const struct np_modality *modality);
void np_work_done(struct np_work *work);

/* The filled slots, as bits of np_slot. */
unsigned np_work_slots(const struct np_work *work);

/* Release what the slots of these bits hold; empty ones are fine. */
void np_work_release(struct np_work *work, unsigned slots);

/* The place of a slot that holds an image, of one that holds a mask; NULL for another kind. */
struct np_image **np_work_image(struct np_work *work, enum np_slot slot);
struct np_mask **np_work_mask(struct np_work *work, enum np_slot slot);

/* Note a number, or a word: a row of catalog/measure.h of that kind. A later one takes the place of
 * an earlier one. */
void np_work_measure(struct np_work *work, enum np_measure_ident ident, double value);
void np_work_fact(struct np_work *work, enum np_measure_ident ident, const char *text);

/* Warn about the result: the file's success becomes a success with warning. The sentence names what
 * was found, and the image where the reader needs its name. A kind of warning is a row of
 * catalog/warning.h. */
void np_work_warn(struct np_work *work, enum np_warning_ident ident, const char *format, ...)
    NP_PRINTF(3, 4);

/* The value of a measure, or `fallback`. */
double np_work_value(const struct np_work *work, enum np_measure_ident ident, double fallback);

#endif
