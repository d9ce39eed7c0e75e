#include "ops/head.h"

#include <math.h>
#include <string.h>

#include "ops/elementary.h"
#include "ops/histogram.h"
#include "ops/morphology.h"
#include "ops/resample.h"

static const double FINE_MM = 1;
static const double THRESHOLD_SHARE = 0.1;    /* Smith 2002: t = t2 + 0.1 (t98 - t2) */
static const double SMALLEST_SLICE_MM2 = 500; /* of head in the slice that counts as its top */

/* A header may claim a field of view of metres; the head is then resampled to larger voxels. */
enum { MOST_FINE_VOXELS = 1 << 26, OTSU_BINS = 256 };

void np_head_done(struct np_head *head)
{
    np_image_freep(&head->made_fine);
    np_image_freep(&head->coarse);
}

static int no_memory(const struct np_grid *grid, struct np_error *err)
{
    return np_error_set(err, NP_ENOMEM, "brain extraction: no memory for %zu MiB",
                        np_grid_mib(grid));
}

static double fine_spacing_mm(const struct np_grid *grid)
{
    double mm3 = 1, spacing_mm = FINE_MM;

    for (int i = 0; i < 3; i++)
        mm3 *= (double)grid->n[i] * grid->spacing_mm[i];
    while (mm3 / (spacing_mm * spacing_mm * spacing_mm) > MOST_FINE_VOXELS)
        spacing_mm *= 1.25;
    return spacing_mm;
}

/* True when the image already has the wanted grid, so that no resampling is needed. */
static bool has_grid(const struct np_grid *grid, const struct np_grid *wanted)
{
    static const double SAME = 1e-6;

    for (int i = 0; i < 3; i++)
        if (grid->n[i] != wanted->n[i] ||
            fabs(grid->spacing_mm[i] / wanted->spacing_mm[i] - 1) > SAME)
            return false;
    return true;
}

static int resample_both(const struct np_image *flat, const struct np_exec *exec,
                         struct np_head *head, struct np_error *err)
{
    double spacing_mm = fine_spacing_mm(&flat->grid);
    struct np_grid fine = np_grid_isotropic(&flat->grid, spacing_mm);
    struct np_grid coarse = np_grid_isotropic(&flat->grid, 2 * spacing_mm);

    if (!has_grid(&flat->grid, &fine))
        NP_TRY(np_resample(flat, &fine, exec, &head->made_fine, err));
    head->fine = head->made_fine ? head->made_fine : flat;
    return np_resample(head->fine, &coarse, exec, &head->coarse, err);
}

static int measure_range(struct np_head *head, const struct np_exec *exec, struct np_error *err)
{
    static const double p[2] = {0.02, 0.98};
    double q[2];

    NP_TRY(np_image_quantiles(head->coarse, NULL, p, 2, exec, q, err));
    head->dark = q[0];
    head->bright = q[1];
    head->threshold = q[0] + THRESHOLD_SHARE * (q[1] - q[0]);
    if (!(q[1] > q[0]))
        return np_error_set(err, NP_EMETHOD,
                            "no brain found: 2 %% and 98 %% of the intensities are both %g, a head "
                            "has contrast; look at the image",
                            q[0]);
    return 0;
}

/* The largest component above Otsu's threshold: the head without specks of noise. */
static int find_foreground(const struct np_head *head, const struct np_exec *exec,
                           struct np_mask *mask, struct np_error *err)
{
    NP_AUTO(np_histogram_done) struct np_histogram histogram = {0};
    size_t n = np_grid_voxels(&mask->grid);

    NP_TRY(np_histogram_make(head->coarse, NULL, head->dark, head->bright, OTSU_BINS, exec,
                             &histogram, err));
    float limit = (float)np_histogram_otsu(&histogram);
    for (size_t i = 0; i < n; i++)
        mask->voxel[i] = head->coarse->voxel[i] > limit;
    return np_mask_keep_largest(mask, NP_CONNECT_6, NULL, err);
}

/* The highest slice with at least SMALLEST_SLICE_MM2 of the mask; 0 when there is none. */
static int64_t top_slice(const struct np_mask *mask)
{
    const struct np_grid *grid = &mask->grid;
    int64_t per_slice = grid->n[0] * grid->n[1], z = grid->n[2] - 1;

    for (; z > 0; z--) {
        int64_t count = 0;
        for (int64_t i = z * per_slice; i < (z + 1) * per_slice; i++)
            count += mask->voxel[i];
        if ((double)count * grid->spacing_mm[0] * grid->spacing_mm[1] >= SMALLEST_SLICE_MM2)
            break;
    }
    return z;
}

/* Centre of gravity and size of the voxels above the threshold in slices [from, to]. A voxel's
 * weight is its value (at most `bright`) minus `dark`. */
static void measure_ball(struct np_head *head, int64_t from, int64_t to)
{
    const struct np_image *image = head->coarse;
    const int64_t *n = image->grid.n;
    double weights = 0, moment[3] = {0}, spacing_mm = image->grid.spacing_mm[0];
    int64_t count = 0;

    for (int64_t z = from; z <= to; z++)
        for (int64_t y = 0; y < n[1]; y++)
            for (int64_t x = 0; x < n[0]; x++) {
                double value = (double)image->voxel[(z * n[1] + y) * n[0] + x];
                if (!(value > head->threshold))
                    continue;
                double w = fmin(value, head->bright) - head->dark;
                weights += w;
                moment[0] += w * (double)x;
                moment[1] += w * (double)y;
                moment[2] += w * (double)z;
                count++;
            }
    for (int i = 0; i < 3; i++)
        head->centre_mm[i] = ((count ? moment[i] / weights : (double)n[i] / 2) + 0.5) * spacing_mm;
    /* V = 4/3 pi r³ */
    head->radius_mm = np_cbrt((double)count * 0.238732414637843) * spacing_mm;
}

int np_head_measure(const struct np_image *flat, double head_height_mm, const struct np_exec *exec,
                    struct np_head *head, struct np_error *err)
{
    NP_AUTO(np_head_done) struct np_head h = {0};

    NP_TRY(resample_both(flat, exec, &h, err));
    NP_TRY(measure_range(&h, exec, err));
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&h.coarse->grid);
    if (!mask)
        return no_memory(&h.coarse->grid, err);
    NP_TRY(find_foreground(&h, exec, mask, err));
    int64_t top = top_slice(mask);
    int64_t bottom = top - (int64_t)(head_height_mm / mask->grid.spacing_mm[2]);
    measure_ball(&h, bottom > 0 ? bottom : 0, top);
    *head = h;
    h = (struct np_head){0};
    return 0;
}

struct ball_job {
    const struct np_head *head;
    double centre_mm[3], radius2_mm2;
    int64_t begin[3], end[3]; /* box of voxels that encloses the ball */
    struct np_mask *mask;
};

static double ball_mm(const struct ball_job *job, int axis, int64_t i)
{
    return ((double)i + 0.5) * job->mask->grid.spacing_mm[axis] - job->centre_mm[axis];
}

static void draw_ball_plane(void *context, int64_t task)
{
    const struct ball_job *job = context;
    const struct np_head *head = job->head;
    const int64_t *n = job->mask->grid.n;
    int64_t z = job->begin[2] + task;
    double z_mm = ball_mm(job, 2, z);

    for (int64_t y = job->begin[1]; y < job->end[1]; y++) {
        double y_mm = ball_mm(job, 1, y);
        for (int64_t x = job->begin[0]; x < job->end[0]; x++) {
            int64_t i = (z * n[1] + y) * n[0] + x;
            double x_mm = ball_mm(job, 0, x), value = (double)head->coarse->voxel[i];
            job->mask->voxel[i] = x_mm * x_mm + y_mm * y_mm + z_mm * z_mm < job->radius2_mm2 &&
                                  value > head->dark && value < head->bright;
        }
    }
}

/* The voxels of the ball with values between `dark` and `bright`. */
static void draw_ball(const struct np_head *head, const double centre_mm[3], double radius_mm,
                      const struct np_exec *exec, struct np_mask *mask)
{
    struct ball_job job = {.head = head, .radius2_mm2 = radius_mm * radius_mm, .mask = mask};

    for (int a = 0; a < 3; a++) {
        double n = (double)mask->grid.n[a], spacing_mm = mask->grid.spacing_mm[a];
        job.centre_mm[a] = centre_mm[a];
        /* One voxel more on both sides, because of rounding. */
        job.begin[a] =
            (int64_t)fmin(fmax(floor((centre_mm[a] - radius_mm) / spacing_mm) - 1, 0), n);
        job.end[a] = (int64_t)fmin(fmax(ceil((centre_mm[a] + radius_mm) / spacing_mm) + 1, 0), n);
    }
    if (job.end[2] > job.begin[2])
        np_exec_run(exec, job.end[2] - job.begin[2], draw_ball_plane, &job);
}

int np_head_ball_median(const struct np_head *head, const double centre_mm[3], double radius_mm,
                        const struct np_exec *exec, double *median, struct np_error *err)
{
    static const double half[1] = {0.5};
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&head->coarse->grid);

    if (!mask)
        return no_memory(&head->coarse->grid, err);
    draw_ball(head, centre_mm, radius_mm, exec, mask);
    if (np_mask_count(mask) == 0) {
        *median = (head->dark + head->bright) / 2;
        return 0;
    }
    return np_image_quantiles(head->coarse, mask, half, 1, exec, median, err);
}

/* A part of a grid: the voxels [begin, end) along each axis. */
struct box {
    int64_t begin[3], end[3];
};

/* The voxels that a surface encloses, and one more on each side where the grid has one. */
static struct box enclose(const struct np_mesh *surface, const struct np_grid *grid)
{
    struct box box;

    for (int a = 0; a < 3; a++) {
        double low_mm = INFINITY, high_mm = -INFINITY, n = (double)grid->n[a];
        for (int v = 0; v < surface->n_vertices; v++) {
            low_mm = fmin(low_mm, surface->position_mm[v][a]);
            high_mm = fmax(high_mm, surface->position_mm[v][a]);
        }
        box.begin[a] = (int64_t)fmin(fmax(floor(low_mm / grid->spacing_mm[a]) - 1, 0), n - 1);
        double least = (double)(box.begin[a] + 1);
        box.end[a] = (int64_t)fmin(fmax(ceil(high_mm / grid->spacing_mm[a]) + 1, least), n);
    }
    return box;
}

static struct np_grid box_grid(const struct box *box, const struct np_grid *grid)
{
    struct np_grid part = *grid;

    for (int a = 0; a < 3; a++)
        part.n[a] = box->end[a] - box->begin[a];
    return part;
}

struct shell_job {
    struct box box;
    struct np_mask *whole;      /* the inside of the surface, then the shell */
    struct np_mask *part;       /* the same in the box */
    struct np_image *depth_mm2; /* in the box */
    float from_mm2, to_mm2;
};

static uint8_t *box_row(const struct shell_job *job, int64_t y, int64_t z)
{
    const int64_t *n = job->whole->grid.n, *begin = job->box.begin;

    return job->whole->voxel + ((begin[2] + z) * n[1] + begin[1] + y) * n[0] + begin[0];
}

static void cut_plane(void *context, int64_t z)
{
    const struct shell_job *job = context;
    const int64_t *n = job->part->grid.n;

    for (int64_t y = 0; y < n[1]; y++)
        memcpy(job->part->voxel + (z * n[1] + y) * n[0], box_row(job, y, z), (size_t)n[0]);
}

static void draw_shell_plane(void *context, int64_t z)
{
    const struct shell_job *job = context;
    const int64_t *n = job->part->grid.n;

    for (int64_t y = 0; y < n[1]; y++) {
        const float *mm2 = job->depth_mm2->voxel + (z * n[1] + y) * n[0];
        uint8_t *out = box_row(job, y, z);
        for (int64_t x = 0; x < n[0]; x++)
            out[x] = mm2[x] >= job->from_mm2 && mm2[x] <= job->to_mm2;
    }
}

static void shell_job_done(struct shell_job *job)
{
    np_mask_freep(&job->whole);
    np_mask_freep(&job->part);
    np_image_freep(&job->depth_mm2);
}

/* The nearest voxel outside the surface lies in the box, so depths are measured there alone. */
static int draw_shell(const struct np_mesh *surface, const struct np_exec *exec,
                      struct shell_job *job, struct np_error *err)
{
    struct np_grid part = box_grid(&job->box, &job->whole->grid);

    NP_TRY(np_mesh_voxelise(surface, exec, job->whole, err));
    np_exec_run(exec, part.n[2], cut_plane, job);
    NP_TRY(np_distance_mm2(job->part, NP_DISTANCE_TO_ZERO, exec, job->depth_mm2, err));
    np_exec_run(exec, part.n[2], draw_shell_plane, job);
    return np_exec_check(exec, err);
}

int np_head_shell(const struct np_head *head, const struct np_mesh *surface, double from_mm,
                  double to_mm, const struct np_exec *exec, double *median, double *low,
                  struct np_error *err)
{
    static const double p[2] = {0.5, 0.1};
    const struct np_grid *grid = &head->coarse->grid;
    struct box box = enclose(surface, grid);
    struct np_grid part = box_grid(&box, grid);
    NP_AUTO(shell_job_done)
    struct shell_job job = {.box = box,
                            .whole = np_mask_new(grid),
                            .part = np_mask_new(&part),
                            .depth_mm2 = np_image_new(&part),
                            .from_mm2 = (float)(from_mm * from_mm),
                            .to_mm2 = (float)(to_mm * to_mm)};
    double q[2];

    if (!job.whole || !job.part || !job.depth_mm2)
        return no_memory(grid, err);
    NP_TRY(draw_shell(surface, exec, &job, err));
    NP_TRY(np_image_quantiles(head->coarse, job.whole, p, 2, exec, q, err));
    *median = q[0];
    *low = q[1];
    return 0;
}
