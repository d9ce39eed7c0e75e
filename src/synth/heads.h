/*
 * Named synthetic heads for judging brain extraction. Each combines properties that make real heads
 * difficult. They follow from anatomy, not from any method: docs/methods/heads.md.
 */
#ifndef NP_SYNTH_HEADS_H
#define NP_SYNTH_HEADS_H

#include "synth/head.h"

struct np_synth_case {
    const char *name;     /* a file name's part: letters and digits */
    const char *sentence; /* the difficulty that it shows */
    struct np_synth_options options;
};

enum { NP_SYNTH_N_CASES = 20 };

extern const struct np_synth_case np_synth_cases[NP_SYNTH_N_CASES];

/* The case of this name; NULL when there is none. */
const struct np_synth_case *np_synth_case_find(const char *name);

#endif
