#include "ops/quality_head.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/histogram.h"
#include "ops/morphology.h"

enum { LEAST_VOXELS = 8 }; /* of a cell: noise is less in their mean */
static const double CELL_MM = 3, AIR_QUANTILE = 0.1, LEAST_LEVEL = 0.2, CLOSING_MM = 9;
static const double REACH_MM = 30; /* of the head beyond the brain, above the planes */
static const double REAR_MM = 20;  /* of the hat's plane, below the brain's middle */

struct job {
    const struct np_image *source;
    const struct np_mask *brain;
    const struct np_hat_planes *planes;
    const struct np_exec *exec;
    struct np_mask *head;
    int64_t side[3];        /* voxels of a cell */
    struct np_image *mean;  /* of each cell */
    struct np_mask *inside; /* cells with brain; then of the head */
    struct np_mask *some;   /* cells that are not 0 */
    struct np_image *distance2;
};

static void job_done(struct job *job)
{
    np_image_freep(&job->mean);
    np_mask_freep(&job->inside);
    np_mask_freep(&job->some);
    np_image_freep(&job->distance2);
}

static int64_t cells_of(int64_t n, int64_t side)
{
    return (n + side - 1) / side;
}

/* Sums first; cells at the image's end have fewer voxels. */
static void fill_plane(void *context, int64_t cell_z)
{
    const struct job *job = context;
    const int64_t *n = job->source->grid.n, *side = job->side, *cells = job->mean->grid.n;
    const int64_t end_z = (cell_z + 1) * side[2] < n[2] ? (cell_z + 1) * side[2] : n[2];
    const int64_t first_cell = cell_z * cells[0] * cells[1];
    float *sum = job->mean->voxel + first_cell;
    uint8_t *inside = job->inside->voxel + first_cell;

    for (int64_t z = cell_z * side[2]; z < end_z; z++)
        for (int64_t y = 0; y < n[1]; y++) {
            const int64_t first = (z * n[1] + y) * n[0], row = y / side[1] * cells[0];
            for (int64_t x = 0, cell = row; x < n[0]; cell++)
                for (int64_t end = x + side[0] < n[0] ? x + side[0] : n[0]; x < end; x++) {
                    sum[cell] += job->source->voxel[first + x];
                    inside[cell] |= job->brain->voxel[first + x];
                }
        }
    for (int64_t y = 0; y < cells[1]; y++)
        for (int64_t x = 0; x < cells[0]; x++) {
            int64_t n_x = n[0] - x * side[0] < side[0] ? n[0] - x * side[0] : side[0];
            int64_t n_y = n[1] - y * side[1] < side[1] ? n[1] - y * side[1] : side[1];
            int64_t i = y * cells[0] + x, n_voxels = n_x * n_y * (end_z - cell_z * side[2]);
            job->some->voxel[first_cell + i] = sum[i] != 0;
            sum[i] /= (float)n_voxels;
        }
}

/* Longer where they are shortest, until they have voxels enough. */
static void choose_sides(const struct np_grid *grid, int64_t side[3])
{
    for (int a = 0; a < 3; a++) {
        double nearest = rint(CELL_MM / grid->spacing_mm[a]);
        side[a] = nearest > 1 ? (int64_t)nearest : 1;
    }
    while (side[0] * side[1] * side[2] < LEAST_VOXELS) {
        int shortest = 0;
        for (int a = 1; a < 3; a++)
            if ((double)side[a] * grid->spacing_mm[a] <
                (double)side[shortest] * grid->spacing_mm[shortest] * (1 - 1e-6))
                shortest = a;
        side[shortest]++;
    }
}

static int make_cells(struct job *job, struct np_error *err)
{
    struct np_grid grid = job->source->grid;

    choose_sides(&grid, job->side);
    for (int a = 0; a < 3; a++) {
        grid.n[a] = cells_of(grid.n[a], job->side[a]);
        grid.spacing_mm[a] *= (double)job->side[a];
    }
    job->mean = np_image_new(&grid);
    job->distance2 = np_image_new(&grid);
    job->inside = np_mask_new(&grid);
    job->some = np_mask_new(&grid);
    if (!job->mean || !job->distance2 || !job->inside || !job->some)
        return np_error_set(err, NP_ENOMEM, "image quality: no memory for the head's outline");
    np_exec_run(job->exec, grid.n[2], fill_plane, job);
    return np_exec_check(job->exec, err);
}

static bool may_be_head(const struct job *job, int64_t cell)
{
    const int64_t *cells = job->mean->grid.n;
    int64_t y = cell / cells[0] % cells[1] * job->side[1];
    int64_t z = cell / (cells[0] * cells[1]) * job->side[2];
    bool is_high = z >= (y < job->planes->front_y ? job->planes->rear_z : job->planes->front_z);

    return !is_high || (double)job->distance2->voxel[cell] <= REACH_MM * REACH_MM;
}

static int take_bright(struct job *job, struct np_error *err)
{
    double air = 0, brain = 0, half = 0.5;

    if (np_mask_count(job->inside) == 0)
        return np_error_set(err, NP_EDOMAIN, "image quality: expected a brain, found none");
    NP_TRY(np_image_quantiles(job->mean, job->inside, &half, 1, job->exec, &brain, err));
    NP_TRY(np_image_quantiles(job->mean, job->some, &AIR_QUANTILE, 1, job->exec, &air, err));
    if (!(brain > air))
        return np_error_set(err, NP_EDOMAIN,
                            "image quality: expected a brain that is brighter than the air (%g), "
                            "found %g",
                            air, brain);
    NP_TRY(np_distance_mm2(job->inside, NP_DISTANCE_TO_ONE, job->exec, job->distance2, err));
    const float level = (float)(air + LEAST_LEVEL * (brain - air));
    for (size_t i = 0; i < np_grid_voxels(&job->mean->grid); i++)
        if (job->mean->voxel[i] > level && may_be_head(job, (int64_t)i))
            job->inside->voxel[i] = 1;
    return np_mask_keep_largest(job->inside, NP_CONNECT_26, NULL, err);
}

/* Cells nearer to the mask than `mm`, or as near; to its outside, with `to` ZERO: those farther. */
static int grow(struct job *job, enum np_distance_to to, double mm, struct np_error *err)
{
    const float limit = (float)(mm * mm * (1 + 1e-6));

    NP_TRY(np_distance_mm2(job->inside, to, job->exec, job->distance2, err));
    for (size_t i = 0; i < np_grid_voxels(&job->mean->grid); i++) {
        bool is_near = job->distance2->voxel[i] <= limit;
        job->inside->voxel[i] = to == NP_DISTANCE_TO_ONE ? is_near : !is_near;
    }
    return 0;
}

static void draw_plane(void *context, int64_t z)
{
    const struct job *job = context;
    const int64_t *n = job->source->grid.n, *side = job->side, *cells = job->mean->grid.n;

    for (int64_t y = 0; y < n[1]; y++) {
        const uint8_t *inside =
            job->inside->voxel + (z / side[2] * cells[1] + y / side[1]) * cells[0];
        uint8_t *head = job->head->voxel + (z * n[1] + y) * n[0];
        for (int64_t x = 0; x < n[0]; inside++)
            for (int64_t end = x + side[0] < n[0] ? x + side[0] : n[0]; x < end; x++)
                head[x] = *inside;
    }
}

int np_quality_head(const struct np_image *source, const struct np_mask *brain,
                    const struct np_hat_planes *planes, const struct np_exec *exec,
                    struct np_mask *head, struct np_error *err)
{
    NP_AUTO(job_done)
    struct job job = {
        .source = source, .brain = brain, .planes = planes, .exec = exec, .head = head};

    NP_TRY(make_cells(&job, err));
    const double *spacing = job.mean->grid.spacing_mm;
    const double wider = fmax(fmax(spacing[0], spacing[1]), spacing[2]);
    NP_TRY(take_bright(&job, err));
    NP_TRY(grow(&job, NP_DISTANCE_TO_ONE, CLOSING_MM, err));
    NP_TRY(grow(&job, NP_DISTANCE_TO_ZERO, CLOSING_MM, err));
    NP_TRY(np_mask_fill_holes(job.inside, err));
    NP_TRY(grow(&job, NP_DISTANCE_TO_ONE, wider, err));
    np_exec_run(exec, source->grid.n[2], draw_plane, &job);
    return np_exec_check(exec, err);
}

struct np_hat_planes np_quality_planes(const struct np_mask *brain)
{
    double centre[3] = {0};

    np_mask_centroid(brain, centre);
    double rear_z = centre[2] - REAR_MM / brain->grid.spacing_mm[2];
    return (struct np_hat_planes){(int64_t)centre[1], rear_z > 0 ? (int64_t)rear_z : 0,
                                  (int64_t)centre[2]};
}
