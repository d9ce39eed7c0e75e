/* --dry-run --format json: a plan for programs. */
#ifndef NP_PIPELINE_PLAN_JSON_H
#define NP_PIPELINE_PLAN_JSON_H

#include "pipeline/plan.h"

/* The plan as JSON; the caller frees. */
char *np_plan_json(const struct np_plan *plan);

#endif
