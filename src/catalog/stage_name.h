/*
 * The names of all stages, in one spelling: of spans, neuro.stage, records, status, --slow-stage.
 * NP_STAGE_<ident> is the name.
 */
#ifndef NP_CATALOG_STAGE_NAME_H
#define NP_CATALOG_STAGE_NAME_H

#include <stdbool.h>

#define NP_STAGE_NAMES(X)                 \
    X(LOAD_FILE, "load_file")             \
    X(VALIDATE_DATA, "validate_data")     \
    X(BIAS_CORRECTION, "bias_correction") \
    X(SKULL_STRIP, "skull_strip")         \
    X(QUALITY_REGIONS, "quality_regions") \
    X(BIAS_REFINEMENT, "bias_refinement") \
    X(NORMALIZATION, "normalization")     \
    X(TISSUE, "tissue")                   \
    X(QUALITY, "quality")                 \
    X(WRITE_OUTPUT, "write_output") /* the runner's own, after those of every recipe */

#define X(ident, name) extern const char NP_STAGE_##ident[sizeof(name)];
NP_STAGE_NAMES(X)
#undef X

/*
 * Stages that only add: they give outputs and measures of their own, and no other stage sees what
 * they do. So results that an earlier version made without such a stage are as good as those that
 * are made now: record/method.h. stages/recipes.c checks that it is so.
 */
#define NP_STAGES_THAT_ADD(X) X(TISSUE) X(QUALITY_REGIONS) X(QUALITY)

bool np_stage_only_adds(const char *name);

#endif
