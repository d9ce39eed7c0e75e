#include "ops/histogram.h"
#include "stages/stage.h"

int np_steps_are_fine(const struct np_work *work, double step, const struct np_exec *exec,
                      double *range, bool *are_fine, struct np_error *err)
{
    static const double tails[] = {0.05, 0.95};
    double quantile[2];

    *are_fine = true;
    *range = 0;
    if (!work->brain || np_mask_count(work->brain) == 0)
        return 0;
    NP_TRY(np_image_quantiles(work->flat, work->brain, tails, 2, exec, quantile, err));
    *range = quantile[1] - quantile[0];
    *are_fine = *range <= 0 || step * NP_LEAST_STEPS <= *range;
    return 0;
}
