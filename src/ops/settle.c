/*
 * A label is one of N_LABELS positions d along a vertex's normal; the first is INWARDS. With the
 * samples I(s) at these positions, T the tissue under the vertex (mean of 2 … 6 mm inside, smoothed
 * over the mesh) and L = dark + share (T - dark):
 *   g(s) = clamp((I(s) - L) / (softness (T - dark)), -1, 1)
 *   cost(d) = move_cost d² - sum of g(s) ds over s < d
 *   stiffness min(|d - d'|, most_step) for each pair of neighbours.
 * Min-sum messages along all edges are computed at once, N_ROUNDS times. Because the pair cost is
 * truncated linear, a message needs two passes over the labels. The chosen positions, averaged over
 * neighbours, are where the vertices move.
 */
#include "ops/settle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PER_MM = 4, INWARDS = 3 * PER_MM, OUTWARDS = PER_MM / 2, N_LABELS = INWARDS + 1 + OUTWARDS };
enum { TISSUE_FROM_MM = 2, TISSUE_TO_MM = 6, TISSUE_ROUNDS = 4, STEP_ROUNDS = 2 };
enum { N_ROUNDS = 12, VERTICES_PER_TASK = 161, RING = NP_MESH_MAX_NEIGHBOURS };

struct settling {
    struct np_mesh *mesh;
    const struct np_image *image;
    const struct np_settle_options *options;
    double (*normal)[3];
    double *tissue, *averaged; /* one value for each vertex, and its average over neighbours */
    float (*cost)[N_LABELS];   /* [vertex] */
    int (*reverse)[RING];      /* v is the reverse[v][k]-th neighbour of its neighbour k */
    float (*message)[N_LABELS], (*next)[N_LABELS]; /* [vertex * RING + k]: from neighbour k to v */
};

static void settling_done(struct settling *s)
{
    free(s->normal);
    free(s->tissue);
    free(s->averaged);
    free(s->cost);
    free(s->reverse);
    free(s->message);
    free(s->next);
}

static int for_vertices(struct settling *s, const struct np_exec *exec, np_task_fn *fn,
                        struct np_error *err)
{
    np_exec_run(exec, (s->mesh->n_vertices + VERTICES_PER_TASK - 1) / VERTICES_PER_TASK, fn, s);
    return np_exec_check(exec, err);
}

static int last_of(const struct settling *s, int64_t task)
{
    int64_t end = (task + 1) * VERTICES_PER_TASK;

    return (int)(end < s->mesh->n_vertices ? end : s->mesh->n_vertices);
}

/* Linear interpolation between voxel centres; `dark` outside the image. */
static double sample(const struct settling *s, const double at_mm[3])
{
    const struct np_grid *grid = &s->image->grid;
    int64_t i[3];
    double f[3], sum = 0;

    for (int a = 0; a < 3; a++) {
        double x = at_mm[a] / grid->spacing_mm[a] - 0.5;
        if (!(x >= 0 && x < (double)(grid->n[a] - 1)))
            return s->options->dark;
        i[a] = (int64_t)x;
        f[a] = x - (double)i[a];
    }
    const float *corner = s->image->voxel + (i[2] * grid->n[1] + i[1]) * grid->n[0] + i[0];
    for (int c = 0; c < 8; c++) {
        int x = c & 1, y = c >> 1 & 1, z = c >> 2;
        double w = (x ? f[0] : 1 - f[0]) * (y ? f[1] : 1 - f[1]) * (z ? f[2] : 1 - f[2]);
        sum += w * (double)corner[(z * grid->n[1] + y) * grid->n[0] + x];
    }
    return sum;
}

static double sample_along(const struct settling *s, int v, double mm)
{
    double at_mm[3];

    for (int a = 0; a < 3; a++)
        at_mm[a] = s->mesh->position_mm[v][a] + mm * s->normal[v][a];
    return sample(s, at_mm);
}

static void measure_tissue(void *context, int64_t task)
{
    struct settling *s = context;

    for (int v = (int)task * VERTICES_PER_TASK; v < last_of(s, task); v++) {
        double sum = 0;
        np_mesh_normal(s->mesh, v, s->normal[v]);
        for (int mm = TISSUE_FROM_MM; mm <= TISSUE_TO_MM; mm++)
            sum += sample_along(s, v, -mm);
        s->tissue[v] = sum / (TISSUE_TO_MM - TISSUE_FROM_MM + 1);
    }
}

/* Average each vertex's value with those of its neighbours. */
static void average(void *context, int64_t task)
{
    struct settling *s = context;

    for (int v = (int)task * VERTICES_PER_TASK; v < last_of(s, task); v++) {
        double sum = s->tissue[v];
        for (int k = 0; k < s->mesh->n_neighbours[v]; k++)
            sum += s->tissue[s->mesh->neighbour[v][k]];
        s->averaged[v] = sum / (s->mesh->n_neighbours[v] + 1);
    }
}

static int smooth(struct settling *s, int n_rounds, const struct np_exec *exec,
                  struct np_error *err)
{
    for (int i = 0; i < n_rounds; i++) {
        NP_TRY(for_vertices(s, exec, average, err));
        double *smoothed = s->averaged;
        s->averaged = s->tissue;
        s->tissue = smoothed;
    }
    return 0;
}

static double place_mm(int label)
{
    return (double)(label - INWARDS) / PER_MM;
}

static void add_gains(void *context, int64_t task)
{
    struct settling *s = context;
    const struct np_settle_options *o = s->options;

    for (int v = (int)task * VERTICES_PER_TASK; v < last_of(s, task); v++) {
        double range = s->tissue[v] - o->dark, border = o->dark + o->share * range, gain = 0;
        for (int k = 0; k < N_LABELS; k++) {
            s->cost[v][k] = (float)(o->move_cost * place_mm(k) * place_mm(k) - gain);
            /* The sample half-way between this position and the next. */
            double value = sample_along(s, v, place_mm(k) + 0.5 / PER_MM);
            double g = range > 0 ? (value - border) / (o->softness * range) : -1;
            g = value > o->too_bright ? -1 : fmin(fmax(g, -1), 1);
            gain += g / PER_MM;
        }
    }
}

static void find_reverse(void *context, int64_t task)
{
    struct settling *s = context;

    for (int v = (int)task * VERTICES_PER_TASK; v < last_of(s, task); v++)
        for (int k = 0; k < s->mesh->n_neighbours[v]; k++) {
            int u = s->mesh->neighbour[v][k], b = 0;
            while (b < s->mesh->n_neighbours[u] - 1 && s->mesh->neighbour[u][b] != v)
                b++;
            s->reverse[v][k] = b;
        }
}

/* The cost of v's labels plus the messages from all its neighbours. */
static void belief(const struct settling *s, int v, float sum[N_LABELS])
{
    memcpy(sum, s->cost[v], sizeof(s->cost[v]));
    for (int k = 0; k < s->mesh->n_neighbours[v]; k++)
        for (int l = 0; l < N_LABELS; l++)
            sum[l] += s->message[v * RING + k][l];
}

/* min over l' of value[l'] + per_label min(|l - l'|, limit), minus the smallest value. */
static void apply_pair_cost(float value[N_LABELS], float per_label, float most)
{
    float least = value[0];

    for (int l = 1; l < N_LABELS; l++)
        least = value[l] < least ? value[l] : least;
    for (int l = 1; l < N_LABELS; l++)
        value[l] = value[l - 1] + per_label < value[l] ? value[l - 1] + per_label : value[l];
    for (int l = N_LABELS - 2; l >= 0; l--)
        value[l] = value[l + 1] + per_label < value[l] ? value[l + 1] + per_label : value[l];
    for (int l = 0; l < N_LABELS; l++)
        value[l] = (value[l] < least + most ? value[l] : least + most) - least;
}

/* Compute the message of every vertex to each neighbour, from its own cost and its averaged
 * neighbours. */
static void send_messages(void *context, int64_t task)
{
    struct settling *s = context;
    float per_label = (float)(s->options->stiffness / PER_MM);
    float most = (float)(s->options->stiffness * s->options->most_step_mm);
    float sum[N_LABELS];

    for (int v = (int)task * VERTICES_PER_TASK; v < last_of(s, task); v++) {
        belief(s, v, sum);
        for (int k = 0; k < s->mesh->n_neighbours[v]; k++) {
            int u = s->mesh->neighbour[v][k];
            float *to = s->next[u * RING + s->reverse[v][k]];
            const float *from = s->message[v * RING + k];
            for (int l = 0; l < N_LABELS; l++)
                to[l] = sum[l] - from[l];
            apply_pair_cost(to, per_label, most);
        }
    }
}

static void choose(void *context, int64_t task)
{
    struct settling *s = context;
    float sum[N_LABELS];

    for (int v = (int)task * VERTICES_PER_TASK; v < last_of(s, task); v++) {
        int best = INWARDS;
        belief(s, v, sum);
        for (int l = 0; l < N_LABELS; l++)
            best = sum[l] < sum[best] ? l : best;
        s->tissue[v] = place_mm(best);
    }
}

static int allocate(struct settling *s, struct np_error *err)
{
    size_t n = (size_t)s->mesh->n_vertices;

    s->normal = np_try_malloc(n, sizeof(*s->normal));
    s->tissue = np_try_malloc(n, sizeof(*s->tissue));
    s->averaged = np_try_malloc(n, sizeof(*s->averaged));
    s->cost = np_try_malloc(n, sizeof(*s->cost));
    s->reverse = np_try_malloc(n, sizeof(*s->reverse));
    s->message = np_try_calloc(n * RING, sizeof(*s->message));
    s->next = np_try_calloc(n * RING, sizeof(*s->next));
    if (!s->normal || !s->tissue || !s->averaged || !s->cost || !s->reverse || !s->message ||
        !s->next)
        return np_error_set(err, NP_ENOMEM, "surface: no memory for %zu MiB of messages",
                            (2 * RING + 1) * n * sizeof(*s->cost) >> 20);
    return 0;
}

int np_surface_settle(struct np_mesh *mesh, const struct np_image *image,
                      const struct np_settle_options *options, const struct np_exec *exec,
                      struct np_error *err)
{
    NP_AUTO(settling_done)
    struct settling s = {.mesh = mesh, .image = image, .options = options};

    NP_TRY(allocate(&s, err));
    NP_TRY(for_vertices(&s, exec, measure_tissue, err));
    NP_TRY(smooth(&s, TISSUE_ROUNDS, exec, err));
    NP_TRY(for_vertices(&s, exec, add_gains, err));
    NP_TRY(for_vertices(&s, exec, find_reverse, err));
    for (int i = 0; i < N_ROUNDS; i++) {
        NP_TRY(for_vertices(&s, exec, send_messages, err));
        float(*sent)[N_LABELS] = s.next;
        s.next = s.message;
        s.message = sent;
    }
    NP_TRY(for_vertices(&s, exec, choose, err));
    NP_TRY(smooth(&s, STEP_ROUNDS, exec, err));
    for (int v = 0; v < mesh->n_vertices; v++)
        for (int a = 0; a < 3; a++)
            mesh->position_mm[v][a] += s.tissue[v] * s.normal[v][a];
    return 0;
}
