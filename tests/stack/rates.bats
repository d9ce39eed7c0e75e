#!/usr/bin/env bats
# The Collector and Prometheus without the other servers, which take longer to build: configurations, rules, and rates from spans.
# `make check` runs this file alone where not all servers are built.
load helper

setup()
{
    local folders
    if ! folders=$("$TOP/scripts/stack/build.sh" --find collector prometheus 2>&1); then
        [[ ${CI:-} != true ]] || fail "$folders"
        skip "${folders#skipped: }"
    fi
    { read -r collector && read -r prometheus; } <<<"$folders"
}
teardown() { end_processes; }

# background NAME COMMAND…: start it, and end it after the test.
background()
{
    "${@:2}" >"$BATS_TEST_TMPDIR/$1.log" 2>&1 </dev/null 3>&- &
    remember $!
    disown $!
}
answers() { curl --silent --fail --noproxy '*' --output /dev/null "http://$1"; }

start_two()
{
    local port
    read -ra port <<<"$(free_ports 6)"
    export STACK_OTLP_GRPC=127.0.0.1:${port[0]} STACK_OTLP_HTTP=127.0.0.1:${port[1]} STACK_COLLECTOR_HEALTH=127.0.0.1:${port[2]}
    export STACK_COLLECTOR_METRICS_PORT=${port[3]} STACK_PROMETHEUS=127.0.0.1:${port[4]} STACK_COLLECTOR_DATA=$BATS_TEST_TMPDIR/collector
    export STACK_LOGS_URL=http://127.0.0.1:${port[5]}/v1/logs STACK_TRACES_OTLP=127.0.0.1:${port[5]} # nobody listens there
    mkdir "$STACK_COLLECTOR_DATA"
    background prometheus "$prometheus/prometheus" --config.file="$TOP/configs/prometheus.yml" --storage.tsdb.path="$BATS_TEST_TMPDIR/prometheus" \
        --web.listen-address="$STACK_PROMETHEUS" --web.enable-otlp-receiver \
        --enable-feature=exemplar-storage,otlp-deltatocumulative,created-timestamp-zero-ingestion
    background collector "$collector/otelcol" --config "file:$TOP/configs/otel-collector-config.yaml" \
        --config "file:$TOP/configs/central/otel-collector-config.yaml"
    wait_until 30 answers "$STACK_PROMETHEUS/-/ready" || { tail "$BATS_TEST_TMPDIR/prometheus.log" >&2 && return 1; }
    wait_until 30 answers "$STACK_COLLECTOR_HEALTH/" || { tail "$BATS_TEST_TMPDIR/collector.log" >&2 && return 1; }
}
fact() { echo "$STACK_PROMETHEUS"; } # for `metric` of the helper

@test "each configuration is one that its server accepts, and each alert fires when it should and only then" {
    run -0 "$TOP/scripts/stack/check-configs.sh"
    lacks "$output" 'not checked, collector'
    lacks "$output" 'not checked, prometheus'
}

@test "rates of sessions and stages come from spans, once for each, though the other servers are away; no rule of Prometheus fails" {
    start_two
    cohort "$BATS_TEST_TMPDIR/bids" 3
    preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" --otel-endpoint "http://$STACK_OTLP_HTTP"
    soon 3 metric 'sum(traces_host_metrics_calls_total)'
    soon 3 metric 'sum(traces_span_metrics_calls_total{neuro_stage="load_file"})'
    soon 3 metric 'sum(traces_span_metrics_duration_seconds_bucket{neuro_stage="load_file",le="+Inf"})'
    equal "$(grep -o '"name":"preprocess_session"' "$STACK_COLLECTOR_DATA/stack.otlp.jsonl" | wc -l)" 3
    equal "$(get "$STACK_PROMETHEUS/api/v1/rules" | jq -r '[.data.groups[].rules[] | select(.health == "err") | .name] | join(" ")')" ''
    [[ $(get "$STACK_PROMETHEUS/api/v1/rules" | jq '[.data.groups[].rules[]] | length') -ge 8 ]]
}
