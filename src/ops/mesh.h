/*
 * Closed triangle surfaces for deformable models: spheres split from an icosahedron, normals,
 * smoothing, and exact voxelisation. Positions are millimetres along a grid's axes from its first
 * outer corner: the centre of voxel i lies at (i + 1/2) × spacing. So one mesh fits all grids that
 * cover the same field of view, whatever their spacing. Faces run counter-clockwise seen from
 * outside. Bookkeeping memory: at most 2 MB.
 */
#ifndef NP_OPS_MESH_H
#define NP_OPS_MESH_H

#include "base/exec.h"
#include "image/image.h"

enum { NP_MESH_MAX_LEVEL = 5, NP_MESH_MAX_NEIGHBOURS = 6 };

struct np_mesh {
    int n_vertices;
    int n_faces;
    double (*position_mm)[3]; /* n_vertices */
    int (*face)[3];           /* n_faces */
    /* The 5 or 6 neighbours of each vertex, counter-clockwise seen from outside. */
    int (*neighbour)[NP_MESH_MAX_NEIGHBOURS];
    int *n_neighbours;
};

/*
 * A sphere: an icosahedron whose triangles were split in four `level` times (0 … NP_MESH_MAX_LEVEL:
 * 12, 42, 162, 642, 2562, 10242 vertices). Never NULL.
 */
struct np_mesh *np_mesh_new_sphere(int level, const double centre_mm[3], double radius_mm);

/* The same surface with each triangle split in four: new vertices lie in the middle of the
 * edges. Never NULL. `mesh` is unchanged and has at most 2562 vertices. */
struct np_mesh *np_mesh_split(const struct np_mesh *mesh);
void np_mesh_freep(struct np_mesh **mesh);

/* Outward normal of vertex `v`, of length 1, from the ring of its neighbours; (0, 0, 0) when the
 * ring has no area. */
void np_mesh_normal(const struct np_mesh *mesh, int v, double normal[3]);

/* The same, and the mean position of the neighbours, mm. */
void np_mesh_normal_and_mean(const struct np_mesh *mesh, int v, double normal[3],
                             double mean_mm[3]);

/* Mean distance between neighbours, mm. */
double np_mesh_mean_edge_mm(const struct np_mesh *mesh);

/* Enclosed volume, mm³: positive when the faces look outwards. */
double np_mesh_volume_mm3(const struct np_mesh *mesh);

/* Mean of the vertices. */
void np_mesh_centre(const struct np_mesh *mesh, double centre_mm[3]);

/*
 * Smooth without shrinking: `n_rounds` of a step of +0.5 and one of -0.53 towards the neighbours'
 * mean (Taubin 1995, doi:10.1145/218380.218473).
 */
void np_mesh_smooth_taubin(struct np_mesh *mesh, int n_rounds, const struct np_exec *exec);

/*
 * Set `mask` to 1 where a voxel's centre lies inside the surface, to 0 elsewhere. The result is
 * exact: vertices are rounded to 2^-16 of a voxel, and points on the surface are decided the same
 * way for all triangles, so rays neither leak nor count twice. Where the surface intersects itself,
 * inside means a winding number other than 0. Parts beyond the grid are cut off.
 *   mask  its grid gives spacing and size; every voxel is written
 * Returns 0, NP_EDOMAIN (a vertex that is not finite, or more than 8191 voxels away), NP_ECANCELED;
 * on failure the content of the mask is undefined.
 * Cost: a few ms for 10242 vertices, and one pass over the mask.
 */
int np_mesh_voxelise(const struct np_mesh *mesh, const struct np_exec *exec, struct np_mask *mask,
                     struct np_error *err) NP_MUST_USE;

#endif
