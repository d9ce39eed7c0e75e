# The receivers and the comparison that the other files rely on, without the program: what the official Python packages send arrives.
load helper

setup()
{
    find_tools
    find_foreign
}
teardown() { end_processes; }

# A run's record; each test may change its own copy.
a_record()
{
    local made
    made=$(made) || return
    cp "$made"/out/logs/telemetry/*.otlp.jsonl "$BATS_TEST_TMPDIR/record.otlp.jsonl"
    echo "$BATS_TEST_TMPDIR/record.otlp.jsonl"
}

@test "the Collector writes what it was sent, over gRPC and HTTP, in protobuf and JSON" {
    record=$(a_record)
    start_collector
    for way in "grpc 127.0.0.1:$COLLECTOR_GRPC_PORT" "http/protobuf http://127.0.0.1:$COLLECTOR_HTTP_PORT" "http/json http://127.0.0.1:$COLLECTOR_HTTP_PORT"; do
        : >"$COLLECTOR_FILE"
        # shellcheck disable=SC2086 # two words
        run foreign post $way "$record"
        equal "$output" '' "$way"
        otlp same "$record" -- "$COLLECTOR_FILE"
    done
}

@test "the sink logs what it was sent, over gRPC and HTTP, in protobuf and JSON" {
    record=$(a_record)
    start_sink
    for way in "grpc 127.0.0.1:$SINK_GRPC_PORT" "http/protobuf http://127.0.0.1:$SINK_HTTP_PORT" "http/json http://127.0.0.1:$SINK_HTTP_PORT"; do
        : >"$SINK_LOG"
        # shellcheck disable=SC2086 # two words
        run foreign post $way "$record"
        equal "$output" '' "$way"
        otlp delivered "$record" -- "$SINK_LOG"
    done
}

@test "the sink does to a foreign client what its plan says" {
    record=$(a_record)
    head -n 1 "$record" >"$BATS_TEST_TMPDIR/one.otlp.jsonl"
    start_sink
    answer() { plan "$2" && foreign post "$1" "$3" "$BATS_TEST_TMPDIR/one.otlp.jsonl"; }
    for step in ok bare 'warn careful' 'partial 1 bad' gzip chunked 'drip 1' 'big 5242880'; do
        equal "$(answer http/protobuf "$step" "http://127.0.0.1:$SINK_HTTP_PORT")" '' "$step"
    done
    for code in 400 401 413 429 500 503; do
        equal "$(answer http/protobuf "status $code retry-after 1" "http://127.0.0.1:$SINK_HTTP_PORT")" "logs $code"
    done
    for step in ok bare 'warn careful' 'partial 1 bad' 'drip 1' goaway-after; do
        equal "$(answer grpc "$step" "127.0.0.1:$SINK_GRPC_PORT")" '' "$step"
    done
    for code in 1 3 7 8 14 16; do
        contains "$(answer grpc "status $code" "127.0.0.1:$SINK_GRPC_PORT")" "logs $code the plan says $code"
        contains "$(answer grpc "status $code late" "127.0.0.1:$SINK_GRPC_PORT")" "logs $code the plan says $code"
        contains "$(answer grpc "status $code retry-info 3" "127.0.0.1:$SINK_GRPC_PORT")" "logs $code the plan says $code"
    done
    contains "$(answer grpc close "127.0.0.1:$SINK_GRPC_PORT")" 'logs 14'
    contains "$(answer grpc 'limit 10' "127.0.0.1:$SINK_GRPC_PORT")" 'logs 8 grpc: received message larger than max'
    contains "$(answer grpc 'rst 7' "127.0.0.1:$SINK_GRPC_PORT")" 'logs'
    contains "$(answer grpc 'big 5242880' "127.0.0.1:$SINK_GRPC_PORT")" 'logs 8' # the client's own limit: it read the frames
}

@test "the comparison finds what is missing, what is there twice and what differs" {
    record=$(a_record)
    other=$BATS_TEST_TMPDIR/other.otlp.jsonl
    otlp same "$record" -- "$record"
    awk '!/resourceSpans/ || n++' "$record" >"$other"
    run otlp same "$record" -- "$other"
    ((status == 1)) && contains "$output" "on the left alone $(grep -m 1 resourceSpans "$record" | jq '[.resourceSpans[].scopeSpans[].spans[]] | length'):"
    { cat "$record" && grep -m 1 resourceMetrics "$record"; } >"$other"
    run otlp same "$record" -- "$other"
    ((status == 1)) && contains "$output" 'on the left alone 0'
    sed 's/"severityNumber":9/"severityNumber":10/' "$record" >"$other"
    run otlp same "$record" -- "$other"
    ((status == 1))
    jq -c 'walk(if type == "object" and has("attributes") then .attributes |= reverse else . end)' "$record" >"$other"
    otlp same "$record" -- "$other"
}

@test "what arrives twice is allowed as often as the ledger says that it was sent, and not once more" {
    record=$(a_record)
    other=$BATS_TEST_TMPDIR/other.otlp.jsonl
    note() { jq -cn --arg size "$(stat -c %s "$record")" '("traces", "logs", "metrics") | {signal: ., from: 0, to: ($size | tonumber), outcome: "sending"}' >>"$record.ledger"; }
    note
    otlp noted "$record" -- "$record"
    cat "$record" "$record" >"$other"
    run otlp noted "$record" -- "$other"
    ((status == 1)) && contains "$output" 'more often than the ledger says'
    note
    otlp noted "$record" -- "$other"
    grep -v resourceMetrics "$other" >"$other.less"
    run otlp noted "$record" -- "$other.less"
    ((status == 1)) && contains "$output" 'did not arrive'
}

@test "the accounting finds what is lost, what was sent in another batch, and a batch that changed" {
    record=$(a_record)
    start_sink
    foreign post http/protobuf "http://127.0.0.1:$SINK_HTTP_PORT" "$record"
    otlp whole "$SINK_LOG"
    jq -cn --arg size "$(stat -c %s "$record")" '("traces", "logs", "metrics") | {signal: ., from: 0, to: ($size | tonumber), outcome: "accepted"}' >"$record.ledger"
    otlp accounted "$record" -- "$SINK_LOG"
    sed -i '/"signal":"traces"/{:a;$!{N;ba};s/^[^\n]*\n//}' "$SINK_LOG"
    run otlp accounted "$record" -- "$SINK_LOG"
    ((status == 1)) && contains "$output" 'neither stored nor pending'
    rm "$record.ledger" # nothing was noted: then it is pending
    otlp accounted "$record" -- "$SINK_LOG"

    cp "$SINK_LOG" "$BATS_TEST_TMPDIR/log"
    jq -cs '[.[] | select(.signal == "traces")] | .[0] * {request: {resourceSpans: (.[0].request.resourceSpans + .[1].request.resourceSpans)}}' "$BATS_TEST_TMPDIR/log" >>"$SINK_LOG"
    run otlp whole "$SINK_LOG"
    ((status == 1)) && contains "$output" 'batches that differ'
    jq -c '.headers."x-neuro-batch-id" = "one name"' "$BATS_TEST_TMPDIR/log" >"$SINK_LOG"
    run otlp whole "$SINK_LOG"
    ((status == 1)) && contains "$output" 'was not the same each time'
}
