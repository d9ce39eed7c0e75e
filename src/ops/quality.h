/*
 * Image quality metrics of a head: MRIQC's, by its formulas (Esteban et al. 2017,
 * doi:10.1371/journal.pone.0184661), from masks that the caller has. Names are MRIQC's.
 *
 * Intensities are those of the corrected image times the factor that makes the median of white
 * matter 1000 (share >= 0.9, less its outermost voxels; with those where nothing else is left), and
 * 0 where they are negative.
 *
 *   cjv         coefficient of joint variation, (mad_wm + mad_gm) / |median_wm - median_gm|; Ganzetti
 *               et al. 2016, doi:10.3389/fninf.2016.00010
 *   cnr         contrast to noise, |median_wm - median_gm| / sqrt(stdv_bg² + stdv_wm² + stdv_gm²);
 *               Magnotta & Friedman 2006, doi:10.1007/s10278-006-0264-x
 *   efc         entropy focus criterion, sum(x/b ln(x/b)) / (sqrt(N) ln(1/sqrt(N))) with
 *               b² = sum(x²), N voxels outside the frame; Atkinson et al. 1997,
 *               doi:10.1109/42.650886
 *   fber        median(x²) of the head / that of what is neither head nor frame; -1 where the
 *               latter is below 0.001; Shehzad et al. 2015, doi:10.3389/conf.fnins.2015.91.00047
 *   fwhm_*      smoothness, voxels: sqrt(-2 ln 2 / ln(1 - var(difference of neighbours) / (2
 *               var(x)))), of the source's intensities in the brain; Forman et al. 1995,
 *               doi:10.1002/mrm.1910330508
 *   icvs_*      sum of a tissue's shares / that of all three
 *   inu_*       median, and 95 % less 5 % quantile, of the bias field in the brain; Tustison et al.
 *               2010, doi:10.1109/TMI.2010.2046908
 *   qi_1        artifacts / (artifacts + air); -1 without air; Mortamet et al. 2009,
 *               doi:10.1002/mrm.21992
 *   qi_2        ops/quality_noise.h, of the source's intensities in the hat, artifacts among them,
 *               without the frame; Mortamet
 *   rpve_*      residual partial volume: of the shares between their 2 % and 98 % quantiles
 *               (others count as 0), sum(share > 0.5) + sum(1 - share <= 0.5, of all voxels of the
 *               image), / voxels with a share
 *   snr_*       median / (stdv sqrt(n / (n - 1)))
 *   snrd_*      0.6551364 median / mad_bg; by stdv_bg where mad_bg <= 1, -1 where that is below
 *               0.001; Dietrich et al. 2007, doi:10.1002/jmri.20969
 *   summary_*   of each tissue, and of the air (bg): see np_quality_summary
 *   wm2max      median_wm / 99.95 % quantile of all voxels
 *
 * docs/methods/quality.md says where the values differ from MRIQC's.
 */
#ifndef NP_OPS_QUALITY_H
#define NP_OPS_QUALITY_H

#include "base/exec.h"
#include "image/image.h"
#include "ops/tissue.h"

/* The parts of the image that a voxel belongs to, as bits. */
enum np_quality_region {
    NP_REGION_HEAD = 1,     /* brain, skull, skin */
    NP_REGION_HAT = 2,      /* outside the head, where air is to be: above nose and neck */
    NP_REGION_ARTIFACT = 4, /* what is no air in the hat; without HAT it means nothing */
    NP_REGION_FRAME = 8,    /* zeros that were not measured */
    NP_REGION_BRAIN = 16,
};

/* All on one grid; values are finite. One of source and corrected may be NULL. */
struct np_quality_input {
    const struct np_image *source;    /* as it was measured; NULL: no fwhm and qi_2 */
    const struct np_image *corrected; /* the source / bias field; NULL: fwhm and qi_2 alone */
    const struct np_image *field;     /* a factor, its middle about 1; NULL: no inu_* */
    const uint8_t *region;            /* bits of enum np_quality_region of each voxel */
    const struct np_tissue *tissue;   /* NULL: none of what needs tissues, or white matter's level:
                                         cjv, cnr, icvs, rpve, snr, snrd, summary, wm2max */
};

struct np_quality_summary {
    double mean, median, p95, p05; /* weighted by the shares, of intensities rounded to integers */
    double stdv;                   /* of the same */
    double kurtosis; /* less 3; of the voxels with more than half of the largest share */
    double mad;      /* of the same: median distance to `median`, / 0.6744898 */
    double n;        /* sum of shares, voxels */
};

enum { NP_QUALITY_BG = NP_N_TISSUES, NP_N_SUMMARIES };

/* NAN is a value that does not exist. */
struct np_quality {
    double cjv, cnr, efc, fber;
    double fwhm[3], fwhm_avg; /* along the grid's axes */
    double icvs[NP_N_TISSUES];
    double inu_med, inu_range;
    double qi_1, qi_2;
    double rpve[NP_N_TISSUES];
    int64_t size[3];
    double snr[NP_N_TISSUES], snr_total;
    double snrd[NP_N_TISSUES], snrd_total;
    double spacing_mm[3];
    struct np_quality_summary summary[NP_N_SUMMARIES];
    double wm2max;
};

/*
 * Compute all of them. Cost at 256³: about 0.17 s of one core; 25 MiB, and 4 bytes for each voxel
 * of the brain.
 * Returns 0, NP_EGEOMETRY (grids differ in size), NP_EDOMAIN (no brain, or no signal in it),
 * NP_ENOMEM, NP_ECANCELED; on failure `quality` is untouched.
 */
int np_quality_measure(const struct np_quality_input *input, const struct np_exec *exec,
                       struct np_quality *quality, struct np_error *err) NP_MUST_USE;

#endif
