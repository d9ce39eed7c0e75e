/* Components: a run is a stretch of a row's set bits. Runs that touch are united in a forest whose
 * roots are their first runs (Galler & Fischer 1964, doi:10.1145/364099.364331). */
#include "ops/quality_bits.h"

#include <string.h>

#include "base/alloc.h"

int np_bits_make(const struct np_grid *grid, struct np_bits *bits, struct np_error *err)
{
    for (int a = 0; a < 3; a++)
        bits->n[a] = grid->n[a] + 2 * NP_BITS_LAYER;
    bits->stride = (bits->n[0] + NP_BITS_WORD - 1) / NP_BITS_WORD;
    bits->word = np_try_voxels(
        (size_t)(1 + (bits->stride + 1) * (bits->n[1] + 2) * (bits->n[2] + 2)), sizeof(uint64_t));
    return bits->word ? 0
                      : np_error_set(err, NP_ENOMEM, "image quality: no memory for its regions");
}

void np_bits_done(struct np_bits *bits)
{
    np_voxels_free(bits->word);
    bits->word = NULL;
}

int64_t np_bits_next(const uint64_t *row, int64_t x, int64_t end)
{
    while (x < end) {
        uint64_t left = row[x / NP_BITS_WORD] >> (x % NP_BITS_WORD);
        if (left) {
            x += __builtin_ctzll(left);
            return x < end ? x : end;
        }
        x = (x / NP_BITS_WORD + 1) * NP_BITS_WORD;
    }
    return end;
}

/* The first bit from `x` on that is not set, or `end`. */
static int64_t next_unset(const uint64_t *row, int64_t x, int64_t end)
{
    while (x < end) {
        uint64_t left = ~row[x / NP_BITS_WORD] >> (x % NP_BITS_WORD);
        if (left) {
            x += __builtin_ctzll(left);
            return x < end ? x : end;
        }
        x = (x / NP_BITS_WORD + 1) * NP_BITS_WORD;
    }
    return end;
}

/* ---- openings ------------------------------------------------------------------------------ */

struct morph {
    const struct np_bits *from, *to;
    enum np_bits_shape shape;
};

static uint64_t left_of(const uint64_t *row, int64_t i)
{
    return row[i] << 1 | row[i - 1] >> (NP_BITS_WORD - 1);
}

static uint64_t right_of(const uint64_t *row, int64_t i)
{
    return row[i] >> 1 | row[i + 1] << (NP_BITS_WORD - 1);
}

static uint64_t all_three(const uint64_t *row, int64_t i)
{
    return row[i] & left_of(row, i) & right_of(row, i);
}

static uint64_t any_of_three(const uint64_t *row, int64_t i)
{
    return row[i] | left_of(row, i) | right_of(row, i);
}

/* A row, and those that touch it. */
struct rows {
    const uint64_t *here, *front, *back, *above, *below, *edge[4];
};

static struct rows rows_around(const struct np_bits *bits, int64_t y, int64_t z)
{
    return (struct rows){
        .here = np_bits_row(bits, y, z),
        .front = np_bits_row(bits, y + 1, z),
        .back = np_bits_row(bits, y - 1, z),
        .above = np_bits_row(bits, y, z + 1),
        .below = np_bits_row(bits, y, z - 1),
        .edge = {np_bits_row(bits, y + 1, z + 1), np_bits_row(bits, y + 1, z - 1),
                 np_bits_row(bits, y - 1, z + 1), np_bits_row(bits, y - 1, z - 1)},
    };
}

static void erode_plane(void *context, int64_t z)
{
    const struct morph *m = context;

    for (int64_t y = 0; y < m->from->n[1]; y++) {
        const struct rows r = rows_around(m->from, y, z);
        uint64_t *to = np_bits_row(m->to, y, z);
        for (int64_t i = 0; i < m->from->stride; i++) {
            uint64_t all = r.here[i] & r.front[i] & r.back[i] & r.above[i] & r.below[i];
            if (all)
                all &= all_three(r.here, i);
            if (all && m->shape == NP_BITS_18)
                all &= all_three(r.front, i) & all_three(r.back, i) & all_three(r.above, i) &
                       all_three(r.below, i) & r.edge[0][i] & r.edge[1][i] & r.edge[2][i] &
                       r.edge[3][i];
            to[i] = all;
        }
    }
}

/* Bits beyond the end of the row are cut off. */
static void dilate_plane(void *context, int64_t z)
{
    const struct morph *m = context;
    int64_t used = m->from->n[0] % NP_BITS_WORD;
    uint64_t last = used ? ((uint64_t)1 << used) - 1 : ~(uint64_t)0;

    for (int64_t y = 0; y < m->from->n[1]; y++) {
        const struct rows r = rows_around(m->from, y, z);
        uint64_t *to = np_bits_row(m->to, y, z);
        for (int64_t i = 0; i < m->from->stride; i++)
            to[i] = any_of_three(r.here, i) |
                    (m->shape == NP_BITS_6
                         ? r.front[i] | r.back[i] | r.above[i] | r.below[i]
                         : any_of_three(r.front, i) | any_of_three(r.back, i) |
                               any_of_three(r.above, i) | any_of_three(r.below, i) | r.edge[0][i] |
                               r.edge[1][i] | r.edge[2][i] | r.edge[3][i]);
        to[m->from->stride - 1] &= last;
    }
}

static bool is_empty(const struct np_bits *bits)
{
    for (int64_t z = 0; z < bits->n[2]; z++)
        for (int64_t y = 0; y < bits->n[1]; y++)
            if (np_bits_next(np_bits_row(bits, y, z), 0, bits->n[0]) < bits->n[0])
                return false;
    return true;
}

bool np_bits_erode(const struct np_bits *bits, enum np_bits_shape shape, const struct np_exec *exec,
                   const struct np_bits *eroded)
{
    struct morph erosion = {bits, eroded, shape};

    np_exec_run(exec, bits->n[2], erode_plane, &erosion);
    return !is_empty(eroded);
}

bool np_bits_open(const struct np_bits *bits, enum np_bits_shape shape, const struct np_exec *exec,
                  const struct np_bits *spare)
{
    struct morph dilation = {spare, bits, shape};
    bool is_some = np_bits_erode(bits, shape, exec, spare);

    np_exec_run(exec, bits->n[2], dilate_plane, &dilation);
    return is_some;
}

/* ---- components ---------------------------------------------------------------------------- */

struct run {
    int32_t from, end; /* of the row */
    int64_t parent;    /* a run before it, or itself */
    int64_t size;      /* voxels; of a root, of all of its component */
};

struct runs {
    struct run *run;
    int64_t *first; /* of each row, and where the last one ends */
};

static void runs_done(struct runs *runs)
{
    np_freep(&runs->run);
    np_freep(&runs->first);
}

static int64_t count_runs(const struct np_bits *bits)
{
    int64_t n = 0;

    for (int64_t z = 0; z < bits->n[2]; z++)
        for (int64_t y = 0; y < bits->n[1]; y++) {
            const uint64_t *row = np_bits_row(bits, y, z);
            for (int64_t i = 0; i < bits->stride; i++)
                n += __builtin_popcountll(row[i] & ~left_of(row, i));
        }
    return n;
}

static int64_t root_of(struct run *run, int64_t i)
{
    while (run[i].parent != i) {
        run[i].parent = run[run[i].parent].parent;
        i = run[i].parent;
    }
    return i;
}

static void unite(struct run *run, int64_t a, int64_t b)
{
    int64_t root_a = root_of(run, a), root_b = root_of(run, b);
    int64_t root = root_a < root_b ? root_a : root_b, child = root_a < root_b ? root_b : root_a;

    if (root == child)
        return;
    run[child].parent = root;
    run[root].size += run[child].size;
}

/* The runs of two rows that are neighbours. */
static void unite_rows(const struct runs *runs, int64_t row, int64_t other)
{
    struct run *run = runs->run;
    int64_t a = runs->first[row], b = runs->first[other];

    while (a < runs->first[row + 1] && b < runs->first[other + 1]) {
        if (run[a].from < run[b].end && run[b].from < run[a].end)
            unite(run, a, b);
        if (run[a].end < run[b].end)
            a++;
        else
            b++;
    }
}

static int find_runs(const struct np_bits *bits, struct runs *runs, struct np_error *err)
{
    int64_t n = 0, n_y = bits->n[1];

    runs->run = np_try_malloc((size_t)count_runs(bits) + 1, sizeof(*runs->run));
    runs->first = np_try_malloc((size_t)(n_y * bits->n[2]) + 1, sizeof(*runs->first));
    if (!runs->run || !runs->first)
        return np_error_set(err, NP_ENOMEM, "image quality: no memory for its regions");
    for (int64_t z = 0; z < bits->n[2]; z++)
        for (int64_t y = 0; y < n_y; y++) {
            const uint64_t *row = np_bits_row(bits, y, z);
            runs->first[z * n_y + y] = n;
            for (int64_t x = np_bits_next(row, 0, bits->n[0]); x < bits->n[0]; n++) {
                int64_t end = next_unset(row, x, bits->n[0]);
                runs->run[n] = (struct run){(int32_t)x, (int32_t)end, n, end - x};
                x = np_bits_next(row, end, bits->n[0]);
            }
            runs->first[z * n_y + y + 1] = n;
            if (y > 0)
                unite_rows(runs, z * n_y + y, z * n_y + y - 1);
            if (z > 0)
                unite_rows(runs, z * n_y + y, (z - 1) * n_y + y);
        }
    return 0;
}

/* Set the size of the largest component's root to -1. */
static void choose_largest(const struct runs *runs, int64_t n)
{
    int64_t largest = -1;

    for (int64_t i = 0; i < n; i++)
        if (runs->run[i].parent == i && runs->run[i].size > 0 &&
            (largest < 0 || runs->run[i].size > runs->run[largest].size))
            largest = i;
    if (largest >= 0)
        runs->run[largest].size = -1;
}

int np_bits_keep_largest(struct np_bits *bits, int n_kept, struct np_error *err)
{
    NP_AUTO(runs_done) struct runs runs = {0};

    NP_TRY(find_runs(bits, &runs, err));
    for (int i = 0; i < n_kept; i++)
        choose_largest(&runs, runs.first[bits->n[1] * bits->n[2]]);
    for (int64_t z = 0; z < bits->n[2]; z++)
        for (int64_t y = 0; y < bits->n[1]; y++) {
            uint64_t *row = np_bits_row(bits, y, z);
            int64_t number = z * bits->n[1] + y;
            for (int64_t i = runs.first[number]; i < runs.first[number + 1]; i++)
                for (int64_t x = runs.run[i].from;
                     runs.run[root_of(runs.run, i)].size >= 0 && x < runs.run[i].end; x++)
                    row[x / NP_BITS_WORD] &= ~((uint64_t)1 << (x % NP_BITS_WORD));
        }
    return 0;
}

int64_t np_bits_count(const struct np_bits *bits)
{
    int64_t n = 0, end = bits->n[0] - NP_BITS_LAYER;

    for (int64_t z = NP_BITS_LAYER; z < bits->n[2] - NP_BITS_LAYER; z++)
        for (int64_t y = NP_BITS_LAYER; y < bits->n[1] - NP_BITS_LAYER; y++) {
            const uint64_t *row = np_bits_row(bits, y, z);
            for (int64_t i = 0; i < bits->stride; i++)
                n += __builtin_popcountll(row[i]);
            n -= (int64_t)(row[0] & 1) +
                 (int64_t)(row[end / NP_BITS_WORD] >> (end % NP_BITS_WORD) & 1);
        }
    return n;
}
