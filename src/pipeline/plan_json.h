/* --dry-run --format json: a plan for programs. */
#ifndef NP_PIPELINE_PLAN_JSON_H
#define NP_PIPELINE_PLAN_JSON_H

#include "pipeline/plan.h"

/* The plan as JSON; `traceparent` (NULL = none) is that of the span of --plan-only, for those who
 * submit. The caller frees. */
char *np_plan_json(const struct np_plan *plan, const char *traceparent);

#endif
