/* --dry-run: a plan for people and programs to read. */
#ifndef NP_PIPELINE_PLAN_JSON_H
#define NP_PIPELINE_PLAN_JSON_H

#include "pipeline/plan.h"

/* The plan as JSON; the caller frees. */
char *np_plan_json(const struct np_plan *plan);

#endif
