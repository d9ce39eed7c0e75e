/* OTLP/JSON, one request a line: records are written in it, and requests of http/json. */
#ifndef NP_OTLP_JSON_H
#define NP_OTLP_JSON_H

struct np_otlp_format; /* otlp/format.h */

extern const struct np_otlp_format np_otlp_json;

#endif
