# replay: records that were saved go to a server, once each, whoever had them before.
load helper

setup_file()
{
    cohort "$BATS_FILE_TMPDIR/bids" 1 1
    export BIDS=$BATS_FILE_TMPDIR/bids MANY=$BATS_FILE_TMPDIR/many
    for i in $(seq 12); do
        preprocess "$BIDS" "$MANY/out$i" >/dev/null 2>&1 || true
    done
}
setup()
{
    find_tools
    start_sink
    export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
    ENDPOINT=http://127.0.0.1:$SINK_HTTP_PORT
    FOLDER=$BATS_TEST_TMPDIR/many
    cp -r "$MANY" "$FOLDER"
}
teardown() { end_processes; }
replay() { run --separate-stderr neuro-preprocess replay "$@"; ((status == 0)) || fail "status $status: $stderr"; }

@test "one output, then a folder of many: each record arrives once; a second call sends nothing" {
    replay "$FOLDER/out1" --endpoint "$ENDPOINT"
    otlp delivered "$FOLDER/out1" -- "$SINK_LOG"
    replay "$FOLDER" --endpoint "$ENDPOINT"
    otlp delivered "$FOLDER" -- "$SINK_LOG"
    otlp whole "$SINK_LOG"
    n=$(sent length)
    replay "$FOLDER" --endpoint "$ENDPOINT"
    replay "$FOLDER" --all --endpoint "$ENDPOINT"
    equal "$(sent length)" "$n"
}

@test "records may be named one by one" {
    mapfile -t some < <(records "$FOLDER" | head -n 3)
    replay "${some[@]}" --endpoint "$ENDPOINT"
    otlp delivered "${some[@]}" -- "$SINK_LOG"
}

@test "--dry-run says what would be sent, and sends and writes nothing" {
    before=$(find "$FOLDER" | sort)
    replay "$FOLDER" --endpoint "$ENDPOINT" --dry-run
    [[ -n $output$stderr ]]
    equal "$(sent length)" 0
    equal "$(find "$FOLDER" | sort)" "$before"
    replay "$FOLDER" --endpoint "$ENDPOINT"
    otlp delivered "$FOLDER" -- "$SINK_LOG"
}

@test "what one server has is pending for no other; --all sends it there too" {
    replay "$FOLDER" --endpoint "$ENDPOINT"
    start_collector
    replay "$FOLDER" --endpoint "http://127.0.0.1:$COLLECTOR_HTTP_PORT"
    equal "$(otlp holds "$COLLECTOR_FILE")" 0
    replay "$FOLDER" --all --endpoint "http://127.0.0.1:$COLLECTOR_HTTP_PORT"
    otlp same "$FOLDER" -- "$COLLECTOR_FILE"
    n=$(otlp holds "$COLLECTOR_FILE")
    replay "$FOLDER" --all --endpoint "http://127.0.0.1:$COLLECTOR_HTTP_PORT"
    equal "$(otlp holds "$COLLECTOR_FILE")" "$n"
}

@test "--since leaves out what is older" {
    old=$(records "$FOLDER/out1")
    mv "$old" "${old%/*}/20200101T000000Z_${old##*_}"
    replay "$FOLDER" --since 2021-01-01 --endpoint "$ENDPOINT"
    equal "$(otlp n_pending "$FOLDER/out1")" "$(otlp holds "$FOLDER"/out1/logs/telemetry/*.otlp.jsonl)"
    rm -r "$FOLDER/out1"
    otlp delivered "$FOLDER" -- "$SINK_LOG"
}

@test "two replays at once of the same folder send each record once" {
    plan 'late 1' 'late 1' ok
    neuro-preprocess replay "$FOLDER" --endpoint "$ENDPOINT" >/dev/null 2>&1 3>&- &
    first=$!
    neuro-preprocess replay "$FOLDER" --endpoint "$ENDPOINT" >/dev/null 2>&1 3>&- || true
    wait $first || true
    replay "$FOLDER" --endpoint "$ENDPOINT"
    otlp delivered "$FOLDER" -- "$SINK_LOG"
}

@test "replay is killed again and again: nothing is lost, and only whole batches come twice" {
    plan 'late 0'
    for i in $(seq 15); do
        neuro-preprocess replay "$FOLDER" --endpoint "$ENDPOINT" >/dev/null 2>&1 3>&- &
        sleep "0.0$i"
        kill -KILL $! 2>/dev/null || true
        wait $! 2>/dev/null || true
    done
    otlp accounted "$FOLDER" -- "$SINK_LOG"
    replay "$FOLDER" --endpoint "$ENDPOINT"
    otlp accounted "$FOLDER" -- "$SINK_LOG"
    otlp whole "$SINK_LOG"
    equal "$(otlp n_pending "$FOLDER")" 0
}

@test "without a server it ends soon, with a status that is not 0, and says what is pending" {
    seconds neuro-preprocess replay "$FOLDER/out1" --endpoint http://127.0.0.1:1
    ((took_status != 0))
    less "$took_s" 8
    equal "$(otlp n_pending "$FOLDER/out1")" "$(otlp holds "$FOLDER"/out1/logs/telemetry/*.otlp.jsonl)"
}
