/*
 * Voxelisation: rows of voxels are rays along x. A triangle is projected to the (y, z) plane in
 * integers of 2^-16 voxel. A ray crosses it when all three edge functions have the same sign. A
 * zero is decided by the edge's direction, so that exactly one of the two triangles at an edge (and
 * one of all triangles at a vertex) owns the ray. At the crossing the winding number of the rest of
 * the row changes by one. The mask's bytes first hold these changes (modulo 256), then their
 * running sum.
 */
#include "ops/mesh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- construction
 * ------------------------------------------------------------------------------ */

static struct np_mesh *mesh_new(int n_vertices, int n_faces)
{
    struct np_mesh *mesh = np_xcalloc(1, sizeof(*mesh));
    size_t nv = (size_t)n_vertices, nf = (size_t)n_faces;

    mesh->n_vertices = n_vertices;
    mesh->n_faces = n_faces;
    mesh->position_mm = np_xcalloc(nv, sizeof(*mesh->position_mm));
    mesh->face = np_xcalloc(nf, sizeof(*mesh->face));
    mesh->neighbour = np_xcalloc(nv, sizeof(*mesh->neighbour));
    mesh->n_neighbours = np_xcalloc(nv, sizeof(*mesh->n_neighbours));
    return mesh;
}

void np_mesh_freep(struct np_mesh **mesh)
{
    if (*mesh) {
        free((*mesh)->position_mm);
        free((*mesh)->face);
        free((*mesh)->neighbour);
        free((*mesh)->n_neighbours);
    }
    np_freep(mesh);
}

/* Find the vertex that follows `b` around `v`, counter-clockwise: in the face (v, b, c) it is c. */
static void find_neighbours(struct np_mesh *mesh)
{
    /* follower[v][k]: for each face at v, the pair (b, c). */
    size_t nv = (size_t)mesh->n_vertices;
    int(*pair)[NP_MESH_MAX_NEIGHBOURS][2] = np_xcalloc(nv, sizeof(*pair));

    memset(mesh->n_neighbours, 0, nv * sizeof(*mesh->n_neighbours));
    for (int f = 0; f < mesh->n_faces; f++)
        for (int k = 0; k < 3; k++) {
            int v = mesh->face[f][k], n = mesh->n_neighbours[v]++;
            pair[v][n][0] = mesh->face[f][(k + 1) % 3];
            pair[v][n][1] = mesh->face[f][(k + 2) % 3];
        }
    for (int v = 0; v < mesh->n_vertices; v++) {
        int n = mesh->n_neighbours[v], at = pair[v][0][0];
        for (int k = 0; k < n; k++) {
            mesh->neighbour[v][k] = at;
            for (int p = 0; p < n; p++)
                if (pair[v][p][0] == at) {
                    at = pair[v][p][1];
                    break;
                }
        }
    }
    free(pair);
}

static struct np_mesh *icosahedron(void)
{
    static const double G = 1.6180339887498949; /* golden ratio */
    static const int face[20][3] = {{0, 11, 5}, {0, 5, 1},  {0, 1, 7},   {0, 7, 10}, {0, 10, 11},
                                    {1, 5, 9},  {5, 11, 4}, {11, 10, 2}, {10, 7, 6}, {7, 1, 8},
                                    {3, 9, 4},  {3, 4, 2},  {3, 2, 6},   {3, 6, 8},  {3, 8, 9},
                                    {4, 9, 5},  {2, 4, 11}, {6, 2, 10},  {8, 6, 7},  {9, 8, 1}};
    const double vertex[12][3] = {{-1, G, 0}, {1, G, 0}, {-1, -G, 0}, {1, -G, 0},
                                  {0, -1, G}, {0, 1, G}, {0, -1, -G}, {0, 1, -G},
                                  {G, 0, -1}, {G, 0, 1}, {-G, 0, -1}, {-G, 0, 1}};
    struct np_mesh *mesh = mesh_new(12, 20);

    memcpy(mesh->position_mm, vertex, sizeof(vertex));
    memcpy(mesh->face, face, sizeof(face));
    find_neighbours(mesh);
    return mesh;
}

/* The vertex in the middle of the edge from v to its neighbour k; made at the first request. */
static int middle(const struct np_mesh *mesh, int a, int b, int (*made)[NP_MESH_MAX_NEIGHBOURS],
                  struct np_mesh *fine, int *n_made)
{
    int low = a < b ? a : b, high = a < b ? b : a, k = 0;

    while (mesh->neighbour[low][k] != high)
        k++;
    if (made[low][k] == 0) {
        made[low][k] = (*n_made)++;
        for (int i = 0; i < 3; i++)
            fine->position_mm[made[low][k]][i] =
                0.5 * (mesh->position_mm[low][i] + mesh->position_mm[high][i]);
    }
    return made[low][k];
}

struct np_mesh *np_mesh_split(const struct np_mesh *mesh)
{
    int n_edges = mesh->n_faces / 2 * 3, n_made = mesh->n_vertices;
    struct np_mesh *fine = mesh_new(mesh->n_vertices + n_edges, mesh->n_faces * 4);
    int(*made)[NP_MESH_MAX_NEIGHBOURS] = np_xcalloc((size_t)mesh->n_vertices, sizeof(*made));

    memcpy(fine->position_mm, mesh->position_mm,
           (size_t)mesh->n_vertices * sizeof(*mesh->position_mm));
    for (int f = 0; f < mesh->n_faces; f++) {
        const int *v = mesh->face[f];
        int m[3];
        for (int k = 0; k < 3; k++)
            m[k] = middle(mesh, v[k], v[(k + 1) % 3], made, fine, &n_made);
        const int parts[4][3] = {
            {v[0], m[0], m[2]}, {v[1], m[1], m[0]}, {v[2], m[2], m[1]}, {m[0], m[1], m[2]}};
        memcpy(fine->face[4 * f], parts, sizeof(parts));
    }
    free(made);
    find_neighbours(fine);
    return fine;
}

struct np_mesh *np_mesh_new_sphere(int level, const double centre_mm[3], double radius_mm)
{
    struct np_mesh *mesh = icosahedron();

    for (int l = 0; l < level; l++) {
        struct np_mesh *fine = np_mesh_split(mesh);
        np_mesh_freep(&mesh);
        mesh = fine;
    }
    for (int v = 0; v < mesh->n_vertices; v++) {
        double *p = mesh->position_mm[v], length = sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
        for (int i = 0; i < 3; i++)
            p[i] = centre_mm[i] + radius_mm * p[i] / length;
    }
    return mesh;
}

/* ---- measuring and moving ------------------------------------------------------------------ */

void np_mesh_normal_and_mean(const struct np_mesh *mesh, int v, double normal[3], double mean_mm[3])
{
    /* For a closed ring the sum of p_k × p_k+1 is twice its area vector, for any v. The
     * positions are still taken relative to v: smaller numbers, less rounding. */
    const double *o = mesh->position_mm[v];
    const int *ring = mesh->neighbour[v];
    int n = mesh->n_neighbours[v];
    const double *last = mesh->position_mm[ring[n - 1]];
    double ax = last[0] - o[0], ay = last[1] - o[1], az = last[2] - o[2];
    double area_x = 0, area_y = 0, area_z = 0, sum_x = 0, sum_y = 0, sum_z = 0;

    for (int k = 0; k < n; k++) {
        const double *q = mesh->position_mm[ring[k]];
        double bx = q[0] - o[0], by = q[1] - o[1], bz = q[2] - o[2];
        area_x += ay * bz - az * by;
        area_y += az * bx - ax * bz;
        area_z += ax * by - ay * bx;
        sum_x += q[0];
        sum_y += q[1];
        sum_z += q[2];
        ax = bx;
        ay = by;
        az = bz;
    }
    double length = sqrt(area_x * area_x + area_y * area_y + area_z * area_z);
    normal[0] = length > 0 ? area_x / length : 0;
    normal[1] = length > 0 ? area_y / length : 0;
    normal[2] = length > 0 ? area_z / length : 0;
    mean_mm[0] = sum_x / n;
    mean_mm[1] = sum_y / n;
    mean_mm[2] = sum_z / n;
}

void np_mesh_normal(const struct np_mesh *mesh, int v, double normal[3])
{
    double ignored[3];

    np_mesh_normal_and_mean(mesh, v, normal, ignored);
}

double np_mesh_mean_edge_mm(const struct np_mesh *mesh)
{
    double sum = 0;

    for (int f = 0; f < mesh->n_faces; f++)
        for (int k = 0; k < 3; k++) {
            const double *a = mesh->position_mm[mesh->face[f][k]];
            const double *b = mesh->position_mm[mesh->face[f][(k + 1) % 3]];
            double d[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]};
            sum += sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
        }
    return sum / (3.0 * mesh->n_faces);
}

double np_mesh_volume_mm3(const struct np_mesh *mesh)
{
    const double *o = mesh->position_mm[0];
    double sum = 0;

    for (int f = 0; f < mesh->n_faces; f++) {
        double e[3][3];
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < 3; i++)
                e[k][i] = mesh->position_mm[mesh->face[f][k]][i] - o[i];
        sum += e[0][0] * (e[1][1] * e[2][2] - e[1][2] * e[2][1]) +
               e[0][1] * (e[1][2] * e[2][0] - e[1][0] * e[2][2]) +
               e[0][2] * (e[1][0] * e[2][1] - e[1][1] * e[2][0]);
    }
    return sum / 6;
}

void np_mesh_centre(const struct np_mesh *mesh, double centre_mm[3])
{
    double sum[3] = {0};

    for (int v = 0; v < mesh->n_vertices; v++)
        for (int i = 0; i < 3; i++)
            sum[i] += mesh->position_mm[v][i];
    for (int i = 0; i < 3; i++)
        centre_mm[i] = sum[i] / mesh->n_vertices;
}

enum { VERTICES_PER_TASK = 161 };

struct smoothing {
    const struct np_mesh *mesh;
    double weight;
    double (*next)[3];
};

static void smooth_some(void *context, int64_t task)
{
    const struct smoothing *job = context;
    const struct np_mesh *mesh = job->mesh;
    int from = (int)task * VERTICES_PER_TASK, end = from + VERTICES_PER_TASK;

    for (int v = from; v < end && v < mesh->n_vertices; v++) {
        int n = mesh->n_neighbours[v];
        const double *p = mesh->position_mm[v];
        double sum[3] = {0};
        for (int k = 0; k < n; k++)
            for (int i = 0; i < 3; i++)
                sum[i] += mesh->position_mm[mesh->neighbour[v][k]][i];
        for (int i = 0; i < 3; i++)
            job->next[v][i] = p[i] + job->weight * (sum[i] / n - p[i]);
    }
}

void np_mesh_smooth_taubin(struct np_mesh *mesh, int n_rounds, const struct np_exec *exec)
{
    static const double SHRINK = 0.5, GROW = -0.53;
    int64_t n_tasks = (mesh->n_vertices + VERTICES_PER_TASK - 1) / VERTICES_PER_TASK;
    NP_AUTO(np_freep) double(*next)[3] = np_xcalloc((size_t)mesh->n_vertices, sizeof(*next));

    for (int step = 0; step < 2 * n_rounds; step++) {
        struct smoothing job = {mesh, step % 2 == 0 ? SHRINK : GROW, next};
        np_exec_run(exec, n_tasks, smooth_some, &job);
        next = mesh->position_mm;
        mesh->position_mm = job.next;
    }
}

/* ---- voxelising ---------------------------------------------------------------------------- */

enum { SUBVOXEL = 1 << 16, FARTHEST_VOXEL = 8191 };

struct voxelise_job {
    const struct np_mesh *mesh;
    struct np_mask *mask;
    const struct np_exec *exec;
    int64_t (*yz)[2]; /* per vertex, in 1/SUBVOXEL voxel */
    double *x_voxel;  /* per vertex */
};

/* Smallest integer not below a / SUBVOXEL, and largest not above. */
static int64_t first_row(int64_t a)
{
    return (a + SUBVOXEL - 1) >> 16;
}

static int64_t last_row(int64_t a)
{
    return a >> 16;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Twice the signed area of (a, b, p): positive when p lies to the left of the edge a -> b. */
static int64_t edge_side(const int64_t a[2], const int64_t b[2], int64_t py, int64_t pz)
{
    return (b[0] - a[0]) * (pz - a[1]) - (b[1] - a[1]) * (py - a[0]);
}

/* Of the two directions of an edge exactly one owns the points on the edge. */
static bool owns_edge(const int64_t a[2], const int64_t b[2])
{
    return b[1] < a[1] || (b[1] == a[1] && b[0] > a[0]);
}

/* The crossing of the ray (y, z) along x with triangle (a, b, c), which is counter-clockwise in
 * (y, z). */
static bool ray_crosses(const struct voxelise_job *job, const int t[3], int64_t py, int64_t pz,
                        double *x_voxel)
{
    double weighted = 0, total = 0;

    for (int k = 0; k < 3; k++) {
        int a = t[(k + 1) % 3], b = t[(k + 2) % 3];
        int64_t side = edge_side(job->yz[a], job->yz[b], py, pz);
        if (side < 0 || (side == 0 && !owns_edge(job->yz[a], job->yz[b])))
            return false;
        weighted += (double)side * job->x_voxel[t[k]];
        total += (double)side;
    }
    *x_voxel = weighted / total;
    return true;
}

static void rasterise_face(const struct voxelise_job *job, const int face[3], int64_t z_from,
                           int64_t z_to)
{
    int64_t nx = job->mask->grid.n[0], ny = job->mask->grid.n[1];
    const int64_t *a = job->yz[face[0]], *b = job->yz[face[1]], *c = job->yz[face[2]];
    int64_t z0 = larger(first_row(smaller(a[1], smaller(b[1], c[1]))), z_from);
    int64_t z1 = smaller(last_row(larger(a[1], larger(b[1], c[1]))), z_to - 1);

    if (z0 > z1)
        return;
    int64_t area = edge_side(a, b, c[0], c[1]);
    if (area == 0)
        return;
    /* For a face with positive area the ray along +x leaves the surface. */
    uint8_t change = area > 0 ? 255 : 1;
    const int turned[3] = {face[0], area > 0 ? face[1] : face[2], area > 0 ? face[2] : face[1]};
    int64_t y0 = larger(first_row(smaller(a[0], smaller(b[0], c[0]))), 0);
    int64_t y1 = smaller(last_row(larger(a[0], larger(b[0], c[0]))), ny - 1);
    for (int64_t z = z0; z <= z1; z++)
        for (int64_t y = y0; y <= y1; y++) {
            double x;
            if (!ray_crosses(job, turned, y * SUBVOXEL, z * SUBVOXEL, &x) || x > (double)(nx - 1))
                continue;
            int64_t first = x > 0 ? (int64_t)ceil(x) : 0;
            job->mask->voxel[(z * ny + y) * nx + first] += change;
        }
}

enum { SLAB = 8 }; /* planes per task */

static void voxelise_slab(void *context, int64_t task)
{
    const struct voxelise_job *job = context;
    const int64_t *n = job->mask->grid.n;
    int64_t z_from = task * SLAB, z_to = smaller(z_from + SLAB, n[2]);

    if (np_exec_canceled(job->exec))
        return;
    memset(job->mask->voxel + z_from * n[1] * n[0], 0, (size_t)((z_to - z_from) * n[1] * n[0]));
    for (int f = 0; f < job->mesh->n_faces; f++)
        rasterise_face(job, job->mesh->face[f], z_from, z_to);
    for (int64_t row = z_from * n[1]; row < z_to * n[1]; row++) {
        uint8_t *voxel = job->mask->voxel + row * n[0], winding = 0;
        for (int64_t x = 0; x < n[0]; x++) {
            winding = (uint8_t)(winding + voxel[x]);
            voxel[x] = winding != 0;
        }
    }
}

int np_mesh_voxelise(const struct np_mesh *mesh, const struct np_exec *exec, struct np_mask *mask,
                     struct np_error *err)
{
    size_t nv = (size_t)mesh->n_vertices;
    NP_AUTO(np_freep) int64_t(*yz)[2] = np_xcalloc(nv, sizeof(*yz));
    NP_AUTO(np_freep) double *x_voxel = np_xcalloc(nv, sizeof(*x_voxel));

    for (int v = 0; v < mesh->n_vertices; v++) {
        double p[3];
        for (int i = 0; i < 3; i++) {
            p[i] = mesh->position_mm[v][i] / mask->grid.spacing_mm[i] - 0.5;
            if (!(fabs(p[i]) <= FARTHEST_VOXEL))
                return np_error_set(err, NP_EDOMAIN,
                                    "surface: vertex %d lies %g voxels away from the grid's origin "
                                    "on axis %d",
                                    v, p[i], i);
        }
        x_voxel[v] = p[0];
        yz[v][0] = (int64_t)floor(p[1] * SUBVOXEL + 0.5);
        yz[v][1] = (int64_t)floor(p[2] * SUBVOXEL + 0.5);
    }
    struct voxelise_job job = {
        .mesh = mesh, .mask = mask, .exec = exec, .yz = yz, .x_voxel = x_voxel};
    np_exec_run(exec, (mask->grid.n[2] + SLAB - 1) / SLAB, voxelise_slab, &job);
    return np_exec_check(exec, err);
}
