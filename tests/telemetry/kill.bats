# kill -9 at random moments: of the program alone, of its sender, of all its processes at once. Everything that was recorded was taken
# by the server or is pending; what the server took twice is a batch whose answer could not be noted any more.
load helper

setup_file()
{
    cohort "$BATS_FILE_TMPDIR/bids" 4 1
    export BIDS=$BATS_FILE_TMPDIR/bids
}
setup()
{
    find_tools
    start_sink
    OUT=$BATS_TEST_TMPDIR/out
    export OTEL_BSP_SCHEDULE_DELAY=5 OTEL_BLRP_SCHEDULE_DELAY=5 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=4 OTEL_BLRP_MAX_EXPORT_BATCH_SIZE=4
}
teardown() { end_processes; }

# start OUT…: a run of about half a second in a session of its own; sets $RUN.
start()
{
    setsid neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --rerun all --parallel 1 --slow-stage normalization:0.1 \
        --otel-endpoint "$ENDPOINT" >>"$BATS_TEST_TMPDIR/run.log" 2>&1 </dev/null 3>&- &
    RUN=$!
    remember $RUN
}
use() { if [[ $1 == grpc ]]; then ENDPOINT=http://127.0.0.1:$SINK_GRPC_PORT; else ENDPOINT=http://127.0.0.1:$SINK_HTTP_PORT; fi; export OTEL_EXPORTER_OTLP_PROTOCOL=$1; }
random_pause() { sleep "$(awk -v seed="$RANDOM" 'BEGIN { srand(seed); printf "%.3f", rand() * 0.6 }')"; }

# The session's processes: the program, its sender, its workers.
of_session() { ps -o pid= -s "$RUN" | tr -d ' '; }

# After all the kills: what is left is sent by one more run, and then everything was taken, twice only as the same batch.
settle()
{
    wait_until 20 sender_gone "$OUT"
    otlp accounted "$OUT" -- "$SINK_LOG"
    otlp whole "$SINK_LOG"
    preprocess "$BIDS" "$OUT" --rerun all --otel-endpoint "$ENDPOINT" >>"$BATS_TEST_TMPDIR/run.log" 2>&1 || (($? == 1))
    run neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    ((status == 0)) || fail "$output"
    equal "$(otlp n_pending "$OUT")" 0
    otlp accounted "$OUT" -- "$SINK_LOG"
    otlp whole "$SINK_LOG"
}

@test "the program alone is killed 15 times" {
    for i in $(seq 15); do
        use "$( ((i % 2)) && echo grpc || echo http/protobuf)"
        start
        random_pause
        kill -KILL $RUN 2>/dev/null || true
        wait $RUN 2>/dev/null || true
    done
    settle
}

@test "program, sender and workers are killed at once 15 times" {
    for i in $(seq 15); do
        use "$( ((i % 2)) && echo grpc || echo http/protobuf)"
        start
        random_pause
        kill -KILL -- -$RUN 2>/dev/null || true
        wait $RUN 2>/dev/null || true
    done
    settle
}

@test "the sender alone is killed 8 times: the run goes on, ends as it would, and the next one sends the rest" {
    use http/protobuf
    for _ in $(seq 8); do
        start
        random_pause
        # Workers have names of stages' files open; the sender is the program's first child.
        sender=$(ps -o pid= --ppid $RUN --sort=start_time | head -n 1)
        [[ -z $sender ]] || kill -KILL "$sender" 2>/dev/null || true
        status=0
        wait $RUN || status=$?
        equal $status 1
    done
    settle
}

@test "the trace of a killed run has its root, with error.type killed, and each span once" {
    use http/protobuf
    start
    wait_until 10 grep -q '"neuro.span.name","value":{"stringValue":"normalization"' -r "$OUT/logs/telemetry"
    kill -KILL -- -$RUN
    wait $RUN 2>/dev/null || true
    first=$(records "$OUT" | head -n 1) # the next run may begin in the same second: names do not tell them apart
    settle
    equal "$(jq -Rr 'fromjson? | .resourceSpans[]?.scopeSpans[].spans[] | select(any(.attributes[]?; .key == "error.type" and .value.stringValue == "killed")).name' \
        "$first" | LC_ALL=C sort -u | grep -c -e preprocess_session -e preprocess_run)" 2
    equal "$(sent -c '[.[] | select(.stored > 0 and .signal == "traces").request.resourceSpans[].scopeSpans[].spans[] | select(.name == "preprocess_run").spanId] | length - (unique | length)')" 0
}
