# Collector absent, hung, killed and brought back, disk full: what was recorded is delivered sooner or later, and each item once.
load helper

setup_file()
{
    cohort "$BATS_FILE_TMPDIR/bids" 3 1
    export BIDS=$BATS_FILE_TMPDIR/bids
}
setup()
{
    find_tools
    OUT=$BATS_TEST_TMPDIR/out
}
teardown()
{
    end_processes
    unmount_all
}

use() # PROTOCOL
{
    export OTEL_EXPORTER_OTLP_PROTOCOL=$1
    if [[ $1 == grpc ]]; then PORT=$COLLECTOR_GRPC_PORT; else PORT=$COLLECTOR_HTTP_PORT; fi
    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$PORT
}
run_cohort() { preprocess "$BIDS" "$OUT" --rerun all "$@" >>"$BATS_TEST_TMPDIR/run.log" 2>&1 || (($? == 1)); }
no_marks() { equal "$(ls "$OUT/logs/telemetry/owed" 2>/dev/null)" '' 'marks of pending records'; }

@test "what was recorded without a Collector is sent by the next run that finds one" {
    for protocol in http/protobuf grpc; do
        start_collector
        use $protocol
        stop_collector
        rm -rf "$OUT"
        : >"$COLLECTOR_FILE"
        run_cohort
        run_cohort
        equal "$(otlp n_pending "$OUT")" "$(otlp holds $(records "$OUT"))" "$protocol"
        start_collector
        run_cohort
        otlp same "$OUT" -- "$COLLECTOR_FILE"
        no_marks
        stop_collector
    done
}

@test "a Collector that is killed in the middle of a run and brought back has everything; only what it could not answer for comes again" {
    for protocol in http/protobuf grpc; do
        start_collector
        use $protocol
        rm -rf "$OUT"
        : >"$COLLECTOR_FILE"
        export OTEL_BSP_SCHEDULE_DELAY=50 OTEL_BLRP_SCHEDULE_DELAY=50
        run_cohort --parallel 1 --slow-stage normalization:0.5 3>&- &
        run=$!
        wait_until 10 test -s "$COLLECTOR_FILE"
        for signal in KILL TERM KILL; do
            stop_collector $signal
            sleep 0.2
            start_collector
            sleep 0.2
        done
        wait $run
        run_cohort
        otlp arrived "$OUT" -- "$COLLECTOR_FILE" # kill -9 between writing and answering: that batch again, whole
        equal "$(otlp n_pending "$OUT")" 0
        no_marks
        stop_collector
    done
}

@test "a server that hangs for a while in the middle of a run gets everything once" {
    start_sink
    for protocol in http/protobuf grpc; do
        COLLECTOR_HTTP_PORT=$SINK_HTTP_PORT COLLECTOR_GRPC_PORT=$SINK_GRPC_PORT use $protocol
        rm -rf "$OUT"
        : >"$SINK_LOG"
        plan ok ok hang ok
        OTEL_EXPORTER_OTLP_TIMEOUT=500 OTEL_BSP_SCHEDULE_DELAY=50 OTEL_BLRP_SCHEDULE_DELAY=50 run_cohort --slow-stage normalization:1
        otlp delivered "$OUT" -- "$SINK_LOG"
        otlp whole "$SINK_LOG"
        no_marks
    done
}

@test "with a full disk the run says so, and what could be recorded arrives once" {
    mount_tmpfs "$BATS_TEST_TMPDIR/full" size=12m
    start_collector
    use http/protobuf
    cp -r "$BIDS" "$BATS_TEST_TMPDIR/full/bids"
    OUT=$BATS_TEST_TMPDIR/full/out
    preprocess "$BATS_TEST_TMPDIR/full/bids" "$OUT" >"$BATS_TEST_TMPDIR/full.log" 2>&1 || true
    dd if=/dev/zero of="$BATS_TEST_TMPDIR/full/ballast" bs=4k 2>/dev/null || true
    run --separate-stderr preprocess "$BATS_TEST_TMPDIR/full/bids" "$OUT" --rerun all
    contains "$stderr$output" 'space'
    rm "$BATS_TEST_TMPDIR/full/ballast"
    preprocess "$BATS_TEST_TMPDIR/full/bids" "$OUT" --rerun all >>"$BATS_TEST_TMPDIR/full.log" 2>&1 || true
    otlp arrived "$OUT" -- "$COLLECTOR_FILE"
    equal "$(otlp n_pending "$OUT")" 0
}

@test "signals go to servers of their own, and one that is down holds up no other" {
    start_collector
    start_sink
    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$COLLECTOR_HTTP_PORT
    export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:$SINK_HTTP_PORT/v1/traces
    stop_sink
    run_cohort
    equal "$(jq -rs '[.[] | keys[]] | unique | join(" ")' "$COLLECTOR_FILE")" 'resourceLogs resourceMetrics'
    start_sink
    run_cohort
    equal "$(sent '[.[].signal] | unique | join(" ")')" traces
    equal "$(otlp n_pending "$OUT")" 0
    sent '.[] | select(.stored > 0).request' >/dev/null
    cat "$COLLECTOR_FILE" >"$BATS_TEST_TMPDIR/both.jsonl"
    jq -c 'select(.stored > 0).request' "$SINK_LOG" >>"$BATS_TEST_TMPDIR/both.jsonl"
    otlp same "$OUT" -- "$BATS_TEST_TMPDIR/both.jsonl"
}
