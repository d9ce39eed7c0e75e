/* OTLP in protobuf's wire format, for http/protobuf and gRPC. */
#ifndef NP_OTLP_PROTOBUF_H
#define NP_OTLP_PROTOBUF_H

#include "otlp/format.h"

extern const struct np_otlp_format np_otlp_protobuf;

#endif
