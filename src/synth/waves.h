/* Smooth random functions of position: sums of plane waves of one wavelength band. */
#ifndef NP_SYNTH_WAVES_H
#define NP_SYNTH_WAVES_H

#include "base/random.h"

enum { NP_WAVES_MOST = 28 };

/* A Gaussian random field, nearly: mean 0, variance 1 over space. */
struct np_waves {
    int n;
    double gain;
    double turns_per_mm[NP_WAVES_MOST][3];
    double phase[NP_WAVES_MOST]; /* turns */
};

/* `n` waves (at most NP_WAVES_MOST) in random directions, lengths uniform between the two. */
struct np_waves np_waves_make(struct np_random *random, int n, double shortest_mm,
                              double longest_mm);

double np_waves_at(const struct np_waves *waves, const double p_mm[3]);

/* The same, and the gradient per mm. */
double np_waves_gradient(const struct np_waves *waves, const double p_mm[3], double gradient[3]);

#endif
