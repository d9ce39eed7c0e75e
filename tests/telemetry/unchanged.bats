# Telemetry changes no output and no exit status, whatever becomes of it.
load helper

setup_file()
{
    cohort "$BATS_FILE_TMPDIR/bids" 2 1
    export BIDS=$BATS_FILE_TMPDIR/bids
}
setup()
{
    find_tools
    start_collector
    start_sink
}
teardown() { end_processes; }

@test "the same bytes and the same status without telemetry, with it, and with a server that is absent, refuses, hangs or talks nonsense" {
    preprocess "$BIDS" "$BATS_TEST_TMPDIR/plain" --no-telemetry || (($? == 1))
    wanted=$(fingerprint "$BATS_TEST_TMPDIR/plain")
    [[ -n $wanted ]]
    export OTEL_BSP_EXPORT_TIMEOUT=500
    for case in "$COLLECTOR_HTTP_PORT ok" "1 absent" "$SINK_HTTP_PORT ok" "$SINK_HTTP_PORT status 400" "$SINK_HTTP_PORT status 503 retry-after 9999" "$SINK_HTTP_PORT hang" \
        "$SINK_HTTP_PORT reset" "$SINK_HTTP_PORT garbage" "$SINK_HTTP_PORT big 20000000" "$SINK_GRPC_PORT goaway"; do
        plan "${case#* }"
        out=$BATS_TEST_TMPDIR/with
        rm -rf "$out"
        protocol=http/protobuf
        [[ ${case%% *} != "$SINK_GRPC_PORT" ]] || protocol=grpc
        run env OTEL_EXPORTER_OTLP_PROTOCOL=$protocol neuro-preprocess "$BIDS" "$out" participant --bias-correction none --skull-strip skip --otel-endpoint "http://127.0.0.1:${case%% *}"
        equal "$status" 1 "$case"
        equal "$(fingerprint "$out")" "$wanted" "$case"
    done
}

@test "a run of good sessions ends with 0, one that is interrupted with 128 + the signal, with a server that hangs" {
    cohort "$BATS_TEST_TMPDIR/good" 1
    plan hang
    export OTEL_BSP_EXPORT_TIMEOUT=500
    preprocess "$BATS_TEST_TMPDIR/good" "$BATS_TEST_TMPDIR/whole" --otel-endpoint "http://127.0.0.1:$SINK_HTTP_PORT"
    neuro-preprocess "$BATS_TEST_TMPDIR/good" "$BATS_TEST_TMPDIR/out" participant --bias-correction none --skull-strip skip --slow-stage normalization:5 \
        --otel-endpoint "http://127.0.0.1:$SINK_HTTP_PORT" >"$BATS_TEST_TMPDIR/run.log" 2>&1 3>&- &
    run=$!
    wait_until 10 grep -q normalization -r "$BATS_TEST_TMPDIR/out/logs/telemetry"
    sleep 0.3
    kill -TERM $run
    status=0
    wait $run || status=$?
    equal $status 143
    state_is "$BATS_TEST_TMPDIR/out" 001 interrupted
}

@test "an interrupted run flushes: the server has the ends of its spans" {
    cohort "$BATS_TEST_TMPDIR/good" 1
    neuro-preprocess "$BATS_TEST_TMPDIR/good" "$BATS_TEST_TMPDIR/out" participant --bias-correction none --skull-strip skip --slow-stage normalization:20 \
        --otel-endpoint "http://127.0.0.1:$SINK_HTTP_PORT" >"$BATS_TEST_TMPDIR/run.log" 2>&1 3>&- &
    run=$!
    wait_until 10 grep -q normalization -r "$BATS_TEST_TMPDIR/out/logs/telemetry"
    kill -TERM $run
    wait $run || (($? == 143))
    equal "$(otlp n_pending "$BATS_TEST_TMPDIR/out")" 0
    equal "$(sent '[.[] | select(.signal == "traces").request.resourceSpans[].scopeSpans[].spans[] | select(.name == "preprocess_run" or .name == "preprocess_session").name] | sort | join(" ")')" \
        'preprocess_run preprocess_session'
}
