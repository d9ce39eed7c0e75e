/*
 * 1. Draw the parameters of person and visit from the seeds (anatomy.c).
 * 2. Evaluate all surfaces and the bias field on a 3 mm lattice (lattice.c).
 * 3. For each slice of the grid in R, A, S order: interpolate the fields at 1 to n³ samples a
 *    voxel, find the tissue of each (tissue.c) and average; multiply by the bias field; add Rician
 *    noise from the slice's own random stream; store in the requested order.
 */
#include "synth/head.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementary.h"
#include "synth/lattice.h"
#include "synth/tissue.h"

/* The longest edge of a sample; a longer voxel is the average of several samples. */
static const double SAMPLE_MM = 1.5;

enum { MOST_VOXELS = 1024, MOST_SAMPLES = 4, NOISE_STREAM = 1 << 16, RINGS = 24 };

/* The image's grid in R, A, S order, and the memory layout of its voxels. */
struct frame {
    int64_t n[3];
    double spacing_mm[3];
    double first_mm[3]; /* centre of the leftmost, most posterior and most inferior voxel */
    int64_t stride[3];  /* of the stored voxels; may be negative */
    int64_t start;      /* index in memory of the voxel at first_mm */
    int n_sub[3];       /* samples per voxel */
};

struct drawing {
    const struct np_synth_options *options;
    const struct np_exec *exec;
    const struct np_anatomy *anatomy;
    const struct np_synth_lattice *lattice;
    struct frame frame;
    struct np_synth_lattice_axis axis[3];
    struct np_synth_tissue_options tissue;
    struct np_synth_head *head;
    float level[NP_SYNTH_N_LABELS];
    int *status; /* result of each slice */
};

/* Scratch memory of a slice. */
struct scratch {
    float *plane;                        /* [n_sub z][lattice plane] */
    float *fields;                       /* one lattice row */
    float *intensity, *brain, *log_bias; /* sums over the samples of a row's voxels */
    uint16_t *votes;                     /* [nx][NP_SYNTH_N_LABELS] */
};

void np_synth_options_init(struct np_synth_options *options)
{
    *options = (struct np_synth_options){.seed = 1,
                                         .scan_seed = 1,
                                         .spacing_mm = {1, 1, 1},
                                         .axes = "RAS",
                                         .neck_mm = 60,
                                         .atrophy = -1,
                                         .bias_percent = 30,
                                         .noise_percent = 3};
}

void np_synth_head_done(struct np_synth_head *head)
{
    np_image_freep(&head->image);
    np_mask_freep(&head->brain);
    np_image_freep(&head->log_bias);
    np_voxels_freep(&head->label);
}

int np_synth_bias(const struct np_synth_head *head, struct np_image **bias, struct np_error *err)
{
    struct np_image *field = np_image_new(&head->log_bias->grid);

    if (!field)
        return np_error_set(err, NP_ENOMEM, "synthetic head: no memory for a field of %zu MiB",
                            np_grid_mib(&head->log_bias->grid));
    for (size_t i = 0; i < np_grid_voxels(&field->grid); i++)
        field->voxel[i] = np_expf(head->log_bias->voxel[i]);
    *bias = field;
    return 0;
}

double np_synth_white(enum np_synth_contrast contrast)
{
    return np_synth_tissue_levels(contrast)[NP_SYNTH_WHITE];
}

/* World axis (0 R, 1 A, 2 S) and direction of an axis letter; -1 for another letter. */
static int axis_of(char letter, int *sign)
{
    static const char LETTERS[] = "RLAPSI";
    const char *found = letter ? strchr(LETTERS, letter) : NULL;

    if (!found)
        return -1;
    *sign = (found - LETTERS) % 2 ? -1 : 1;
    return (int)((found - LETTERS) / 2);
}

static bool is_axis_order(const char axes[4])
{
    int seen = 0, sign;

    for (int i = 0; i < 3; i++) {
        int axis = axis_of(axes[i], &sign);
        if (axis < 0)
            return false;
        seen |= 1 << axis;
    }
    return seen == 7 && axes[3] == '\0';
}

static int check_options(const struct np_synth_options *o, struct np_error *err)
{
    const struct {
        const char *name;
        double value, low, high;
    } ranges[] = {
        {"contrast", o->contrast, NP_SYNTH_T1W, NP_SYNTH_FLAIR},
        {"extent", o->extent, NP_SYNTH_WHOLE_HEAD, NP_SYNTH_STRIPPED},
        {"shape R", (double)o->shape[0], 0, MOST_VOXELS},
        {"shape A", (double)o->shape[1], 0, MOST_VOXELS},
        {"shape S", (double)o->shape[2], 0, MOST_VOXELS},
        {"spacing R", o->spacing_mm[0], 0.3, 10},
        {"spacing A", o->spacing_mm[1], 0.3, 10},
        {"spacing S", o->spacing_mm[2], 0.3, 10},
        {"neck", o->neck_mm, -60, 200},
        {"top's crop", o->crop_top_mm, 0, 60},
        {"oblique R", o->oblique_deg[0], -60, 60},
        {"oblique A", o->oblique_deg[1], -60, 60},
        {"oblique S", o->oblique_deg[2], -60, 60},
        {"CSF gap", o->csf_gap_mm ? o->csf_gap_mm : 1, 1, 10},
        {"brain scale", o->brain_scale ? o->brain_scale : 1, 0.75, 1.2},
        {"atrophy", o->atrophy < 0 ? 0 : o->atrophy, 0, 1},
        {"coil shift", o->coil_shift_mm, -150, 150},
        {"skull", o->skull_mm ? o->skull_mm : 2, 2, 12},
        {"fat", o->fat_mm ? o->fat_mm : 1, 1, 20},
        {"dura", o->dura_mm ? o->dura_mm : 1, 0.5, 3},
        {"sinus", o->sinus_mm ? o->sinus_mm : 1, 1, 8},
        {"vein", o->vein_mm, 0, 2},
        {"optic nerve", o->nerve_mm, 0, 5},
        {"eye scale", o->eye_scale ? o->eye_scale : 1, 0.7, 1.4},
        {"neck scale", o->neck_scale ? o->neck_scale : 1, 0.7, 1.5},
        {"shoulder", o->shoulder_mm, 0, 300},
        {"tilt R", o->tilt_deg[0], -60, 60},
        {"tilt A", o->tilt_deg[1], -60, 60},
        {"tilt S", o->tilt_deg[2], -60, 60},
        {"lesions", o->n_lesions, 0, NP_SYNTH_MOST_LESIONS},
        {"lesion", o->lesion_mm, 0, 30},
        {"bias shape", o->bias_shape, NP_SYNTH_BIAS_POLYNOMIAL, NP_SYNTH_BIAS_COILS},
        {"bias percent", o->bias_percent, 0, 149},
        {"noise percent", o->noise_percent, 0, 100},
        {"ghost percent", o->ghost_percent, 0, 50},
        {"k-space share", o->kspace_share ? o->kspace_share : 1, 0.3, 1},
    };

    for (size_t i = 0; i < NP_COUNT(ranges); i++)
        if (!(ranges[i].value >= ranges[i].low && ranges[i].value <= ranges[i].high))
            return np_error_set(err, NP_EUSAGE,
                                "synthetic head: %s must be from %g to %g, found %g",
                                ranges[i].name, ranges[i].low, ranges[i].high, ranges[i].value);
    if (!is_axis_order(o->axes))
        return np_error_set(err, NP_EUSAGE,
                            "synthetic head: storage axes must be like RAS or LPS, found '%.3s'",
                            o->axes);
    return 0;
}

/* Set the positions of the voxels: the grid is centred on the head left to right and back to
 * front, and the head's top is just inside. */
static void place_frame(const struct np_synth_options *o, const struct np_anatomy *anatomy,
                        struct frame *frame)
{
    double low_mm[3], high_mm[3];

    np_anatomy_box(anatomy, low_mm, high_mm);
    low_mm[2] -= o->neck_mm;
    if (o->crop_top_mm > 0)
        high_mm[2] = np_anatomy_brain_top_mm(anatomy) - o->crop_top_mm;
    for (int w = 0; w < 3; w++) {
        double edge_mm = o->spacing_mm[w];
        int64_t n = (int64_t)ceil((high_mm[w] - low_mm[w]) / edge_mm);
        frame->n[w] = o->shape[w] > 0 ? o->shape[w] : n;
        frame->spacing_mm[w] = edge_mm;
        double extent_mm = (double)frame->n[w] * edge_mm;
        double top_mm = w == 2 ? high_mm[w] : 0.5 * (low_mm[w] + high_mm[w] + extent_mm);
        frame->first_mm[w] = top_mm - extent_mm + 0.5 * edge_mm;
        frame->n_sub[w] = (int)fmin(ceil(edge_mm / SAMPLE_MM - 1e-9), MOST_SAMPLES);
    }
}

/* The grid in storage order; sets the frame's memory layout. */
static struct np_grid make_grid(const char axes[4], struct frame *frame)
{
    struct np_grid grid = {.n = {1, 1, 1, 1}, .world_from_voxel = np_affine_identity()};
    int64_t stride = 1;

    frame->start = 0;
    for (int a = 0; a < 3; a++) {
        int sign = 1, w = axis_of(axes[a], &sign);
        double last_mm = frame->first_mm[w] + (double)(frame->n[w] - 1) * frame->spacing_mm[w];
        grid.n[a] = frame->n[w];
        grid.spacing_mm[a] = frame->spacing_mm[w];
        grid.world_from_voxel.m[a][a] = 0;
        frame->stride[w] = sign * stride;
        frame->start += sign < 0 ? (frame->n[w] - 1) * stride : 0;
        grid.world_from_voxel.m[w][3] = sign < 0 ? last_mm : frame->first_mm[w];
        stride *= frame->n[w];
    }
    for (int a = 0; a < 3; a++) {
        int sign = 1, w = axis_of(axes[a], &sign);
        grid.world_from_voxel.m[w][a] = sign * frame->spacing_mm[w];
    }
    return grid;
}

/* True where defacing removes voxels: in front of a plane that slopes from the brow to the
 * throat. */
static bool in_face(const struct drawing *drawing, int64_t x, int64_t y, int64_t z)
{
    const struct frame *frame = &drawing->frame;
    double world_mm[3] = {frame->first_mm[0] + (double)x * frame->spacing_mm[0],
                          frame->first_mm[1] + (double)y * frame->spacing_mm[1],
                          frame->first_mm[2] + (double)z * frame->spacing_mm[2]};
    double p[3];

    np_anatomy_head_position(drawing->anatomy, world_mm, p);
    double size = drawing->anatomy->scale_mean;
    return 0.62 * p[1] - 0.78 * p[2] > 55 * size;
}

/* Store one voxel, without noise and before any part is removed. */
static void store_voxel(const struct drawing *drawing, const struct scratch *s, int64_t x,
                        int64_t y, int64_t z)
{
    const struct frame *frame = &drawing->frame;
    const struct np_synth_head *head = drawing->head;
    int64_t at = frame->start + x * frame->stride[0] + y * frame->stride[1] + z * frame->stride[2];
    float share = 1.0f / (float)(frame->n_sub[0] * frame->n_sub[1] * frame->n_sub[2]);
    float log_bias = s->log_bias[x] * share;
    const uint16_t *votes = s->votes + x * NP_SYNTH_N_LABELS;
    int most = 0;
    for (int label = 1; label < NP_SYNTH_N_LABELS; label++)
        if (votes[label] > votes[most])
            most = label;
    head->image->voxel[at] = s->intensity[x] * share * np_expf(log_bias);
    head->log_bias->voxel[at] = log_bias;
    head->brain->voxel[at] = s->brain[x] * share >= 0.5f;
    head->label[at] = (uint8_t)most;
}

/* Add up the samples along one line through the voxels of a row. */
static void add_samples(const struct drawing *drawing, struct scratch *s)
{
    const struct np_synth_lattice_axis *axis = &drawing->axis[0];
    int n_sub = drawing->frame.n_sub[0];
    float field[NP_N_FIELDS];
    struct np_synth_tissue tissue;

    for (int64_t i = 0; i < axis->n; i++) {
        int64_t x = i / n_sub;
        np_synth_lattice_point(s->fields, axis, i, field);
        np_synth_tissue_at(field, &drawing->tissue, &tissue);
        s->intensity[x] += tissue.intensity;
        s->brain[x] += tissue.brain;
        s->log_bias[x] += field[NP_FIELD_BIAS];
        s->votes[x * NP_SYNTH_N_LABELS + tissue.label]++;
    }
}

static void draw_row(const struct drawing *drawing, struct scratch *s, int64_t y)
{
    const struct frame *frame = &drawing->frame;
    size_t nx = (size_t)frame->n[0];
    int64_t plane_size = drawing->lattice->n[0] * drawing->lattice->n[1] * NP_N_FIELDS;

    memset(s->intensity, 0, nx * sizeof(*s->intensity));
    memset(s->brain, 0, nx * sizeof(*s->brain));
    memset(s->log_bias, 0, nx * sizeof(*s->log_bias));
    memset(s->votes, 0, nx * NP_SYNTH_N_LABELS * sizeof(*s->votes));
    for (int sz = 0; sz < frame->n_sub[2]; sz++)
        for (int sy = 0; sy < frame->n_sub[1]; sy++) {
            np_synth_lattice_row(drawing->lattice, s->plane + sz * plane_size, &drawing->axis[1],
                                 y * frame->n_sub[1] + sy, s->fields);
            add_samples(drawing, s);
        }
}

static void scratch_done(struct scratch *s)
{
    np_freep(&s->plane);
    np_freep(&s->votes);
}

/* All floats are one allocation; `plane` is its start. */
static bool scratch_make(const struct drawing *drawing, struct scratch *s)
{
    size_t nx = (size_t)drawing->frame.n[0];
    size_t row = (size_t)drawing->lattice->n[0] * NP_N_FIELDS;
    size_t planes = (size_t)drawing->frame.n_sub[2] * (size_t)drawing->lattice->n[1] * row;

    s->plane = np_try_malloc(planes + row + 3 * nx, sizeof(float));
    s->votes = np_try_malloc(nx * NP_SYNTH_N_LABELS, sizeof(*s->votes));
    if (!s->plane || !s->votes)
        return false;
    s->fields = s->plane + planes;
    s->intensity = s->fields + row;
    s->brain = s->intensity + nx;
    s->log_bias = s->brain + nx;
    return true;
}

/* The index in memory of the voxel at x, y, z of the frame. */
static int64_t place_of(const struct frame *frame, int64_t x, int64_t y, int64_t z)
{
    return frame->start + x * frame->stride[0] + y * frame->stride[1] + z * frame->stride[2];
}

/* Cut off the ends of k-space for one row along A: convolve it with f sinc(f n). The row is 0
 * beyond its ends. */
static void cut_off(const float *row, int64_t n, const double *kernel, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t k = -RINGS; k <= RINGS; k++)
            if (i + k >= 0 && i + k < n)
                sum += kernel[k + RINGS] * row[i + k];
        out[i] = (float)sum;
    }
}

static void make_kernel(double share, double *kernel)
{
    double sum = 0;

    for (int k = -RINGS; k <= RINGS; k++) {
        double phase = M_PI * share * k;
        kernel[k + RINGS] = k == 0 ? share : share * np_sin(phase) / phase;
        sum += kernel[k + RINGS];
    }
    for (int k = 0; k <= 2 * RINGS; k++)
        kernel[k] /= sum;
}

/* Ringing and ghosts along A, on the signal before its magnitude is taken. */
static bool blur_rows(const struct drawing *drawing, int64_t z)
{
    const struct np_synth_options *o = drawing->options;
    const struct frame *frame = &drawing->frame;
    float *voxel = drawing->head->image->voxel;
    int64_t n = frame->n[1];
    double kernel[2 * RINGS + 1];

    if (o->ghost_percent <= 0 && o->kspace_share <= 0)
        return true;
    NP_AUTO(np_freep) float *row = np_try_malloc((size_t)n, 2 * sizeof(*row));
    if (!row)
        return false;
    make_kernel(o->kspace_share > 0 ? o->kspace_share : 1, kernel);
    for (int64_t x = 0; x < frame->n[0]; x++) {
        float *out = row + n;
        for (int64_t y = 0; y < n; y++)
            row[y] = voxel[place_of(frame, x, y, z)];
        if (o->kspace_share > 0)
            cut_off(row, n, kernel, out);
        else
            memcpy(out, row, (size_t)n * sizeof(*row));
        for (int64_t y = 0; y < n; y++)
            voxel[place_of(frame, x, y, z)] =
                out[y] + (float)(o->ghost_percent / 100) * out[(y + n / 2) % n];
    }
    return true;
}

/* Add noise to both parts of the complex signal, take its magnitude, and apply the extent
 * (defacing, stripping). */
static void finish_slice(const struct drawing *drawing, int64_t z)
{
    const struct np_synth_options *o = drawing->options;
    const struct frame *frame = &drawing->frame;
    const struct np_synth_head *head = drawing->head;
    double sd = o->noise_percent / 100 * np_synth_white(o->contrast);
    struct np_random random;

    np_random_seed(&random, o->seed * 0x9e3779b97f4a7c15u + o->scan_seed,
                   NOISE_STREAM + (uint64_t)z);
    for (int64_t y = 0; y < frame->n[1]; y++)
        for (int64_t x = 0; x < frame->n[0]; x++) {
            int64_t at = place_of(frame, x, y, z);
            double value = head->image->voxel[at];
            if (sd > 0) {
                double real = value + sd * np_random_normal(&random);
                double imaginary = sd * np_random_normal(&random);
                value = sqrt(real * real + imaginary * imaginary);
            }
            head->image->voxel[at] = (float)fabs(value);
            bool is_brain = head->brain->voxel[at];
            if ((o->extent == NP_SYNTH_STRIPPED && !is_brain) ||
                (o->extent == NP_SYNTH_DEFACED && !is_brain && in_face(drawing, x, y, z))) {
                head->image->voxel[at] = 0;
                head->label[at] = NP_SYNTH_AIR;
            }
        }
}

/* Draw one slice of the frame. */
static void draw_slice(void *context, int64_t z)
{
    const struct drawing *drawing = context;
    const struct frame *frame = &drawing->frame;
    int64_t plane_size = drawing->lattice->n[0] * drawing->lattice->n[1] * NP_N_FIELDS;
    NP_AUTO(scratch_done) struct scratch s = {0};

    if (np_exec_canceled(drawing->exec))
        return;
    if (!scratch_make(drawing, &s)) {
        drawing->status[z] = NP_ENOMEM;
        return;
    }
    for (int sz = 0; sz < frame->n_sub[2]; sz++)
        np_synth_lattice_plane(drawing->lattice, &drawing->axis[2], z * frame->n_sub[2] + sz,
                               s.plane + sz * plane_size);
    for (int64_t y = 0; y < frame->n[1]; y++) {
        draw_row(drawing, &s, y);
        for (int64_t x = 0; x < frame->n[0]; x++)
            store_voxel(drawing, &s, x, y, z);
    }
    if (!blur_rows(drawing, z))
        drawing->status[z] = NP_ENOMEM;
    finish_slice(drawing, z);
}

/* The lattice covers the head, and continues down to the image's lower end. */
static struct np_synth_lattice cover_head(const struct frame *frame,
                                          const struct np_anatomy *anatomy)
{
    static const double MOST_NECK_MM = 260;
    double low_mm[3], high_mm[3];

    np_anatomy_box(anatomy, low_mm, high_mm);
    double bottom_mm = frame->first_mm[2] - frame->spacing_mm[2];
    low_mm[2] = fmax(fmin(low_mm[2], bottom_mm), low_mm[2] - MOST_NECK_MM);
    for (int w = 0; w < 2 && anatomy->shoulder_mm > 0; w++) {
        double end_mm = frame->first_mm[w] + (double)frame->n[w] * frame->spacing_mm[w];
        low_mm[w] = fmin(low_mm[w], fmax(frame->first_mm[w] - frame->spacing_mm[w], -250));
        high_mm[w] = fmax(high_mm[w], fmin(end_mm, 250));
    }
    return np_synth_lattice_cover(low_mm, high_mm);
}

static int make_axes(struct drawing *drawing, struct np_error *err)
{
    const struct frame *frame = &drawing->frame;

    for (int w = 0; w < 3; w++) {
        double step_mm = frame->spacing_mm[w] / frame->n_sub[w];
        double first_mm = frame->first_mm[w] - 0.5 * (frame->spacing_mm[w] - step_mm);
        NP_TRY(np_synth_lattice_axis_make(drawing->lattice, w, first_mm, step_mm,
                                          frame->n[w] * frame->n_sub[w], &drawing->axis[w], err));
    }
    return 0;
}

static void drawing_done(struct drawing *drawing)
{
    for (int w = 0; w < 3; w++)
        np_synth_lattice_axis_done(&drawing->axis[w]);
    np_freep(&drawing->status);
}

/* Prepare the data that all slices share. */
static int prepare(struct drawing *drawing, struct np_error *err)
{
    double sample_mm3 = 1;

    for (int w = 0; w < 3; w++)
        sample_mm3 *= drawing->frame.spacing_mm[w] / drawing->frame.n_sub[w];
    const struct np_synth_options *o = drawing->options;
    for (int label = 0; label < NP_SYNTH_N_LABELS; label++)
        drawing->level[label] =
            o->level[label] > 0 ? o->level[label] : np_synth_tissue_levels(o->contrast)[label];
    drawing->tissue.level = drawing->level;
    drawing->tissue.dura_mm = o->dura_mm > 0 ? (float)o->dura_mm : 0.9f;
    drawing->tissue.vein_mm = (float)o->vein_mm;
    drawing->tissue.edge_mm = (float)np_cbrt(sample_mm3);
    drawing->tissue.atrophy = (float)drawing->anatomy->atrophy;
    NP_TRY(make_axes(drawing, err));
    drawing->status = np_try_calloc((size_t)drawing->frame.n[2], sizeof(*drawing->status));
    if (!drawing->status)
        return np_error_set(err, NP_ENOMEM, "synthetic head: no memory for %" PRId64 " slices",
                            drawing->frame.n[2]);
    return 0;
}

static int draw_slices(struct drawing *drawing, struct np_error *err)
{
    np_exec_run(drawing->exec, drawing->frame.n[2], draw_slice, drawing);
    NP_TRY(np_exec_check(drawing->exec, err));
    for (int64_t z = 0; z < drawing->frame.n[2]; z++)
        if (drawing->status[z] < 0)
            return np_error_set(err, drawing->status[z],
                                "synthetic head: no memory for slice %" PRId64, z);
    return 0;
}

static int new_head(const struct np_grid *grid, struct np_synth_head *head, struct np_error *err)
{
    head->image = np_image_new(grid);
    head->log_bias = np_image_new(grid);
    head->brain = np_mask_new(grid);
    head->label = np_try_voxels(np_grid_voxels(grid), 1);
    if (!head->image || !head->log_bias || !head->brain || !head->label)
        return np_error_set(err, NP_ENOMEM,
                            "synthetic head: no memory for %" PRId64 " x %" PRId64 " x %" PRId64
                            " voxels (two images of %zu MiB and two masks)",
                            grid->n[0], grid->n[1], grid->n[2], np_grid_mib(grid));
    return 0;
}

/* The head was drawn in the scanner's axes; set the grids to lie obliquely in the world. */
static void turn_grids(const struct np_synth_options *options, const struct np_synth_head *head)
{
    struct np_affine turn = np_affine_identity();
    double angle_rad[3], r[3][3];

    for (int i = 0; i < 3; i++)
        angle_rad[i] = options->oblique_deg[i] * (M_PI / 180);
    np_anatomy_rotation(angle_rad, r);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            turn.m[i][j] = r[i][j];
    struct np_affine world = np_affine_mul(&turn, &head->image->grid.world_from_voxel);
    head->image->grid.world_from_voxel = world;
    head->log_bias->grid.world_from_voxel = world;
    head->brain->grid.world_from_voxel = world;
}

int np_synth_head(const struct np_synth_options *options, const struct np_exec *exec,
                  struct np_synth_head *out, struct np_error *err)
{
    NP_AUTO(np_synth_head_done) struct np_synth_head head = {0};
    NP_AUTO(np_synth_lattice_done) struct np_synth_lattice lattice = {{0}, {0}, NULL};
    NP_AUTO(drawing_done)
    struct drawing drawing = {.options = options, .exec = exec, .lattice = &lattice, .head = &head};
    struct np_anatomy anatomy;

    NP_TRY(check_options(options, err));
    np_anatomy_make(options, &anatomy);
    drawing.anatomy = &anatomy;
    place_frame(options, &anatomy, &drawing.frame);
    struct np_grid grid = make_grid(options->axes, &drawing.frame);
    NP_TRY(new_head(&grid, &head, err));
    lattice = cover_head(&drawing.frame, &anatomy);
    NP_TRY(prepare(&drawing, err));
    NP_TRY(np_synth_lattice_fill(&lattice, &anatomy, options->bias_percent, exec, err));
    NP_TRY(draw_slices(&drawing, err));
    turn_grids(options, &head);
    *out = head;
    head = (struct np_synth_head){0};
    return 0;
}
