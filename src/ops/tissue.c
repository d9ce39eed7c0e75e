/*
 * 1. Find the box of the mask, and gather the values inside: all further passes see these alone.
 * 2. Fit the mixture; give each voxel the number of its bin, and the shares of that bin.
 * 3. Sweep: the new shares of a voxel are those of its bin times exp(what the neighbours add), to
 *    the sum 1. In turn the voxels of one parity of x + y + z, and those of the other.
 *
 * The voxels of the box lie in memory by parity: voxel x = 2 i + s of a row, s = 0 or 1 by row and
 * parity, is number i of its row. So the neighbours of voxels that follow one another follow one
 * another, too, and the inner loops have no gaps. Around the box is a margin of one voxel with the
 * shares 0.
 */
#include "ops/tissue.h"

#include <string.h>

#include "base/alloc.h"
#include "ops/elementary.h"
#include "ops/lanes.h"
#include "ops/tissue_mixture.h"

enum {
    OUTSIDE = NP_MIXTURE_BINS, /* the bin of voxels outside the mask */
    N_SWEEPS = 4,
    MARGIN = 1, /* voxels around the box */
};

static const float LEAST_SHARE = 1e-4F;
static const float NEIGHBOUR = 0.35F; /* what a neighbour at 1 mm adds to the logarithm */

/* Of one bin: what its intensity says, and the sum of the shares. */
struct likelihood {
    float of[NP_N_TISSUES], whole;
};

struct field {
    const struct np_image *image;
    const struct np_mask *mask;
    struct np_tissue *tissue;
    int64_t (*inside)[2]; /* of each row of the image: where the mask begins, and where it ends */
    int64_t *n_before;    /* voxels of the mask in the planes before */
    float *gathered;      /* values in the mask */
    int64_t low[3], n[3]; /* the box, as in `tissue` */
    int64_t stride;       /* between rows of one parity */
    uint8_t *share[NP_N_TISSUES][2]; /* [tissue][parity] */
    uint16_t *bin[2];
    struct likelihood table[NP_MIXTURE_BINS + 1];
    double bottom, bins_per_unit;
    float weight[3]; /* of a neighbour along each axis, for a share in parts of NP_TISSUE_WHOLE */
    int parity;
    int64_t (*sum)[NP_N_TISSUES]; /* of shares, for each plane */
};

/* ---- the mask's box ------------------------------------------------------------------------ */

static void look_at_plane(void *context, int64_t z)
{
    struct field *field = context;
    const int64_t *n = field->image->grid.n;
    int64_t count = 0;

    for (int64_t y = 0; y < n[1]; y++) {
        const uint8_t *voxel = field->mask->voxel + (z * n[1] + y) * n[0];
        int64_t *row = field->inside[z * n[1] + y];
        row[0] = row[1] = (int64_t)np_next_inside(voxel, 0, (size_t)n[0]);
        for (int64_t x = row[0]; x < n[0]; x++)
            if (voxel[x]) {
                row[1] = x + 1;
                count++;
            }
    }
    field->n_before[z + 1] = count;
}

static void widen(int64_t range[2], int64_t first, int64_t end)
{
    range[0] = first < range[0] ? first : range[0];
    range[1] = end > range[1] ? end : range[1];
}

/* The mask is not empty. */
static void find_box(struct field *field)
{
    const int64_t *n = field->image->grid.n;
    int64_t range[3][2] = {{n[0], 0}, {n[1], 0}, {n[2], 0}};

    for (int64_t z = 0; z < n[2]; z++)
        for (int64_t y = 0; y < n[1]; y++) {
            const int64_t *row = field->inside[z * n[1] + y];
            if (row[0] == row[1])
                continue;
            widen(range[0], row[0], row[1]);
            widen(range[1], y, y + 1);
            widen(range[2], z, z + 1);
        }
    for (int a = 0; a < 3; a++) {
        field->low[a] = range[a][0];
        field->n[a] = range[a][1] - range[a][0];
    }
}

static void gather_plane(void *context, int64_t z)
{
    struct field *field = context;
    const int64_t *n = field->image->grid.n;
    float *to = field->gathered + field->n_before[z];

    for (int64_t y = 0; y < n[1]; y++) {
        const int64_t *row = field->inside[z * n[1] + y];
        size_t first = (size_t)((z * n[1] + y) * n[0]);
        for (int64_t x = row[0]; x < row[1]; x++)
            if (field->mask->voxel[first + (size_t)x])
                *to++ = field->image->voxel[first + (size_t)x];
    }
}

static int no_memory(struct np_error *err, size_t n_bytes)
{
    return np_error_set(err, NP_ENOMEM, "tissues: no memory for %zu MiB", (n_bytes >> 20) + 1);
}

/* The voxels of the mask as an image of one row, for the fit. */
static int fit(struct field *field, const struct np_exec *exec, struct np_mixture *mixture,
               struct np_error *err)
{
    int64_t n_planes = field->image->grid.n[2];

    np_exec_run(exec, n_planes, look_at_plane, field);
    for (int64_t z = 0; z < n_planes; z++)
        field->n_before[z + 1] += field->n_before[z];
    int64_t n = field->n_before[n_planes];
    if (n == 0)
        return np_error_set(err, NP_EDOMAIN, "tissues: expected a brain mask, found an empty one");
    find_box(field);
    const struct np_grid grid = np_grid_make(n, 1, 1, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *values = np_image_new(&grid);
    if (!values)
        return no_memory(err, (size_t)n * sizeof(float));
    field->gathered = values->voxel;
    np_exec_run(exec, n_planes, gather_plane, field);
    field->gathered = NULL;
    return np_mixture_fit(values, exec, mixture, err);
}

/* ---- the start ----------------------------------------------------------------------------- */

/* From dark to bright, which tissue is it? */
static int tissue_of(enum np_contrast contrast, int k)
{
    return contrast == NP_CONTRAST_T2W ? NP_N_TISSUES - 1 - k : k;
}

static int set_table(const struct np_mixture *mixture, enum np_contrast contrast,
                     struct field *field, struct np_error *err)
{
    NP_AUTO(np_freep)
    float(*share)[NP_N_CLASSES] = np_try_calloc(NP_MIXTURE_BINS, sizeof(*share));

    if (!share)
        return no_memory(err, NP_MIXTURE_BINS * sizeof(*share));
    np_mixture_shares(mixture, share);
    for (int i = 0; i < NP_MIXTURE_BINS; i++) {
        struct likelihood *bin = &field->table[i];
        bin->whole = NP_TISSUE_WHOLE;
        for (int k = 0; k < NP_N_CLASSES; k++)
            bin->of[tissue_of(contrast, k)] = share[i][k] > LEAST_SHARE ? share[i][k] : LEAST_SHARE;
    }
    for (int k = 0; k < NP_N_TISSUES; k++) /* all the same: no division by 0 */
        field->table[OUTSIDE].of[k] = 1;
    field->bottom = mixture->low;
    field->bins_per_unit = NP_MIXTURE_BINS / (mixture->high - mixture->low);
    return 0;
}

static uint16_t bin_of(const struct field *field, float value)
{
    double bin = ((double)value - field->bottom) * field->bins_per_unit;

    return (uint16_t)(bin > 0 ? (bin < NP_MIXTURE_BINS ? bin : NP_MIXTURE_BINS - 1) : 0);
}

/* Where voxel 0 of a row of the box begins, in the arrays of one parity. */
static size_t row_start(const struct field *field, int64_t y, int64_t z)
{
    return (size_t)(((z + 1) * (field->n[1] + 2) + y + 1) * field->stride + MARGIN);
}

/* s of x = 2 i + s. */
static int64_t shift_of(int64_t y, int64_t z, int parity)
{
    return (y + z + parity) & 1;
}

/* The range of the row of the image that lies on this row of the box; as x of the box. */
static void range_of(const struct field *field, int64_t y, int64_t z, int64_t range[2])
{
    const int64_t *n = field->image->grid.n;
    const int64_t *row = field->inside[(z + field->low[2]) * n[1] + y + field->low[1]];

    range[0] = row[0] < row[1] ? row[0] - field->low[0] : 0;
    range[1] = row[0] < row[1] ? row[1] - field->low[0] : 0;
}

/* Where the first voxel of a row of the box lies in the image. */
static size_t in_image(const struct field *field, int64_t y, int64_t z)
{
    const int64_t *n = field->image->grid.n, *low = field->low;

    return (size_t)(((z + low[2]) * n[1] + y + low[1]) * n[0] + low[0]);
}

/* ---- the sweeps ---------------------------------------------------------------------------- */

typedef uint8_t lane_bytes __attribute__((vector_size(NP_LANES)));

static inline np_lane_bits load_bytes(const uint8_t *from)
{
    lane_bytes bytes;

    memcpy(&bytes, from, sizeof(bytes));
    return __builtin_convertvector(bytes, np_lane_bits);
}

static inline np_lanes sum_of(const uint8_t *one, const uint8_t *other)
{
    return __builtin_convertvector(load_bytes(one) + load_bytes(other), np_lanes);
}

/* The sum that six neighbours add to four voxels: `share` is of the other parity. Along x the
 * neighbours of voxel i are i + shift - 1 and i + shift. */
static inline np_lanes neighbours(const struct field *field, const uint8_t *share, int64_t shift)
{
    const int64_t line = field->stride, plane = field->stride * (field->n[1] + 2);

    return field->weight[0] * sum_of(share + shift - 1, share + shift) +
           field->weight[1] * sum_of(share - line, share + line) +
           field->weight[2] * sum_of(share - plane, share + plane);
}

static inline np_lanes larger(np_lanes a, np_lanes b)
{
    return np_lanes_select(a > b, a, b);
}

/* For four voxels, exp(what the neighbours add - the largest of the three). */
static void look_around(const struct field *field, size_t at, int64_t shift,
                        np_lanes raised[NP_N_TISSUES])
{
    for (int k = 0; k < NP_N_TISSUES; k++)
        raised[k] = neighbours(field, field->share[k][!field->parity] + at, shift);
    np_lanes most = larger(larger(raised[0], raised[1]), raised[2]);
    for (int k = 0; k < NP_N_TISSUES; k++)
        raised[k] -= most;
    np_expf_n((const float *)raised, (float *)raised, (size_t)NP_N_TISSUES * NP_LANES);
}

static inline void store_bytes(uint8_t *to, np_lane_bits share)
{
    lane_bytes bytes = __builtin_convertvector(share, lane_bytes);

    memcpy(to, &bytes, sizeof(bytes));
}

/* Rounded to parts of NP_TISSUE_WHOLE, and the rest to white matter. */
static void store(const struct field *field, int parity, size_t at, np_lanes csf_share,
                  np_lanes gm_share, np_lanes whole)
{
    np_lane_bits csf = __builtin_convertvector(csf_share * whole + 0.5F, np_lane_bits);
    np_lane_bits gm = __builtin_convertvector(gm_share * whole + 0.5F, np_lane_bits);
    np_lane_bits rest = __builtin_convertvector(whole, np_lane_bits) - csf;

    gm = (gm & (gm < rest)) | (rest & ~(gm < rest));
    store_bytes(field->share[NP_TISSUE_CSF][parity] + at, csf);
    store_bytes(field->share[NP_TISSUE_GM][parity] + at, gm);
    store_bytes(field->share[NP_TISSUE_WM][parity] + at, rest - gm);
}

/* The shares of their bins times `raised`, to the sum 1. */
static void update_lanes(const struct field *field, int parity, size_t at,
                         const np_lanes raised[NP_N_TISSUES])
{
    const uint16_t *bin = field->bin[parity] + at;
    np_lanes likely[NP_N_TISSUES], whole;

    for (int i = 0; i < NP_LANES; i++) {
        const struct likelihood *row = &field->table[bin[i]];
        for (int k = 0; k < NP_N_TISSUES; k++)
            likely[k][i] = row->of[k];
        whole[i] = row->whole;
    }
    for (int k = 0; k < NP_N_TISSUES; k++)
        likely[k] *= raised[k];
    np_lanes sum = likely[0] + likely[1] + likely[2];
    store(field, parity, at, likely[NP_TISSUE_CSF] / sum, likely[NP_TISSUE_GM] / sum, whole);
}

/* The bins of a plane of the box; those of its padding are OUTSIDE, too. */
static void set_bins(const struct field *field, int64_t z)
{
    int64_t n = (field->n[1] + 2) * field->stride, first = (z + 1) * n;

    for (int p = 0; p < 2; p++)
        for (int64_t i = first; i < first + n; i++)
            field->bin[p][i] = OUTSIDE;
    for (int64_t y = 0; y < field->n[1]; y++) {
        size_t from = in_image(field, y, z), to = row_start(field, y, z);
        const uint8_t *inside = field->mask->voxel + from;
        const float *value = field->image->voxel + from;
        int64_t range[2];
        range_of(field, y, z, range);
        for (int64_t x = range[0]; x < range[1]; x++)
            if (inside[x])
                field->bin[(x + y + z) & 1][to + (size_t)(x >> 1)] = bin_of(field, value[x]);
    }
}

static void start_plane(void *context, int64_t z)
{
    static const np_lanes alone[NP_N_TISSUES] = {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}};
    const struct field *field = context;

    set_bins(field, z);
    for (int64_t y = 0; y < field->n[1]; y++) {
        int64_t range[2];
        range_of(field, y, z, range);
        for (int parity = 0; parity < 2; parity++)
            for (int64_t i = range[0] / 2; i < (range[1] + 1) / 2; i += NP_LANES)
                update_lanes(field, parity, row_start(field, y, z) + (size_t)i, alone);
    }
}

/* Voxels of one parity read those of the other alone, so the order does not matter. */
static void sweep_plane(void *context, int64_t z)
{
    const struct field *field = context;

    for (int64_t y = 0; y < field->n[1]; y++) {
        int64_t range[2], shift = shift_of(y, z, field->parity);
        range_of(field, y, z, range);
        size_t start = row_start(field, y, z);
        for (int64_t i = range[0] / 2; i < (range[1] + 1) / 2; i += NP_LANES) {
            np_lanes raised[NP_N_TISSUES];
            look_around(field, start + (size_t)i, shift, raised);
            update_lanes(field, field->parity, start + (size_t)i, raised);
        }
    }
}

/* ---- the result ---------------------------------------------------------------------------- */

static void spread_plane(void *context, int64_t z)
{
    const struct field *field = context;
    const int64_t *n = field->n;

    for (int64_t y = 0; y < n[1]; y++) {
        size_t from = row_start(field, y, z);
        int64_t range[2];
        range_of(field, y, z, range);
        for (int k = 0; k < NP_N_TISSUES; k++) {
            uint8_t *share = field->tissue->share[k] + (z * n[1] + y) * n[0];
            int64_t sum = 0;
            for (int64_t x = range[0]; x < range[1]; x++) {
                share[x] = field->share[k][(x + y + z) & 1][from + (size_t)(x >> 1)];
                sum += share[x];
            }
            field->sum[z][k] += sum;
        }
    }
}

static void add_volumes(const struct field *field)
{
    for (int k = 0; k < NP_N_TISSUES; k++) {
        int64_t all = 0;
        for (int64_t z = 0; z < field->n[2]; z++)
            all += field->sum[z][k];
        field->tissue->mm3[k] =
            (double)all / NP_TISSUE_WHOLE * np_grid_voxel_mm3(&field->image->grid);
    }
}

static int solve(struct field *field, const struct np_exec *exec, struct np_error *err)
{
    for (int a = 0; a < 3; a++)
        field->weight[a] = NEIGHBOUR / NP_TISSUE_WHOLE / (float)field->image->grid.spacing_mm[a];
    np_exec_run(exec, field->n[2], start_plane, field);
    for (int sweep = 0; sweep < N_SWEEPS; sweep++)
        for (field->parity = 0; field->parity < 2; field->parity++) {
            NP_TRY(np_exec_check(exec, err));
            np_exec_run(exec, field->n[2], sweep_plane, field);
        }
    np_exec_run(exec, field->n[2], spread_plane, field);
    add_volumes(field);
    return np_exec_check(exec, err);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void field_freep(struct field **address)
{
    struct field *field = *address;

    for (int p = 0; p < 2; p++) {
        for (int k = 0; k < NP_N_TISSUES; k++)
            np_voxels_freep(&field->share[k][p]);
        np_voxels_freep(&field->bin[p]);
    }
    np_freep(&field->inside);
    np_freep(&field->n_before);
    np_freep(&field->sum);
    np_freep(address);
}

/* Memory to look at the mask. */
static int new_rows(struct field *field, struct np_error *err)
{
    const int64_t *n = field->image->grid.n;

    field->inside = np_try_calloc((size_t)(n[1] * n[2]), sizeof(*field->inside));
    field->n_before = np_try_calloc((size_t)n[2] + 1, sizeof(*field->n_before));
    return field->inside && field->n_before
               ? 0
               : no_memory(err, (size_t)(n[1] * n[2]) * sizeof(*field->inside));
}

/* Memory for the box. The last four voxels of a row may end behind it. */
static int new_box(struct field *field, struct np_error *err)
{
    int64_t half = (field->n[0] + 1) / 2;

    field->stride = MARGIN + half + NP_LANES + MARGIN;
    size_t n = (size_t)(field->stride * (field->n[1] + 2) * (field->n[2] + 2));
    bool has_all = true;
    for (int p = 0; p < 2; p++) {
        for (int k = 0; k < NP_N_TISSUES; k++)
            has_all = (field->share[k][p] = np_try_voxels(n, 1)) && has_all;
        has_all = (field->bin[p] = np_try_voxels(n, sizeof(uint16_t))) && has_all;
    }
    field->sum = np_try_calloc((size_t)field->n[2], sizeof(*field->sum));
    return has_all && field->sum ? 0 : no_memory(err, 10 * n);
}

static int new_tissue(const struct field *field, struct np_tissue *tissue, struct np_error *err)
{
    size_t n = (size_t)(field->n[0] * field->n[1] * field->n[2]);

    tissue->grid = field->image->grid;
    memcpy(tissue->low, field->low, sizeof(tissue->low));
    memcpy(tissue->n, field->n, sizeof(tissue->n));
    for (int k = 0; k < NP_N_TISSUES; k++) {
        tissue->share[k] = np_try_voxels(n, 1);
        if (!tissue->share[k])
            return no_memory(err, n);
    }
    return 0;
}

/* ---- all of it ----------------------------------------------------------------------------- */

void np_tissue_done(struct np_tissue *tissue)
{
    for (int k = 0; k < NP_N_TISSUES; k++)
        np_voxels_freep(&tissue->share[k]);
}

void np_tissue_freep(struct np_tissue **tissue)
{
    if (*tissue)
        np_tissue_done(*tissue);
    np_freep(tissue);
}

static void describe(const struct np_mixture *mixture, enum np_contrast contrast,
                     struct np_tissue *tissue)
{
    double range = mixture->high - mixture->low;

    for (int k = 0; k < NP_N_CLASSES; k++) {
        tissue->mean[tissue_of(contrast, k)] = mixture->low + range * mixture->mean[k];
        tissue->sd[tissue_of(contrast, k)] = range * mixture->sd[k];
    }
    tissue->n_iterations = mixture->n_iterations;
}

int np_tissue_classify(const struct np_image *image, const struct np_mask *mask,
                       enum np_contrast contrast, const struct np_exec *exec,
                       struct np_tissue *tissue, struct np_error *err)
{
    NP_AUTO(np_tissue_done) struct np_tissue made = {0};
    NP_AUTO(field_freep) struct field *field = np_xcalloc(1, sizeof(*field));
    struct np_mixture mixture;

    if (memcmp(image->grid.n, mask->grid.n, sizeof(image->grid.n)) != 0)
        return np_error_set(err, NP_EGEOMETRY, "tissues: image and mask differ in size");
    field->image = image;
    field->mask = mask;
    field->tissue = &made;
    NP_TRY(new_rows(field, err));
    NP_TRY(fit(field, exec, &mixture, err));
    NP_TRY(set_table(&mixture, contrast, field, err));
    NP_TRY(new_box(field, err));
    NP_TRY(new_tissue(field, &made, err));
    NP_TRY(solve(field, exec, err));
    describe(&mixture, contrast, &made);
    *tissue = made;
    made = (struct np_tissue){0};
    return 0;
}

/* ---- what others see of it ----------------------------------------------------------------- */

struct drawing {
    const struct np_tissue *tissue;
    enum np_tissue_class which;
    uint8_t *label; /* or */
    float *share;
};

/* The row of the box that lies on row y, z of the grid; -1 where none does. */
static int64_t row_of_box(const struct np_tissue *tissue, int64_t y, int64_t z)
{
    const int64_t *low = tissue->low, *n = tissue->n;
    bool is_inside = y >= low[1] && y < low[1] + n[1] && z >= low[2] && z < low[2] + n[2];

    return is_inside ? ((z - low[2]) * n[1] + y - low[1]) * n[0] : -1;
}

static void label_row(const struct np_tissue *tissue, size_t row, uint8_t *restrict label)
{
    enum { GM = 1, WM, CSF };
    const uint8_t *restrict csf = tissue->share[NP_TISSUE_CSF] + row;
    const uint8_t *restrict gm = tissue->share[NP_TISSUE_GM] + row;
    const uint8_t *restrict wm = tissue->share[NP_TISSUE_WM] + row;

    for (int64_t x = 0; x < tissue->n[0]; x++) {
        int best = gm[x] >= csf[x] && gm[x] >= wm[x] ? GM : wm[x] >= csf[x] ? WM : CSF;
        label[x] = (csf[x] | gm[x] | wm[x]) == 0 ? 0 : (uint8_t)best;
    }
}

static void draw_labels(void *context, int64_t z)
{
    const struct drawing *d = context;
    const int64_t *n = d->tissue->grid.n;

    memset(d->label + z * n[0] * n[1], 0, (size_t)(n[0] * n[1]));
    for (int64_t y = 0; y < n[1]; y++) {
        int64_t row = row_of_box(d->tissue, y, z);
        if (row >= 0)
            label_row(d->tissue, (size_t)row, d->label + (z * n[1] + y) * n[0] + d->tissue->low[0]);
    }
}

void np_tissue_labels(const struct np_tissue *tissue, const struct np_exec *exec, uint8_t *label)
{
    struct drawing drawing = {.tissue = tissue, .label = label};

    np_exec_run(exec, tissue->grid.n[2], draw_labels, &drawing);
}

static void draw_shares(void *context, int64_t z)
{
    const struct drawing *d = context;
    const int64_t *n = d->tissue->grid.n;

    memset(d->share + z * n[0] * n[1], 0, (size_t)(n[0] * n[1]) * sizeof(float));
    for (int64_t y = 0; y < n[1]; y++) {
        int64_t row = row_of_box(d->tissue, y, z);
        float *to = d->share + (z * n[1] + y) * n[0] + d->tissue->low[0];
        for (int64_t x = 0; row >= 0 && x < d->tissue->n[0]; x++)
            to[x] = (float)d->tissue->share[d->which][row + x] / NP_TISSUE_WHOLE;
    }
}

void np_tissue_shares(const struct np_tissue *tissue, enum np_tissue_class which,
                      const struct np_exec *exec, float *share)
{
    struct drawing drawing = {.tissue = tissue, .which = which, .share = share};

    np_exec_run(exec, tissue->grid.n[2], draw_shares, &drawing);
}
