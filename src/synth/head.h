/*
 * Synthetic heads with known truth: for the demo dataset, and for tests that need the truth.
 *
 * A head consists of smooth surfaces (folded cortex, ventricles, cerebellum, brain stem, fluid,
 * dura and sinuses, skull with marrow, scalp, face with eyes and air, neck) whose sizes and shapes
 * vary with a seed. The anatomy is defined in millimetres, independent of any grid, so that the
 * same head can be imaged at any voxel size and in any storage order.
 */
#ifndef NP_SYNTH_HEAD_H
#define NP_SYNTH_HEAD_H

#include "base/exec.h"
#include "image/image.h"

enum np_synth_contrast { NP_SYNTH_T1W, NP_SYNTH_T2W, NP_SYNTH_FLAIR };

/* How much of the head the image shows. */
enum np_synth_extent {
    NP_SYNTH_WHOLE_HEAD,
    NP_SYNTH_DEFACED,  /* eyes, nose and mouth cut away by a plane: exact zeros */
    NP_SYNTH_STRIPPED, /* exact zeros outside the brain mask */
};

enum np_synth_bias_shape {
    NP_SYNTH_BIAS_POLYNOMIAL, /* order 3 */
    NP_SYNTH_BIAS_COILS,      /* four Gaussian sensitivities around the head */
};

/* The tissue that fills most of a voxel. */
enum np_synth_label {
    NP_SYNTH_AIR,
    NP_SYNTH_SKIN,
    NP_SYNTH_FAT,
    NP_SYNTH_MUSCLE,
    NP_SYNTH_BONE,
    NP_SYNTH_MARROW,
    NP_SYNTH_MUCOSA,
    NP_SYNTH_VITREOUS,
    NP_SYNTH_NERVE, /* optic nerves: not brain */
    NP_SYNTH_DURA,
    NP_SYNTH_BLOOD, /* venous sinuses, arteries, cortical veins */
    NP_SYNTH_CSF,
    NP_SYNTH_GREY,
    NP_SYNTH_DEEP_GREY,
    NP_SYNTH_WHITE,
    NP_SYNTH_LESION,
    NP_SYNTH_N_LABELS
};

enum { NP_SYNTH_MOST_LESIONS = 24 };

struct np_synth_options {
    uint64_t seed;      /* the person: anatomy */
    uint64_t scan_seed; /* the visit: head position, bias field, noise */
    enum np_synth_contrast contrast;
    enum np_synth_extent extent;

    /* The grid, along the world's axes R, A, S. A shape of 0 is chosen to hold the head. */
    int64_t shape[3];     /* at most 1024 each */
    double spacing_mm[3]; /* 0.3 to 10 each */
    char axes[4];         /* storage order: "RAS", "LPS", "PIR" (sagittal), "RIP" (coronal), … */

    double neck_mm;        /* shown below the brain when shape[2] is 0; below 0 cuts the brain */
    double crop_top_mm;    /* the image ends this far below the brain's top; 0 = above the head */
    double oblique_deg[3]; /* the grid's turn about R, A, S: the header says it */

    /* Parameters of the person's anatomy. */
    double csf_gap_mm;  /* between brain and skull, 1 to 10; 0 = 2 to 4, by the seed */
    double brain_scale; /* linear, 0.75 to 1.2; 0 = 0.90 to 1.03, by the seed */
    double atrophy;     /* 0 to 1: wide ventricles and sulci; negative = by the seed */
    double skull_mm;    /* 2 to 12; 0 = 5 to 8, by the seed */
    double fat_mm;      /* below the skin, 1 to 20; 0 = 3 to 6, by the seed */
    double dura_mm;     /* 0.5 to 3; 0 = 0.9; never within the brain */
    double sinus_mm;    /* radius of the venous sinuses, 1 to 8; 0 = 3.4 */
    double vein_mm;     /* radius of veins in the sulci's mouths, at most 2; 0 = none */
    double nerve_mm;    /* radius of the optic nerves, at most 5; 0 = 1.6 */
    double eye_scale;   /* 0.7 to 1.4; 0 = 1 */
    double neck_scale;  /* 0.7 to 1.5 in width and depth; 0 = 1 */
    double shoulder_mm; /* half the shoulders' width, at most 300; 0 = the neck goes on */
    double tilt_deg[3]; /* the head's turn about R, A, S, besides the visit's own few degrees */
    int n_lesions;      /* at most NP_SYNTH_MOST_LESIONS; every third one at the cortex */
    double lesion_mm;   /* largest radius, at most 30 */
    enum np_synth_bias_shape bias_shape;
    double coil_shift_mm; /* the coils' middle above its usual height */
    double bias_percent;  /* peak to peak over the brain, below 150; 0 = none */
    double noise_percent; /* sd in percent of white matter; Rician; 0 = none */
    double ghost_percent; /* a copy half the image away along A; 0 = none */
    double kspace_share;  /* 0.3 to 1: rows along A are cut off beyond it: ringing; 0 = none */
    float level[NP_SYNTH_N_LABELS]; /* intensities instead of the contrast's; 0 = the contrast's */
};

/* A 1 mm T1w whole head, 30 % bias, 3 % noise, seeds 1. */
void np_synth_options_init(struct np_synth_options *options);

/* An image and its truth, all on one grid. Release with np_synth_head_done; {0} is empty. */
struct np_synth_head {
    struct np_image *image; /* white matter's level is np_synth_white() where the bias is 1 */
    struct np_mask *brain;  /* tissue, ventricles, sulcal fluid under a smooth outer surface; brain
                               stem down to the cerebellum's lowest point; coverage >= 0.5 */
    struct np_image *log_bias; /* image = clean × exp(log_bias); mean 0 over the brain */
    uint8_t *label;            /* enum np_synth_label of each voxel */
};

void np_synth_head_done(struct np_synth_head *head);

/* The multiplicative field, exp(log_bias); owned by the caller. Returns 0, NP_ENOMEM. */
int np_synth_bias(const struct np_synth_head *head, struct np_image **bias,
                  struct np_error *err) NP_MUST_USE;

/* Noise-free, unbiased intensity of white matter. */
double np_synth_white(enum np_synth_contrast contrast);

/*
 * Draw a head. The same options give the same bytes for any number of threads on any x86-64
 * processor.
 *   exec  may be NULL
 *   out   overwritten, not released; untouched on failure
 * Partial volume: edges are one sample wide, and voxels longer than 1.5 mm are averages of finer
 * samples (so a thick slice is a slab). Needs about 45 MiB besides the outputs (13 bytes a voxel).
 * Cost on one core: 0.3 s for the anatomy, then about 0.1 µs a voxel (1 s for 1 mm).
 * Returns 0, NP_EUSAGE (names the option that is out of range), NP_ENOMEM, NP_ECANCELED.
 */
int np_synth_head(const struct np_synth_options *options, const struct np_exec *exec,
                  struct np_synth_head *out, struct np_error *err) NP_MUST_USE;

#endif
