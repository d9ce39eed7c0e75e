/* The OpenTelemetry resource of a run, which all its observations share. */
#ifndef NP_TRACE_RESOURCE_H
#define NP_TRACE_RESOURCE_H

#include "base/str.h"
#include "trace/trace.h"

/* Facts that the caller provides; NULL members are left out. */
struct np_resource_facts {
    const char *service_version;
    const char *instance_id; /* UUID, new for each process */
    const char *revision;    /* commit that the program was built from */
    const char *dataset_name;
    const char *cohort_id;    /* of the output folder */
    const char *telemetry_id; /* label, hash, none */
};

/*
 * Add to `out`: service.*, host.*, process.*, container.* (inside Apptainer or Singularity),
 * slurm.* (inside a job), vcs.*, neuro.dataset.name, neuro.cohort.id. The command line is left out because it may
 * contain labels. OTEL_RESOURCE_ATTRIBUTES ("key=value,…", percent-encoded) overrides detected
 * values, and OTEL_SERVICE_NAME overrides service.name; an empty variable counts as unset. If a
 * value cannot be parsed, the whole variable is ignored, as the specification asks, and `warning`
 * (may be NULL) gets a sentence.
 */
void np_resource_detect(const struct np_resource_facts *facts, struct np_attrs *out,
                        struct np_str *warning);

#endif
