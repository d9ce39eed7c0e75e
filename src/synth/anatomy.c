/*
 * The template has its own coordinates in mm: origin near the anterior commissure, x right, y
 * anterior, z superior, symmetric in x. A person is the template scaled along the axes and bent by
 * slow random waves, which also make it asymmetric.
 *
 * Sulci are the zero set of a random function of one wavelength band (a band-limited random field
 * has zero sheets at even distances). The function is constant along rays from a line through the
 * middle of the hemisphere, so the sheets are perpendicular to the surface. Divided by its
 * gradient, the function is a distance to the nearest sheet.
 */
#include "synth/anatomy.h"

#include <math.h>
#include <string.h>

#include "ops/elementary.h"

struct ellipsoid {
    double at[3], half[3];
};

struct capsule {
    double a[3], b[3], radius_a, radius_b;
};

/* z of the cerebellum's lowest point, where the brain mask's stem is cut. */
static const double BRAIN_LOW_MM = -60;

static const struct ellipsoid CEREBRUM = {{0, -1, 13}, {68, 86, 58}};
static const struct ellipsoid TEMPORAL = {{39, 0, -22}, {26, 43, 25}};
static const double CEREBRUM_BASE_MM = -15;
static const struct ellipsoid CEREBELLUM[] = {
    {{23, -51, -38}, {29, 27, 22}},
    {{0, -50, -36}, {14, 26, 22}},
};
static const struct ellipsoid PONS = {{0, -19, -38}, {17, 13, 15}};
static const struct capsule STEM[] = {
    {{0, -19, -36}, {0, -13, -6}, 14, 15},
    {{0, -22, -46}, {0, -34, -80}, 10.5, 8},
    {{0, -34, -80}, {0, -40, -500}, 7, 6.5},
};
static const struct ellipsoid CALLOSUM_AND_BELOW = {{0, -9, -4}, {39, 39, 33}};

static const struct capsule VENTRICLE[] = {
    {{8, 27, 6}, {10, -6, 18}, 4.6, 5.2},   {{10, -6, 18}, {21, -36, 11}, 5.2, 6},
    {{21, -36, 11}, {24, -62, 3}, 5, 2.8},  {{21, -36, 11}, {34, -14, -15}, 4.2, 3.6},
    {{34, -14, -15}, {33, 8, -22}, 3.4, 3},
};
static const struct ellipsoid THIRD_VENTRICLE = {{0, -10, -1}, {3.2, 14, 10}};
static const struct ellipsoid FOURTH_VENTRICLE = {{0, -36, -38}, {7, 5, 9}};
static const struct ellipsoid DEEP_GREY[] = {
    {{11, -18, 4}, {8, 14, 9}},   /* thalamus */
    {{14, 16, 4}, {6.5, 10, 10}}, /* caudate head */
    {{26, 3, -1}, {6.5, 17, 11}}, /* putamen and pallidum */
};

static const struct ellipsoid CRANIUM = {{0, -2, 10}, {83, 101, 78}};
static const struct ellipsoid FACE[] = {
    {{0, 34, -62}, {62, 56, 64}}, {{0, 72, -116}, {24, 21, 17}}, /* chin */
};
static const struct ellipsoid NOSE = {{0, 90, -48}, {11, 17, 20}};
static const struct ellipsoid EAR = {{82, -14, -32}, {6, 15, 25}};
static const struct ellipsoid EYE = {{31, 68, -33}, {12, 12, 12}};
static const struct capsule NERVE[] = {{{30, 58, -33}, {17, 32, -28}, 0, 0},
                                       {{17, 32, -28}, {6, 14, -22}, 0, 0}};
/* Basilar and carotid arteries; the jugular vein below. */
static const struct capsule ARTERY[] = {
    {{0, -4, -48}, {0, -2, -28}, 1.6, 1.5},    {{14, 8, -24}, {14, 4, -40}, 2.2, 2.4},
    {{14, 4, -40}, {27, -6, -62}, 2.4, 2.6},   {{27, -6, -62}, {30, -8, -500}, 2.6, 3},
    {{36, -16, -66}, {38, -10, -500}, 4, 5.5},
};
static const struct ellipsoid PITUITARY = {{0, 7, -27}, {6, 5, 4}};
static const struct ellipsoid CAVERNOUS = {{13, 5, -28}, {5, 11, 6}};
static const struct capsule ORBIT = {{30, 66, -33}, {15, 32, -29}, 15, 6};

static const struct ellipsoid AIR[] = {
    {{6, 62, -48}, {4, 28, 19}},   /* nasal cavity */
    {{30, 52, -58}, {12, 15, 14}}, /* maxillary sinus */
    {{9, 48, -29}, {6, 17, 7}},    /* ethmoid cells */
    {{7, 22, -36}, {9, 9, 8}},     /* sphenoid sinus */
    {{11, 93, 0}, {10, 4, 9}},     /* frontal sinus */
    {{58, -26, -44}, {7, 8, 9}},   /* mastoid cells */
};
static const struct capsule AIRWAY[] = {
    {{0, 22, -58}, {0, 4, -85}, 7, 7},
    {{0, 4, -85}, {0, 8, -500}, 7, 8},
    {{86, -13, -34}, {54, -13, -34}, 3.6, 3.2}, /* ear canal */
};
static const struct capsule JAW[] = {
    {{50, -2, -58}, {44, 10, -96}, 6, 6},  {{44, 10, -96}, {15, 74, -112}, 6, 7},
    {{15, 74, -112}, {0, 78, -113}, 7, 7}, {{26, 56, -80}, {12, 76, -80}, 6, 6},
    {{12, 76, -80}, {0, 79, -80}, 6, 6},   {{50, 54, -46}, {66, 8, -40}, 5, 4},
    {{46, 60, -24}, {0, 84, -20}, 4, 5},   {{58, -24, -42}, {56, -30, -50}, 11, 8},
};
static const struct capsule SPINE = {{0, -15, -72}, {0, -20, -500}, 12, 13};
static const struct capsule ARCHES = {{0, -52, -84}, {0, -60, -500}, 7, 8};
static const double VERTEBRA_MM = 19;

static double smallest(double a, double b)
{
    return a < b ? a : b;
}

static double largest(double a, double b)
{
    return a > b ? a : b;
}

static double clamp(double x, double low, double high)
{
    return smallest(largest(x, low), high);
}

/* Union with a fillet of about `k` mm; never above the smaller one. */
static double smooth_min(double a, double b, double k)
{
    double h = largest(k - fabs(a - b), 0) / k;

    return smallest(a, b) - h * h * k / 4;
}

static double smooth_max(double a, double b, double k)
{
    return -smooth_min(-a, -b, k);
}

/* First-order distance to an ellipsoid: exact on its surface. */
static double ellipsoid_mm(const double p[3], const struct ellipsoid *e)
{
    double k0 = 0, k1 = 0;

    for (int i = 0; i < 3; i++) {
        double u = (p[i] - e->at[i]) / e->half[i];
        double v = u / e->half[i];
        k0 += u * u;
        k1 += v * v;
    }
    if (k1 < 1e-12)
        return -smallest(e->half[0], smallest(e->half[1], e->half[2]));
    k0 = sqrt(k0);
    return k0 * (k0 - 1) / sqrt(k1);
}

static double capsule_mm(const double p[3], const struct capsule *c)
{
    double along = 0, length2 = 0, off2 = 0;

    for (int i = 0; i < 3; i++) {
        double edge = c->b[i] - c->a[i];
        along += (p[i] - c->a[i]) * edge;
        length2 += edge * edge;
    }
    double t = clamp(along / length2, 0, 1);
    for (int i = 0; i < 3; i++) {
        double d = p[i] - c->a[i] - t * (c->b[i] - c->a[i]);
        off2 += d * d;
    }
    return sqrt(off2) - (c->radius_a + t * (c->radius_b - c->radius_a));
}

static double ellipsoids_mm(const double p[3], const struct ellipsoid *e, size_t n, double k)
{
    double d = ellipsoid_mm(p, &e[0]);

    for (size_t i = 1; i < n; i++)
        d = smooth_min(d, ellipsoid_mm(p, &e[i]), k);
    return d;
}

static double capsules_mm(const double p[3], const struct capsule *c, size_t n, double k)
{
    double d = capsule_mm(p, &c[0]);

    for (size_t i = 1; i < n; i++)
        d = smooth_min(d, capsule_mm(p, &c[i]), k);
    return d;
}

void np_anatomy_rotation(const double angle_rad[3], double r[3][3])
{
    double c[3], s[3];

    for (int i = 0; i < 3; i++) {
        c[i] = np_cos(angle_rad[i]);
        s[i] = np_sin(angle_rad[i]);
    }
    const double rotation[3][3] = {
        {c[2] * c[1], c[2] * s[1] * s[0] - s[2] * c[0], c[2] * s[1] * c[0] + s[2] * s[0]},
        {s[2] * c[1], s[2] * s[1] * s[0] + c[2] * c[0], s[2] * s[1] * c[0] - c[2] * s[0]},
        {-s[1], c[1] * s[0], c[1] * c[0]}};
    memcpy(r, rotation, sizeof(rotation));
}

/* ---- Random parameters of a person ---- */

static double between(struct np_random *random, double low, double high)
{
    return low + (high - low) * np_random_uniform(random);
}

static double or_default(double option, double otherwise)
{
    return option > 0 ? option : otherwise;
}

/* Every third lesion lies at the surface, the others anywhere within the cerebrum. */
static void draw_lesions(const struct np_synth_options *options, struct np_anatomy *a)
{
    struct np_random random;

    np_random_seed(&random, options->seed, 3);
    a->n_lesions = options->n_lesions;
    for (int k = 0; k < a->n_lesions; k++) {
        double unit[3] = {0}, length = 0;
        while (length < 0.1) {
            for (int i = 0; i < 3; i++)
                unit[i] = np_random_normal(&random);
            unit[2] = fabs(unit[2]);
            length = sqrt(unit[0] * unit[0] + unit[1] * unit[1] + unit[2] * unit[2]);
        }
        double depth = k % 3 == 0 ? 0.95 : between(&random, 0.4, 0.8);
        for (int i = 0; i < 3; i++)
            a->lesion_mm[k][i] = CEREBRUM.at[i] + CEREBRUM.half[i] * depth * unit[i] / length;
        a->lesion_mm[k][3] = options->lesion_mm * (k == 0 ? 1 : between(&random, 0.2, 0.7));
    }
}

static void draw_person(const struct np_synth_options *options, struct np_anatomy *a)
{
    struct np_random random;

    np_random_seed(&random, options->seed, 1);
    /* All random numbers are drawn, used or not, so that an option does not change the other
     * parameters. */
    double size = between(&random, 0.90, 1.03);
    double atrophy = np_random_uniform(&random);
    double gap_mm = between(&random, 2, 4);
    if (options->brain_scale > 0)
        size = options->brain_scale;
    a->atrophy = options->atrophy < 0 ? atrophy * atrophy : options->atrophy;
    a->gap_mm = options->csf_gap_mm > 0 ? options->csf_gap_mm : gap_mm;
    a->scale_mean = size;
    for (int i = 0; i < 3; i++)
        a->scale[i] = size * between(&random, 0.97, 1.03);
    a->skull_mm = between(&random, 5, 8);
    a->fat_mm = between(&random, 3, 6);
    a->skull_mm = or_default(options->skull_mm, a->skull_mm);
    a->fat_mm = or_default(options->fat_mm, a->fat_mm);
    a->sinus_mm = or_default(options->sinus_mm, 3.4);
    a->nerve_mm = or_default(options->nerve_mm, 1.6);
    a->eye_scale = or_default(options->eye_scale, 1);
    a->neck_scale = or_default(options->neck_scale, 1);
    a->shoulder_mm = options->shoulder_mm;
    for (int i = 0; i < 3; i++)
        a->warp[i] = np_waves_make(&random, 6, 90, 160);
    a->fold = np_waves_make(&random, NP_WAVES_MOST, 16, 24);
    a->fold_depth = np_waves_make(&random, 8, 25, 50);
    a->slow = np_waves_make(&random, 8, 50, 110);
    a->texture = np_waves_make(&random, 10, 18, 34);
}

static void multiply(double a[3][3], double b[3][3], double out[3][3])
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j];
}

static void draw_position(const struct np_synth_options *options, struct np_random *random,
                          struct np_anatomy *a)
{
    static const double MOST_RAD = 0.06, MOST_MM = 3;
    double angle[3], visit[3][3], tilt[3][3];

    for (int i = 0; i < 3; i++) {
        angle[i] = between(random, -MOST_RAD, MOST_RAD);
        a->shift_mm[i] = between(random, -MOST_MM, MOST_MM);
        a->is_tilted |= options->tilt_deg[i] != 0;
    }
    np_anatomy_rotation(angle, visit);
    for (int i = 0; i < 3; i++)
        angle[i] = options->tilt_deg[i] * (M_PI / 180);
    np_anatomy_rotation(angle, tilt);
    multiply(visit, tilt, a->head_from_world);
}

static void draw_bias(const struct np_synth_options *options, struct np_random *random,
                      struct np_bias_model *bias)
{
    bias->shape = options->bias_shape;
    for (size_t i = 0; i < NP_COUNT(bias->coefficient); i++)
        bias->coefficient[i] = np_random_normal(random);
    bias->coil_sd_mm = between(random, 80, 110);
    for (int k = 0; k < 4; k++) {
        double side_x = k & 1 ? 1 : -1, side_y = k & 2 ? 1 : -1;
        bias->coil_mm[k][0] = side_x * between(random, 70, 120);
        bias->coil_mm[k][1] = side_y * between(random, 70, 130);
        bias->coil_mm[k][2] = between(random, -20, 70) + options->coil_shift_mm;
    }
}

void np_anatomy_make(const struct np_synth_options *options, struct np_anatomy *anatomy)
{
    struct np_random visit;

    memset(anatomy, 0, sizeof(*anatomy));
    draw_person(options, anatomy);
    draw_lesions(options, anatomy);
    np_random_seed(&visit, options->seed * 0x9e3779b97f4a7c15u + options->scan_seed, 2);
    draw_position(options, &visit, anatomy);
    draw_bias(options, &visit, &anatomy->bias);
}

void np_anatomy_head_position(const struct np_anatomy *a, const double world_mm[3],
                              double head_mm[3])
{
    for (int i = 0; i < 3; i++)
        head_mm[i] = a->head_from_world[i][0] * world_mm[0] +
                     a->head_from_world[i][1] * world_mm[1] +
                     a->head_from_world[i][2] * world_mm[2] + a->shift_mm[i];
}

double np_anatomy_brain_top_mm(const struct np_anatomy *a)
{
    return (CEREBRUM.at[2] + CEREBRUM.half[2]) * a->scale[2];
}

void np_anatomy_box(const struct np_anatomy *a, double low_mm[3], double high_mm[3])
{
    /* The template's largest extent, plus bending, position and a margin of air. */
    static const double REACH_LOW[3] = {-88, -103, -60}, REACH_HIGH[3] = {88, 107, 88};
    const double slack_mm = 10 + largest(0, a->gap_mm + a->skull_mm + a->fat_mm - 16);

    for (int i = 0; i < 3; i++) {
        low_mm[i] = REACH_LOW[i] * a->scale[i] - (i == 2 ? 0 : slack_mm);
        high_mm[i] = REACH_HIGH[i] * a->scale[i] + slack_mm;
    }
    if (!a->is_tilted)
        return;
    double middle[3], half[3];
    for (int i = 0; i < 3; i++) {
        middle[i] = 0.5 * (low_mm[i] + high_mm[i]);
        half[i] = 0.5 * (high_mm[i] - low_mm[i]);
    }
    for (int i = 0; i < 3; i++) { /* as of the ellipsoid in the box */
        double at = 0, reach2 = 0;
        for (int j = 0; j < 3; j++) {
            double r = a->head_from_world[j][i];
            at += r * middle[j];
            reach2 += r * r * half[j] * half[j];
        }
        low_mm[i] = at - 1.04 * sqrt(reach2);
        high_mm[i] = at + 1.04 * sqrt(reach2);
    }
}

/* ---- Fields ---- */

/* One position in all coordinates that the fields need. */
struct place {
    double template_mm[3]; /* scaled and unbent */
    double mirrored_mm[3]; /* x made positive */
    double slow;           /* slow random waves, sd 1 */
};

static struct place find_place(const struct np_anatomy *a, const double world_mm[3])
{
    static const double BEND_MM = 1.4;
    struct place place;
    double head_mm[3];

    np_anatomy_head_position(a, world_mm, head_mm);
    for (int i = 0; i < 3; i++)
        place.template_mm[i] =
            head_mm[i] / a->scale[i] + BEND_MM * np_waves_at(&a->warp[i], head_mm);
    /* Heads are wider behind the ears than at the temples. */
    place.template_mm[0] *= 1 + 0.0011 * clamp(place.template_mm[1] + 20, -80, 110);
    memcpy(place.mirrored_mm, place.template_mm, sizeof(place.mirrored_mm));
    place.mirrored_mm[0] = fabs(place.template_mm[0]);
    place.slow = np_waves_at(&a->slow, head_mm);
    return place;
}

static double neck_mm(const struct np_anatomy *a, const double p[3])
{
    double y_middle = -24 + 0.06 * (p[2] + 80);
    double u = p[0] / 57, v = (p[1] - y_middle) / 56;
    double below_chin = p[2] + 40; /* the neck begins inside the head */
    double neck = largest((sqrt(u * u + v * v) - a->neck_scale) * 56, below_chin);

    if (a->shoulder_mm <= 0)
        return neck;
    const struct ellipsoid shoulders = {{0, -34, -215}, {a->shoulder_mm, 72, 62}};
    return smooth_min(neck, ellipsoid_mm(p, &shoulders), 50);
}

static double head_mm(const struct np_anatomy *a, const double m[3])
{
    double d = smooth_min(ellipsoid_mm(m, &CRANIUM), ellipsoids_mm(m, FACE, 2, 12), 25);

    d = smooth_min(d, neck_mm(a, m), 22);
    d = smooth_min(d, ellipsoid_mm(m, &NOSE), 8);
    d = smooth_min(d, ellipsoid_mm(m, &EAR), 4);
    /* The orbits lie a little behind forehead and cheek. */
    const struct ellipsoid hollow = {{31, 96, -33}, {15, 15, 11}};
    return smooth_max(d, -ellipsoid_mm(m, &hollow), 8);
}

static double cerebrum_mm(const double m[3])
{
    double upper = smooth_max(ellipsoid_mm(m, &CEREBRUM), CEREBRUM_BASE_MM - m[2], 16);

    return smooth_min(upper, ellipsoid_mm(m, &TEMPORAL), 6);
}

static double stem_mm(const double m[3])
{
    return smooth_min(capsules_mm(m, STEM, NP_COUNT(STEM), 3), ellipsoid_mm(m, &PONS), 4);
}

/* Distance to the course of the venous sinuses: along the middle line above, and at the
 * tentorium's edge. */
static double sinus_course_mm(const double m[3])
{
    double sagittal = m[2] > -12 ? m[0] : 40;
    double transverse = m[1] < -34 ? fabs(m[2] + 11) : 40 + m[1];

    return smallest(sagittal, fabs(transverse));
}

/* Depth of the groove in the inner table where a sinus runs. */
static double sinus_groove_mm(const double m[3])
{
    double course = sinus_course_mm(m);

    return 2.2 * largest(0, 1 - course * course / 120);
}

/* Set the thickness of the skull and of its tables; return the thickness of the temporal muscle
 * outside, mm. */
static double set_skull_fields(const struct np_anatomy *a, const struct place *place, double *f)
{
    static const double TABLE_MM = 1.9, TEMPORALIS_MM = 14;
    static const struct ellipsoid TEMPLE = {{72, 8, -8}, {22, 30, 24}};
    static const struct ellipsoid PETROUS = {{45, -30, -36}, {34, 26, 24}};
    const double *m = place->mirrored_mm;
    double base = clamp((-12 - m[2]) / 20, 0, 1);
    double thick =
        a->skull_mm * clamp(1 + 0.15 * place->slow, 0.6, 1.4) + 3 * base * (m[1] < 30 ? 1 : -0.5);
    /* The skull is thin over the orbits and at the temples. */
    double orbit = clamp(0.2 + 0.08 * capsule_mm(m, &ORBIT), 0.2, 1);
    double squama = clamp(1 + 0.05 * (ellipsoid_mm(m, &TEMPLE) - 1), 0.5, 1);

    f[NP_FIELD_SKULL] = largest(thick * orbit * squama - sinus_groove_mm(m), 1.2);
    /* The petrous bone and the mastoid are compact, with cells of marrow here and there. */
    double compact = clamp(0.5 - 0.1 * ellipsoid_mm(m, &PETROUS), 0, 1);
    f[NP_FIELD_TEXTURE] = np_waves_at(&a->texture, place->template_mm);
    f[NP_FIELD_TABLE] = TABLE_MM + compact * largest(0, 8 - 6 * largest(f[NP_FIELD_TEXTURE], 0));
    return TEMPORALIS_MM * (1 - squama);
}

static void set_cranial_fields(const struct np_anatomy *a, const struct place *place, double *f)
{
    const double *m = place->mirrored_mm;
    double cerebrum = cerebrum_mm(m);
    double cerebellum = ellipsoids_mm(m, CEREBELLUM, 2, 8);
    double stem = stem_mm(m);
    double stem_in_mask = largest(stem, BRAIN_LOW_MM - m[2]);
    double filled = smooth_min(smooth_min(cerebrum, cerebellum, 16), stem_in_mask, 12);
    double course = sinus_course_mm(m);
    /* A fluid space wider than 3 mm is that wide over the convexity only. */
    double gap = smallest(a->gap_mm, 3) + largest(a->gap_mm - 3, 0) * clamp((m[2] + 20) / 30, 0, 1);

    gap = gap * clamp(1 + 0.25 * place->slow, 0.6, 1.5) + 1.2 * a->atrophy;

    f[NP_FIELD_CEREBRUM] = cerebrum * a->scale_mean;
    f[NP_FIELD_CEREBELLUM] = cerebellum * a->scale_mean;
    f[NP_FIELD_STEM] = stem * a->scale_mean;
    double hull = smooth_min(smooth_min(cerebrum, cerebellum, 10), stem_in_mask, 9) * a->scale_mean;
    f[NP_FIELD_HULL] = hull;
    /* The skull is at least 1 mm away from the brain mask. */
    f[NP_FIELD_CAVITY] = smallest(filled * a->scale_mean - gap - sinus_groove_mm(m), hull - 1);
    f[NP_FIELD_SINUS] =
        sqrt(course * course + (f[NP_FIELD_CAVITY] + 1.4) * (f[NP_FIELD_CAVITY] + 1.4)) -
        a->sinus_mm;
    f[NP_FIELD_SINUS] = smallest(
        f[NP_FIELD_SINUS], smallest(ellipsoid_mm(m, &PITUITARY), ellipsoid_mm(m, &CAVERNOUS)));
}

/* Scalp covers everything, also where a large brain moves the skull outwards. Above brow and
 * ears there is nothing but scalp. */
static void set_head_field(const struct place *place, double muscle_mm, double *f)
{
    static const double SCALP_MM = 4.5, SKIN_MM = 1.6;
    double scalp = f[NP_FIELD_CAVITY] - f[NP_FIELD_SKULL] - muscle_mm -
                   largest(SCALP_MM, SKIN_MM + f[NP_FIELD_FAT]);
    double crown = clamp((place->template_mm[2] - 2) / 20, 0, 1);

    f[NP_FIELD_HEAD] = smooth_min(f[NP_FIELD_HEAD], scalp, 8);
    f[NP_FIELD_HEAD] += crown * (largest(f[NP_FIELD_HEAD], scalp) - f[NP_FIELD_HEAD]);
}

/* Distance to the nearest sulcal sheet; see the top of this file. */
static double fold_mm(const struct np_anatomy *a, const double p[3])
{
    static const double RADIUS_MM = 36, MOST_MM = 8;
    double side = p[0] < 0 ? -1 : 1;
    double from_axis[3] = {p[0] - side * 21, p[1] - clamp(p[1], -42, 36), p[2] - 6};
    double r = sqrt(from_axis[0] * from_axis[0] + from_axis[1] * from_axis[1] +
                    from_axis[2] * from_axis[2]);

    if (r < 4)
        return MOST_MM;
    double q[3], gradient[3], slope2 = 0, radial = 0;
    for (int i = 0; i < 3; i++) {
        double unit = from_axis[i] / r;
        q[i] = p[i] - from_axis[i] + unit * RADIUS_MM;
    }
    q[0] += side * 200; /* each hemisphere has its own folds */
    double value = np_waves_gradient(&a->fold, q, gradient);
    for (int i = 0; i < 3; i++)
        radial += gradient[i] * from_axis[i] / r;
    for (int i = 0; i < 3; i++) {
        double across = gradient[i] - radial * from_axis[i] / r;
        /* Rays diverge around the line, and along it only beyond its ends. */
        double spread = i == 1 && from_axis[1] == 0 ? 1 : RADIUS_MM / r;
        slope2 += across * across * spread * spread;
    }
    /* Without the added constant, flat parts of the function would look like sheets. */
    return clamp(value / sqrt(slope2 + 0.004), -MOST_MM, MOST_MM);
}

static void set_brain_fields(const struct np_anatomy *a, const struct place *place, double *f)
{
    const double *p = place->template_mm, *m = place->mirrored_mm;

    if (f[NP_FIELD_CEREBRUM] < 6)
        f[NP_FIELD_FOLD] = fold_mm(a, p);
    f[NP_FIELD_FOLD_DEPTH] = clamp(12 + 4 * np_waves_at(&a->fold_depth, p), 5, 17);
    f[NP_FIELD_FISSURE] = p[0] + 1.2 * place->slow;
    f[NP_FIELD_FISSURE_END] = ellipsoid_mm(m, &CALLOSUM_AND_BELOW);
    /* Rises backwards. */
    f[NP_FIELD_SYLVIAN] =
        (m[2] + 6 + 0.35 * (m[1] - 10) - 0.15 * (m[0] - 45)) * 0.94 + 0.8 * place->slow;
    f[NP_FIELD_SYLVIAN_END] = largest(largest(36 - m[0], m[1] - 40), -38 - m[1]);
    f[NP_FIELD_VENTRICLE] =
        smallest(capsules_mm(m, VENTRICLE, NP_COUNT(VENTRICLE), 3),
                 smallest(ellipsoid_mm(m, &THIRD_VENTRICLE), ellipsoid_mm(m, &FOURTH_VENTRICLE))) -
        2.6 * a->atrophy;
    for (int k = 0; k < a->n_lesions; k++) {
        const double *c = a->lesion_mm[k];
        double d2 = 0;
        for (int i = 0; i < 3; i++)
            d2 += (p[i] - c[i]) * (p[i] - c[i]);
        f[NP_FIELD_LESION] =
            smallest(f[NP_FIELD_LESION], sqrt(d2) - c[3] * clamp(1 + 0.2 * place->slow, 0.6, 1.4));
    }
    f[NP_FIELD_DEEP_GREY] = ellipsoids_mm(m, DEEP_GREY, NP_COUNT(DEEP_GREY), 1);
}

/* Angle around the cerebellum's root in the sagittal plane, in folia. It is the rational angle
 * of a diamond: any smooth monotone angle will do. */
static double folia_count(const double m[3])
{
    static const double FOLIA_PER_QUADRANT = 13;
    double y = m[1] + 28, z = m[2] + 36;
    double sum = fabs(y) + fabs(z);

    if (sum < 1e-6)
        return 0;
    double quarter = z / sum; /* -1 below, 0 behind, 1 above */
    return FOLIA_PER_QUADRANT * (y < 0 ? quarter : 2 - quarter) + 0.03 * m[0];
}

static double spine_mm(const double m[3])
{
    double body = capsule_mm(m, &SPINE);
    double in_period = fabs(m[2] / VERTEBRA_MM - floor(m[2] / VERTEBRA_MM) - 0.5) * VERTEBRA_MM;
    double disc = in_period - (VERTEBRA_MM / 2 - 2.2);

    return smallest(largest(body, disc), largest(capsule_mm(m, &ARCHES), disc));
}

static void set_face_fields(const struct np_anatomy *a, const struct place *place, double *f)
{
    const double *m = place->mirrored_mm;

    f[NP_FIELD_AIR] = smallest(ellipsoids_mm(m, AIR, NP_COUNT(AIR), 1),
                               capsules_mm(m, AIRWAY, NP_COUNT(AIRWAY), 2));
    f[NP_FIELD_BONE] = smallest(capsules_mm(m, JAW, NP_COUNT(JAW), 3), spine_mm(m));
    struct ellipsoid eye = EYE;
    struct capsule orbit = ORBIT;
    for (int i = 0; i < 3; i++)
        eye.half[i] *= a->eye_scale;
    orbit.radius_a *= a->eye_scale;
    f[NP_FIELD_ORBIT] = capsule_mm(m, &orbit);
    f[NP_FIELD_EYE] = ellipsoid_mm(m, &eye);
    f[NP_FIELD_NERVE] = capsules_mm(m, NERVE, NP_COUNT(NERVE), 1) - a->nerve_mm;
    f[NP_FIELD_ARTERY] = capsules_mm(m, ARTERY, NP_COUNT(ARTERY), 1);
}

/* Log of the bias field at one position, not yet scaled. Coordinates are clamped, so that the
 * values stay moderate far from the head. */
static double bias_log(const struct np_bias_model *bias, const double world_mm[3])
{
    double power[3][4], sum = 0;
    int term = 0;

    if (bias->shape == NP_SYNTH_BIAS_COILS) {
        for (int k = 0; k < 4; k++) {
            double d2 = 0;
            for (int i = 0; i < 3; i++)
                d2 += (world_mm[i] - bias->coil_mm[k][i]) * (world_mm[i] - bias->coil_mm[k][i]);
            sum += np_exp(-0.5 * d2 / (bias->coil_sd_mm * bias->coil_sd_mm));
        }
        return np_log(0.1 + sum);
    }
    for (int i = 0; i < 3; i++) {
        double u = world_mm[i] / 90;
        power[i][0] = 1;
        power[i][1] = u / sqrt(1 + 0.3 * u * u);
        power[i][2] = power[i][1] * power[i][1];
        power[i][3] = power[i][2] * power[i][1];
    }
    for (int i = 0; i <= 3; i++)
        for (int j = 0; i + j <= 3; j++)
            for (int k = 0; i + j + k <= 3; k++)
                if (i + j + k > 0)
                    sum += bias->coefficient[term++] * power[0][i] * power[1][j] * power[2][k] /
                           (i + j + k);
    return sum;
}

/* Set the fields to their values far from every structure. */
static void set_far(double *f)
{
    for (int i = 0; i < NP_N_FIELDS; i++)
        f[i] = NP_FIELD_FAR_MM;
    f[NP_FIELD_FOLD] = 8;
    f[NP_FIELD_FOLIA] = 0;
    f[NP_FIELD_TEXTURE] = 0;
}

/* True where the head cannot be near, however it is bent; then the waves need not be computed. */
static bool is_far(const struct np_anatomy *a, const double world_mm[3])
{
    static const double FAR_MM = 30;
    double p[3];

    np_anatomy_head_position(a, world_mm, p);
    for (int i = 0; i < 3; i++)
        p[i] /= a->scale[i];
    p[0] = fabs(p[0]) * 0.9; /* the factor allows for the widening */
    return ellipsoid_mm(p, &CRANIUM) > FAR_MM && ellipsoid_mm(p, &FACE[0]) > FAR_MM &&
           ellipsoid_mm(p, &NOSE) > FAR_MM && neck_mm(a, p) > FAR_MM;
}

void np_anatomy_at(const struct np_anatomy *a, const double world_mm[3], float field[NP_N_FIELDS])
{
    static const double NEAR_MM = 14;
    double f[NP_N_FIELDS];

    set_far(f);
    if (is_far(a, world_mm)) {
        f[NP_FIELD_BIAS] = bias_log(&a->bias, world_mm);
        for (int i = 0; i < NP_N_FIELDS; i++)
            field[i] = (float)f[i];
        return;
    }
    struct place place = find_place(a, world_mm);
    f[NP_FIELD_HEAD] = head_mm(a, place.mirrored_mm) * a->scale_mean;
    f[NP_FIELD_FAT] = a->fat_mm * clamp(1 + 0.3 * place.slow, 0.5, 1.6);
    if (f[NP_FIELD_HEAD] < NEAR_MM) {
        set_cranial_fields(a, &place, f);
        if (f[NP_FIELD_CAVITY] > -NEAR_MM)
            set_head_field(&place, set_skull_fields(a, &place, f), f);
        else
            f[NP_FIELD_HEAD] = -NP_FIELD_FAR_MM;
        if (f[NP_FIELD_CAVITY] < NEAR_MM) {
            set_brain_fields(a, &place, f);
            f[NP_FIELD_FOLIA] = folia_count(place.mirrored_mm);
        }
        if (f[NP_FIELD_CAVITY] > -NEAR_MM)
            set_face_fields(a, &place, f);
    }
    f[NP_FIELD_BIAS] = bias_log(&a->bias, world_mm);
    for (int i = 0; i < NP_N_FIELDS; i++)
        field[i] = (float)(i == NP_FIELD_FOLIA || i == NP_FIELD_BIAS
                               ? f[i]
                               : clamp(f[i], -NP_FIELD_FAR_MM, NP_FIELD_FAR_MM));
}
