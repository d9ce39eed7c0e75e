/*
 * Stages adapt kernels to one file: pick slots, call the kernel, record measures, fill a slot. They
 * do not time, log, trace or write: the runner does that, once, for all of them.
 */
#ifndef NP_STAGES_STAGE_H
#define NP_STAGES_STAGE_H

#include "base/exec.h"
#include "catalog/stage_name.h"
#include "config/config.h"
#include "work/work.h"

struct np_stage {
    const char *name; /* of catalog/stage_name.h */
    int version;      /* changes when its results do */
    unsigned needs;   /* bits of np_slot that must be filled before */
    unsigned gives;   /* bits that are filled after */
    unsigned takes;   /* bits that may be empty after */
    int (*run)(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err);
    const char *doi; /* of the method, or NULL */
};

extern const struct np_stage np_stage_load_file;       /* reads, to RAS order; gives RAW */
extern const struct np_stage np_stage_validate_data;   /* are the values fit for the methods? */
extern const struct np_stage np_stage_bias_correction; /* gives FLAT, HEAD_FIELD */
extern const struct np_stage np_stage_skull_strip;     /* gives BRAIN */
extern const struct np_stage np_stage_bias_refinement; /* N4 in the brain; FLAT, FIELD, takes RAW */
extern const struct np_stage np_stage_normalization;   /* gives NORM (unless --normalize none) */

/* exp of each voxel, in place: the FIELD slot's logarithm as the factor that was divided out. */
void np_field_to_factor(struct np_image *log_field);

/* The stages of a kind of image, in order, NULL-terminated; the runner adds write_output. */
struct np_recipe {
    const char *name;
    const struct np_stage *const *stage;
};

/* The recipe of a modality; NULL when it has none. */
const struct np_recipe *np_recipe_find(const struct np_modality *modality);

/* 0 when every stage's needs are given by earlier ones;
 * NP_EINTERNAL names the first that is not. */
int np_recipe_check(const struct np_recipe *recipe, struct np_error *err);

/* "load_file:1 validate_data:1 …": the method version of a recipe; the caller frees. */
char *np_recipe_version(const struct np_recipe *recipe);

#endif
