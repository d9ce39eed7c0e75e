/*
 * The test runs at 2 mm. Background are values within 1 % of the bright end from 0. The largest
 * part of the rest, holes filled, is the support. Layers of 1 mm by distance from its surface have
 * mean intensities. In a head these rise (scalp), fall (skull) and rise again (brain). In a
 * stripped brain they do not fall and rise again within the first 15 mm.
 */
#include "ops/stripped.h"

#include <math.h>
#include <string.h>

#include "ops/histogram.h"
#include "ops/morphology.h"
#include "ops/resample.h"

static const double COARSE_MM = 2;
static const double BACKGROUND_SHARE = 0.01; /* of the 98 % quantile of the voxels that are not 0 */
static const double LEAST_MM3 = 300e3, MOST_MM3 = 2200e3;
static const double MOST_OUTSIDE = 0.02, MOST_BORDER = 0.5;
/* Measured: heads 0.43 … 0.79, brains 0.84 … 1 (docs/methods/brain.md). */
static const double LEAST_DIP = 0.82;
/* Measured: stripped brains at most 0.03, parts of heads at least 0.16, heads 0.28 and more. */
static const double SURE_FAR = 0.05, MOST_FAR = 0.10;
static const double CLEAN_OUTSIDE = 0.001, CLEAN_ZEROS = 0.2, LEAST_WITH_PRIOR_MM3 = 50e3;

/* Layers of 1 mm: the skull is searched between these depths, the brain down to the last layer. */
enum { SKULL_FROM_MM = 3, SKULL_TO_MM = 16, N_LAYERS = 28 };

/* The limit of |value| above which a voxel is not background. */
static int background_limit(const struct np_image *image, const struct np_exec *exec, double *limit,
                            struct np_error *err)
{
    static const double p[1] = {0.98};
    NP_AUTO(np_mask_freep) struct np_mask *some = np_mask_new(&image->grid);
    size_t n = np_grid_voxels(&image->grid);
    int64_t count = 0;
    double bright;

    if (!some)
        return np_error_set(err, NP_ENOMEM, "support: no memory for %zu MiB",
                            np_grid_mib(&image->grid) / 4 + 1);
    for (size_t i = 0; i < n; i++)
        count += some->voxel[i] = image->voxel[i] != 0;
    if (count == 0)
        return np_error_set(err, NP_EMETHOD,
                            "no head: all voxels are 0; expected an image with something in it");
    NP_TRY(np_image_quantiles(image, some, p, 1, exec, &bright, err));
    *limit = BACKGROUND_SHARE * fabs(bright);
    return 0;
}

/* The largest part above the limit, holes filled; `outside` is the number of other voxels above
 * it. */
static int find_support(const struct np_image *image, double limit, struct np_mask **support,
                        int64_t *outside, struct np_error *err)
{
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&image->grid);
    size_t n = np_grid_voxels(&image->grid);
    int64_t count = 0;

    if (!mask)
        return np_error_set(err, NP_ENOMEM, "support: no memory for %zu MiB",
                            np_grid_mib(&image->grid) / 4 + 1);
    for (size_t i = 0; i < n; i++)
        count += mask->voxel[i] = fabs((double)image->voxel[i]) > limit;
    NP_TRY(np_mask_keep_largest(mask, NP_CONNECT_6, NULL, err));
    *outside = count - np_mask_count(mask);
    NP_TRY(np_mask_fill_holes(mask, err));
    *support = mask;
    mask = NULL;
    return 0;
}

int np_support_mask(const struct np_image *image, const struct np_exec *exec,
                    struct np_mask **support, struct np_error *err)
{
    double limit;
    int64_t outside;

    NP_TRY(background_limit(image, exec, &limit, err));
    return find_support(image, limit, support, &outside, err);
}

/* The zero of the layers' intensities: 0, or, in a support with negative values (a z-scored image),
 * about where 0 was: a quarter of its range below its dark end. */
static int find_floor(const struct np_image *image, const struct np_mask *support,
                      const struct np_exec *exec, double *floor_value, struct np_error *err)
{
    static const double ends[2] = {0.02, 0.98}, BELOW = 0.25;
    double q[2];

    NP_TRY(np_image_quantiles(image, support, ends, 2, exec, q, err));
    *floor_value = q[0] < 0 ? q[0] - BELOW * (q[1] - q[0]) : 0;
    return 0;
}

/* Mean intensity by depth below the surface, in the upper half of the support, where scalp and
 * skull have even thickness. NAN for layers without voxels. */
static int layer_means(const struct np_image *image, const struct np_mask *support,
                       const struct np_exec *exec, double mean[N_LAYERS], struct np_error *err)
{
    NP_AUTO(np_image_freep) struct np_image *depth_mm2 = np_image_new(&image->grid);
    size_t n = np_grid_voxels(&image->grid);
    double sum[N_LAYERS] = {0}, centre_voxel[3] = {0};
    int64_t count[N_LAYERS] = {0};
    double floor_value;

    if (!depth_mm2)
        return np_error_set(err, NP_ENOMEM, "layers: no memory for %zu MiB",
                            np_grid_mib(&image->grid));
    NP_TRY(find_floor(image, support, exec, &floor_value, err));
    NP_TRY(np_distance_mm2(support, NP_DISTANCE_TO_ZERO, exec, depth_mm2, err));
    np_mask_centroid(support, centre_voxel);
    size_t upper = (size_t)centre_voxel[2] * (size_t)(image->grid.n[0] * image->grid.n[1]);
    for (size_t i = upper; i < n; i++) {
        double depth_mm = sqrt((double)depth_mm2->voxel[i]);
        if (support->voxel[i] && depth_mm < N_LAYERS) {
            sum[(int)depth_mm] += (double)image->voxel[i];
            count[(int)depth_mm]++;
        }
    }
    for (int d = 0; d < N_LAYERS; d++)
        mean[d] = count[d] ? sum[d] / (double)count[d] - floor_value : NAN;
    return 0;
}

/* Comparisons with NAN are false, so missing layers are skipped. */
static double brightest(const double *mean, int from, int to)
{
    double best = 0;

    for (int d = from; d < to; d++)
        best = mean[d] > best ? mean[d] : best;
    return best;
}

static double find_dip(const double mean[N_LAYERS])
{
    double dip = 1;

    for (int d = SKULL_FROM_MM; d <= SKULL_TO_MM; d++) {
        double sides = fmin(brightest(mean, 0, d), brightest(mean, d + 1, N_LAYERS));
        if (sides > 0 && mean[d] / sides < dip)
            dip = mean[d] / sides;
    }
    return dip;
}

static const struct np_stripped_report nothing_seen = {NAN, NAN, NAN, NAN, NAN, false};

/* Fill `report`; stop at the first test that fails. */
static int measure_support(const struct np_image *image, const struct np_exec *exec, bool has_prior,
                           struct np_stripped_report *report, struct np_error *err)
{
    double least_mm3 = has_prior ? LEAST_WITH_PRIOR_MM3 : LEAST_MM3;
    double most_border = has_prior ? 1 : MOST_BORDER;
    struct np_grid grid = np_grid_isotropic(&image->grid, COARSE_MM);
    NP_AUTO(np_image_freep) struct np_image *coarse = NULL;
    NP_AUTO(np_mask_freep) struct np_mask *support = NULL;
    double limit, mean[N_LAYERS];
    int64_t outside;

    NP_TRY(np_resample(image, &grid, exec, &coarse, err));
    NP_TRY(background_limit(coarse, exec, &limit, err));
    NP_TRY(find_support(coarse, limit, &support, &outside, err));
    double n_support = (double)np_mask_count(support);
    report->support_mm3 = n_support * np_grid_voxel_mm3(&grid);
    if (report->support_mm3 < least_mm3 || report->support_mm3 > MOST_MM3)
        return 0;
    report->outside_share = (double)outside / n_support;
    report->border_share = np_mask_border_share(support);
    if (report->outside_share > MOST_OUTSIDE || report->border_share > most_border)
        return 0;
    NP_TRY(layer_means(coarse, support, exec, mean, err));
    report->scalp_dip = find_dip(mean);
    return 0;
}

/* The same for an image without signal, which is no stripped brain. */
static int measure(const struct np_image *image, const struct np_exec *exec, bool has_prior,
                   struct np_stripped_report *report, struct np_error *err)
{
    struct np_error own = {0};
    int code = measure_support(image, exec, has_prior, report, &own);

    return code < 0 && code != NP_EMETHOD ? np_error_set(err, code, "%s", own.text) : 0;
}

/* Voxels above the background belong to the support or lie outside it. Bias correction changed
 * their number by 0.2 % at most, on nine real heads. */
bool np_stripped_is_ruled_out(double above_mm3, double minimum)
{
    static const double OFF = 1.03;

    return minimum >= 0 && above_mm3 > OFF * (1 + MOST_OUTSIDE) * MOST_MM3; /* false for NAN */
}

static bool is_alone(const struct np_stripped_report *report)
{
    return report->outside_share <= MOST_OUTSIDE; /* false for NAN */
}

int np_stripped_is_possible(const struct np_image *image, const struct np_exec *exec,
                            bool *is_possible, struct np_error *err)
{
    struct np_stripped_report seen = nothing_seen;

    NP_TRY(measure(image, exec, true, &seen, err));
    *is_possible = is_alone(&seen);
    return 0;
}

/*
 * With a prior two signs decide. Hardly anything far outside the brain is the first. The second is
 * that no dark layer lies under a bright one, or that the background is nothing but zeros (in a
 * z-scored image the layers mean little). A clear first sign suffices without the second, with a
 * doubt.
 */
static bool decide(const struct np_prior *prior, struct np_stripped_report *report)
{
    bool no_skull = report->scalp_dip >= LEAST_DIP; /* false for NAN */

    if (!prior)
        return no_skull;
    if (!is_alone(report))
        return false;
    bool clean = report->outside_share <= CLEAN_OUTSIDE && prior->zero_share >= CLEAN_ZEROS;
    bool second = no_skull || (clean && prior->far_share <= SURE_FAR);
    report->unsure = !second || prior->far_share > SURE_FAR;
    return prior->far_share <= (second ? MOST_FAR : SURE_FAR);
}

int np_stripped_detect(const struct np_image *image, const struct np_prior *prior,
                       const struct np_exec *exec, struct np_mask **brain,
                       struct np_stripped_report *report, struct np_error *err)
{
    struct np_stripped_report seen = nothing_seen;
    NP_AUTO(np_mask_freep) struct np_mask *support = NULL;

    seen.far_share = prior ? prior->far_share : NAN;
    if (prior && prior->far_share > MOST_FAR) { /* the first sign decides */
        *brain = NULL;
        if (report)
            *report = seen;
        return 0;
    }
    NP_TRY(measure(image, exec, prior != NULL, &seen, err));
    if (decide(prior, &seen))
        NP_TRY(np_support_mask(image, exec, &support, err));
    *brain = support;
    support = NULL;
    if (report)
        *report = seen;
    return 0;
}
