/*
 * Distance: one exact pass per axis. Along x a forward and a backward scan give the distance to the
 * nearest target in the row. Along y and z each line is replaced by the lower envelope of parabolas
 * whose minima are its values (Felzenszwalb and Huttenlocher 2012). Lines are independent, so tasks
 * share them.
 *
 * Components: the mask is cut into runs along x. Runs that touch in neighbouring rows are united
 * (union-find; the smaller run number is the root), so the result does not depend on any order.
 */
#include "ops/morphology.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- distance ---------------------------------------------------------------------------- */

enum {
    N_BLOCKS = 64,    /* number of tasks into which the lines of one axis are divided */
    LINES_AT_ONCE = 8 /* neighbouring lines share cache lines of the volume */
};

struct distance_pass {
    const struct np_mask *mask;
    struct np_image *out;
    const struct np_exec *exec;
    uint8_t target;
    double spacing_mm;  /* along the axis of this pass */
    int64_t n, stride;  /* a line has n values, which are stride apart */
    int64_t n_inner;    /* number of adjacent lines */
    int64_t n_outer;    /* number of sets of adjacent lines */
    int64_t outer_step; /* distance between these sets */
    double *scratch;    /* per block: scratch_doubles(n) */
};

/* Memory for gathered lines, the parabolas of the envelope and their borders. */
static size_t scratch_doubles(int64_t n)
{
    return (size_t)n * (LINES_AT_ONCE + 2) + 1;
}

static void scan_row(const uint8_t *voxel, uint8_t target, int64_t n, double spacing_mm, float *out)
{
    int64_t last = -1;

    for (int64_t x = 0; x < n; x++) {
        if (voxel[x] == target)
            last = x;
        out[x] = last < 0 ? INFINITY : (float)(x - last);
    }
    last = -1;
    for (int64_t x = n - 1; x >= 0; x--) {
        if (voxel[x] == target)
            last = x;
        if (last >= 0 && (float)(last - x) < out[x])
            out[x] = (float)(last - x);
        double mm = (double)out[x] * spacing_mm;
        out[x] = (float)(mm * mm);
    }
}

static void scan_plane(void *context, int64_t z)
{
    const struct distance_pass *pass = context;
    int64_t nx = pass->mask->grid.n[0], ny = pass->mask->grid.n[1];

    if (np_exec_canceled(pass->exec))
        return;
    for (int64_t y = 0; y < ny; y++)
        scan_row(pass->mask->voxel + (z * ny + y) * nx, pass->target, nx, pass->spacing_mm,
                 pass->out->voxel + (z * ny + y) * nx);
}

/*
 * out[i * stride] = min over j of f[j] + (s (i - j))². `foot` and `from` hold n and n + 1 values:
 * the position of each parabola of the envelope, and the position from which it is the lowest.
 * Parabolas of infinite height are left out. A line often begins and ends with zeros. These stay 0,
 * and only the nearest of them matters for the rest of the line; most lines of a head image need
 * nothing else.
 */
static void lower_envelope(const double *f, int64_t n, double s, double *foot, double *from,
                           float *out, int64_t stride)
{
    int64_t last = -1, begin = 0, end = n;

    while (begin < end && f[begin] == 0)
        begin++;
    while (end > begin && f[end - 1] == 0)
        end--;
    if (begin == end)
        return;
    begin -= begin > 0;
    end += end < n;
    for (int64_t j = begin; j < end; j++) {
        double x = (double)j * s, cut = -INFINITY;
        if (isinf(f[j]))
            continue;
        for (; last >= 0; last--) {
            double v = foot[last] * s;
            cut = ((f[j] + x * x) - (f[(int64_t)foot[last]] + v * v)) / (2 * (x - v));
            if (cut > from[last])
                break;
        }
        last++;
        foot[last] = (double)j;
        from[last] = last == 0 ? -INFINITY : cut;
    }
    for (int64_t i = begin, k = 0; i < end; i++) {
        double x = (double)i * s;
        while (k < last && from[k + 1] < x)
            k++;
        double step = last < 0 ? INFINITY : x - foot[k] * s;
        out[i * stride] = last < 0 ? INFINITY : (float)(f[(int64_t)foot[k]] + step * step);
    }
}

static void envelope_block(void *context, int64_t block)
{
    const struct distance_pass *pass = context;
    int64_t n = pass->n, groups = (pass->n_inner + LINES_AT_ONCE - 1) / LINES_AT_ONCE;
    int64_t n_groups = groups * pass->n_outer;
    double *lines = pass->scratch + (size_t)block * scratch_doubles(n);
    double *foot = lines + n * LINES_AT_ONCE, *from = foot + n;

    for (int64_t g = block * n_groups / N_BLOCKS; g < (block + 1) * n_groups / N_BLOCKS; g++) {
        int64_t first = g % groups * LINES_AT_ONCE;
        int64_t width = pass->n_inner - first;
        float *base = pass->out->voxel + g / groups * pass->outer_step + first;

        if (np_exec_canceled(pass->exec))
            return;
        width = width < LINES_AT_ONCE ? width : LINES_AT_ONCE;
        for (int64_t i = 0; i < n; i++)
            for (int64_t w = 0; w < width; w++)
                lines[w * n + i] = (double)base[i * pass->stride + w];
        for (int64_t w = 0; w < width; w++)
            lower_envelope(lines + w * n, n, pass->spacing_mm, foot, from, base + w, pass->stride);
    }
}

int np_distance_mm2(const struct np_mask *mask, enum np_distance_to to, const struct np_exec *exec,
                    struct np_image *out, struct np_error *err)
{
    const struct np_grid *grid = &mask->grid;
    int64_t nx = grid->n[0], ny = grid->n[1], nz = grid->n[2];

    if (memcmp(out->grid.n, grid->n, 3 * sizeof(*grid->n)) != 0)
        return np_error_set(err, NP_EGEOMETRY, "distance: mask and output differ in size");
    NP_AUTO(np_freep)
    double *scratch =
        np_try_malloc(scratch_doubles(ny > nz ? ny : nz) * N_BLOCKS, sizeof(*scratch));
    if (!scratch)
        return np_error_set(err, NP_ENOMEM, "distance: no memory for %zu KiB of lines",
                            scratch_doubles(ny > nz ? ny : nz) * N_BLOCKS / 128);
    struct distance_pass pass = {.mask = mask,
                                 .out = out,
                                 .exec = exec,
                                 .target = to == NP_DISTANCE_TO_ONE,
                                 .spacing_mm = grid->spacing_mm[0],
                                 .scratch = scratch};
    np_exec_run(exec, nz, scan_plane, &pass);
    pass.spacing_mm = grid->spacing_mm[1];
    pass.n = ny;
    pass.stride = pass.n_inner = nx;
    pass.n_outer = nz;
    pass.outer_step = nx * ny;
    np_exec_run(exec, N_BLOCKS, envelope_block, &pass);
    pass.spacing_mm = grid->spacing_mm[2];
    pass.n = nz;
    pass.stride = pass.n_inner = nx * ny;
    pass.n_outer = 1;
    np_exec_run(exec, N_BLOCKS, envelope_block, &pass);
    return np_exec_check(exec, err);
}

/* ---- components ---------------------------------------------------------------------------- */

/* Voxels [from, to) of one row that hold the wanted value. */
struct run {
    int32_t from, to;
    int64_t parent; /* union-find */
    int64_t n_voxels;
};

struct runs {
    struct run *run;
    int64_t n;
    int64_t *first; /* first run of each row (y + ny z), and n at the end */
};

static void runs_done(struct runs *runs)
{
    free(runs->run);
    free(runs->first);
}

/* The next run of `value` in a row from `x` on; false when there is none. */
static bool next_run(const uint8_t *row, int64_t nx, int64_t x, uint8_t value, struct run *run)
{
    const uint8_t *from = x < nx ? memchr(row + x, value, (size_t)(nx - x)) : NULL;

    if (!from)
        return false;
    const uint8_t *to = memchr(from, value ? 0 : 1, (size_t)(row + nx - from));
    run->from = (int32_t)(from - row);
    run->to = (int32_t)(to ? to - row : nx);
    return true;
}

static int64_t count_runs(const struct np_mask *mask, uint8_t value)
{
    int64_t nx = mask->grid.n[0], n_rows = mask->grid.n[1] * mask->grid.n[2], n = 0;
    struct run run;

    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t x = 0; next_run(mask->voxel + r * nx, nx, x, value, &run); x = run.to)
            n++;
    return n;
}

static int64_t find_root(struct runs *runs, int64_t i)
{
    while (runs->run[i].parent != i) {
        runs->run[i].parent = runs->run[runs->run[i].parent].parent;
        i = runs->run[i].parent;
    }
    return i;
}

static void unite(struct runs *runs, int64_t a, int64_t b)
{
    a = find_root(runs, a);
    b = find_root(runs, b);
    if (a < b)
        runs->run[b].parent = a;
    else
        runs->run[a].parent = b;
}

/* Unite the runs of two rows that touch; `reach` is 1 when edges and corners count, else 0. */
static void unite_rows(struct runs *runs, int64_t row_a, int64_t row_b, int32_t reach)
{
    int64_t a = runs->first[row_a], b = runs->first[row_b];

    while (a < runs->first[row_a + 1] && b < runs->first[row_b + 1]) {
        const struct run *ra = &runs->run[a], *rb = &runs->run[b];
        if (ra->from < rb->to + reach && rb->from < ra->to + reach)
            unite(runs, a, b);
        if (ra->to < rb->to)
            a++;
        else
            b++;
    }
}

static void unite_all(struct runs *runs, const struct np_grid *grid,
                      enum np_connectivity connectivity)
{
    /* Rows that precede in storage order, as (dy, dz); the first two are neighbours across
     * faces. */
    static const int earlier[4][2] = {{-1, 0}, {0, -1}, {-1, -1}, {1, -1}};
    int n_earlier = connectivity == NP_CONNECT_6 ? 2 : 4;
    int64_t ny = grid->n[1], nz = grid->n[2];

    for (int64_t z = 0; z < nz; z++)
        for (int64_t y = 0; y < ny; y++)
            for (int e = 0; e < n_earlier; e++) {
                int64_t y2 = y + earlier[e][0], z2 = z + earlier[e][1];
                if (y2 >= 0 && y2 < ny && z2 >= 0)
                    unite_rows(runs, z2 * ny + y2, z * ny + y, connectivity == NP_CONNECT_26);
            }
}

/* Find the runs of `value` and unite them into components. A root's n_voxels is the size of its
 * component. */
static int find_components(const struct np_mask *mask, uint8_t value,
                           enum np_connectivity connectivity, struct runs *runs,
                           struct np_error *err)
{
    int64_t nx = mask->grid.n[0], n_rows = mask->grid.n[1] * mask->grid.n[2];
    int64_t n = count_runs(mask, value);

    runs->run = np_try_malloc((size_t)n, sizeof(*runs->run));
    runs->first = np_try_malloc((size_t)n_rows + 1, sizeof(*runs->first));
    if (!runs->run || !runs->first)
        return np_error_set(err, NP_ENOMEM, "components: no memory for %zu MiB of runs",
                            ((size_t)n * sizeof(*runs->run) >> 20) + 1);
    for (int64_t r = 0; r < n_rows; r++) {
        struct run run = {.to = 0};
        runs->first[r] = runs->n;
        while (next_run(mask->voxel + r * nx, nx, run.to, value, &run)) {
            run.parent = runs->n;
            runs->run[runs->n++] = run;
        }
    }
    runs->first[n_rows] = runs->n;
    unite_all(runs, &mask->grid, connectivity);
    for (int64_t i = 0; i < runs->n; i++)
        runs->run[find_root(runs, i)].n_voxels += runs->run[i].to - runs->run[i].from;
    return 0;
}

/* Write `value` into the runs whose component is (or is not) `marked`. */
static void write_runs(struct np_mask *mask, struct runs *runs, const uint8_t *marked,
                       uint8_t which, uint8_t value)
{
    int64_t nx = mask->grid.n[0], n_rows = mask->grid.n[1] * mask->grid.n[2];

    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t i = runs->first[r]; i < runs->first[r + 1]; i++)
            if (marked[find_root(runs, i)] == which)
                memset(mask->voxel + r * nx + runs->run[i].from, value,
                       (size_t)(runs->run[i].to - runs->run[i].from));
}

int np_mask_keep_largest(struct np_mask *mask, enum np_connectivity connectivity,
                         int64_t *n_components, struct np_error *err)
{
    NP_AUTO(runs_done) struct runs runs = {0};

    NP_TRY(find_components(mask, 1, connectivity, &runs, err));
    NP_AUTO(np_freep) uint8_t *marked = np_try_calloc((size_t)runs.n + 1, 1);
    if (!marked)
        return np_error_set(err, NP_ENOMEM, "components: no memory for %zu KiB of marks",
                            (size_t)runs.n / 1024 + 1);
    int64_t best = 0, n = 0;
    for (int64_t i = 0; i < runs.n; i++) {
        if (runs.run[i].parent != i)
            continue;
        n++;
        if (runs.run[i].n_voxels > runs.run[best].n_voxels)
            best = i;
    }
    marked[best] = 1;
    write_runs(mask, &runs, marked, 0, 0);
    if (n_components)
        *n_components = n;
    return 0;
}

int np_mask_fill_holes(struct np_mask *mask, struct np_error *err)
{
    int64_t nx = mask->grid.n[0], ny = mask->grid.n[1], nz = mask->grid.n[2];
    NP_AUTO(runs_done) struct runs runs = {0};

    NP_TRY(find_components(mask, 0, NP_CONNECT_6, &runs, err));
    NP_AUTO(np_freep) uint8_t *open = np_try_calloc((size_t)runs.n + 1, 1);
    if (!open)
        return np_error_set(err, NP_ENOMEM, "holes: no memory for %zu KiB of marks",
                            (size_t)runs.n / 1024 + 1);
    for (int64_t r = 0; r < ny * nz; r++) {
        int64_t y = r % ny, z = r / ny;
        bool border_row = y == 0 || y == ny - 1 || z == 0 || z == nz - 1;
        for (int64_t i = runs.first[r]; i < runs.first[r + 1]; i++)
            if (border_row || runs.run[i].from == 0 || runs.run[i].to == nx)
                open[find_root(&runs, i)] = 1;
    }
    write_runs(mask, &runs, open, 0, 1);
    return 0;
}

/* ---- measures ------------------------------------------------------------------------------ */

double np_mask_border_share(const struct np_mask *mask)
{
    const int64_t *n = mask->grid.n;
    int64_t covered = 0, border = 0;

    for (int64_t z = 0; z < n[2]; z++)
        for (int64_t y = 0; y < n[1]; y++) {
            const uint8_t *row = mask->voxel + (z * n[1] + y) * n[0];
            bool whole = y == 0 || y == n[1] - 1 || z == 0 || z == n[2] - 1;
            for (int64_t x = 0; x < n[0]; x += whole || n[0] == 1 ? 1 : n[0] - 1) {
                covered += row[x];
                border++;
            }
        }
    return (double)covered / (double)border;
}

bool np_mask_centroid(const struct np_mask *mask, double centre_voxel[3])
{
    const int64_t *n = mask->grid.n;
    int64_t sum[3] = {0}, count = 0;

    for (int64_t z = 0; z < n[2]; z++)
        for (int64_t y = 0; y < n[1]; y++) {
            const uint8_t *row = mask->voxel + (z * n[1] + y) * n[0];
            int64_t in_row = 0;
            struct run run = {.to = 0};
            while (next_run(row, n[0], run.to, 1, &run)) {
                in_row += run.to - run.from;
                sum[0] += (int64_t)(run.from + run.to - 1) * (run.to - run.from) / 2;
            }
            sum[1] += y * in_row;
            sum[2] += z * in_row;
            count += in_row;
        }
    for (int i = 0; i < 3 && count; i++)
        centre_voxel[i] = (double)sum[i] / (double)count;
    return count > 0;
}
