/*
 * The canary: one drawn head whose result is known goes through the real stages and the real codec, in a process of its own. A node whose
 * memory, processor or libraries compute wrongly gives another result, and no session of people's data needs to be spent to see it. It is
 * no part of a cohort: no session, no span, no count.
 */
#ifndef NP_PIPELINE_CANARY_H
#define NP_PIPELINE_CANARY_H

#include <stdbool.h>

#include "base/exec.h"
#include "trace/trace.h"

/* X(ident, name) */
#define NP_CANARY_VERDICTS(X)                                                            \
    X(RIGHT, "right")                                                                    \
    X(WRONG, "wrong")       /* another result, or a failure on an image without fault */ \
    X(UNKNOWN, "not-known") /* the result of this kind of processor is not known */

enum np_canary_verdict {
#define X(ident, name) NP_CANARY_##ident,
    NP_CANARY_VERDICTS(X)
#undef X
};

const char *np_canary_verdict_name(enum np_canary_verdict verdict);

/* Plain data. */
struct np_canary {
    enum np_canary_verdict verdict;
    char found[65]; /* SHA-256 of the result's voxels, hex; "" = there is no result */
    char why[sizeof(((struct np_error *)0)->text)]; /* with WRONG and no result: a sentence */
    double wall_s;
    bool injected; /* wrong because --wrong-canary asked for it */
};

/* The hash that the program's own result has on this kind of processor; NULL = not known. Tests hold it. */
const char *np_canary_expected(void);

/* "Intel(R) Xeon(R) Gold 6226 CPU @ 2.70GHz", else the machine's architecture. Borrowed. */
const char *np_canary_processor(void);

/*
 * Let the canary through, on one thread; temporary files lie below TMPDIR, else /tmp. With
 * `is_injected` one bit of its image is changed on the way, and the result is marked. Returns 0
 * and a verdict; on failure there is none, and the machine may be as it should: NP_ENOMEM,
 * NP_ECREATE, NP_ESPACE, NP_EIO, NP_EBUSY, NP_ECANCELED.
 */
int np_canary_run(bool is_injected, const struct np_cancel *cancel, struct np_canary *canary,
                  struct np_error *err) NP_MUST_USE;

/* Set gauges neuro.canary.* and log the event neuro.canary. */
void np_canary_observe(const struct np_canary *canary, struct np_trace *trace);

/* Keep it as a line of logs/canary/NODE_RUN.tsv, for np-slurm. Returns 0, NP_ECREATE, NP_ESPACE, NP_EIO. */
int np_canary_keep(const struct np_canary *canary, const char *output_dir, const char *run_id,
                   struct np_error *err) NP_MUST_USE;

/* "expected the voxels' SHA-256 …, found … on node17 (Intel …)"; the caller frees. */
char *np_canary_text(const struct np_canary *canary);

#endif
