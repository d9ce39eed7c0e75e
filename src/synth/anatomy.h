/*
 * The anatomy of one synthetic head as smooth functions of position, most of them signed distances
 * in mm (negative inside). Private to synth.
 */
#ifndef NP_SYNTH_ANATOMY_H
#define NP_SYNTH_ANATOMY_H

#include "synth/head.h"
#include "synth/waves.h"

/* The fields that are computed at every position. Distances are clamped to ±NP_FIELD_FAR_MM. */
enum np_field {
    NP_FIELD_HEAD,        /* skin */
    NP_FIELD_CAVITY,      /* inner face of the skull */
    NP_FIELD_SKULL,       /* thickness of the skull, mm */
    NP_FIELD_TABLE,       /* compact bone on either side of the marrow, mm */
    NP_FIELD_FAT,         /* depth of the fat layer below the skin's surface, mm */
    NP_FIELD_HULL,        /* the brain mask's surface */
    NP_FIELD_CEREBRUM,    /* unfolded cerebral surface */
    NP_FIELD_CEREBELLUM,  /* unfolded cerebellar surface */
    NP_FIELD_STEM,        /* brain stem and cord */
    NP_FIELD_FOLD,        /* to the nearest sulcal sheet, signed by its side */
    NP_FIELD_FOLD_DEPTH,  /* how deep sulci go here, mm */
    NP_FIELD_FISSURE,     /* to the plane between the hemispheres, signed by its side */
    NP_FIELD_FISSURE_END, /* negative where callosum and diencephalon join the hemispheres */
    NP_FIELD_SYLVIAN,     /* to the Sylvian fissure's sheet, signed by its side */
    NP_FIELD_SYLVIAN_END, /* positive beyond the sheet's border */
    NP_FIELD_FOLIA,       /* cerebellar folia, counted: a fissure at every integer */
    NP_FIELD_VENTRICLE,
    NP_FIELD_DEEP_GREY,
    NP_FIELD_AIR,   /* sinuses, nose, airway, ear canals */
    NP_FIELD_BONE,  /* face, jaw, spine */
    NP_FIELD_ORBIT, /* the orbit's fat */
    NP_FIELD_EYE,
    NP_FIELD_NERVE,
    NP_FIELD_ARTERY,
    NP_FIELD_LESION,
    NP_FIELD_SINUS,   /* venous sinuses */
    NP_FIELD_TEXTURE, /* fat planes between muscles where it is near 0 */
    NP_FIELD_BIAS,    /* raw log bias */
    NP_N_FIELDS
};

#define NP_FIELD_FAR_MM 20.0

/* Coil sensitivities or a polynomial; see np_anatomy_node. */
struct np_bias_model {
    enum np_synth_bias_shape shape;
    double coefficient[20];
    double coil_mm[4][3];
    double coil_sd_mm;
};

struct np_anatomy {
    double head_from_world[3][3]; /* position in the scanner: rotation, then shift */
    double shift_mm[3];
    double scale[3]; /* person / template, along R, A, S */
    double scale_mean;
    double atrophy;
    double gap_mm;
    double skull_mm;
    double fat_mm;
    double sinus_mm;
    double nerve_mm;
    double eye_scale;
    double neck_scale;
    double shoulder_mm;
    bool is_tilted;
    int n_lesions;
    double lesion_mm[NP_SYNTH_MOST_LESIONS][4]; /* centre in the template, radius */
    struct np_waves warp[3];
    struct np_waves fold, fold_depth, slow, texture;
    struct np_bias_model bias;
};

/* Draw the random parameters of the person and of the visit from the seeds; the options are
 * valid. */
void np_anatomy_make(const struct np_synth_options *options, struct np_anatomy *anatomy);

/* Compute all fields at one position. */
void np_anatomy_at(const struct np_anatomy *anatomy, const double world_mm[3],
                   float field[NP_N_FIELDS]);

/* Box that holds the head, world mm;
 * its lower end is the brain's lowest point (of the stem's cut). */
void np_anatomy_box(const struct np_anatomy *anatomy, double low_mm[3], double high_mm[3]);

/* About the brain's highest point; the shift of the visit is left out. */
double np_anatomy_brain_top_mm(const struct np_anatomy *anatomy);

/* Rz Ry Rx of three angles about the axes. */
void np_anatomy_rotation(const double angle_rad[3], double r[3][3]);

/* Head coordinates of a world position. */
void np_anatomy_head_position(const struct np_anatomy *anatomy, const double world_mm[3],
                              double head_mm[3]);

#endif
