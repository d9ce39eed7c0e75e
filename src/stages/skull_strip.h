/*
 * Brain extraction: what is known before it begins.
 */
#ifndef NP_STAGES_SKULL_STRIP_H
#define NP_STAGES_SKULL_STRIP_H

#include <stdbool.h>

/* Whether the skull is there, as np_stripped_is_ruled_out has it. Under --skull-strip skip such an
 * image keeps its support: no network is asked, and no tissues are looked for. */
bool np_skull_is_certain(double above_mm3, double minimum);

#endif
