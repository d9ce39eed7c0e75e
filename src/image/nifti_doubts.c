/*
 * Where a header says one thing twice, and differently. The image can be used, but one of the two
 * statements is wrong, and only a person can tell which.
 *   1. The sform and the qform mirror each other, or place the image apart. For the latter the
 *      qform's axes get the sform's voxel sizes, because sizes are the next question.
 *   2. The columns of the sform are not as long as pixdim says.
 *   3. The code of the form that is used is none of the standard's.
 *   4. The slope is NaN or infinite.
 */
#include <math.h>

#include "image/nifti.h"

static const double MOST_APART_MM = 0.5;     /* header floats and quaternions differ by far less */
static const double MOST_SIZE_RATIO = 1.002; /* sizes are often rounded to three digits */

static void add_mirrored(const struct np_nifti_info *info, struct np_strings *sentences)
{
    struct np_grid by_qform = info->grid;
    char sform[4], qform[4];

    by_qform.world_from_voxel = info->world_from_voxel_by_qform;
    np_grid_axis_codes(&info->grid, sform);
    np_grid_axis_codes(&by_qform, qform);
    np_strings_give(
        sentences,
        np_xasprintf("the sform and the qform mirror each other: the voxel axes run towards %s by "
                     "the sform (code %d), which is used, and towards %s by the qform (code %d); "
                     "left may be right, compare with the original data",
                     sform, info->sform_code, qform, info->qform_code));
}

/* A pixdim of 0 says nothing. */
static bool sizes_differ(const struct np_nifti_info *info)
{
    const double *used = info->grid.spacing_mm, *stated = info->pixdim_mm;

    bool differ = false;

    for (int i = 0; i < 3; i++) {
        if (stated[i] == 0)
            return false;
        differ |= used[i] > stated[i] * MOST_SIZE_RATIO || stated[i] > used[i] * MOST_SIZE_RATIO;
    }
    return differ;
}

/* The qform's axes with the sform's voxel sizes; from the sform's origin when the sizes differ,
 * since an sform that was scaled as a whole has another origin too. */
static struct np_affine comparable_qform(const struct np_nifti_info *info)
{
    struct np_affine a = info->world_from_voxel_by_qform;

    for (int j = 0; j < 3; j++) {
        double length = sqrt(a.m[0][j] * a.m[0][j] + a.m[1][j] * a.m[1][j] + a.m[2][j] * a.m[2][j]);
        for (int i = 0; i < 3; i++)
            a.m[i][j] *= info->grid.spacing_mm[j] / length;
    }
    for (int i = 0; i < 3 && sizes_differ(info); i++)
        a.m[i][3] = info->grid.world_from_voxel.m[i][3];
    return a;
}

static double distance_mm(const double a[3], const double b[3])
{
    double sum = 0;

    for (int i = 0; i < 3; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum);
}

/* The corner whose two places are farthest from each other. */
static void add_apart(const struct np_nifti_info *info, struct np_strings *sentences)
{
    struct np_affine by_qform = comparable_qform(info);
    const int64_t *n = info->grid.n;
    double worst[3] = {0}, s[3] = {0}, q[3] = {0}, most_mm = 0;

    for (int corner = 0; corner < 8; corner++) {
        double voxel[3], by_s[3], by_q[3];
        for (int i = 0; i < 3; i++)
            voxel[i] = corner >> i & 1 ? (double)(n[i] - 1) : 0;
        np_affine_apply(&info->grid.world_from_voxel, voxel, by_s);
        np_affine_apply(&by_qform, voxel, by_q);
        if (distance_mm(by_s, by_q) <= most_mm)
            continue;
        most_mm = distance_mm(by_s, by_q);
        for (int i = 0; i < 3; i++)
            worst[i] = voxel[i], s[i] = by_s[i], q[i] = by_q[i];
    }
    if (most_mm > MOST_APART_MM)
        np_strings_give(
            sentences,
            np_xasprintf("the sform and the qform place the image up to %.1f mm apart: voxel (%g, "
                         "%g, %g) lies at (%.1f, %.1f, %.1f) mm by the sform (code %d), which is "
                         "used, and at (%.1f, %.1f, %.1f) mm by the qform (code %d)",
                         most_mm, worst[0], worst[1], worst[2], s[0], s[1], s[2], info->sform_code,
                         q[0], q[1], q[2], info->qform_code));
}

static void compare_forms(const struct np_nifti_info *info, struct np_strings *sentences)
{
    double sform = np_affine_determinant(&info->grid.world_from_voxel);
    double qform = np_affine_determinant(&info->world_from_voxel_by_qform);

    if ((sform < 0) != (qform < 0))
        add_mirrored(info, sentences);
    else
        add_apart(info, sentences);
}

static void compare_sizes(const struct np_nifti_info *info, struct np_strings *sentences)
{
    const double *used = info->grid.spacing_mm, *stated = info->pixdim_mm;

    if (sizes_differ(info))
        np_strings_give(
            sentences,
            np_xasprintf(
                "voxels are %.4g x %.4g x %.4g mm by the sform, which is used, and %.4g x "
                "%.4g x %.4g mm by pixdim: volumes are %.3g times those by pixdim; compare "
                "with the original data",
                used[0], used[1], used[2], stated[0], stated[1], stated[2],
                used[0] * used[1] * used[2] / (stated[0] * stated[1] * stated[2])));
}

void np_nifti_doubts(const struct np_nifti_info *info, struct np_strings *sentences)
{
    bool uses_sform = info->geometry == NP_GEOMETRY_SFORM;
    int code = uses_sform ? info->sform_code : info->qform_code;

    if (uses_sform && info->has_both_forms)
        compare_forms(info, sentences);
    if (uses_sform)
        compare_sizes(info, sentences);
    if (code != info->xform_code)
        np_strings_give(sentences,
                        np_xasprintf("expected a code of the NIfTI standard (1 to 5) for the %s, "
                                     "found %d; outputs are written with %d (aligned)",
                                     uses_sform ? "sform" : "qform", code, info->xform_code));
    if (!isfinite(info->stated_slope))
        np_strings_give(sentences, np_xasprintf("expected a finite scl_slope, found %g; the voxels "
                                                "are taken as stored, without scaling",
                                                info->stated_slope));
}
