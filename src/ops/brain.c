/*
 * 1. The head at 1 mm; its centre and size without the neck (ops/head.h).
 * 2. Start: a sphere of half that size at the centre (642 vertices) grows with a tight border
 *    level, b = 0.6^0.275 (Smith 2002: 0.5); its new centre is the next round's, until it rests.
 * The last surface is split to 2562 vertices and moves on.
 * 3. Twice: the shell 7 … 20 mm below the surface is brain for certain. Its median is tm and the
 *    ratio of its 10 % quantile to that is b: a head with much contrast between grey and white
 *    matter has a low border level, a flat one a high level. The same surface moves on with these.
 *    Where bright tissue goes on outside, the level is lowered to take it in.
 * 4. The same with 10242 vertices, then smoothing without shrinking.
 * 5. All vertices together settle on the brain's edge (ops/settle.h).
 * 6. Voxels that show some brain belong to the mask. It must look like a brain: volume, not all of
 *    the image, something darker around it.
 */
#include "ops/brain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementary.h"
#include "ops/head.h"
#include "ops/mesh.h"
#include "ops/morphology.h"
#include "ops/settle.h"
#include "ops/surface.h"

enum {
    SPHERE_LEVEL = 3, /* 642 vertices */
    SPHERE_ITERATIONS = 300,
    START_ITERATIONS = 250,
    SHELL_PASSES = 2,
    SHELL_ITERATIONS = 250,
    SPLIT_ITERATIONS = 50,
    TAUBIN_ROUNDS = 10
};

static const double SHELL_FROM_MM = 7, SHELL_TO_MM = 20;
static const double LEAST_LEVEL = 0.40, MOST_LEVEL = 0.87;

/* How a contrast differs. */
static const struct {
    double fraction;   /* of the start, where voxels are small */
    double per_mm;     /* what it rises by for each mm above 1.2 */
    double too_bright; /* over the shell's median: brighter counts as dark */
    bool coarse;       /* the shell passes see 2 mm where the voxels are finer than that */
} CONTRAST[] = {
    /* Fat and vessels are bright, and not brain. */
    [NP_CONTRAST_T1W] = {0.6, 0, 1.6, false},
    /* White matter under the cortex is darker than it and must not stop the start. Fluid is bright
     * and ends the brain as dark fluid does; in the sulci it is only bridged when blurred. In large
     * voxels it mixes with the skull into something like brain, and only a tight start ends there.
     */
    [NP_CONTRAST_T2W] = {0.4, 0.25, 1.7, true},
    [NP_CONTRAST_FLAIR] = {0.6, 0, INFINITY, false},
};

/* Everything that does not change from step to step; Smith 2002 with a shorter reach inwards (7 and
 * 3 mm for 20 and 10: a longer one meets the ventricles' and sulci's fluid). */
static const struct np_surface_forces BASE_FORCES = {.reach_min_mm = 7,
                                                     .reach_max_mm = 3,
                                                     .curve_min_mm = 3.33,
                                                     .curve_max_mm = 10,
                                                     .too_bright = INFINITY};

struct np_brain_options np_brain_defaults(enum np_contrast contrast)
{
    return (struct np_brain_options){.contrast = contrast,
                                     .fraction = CONTRAST[contrast].fraction,
                                     .most_restarts = 4,
                                     .restart_shift_mm = 1,
                                     .head_height_mm = 165,
                                     .least_mm3 = 300e3,
                                     .most_mm3 = 2500e3,
                                     .most_border_share = 0.5,
                                     .most_rim = 0.65,
                                     .effort = 1};
}

struct search {
    const struct np_brain_options *options;
    const struct np_exec *exec;
    struct np_head head;
    const struct np_image *followed; /* by the shell passes: one of the head's two */
    double fraction;                 /* of the start */
    struct np_mesh *surface;
    struct np_brain_report report;
};

static void search_done(struct search *s)
{
    np_head_done(&s->head);
    np_mesh_freep(&s->surface);
}

static int evolve(struct search *s, const struct np_image *image,
                  const struct np_surface_forces *forces, int n_iterations, struct np_error *err)
{
    return np_surface_evolve(s->surface, image, forces,
                             (int)ceil(s->options->effort * n_iterations), s->exec, err);
}

/* ---- the start ----------------------------------------------------------------------------- */

/*
 * Move the surface with the paper's border level; tm is the median in a ball about `centre_mm`. At
 * 2 mm: wide sulci would catch it in a sharper image.
 */
static int push(struct search *s, int n_iterations, const double centre_mm[3], struct np_error *err)
{
    struct np_surface_forces forces = BASE_FORCES;

    forces.dark = s->head.dark;
    forces.head = s->head.threshold;
    forces.share = np_pow(s->fraction, 0.275);
    NP_TRY(
        np_head_ball_median(&s->head, centre_mm, s->head.radius_mm, s->exec, &forces.middle, err));
    return evolve(s, s->head.coarse, &forces, n_iterations, err);
}

static void split(struct search *s)
{
    struct np_mesh *finer = np_mesh_split(s->surface);

    np_mesh_freep(&s->surface);
    s->surface = finer;
}

static double distance_mm(const double a[3], const double b[3])
{
    double sum = 0;

    for (int i = 0; i < 3; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum);
}

static int start(struct search *s, struct np_error *err)
{
    double centre_mm[3], before_mm[3];

    memcpy(centre_mm, s->head.centre_mm, sizeof(centre_mm));
    do {
        memcpy(before_mm, centre_mm, sizeof(before_mm));
        np_mesh_freep(&s->surface);
        s->surface = np_mesh_new_sphere(SPHERE_LEVEL, centre_mm, s->head.radius_mm / 2);
        NP_TRY(push(s, SPHERE_ITERATIONS, centre_mm, err));
        np_mesh_centre(s->surface, centre_mm);
        s->report.n_restarts++;
    } while (distance_mm(centre_mm, before_mm) >= s->options->restart_shift_mm &&
             s->report.n_restarts < s->options->most_restarts);
    split(s);
    NP_TRY(push(s, START_ITERATIONS, centre_mm, err));
    s->report.start_volume_mm3 = np_mesh_volume_mm3(s->surface);
    return 0;
}

/* ---- what lies around the surface ---------------------------------------------------------- */

enum { N_LAYERS = 6 }; /* 2 … 6 mm deep, then five layers of 2 mm outwards */

/* Mean of the samples from `from_mm` to `to_mm` along the normal (negative: inwards); NAN when one
 * is outside the image. */
static double mean_along(const struct np_image *image, const double position_mm[3],
                         const double normal[3], int from_mm, int to_mm)
{
    const struct np_grid *grid = &image->grid;
    double sum = 0;

    for (int mm = from_mm; mm <= to_mm; mm++) {
        int64_t index[3];
        for (int i = 0; i < 3; i++) {
            double p = floor((position_mm[i] + mm * normal[i]) / grid->spacing_mm[i]);
            if (!(p >= 0 && p < (double)grid->n[i]))
                return NAN;
            index[i] = (int64_t)p;
        }
        sum += (double)image->voxel[(index[2] * grid->n[1] + index[1]) * grid->n[0] + index[0]];
    }
    return sum / (to_mm - from_mm + 1);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct layers_job {
    const struct search *search;
    double dark;
    double (*normal)[3];
    double *layer;
};

static void measure_layer(void *context, int64_t k)
{
    const struct layers_job *job = context;
    const struct np_mesh *mesh = job->search->surface;
    NP_AUTO(np_freep) double *value = np_xcalloc((size_t)mesh->n_vertices, sizeof(*value));
    int n = 0, from_mm = k == 0 ? -6 : 2 * (int)k - 1, to_mm = k == 0 ? -2 : 2 * (int)k;

    for (int v = 0; v < mesh->n_vertices; v++) {
        value[n] = mean_along(job->search->head.fine, mesh->position_mm[v], job->normal[v], from_mm,
                              to_mm);
        n += isfinite(value[n]) != 0;
    }
    qsort(value, (size_t)n, sizeof(*value), compare_doubles);
    job->layer[k] = 10 * n < mesh->n_vertices ? NAN : value[n / 2] - job->dark;
}

/*
 * Medians over the surface: layer[0] of what lies 2 … 6 mm inside, layer[k] of what lies 2 k - 1
 * and 2 k mm outside, each above `dark`. NAN where less than a tenth of the surface has that layer
 * in the image.
 */
static void measure_layers(const struct search *s, double dark, double layer[N_LAYERS])
{
    const struct np_mesh *mesh = s->surface;
    NP_AUTO(np_freep)
    double(*normal)[3] = np_xcalloc((size_t)mesh->n_vertices, sizeof(*normal));
    struct layers_job job = {s, dark, normal, layer};

    for (int v = 0; v < mesh->n_vertices; v++)
        np_mesh_normal(mesh, v, normal[v]);
    np_exec_run(s->exec, N_LAYERS, measure_layer, &job);
}

/* The darkest layer outside, over the inside; NAN when there is none. */
static double rim_of(const double layer[N_LAYERS])
{
    double darkest = INFINITY;

    for (int k = 1; k < N_LAYERS; k++)
        darkest = layer[k] < darkest ? layer[k] : darkest; /* NAN never is */
    return isfinite(darkest) && layer[0] > 0 ? darkest / layer[0] : NAN;
}

/* ---- the head's own border level ----------------------------------------------------------- */

/*
 * The border level that the shell asks for. It may not fall from pass to pass: a leak lowers it,
 * which would leak more.
 */
static void take_shell_level(struct search *s, double low, double dark)
{
    double range = s->report.middle - dark;
    double level = range > 0 ? (low - dark) / range : MOST_LEVEL;

    level = fmin(fmax(level, LEAST_LEVEL), MOST_LEVEL);
    s->report.border_level = fmax(level, s->report.border_level);
}

/*
 * A surface that rests inside the cortex: what follows outside is nearly as bright (grey matter),
 * and only then comes the dark rim. Seen where the cortex is smooth, so that the shell holds white
 * matter alone and asks for too high a level. The level is then put below that layer's.
 */
static void mind_the_cortex(struct search *s, double dark)
{
    static const double STILL_BRIGHT = 0.6, RIM = 0.6, BELOW = 0.8;
    double layer[N_LAYERS], range = s->report.middle - dark;

    measure_layers(s, dark, layer);
    if (layer[1] > STILL_BRIGHT * range && rim_of(layer) * layer[0] < RIM * layer[1])
        s->report.border_level = fmin(s->report.border_level, BELOW * layer[1] / range);
}

/* One pass of step 3. */
static int follow_shell(struct search *s, int n_iterations, struct np_error *err)
{
    struct np_surface_forces forces = BASE_FORCES;
    double low;

    NP_TRY(np_head_shell(&s->head, s->surface, SHELL_FROM_MM, SHELL_TO_MM, s->exec,
                         &s->report.middle, &low, err));
    /* Air is 0 in a magnitude image; in a rescaled one it may be anything below. */
    forces.dark = fmin(s->head.dark, 0);
    take_shell_level(s, low, forces.dark);
    mind_the_cortex(s, forces.dark);
    /* What counts as brain must be as bright as the darkest tenth of what is brain for certain; a
     * lower bar lets the surface creep through an even grey layer of fluid and marrow. */
    forces.head = fmax(s->head.threshold,
                       forces.dark + s->report.border_level * (s->report.middle - forces.dark));
    forces.middle = s->report.middle;
    forces.share = s->report.border_level;
    forces.curve_min_mm = 4;
    forces.curve_max_mm = 12;
    forces.too_bright =
        forces.dark + CONTRAST[s->options->contrast].too_bright * (forces.middle - forces.dark);
    return evolve(s, s->followed, &forces, n_iterations, err);
}

/* Step 5. */
static int settle(struct search *s, struct np_error *err)
{
    double dark = fmin(s->head.dark, 0), range = s->report.middle - dark;
    struct np_settle_options options = {
        .dark = dark,
        .share = 0.74 * s->report.border_level,
        .softness = 0.25,
        .too_bright = dark + CONTRAST[s->options->contrast].too_bright * range,
        .stiffness = 0.15,
        .most_step_mm = 3,
        .home = 0.1};

    NP_TRY(np_surface_settle(s->surface, s->head.fine, &options, s->exec, err));
    np_mesh_smooth_taubin(s->surface, TAUBIN_ROUNDS);
    return 0;
}

static int refine(struct search *s, struct np_error *err)
{
    for (int pass = 0; pass < SHELL_PASSES; pass++)
        NP_TRY(follow_shell(s, SHELL_ITERATIONS, err));
    split(s);
    NP_TRY(follow_shell(s, SPLIT_ITERATIONS, err));
    np_mesh_smooth_taubin(s->surface, TAUBIN_ROUNDS);
    return settle(s, err);
}

/* ---- is it a brain? ------------------------------------------------------------------------ */

static int check(const struct search *s, struct np_error *err)
{
    const struct np_brain_report *r = &s->report;
    const struct np_brain_options *o = s->options;

    if (r->volume_mm3 < o->least_mm3 || r->volume_mm3 > o->most_mm3)
        return np_error_set(
            err, NP_EMETHOD,
            "no plausible brain found: the mask has %.0f ml, expected %.0f to %.0f "
            "ml; look at the image (orientation, contrast, field of view), or leave "
            "it out",
            r->volume_mm3 / 1e3, o->least_mm3 / 1e3, o->most_mm3 / 1e3);
    if (r->border_share > o->most_border_share)
        return np_error_set(err, NP_EMETHOD,
                            "no plausible brain found: the mask covers %.0f %% of the image's "
                            "border, expected at most %.0f %%; look at the image, it may hold no "
                            "head, or a part of one",
                            100 * r->border_share, 100 * o->most_border_share);
    if (!(r->rim <= o->most_rim))
        return np_error_set(err, NP_EMETHOD,
                            "no plausible brain found: the darkest layer around it has %.0f %% of "
                            "its intensity, expected at most %.0f %% (skull or fluid); look at the "
                            "image, it may be noise or another organ",
                            100 * r->rim, 100 * o->most_rim);
    return 0;
}

/* ---- the mask ------------------------------------------------------------------------------ */

/*
 * How far a voxel's centre may lie outside the surface, along one axis, and the voxel still belong
 * to the mask. Readers of images count a voxel that shows some brain as brain. The coarser the
 * voxels, the further out the blurred surface lies already; but with thick slices it was found
 * between them, and a slice that shows some brain is brain.
 */
static double margin_mm(double spacing_mm, double finest_mm)
{
    static const double AT_1_MM = 0.44, PER_MM = 0.35, LEAST = 0.1, MOST = 0.55;
    static const double THICK = 2.5, MOST_OF_A_SLICE = 1.2;

    if (spacing_mm > THICK * finest_mm)
        return fmin(spacing_mm / 2, MOST_OF_A_SLICE);
    return fmin(MOST, fmax(AT_1_MM - PER_MM * (spacing_mm - 1), LEAST));
}

static void add_margin(struct np_mesh *mesh, const double spacing_mm[3])
{
    double finest_mm = fmin(spacing_mm[0], fmin(spacing_mm[1], spacing_mm[2]));
    double(*normal)[3] = np_xcalloc((size_t)mesh->n_vertices, sizeof(*normal));

    for (int v = 0; v < mesh->n_vertices; v++)
        np_mesh_normal(mesh, v, normal[v]);
    for (int v = 0; v < mesh->n_vertices; v++) {
        double out_mm = 0;
        for (int i = 0; i < 3; i++)
            out_mm += fabs(normal[v][i]) * margin_mm(spacing_mm[i], finest_mm);
        for (int i = 0; i < 3; i++)
            mesh->position_mm[v][i] += out_mm * normal[v][i];
    }
    free(normal);
}

static int draw(struct search *s, struct np_mask *mask, struct np_error *err)
{
    double centre_voxel[3] = {0}, layer[N_LAYERS];

    measure_layers(s, fmin(s->head.dark, 0), layer);
    s->report.rim = rim_of(layer);
    add_margin(s->surface, mask->grid.spacing_mm);
    NP_TRY(np_mesh_voxelise(s->surface, s->exec, mask, err));
    NP_TRY(np_mask_keep_largest(mask, NP_CONNECT_6, NULL, err));
    NP_TRY(np_mask_fill_holes(mask, err));
    s->report.volume_mm3 = (double)np_mask_count(mask) * np_grid_voxel_mm3(&mask->grid);
    s->report.border_share = np_mask_border_share(mask);
    np_mask_centroid(mask, centre_voxel);
    np_affine_apply(&mask->grid.world_from_voxel, centre_voxel, s->report.centre_mm);
    return 0;
}

/* Thick slices are blurred enough as they are. */
static const struct np_image *choose_image(const struct search *s, const double spacing_mm[3])
{
    double coarsest_mm = fmax(spacing_mm[0], fmax(spacing_mm[1], spacing_mm[2]));
    bool coarse =
        CONTRAST[s->options->contrast].coarse && coarsest_mm <= s->head.coarse->grid.spacing_mm[0];

    return coarse ? s->head.coarse : s->head.fine;
}

static double choose_fraction(const struct np_brain_options *options, const double spacing_mm[3])
{
    static const double FROM_MM = 1.2, MOST = 0.7;
    double finest_mm = fmin(spacing_mm[0], fmin(spacing_mm[1], spacing_mm[2]));
    double more = CONTRAST[options->contrast].per_mm * fmax(finest_mm - FROM_MM, 0);

    return more > 0 ? fmin(options->fraction + more, MOST) : options->fraction;
}

/* A surface that collapsed, or flew out of the image, is no brain either. */
static int as_method_failure(int code, struct np_error *err)
{
    if (code != NP_EDOMAIN)
        return code;
    if (err)
        *err = (struct np_error){0};
    return np_error_set(err, NP_EMETHOD,
                        "no brain found: the surface collapsed, expected a volume of bright tissue "
                        "within a dark rim; look at the image");
}

int np_brain_extract(const struct np_image *flat, const struct np_brain_options *options,
                     const struct np_exec *exec, struct np_mask **mask,
                     struct np_brain_report *report, struct np_error *err)
{
    NP_AUTO(search_done) struct search s = {.options = options, .exec = exec};

    NP_TRY(np_head_measure(flat, options->head_height_mm, exec, &s.head, err));
    s.followed = choose_image(&s, flat->grid.spacing_mm);
    s.fraction = choose_fraction(options, flat->grid.spacing_mm);
    NP_TRY(as_method_failure(start(&s, err), err));
    NP_TRY(as_method_failure(refine(&s, err), err));
    NP_AUTO(np_mask_freep) struct np_mask *drawn = np_mask_new(&flat->grid);
    if (!drawn)
        return np_error_set(err, NP_ENOMEM, "brain mask: no memory for %zu MiB",
                            np_grid_mib(&flat->grid) / 4 + 1);
    NP_TRY(as_method_failure(draw(&s, drawn, err), err));
    NP_TRY(check(&s, err));
    *mask = drawn;
    drawn = NULL;
    if (report)
        *report = s.report;
    return 0;
}
