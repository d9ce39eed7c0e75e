# The OTEL_* variables, each seen in what a server is sent.
load helper

setup_file()
{
    cohort "$BATS_FILE_TMPDIR/bids" 1 1
    export BIDS=$BATS_FILE_TMPDIR/bids
}
setup()
{
    find_tools
    start_sink
    OUT=$BATS_TEST_TMPDIR/out
    HTTP=http://127.0.0.1:$SINK_HTTP_PORT GRPC=http://127.0.0.1:$SINK_GRPC_PORT
}
teardown() { end_processes; }

# with VARIABLE=VALUE… [-- OPTION…]: a run with these, one session of which fails unless $STATUS says otherwise; what it printed is in $stderr.
with()
{
    local variables=()
    rm -rf "$OUT"
    : >"$SINK_LOG"
    while (($#)) && [[ $1 != -- ]]; do variables+=("$1") && shift; done
    run --separate-stderr env "${variables[@]}" neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip "${@:2}"
    ((status == ${STATUS:-1})) || fail "status $status: $stderr"
}
paths() { sent '[.[] | .transport + " " + .path] | unique | join(", ")'; }
spans() { sent -c "[.[] | select(.signal == \"traces\").request.resourceSpans[].scopeSpans[].spans[]] | $1"; }
metrics() { sent -c "[.[] | select(.signal == \"metrics\").request.resourceMetrics[].scopeMetrics[].metrics[]] | $1"; }
E=OTEL_EXPORTER_OTLP

@test "the generic endpoint gets /v1/SIGNAL appended, also below a path; a signal's own is used as it is" {
    with ${E}_PROTOCOL=http/protobuf ${E}_ENDPOINT="$HTTP"
    equal "$(paths)" 'http /v1/logs, http /v1/metrics, http /v1/traces'
    with ${E}_PROTOCOL=http/protobuf ${E}_ENDPOINT="$HTTP/below/"
    equal "$(paths)" 'http /below/v1/logs, http /below/v1/metrics, http /below/v1/traces'
    with ${E}_PROTOCOL=http/protobuf ${E}_ENDPOINT="$HTTP" ${E}_TRACES_ENDPOINT="$HTTP/my/traces"
    equal "$(paths)" 'http /my/traces, http /v1/logs, http /v1/metrics'
}

@test "protocols, generic and per signal; http/protobuf is the default" {
    with ${E}_ENDPOINT="$HTTP"
    equal "$(sent '[.[].headers."content-type"] | unique | join(" ")')" application/x-protobuf
    with ${E}_PROTOCOL=http/json ${E}_ENDPOINT="$HTTP"
    equal "$(sent '[.[].headers."content-type"] | unique | join(" ")')" application/json
    with ${E}_PROTOCOL=http/json ${E}_ENDPOINT="$HTTP" ${E}_LOGS_PROTOCOL=grpc ${E}_LOGS_ENDPOINT="$GRPC"
    equal "$(paths)" 'grpc /opentelemetry.proto.collector.logs.v1.LogsService/Export, http /v1/metrics, http /v1/traces'
    equal "$(sent '[.[] | select(.transport == "grpc").headers | .te + " " + ."content-type"] | unique | join(" ")')" 'trailers application/grpc'
}

@test "headers are percent-decoded; a signal's own replace the generic ones" {
    with ${E}_ENDPOINT="$HTTP" ${E}_HEADERS='X-Lab=a%20b%2Cc, X-Two=2' ${E}_TRACES_HEADERS=X-Trace=3
    equal "$(sent '[.[] | select(.signal == "logs").headers | ."x-lab" + "|" + ."x-two"] | unique | join(";")')" 'a b,c|2'
    equal "$(sent '[.[] | select(.signal == "traces").headers | "\(."x-trace") \(."x-lab")"] | unique | join(";")')" '3 null'
    with ${E}_PROTOCOL=grpc ${E}_ENDPOINT="$GRPC" ${E}_HEADERS='X-Lab=a%20b'
    equal "$(sent '[.[].headers."x-lab"] | unique | join(";")')" 'a b'
}

@test "compression, generic and per signal" {
    with ${E}_ENDPOINT="$HTTP" ${E}_COMPRESSION=gzip ${E}_LOGS_COMPRESSION=none
    equal "$(sent '[.[] | .signal + " " + (.headers."content-encoding" // "none")] | unique | join(", ")')" 'logs none, metrics gzip, traces gzip'
    with ${E}_PROTOCOL=grpc ${E}_ENDPOINT="$GRPC" ${E}_COMPRESSION=gzip
    equal "$(sent '[.[].headers."grpc-encoding"] | unique | join(" ")')" gzip
}

@test "exporters: none, console, both; OTEL_SDK_DISABLED sends nothing" {
    with ${E}_ENDPOINT="$HTTP" OTEL_TRACES_EXPORTER=none
    equal "$(sent '[.[].signal] | unique | join(" ")')" 'logs metrics'
    with ${E}_ENDPOINT="$HTTP" OTEL_TRACES_EXPORTER=otlp,console
    equal "$(sent '[.[].signal] | unique | join(" ")')" 'logs metrics traces'
    contains "$output$stderr" "span preprocess_run"
    with ${E}_ENDPOINT="$HTTP" OTEL_SDK_DISABLED=true
    equal "$(sent length)" 0
    with ${E}_ENDPOINT="$HTTP" OTEL_SDK_DISABLED=yes # only "true" counts
    (($(sent length) > 0))
}

@test "an empty variable is an unset one" {
    with ${E}_ENDPOINT="$HTTP" ${E}_TRACES_ENDPOINT= ${E}_PROTOCOL= ${E}_TIMEOUT= ${E}_HEADERS= OTEL_TRACES_EXPORTER= OTEL_SDK_DISABLED= OTEL_TRACES_SAMPLER= \
        OTEL_BSP_SCHEDULE_DELAY= OTEL_RESOURCE_ATTRIBUTES= OTEL_SERVICE_NAME=
    equal "$(paths)" 'http /v1/logs, http /v1/metrics, http /v1/traces'
    otlp delivered "$OUT" -- "$SINK_LOG"
    with ${E}_ENDPOINT=
    equal "$(sent length)" 0
}

@test "a variable that cannot be parsed is said and ignored" {
    for variable in ${E}_TIMEOUT=soon ${E}_PROTOCOL=smoke ${E}_COMPRESSION=zip OTEL_BSP_SCHEDULE_DELAY=-3 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=many OTEL_TRACES_SAMPLER=sometimes \
        OTEL_METRIC_EXPORT_INTERVAL=x OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=sideways OTEL_TRACES_EXPORTER=pigeon; do
        with ${E}_ENDPOINT="$HTTP" "$variable"
        contains "$output$stderr" "${variable%%=*}"
        otlp accounted "$OUT" -- "$SINK_LOG" || fail "$variable"
        (($(sent length) > 0)) || fail "$variable"
    done
}

@test "flags beat variables" {
    with ${E}_ENDPOINT=http://127.0.0.1:1 -- --otel-endpoint "$HTTP"
    otlp delivered "$OUT" -- "$SINK_LOG"
    with ${E}_ENDPOINT="$HTTP" -- --no-telemetry
    equal "$(sent length)" 0
}

@test "service name and resource attributes arrive" {
    with ${E}_ENDPOINT="$HTTP" OTEL_SERVICE_NAME=lab-run OTEL_RESOURCE_ATTRIBUTES='deployment.environment.name=test,lab=a%2Cb'
    equal "$(sent '[.[].request | (.resourceSpans // .resourceLogs // .resourceMetrics)[].resource.attributes[] | select(.key == "service.name" or .key == "lab" or .key == "deployment.environment.name") | .key + "=" + .value.stringValue] | unique | join(" ")')" \
        'deployment.environment.name=test lab=a,b service.name=lab-run'
}

@test "the largest batch is bounded" {
    with ${E}_ENDPOINT="$HTTP" OTEL_BSP_MAX_EXPORT_BATCH_SIZE=3 OTEL_BLRP_MAX_EXPORT_BATCH_SIZE=2
    less "$(sent 'map(select(.signal == "traces").items) | max')" 3
    less "$(sent 'map(select(.signal == "logs").items) | max')" 2
    otlp delivered "$OUT" -- "$SINK_LOG"
}

@test "samplers: what was decided against is not sent, failed sessions always are; the record keeps all" {
    with ${E}_ENDPOINT="$HTTP" OTEL_TRACES_SAMPLER=always_off
    equal "$(spans '[.[] | select(.name == "preprocess_session") | .attributes[] | select(.key == "bids.participant").value.stringValue] | join(" ")')" bad1
    grep -q '"stringValue":"001"' "$OUT"/logs/telemetry/*.otlp.jsonl
    with ${E}_ENDPOINT="$HTTP" OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0
    equal "$(spans '[.[] | select(.name == "preprocess_session")] | length')" 1
    with ${E}_ENDPOINT="$HTTP" OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=1
    equal "$(spans '[.[] | select(.name == "preprocess_session")] | length')" 2
}

@test "the run continues the trace of its caller, unless propagators are none" {
    parent=0af7651916cd43dd8448eb211c80319c
    with ${E}_ENDPOINT="$HTTP" TRACEPARENT=00-$parent-b7ad6b7169203331-01
    equal "$(spans '.[] | select(.name == "preprocess_run") | .traceId + " " + .parentSpanId')" "$parent b7ad6b7169203331"
    with ${E}_ENDPOINT="$HTTP" TRACEPARENT=00-$parent-b7ad6b7169203331-01 OTEL_PROPAGATORS=none
    lacks "$(spans 'map(.traceId)')" $parent
}

@test "the trace of a caller who does not sample is not sent, none of its spans; sessions, which are roots, are" {
    parent=0af7651916cd43dd8448eb211c80319c
    STATUS=0 with ${E}_ENDPOINT="$HTTP" OTEL_BSP_SCHEDULE_DELAY=1 TRACEPARENT=00-$parent-b7ad6b7169203331-00 -- --participant-label 001
    equal "$(spans "[.[] | select(.traceId == \"$parent\")] | length")" 0
    equal "$(spans '[.[] | select(.name == "preprocess_session")] | length')" 1
    grep -q "$parent" "$OUT"/logs/telemetry/*.otlp.jsonl
}

@test "temporality, exponential histograms and exemplars as asked for" {
    with ${E}_ENDPOINT="$HTTP"
    equal "$(metrics '[.[] | (.sum // .histogram).aggregationTemporality // empty] | unique')" '[2]'
    (($(metrics '[.[].histogram.dataPoints[]?.exemplars[]?] | length') > 0))
    with ${E}_ENDPOINT="$HTTP" ${E}_METRICS_TEMPORALITY_PREFERENCE=delta
    equal "$(metrics '[.[] | select(.histogram).histogram.aggregationTemporality] | unique')" '[1]'
    with ${E}_ENDPOINT="$HTTP" ${E}_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=base2_exponential_bucket_histogram
    (($(metrics '[.[] | select(.exponentialHistogram)] | length') > 0))
    equal "$(metrics '[.[] | select(.histogram)] | length')" 0
    with ${E}_ENDPOINT="$HTTP" OTEL_METRICS_EXEMPLAR_FILTER=always_off
    equal "$(metrics '[.[].histogram.dataPoints[]?.exemplars[]?] | length')" 0
}

@test "attributes are limited in number and length" {
    with ${E}_ENDPOINT="$HTTP" OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=6
    less "$(spans '[.[].attributes[]?.value.stringValue // "" | length] | max')" 6
    with ${E}_ENDPOINT="$HTTP" OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=1
    less "$(spans '[.[].attributes // [] | length] | max')" 1
}
