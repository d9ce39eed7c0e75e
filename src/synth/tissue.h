/* Tissue from the fields at one position: label, intensity and share of brain. Private to synth. */
#ifndef NP_SYNTH_TISSUE_H
#define NP_SYNTH_TISSUE_H

#include "synth/anatomy.h"

struct np_synth_tissue_options {
    const float *level; /* intensity of each label */
    float edge_mm;      /* width over which a surface goes from 0 to 1: one sample */
    float atrophy;
    float dura_mm;
    float vein_mm; /* 0 = no veins */
};

struct np_synth_tissue {
    float intensity;
    float brain; /* share of the sample that is brain, 0 to 1 */
    uint8_t label;
};

/* Intensity of each label, NP_SYNTH_N_LABELS values; white matter of T1w is 1000. */
const float *np_synth_tissue_levels(enum np_synth_contrast contrast);

void np_synth_tissue_at(const float field[NP_N_FIELDS],
                        const struct np_synth_tissue_options *options,
                        struct np_synth_tissue *tissue);

#endif
