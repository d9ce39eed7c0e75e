#include "ops/foreground.h"

#include <math.h>

#include "ops/histogram.h"

enum { N_BINS = 256 };
static const double SAMPLE_MM = 2;
static const double HEAD_SHARE = 0.1;
static const double MEDIAN_SHARE = 0.9;

struct threshold_job {
    const struct np_image *image;
    float threshold;
    struct np_mask *mask;
};

static void threshold_plane(void *context, int64_t z)
{
    const struct threshold_job *job = context;
    size_t n = (size_t)(job->image->grid.n[0] * job->image->grid.n[1]);
    const float *value = job->image->voxel + n * (size_t)z;
    uint8_t *out = job->mask->voxel + n * (size_t)z;

    for (size_t i = 0; i < n; i++)
        out[i] = value[i] > job->threshold;
}

/* Set the voxels above `threshold` in `mask`. */
static void set_above(const struct np_image *image, double threshold, const struct np_exec *exec,
                      struct np_mask *mask)
{
    struct threshold_job job = {image, (float)threshold, mask};

    np_exec_run(exec, image->grid.n[2], threshold_plane, &job);
}

static int otsu_threshold(const struct np_image *image, const struct np_mask *positive, double high,
                          const struct np_exec *exec, double *threshold, struct np_error *err)
{
    NP_AUTO(np_histogram_done) struct np_histogram histogram = {0};

    NP_TRY(np_histogram_make(image, positive, 0, high, N_BINS, exec, &histogram, err));
    *threshold = np_histogram_otsu(&histogram);
    return 0;
}

struct sample_job {
    const struct np_image *image;
    int64_t step[3];
    struct np_image *few;
};

static void sample_plane(void *context, int64_t z)
{
    const struct sample_job *job = context;
    const int64_t *n = job->image->grid.n, *n_few = job->few->grid.n, *step = job->step;
    float *out = job->few->voxel + n_few[0] * n_few[1] * z;

    for (int64_t y = 0; y < n[1]; y += step[1])
        for (int64_t x = 0; x < n[0]; x += step[0])
            *out++ = job->image->voxel[x + n[0] * (y + n[1] * step[2] * z)];
}

/* Every n-th voxel, about SAMPLE_MM apart; NULL when memory does not suffice. */
static struct np_image *sample(const struct np_image *image, const struct np_exec *exec)
{
    struct sample_job job = {.image = image};
    struct np_grid grid = image->grid;

    for (int a = 0; a < 3; a++) {
        job.step[a] = (int64_t)fmax(1, floor(SAMPLE_MM / grid.spacing_mm[a]));
        grid.n[a] = (grid.n[a] + job.step[a] - 1) / job.step[a];
    }
    job.few = np_image_new(&grid);
    if (job.few)
        np_exec_run(exec, grid.n[2], sample_plane, &job);
    return job.few;
}

static int find_threshold(const struct np_image *image, const struct np_exec *exec,
                          struct np_foreground_report *found, struct np_error *err)
{
    static const double robust[] = {0.02, 0.98, 0.999}, half = 0.5;
    double range[NP_COUNT(robust)];
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&image->grid);

    if (!mask)
        return np_error_set(err, NP_ENOMEM, "foreground: no memory for %zu voxels",
                            np_grid_voxels(&image->grid));
    set_above(image, 0, exec, mask);
    if (np_mask_count(mask) == 0)
        return np_error_set(err, NP_EMETHOD,
                            "foreground: no voxel is positive; check the image's scaling");
    NP_TRY(np_image_quantiles(image, mask, robust, (int)NP_COUNT(robust), exec, range, err));
    if (!(range[1] > range[0]))
        return np_error_set(err, NP_EMETHOD,
                            "foreground: nearly all positive voxels have the value %g; check the "
                            "image's contrast",
                            range[0]);
    NP_TRY(otsu_threshold(image, mask, range[2], exec, &found->otsu, err));
    set_above(image, range[0] + HEAD_SHARE * (range[1] - range[0]), exec, mask);
    NP_TRY(np_image_quantiles(image, mask, &half, 1, exec, &found->head_median, err));
    found->threshold = fmin(MEDIAN_SHARE * found->head_median, found->otsu);
    return 0;
}

int np_foreground_mask(const struct np_image *image, const struct np_exec *exec,
                       struct np_mask **mask, struct np_foreground_report *report,
                       struct np_error *err)
{
    struct np_foreground_report found = {0};
    NP_AUTO(np_image_freep) struct np_image *few = sample(image, exec);
    NP_AUTO(np_mask_freep) struct np_mask *made = np_mask_new(&image->grid);

    if (!few || !made)
        return np_error_set(err, NP_ENOMEM, "foreground: no memory for a mask of %zu MiB",
                            np_grid_mib(&image->grid) / 4 + 1);
    NP_TRY(find_threshold(few, exec, &found, err));
    set_above(image, found.threshold, exec, made);
    *mask = made;
    made = NULL;
    if (report)
        *report = found;
    return 0;
}
