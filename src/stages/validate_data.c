/*
 * Check that the methods can work on the voxels. An image on which they can never work is refused
 * with a sentence that names what was expected; an odd but usable image gives a warning.
 */
#include <inttypes.h>
#include <math.h>

#include "ops/histogram.h"
#include "stages/stage.h"

static const double MOST_NONFINITE = 0.05; /* share of the voxels */
static const double FEW_NEGATIVE = 0.01;
static const double MOST_SPACING_MM = 10;

/*
 * A brain is 100 … 200 mm long on each axis. A field of view below 20 mm shows too little of it to
 * recognise; more than 1 m is no head's field of view.
 */
static const double LEAST_EXTENT_MM = 20, MOST_EXTENT_MM = 1000;

/* A stack of thick slices may have few of them; in the plane a head needs some resolution. */
enum { LEAST_VOXELS = 8, LEAST_VOXELS_IN_PLANE = 32 };

static int check_axis(const struct np_work *work, int axis, struct np_error *err)
{
    const struct np_grid *grid = &work->raw->grid;
    static const char *const name[3] = {"left-right", "posterior-anterior", "inferior-superior"};
    double extent_mm = (double)grid->n[axis] * grid->spacing_mm[axis];

    if (grid->n[axis] < LEAST_VOXELS)
        return np_error_set(err, NP_EDIMENSION,
                            "'%s': %" PRId64 " voxels along the %s axis, expected at least %d; a "
                            "localizer or a single slice cannot be processed, leave it out",
                            work->path, grid->n[axis], name[axis], LEAST_VOXELS);
    if (grid->spacing_mm[axis] > MOST_SPACING_MM)
        return np_error_set(err, NP_EDIMENSION,
                            "'%s': voxels are %.1f mm long along the %s axis, expected at most %g "
                            "mm; check the header's pixdim and affine",
                            work->path, grid->spacing_mm[axis], name[axis], MOST_SPACING_MM);
    if (extent_mm < LEAST_EXTENT_MM || extent_mm > MOST_EXTENT_MM)
        return np_error_set(err, NP_EDIMENSION,
                            "'%s': the image is %.4g mm long along the %s axis, expected %g to %g "
                            "mm; check the header's pixdim and units, or leave the image out",
                            work->path, extent_mm, name[axis], LEAST_EXTENT_MM, MOST_EXTENT_MM);
    return 0;
}

static int check_size(const struct np_work *work, struct np_error *err)
{
    const int64_t *n = work->raw->grid.n;
    int n_fine = 0;

    for (int i = 0; i < 3; i++) {
        NP_TRY(check_axis(work, i, err));
        n_fine += n[i] >= LEAST_VOXELS_IN_PLANE;
    }
    if (n_fine < 2)
        return np_error_set(err, NP_EDIMENSION,
                            "'%s': %" PRId64 " x %" PRId64 " x %" PRId64
                            " voxels, expected at least %d along two of the axes; leave the image "
                            "out",
                            work->path, n[0], n[1], n[2], LEAST_VOXELS_IN_PLANE);
    return 0;
}

/* Where the header contradicts itself: a warning each. */
static void check_header(struct np_work *work)
{
    NP_AUTO(np_strings_done) struct np_strings sentences = {0};

    np_nifti_doubts(&work->info, &sentences);
    for (size_t i = 0; i < sentences.n; i++)
        np_work_warn(work, NP_WARNING_HEADER_MISMATCH, "%s", sentences.item[i]);
}

static int refuse_values(const struct np_work *work, int64_t n_bad, const char *what,
                         struct np_error *err)
{
    double share = (double)n_bad / (double)np_grid_voxels(&work->raw->grid);

    return np_error_set(err, NP_EVALUE,
                        "'%s': %.1f %% of the voxels are %s, expected at most %g %%; convert the "
                        "image again, or leave it out",
                        work->path, 100 * share, what, 100 * MOST_NONFINITE);
}

static void warn_of_values(struct np_work *work, enum np_warning_ident ident, const char *what,
                           int64_t n_bad)
{
    if (n_bad > 0)
        np_work_warn(work, ident, "%s and taken as 0: %" PRId64 " voxel%s", what, n_bad,
                     np_plural(n_bad));
}

static int check_finite(struct np_work *work, struct np_error *err)
{
    static const char too_large[] = "too large for 32-bit floats (beyond 3.4e38, scaled)";
    int64_t bad = work->content.n_nonfinite, large = work->content.n_too_large;

    np_work_measure(work, NP_MEASURE_VALIDATE_DATA_NONFINITE, (double)bad);
    if ((double)bad > MOST_NONFINITE * (double)np_grid_voxels(&work->raw->grid))
        return refuse_values(work, bad,
                             large == bad ? too_large
                             : large == 0 ? "NaN or infinite"
                                          : "NaN, infinite or too large for 32-bit floats",
                             err);
    warn_of_values(work, NP_WARNING_VALUES_NONFINITE, "NaN or infinite", bad - large);
    warn_of_values(work, NP_WARNING_VALUES_TOO_LARGE, too_large, large);
    return 0;
}

/* The value that more than half of the voxels on the grid's border have, if there is one; else some
 * value of theirs (the vote of Boyer and Moore 1991, doi:10.1007/978-94-011-3488-0_5). */
static float border_value(const struct np_image *image)
{
    const int64_t *n = image->grid.n;
    float value = 0;
    int64_t lead = 0;

    for (int64_t z = 0; z < n[2]; z++)
        for (int64_t y = 0; y < n[1]; y++) {
            bool whole_row = z == 0 || y == 0 || z == n[2] - 1 || y == n[1] - 1;
            const float *row = image->voxel + (z * n[1] + y) * n[0];
            for (int64_t x = 0; x < n[0]; x += whole_row ? 1 : n[0] - 1) {
                if (lead == 0)
                    value = row[x];
                lead += row[x] == value ? 1 : -1;
            }
        }
    return value;
}

/*
 * A background that was removed may have any value: -1, a constant that was added, or what the
 * z-score of 0 is. The methods take 0 for background, so this value is subtracted. A value as bright
 * as the brightest voxel is no background.
 */
static int zero_background(struct np_work *work, const struct np_exec *exec, struct np_range *range,
                           struct np_error *err)
{
    static const double REMOVED_SHARE = 0.08;
    struct np_image *raw = work->raw;
    size_t n = np_grid_voxels(&raw->grid);
    float value = border_value(raw);
    int64_t n_same = 0;

    if (value == 0 || (double)value >= range->maximum)
        return 0;
    NP_TRY(np_image_count_equal(raw, value, exec, &n_same, err));
    if ((double)n_same < REMOVED_SHARE * (double)n)
        return 0;
    for (size_t i = 0; i < n; i++)
        raw->voxel[i] -= value;
    np_work_measure(work, NP_MEASURE_VALIDATE_DATA_BACKGROUND, (double)value);
    return np_image_range(raw, exec, range, err);
}

static int check_range(const struct np_work *work, const struct np_range *range,
                       struct np_error *err)
{
    if (range->minimum == 0 && range->maximum == 0)
        return np_error_set(err, NP_EVALUE,
                            "'%s': all voxels are 0, expected an image of a head; convert or fetch "
                            "the image again",
                            work->path);
    if (!(range->maximum > range->minimum))
        return np_error_set(err, NP_EVALUE,
                            "'%s': all voxels are %g, expected an image of a head; convert or "
                            "fetch the image again",
                            work->path, range->minimum);
    return 0;
}

static int check_positive(struct np_work *work, const struct np_range *range, struct np_error *err)
{
    if (range->maximum <= 0)
        return np_error_set(err, NP_EVALUE,
                            "'%s': the largest value is %g, expected positive intensities; check "
                            "the header's scl_slope and scl_inter",
                            work->path, range->maximum);
    double negative = (double)range->n_negative / (double)np_grid_voxels(&work->raw->grid);
    np_work_measure(work, NP_MEASURE_VALIDATE_DATA_NEGATIVE_SHARE, negative);
    if (negative > FEW_NEGATIVE)
        np_work_warn(work, NP_WARNING_VALUES_NEGATIVE,
                     "%.1f %% of the voxels are negative (a scaled or filtered image?): they take "
                     "no part in bias correction",
                     100 * negative);
    return 0;
}

static int check_values(struct np_work *work, const struct np_exec *exec, struct np_error *err)
{
    struct np_range range;

    NP_TRY(np_image_range(work->raw, exec, &range, err));
    np_work_measure(work, NP_MEASURE_VALIDATE_DATA_MINIMUM, range.minimum);
    np_work_measure(work, NP_MEASURE_VALIDATE_DATA_MAXIMUM, range.maximum);
    NP_TRY(check_range(work, &range, err));
    NP_TRY(zero_background(work, exec, &range, err));
    return check_positive(work, &range, err);
}

static int run(struct np_work *work, const struct np_config *config, const struct np_exec *exec,
               struct np_error *err)
{
    (void)config;
    check_header(work);
    NP_TRY(check_size(work, err));
    NP_TRY(check_finite(work, err));
    return check_values(work, exec, err);
}

const struct np_stage np_stage_validate_data = {
    .name = NP_STAGE_VALIDATE_DATA,
    .version = 2,
    .needs = NP_SLOT_RAW,
    .traits = NP_STAGE_VALIDATES_INPUT,
    .run = run,
};
