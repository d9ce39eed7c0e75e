/* Fast Fourier transform of short complex sequences, in double precision. */
#ifndef NP_OPS_FFT_H
#define NP_OPS_FFT_H

struct np_complex {
    double re, im;
};

enum np_fft_direction { NP_FFT_FORWARD, NP_FFT_INVERSE };

/* Twiddle factors and bit-reversed order for one length. Constant while in use, so it may be
 * shared. */
struct np_fft;

/* `n` is a power of two from 2 to 2^20. Never NULL. */
struct np_fft *np_fft_new(int n);
void np_fft_freep(struct np_fft **fft);

/*
 * In place: X_k = sum over j of x_j exp(-2 pi i j k / n); the inverse has the opposite sign and
 * divides by n. Radix 2, decimation in time (Cooley and Tukey 1965,
 * doi:10.1090/S0025-5718-1965-0178586-1). The same bits on every processor.
 */
void np_fft_run(const struct np_fft *fft, enum np_fft_direction direction, struct np_complex *x);

#endif
