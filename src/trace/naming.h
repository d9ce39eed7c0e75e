/* How participants are named in telemetry that leaves the machine (--telemetry-id). */
#ifndef NP_TRACE_NAMING_H
#define NP_TRACE_NAMING_H

#include <stdbool.h>

/* From the most open to the strictest. */
enum np_naming { NP_NAME_LABEL, NP_NAME_HASH, NP_NAME_NONE };

/* "label", "hash", "none". */
const char *np_naming_name(enum np_naming naming);

/* False when `text` (NULL allowed) is none of them. */
bool np_naming_parse(const char *text, enum np_naming *naming);

#endif
