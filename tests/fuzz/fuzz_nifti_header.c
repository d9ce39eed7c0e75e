/* Any bytes as a NIfTI header. Finding: no crash, no undefined arithmetic; what is accepted is what
 * the rest of the program builds upon. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "image/nifti_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct np_nifti_info info;
    struct np_nifti_layout layout;
    struct np_error err = {0};
    struct np_affine inverse;

    if (np_nifti_parse("fuzz.nii", bytes, n_bytes, &info, &layout, &err) < 0) {
        require(err.code < 0 && err.text[0] != '\0');
        return 0;
    }
    struct np_strings doubts = {0};
    np_nifti_doubts(&info, &doubts);
    for (size_t i = 0; i < doubts.n; i++)
        require(doubts.item[i][0] != '\0');
    np_strings_done(&doubts);
    for (int i = 0; i < 4; i++)
        require(info.grid.n[i] >= 1);
    for (int i = 0; i < 3; i++)
        require(info.grid.spacing_mm[i] > 0 && isfinite(info.grid.spacing_mm[i]));
    require(np_affine_invert(&info.grid.world_from_voxel, &inverse));
    require(info.bytes_per_voxel >= 1 && info.bytes_per_voxel <= 8);
    require(layout.offset >= 0 && layout.n_data_bytes >= info.bytes_per_voxel);
    require(layout.offset <= INT64_MAX - layout.n_data_bytes);
    return 0;
}
