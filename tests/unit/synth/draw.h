/* For tests of drawn heads: coarse ones, drawn in a moment. */
#ifndef SYNTH_DRAW_H
#define SYNTH_DRAW_H

#include "synth/head.h"
#include "tap.h"

static const double COARSE_MM = 3;

static inline struct np_synth_options coarse(uint64_t seed)
{
    struct np_synth_options options;

    np_synth_options_init(&options);
    options.seed = seed;
    for (int i = 0; i < 3; i++)
        options.spacing_mm[i] = COARSE_MM;
    return options;
}

static inline struct np_synth_head draw(const struct np_synth_options *options)
{
    struct np_synth_head head = {0};
    struct np_error err = {0};

    tap_check(np_synth_head(options, NULL, &head, &err) == 0, __FILE__, __LINE__, "drawn: %s",
              err.text);
    return head;
}

static inline size_t n_voxels(const struct np_synth_head *head)
{
    return np_grid_voxels(&head->image->grid);
}

#endif
