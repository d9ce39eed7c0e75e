/* How participants of a line may be named, as its resource says (neuro.telemetry.id). */
#ifndef NP_OTLP_ASKED_NAMING_H
#define NP_OTLP_ASKED_NAMING_H

#include <stdbool.h>

#include "trace/naming.h"

/*
 * Of the resource, valid OTLP/JSON from `text` to `end`. `*asked` becomes the strictest way that it
 * asks for (neuro.telemetry.id); NP_NAME_NONE for one that this version does not know; it stays when
 * the resource does not say. `*named` is how its participants are named already
 * (neuro.telemetry.named, by a Collector that received words); NP_NAME_LABEL when it does not say,
 * or says it in more than one way. False when memory is missing.
 */
bool np_otlp_asked_naming(const char *text, const char *end, enum np_naming *asked,
                          enum np_naming *named);

#endif
