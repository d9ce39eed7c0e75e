/* Writing NIfTI: what we write is read back by us, by niftilib and by nibabel as what it was. */
#include <math.h>
#include <nifti2_io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/random.h"
#include "codec/sha256.h"
#include "image/nifti.h"
#include "tap.h"

static const char *file_name(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", tap_directory(), name);
    return path;
}

/* Rotated about two axes, anisotropic, mirrored: what scanners produce. */
static struct np_grid oblique_grid(void)
{
    const double c = 0.96, s = 0.28, c2 = 0.8, s2 = 0.6; /* Pythagorean: exact cosines */
    const double direction[3][3] = {{-c, -s * c2, s * s2}, {s, -c * c2, c * s2}, {0, s2, c2}};
    struct np_grid grid = np_grid_make(17, 23, 11, 0.7, 0.8, 2.5);

    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            grid.world_from_voxel.m[i][j] = direction[i][j] * grid.spacing_mm[j];
        grid.world_from_voxel.m[i][3] = 10.5 * i - 31.25;
    }
    return grid;
}

static struct np_image *make_image(const struct np_grid *grid)
{
    struct np_image *image = np_image_new(grid);
    struct np_random random;

    np_random_seed(&random, 3, 0);
    for (size_t i = 0; i < np_grid_voxels(grid); i++)
        image->voxel[i] = (float)(1000 * np_random_uniform(&random));
    return image;
}

static int write_image(const char *path, const struct np_image *image,
                       const struct np_nifti_output *how, struct np_nifti_written *written,
                       struct np_error *err)
{
    *err = (struct np_error){0};
    return np_nifti_write_image(path, path, image, how, NULL, written, err);
}

TEST(an_image_comes_back_bit_by_bit_in_both_versions_plain_and_gzipped)
{
    static const char *const names[] = {"round.nii", "round.nii.gz"};
    struct np_grid grid = oblique_grid();
    NP_AUTO(np_image_freep) struct np_image *image = make_image(&grid);
    size_t n = np_grid_voxels(&grid);
    char voxels[NP_SHA256_HEX];

    np_sha256_of(image->voxel, n * sizeof(float), voxels);
    for (int version = 1; version <= 2; version++)
        for (int i = 0; i < 2; i++) {
            NP_AUTO(np_image_freep) struct np_image *back = NULL;
            struct np_nifti_info like = {.version = version, .xform_code = 1}, info;
            struct np_nifti_output how = {.like = &like, .description = "a test"};
            struct np_nifti_written written;
            struct np_nifti_content content;
            struct np_error err;
            const char *path = file_name(names[i]);
            ok_int(write_image(path, image, &how, &written, &err), 0);
            ok_int(np_nifti_read_volume(path, NULL, &info, &content, &back, &err), 0);
            ok_str(err.text, "");
            ok(back && memcmp(back->voxel, image->voxel, n * sizeof(float)) == 0);
            ok(back && np_grid_same(&back->grid, &grid));
            ok_int(info.version, version);
            ok_int(info.gzipped, i == 1);
            ok_int(info.file_bytes, written.n_bytes);
            ok_int(info.qform_code, 1);
            ok_int(info.sform_code, 1);
            ok_str(content.sha256, written.sha256);
            ok_str(written.voxel_sha256, voxels);
            ok_int(content.n_extra_bytes, 0);
        }
}

TEST(a_second_generation_has_the_same_bytes)
{
    struct np_grid grid = oblique_grid();
    NP_AUTO(np_image_freep) struct np_image *image = make_image(&grid);
    NP_AUTO(np_image_freep) struct np_image *back = NULL;
    struct np_nifti_written first, second;
    struct np_nifti_content content;
    struct np_nifti_info info;
    struct np_error err;

    ok_int(write_image(file_name("first.nii.gz"), image, NULL, &first, &err), 0);
    ok_int(np_nifti_read_volume(file_name("first.nii.gz"), NULL, &info, &content, &back, &err), 0);
    struct np_nifti_output how = {.like = &info};
    ok_int(write_image(file_name("second.nii.gz"), back, &how, &second, &err), 0);
    ok_str(first.sha256, second.sha256);
}

TEST(the_bytes_are_the_same_for_any_number_of_threads)
{
    static const int threads[] = {1, 2, 3, 8};
    struct np_grid grid = np_grid_make(120, 110, 90, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = make_image(&grid);
    struct np_nifti_written written[NP_COUNT(threads)];
    struct np_error err = {0};

    for (size_t i = 0; i < NP_COUNT(threads); i++) {
        NP_AUTO(np_team_freep) struct np_team *team = np_team_new(threads[i]);
        struct np_exec exec = {.team = team};
        const char *path = file_name("threads.nii.gz");
        ok_int(np_nifti_write_image(path, path, image, NULL, &exec, &written[i], &err), 0);
        ok_str(written[i].sha256, written[0].sha256);
        ok_str(written[i].voxel_sha256, written[0].voxel_sha256);
    }
}

TEST(niftilib_reads_what_we_write)
{
    struct np_grid grid = oblique_grid();
    NP_AUTO(np_image_freep) struct np_image *image = make_image(&grid);
    struct np_nifti_info like = {.xform_code = 2, .slice_code = 3, .dim_info = 0x39};

    for (int version = 1; version <= 2; version++) {
        struct np_nifti_output how = {.like = &like, .description = "by us"};
        struct np_nifti_written written;
        struct np_error err;
        like.version = version;
        ok_int(write_image(file_name("theirs.nii.gz"), image, &how, &written, &err), 0);
        nifti_image *theirs = nifti_image_read(file_name("theirs.nii.gz"), 1);
        ok(theirs != NULL);
        if (!theirs)
            return;
        ok_int(theirs->iname_offset, version == 1 ? 352 : 544);
        ok_int(theirs->nx, 17);
        ok_int(theirs->datatype, NIFTI_TYPE_FLOAT32);
        ok_int(theirs->qform_code, 2);
        ok_int(theirs->slice_code, 3);
        ok_int(theirs->slice_dim, 3);
        ok_int(theirs->slice_end, 10);
        ok_int(theirs->freq_dim, 1);
        ok_int(theirs->xyz_units, NIFTI_UNITS_MM);
        ok_str(theirs->descrip, "by us");
        ok(memcmp(theirs->data, image->voxel, np_grid_voxels(&grid) * sizeof(float)) == 0);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 4; j++) {
                double expected = grid.world_from_voxel.m[i][j];
                ok_near(theirs->sto_xyz.m[i][j], expected, 1e-5, "sform, mm (floats)");
                ok_near(theirs->qto_xyz.m[i][j], expected, 1e-5, "qform, mm (floats)");
            }
        nifti_image_free(theirs);
    }
}

static const char nibabel_program[] =
    "import sys, numpy, nibabel; d = sys.argv[1]\n"
    "i = nibabel.load(d + '/nib.nii.gz'); m = nibabel.load(d + '/nibmask.nii.gz')\n"
    "v = numpy.fromfile(d + '/voxels', '<f4').reshape(i.shape, order='F')\n"
    "assert i.shape == (17, 23, 11) and i.get_data_dtype() == numpy.float32\n"
    "assert (i.get_fdata(dtype=numpy.float32) == v).all()\n"
    "assert numpy.allclose(i.get_qform(), i.get_sform(), atol=1e-5)\n"
    "assert numpy.allclose(i.header.get_zooms(), (0.7, 0.8, 2.5))\n"
    "j = nibabel.load(d + '/nib2.nii'); assert type(j) is nibabel.Nifti2Image\n"
    "assert (j.get_fdata(dtype=numpy.float32) == v).all()\n"
    "assert numpy.allclose(j.get_qform(), j.get_sform(), atol=1e-9)\n"
    "assert m.get_data_dtype() == numpy.uint8\n"
    "f = numpy.asarray(m.dataobj).ravel(order='F')\n"
    "assert (f == (numpy.arange(f.size) % 3 == 0)).all()\n";

TEST(nibabel_reads_what_we_write)
{
    struct np_grid grid = oblique_grid();
    NP_AUTO(np_image_freep) struct np_image *image = make_image(&grid);
    NP_AUTO(np_mask_freep) struct np_mask *mask = np_mask_new(&grid);
    struct np_nifti_written written;
    struct np_error err = {0};
    FILE *raw = fopen(file_name("voxels"), "wb");

    if (!tap_succeeds("/usr/bin/python3", "-c", "import nibabel")) {
        fclose(raw);
        tap_skip("no nibabel here");
        return;
    }
    fwrite(image->voxel, sizeof(float), np_grid_voxels(&grid), raw);
    fclose(raw);
    for (size_t i = 0; i < np_grid_voxels(&grid); i++)
        mask->voxel[i] = i % 3 == 0;
    ok_int(write_image(file_name("nib.nii.gz"), image, NULL, &written, &err), 0);
    struct np_nifti_info like = {.version = 2, .xform_code = 1};
    struct np_nifti_output how = {.like = &like};
    ok_int(write_image(file_name("nib2.nii"), image, &how, &written, &err), 0);
    ok_int(np_nifti_write_mask(file_name("nibmask.nii.gz"), file_name("nibmask.nii.gz"), mask, NULL,
                               NULL, &written, &err),
           0);
    ok(tap_succeeds("/usr/bin/python3", "-c", nibabel_program, tap_directory()));
}

TEST(a_sheared_grid_has_an_sform_only)
{
    struct np_grid grid = np_grid_make(5, 6, 7, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *back = NULL;
    struct np_nifti_written written;
    struct np_nifti_content content;
    struct np_nifti_info info;
    struct np_error err;

    grid.world_from_voxel.m[0][1] = 0.2;
    grid.spacing_mm[1] = sqrt(1.04);
    NP_AUTO(np_image_freep) struct np_image *image = make_image(&grid);
    ok_int(write_image(file_name("shear.nii"), image, NULL, &written, &err), 0);
    ok_int(np_nifti_read_volume(file_name("shear.nii"), NULL, &info, &content, &back, &err), 0);
    ok_int(info.qform_code, 0);
    ok_int(info.geometry, NP_GEOMETRY_SFORM);
    ok(back && np_grid_same(&back->grid, &grid));
}

TEST(an_axis_beyond_32767_makes_it_version_2)
{
    struct np_grid grid = np_grid_make(40000, 2, 2, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = make_image(&grid);
    struct np_nifti_written written;
    struct np_nifti_info info;
    struct np_error err;

    ok_int(write_image(file_name("long.nii.gz"), image, NULL, &written, &err), 0);
    ok_int(np_nifti_read_info(file_name("long.nii.gz"), &info, &err), 0);
    ok_int(info.version, 2);
    ok_int(info.grid.n[0], 40000);
}

TEST(the_bytes_go_to_the_temporary_and_errors_name_the_target)
{
    struct np_grid grid = np_grid_make(50, 60, 70, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = make_image(&grid);
    struct np_nifti_written written = {.n_bytes = 99};
    struct np_error err = {0};

    ok_int(np_nifti_write_image("x/out.nii.gz", "/dev/null/nowhere", image, NULL, NULL, &written,
                                &err),
           NP_ECREATE);
    ok_contains(err.text, "'x/out.nii.gz': cannot create: Not a directory");
    err = (struct np_error){0};
    ok_int(np_nifti_write_image("out.nii.gz", file_name(".out.tmp"), image, NULL, NULL, &written,
                                &err),
           0);
    ok(np_path_exists(file_name(".out.tmp")) && !np_path_exists("out.nii.gz"));
    if (access("/dev/full", W_OK) != 0)
        return;
    err = (struct np_error){0};
    written.n_bytes = 99;
    ok_int(np_nifti_write_image("out.nii.gz", "/dev/full", image, NULL, NULL, &written, &err),
           NP_ESPACE);
    ok_contains(err.text, "'out.nii.gz': cannot write");
    ok_int(written.n_bytes, 99);
}

TEST(every_failed_allocation_is_no_memory)
{
    struct np_grid grid = np_grid_make(60, 60, 60, 1, 1, 1);
    NP_AUTO(np_image_freep) struct np_image *image = make_image(&grid);
    int code = NP_ENOMEM, nth;

    for (nth = 1; code == NP_ENOMEM && nth < 50; nth++) {
        struct np_nifti_written written = {.n_bytes = 99};
        struct np_error err;
        np_alloc_fail_at(nth);
        code = write_image(file_name("memory.nii.gz"), image, NULL, &written, &err);
        ok(code == 0 || (code == NP_ENOMEM && written.n_bytes == 99 &&
                         strstr(err.text, "memory.nii.gz': ") && strstr(err.text, "no memory")));
    }
    np_alloc_fail_at(0);
    ok_int(code, 0);
    ok(nth > 3);
}

TAP_MAIN
