/*
 * 1. The image at 2 mm. The head is the largest part of it above Otsu's threshold, after smoothing.
 * 2. A window around the head, whose top is the head's top: the neck is cut off by its lower end.
 * 3. The scale: the window's dark end becomes 0, the median of what is not dark 1/2.
 * 4. The network. Of several parts that it takes for brain, the largest stays.
 */
#include "ops/prior.h"

#include <math.h>

#include "base/alloc.h"
#include "ops/brain_net.h"
#include "ops/elementary.h"
#include "ops/histogram.h"
#include "ops/lanes.h"
#include "ops/morphology.h"
#include "ops/resample.h"
#include "ops/smooth.h"

static const double IN_MM = 2, OUT_MM = 4;
static const double HEAD_FWHM_MM = 6.8;   /* as wide as the mean of a cube of 10 mm */
static const double ABOVE_MM = 10;        /* air above the top of the head */
static const double REMOVED_SHARE = 0.08; /* of exact zeros: the background was removed */
static const double LOST_MM = 2;          /* distance given to parts that are not the largest */
/* The largest brain that the network was shown has 2000 ml, of which it finds about this much. A
 * larger head is looked at again, made as small as that. */
static const double LARGEST_MM3 = 1900e3;
static const double MOST_SCALE = 1.5;

/* Voxels of 2 mm: the usual window, the air at its sides, and the largest window. */
enum { WIDTH = 96, DEPTH = 128, HEIGHT = 128, AIR = 4, MOST_WIDTH = 160, N_BINS = 128 };

struct making {
    const struct np_exec *exec;
    double scale;              /* what is called 2 and 4 mm below is that much larger */
    struct np_image *image;    /* at 2 mm */
    double zero_share, bright; /* of that image; bright is its 99.5 % quantile */
    float fill;                /* the window's value beyond the image */
    double dark, factor;       /* the window's scale */
    int64_t from[3];           /* the window's first voxel in that image; may be negative */
    int n[3];                  /* its size */
    float *window;             /* x slowest, z fastest */
    struct np_prior prior;
};

static void making_done(struct making *m)
{
    np_image_freep(&m->image);
    np_voxels_freep(&m->window);
    np_prior_done(&m->prior);
}

void np_prior_done(struct np_prior *prior)
{
    np_image_freep(&prior->distance_mm);
}

static int no_memory(const struct np_grid *grid, struct np_error *err)
{
    return np_error_set(err, NP_ENOMEM, "brain network: no memory for %zu MiB", np_grid_mib(grid));
}

static int measure(struct making *m, struct np_error *err)
{
    static const double p[1] = {0.995};
    size_t n = np_grid_voxels(&m->image->grid);
    int64_t n_zero = 0;

    for (size_t i = 0; i < n; i++)
        n_zero += m->image->voxel[i] == 0;
    m->zero_share = (double)n_zero / (double)n;
    return np_image_quantiles(m->image, NULL, p, 1, m->exec, &m->bright, err);
}

/* ---- the head ------------------------------------------------------------------------------ */

/* Otsu's threshold of the values up to the 99.8 % quantile. */
static int otsu(const struct np_image *image, const struct np_exec *exec, double *limit,
                struct np_error *err)
{
    static const double p[2] = {0, 0.998};
    NP_AUTO(np_histogram_done) struct np_histogram histogram = {0};
    double q[2];

    NP_TRY(np_image_quantiles(image, NULL, p, 2, exec, q, err));
    if (!(q[1] > q[0]))
        return np_error_set(
            err, NP_EMETHOD,
            "no brain found: nearly all voxels are %g, a head has contrast; look at "
            "the image",
            q[0]);
    NP_TRY(np_histogram_make(image, NULL, q[0], q[1], N_BINS, exec, &histogram, err));
    *limit = np_histogram_otsu(&histogram);
    return 0;
}

/* The first and the last voxel of a row that are in the mask; last < first when there is none. */
static void row_ends(const uint8_t *row, int64_t n, int64_t *first, int64_t *last)
{
    *first = (int64_t)np_next_inside(row, 0, (size_t)n);
    *last = n - 1;
    while (*last >= *first && !row[*last])
        (*last)--;
}

static void enclose(const struct np_mask *mask, int64_t low[3], int64_t high[3])
{
    const int64_t *n = mask->grid.n;

    for (int a = 0; a < 3; a++) {
        low[a] = n[a];
        high[a] = -1;
    }
    for (int64_t z = 0; z < n[2]; z++)
        for (int64_t y = 0; y < n[1]; y++) {
            int64_t first, last;
            row_ends(mask->voxel + (z * n[1] + y) * n[0], n[0], &first, &last);
            const int64_t from[3] = {first, y, z}, to[3] = {last, y, z};
            for (int a = 0; first <= last && a < 3; a++) {
                low[a] = from[a] < low[a] ? from[a] : low[a];
                high[a] = to[a] > high[a] ? to[a] : high[a];
            }
        }
}

static int find_head(struct making *m, int64_t low[3], int64_t high[3], struct np_error *err)
{
    NP_AUTO(np_image_freep) struct np_image *smooth = np_image_new(&m->image->grid);
    NP_AUTO(np_mask_freep) struct np_mask *head = np_mask_new(&m->image->grid);
    size_t n = np_grid_voxels(&m->image->grid);
    double limit;

    if (!smooth || !head)
        return no_memory(&m->image->grid, err);
    NP_TRY(np_smooth_gaussian(m->image, HEAD_FWHM_MM, m->exec, smooth, err));
    NP_TRY(otsu(smooth, m->exec, &limit, err));
    for (size_t i = 0; i < n; i++)
        head->voxel[i] = (double)smooth->voxel[i] > limit;
    NP_TRY(np_mask_keep_largest(head, NP_CONNECT_6, NULL, err));
    enclose(head, low, high);
    return 0;
}

/* ---- the window ---------------------------------------------------------------------------- */

static void place_window(struct making *m, const int64_t low[3], const int64_t high[3])
{
    static const int usual[3] = {WIDTH, DEPTH, HEIGHT};

    for (int a = 0; a < 3; a++) {
        int64_t needed = high[a] - low[a] + 1 + AIR;
        m->n[a] = usual[a];
        while (a < 2 && m->n[a] < needed && m->n[a] < MOST_WIDTH)
            m->n[a] += NP_BRAIN_NET_MULTIPLE;
        m->from[a] = (low[a] + high[a] + 1 - m->n[a]) / 2;
    }
    m->from[2] = high[2] + 1 + (int64_t)(ABOVE_MM / (m->scale * IN_MM)) - m->n[2];
}

/* Beyond the field of view lies what is dark: 0 when the background was removed and hardly
 * anything is darker, else the least value. */
static int fill_value(const struct making *m, float *fill, struct np_error *err)
{
    static const double DARKER = 0.1;
    struct np_range range;

    NP_TRY(np_image_range(m->image, m->exec, &range, err));
    bool removed = m->zero_share >= REMOVED_SHARE;
    *fill = removed && -range.minimum >= DARKER * (m->bright - range.minimum)
                ? 0
                : (float)range.minimum;
    return 0;
}

/* The window is cut in blocks of this many voxels along x and z: both are read and written in lines of
 * the cache. */
enum { BLOCK = NP_BRAIN_NET_MULTIPLE };

/* The window's values at (y, z) for BLOCK voxels of x from `x` on. */
static void read_columns(const struct making *m, int x, int y, int z, float value[BLOCK])
{
    const int64_t *n = m->image->grid.n;
    int64_t first = m->from[0] + x, iy = m->from[1] + y, iz = m->from[2] + z;
    bool is_beyond = iy < 0 || iy >= n[1] || iz < 0 || iz >= n[2];

    for (int64_t c = 0; c < BLOCK; c++)
        value[c] = is_beyond || first + c < 0 || first + c >= n[0]
                       ? m->fill
                       : m->image->voxel[(iz * n[1] + iy) * n[0] + first + c];
}

static void cut_block(const struct making *m, int x, int y, int z)
{
    float value[BLOCK][BLOCK];
    size_t row = (size_t)m->n[2], plane = (size_t)m->n[1] * row;
    float *corner = m->window + (size_t)x * plane + (size_t)y * row + (size_t)z;

    for (int k = 0; k < BLOCK; k++)
        read_columns(m, x, y, z + k, value[k]);
    for (size_t c = 0; c < BLOCK; c++)
        for (size_t k = 0; k < BLOCK; k++)
            corner[c * plane + k] = value[k][c];
}

static void cut_columns(void *context, int64_t task)
{
    const struct making *m = context;

    for (int y = 0; y < m->n[1]; y++)
        for (int z = 0; z < m->n[2]; z += BLOCK)
            cut_block(m, (int)task * BLOCK, y, z);
}

static int cut_window(struct making *m, struct np_error *err)
{
    size_t n = (size_t)m->n[0] * (size_t)m->n[1] * (size_t)m->n[2];

    NP_TRY(fill_value(m, &m->fill, err));
    m->window = np_try_voxels(n, sizeof(*m->window));
    if (!m->window)
        return np_error_set(err, NP_ENOMEM, "brain network: no memory for %zu MiB", (n >> 18) + 1);
    np_exec_run(m->exec, m->n[0] / BLOCK, cut_columns, m);
    return np_exec_check(m->exec, err);
}

/* ---- the scale ----------------------------------------------------------------------------- */

/* Every second voxel of the window along each axis. */
static struct np_image *thin_out(const struct making *m)
{
    struct np_grid grid = np_grid_make(m->n[2] / 2, m->n[1] / 2, m->n[0] / 2, 1, 1, 1);
    struct np_image *few = np_image_new(&grid);

    if (!few)
        return NULL;
    float *to = few->voxel;
    for (int x = 0; x < m->n[0]; x += 2)
        for (int y = 0; y < m->n[1]; y += 2)
            for (int z = 0; z < m->n[2]; z += 2)
                *to++ = m->window[((size_t)x * (size_t)m->n[1] + (size_t)y) * (size_t)m->n[2] +
                                  (size_t)z];
    return few;
}

/* The quantile of the values above `limit`; NP_EMETHOD when there are hardly any. */
static int quantile_above(const struct np_image *few, double limit, double p,
                          const struct np_exec *exec, struct np_mask *above, double *value,
                          struct np_error *err)
{
    enum { LEAST = 50 };
    size_t n = np_grid_voxels(&few->grid);

    for (size_t i = 0; i < n; i++)
        above->voxel[i] = (double)few->voxel[i] > limit;
    if (np_mask_count(above) < LEAST)
        return np_error_set(
            err, NP_EMETHOD,
            "no brain found: nearly all voxels are alike, a head has contrast; look "
            "at the image");
    return np_image_quantiles(few, above, &p, 1, exec, value, err);
}

/* The dark end, and the median of what is brighter than 15 % of the range, looked for twice. */
static int find_scale(const struct making *m, double *dark, double *middle, struct np_error *err)
{
    static const double DARK = 0.01, BRIGHT = 0.95, FROM_SHARE = 0.15;
    NP_AUTO(np_image_freep) struct np_image *few = thin_out(m);
    NP_AUTO(np_mask_freep) struct np_mask *above = few ? np_mask_new(&few->grid) : NULL;
    double limit, bright;

    if (!few || !above)
        return no_memory(&m->image->grid, err);
    NP_TRY(np_image_quantiles(few, NULL, &DARK, 1, m->exec, dark, err));
    limit = *dark;
    for (int round = 0; round < 2; round++) {
        NP_TRY(quantile_above(few, limit, BRIGHT, m->exec, above, &bright, err));
        limit = *dark + FROM_SHARE * (bright - *dark);
    }
    return quantile_above(few, limit, 0.5, m->exec, above, middle, err);
}

static void scale_plane(void *context, int64_t x)
{
    const struct making *m = context;
    size_t plane = (size_t)m->n[1] * (size_t)m->n[2];
    float *value = m->window + (size_t)x * plane;

    for (size_t i = 0; i < plane; i++) {
        double scaled = ((double)value[i] - m->dark) * m->factor;
        scaled = scaled > 0 ? scaled : 0;
        value[i] = (float)(scaled < 2 ? scaled : 2);
    }
}

static int scale_window(struct making *m, struct np_error *err)
{
    double middle;

    NP_TRY(find_scale(m, &m->dark, &middle, err));
    m->factor = 0.5 / (middle - m->dark);
    np_exec_run(m->exec, m->n[0], scale_plane, m);
    return np_exec_check(m->exec, err);
}

/* ---- the network and its answer ------------------------------------------------------------ */

/* The grid of the answer: voxels of 4 mm that fill the window. */
static struct np_grid answer_grid(const struct making *m)
{
    struct np_grid grid = np_grid_isotropic(&m->image->grid, m->scale * OUT_MM);
    double first_voxel[3], first_mm[3];

    for (int a = 0; a < 3; a++) {
        grid.n[a] = m->n[a] / 2;
        /* Its centre in voxels of 2 mm. */
        first_voxel[a] = (double)m->from[a] + 0.5;
    }
    np_affine_apply(&m->image->grid.world_from_voxel, first_voxel, first_mm);
    for (int a = 0; a < 3; a++)
        grid.world_from_voxel.m[a][3] = first_mm[a];
    return grid;
}

static int answer(struct making *m, struct np_error *err)
{
    struct np_grid grid = answer_grid(m);
    size_t n = np_grid_voxels(&grid);
    NP_AUTO(np_voxels_freep) float *distance_mm = np_try_voxels(n, sizeof(*distance_mm));
    struct np_image *image = m->prior.distance_mm = np_image_new(&grid);

    if (!distance_mm || !image)
        return no_memory(&grid, err);
    NP_TRY(np_brain_net_run(m->window, m->n, m->exec, distance_mm, err));
    for (int64_t x = 0, i = 0; x < grid.n[0]; x++)
        for (int64_t y = 0; y < grid.n[1]; y++)
            for (int64_t z = 0; z < grid.n[2]; z++)
                image->voxel[(z * grid.n[1] + y) * grid.n[0] + x] =
                    (float)m->scale * distance_mm[i++];
    for (int a = 0; a < 3; a++)
        m->prior.corner_mm[a] = (double)m->from[a] * m->image->grid.spacing_mm[a];
    return 0;
}

/* Keep the largest part, and measure it. */
static int keep_brain(struct making *m, struct np_error *err)
{
    struct np_image *distance_mm = m->prior.distance_mm;
    NP_AUTO(np_mask_freep) struct np_mask *brain = np_mask_new(&distance_mm->grid);
    size_t n = np_grid_voxels(&distance_mm->grid);
    double centre_voxel[3];

    if (!brain)
        return no_memory(&distance_mm->grid, err);
    for (size_t i = 0; i < n; i++)
        brain->voxel[i] = distance_mm->voxel[i] < 0;
    NP_TRY(np_mask_keep_largest(brain, NP_CONNECT_6, NULL, err));
    for (size_t i = 0; i < n; i++)
        if (distance_mm->voxel[i] < 0 && !brain->voxel[i])
            distance_mm->voxel[i] = (float)LOST_MM;
    if (!np_mask_centroid(brain, centre_voxel))
        return np_error_set(err, NP_EMETHOD,
                            "no brain found: no part of the image looks like one; look at the "
                            "image, it may be noise or another organ");
    m->prior.brain_mm3 = (double)np_mask_count(brain) * np_grid_voxel_mm3(&brain->grid);
    for (int a = 0; a < 3; a++)
        m->prior.centre_mm[a] = m->prior.corner_mm[a] + (centre_voxel[a] + 0.5) * m->scale * OUT_MM;
    return 0;
}

/* The share of what is not background that lies far outside the brain. */
static int measure_far(struct making *m, struct np_error *err)
{
    static const double SUPPORT_SHARE = 0.02, FAR_MM = 6;
    NP_AUTO(np_image_freep) struct np_image *distance_mm = NULL;
    size_t n = np_grid_voxels(&m->image->grid);
    int64_t n_support = 0, n_far = 0;
    double limit = SUPPORT_SHARE * fabs(m->bright);

    if (m->zero_share < REMOVED_SHARE)
        NP_TRY(otsu(m->image, m->exec, &limit, err));
    NP_TRY(np_resample(m->prior.distance_mm, &m->image->grid, m->exec, &distance_mm, err));
    for (size_t i = 0; i < n; i++)
        if (fabs((double)m->image->voxel[i]) > limit) {
            n_support++;
            n_far += (double)distance_mm->voxel[i] > FAR_MM;
        }
    m->prior.far_share = n_support ? (double)n_far / (double)n_support : NAN;
    m->prior.zero_share = m->zero_share;
    return 0;
}

static int make_at_scale(const struct np_image *image, double scale, const struct np_exec *exec,
                         struct np_prior *prior, struct np_error *err)
{
    NP_AUTO(making_done) struct making m = {.exec = exec, .scale = scale};
    struct np_grid grid = np_grid_isotropic(&image->grid, scale * IN_MM);
    int64_t low[3], high[3];

    NP_TRY(np_resample(image, &grid, exec, &m.image, err));
    NP_TRY(measure(&m, err));
    NP_TRY(find_head(&m, low, high, err));
    place_window(&m, low, high);
    NP_TRY(cut_window(&m, err));
    NP_TRY(scale_window(&m, err));
    NP_TRY(answer(&m, err));
    NP_TRY(keep_brain(&m, err));
    NP_TRY(measure_far(&m, err));
    *prior = m.prior;
    m.prior = (struct np_prior){0};
    return 0;
}

int np_prior_make(const struct np_image *image, const struct np_exec *exec, struct np_prior *prior,
                  struct np_error *err)
{
    NP_AUTO(np_prior_done) struct np_prior first = {0};

    NP_TRY(make_at_scale(image, 1, exec, &first, err));
    if (first.brain_mm3 > LARGEST_MM3) {
        double scale = fmin(np_cbrt(first.brain_mm3 / LARGEST_MM3), MOST_SCALE);
        return make_at_scale(image, scale, exec, prior, err);
    }
    *prior = first;
    first = (struct np_prior){0};
    return 0;
}

double np_prior_at(const struct np_prior *prior, const double at_mm[3])
{
    const struct np_image *image = prior->distance_mm;
    const int64_t *n = image->grid.n;
    int64_t i[3];
    double f[3], sum = 0;

    for (int a = 0; a < 3; a++) {
        double x = (at_mm[a] - prior->corner_mm[a]) / image->grid.spacing_mm[a] - 0.5;
        double last = (double)(n[a] - 1) - 1e-9;
        x = x > 0 ? x : 0;
        x = x < last ? x : last;
        i[a] = (int64_t)x;
        f[a] = x - (double)i[a];
    }
    const float *corner = image->voxel + (i[2] * n[1] + i[1]) * n[0] + i[0];
    for (int z = 0; z < 2; z++)
        for (int y = 0; y < 2; y++) {
            const float *pair = corner + (z * n[1] + y) * n[0];
            double wy = y ? f[1] : 1 - f[1], wz = z ? f[2] : 1 - f[2];
            sum += (1 - f[0]) * wy * wz * (double)pair[0];
            sum += f[0] * wy * wz * (double)pair[1];
        }
    return sum;
}
