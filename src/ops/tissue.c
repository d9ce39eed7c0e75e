#include "ops/tissue.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/elementary.h"
#include "ops/histogram.h"

enum {
    N_BINS = 1024,
    PER_COARSE = 8, /* bins in a coarse one, with which the search starts */
    N_COARSE = N_BINS / PER_COARSE,
    N_MIXES = 7,                /* shares of a mixed voxel: 1/8 … 7/8 of the brighter class */
    N_PAIRS = NP_N_TISSUES - 1, /* of classes that mix: neighbours in brightness */
    N_WEIGHTS = NP_N_TISSUES + N_PAIRS,
    N_PARTS = NP_N_TISSUES + N_PAIRS * N_MIXES,
    MOST_ITERATIONS = 100,
    N_SWEEPS = 4
};

static const double CUT[2] = {0.001, 0.999}; /* quantiles: the histogram's ends */
static const double SETTLED = 1e-4;          /* of the range: what no mean moves further than */
static const double LEAST_SD = 0.004;        /* of the range */
static const double LEAST_SHARE = 1e-4;
static const float NEIGHBOUR = 0.35F; /* what a neighbour at 1 mm adds to the logarithm */

/* The classes from dark to bright. */
struct mixture {
    double low, high; /* the histogram's ends */
    double mean[NP_N_TISSUES], sd[NP_N_TISSUES],
        weight[N_WEIGHTS]; /* in the histogram's units: 0 … 1 */
};

/* One part of the mixture: a class alone, or a mix of two. */
struct part {
    int dark;      /* the class, or the darker one of a mix; the other is the next */
    double bright; /* the share of the next */
    double mean, sd, weight;
};

static void set_parts(const struct mixture *mixture, struct part part[N_PARTS])
{
    for (int k = 0; k < NP_N_TISSUES; k++)
        part[k] = (struct part){k, 0, mixture->mean[k], mixture->sd[k], mixture->weight[k]};
    for (int p = 0; p < N_PAIRS; p++)
        for (int m = 0; m < N_MIXES; m++) {
            double t = (m + 1) / (double)(N_MIXES + 1);
            part[NP_N_TISSUES + p * N_MIXES + m] = (struct part){
                .dark = p,
                .bright = t,
                .mean = (1 - t) * mixture->mean[p] + t * mixture->mean[p + 1],
                .sd = (1 - t) * mixture->sd[p] + t * mixture->sd[p + 1],
                .weight = mixture->weight[NP_N_TISSUES + p] / N_MIXES,
            };
        }
}

static double bin_middle(int bin)
{
    return (bin + 0.5) / N_BINS;
}

/* How probable each part is in a bin; their sum is 1. */
static void parts_in_bin(const struct part part[N_PARTS], int bin, double probable[N_PARTS])
{
    double sum = 0;

    for (int c = 0; c < N_PARTS; c++) {
        double z = (bin_middle(bin) - part[c].mean) / part[c].sd;
        probable[c] = part[c].weight / part[c].sd * np_exp(-0.5 * z * z);
        sum += probable[c];
    }
    for (int c = 0; c < N_PARTS; c++)
        probable[c] = sum > 0 ? probable[c] / sum : part[c].weight;
}

/* ---- the start ----------------------------------------------------------------------------- */

/* The two borders, in coarse bins, that part the counts into three classes with the largest variance
 * between them. */
static void otsu_of_three(const struct np_histogram *histogram, int border[2])
{
    double n[N_COARSE + 1] = {0}, sum[N_COARSE + 1] = {0}, best = -1;

    for (int i = 0; i < N_BINS; i++) {
        n[i / PER_COARSE + 1] += (double)histogram->count[i];
        sum[i / PER_COARSE + 1] += (double)histogram->count[i] * bin_middle(i);
    }
    for (int i = 0; i < N_COARSE; i++) {
        n[i + 1] += n[i];
        sum[i + 1] += sum[i];
    }
    for (int a = 1; a < N_COARSE - 1; a++)
        for (int b = a + 1; b < N_COARSE; b++) {
            double count[3] = {n[a], n[b] - n[a], n[N_COARSE] - n[b]}, between = 0;
            double part[3] = {sum[a], sum[b] - sum[a], sum[N_COARSE] - sum[b]};
            for (int k = 0; k < 3; k++)
                between += count[k] > 0 ? part[k] * part[k] / count[k] : 0;
            if (between > best) {
                best = between;
                border[0] = a;
                border[1] = b;
            }
        }
}

static void start(const struct np_histogram *histogram, struct mixture *mixture)
{
    int border[2] = {N_COARSE / 3, 2 * N_COARSE / 3};

    otsu_of_three(histogram, border);
    const int end[NP_N_TISSUES + 1] = {0, border[0] * PER_COARSE, border[1] * PER_COARSE, N_BINS};
    for (int k = 0; k < NP_N_TISSUES; k++) {
        double n = 0, sum = 0, square = 0;
        for (int i = end[k]; i < end[k + 1]; i++) {
            n += (double)histogram->count[i];
            sum += (double)histogram->count[i] * bin_middle(i);
            square += (double)histogram->count[i] * bin_middle(i) * bin_middle(i);
        }
        double mean = n > 0 ? sum / n : 0.5 * (end[k] + end[k + 1]) / N_BINS;
        mixture->mean[k] = mean;
        mixture->sd[k] = fmax(n > 0 ? sqrt(fmax(square / n - mean * mean, 0)) : 0, LEAST_SD);
        mixture->weight[k] = 0.8 * n / (double)histogram->n;
    }
    for (int p = 0; p < N_PAIRS; p++)
        mixture->weight[NP_N_TISSUES + p] = 0.2 / N_PAIRS;
}

/* ---- the fit ------------------------------------------------------------------------------- */

/* Sums over the histogram for one step: the normal equations of the means, and those of each class
 * alone. */
struct sums {
    double square[NP_N_TISSUES][NP_N_TISSUES], right[NP_N_TISSUES];
    double weight[N_WEIGHTS], spread[NP_N_TISSUES];
};

static void add_bin(const struct mixture *mixture, const struct part part[N_PARTS], int bin,
                    double count, struct sums *sums)
{
    double probable[N_PARTS], value = bin_middle(bin);

    parts_in_bin(part, bin, probable);
    for (int c = 0; c < N_PARTS; c++) {
        double n = count * probable[c], w = n / (part[c].sd * part[c].sd);
        double share[NP_N_TISSUES] = {0};
        share[part[c].dark] = 1 - part[c].bright;
        if (part[c].bright > 0)
            share[part[c].dark + 1] = part[c].bright;
        for (int a = 0; a < NP_N_TISSUES; a++) {
            sums->right[a] += w * share[a] * value;
            for (int b = 0; b < NP_N_TISSUES; b++)
                sums->square[a][b] += w * share[a] * share[b];
        }
        int of = c < NP_N_TISSUES ? c : NP_N_TISSUES + (c - NP_N_TISSUES) / N_MIXES;
        sums->weight[of] += n;
        if (c < NP_N_TISSUES) {
            double d = value - mixture->mean[c];
            sums->spread[c] += n * d * d;
        }
    }
}

/* Solve the tridiagonal normal equations: a class mixes with its neighbours alone. */
static void solve_means(const struct sums *s, double mean[NP_N_TISSUES])
{
    double diagonal[NP_N_TISSUES], right[NP_N_TISSUES];

    for (int k = 0; k < NP_N_TISSUES; k++) {
        diagonal[k] = s->square[k][k];
        right[k] = s->right[k];
        if (k > 0 && diagonal[k - 1] > 0) {
            double f = s->square[k][k - 1] / diagonal[k - 1];
            diagonal[k] -= f * s->square[k - 1][k];
            right[k] -= f * right[k - 1];
        }
    }
    for (int k = NP_N_TISSUES - 1; k >= 0; k--) {
        double above = k + 1 < NP_N_TISSUES ? s->square[k][k + 1] * mean[k + 1] : 0;
        if (diagonal[k] > 0)
            mean[k] = (right[k] - above) / diagonal[k];
    }
}

/* One step of expectation maximization. Returns how far a mean moved. */
static double step(const struct np_histogram *histogram, struct mixture *mixture)
{
    struct part part[N_PARTS];
    struct sums sums = {0};
    struct mixture next = *mixture;
    double moved = 0;

    set_parts(mixture, part);
    for (int i = 0; i < N_BINS; i++)
        if (histogram->count[i])
            add_bin(mixture, part, i, (double)histogram->count[i], &sums);
    solve_means(&sums, next.mean);
    for (int k = 0; k < NP_N_TISSUES; k++) {
        next.sd[k] = sums.weight[k] > 0 ? sqrt(sums.spread[k] / sums.weight[k]) : mixture->sd[k];
        next.sd[k] = fmax(next.sd[k], LEAST_SD);
        moved = fmax(moved, fabs(next.mean[k] - mixture->mean[k]));
    }
    for (int w = 0; w < N_WEIGHTS; w++)
        next.weight[w] = sums.weight[w] / (double)histogram->n;
    *mixture = next;
    return moved;
}

static bool is_in_order(const struct mixture *mixture)
{
    for (int k = 0; k + 1 < NP_N_TISSUES; k++)
        if (!(mixture->mean[k] + LEAST_SD < mixture->mean[k + 1]))
            return false;
    return true;
}

static int fit(const struct np_image *image, const struct np_mask *mask, const struct np_exec *exec,
               struct mixture *mixture, int *n_iterations, struct np_error *err)
{
    NP_AUTO(np_histogram_done) struct np_histogram histogram = {0};
    double end[2], moved = 1;

    NP_TRY(np_image_quantiles(image, mask, CUT, 2, exec, end, err));
    if (!(end[1] > end[0]))
        return np_error_set(err, NP_EMETHOD, "tissues: the brain has one intensity, %g", end[0]);
    mixture->low = end[0];
    mixture->high = end[1];
    NP_TRY(np_histogram_make(image, mask, end[0], end[1], N_BINS, exec, &histogram, err));
    start(&histogram, mixture);
    for (*n_iterations = 0; *n_iterations < MOST_ITERATIONS && moved > SETTLED; ++*n_iterations)
        moved = step(&histogram, mixture);
    if (!is_in_order(mixture))
        return np_error_set(err, NP_EMETHOD,
                            "tissues: the brain's intensities do not part into three classes");
    return np_exec_check(exec, err);
}

/* ---- the field ----------------------------------------------------------------------------- */

struct field {
    const struct np_image *image;
    const struct np_mask *mask;
    struct np_tissue *tissue;
    float by_value[N_BINS][NP_N_TISSUES]; /* logarithm of the share, in the tissues' order */
    float share[N_BINS][NP_N_TISSUES];
    double low, bins_per_unit;
    float weight[3]; /* of a neighbour along each axis, for a share in parts of NP_TISSUE_WHOLE */
    int parity;
    int64_t (*row)[2]; /* of each row along x: where the mask begins, and where it ends */
    int64_t (*sum)[NP_N_TISSUES]; /* of shares, for each plane */
};

/* From dark to bright, which tissue is it? */
static int tissue_of(enum np_contrast contrast, int k)
{
    return contrast == NP_CONTRAST_T2W ? NP_N_TISSUES - 1 - k : k;
}

static void set_table(const struct mixture *mixture, enum np_contrast contrast, struct field *field)
{
    struct part part[N_PARTS];
    double probable[N_PARTS];

    set_parts(mixture, part);
    for (int i = 0; i < N_BINS; i++) {
        double share[NP_N_TISSUES] = {0};
        parts_in_bin(part, i, probable);
        for (int c = 0; c < N_PARTS; c++) {
            share[part[c].dark] += probable[c] * (1 - part[c].bright);
            if (part[c].bright > 0)
                share[part[c].dark + 1] += probable[c] * part[c].bright;
        }
        for (int k = 0; k < NP_N_TISSUES; k++) {
            int to = tissue_of(contrast, k);
            field->share[i][to] = (float)share[k];
            field->by_value[i][to] = (float)np_log(fmax(share[k], LEAST_SHARE));
        }
    }
    field->low = mixture->low;
    field->bins_per_unit = N_BINS / (mixture->high - mixture->low);
}

static int bin_of(const struct field *field, size_t i)
{
    double bin = ((double)field->image->voxel[i] - field->low) * field->bins_per_unit;

    return bin > 0 ? (bin < N_BINS ? (int)bin : N_BINS - 1) : 0;
}

/* Shares in parts of NP_TISSUE_WHOLE: rounded, and the rest to white matter. */
static void store(struct np_tissue *tissue, size_t i, const float share[NP_N_TISSUES])
{
    int csf = (int)(share[NP_TISSUE_CSF] * NP_TISSUE_WHOLE + 0.5F);
    int gm = (int)(share[NP_TISSUE_GM] * NP_TISSUE_WHOLE + 0.5F);

    gm = gm < NP_TISSUE_WHOLE - csf ? gm : NP_TISSUE_WHOLE - csf;
    tissue->share[NP_TISSUE_CSF][i] = (uint8_t)csf;
    tissue->share[NP_TISSUE_GM][i] = (uint8_t)gm;
    tissue->share[NP_TISSUE_WM][i] = (uint8_t)(NP_TISSUE_WHOLE - csf - gm);
}

static void start_plane(void *context, int64_t z)
{
    const struct field *field = context;
    const int64_t *n = field->image->grid.n;

    for (int64_t y = 0; y < n[1]; y++) {
        int64_t *row = field->row[z * n[1] + y], first = (z * n[1] + y) * n[0];
        row[0] = n[0];
        for (int64_t x = 0; x < n[0]; x++)
            if (field->mask->voxel[first + x]) {
                size_t i = (size_t)(first + x);
                store(field->tissue, i, field->share[bin_of(field, i)]);
                row[0] = row[0] < x ? row[0] : x;
                row[1] = x + 1;
            }
    }
}

/* The sum over the six neighbours of their shares. Outside the mask all shares are 0. */
static void neighbours(const struct field *field, const int64_t at[3], size_t i,
                       float sum[NP_N_TISSUES])
{
    const int64_t *n = field->image->grid.n;
    const size_t step[3] = {1, (size_t)n[0], (size_t)(n[0] * n[1])};

    for (int k = 0; k < NP_N_TISSUES; k++) {
        const uint8_t *share = field->tissue->share[k] + i;
        sum[k] = 0;
        for (int a = 0; a < 3; a++) {
            int before = at[a] > 0 ? *(share - step[a]) : 0;
            int after = at[a] + 1 < n[a] ? *(share + step[a]) : 0;
            sum[k] += field->weight[a] * (float)(before + after);
        }
    }
}

static void update_voxel(const struct field *field, const int64_t at[3], size_t i)
{
    const float *by_value = field->by_value[bin_of(field, i)];
    float share[NP_N_TISSUES], most = -INFINITY, sum = 0;

    neighbours(field, at, i, share);
    for (int k = 0; k < NP_N_TISSUES; k++) {
        share[k] += by_value[k];
        most = share[k] > most ? share[k] : most;
    }
    for (int k = 0; k < NP_N_TISSUES; k++)
        share[k] -= most;
    np_expf_n(share, share, NP_N_TISSUES);
    for (int k = 0; k < NP_N_TISSUES; k++)
        sum += share[k];
    for (int k = 0; k < NP_N_TISSUES; k++)
        share[k] /= sum;
    store(field->tissue, i, share);
}

/* Voxels of one parity read those of the other alone, so the order does not matter. */
static void sweep_plane(void *context, int64_t z)
{
    const struct field *field = context;
    const int64_t *n = field->image->grid.n;

    for (int64_t y = 0; y < n[1]; y++) {
        const int64_t *row = field->row[z * n[1] + y];
        for (int64_t x = row[0] + (row[0] + y + z + field->parity) % 2; x < row[1]; x += 2) {
            size_t i = (size_t)((z * n[1] + y) * n[0] + x);
            if (field->mask->voxel[i])
                update_voxel(field, (const int64_t[3]){x, y, z}, i);
        }
    }
}

static void sum_plane(void *context, int64_t z)
{
    const struct field *field = context;
    size_t plane = (size_t)(field->image->grid.n[0] * field->image->grid.n[1]);

    for (int k = 0; k < NP_N_TISSUES; k++)
        for (size_t i = (size_t)z * plane; i < ((size_t)z + 1) * plane; i++)
            field->sum[z][k] += field->tissue->share[k][i];
}

static int solve_field(struct field *field, const struct np_exec *exec, struct np_error *err)
{
    const struct np_grid *grid = &field->image->grid;
    NP_AUTO(np_freep) int64_t(*sum)[NP_N_TISSUES] = np_xcalloc((size_t)grid->n[2], sizeof(*sum));
    NP_AUTO(np_freep)
    int64_t(*row)[2] = np_try_calloc((size_t)(grid->n[1] * grid->n[2]), sizeof(*row));

    if (!row)
        return np_error_set(err, NP_ENOMEM, "tissues: no memory for their rows");
    field->row = row;

    for (int a = 0; a < 3; a++)
        field->weight[a] = NEIGHBOUR / NP_TISSUE_WHOLE / (float)grid->spacing_mm[a];
    np_exec_run(exec, grid->n[2], start_plane, field);
    for (int sweep = 0; sweep < N_SWEEPS; sweep++)
        for (field->parity = 0; field->parity < 2; field->parity++) {
            NP_TRY(np_exec_check(exec, err));
            np_exec_run(exec, grid->n[2], sweep_plane, field);
        }
    field->sum = sum;
    np_exec_run(exec, grid->n[2], sum_plane, field);
    for (int k = 0; k < NP_N_TISSUES; k++) {
        int64_t all = 0;
        for (int64_t z = 0; z < grid->n[2]; z++)
            all += sum[z][k];
        field->tissue->mm3[k] = (double)all / NP_TISSUE_WHOLE * np_grid_voxel_mm3(grid);
    }
    return np_exec_check(exec, err);
}

/* ---- all of it ----------------------------------------------------------------------------- */

void np_tissue_done(struct np_tissue *tissue)
{
    for (int k = 0; k < NP_N_TISSUES; k++)
        np_voxels_freep(&tissue->share[k]);
}

static int new_tissue(const struct np_grid *grid, struct np_tissue *tissue, struct np_error *err)
{
    size_t n = np_grid_voxels(grid);

    tissue->grid = *grid;
    for (int k = 0; k < NP_N_TISSUES; k++) {
        tissue->share[k] = np_try_voxels(n, 1);
        if (!tissue->share[k])
            return np_error_set(err, NP_ENOMEM, "tissues: no memory for %zu MiB", (n >> 20) + 1);
    }
    return 0;
}

int np_tissue_classify(const struct np_image *image, const struct np_mask *mask,
                       enum np_contrast contrast, const struct np_exec *exec,
                       struct np_tissue *tissue, struct np_error *err)
{
    NP_AUTO(np_tissue_done) struct np_tissue made = {0};
    NP_AUTO(np_freep) struct field *field = np_xcalloc(1, sizeof(*field));
    struct mixture mixture = {0};

    NP_TRY(fit(image, mask, exec, &mixture, &made.n_iterations, err));
    NP_TRY(new_tissue(&image->grid, &made, err));
    *field = (struct field){.image = image, .mask = mask, .tissue = &made};
    set_table(&mixture, contrast, field);
    NP_TRY(solve_field(field, exec, err));
    for (int k = 0; k < NP_N_TISSUES; k++) {
        double range = mixture.high - mixture.low;
        made.mean[tissue_of(contrast, k)] = mixture.low + range * mixture.mean[k];
        made.sd[tissue_of(contrast, k)] = range * mixture.sd[k];
    }
    *tissue = made;
    made = (struct np_tissue){0};
    return 0;
}

void np_tissue_labels(const struct np_tissue *tissue, uint8_t *label)
{
    enum { GM = 1, WM, CSF };
    size_t n = np_grid_voxels(&tissue->grid);

    for (size_t i = 0; i < n; i++) {
        int csf = tissue->share[NP_TISSUE_CSF][i], gm = tissue->share[NP_TISSUE_GM][i];
        int wm = tissue->share[NP_TISSUE_WM][i];
        int best = gm >= csf && gm >= wm ? GM : wm >= csf ? WM : CSF;
        label[i] = csf + gm + wm == 0 ? 0 : (uint8_t)best;
    }
}
