/*
 * A stage adapts a kernel to one file: it picks slots, calls the kernel, records measures and fills
 * a slot. Stages do no timing, logging, tracing or writing: the runner does this once for all of
 * them.
 */
#ifndef NP_STAGES_STAGE_H
#define NP_STAGES_STAGE_H

#include "base/exec.h"
#include "catalog/derivative.h"
#include "catalog/stage_name.h"
#include "config/config.h"
#include "work/work.h"

enum np_stage_trait {
    NP_STAGE_READS_INPUT = 1 << 0,     /* after it the runner can say what the image is */
    NP_STAGE_VALIDATES_INPUT = 1 << 1, /* after it the image is known to be fit */
};

struct np_stage {
    const char *name; /* of catalog/stage_name.h */
    int version;      /* changes when its results do */
    unsigned needs;   /* bits of np_slot that must be filled before */
    unsigned gives;   /* bits that are filled after */
    unsigned takes;   /* bits that may be empty after */
    unsigned uses;    /* bits that it takes into account where they are filled */
    unsigned traits;  /* of enum np_stage_trait */
    int (*run)(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err);
    const char *doi; /* DOI of the method, or NULL */
};

extern const struct np_stage np_stage_load_file;       /* reads, to RAS order; gives RAW; and BRAIN,
                                                          where a mask was given */
extern const struct np_stage np_stage_validate_data;   /* are the values fit for the methods? */
extern const struct np_stage np_stage_bias_correction; /* gives FLAT, HEAD_FIELD */
extern const struct np_stage np_stage_skull_strip;     /* gives BRAIN, unless it was given */
extern const struct np_stage np_stage_bias_refinement; /* N4 in the brain; FLAT, FIELD, takes RAW */
extern const struct np_stage np_stage_normalization;   /* gives NORM (unless --normalize none) */

extern const struct np_stage np_stage_tissue; /* gives TISSUE, where three tissues of a
                                                          brain part */

extern const struct np_stage np_stage_quality_regions; /* gives REGIONS, where there is a brain */
extern const struct np_stage np_stage_quality;         /* measures; takes REGIONS */

/* Replace each voxel by its exponential: from the logarithm in the FIELD slot to the factor. */
void np_field_to_factor(struct np_image *log_field);

/* How an output lies on disk: NIfTI, of a slot that holds an image, or a mask. */
enum np_output_format {
    NP_OUTPUT_FLOAT32,
    NP_OUTPUT_INTENSITIES, /* of FLAT: float32, or as --output-datatype says */
    NP_OUTPUT_UINT8,       /* of a mask */
};

enum { NP_LEAST_STEPS = 256 };

/*
 * Are steps of this size fine enough for FLAT? That is where at least NP_LEAST_STEPS of them lie
 * between the 5 % and the 95 % quantile of the brain's intensities; always, without a brain or where
 * these are the same.
 *   range  gets the distance of the quantiles
 * Returns 0 and the answer in *are_fine; NP_ENOMEM, NP_ECANCELED.
 */
int np_steps_are_fine(const struct np_work *work, double step, const struct np_exec *exec,
                      double *range, bool *are_fine, struct np_error *err) NP_MUST_USE;

/* A file that a recipe gives, and its sidecar. */
struct np_output {
    struct np_derivative file; /* name and sidecar */
    enum np_slot slot;         /* what is written; an empty one is left out */
    enum np_output_format format;
    const char *header_text;                           /* the NIfTI header's description */
    unsigned made_of;                                  /* slots of other outputs it came from */
    bool (*is_wanted)(const struct np_config *config); /* NULL = always */
    /* Changes the slot in place before it is written, with the help of the slots `reads`; NULL = it
     * is written as the stages left it. Outputs of the same slot that are not prepared stand
     * before. */
    void (*prepare)(struct np_work *work);
    unsigned reads;
    /* Of a slot that holds neither an image nor a mask: draw what is written, of that type by
     * `format`. The caller frees; NULL = no memory. */
    struct np_image *(*draw_image)(const struct np_work *work, const struct np_exec *exec);
    struct np_mask *(*draw_labels)(const struct np_work *work, const struct np_exec *exec);
    bool may_be_absent; /* a session is complete without it: the slot may be empty in the end */
};

/* Drawings of the TISSUE slot. */
struct np_mask *np_draw_tissue_labels(const struct np_work *work, const struct np_exec *exec);
struct np_image *np_draw_gm(const struct np_work *work, const struct np_exec *exec);
struct np_image *np_draw_wm(const struct np_work *work, const struct np_exec *exec);
struct np_image *np_draw_csf(const struct np_work *work, const struct np_exec *exec);

/* The stages of a kind of image, and its outputs. The runner adds write_output. */
struct np_recipe {
    const char *name;
    const struct np_stage *const *stage; /* in order, NULL-terminated */
    const struct np_output *output;      /* in the order of writing */
    size_t n_outputs;
    const struct np_output *main_output; /* plans and spans name its path */
};

bool np_output_is_wanted(const struct np_output *output, const struct np_config *config);

/* The slots that the outputs wanted by these settings are written from. */
unsigned np_recipe_wanted_slots(const struct np_recipe *recipe, const struct np_config *config);

/* The recipe of a modality; NULL when it has none. */
const struct np_recipe *np_recipe_find(const struct np_modality *modality);

/* 0 when every stage's needs are given by earlier ones, all that outputs are written from is there
 * after the last, and stages that only add (catalog/stage_name.h) fill slots that no other stage
 * sees; NP_EINTERNAL names the first stage or output of which this is not true. */
int np_recipe_check(const struct np_recipe *recipe, struct np_error *err) NP_MUST_USE;

/* "load_file:1 validate_data:1 …": the method version of a recipe; the caller frees. */
char *np_recipe_version(const struct np_recipe *recipe);

#endif
