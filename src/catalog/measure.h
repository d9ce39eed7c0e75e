/*
 * The measures that stages take of an image: one row each. A stage names the row; records, sidecars,
 * spans, gauges, the table of imaging-derived phenotypes and the documentation read key, unit and
 * meaning here.
 */
#ifndef NP_CATALOG_MEASURE_H
#define NP_CATALOG_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

/* Where a measure is shown beside the record, the span and neuro.file.summary, which have all. */
enum np_shown_in {
    NP_IN_PREPROC = 1 << 0, /* as a parameter in the sidecar of desc-preproc */
    NP_IN_NORM = 1 << 1,    /* … of desc-norm */
    NP_IN_MASK = 1 << 2,    /* … of the brain mask */
    NP_IN_FIELD = 1 << 3,   /* … of the bias field */
    NP_IN_BRAIN = 1 << 4,   /* … of desc-brain, the image */
    NP_IN_IDPS = 1 << 5,    /* a column of the table of phenotypes */
    NP_IN_TISSUE = 1 << 6,  /* … of dseg and probseg */
    NP_IN_NOTHING_ELSE = 0,
    NP_IN_BIAS_SIDECARS = NP_IN_PREPROC | NP_IN_NORM | NP_IN_FIELD | NP_IN_BRAIN,
    NP_IN_BRAIN_SIDECARS = NP_IN_NORM | NP_IN_MASK | NP_IN_BRAIN,
    NP_IN_TISSUES = NP_IN_TISSUE | NP_IN_IDPS,
};

/*
 * X(ident, key, kind, unit, shown, formula, meaning)
 *   key      "stage.word"
 *   kind     NUMBER or WORD
 *   unit     UCUM; "" for words
 *   shown    enum np_shown_in
 *   formula  or the source of the value; "" where the meaning says it all
 *   meaning  a phrase that begins a sentence
 * XG has two columns more: the gauge that shows the measure of each image, as an identifier and by
 * its name.
 */
#define NP_MEASURES(X, XG)                                                                         \
    X(IMAGE_SHAPE, "neuro.image.shape", WORD, "", NP_IN_NOTHING_ELSE, "176x256x256",               \
      "Voxels on each axis")                                                                       \
    X(IMAGE_DTYPE, "neuro.image.dtype", WORD, "", NP_IN_NOTHING_ELSE, "int16",                     \
      "Type of the stored voxels")                                                                 \
    X(IMAGE_AXES, "neuro.image.axes", WORD, "", NP_IN_NOTHING_ELSE, "RAS",                         \
      "Anatomical directions of the stored axes")                                                  \
    X(IMAGE_VOXEL_SIZE_MM, "neuro.image.voxel_size_mm", WORD, "", NP_IN_NOTHING_ELSE, "1x1x1.2",   \
      "Spacing of the voxels on each axis, mm")                                                    \
    X(VALIDATE_DATA_NONFINITE, "validate_data.nonfinite", NUMBER, "1", NP_IN_IDPS, "",             \
      "Voxels that were no finite number and were taken as 0")                                     \
    X(VALIDATE_DATA_MINIMUM, "validate_data.minimum", NUMBER, "1", NP_IN_IDPS, "",                 \
      "Smallest intensity of the image")                                                           \
    X(VALIDATE_DATA_MAXIMUM, "validate_data.maximum", NUMBER, "1", NP_IN_IDPS, "",                 \
      "Largest intensity of the image")                                                            \
    X(VALIDATE_DATA_BACKGROUND, "validate_data.background", NUMBER, "1",                           \
      NP_IN_IDPS | NP_IN_PREPROC, "",                                                              \
      "Value of the background, where it was one value other than 0: it was subtracted")           \
    X(VALIDATE_DATA_NEGATIVE_SHARE, "validate_data.negative_share", NUMBER, "1", NP_IN_IDPS, "",   \
      "Share of the voxels with a negative intensity")                                             \
    X(BIAS_METHOD, "bias.method", WORD, "", NP_IN_BIAS_SIDECARS, "n4, none",                       \
      "How the bias field was estimated")                                                          \
    X(BIAS_FOREGROUND_THRESHOLD, "bias.foreground_threshold", NUMBER, "1",                         \
      NP_IN_BIAS_SIDECARS | NP_IN_IDPS, "", "Intensity above which voxels count as head")          \
    X(BIAS_POINTS, "bias.points", NUMBER, "1", NP_IN_BIAS_SIDECARS | NP_IN_IDPS, "",               \
      "Samples that the first bias field was fitted to")                                           \
    X(BIAS_ITERATIONS, "bias.iterations", NUMBER, "1", NP_IN_BIAS_SIDECARS | NP_IN_IDPS, "",       \
      "Iterations of the first bias field's fit, over all levels")                                 \
    X(BIAS_CHANGE, "bias.change", NUMBER, "1", NP_IN_BIAS_SIDECARS | NP_IN_IDPS,                   \
      "coefficient of variation, over the samples, of new field / old field",                      \
      "Change of the first bias field in its last iteration")                                      \
    X(BIAS_FIELD_RANGE, "bias.field_range", NUMBER, "1", NP_IN_BIAS_SIDECARS | NP_IN_IDPS,         \
      "q95 - q5 over the samples; the field's geometric mean is 1",                                \
      "95 % less 5 % quantile of the first bias field in the head")                                \
    X(BIAS_REFINEMENT_POINTS, "bias.refinement_points", NUMBER, "1",                               \
      NP_IN_BIAS_SIDECARS | NP_IN_IDPS, "",                                                        \
      "Samples that the second bias field was fitted to, in the brain")                            \
    X(BIAS_REFINEMENT_ITERATIONS, "bias.refinement_iterations", NUMBER, "1",                       \
      NP_IN_BIAS_SIDECARS | NP_IN_IDPS, "",                                                        \
      "Iterations of the second bias field's fit, over all levels")                                \
    X(BIAS_REFINEMENT_CHANGE, "bias.refinement_change", NUMBER, "1",                               \
      NP_IN_BIAS_SIDECARS | NP_IN_IDPS,                                                            \
      "coefficient of variation, over the samples, of new field / old field",                      \
      "Change of the second bias field in its last iteration")                                     \
    XG(BIAS_BRAIN_FIELD_RANGE, "bias.brain_field_range", NUMBER, "1",                              \
       NP_IN_BIAS_SIDECARS | NP_IN_IDPS,                                                           \
       "q95 - q5 over the brain's voxels; the field's geometric mean is 1",                        \
       "95 % less 5 % quantile of the bias field in the brain", qc_bias_field_range,               \
       "neuro.qc.bias_field_range")                                                                \
    X(BIAS_BRAIN_FIELD_MEDIAN, "bias.brain_field_median", NUMBER, "1", NP_IN_IDPS,                 \
      "the field's geometric mean is 1", "Median of the bias field in the brain")                  \
    X(SKULL_STRIP_METHOD, "skull_strip.method", WORD, "", NP_IN_BRAIN_SIDECARS,                    \
      "network-and-surface, adaptive-surface, already-stripped, skip, given",                      \
      "How the brain was found")                                                                   \
    XG(SKULL_STRIP_VOLUME, "skull_strip.volume", NUMBER, "mm3", NP_IN_BRAIN_SIDECARS | NP_IN_IDPS, \
       "voxels of the mask x volume of a voxel", "Volume of the brain mask", qc_brain_volume,      \
       "neuro.qc.brain_volume")                                                                    \
    X(SKULL_STRIP_RESTARTS, "skull_strip.restarts", NUMBER, "1",                                   \
      NP_IN_BRAIN_SIDECARS | NP_IN_IDPS, "",                                                       \
      "Restarts until the surface's start had found the brain's centre")                           \
    X(SKULL_STRIP_BORDER_LEVEL, "skull_strip.border_level", NUMBER, "1",                           \
      NP_IN_BRAIN_SIDECARS | NP_IN_IDPS,                                                           \
      "(border - dark) / (brain's middle - dark); dark: 0 or, if less, the 2 % quantile",          \
      "Level at which the surface stops, a share of 0 to 1")                                       \
    X(SKULL_STRIP_RIM, "skull_strip.rim", NUMBER, "1", NP_IN_BRAIN_SIDECARS | NP_IN_IDPS,          \
      "darkest layer within 10 mm outside / intensity inside",                                     \
      "How dark the brain's surroundings are, beside the brain")                                   \
    X(SKULL_STRIP_AGREEMENT, "skull_strip.agreement", NUMBER, "1",                                 \
      NP_IN_BRAIN_SIDECARS | NP_IN_IDPS,                                                           \
      "Dice coefficient of the mask and the network's, at 2 mm",                                   \
      "How well the brain mask and the network's coarse mask agree")                               \
    X(SKULL_STRIP_FAR_SHARE, "skull_strip.far_share", NUMBER, "1",                                 \
      NP_IN_BRAIN_SIDECARS | NP_IN_IDPS,                                                           \
      "voxels above the background more than 6 mm outside the network's mask / all above it",      \
      "Share of the image far outside the brain; near 0 without a skull")                          \
    XG(SKULL_STRIP_BORDER_CONTACT, "skull_strip.border_contact", NUMBER, "1",                      \
       NP_IN_BRAIN_SIDECARS | NP_IN_IDPS, "outermost voxels in the mask / outermost voxels",       \
       "Share of the image's border that the brain mask covers", qc_border_contact,                \
       "neuro.qc.border_contact")                                                                  \
    X(SKULL_STRIP_CENTRE_X, "skull_strip.centre_x", NUMBER, "mm",                                  \
      NP_IN_BRAIN_SIDECARS | NP_IN_IDPS, "", "Centre of the brain mask, world x")                  \
    X(SKULL_STRIP_CENTRE_Y, "skull_strip.centre_y", NUMBER, "mm",                                  \
      NP_IN_BRAIN_SIDECARS | NP_IN_IDPS, "", "Centre of the brain mask, world y")                  \
    X(SKULL_STRIP_CENTRE_Z, "skull_strip.centre_z", NUMBER, "mm",                                  \
      NP_IN_BRAIN_SIDECARS | NP_IN_IDPS, "", "Centre of the brain mask, world z")                  \
    X(NORMALIZATION_METHOD, "normalization.method", WORD, "", NP_IN_NORM,                          \
      "zscore, whitestripe, percentile, none", "How the intensities were normalized")              \
    X(NORMALIZATION_OFFSET, "normalization.offset", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS,          \
      "norm = (preproc - offset) / scale", "Intensity that became 0")                              \
    X(NORMALIZATION_SCALE, "normalization.scale", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS,            \
      "norm = (preproc - offset) / scale", "Intensity range that became 1")                        \
    X(NORMALIZATION_VOXELS, "normalization.voxels", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS,          \
      "zscore, percentile", "Voxels of the brain mask")                                            \
    X(NORMALIZATION_MEAN, "normalization.mean", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS, "zscore",    \
      "Mean intensity of the brain, after bias correction")                                        \
    X(NORMALIZATION_SD, "normalization.sd", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS, "zscore",        \
      "Standard deviation of the brain's intensity, after bias correction")                        \
    X(NORMALIZATION_LOW, "normalization.low", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS, "percentile",  \
      "1 % quantile of the smoothed brain's intensity")                                            \
    X(NORMALIZATION_HIGH, "normalization.high", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS,              \
      "percentile", "99 % quantile of the smoothed brain; in FLAIR of its tissue")                 \
    X(NORMALIZATION_STRIPE_VOXELS, "normalization.stripe_voxels", NUMBER, "1",                     \
      NP_IN_NORM | NP_IN_IDPS, "whitestripe", "Voxels of the white stripe")                        \
    X(NORMALIZATION_STRIPE_MEAN, "normalization.stripe_mean", NUMBER, "1",                         \
      NP_IN_NORM | NP_IN_IDPS, "whitestripe", "Mean intensity of the white stripe")                \
    X(NORMALIZATION_STRIPE_SD, "normalization.stripe_sd", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS,    \
      "whitestripe", "Standard deviation of the white stripe's intensity")                         \
    X(NORMALIZATION_STRIPE_LOW, "normalization.stripe_low", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS,  \
      "whitestripe", "Intensity at which the white stripe begins")                                 \
    X(NORMALIZATION_STRIPE_HIGH, "normalization.stripe_high", NUMBER, "1",                         \
      NP_IN_NORM | NP_IN_IDPS, "whitestripe", "Intensity at which the white stripe ends")          \
    X(NORMALIZATION_MODE, "normalization.mode", NUMBER, "1", NP_IN_NORM | NP_IN_IDPS,              \
      "whitestripe", "Intensity of white matter's peak in the histogram")                          \
    X(TISSUE_VOLUME_CSF, "tissue.volume_csf", NUMBER, "mL", NP_IN_TISSUES,                         \
      "sum of shares x volume of a voxel", "Cerebrospinal fluid in the brain mask")                \
    X(TISSUE_VOLUME_GM, "tissue.volume_gm", NUMBER, "mL", NP_IN_TISSUES,                           \
      "sum of shares x volume of a voxel", "Grey matter in the brain mask")                        \
    X(TISSUE_VOLUME_WM, "tissue.volume_wm", NUMBER, "mL", NP_IN_TISSUES,                           \
      "sum of shares x volume of a voxel", "White matter in the brain mask")                       \
    X(TISSUE_MEAN_CSF, "tissue.mean_csf", NUMBER, "1", NP_IN_TISSUES,                              \
      "of unmixed voxels, after bias correction", "Mean intensity of cerebrospinal fluid")         \
    X(TISSUE_MEAN_GM, "tissue.mean_gm", NUMBER, "1", NP_IN_TISSUES,                                \
      "of unmixed voxels, after bias correction", "Mean intensity of grey matter")                 \
    X(TISSUE_MEAN_WM, "tissue.mean_wm", NUMBER, "1", NP_IN_TISSUES,                                \
      "of unmixed voxels, after bias correction", "Mean intensity of white matter")                \
    X(TISSUE_SEPARATION, "tissue.separation", NUMBER, "1", NP_IN_TISSUES,                          \
      "(mean_wm - mean_gm) / sqrt((sd_gm^2 + sd_wm^2) / 2)",                                       \
      "How far white and grey matter lie apart, in their standard deviations")                     \
    X(TISSUE_ITERATIONS, "tissue.iterations", NUMBER, "1", NP_IN_TISSUES, "",                      \
      "Iterations of the fit of the three tissues")                                                \
    XG(QUALITY_CJV, "quality.cjv", NUMBER, "1", NP_IN_IDPS,                                        \
       "(mad_wm + mad_gm) / |median_wm - median_gm|",                                              \
       "Coefficient of joint variation of white and grey matter; less is better", qc_cjv,          \
       "neuro.qc.cjv")                                                                             \
    X(QUALITY_CNR_AIR, "quality.cnr_air", NUMBER, "1", NP_IN_IDPS,                                 \
      "|median_wm - median_gm| / sqrt(stdv_air^2 + stdv_wm^2 + stdv_gm^2)",                        \
      "Contrast of white and grey matter, to the noise of air and tissues")                        \
    XG(QUALITY_EFC, "quality.efc", NUMBER, "1", NP_IN_IDPS,                                        \
       "sum(x/b ln(x/b)) / (sqrt(N) ln(1/sqrt(N))), b^2 = sum(x^2)",                               \
       "Entropy focus criterion: blur and ghosts; less is better", qc_efc, "neuro.qc.efc")         \
    XG(QUALITY_FBER, "quality.fber", NUMBER, "1", NP_IN_IDPS,                                      \
       "median(x^2) of the head / of what is neither head nor frame",                              \
       "Energy of the head, to that around it", qc_fber, "neuro.qc.fber")                          \
    X(QUALITY_FWHM_X, "quality.fwhm_x", NUMBER, "1", NP_IN_IDPS,                                   \
      "sqrt(-2 ln 2 / ln(1 - var(difference of neighbours) / (2 var(x))))",                        \
      "Smoothness of the brain along x, voxels")                                                   \
    X(QUALITY_FWHM_Y, "quality.fwhm_y", NUMBER, "1", NP_IN_IDPS,                                   \
      "sqrt(-2 ln 2 / ln(1 - var(difference of neighbours) / (2 var(x))))",                        \
      "Smoothness of the brain along y, voxels")                                                   \
    X(QUALITY_FWHM_Z, "quality.fwhm_z", NUMBER, "1", NP_IN_IDPS,                                   \
      "sqrt(-2 ln 2 / ln(1 - var(difference of neighbours) / (2 var(x))))",                        \
      "Smoothness of the brain along z, voxels")                                                   \
    X(QUALITY_FWHM_AVG, "quality.fwhm_avg", NUMBER, "1", NP_IN_IDPS, "mean of the three axes",     \
      "Smoothness of the brain, voxels")                                                           \
    X(QUALITY_ICVS_CSF, "quality.icvs_csf", NUMBER, "1", NP_IN_IDPS,                               \
      "sum of shares / of all three tissues", "Share of cerebrospinal fluid in the three tissues") \
    X(QUALITY_ICVS_GM, "quality.icvs_gm", NUMBER, "1", NP_IN_IDPS,                                 \
      "sum of shares / of all three tissues", "Share of grey matter in the three tissues")         \
    X(QUALITY_ICVS_WM, "quality.icvs_wm", NUMBER, "1", NP_IN_IDPS,                                 \
      "sum of shares / of all three tissues", "Share of white matter in the three tissues")        \
    X(QUALITY_INU_MED, "quality.inu_med", NUMBER, "1", NP_IN_IDPS,                                 \
      "the field's geometric mean is 1", "Median of the bias field in the brain")                  \
    X(QUALITY_INU_RANGE, "quality.inu_range", NUMBER, "1", NP_IN_IDPS, "q95 - q5",                 \
      "95 % less 5 % quantile of the bias field in the brain")                                     \
    X(QUALITY_AIR_ARTIFACTS, "quality.air_artifacts", NUMBER, "1", NP_IN_IDPS,                     \
      "artifacts / (artifacts + air)",                                                             \
      "Share of the air above the head that is bright: ghosts, wrap-around; MRIQC's qi_1 in our "  \
      "air")                                                                                       \
    XG(QUALITY_AIR_NOISE_MISFIT, "quality.air_noise_misfit", NUMBER, "1", NP_IN_IDPS,              \
       "mean distance of the densities, beyond half of the maximum",                               \
       "How far the air's intensities are from noise; MRIQC's qi_2 in our air",                    \
       qc_air_noise_misfit, "neuro.qc.air_noise_misfit")                                           \
    X(QUALITY_RPVE_CSF, "quality.rpve_csf", NUMBER, "1", NP_IN_IDPS,                               \
      "distance of the shares to 0 or 1 / voxels with a share",                                    \
      "Residual partial volume of cerebrospinal fluid")                                            \
    X(QUALITY_RPVE_GM, "quality.rpve_gm", NUMBER, "1", NP_IN_IDPS,                                 \
      "distance of the shares to 0 or 1 / voxels with a share",                                    \
      "Residual partial volume of grey matter")                                                    \
    X(QUALITY_RPVE_WM, "quality.rpve_wm", NUMBER, "1", NP_IN_IDPS,                                 \
      "distance of the shares to 0 or 1 / voxels with a share",                                    \
      "Residual partial volume of white matter")                                                   \
    X(QUALITY_SIZE_X, "quality.size_x", NUMBER, "1", NP_IN_IDPS, "", "Voxels along x")             \
    X(QUALITY_SIZE_Y, "quality.size_y", NUMBER, "1", NP_IN_IDPS, "", "Voxels along y")             \
    X(QUALITY_SIZE_Z, "quality.size_z", NUMBER, "1", NP_IN_IDPS, "", "Voxels along z")             \
    X(QUALITY_SNR_CSF, "quality.snr_csf", NUMBER, "1", NP_IN_IDPS,                                 \
      "median / (stdv sqrt(n / (n - 1)))", "Signal to noise in cerebrospinal fluid")               \
    X(QUALITY_SNR_GM, "quality.snr_gm", NUMBER, "1", NP_IN_IDPS,                                   \
      "median / (stdv sqrt(n / (n - 1)))", "Signal to noise in grey matter")                       \
    X(QUALITY_SNR_WM, "quality.snr_wm", NUMBER, "1", NP_IN_IDPS,                                   \
      "median / (stdv sqrt(n / (n - 1)))", "Signal to noise in white matter")                      \
    XG(QUALITY_SNR_TOTAL, "quality.snr_total", NUMBER, "1", NP_IN_IDPS,                            \
       "mean of the three tissues", "Signal to noise in the tissues", qc_snr, "neuro.qc.snr")      \
    X(QUALITY_SNRD_AIR_CSF, "quality.snrd_air_csf", NUMBER, "1", NP_IN_IDPS,                       \
      "0.655 median / mad_air", "Signal of cerebrospinal fluid, to the noise of our air")          \
    X(QUALITY_SNRD_AIR_GM, "quality.snrd_air_gm", NUMBER, "1", NP_IN_IDPS,                         \
      "0.655 median / mad_air", "Signal of grey matter, to the noise of our air")                  \
    X(QUALITY_SNRD_AIR_WM, "quality.snrd_air_wm", NUMBER, "1", NP_IN_IDPS,                         \
      "0.655 median / mad_air", "Signal of white matter, to the noise of our air")                 \
    X(QUALITY_SNRD_AIR_TOTAL, "quality.snrd_air_total", NUMBER, "1", NP_IN_IDPS,                   \
      "mean of the three tissues", "Signal of the tissues, to the noise of our air")               \
    X(QUALITY_SPACING_X, "quality.spacing_x", NUMBER, "mm", NP_IN_IDPS, "",                        \
      "Spacing of the voxels along x")                                                             \
    X(QUALITY_SPACING_Y, "quality.spacing_y", NUMBER, "mm", NP_IN_IDPS, "",                        \
      "Spacing of the voxels along y")                                                             \
    X(QUALITY_SPACING_Z, "quality.spacing_z", NUMBER, "mm", NP_IN_IDPS, "",                        \
      "Spacing of the voxels along z")                                                             \
    X(QUALITY_SUMMARY_CSF_MEAN, "quality.summary_csf_mean", NUMBER, "1", NP_IN_IDPS,               \
      "white matter's median is 1000", "Mean of cerebrospinal fluid")                              \
    X(QUALITY_SUMMARY_CSF_MEDIAN, "quality.summary_csf_median", NUMBER, "1", NP_IN_IDPS,           \
      "white matter's median is 1000", "Median of cerebrospinal fluid")                            \
    X(QUALITY_SUMMARY_CSF_P05, "quality.summary_csf_p05", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000", "5 % quantile of cerebrospinal fluid")                      \
    X(QUALITY_SUMMARY_CSF_P95, "quality.summary_csf_p95", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000", "95 % quantile of cerebrospinal fluid")                     \
    X(QUALITY_SUMMARY_CSF_STDV, "quality.summary_csf_stdv", NUMBER, "1", NP_IN_IDPS,               \
      "white matter's median is 1000", "Standard deviation of cerebrospinal fluid")                \
    X(QUALITY_SUMMARY_CSF_K, "quality.summary_csf_k", NUMBER, "1", NP_IN_IDPS, "",                 \
      "Kurtosis, less 3, of cerebrospinal fluid")                                                  \
    X(QUALITY_SUMMARY_CSF_MAD, "quality.summary_csf_mad", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000",                                                             \
      "Median distance to the median, / 0.6745, of cerebrospinal fluid")                           \
    X(QUALITY_SUMMARY_CSF_N, "quality.summary_csf_n", NUMBER, "1", NP_IN_IDPS, "sum of shares",    \
      "Voxels of cerebrospinal fluid")                                                             \
    X(QUALITY_SUMMARY_GM_MEAN, "quality.summary_gm_mean", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000", "Mean of grey matter")                                      \
    X(QUALITY_SUMMARY_GM_MEDIAN, "quality.summary_gm_median", NUMBER, "1", NP_IN_IDPS,             \
      "white matter's median is 1000", "Median of grey matter")                                    \
    X(QUALITY_SUMMARY_GM_P05, "quality.summary_gm_p05", NUMBER, "1", NP_IN_IDPS,                   \
      "white matter's median is 1000", "5 % quantile of grey matter")                              \
    X(QUALITY_SUMMARY_GM_P95, "quality.summary_gm_p95", NUMBER, "1", NP_IN_IDPS,                   \
      "white matter's median is 1000", "95 % quantile of grey matter")                             \
    X(QUALITY_SUMMARY_GM_STDV, "quality.summary_gm_stdv", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000", "Standard deviation of grey matter")                        \
    X(QUALITY_SUMMARY_GM_K, "quality.summary_gm_k", NUMBER, "1", NP_IN_IDPS, "",                   \
      "Kurtosis, less 3, of grey matter")                                                          \
    X(QUALITY_SUMMARY_GM_MAD, "quality.summary_gm_mad", NUMBER, "1", NP_IN_IDPS,                   \
      "white matter's median is 1000", "Median distance to the median, / 0.6745, of grey matter")  \
    X(QUALITY_SUMMARY_GM_N, "quality.summary_gm_n", NUMBER, "1", NP_IN_IDPS, "sum of shares",      \
      "Voxels of grey matter")                                                                     \
    X(QUALITY_SUMMARY_WM_MEAN, "quality.summary_wm_mean", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000", "Mean of white matter")                                     \
    X(QUALITY_SUMMARY_WM_MEDIAN, "quality.summary_wm_median", NUMBER, "1", NP_IN_IDPS,             \
      "white matter's median is 1000", "Median of white matter")                                   \
    X(QUALITY_SUMMARY_WM_P05, "quality.summary_wm_p05", NUMBER, "1", NP_IN_IDPS,                   \
      "white matter's median is 1000", "5 % quantile of white matter")                             \
    X(QUALITY_SUMMARY_WM_P95, "quality.summary_wm_p95", NUMBER, "1", NP_IN_IDPS,                   \
      "white matter's median is 1000", "95 % quantile of white matter")                            \
    X(QUALITY_SUMMARY_WM_STDV, "quality.summary_wm_stdv", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000", "Standard deviation of white matter")                       \
    X(QUALITY_SUMMARY_WM_K, "quality.summary_wm_k", NUMBER, "1", NP_IN_IDPS, "",                   \
      "Kurtosis, less 3, of white matter")                                                         \
    X(QUALITY_SUMMARY_WM_MAD, "quality.summary_wm_mad", NUMBER, "1", NP_IN_IDPS,                   \
      "white matter's median is 1000", "Median distance to the median, / 0.6745, of white matter") \
    X(QUALITY_SUMMARY_WM_N, "quality.summary_wm_n", NUMBER, "1", NP_IN_IDPS, "sum of shares",      \
      "Voxels of white matter")                                                                    \
    X(QUALITY_SUMMARY_AIR_MEAN, "quality.summary_air_mean", NUMBER, "1", NP_IN_IDPS,               \
      "white matter's median is 1000", "Mean of the air above the head")                           \
    X(QUALITY_SUMMARY_AIR_MEDIAN, "quality.summary_air_median", NUMBER, "1", NP_IN_IDPS,           \
      "white matter's median is 1000", "Median of the air above the head")                         \
    X(QUALITY_SUMMARY_AIR_P05, "quality.summary_air_p05", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000", "5 % quantile of the air above the head")                   \
    X(QUALITY_SUMMARY_AIR_P95, "quality.summary_air_p95", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000", "95 % quantile of the air above the head")                  \
    X(QUALITY_SUMMARY_AIR_STDV, "quality.summary_air_stdv", NUMBER, "1", NP_IN_IDPS,               \
      "white matter's median is 1000", "Standard deviation of the air above the head")             \
    X(QUALITY_SUMMARY_AIR_K, "quality.summary_air_k", NUMBER, "1", NP_IN_IDPS, "",                 \
      "Kurtosis, less 3, of the air above the head")                                               \
    X(QUALITY_SUMMARY_AIR_MAD, "quality.summary_air_mad", NUMBER, "1", NP_IN_IDPS,                 \
      "white matter's median is 1000",                                                             \
      "Median distance to the median, / 0.6745, of the air above the head")                        \
    X(QUALITY_SUMMARY_AIR_N, "quality.summary_air_n", NUMBER, "1", NP_IN_IDPS, "",                 \
      "Voxels of the air above the head")                                                          \
    X(QUALITY_WM2MAX, "quality.wm2max", NUMBER, "1", NP_IN_IDPS,                                   \
      "median_wm / 99.95 % quantile of the image", "White matter, to the brightest of the image")

enum np_measure_ident {
#define X(ident, ...) NP_MEASURE_##ident,
    NP_MEASURES(X, X)
#undef X
        NP_N_MEASURES
};

enum np_measure_kind { NP_MEASURE_KIND_NUMBER, NP_MEASURE_KIND_WORD };

struct np_measure_row {
    const char *key;       /* in records and sidecars */
    const char *attribute; /* in telemetry: "neuro." and the key, once */
    enum np_measure_kind kind;
    const char *unit;
    unsigned shown; /* of enum np_shown_in */
    const char *formula;
    const char *meaning;
};

extern const struct np_measure_row np_measure_rows[NP_N_MEASURES];

/* The row of a key; NULL when there is none (a record may be older or newer than this table). */
const struct np_measure_row *np_measure_find(const char *key);

/* A key that records had earlier: it is read as that of `now` where the word `when` is `text`. */
struct np_measure_alias {
    const char *key;
    enum np_measure_ident when;
    const char *text;
    enum np_measure_ident now;
};

extern const struct np_measure_alias np_measure_aliases[];
extern const size_t np_n_measure_aliases;

/* Where a column is of no use: NP_MEASURES(NP_NO_MEASURE, XG) are the rows with a gauge. */
#define NP_NO_MEASURE(...)

#endif
