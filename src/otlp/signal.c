#include "otlp/signal.h"

const char *np_otlp_signal_name(enum np_otlp_signal signal)
{
    static const char *const names[] = {
        [NP_OTLP_TRACES] = "traces", [NP_OTLP_LOGS] = "logs", [NP_OTLP_METRICS] = "metrics"};

    return names[signal];
}

const char *np_otlp_protocol_name(enum np_otlp_protocol protocol)
{
    static const char *const names[] = {
        [NP_OTLP_HTTP_PROTOBUF] = "http/protobuf",
        [NP_OTLP_HTTP_JSON] = "http/json",
        [NP_OTLP_GRPC] = "grpc",
    };

    return names[protocol];
}
