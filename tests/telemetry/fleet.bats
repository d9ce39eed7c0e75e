# Many at once, as an array of one-session tasks on one output folder, into one Collector.
load helper

setup_file()
{
    cohort "$BATS_FILE_TMPDIR/bids" 100
    export BIDS=$BATS_FILE_TMPDIR/bids
}
setup()
{
    find_tools
    OUT=$BATS_TEST_TMPDIR/out
    start_collector
}
teardown() { end_processes; }

each() { if ((10#$1 % 2)); then echo "grpc http://127.0.0.1:$COLLECTOR_GRPC_PORT"; else echo "http/protobuf http://127.0.0.1:$COLLECTOR_HTTP_PORT"; fi; }

task() # LABEL
{
    local way
    way=$(each "$1")
    OTEL_EXPORTER_OTLP_PROTOCOL=${way% *} preprocess "$BIDS" "$OUT" --participant-label "$1" --nprocs 1 --otel-endpoint "${way#* }" \
        >"$BATS_TEST_TMPDIR/$1.log" 2>&1 </dev/null 3>&- || echo "$1" >>"$BATS_TEST_TMPDIR/failed"
}

@test "100 concurrent tasks: nothing is lost, and nothing arrives twice but what the ledger says was sent again" {
    pids=()
    for label in $(seq -f %03g 100); do
        task "$label" &
        pids+=($!)
    done
    wait "${pids[@]}"
    [[ ! -e $BATS_TEST_TMPDIR/failed ]] || fail "$(cat "$BATS_TEST_TMPDIR/$(head -n 1 "$BATS_TEST_TMPDIR/failed").log")"
    equal "$(records "$OUT" | wc -l)" 100
    OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf neuro-preprocess replay "$OUT" --quiet --endpoint "http://127.0.0.1:$COLLECTOR_HTTP_PORT" # what the deadline cut off
    otlp noted "$OUT" -- "$COLLECTOR_FILE" # at least once: a request that timed out on a busy machine may have been accepted
    equal "$(otlp n_pending "$OUT")" 0
}

@test "100 concurrent tasks while the Collector is killed and brought back: nothing is lost, and only whole batches come again" {
    pids=()
    for label in $(seq -f %03g 100); do
        task "$label" &
        pids+=($!)
    done
    for _ in 1 2 3; do
        sleep 0.5
        stop_collector KILL
        start_collector
    done
    wait "${pids[@]}"
    [[ ! -e $BATS_TEST_TMPDIR/failed ]]
    OTEL_EXPORTER_OTLP_PROTOCOL=grpc neuro-preprocess replay "$OUT" --quiet --endpoint "http://127.0.0.1:$COLLECTOR_GRPC_PORT"
    otlp noted "$OUT" -- "$COLLECTOR_FILE" # kill -9 between writing and answering: that batch again, whole
    equal "$(otlp n_pending "$OUT")" 0
}
