/*
 * 1. Measure the head at 1 mm: centre and size without the neck (ops/head.h).
 * 2. Start: a sphere of half that size at the centre (642 vertices) grows with a tight border
 *    level, b = 0.6^0.275 (Smith 2002: 0.5). Repeat from the new centre until the centre is stable.
 *    Then split the surface to 2562 vertices and evolve it further.
 * 3. Twice: voxels 7 … 20 mm below the surface are brain with certainty. Their median becomes tm,
 *    and the ratio of their 10 % quantile to tm becomes b: a head with high contrast between grey
 *    and white matter gets a low border level, a head with low contrast a high one. Evolve the
 *    surface with these values. Where bright tissue continues outside, lower the level to include
 *    it.
 * 4. The same with 10242 vertices, then smooth without shrinking.
 * 5. Place all vertices together on the brain's border (ops/settle.h).
 * 6. The mask holds every voxel that contains some brain. Check that it is plausible: its volume,
 *    its share of the grid's border, and a darker layer around it.
 */
#include "ops/brain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementary.h"
#include "ops/head.h"
#include "ops/mesh.h"
#include "ops/morphology.h"
#include "ops/resample.h"
#include "ops/settle.h"
#include "ops/surface.h"

enum {
    SPHERE_LEVEL = 3, /* 642 vertices */
    SPHERE_ITERATIONS = 300,
    START_ITERATIONS = 250,
    FOLLOW_ITERATIONS = 60,
    SHELL_PASSES = 2,
    SHELL_ITERATIONS = 250,
    SPLIT_ITERATIONS = 50,
    TAUBIN_ROUNDS = 10
};

static const double SHELL_FROM_MM = 7, SHELL_TO_MM = 20;
/* How deep inside the prior's surface the search starts. */
static const double START_MM = 8;
static const double LEAST_LEVEL = 0.40, MOST_LEVEL = 0.87;
/* No image of a head was seen with a brighter rim: real ones reach 0.76, blurred noise 0.93. */
static const double SOME_RIM = 0.85;
/* A larger mask is refused also where the network agrees. Brains with widened ventricles reach 2.5 l. */
static const double HUGE_MM3 = 3500e3;
/* Of the border level, where the surface settles. */
static const double SHARE_WITH_PRIOR = 0.735, SHARE_ALONE = 0.74;

/* Parameters that depend on the contrast. */
static const struct {
    double fraction;   /* of the start, for voxels up to 1.2 mm */
    double per_mm;     /* added to it for each mm above 1.2 */
    double too_bright; /* times the shell's median; brighter samples count as dark */
    bool coarse;       /* refine on the 2 mm image where the voxels are finer than that */
    double outer_mm;   /* with a prior: how far outside its surface, and inside, a vertex may lie */
    double inner_mm;
} CONTRAST[] = {
    /* Fat and vessels are bright but not brain. */
    [NP_CONTRAST_T1W] = {0.6, 0, 1.6, false, 2, 6},
    /* White matter is darker than the cortex around it and must not stop the start. Bright fluid
     * ends the brain as dark fluid does; the fluid in the sulci is bridged only in a blurred
     * image. In large voxels fluid and skull mix to intensities like those of brain; only a
     * tight start stops there. In the fluid over the convexity the image decides little. */
    [NP_CONTRAST_T2W] = {0.4, 0.25, 1.7, true, -0.4, 2.5},
    [NP_CONTRAST_FLAIR] = {0.6, 0, INFINITY, false, 1, 3},
};

/* Constant parameters of the forces. Smith 2002 uses longer reaches inwards, 20 and 10 mm; those
 * meet the fluid of ventricles and sulci. */
static const struct np_surface_forces BASE_FORCES = {.reach_min_mm = 7,
                                                     .reach_max_mm = 3,
                                                     .curve_min_mm = 3.33,
                                                     .curve_max_mm = 10,
                                                     .too_bright = INFINITY};

struct np_brain_options np_brain_defaults(enum np_contrast contrast, const struct np_prior *prior)
{
    return (struct np_brain_options){.contrast = contrast,
                                     .prior = prior,
                                     .fraction = CONTRAST[contrast].fraction,
                                     .most_restarts = 4,
                                     .restart_shift_mm = 1,
                                     .head_height_mm = 165,
                                     .least_mm3 = prior ? 60e3 : 300e3,
                                     .most_mm3 = 2500e3,
                                     .most_border_share = 0.5,
                                     .most_rim = 0.65,
                                     .least_agreement = 0.90,
                                     .effort = 1};
}

struct search {
    const struct np_brain_options *options;
    const struct np_exec *exec;
    struct np_head head;
    const struct np_image *refine_image; /* head.fine or head.coarse */
    double fraction;                     /* tightness of the start */
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
 * Evolve the surface with the border level of the paper; tm is the median in a ball around
 * `centre_mm`. On the 2 mm image: in a sharper image wide sulci would stop the surface.
 */
static int evolve_from_ball(struct search *s, int n_iterations, const double centre_mm[3],
                            struct np_error *err)
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

/* Where the ray from the centre leaves the prior's surface for the last time. */
static double radius_mm(const struct np_prior *prior, const double direction[3])
{
    static const double FROM_MM = 140, STEP_MM = 2, LEAST_MM = 4;

    for (int step = 0; FROM_MM - step * STEP_MM > LEAST_MM; step++) {
        double at_mm[3], mm = FROM_MM - step * STEP_MM;
        for (int i = 0; i < 3; i++)
            at_mm[i] = prior->centre_mm[i] + mm * direction[i];
        if (np_prior_at(prior, at_mm) < 0)
            return mm;
    }
    return LEAST_MM;
}

/* The start with a prior: a sphere is stretched to the prior's surface, and relaxes there. */
static int start_from_prior(struct search *s, struct np_error *err)
{
    const struct np_prior *prior = s->options->prior;
    struct np_surface_forces forces = BASE_FORCES;

    forces.prior = prior;
    forces.follow_prior = true;
    forces.inner_mm = START_MM;
    s->surface = np_mesh_new_sphere(SPHERE_LEVEL, prior->centre_mm, 1);
    for (int v = 0; v < s->surface->n_vertices; v++) {
        double *p = s->surface->position_mm[v], direction[3];
        for (int i = 0; i < 3; i++)
            direction[i] = p[i] - prior->centre_mm[i];
        double mm = radius_mm(prior, direction);
        for (int i = 0; i < 3; i++)
            p[i] = prior->centre_mm[i] + mm * direction[i];
    }
    NP_TRY(evolve(s, s->head.coarse, &forces, FOLLOW_ITERATIONS, err));
    split(s);
    NP_TRY(evolve(s, s->head.coarse, &forces, FOLLOW_ITERATIONS, err));
    s->report.start_volume_mm3 = np_mesh_volume_mm3(s->surface);
    return 0;
}

static int start(struct search *s, struct np_error *err)
{
    double centre_mm[3], before_mm[3];

    memcpy(centre_mm, s->head.centre_mm, sizeof(centre_mm));
    do {
        memcpy(before_mm, centre_mm, sizeof(before_mm));
        np_mesh_freep(&s->surface);
        s->surface = np_mesh_new_sphere(SPHERE_LEVEL, centre_mm, s->head.radius_mm / 2);
        NP_TRY(evolve_from_ball(s, SPHERE_ITERATIONS, centre_mm, err));
        np_mesh_centre(s->surface, centre_mm);
        s->report.n_restarts++;
    } while (distance_mm(centre_mm, before_mm) >= s->options->restart_shift_mm &&
             s->report.n_restarts < s->options->most_restarts);
    split(s);
    NP_TRY(evolve_from_ball(s, START_ITERATIONS, centre_mm, err));
    s->report.start_volume_mm3 = np_mesh_volume_mm3(s->surface);
    return 0;
}

/* ---- layers around the surface
 * ----------------------------------------------------------------- */

enum { N_LAYERS = 6 }; /* layer 0: 2 … 6 mm inside; layers 1 … 5: 2 mm each, outside */

/* Mean of the samples from `from_mm` to `to_mm` along the normal (negative: inwards). NAN when a
 * sample is outside the image. */
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
 * Medians over the surface, each minus `dark`: layer[0] is 2 … 6 mm inside, layer[k] is 2 k - 1 and
 * 2 k mm outside. NAN where less than a tenth of the surface has that layer inside the image.
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

/* The darkest layer outside, divided by the inside; NAN when there is none. */
static double rim_of(const double layer[N_LAYERS])
{
    double darkest = INFINITY;

    for (int k = 1; k < N_LAYERS; k++)
        darkest = layer[k] < darkest ? layer[k] : darkest; /* false for NAN */
    return isfinite(darkest) && layer[0] > 0 ? darkest / layer[0] : NAN;
}

/* ---- the border level of this head
 * ------------------------------------------------------------- */

/*
 * Set the border level from the shell. It never falls from pass to pass: a surface that has leaked
 * lowers the level, and a lower level would leak more.
 */
static void set_border_level(struct search *s, double low, double dark)
{
    double range = s->report.middle - dark;
    double level = range > 0 ? (low - dark) / range : MOST_LEVEL;

    level = fmin(fmax(level, LEAST_LEVEL), MOST_LEVEL);
    s->report.border_level = fmax(level, s->report.border_level);
}

/*
 * Detect a surface that stopped inside the cortex: the first layer outside is nearly as bright as
 * the inside (grey matter), and the dark layer follows after it. This happens where the cortex is
 * smooth: the shell holds white matter alone, and its level is too high. Lower the level below that
 * layer.
 */
static void protect_cortex(struct search *s, double dark)
{
    static const double STILL_BRIGHT = 0.6, RIM = 0.6, BELOW = 0.8;
    double layer[N_LAYERS], range = s->report.middle - dark;

    measure_layers(s, dark, layer);
    if (layer[1] > STILL_BRIGHT * range && rim_of(layer) * layer[0] < RIM * layer[1])
        s->report.border_level = fmin(s->report.border_level, BELOW * layer[1] / range);
}

/* One pass of step 3. */
static int evolve_with_shell(struct search *s, int n_iterations, struct np_error *err)
{
    struct np_surface_forces forces = BASE_FORCES;
    double low;

    NP_TRY(np_head_shell(&s->head, s->surface, SHELL_FROM_MM, SHELL_TO_MM, s->exec,
                         &s->report.middle, &low, err));
    /* Air is 0 in a magnitude image; in a rescaled image it may be any value below. */
    forces.dark = fmin(s->head.dark, 0);
    set_border_level(s, low, forces.dark);
    if (!s->options->prior)
        protect_cortex(s, forces.dark);
    forces.prior = s->options->prior;
    forces.outer_mm = CONTRAST[s->options->contrast].outer_mm;
    forces.inner_mm = CONTRAST[s->options->contrast].inner_mm;
    /* Brain must be at least as bright as the darkest tenth of the shell. With a lower limit the
     * surface would pass through a uniform grey layer of fluid and marrow. */
    forces.head = fmax(s->head.threshold,
                       forces.dark + s->report.border_level * (s->report.middle - forces.dark));
    forces.middle = s->report.middle;
    forces.share = s->report.border_level;
    forces.curve_min_mm = 4;
    forces.curve_max_mm = 12;
    forces.too_bright =
        forces.dark + CONTRAST[s->options->contrast].too_bright * (forces.middle - forces.dark);
    return evolve(s, s->refine_image, &forces, n_iterations, err);
}

/* Step 5. */
static int settle(struct search *s, struct np_error *err)
{
    double dark = fmin(s->head.dark, 0), range = s->report.middle - dark;
    struct np_settle_options options = {
        .dark = dark,
        .share = (s->options->prior ? SHARE_WITH_PRIOR : SHARE_ALONE) * s->report.border_level,
        .softness = 0.25,
        .too_bright = dark + CONTRAST[s->options->contrast].too_bright * range,
        .stiffness = 0.15,
        .most_step_mm = 3,
        .move_cost = 0.1};

    NP_TRY(np_surface_settle(s->surface, s->head.fine, &options, s->exec, err));
    np_mesh_smooth_taubin(s->surface, TAUBIN_ROUNDS, s->exec);
    return 0;
}

static int refine(struct search *s, struct np_error *err)
{
    for (int pass = 0; pass < SHELL_PASSES; pass++)
        NP_TRY(evolve_with_shell(s, SHELL_ITERATIONS, err));
    split(s);
    NP_TRY(evolve_with_shell(s, SPLIT_ITERATIONS, err));
    np_mesh_smooth_taubin(s->surface, TAUBIN_ROUNDS, s->exec);
    return settle(s, err);
}

/* ---- plausibility -------------------------------------------------------------------------- */

/* Dice coefficient of the surface's inside and the prior's, at 2 mm. */
static int compare_with_prior(struct search *s, struct np_error *err)
{
    /* The prior's border lies so far inside the masks of people and programs. */
    static const double TIGHT_MM = 1;
    const struct np_grid *grid = &s->head.coarse->grid;
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(grid);
    NP_AUTO(np_image_freep) struct np_image *distance_mm = NULL;
    int64_t both = 0, sum = 0;

    if (!mask)
        return np_error_set(err, NP_ENOMEM, "brain mask: no memory for %zu MiB",
                            np_grid_mib(grid) / 4 + 1);
    NP_TRY(np_mesh_voxelise(s->surface, s->exec, mask, err));
    NP_TRY(np_resample(s->options->prior->distance_mm, grid, s->exec, &distance_mm, err));
    for (size_t i = 0; i < np_grid_voxels(grid); i++) {
        bool brain = (double)distance_mm->voxel[i] < TIGHT_MM;
        both += brain & mask->voxel[i];
        sum += brain + mask->voxel[i];
    }
    s->report.agreement = sum ? 2 * (double)both / (double)sum : 0;
    return 0;
}

static bool rim_is_dark(const struct search *s)
{
    return s->report.rim <= s->options->most_rim; /* false for NAN */
}

static int check_size(const struct search *s, struct np_error *err)
{
    const struct np_brain_report *r = &s->report;
    const struct np_brain_options *o = s->options;

    double most_mm3 = o->prior && r->agreement >= o->least_agreement ? HUGE_MM3 : o->most_mm3;

    if (r->volume_mm3 < o->least_mm3 || r->volume_mm3 > most_mm3)
        return np_error_set(err, NP_EMETHOD,
                            "the mask has %.0f ml, expected %.0f to %.0f ml; look at the image "
                            "(orientation, contrast, field of view), or leave it out",
                            r->volume_mm3 / 1e3, o->least_mm3 / 1e3, most_mm3 / 1e3);
    if (r->border_share > o->most_border_share)
        return np_error_set(err, NP_EMETHOD,
                            "the mask covers %.0f %% of the image's border, expected at most %.0f "
                            "%%; look at the image, it may hold no head, or a part of one",
                            100 * r->border_share, 100 * o->most_border_share);
    return 0;
}

/*
 * Two signs: a dark rim around, and agreement with the prior. Without a prior the rim alone decides.
 * With one, a mask with a brighter rim is kept while the prior agrees, since thick slices and
 * contrast agent brighten the rim; no rim at all, or both signs against it, refuse it.
 */
static int check_signs(struct search *s, struct np_error *err)
{
    static const double HARDLY = 0.10, WELL = 0.04; /* from the least agreement */
    struct np_brain_report *r = &s->report;
    const struct np_brain_options *o = s->options;
    bool some_rim = r->rim <= SOME_RIM && r->agreement >= o->least_agreement - HARDLY;

    if (!rim_is_dark(s) && !(o->prior && some_rim))
        return np_error_set(err, NP_EMETHOD,
                            "the darkest layer around it has %.0f %% of its intensity, expected at "
                            "most %.0f %% (skull or fluid); look at the image, it may be noise or "
                            "another organ",
                            100 * r->rim, 100 * o->most_rim);
    double least = o->least_agreement + (rim_is_dark(s) ? 0 : WELL);
    if (o->prior && r->agreement < least)
        (void)snprintf(r->doubt, sizeof(r->doubt),
                       "network and surface agree by a Dice coefficient of %.2f, expected at least "
                       "%.2f (the darkest layer around has %.0f %% of the brain's intensity)",
                       r->agreement, least, 100 * r->rim);
    else if (r->volume_mm3 > o->most_mm3)
        (void)snprintf(r->doubt, sizeof(r->doubt), "the mask has %.0f ml, expected at most %.0f ml",
                       r->volume_mm3 / 1e3, o->most_mm3 / 1e3);
    return 0;
}

/* Refuse the mask, or keep it with a doubt when the user forces it. */
static int check(struct search *s, struct np_error *err)
{
    struct np_error own = {0};
    int code = check_size(s, &own);

    if (code == 0)
        code = check_signs(s, &own);
    if (code < 0 && s->options->force) {
        (void)snprintf(s->report.doubt, sizeof(s->report.doubt), "%s", own.text);
        return 0;
    }
    return code < 0 ? np_error_set(err, code, "no plausible brain found: %s", own.text) : 0;
}

/* ---- the mask ------------------------------------------------------------------------------ */

/*
 * How far outside the surface, along one axis, the centre of a voxel may lie when the voxel still
 * belongs to the mask: readers count a voxel that contains some brain as brain. With coarser voxels
 * the blurred surface itself lies further out, so the margin is smaller. With thick slices the
 * surface was found between slices, and every slice that contains some brain counts.
 */
static double margin_mm(double spacing_mm, double finest_mm)
{
    static const double AT_1_MM = 0.44, PER_MM = 0.35, LEAST = 0.1, MOST = 0.55;
    static const double THICK = 2.5, MOST_OF_A_SLICE = 1.2;

    if (spacing_mm > THICK * finest_mm)
        return fmin(spacing_mm / 2, MOST_OF_A_SLICE);
    return fmin(MOST, fmax(AT_1_MM - PER_MM * (spacing_mm - 1), LEAST));
}

/*
 * A margin of the same width on every head would be a larger share of a small one: the mask of a
 * head made smaller would not be its mask made smaller. With the fourth root of the volume it is,
 * within 2 % between 0.8 and 1.25 of a head's size.
 */
static double margin_share(const struct np_prior *prior)
{
    static const double USUAL_MM3 = 1400e3, LEAST = 0.6, MOST = 1.2;

    if (!prior)
        return 1;
    return fmin(fmax(np_pow(prior->brain_mm3 / USUAL_MM3, 0.25), LEAST), MOST);
}

static void add_margin(struct np_mesh *mesh, const double spacing_mm[3], double share)
{
    double finest_mm = fmin(spacing_mm[0], fmin(spacing_mm[1], spacing_mm[2]));
    double(*normal)[3] = np_xcalloc((size_t)mesh->n_vertices, sizeof(*normal));

    for (int v = 0; v < mesh->n_vertices; v++)
        np_mesh_normal(mesh, v, normal[v]);
    for (int v = 0; v < mesh->n_vertices; v++) {
        double out_mm = 0;
        for (int i = 0; i < 3; i++)
            out_mm += share * fabs(normal[v][i]) * margin_mm(spacing_mm[i], finest_mm);
        for (int i = 0; i < 3; i++)
            mesh->position_mm[v][i] += out_mm * normal[v][i];
    }
    free(normal);
}

static int make_mask(struct search *s, struct np_mask *mask, struct np_error *err)
{
    double centre_voxel[3] = {0}, layer[N_LAYERS];

    measure_layers(s, fmin(s->head.dark, 0), layer);
    s->report.rim = rim_of(layer);
    s->report.agreement = NAN;
    if (s->options->prior)
        NP_TRY(compare_with_prior(s, err));
    add_margin(s->surface, mask->grid.spacing_mm, margin_share(s->options->prior));
    NP_TRY(np_mesh_voxelise(s->surface, s->exec, mask, err));
    NP_TRY(np_mask_keep_largest(mask, NP_CONNECT_6, NULL, err));
    NP_TRY(np_mask_fill_holes(mask, err));
    s->report.volume_mm3 = (double)np_mask_count(mask) * np_grid_voxel_mm3(&mask->grid);
    s->report.border_share = np_mask_border_share(mask);
    np_mask_centroid(mask, centre_voxel);
    np_affine_apply(&mask->grid.world_from_voxel, centre_voxel, s->report.centre_mm);
    return 0;
}

/* The image for the refinement. Thick slices are blurred already. */
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

/* A surface that collapsed or left the image is a failure of the method, not of the input. */
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
    s.refine_image = choose_image(&s, flat->grid.spacing_mm);
    s.fraction = choose_fraction(options, flat->grid.spacing_mm);
    NP_TRY(as_method_failure(options->prior ? start_from_prior(&s, err) : start(&s, err), err));
    NP_TRY(as_method_failure(refine(&s, err), err));
    NP_AUTO(np_mask_freep) struct np_mask *drawn = np_mask_new(&flat->grid);
    if (!drawn)
        return np_error_set(err, NP_ENOMEM, "brain mask: no memory for %zu MiB",
                            np_grid_mib(&flat->grid) / 4 + 1);
    NP_TRY(as_method_failure(make_mask(&s, drawn, err), err));
    NP_TRY(check(&s, err));
    *mask = drawn;
    drawn = NULL;
    if (report)
        *report = s.report;
    return 0;
}
