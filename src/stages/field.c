#include "ops/elementary.h"
#include "stages/stage.h"

void np_field_to_factor(struct np_image *log_field)
{
    size_t n = np_grid_voxels(&log_field->grid);

    for (size_t i = 0; i < n; i++)
        log_field->voxel[i] = (float)np_exp((double)log_field->voxel[i]);
}
