/* The three signals of OpenTelemetry, and the protocols by which OTLP carries them. */
#ifndef NP_OTLP_SIGNAL_H
#define NP_OTLP_SIGNAL_H

enum np_otlp_signal { NP_OTLP_TRACES, NP_OTLP_LOGS, NP_OTLP_METRICS, NP_OTLP_N_SIGNALS };

enum np_otlp_protocol { NP_OTLP_HTTP_PROTOBUF, NP_OTLP_HTTP_JSON, NP_OTLP_GRPC };

/* "traces", "logs", "metrics"; "http/protobuf", "http/json", "grpc". */
const char *np_otlp_signal_name(enum np_otlp_signal signal);
const char *np_otlp_protocol_name(enum np_otlp_protocol protocol);

#endif
