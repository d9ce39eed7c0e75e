# A stack's life: start, stop, status, restart, clean, and what can go wrong.
load helper

setup() { find_servers && stack_in "$BATS_TEST_TMPDIR/stack"; }
teardown() { end_stack; }

listeners() # addresses on which the stack's processes listen, as hexadecimal numbers
{
    local pid
    for pid in $(pids); do
        find "/proc/$pid/fd" -lname 'socket:*' -printf '%l\n' | tr -dc '0-9\n'
    done | sort -u | join - <(awk '$4 == "0A" { print $10, $2 }' /proc/net/tcp /proc/net/tcp6 | sort) | cut -d ' ' -f 2 | cut -d : -f 1 | sort -u
}

@test "start makes every server answer, on the loopback interface alone; files that open it are for their owner" {
    run -0 start
    contains "$output" "http://$(fact OTLP_HTTP)"
    contains "$output" "-L $(fact JAEGER | cut -d : -f 2):$(fact JAEGER)"
    equal "$(listeners)" 0100007F
    equal "$(stat -c %a "$DATA/run/state" "$NEURO_STACK_LEASE" | sort -u)" 600
    equal "$(stat -c %a "$DATA")" 700
    run -0 "$STACK" status --data "$DATA"
    equal "$(grep -c ' up ' <<<"$output")" 4
}

@test "each server keeps to a limit of memory, and is the first that the kernel ends" {
    start
    local server pid
    for server in prometheus victorialogs jaeger collector; do
        pid=$(pid_of $server)
        equal "$(cat "/proc/$pid/oom_score_adj")" 800 "$server"
        contains "$(tr '\0' '\n' <"/proc/$pid/environ")" GOMEMLIMIT=
        lacks "$(grep '^Max data size' "/proc/$pid/limits" | awk '{ print $4 }')" unlimited
    done
}

@test "a second start changes nothing, and a second stop" {
    start
    local before
    before=$(pids)
    run -0 start
    equal "$(pids)" "$before"
    run -0 stop
    run -0 stop
    contains "$output" 'No stack runs'
}

@test "stop ends every process and takes the lease away; with --keep the next start answers from the same data" {
    start
    cohort "$BATS_TEST_TMPDIR/bids" 1
    preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" --otel-endpoint auto
    local trace was
    read -r trace _ <<<"$(sessions "$BATS_TEST_TMPDIR/out")"
    soon 1 metric 'count(neuro_sessions_processed_total{neuro_status="success"})'
    was=$(pids)
    run -0 stop --keep
    for pid in $was; do ended "$pid" || fail "process $pid runs"; done
    [[ ! -e $NEURO_STACK_LEASE ]]
    run -3 "$STACK" status --data "$DATA"
    start
    soon 1 metric 'sum(last_over_time(neuro_sessions_processed_total{neuro_status="success"}[1h]))'
    contains "$(spans "$trace")" preprocess_session
    contains "$(logs "trace_id:=$trace" | jq -r ._msg)" 'sub-001'
}

rates() { metric 'sum(last_over_time(traces_span_metrics_calls_total{span_name="preprocess_session"}[1h]))'; }

@test "the rates of a job that ends just before its stack is stopped are there: each session is counted; a stack that has been quiet stops at once" {
    cd "$BATS_TEST_TMPDIR" || return
    start
    cohort bids 3
    preprocess bids out --otel-endpoint auto >log 2>&1
    run -0 stop --keep
    lacks "$output" 'rates'
    start
    soon 3 rates
    sleep 8
    local began=$SECONDS
    stop --keep
    less $((SECONDS - began)) 6
}

@test "a Collector that is restarted just after a run has counted it; while somebody goes on sending it does not wait for ever, and says so" {
    cd "$BATS_TEST_TMPDIR" || return
    start --preset central
    cohort bids 2
    preprocess bids out --otel-endpoint auto >log 2>&1
    "$STACK" restart collector --data "$DATA"
    soon 2 rates
    (for _ in {1..60}; do neuro-preprocess replay out --again --endpoint "http://$(fact OTLP_HTTP)"; sleep 0.5; done >again.log 2>&1 3>&-) &
    local sender=$! began=$SECONDS
    run -0 "$STACK" restart collector --data "$DATA"
    kill $sender
    contains "$output" 'records still arrive'
    less $((SECONDS - began)) 50
}

@test "a server that was killed: status says so, and start brings it back at its address" {
    start
    local address
    address=$(fact PROMETHEUS)
    kill -KILL "$(pid_of prometheus)"
    run -1 "$STACK" status --data "$DATA"
    contains "$output" 'prometheus    down'
    run -0 start
    equal "$(fact PROMETHEUS)" "$address"
    run -0 "$STACK" status --data "$DATA"
}

@test "--wait stays, starts again what dies, and at TERM stops the stack into an archive" {
    local waiting status=0
    "$STACK" start --no-grafana --traces jaeger --logs victorialogs --data "$DATA" --wait --save "$BATS_TEST_TMPDIR/saved" \
        >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    waiting=$!
    remember $waiting
    wait_until 60 test -f "$NEURO_STACK_LEASE"
    wait_until 30 "$STACK" status --data "$DATA"
    kill -KILL "$(pid_of prometheus)"
    wait_until 60 "$STACK" status --data "$DATA"
    kill -TERM $waiting
    wait $waiting || status=$?
    equal $status 0
    [[ -f $(echo "$BATS_TEST_TMPDIR"/saved/*/manifest.json) ]]
    [[ ! -e $NEURO_STACK_LEASE ]]
}

@test "restart, logs: of one server" {
    start
    local before
    before=$(pid_of jaeger)
    run -0 "$STACK" restart jaeger --data "$DATA"
    [[ $(pid_of jaeger) != "$before" ]]
    run -0 "$STACK" logs collector --data "$DATA"
    contains "$output" 'Everything is ready'
    run -64 "$STACK" logs nobody --data "$DATA"
}

@test "a server that does not come up: the end of its log is shown, and nothing is left running" {
    wrapped jaeger 'echo "disk quota exceeded"; exit 1'
    run -70 start --bin "$BATS_TEST_TMPDIR/bin"
    contains "$output" 'jaeger is not ready: it ended'
    contains "$output" 'disk quota exceeded'
    [[ ! -e $NEURO_STACK_LEASE ]]
    [[ -z $(pgrep -f "$DATA" || true) ]]
}

@test "a server that ignores TERM is killed after its time, and that is said" {
    wrapped prometheus 'trap "" TERM; "$REAL" "$@" & wait; while :; do sleep 1; done'
    start --bin "$BATS_TEST_TMPDIR/bin"
    local was
    was=$(pgrep -s "$(pid_of prometheus)")
    run -0 env NEURO_STACK_STOP_SECONDS=2 "$STACK" stop --keep --data "$DATA"
    contains "$output" 'did not end within 2 s and is killed'
    for pid in $was; do ended "$pid" || fail "process $pid runs"; done
}

@test "a server that does not answer in time is given up" {
    wrapped jaeger 'exec sleep 60'
    run -70 start --bin "$BATS_TEST_TMPDIR/bin" --deadline 2
    contains "$output" 'within 2 s'
    [[ -z $(pgrep -f "$DATA" || true) ]]
}

@test "a port that was taken between choice and use: others are chosen" {
    wrapped prometheus "if [[ -e '$BATS_TEST_TMPDIR/tried' ]]; then exec \"\$REAL\" \"\$@\"; fi
touch '$BATS_TEST_TMPDIR/tried'; echo 'listen tcp 127.0.0.1:1: bind: address already in use'; exit 1"
    run -0 start --bin "$BATS_TEST_TMPDIR/bin"
    contains "$output" 'attempt 1 of 5'
    run -0 "$STACK" status --data "$DATA"
}

@test "--ports known takes the ports of the tutorials, or none" {
    local taken
    taken=$(awk 'FNR > 1 { print substr($2, length($2) - 3) }' /proc/net/tcp /proc/net/tcp6 | grep -xE '10DD|10DE|2382|24D4|413E' || true)
    [[ -z $taken ]] || skip 'known ports are in use here'
    run -0 start --ports known
    equal "$(fact OTLP_HTTP) $(fact OTLP_GRPC) $(fact PROMETHEUS)" '127.0.0.1:4318 127.0.0.1:4317 127.0.0.1:9090'
    local first=$DATA first_lease=$NEURO_STACK_LEASE
    stack_in "$BATS_TEST_TMPDIR/other"
    run -75 start --ports known
    contains "$output" '--ports free'
    DATA=$first NEURO_STACK_LEASE=$first_lease
    run -0 "$STACK" status --data "$DATA"
}

@test "two stacks on one node do not meet: own data, own lease, own answers" {
    start
    local first=$DATA first_lease=$NEURO_STACK_LEASE
    run -75 "$STACK" start --no-grafana --traces jaeger --logs victorialogs --data "$BATS_TEST_TMPDIR/other/data"
    contains "$output" "$first"
    stack_in "$BATS_TEST_TMPDIR/other"
    start
    cohort "$BATS_TEST_TMPDIR/bids" 1
    preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" --otel-endpoint auto
    soon 1 metric 'count(neuro_sessions_processed_total{neuro_status="success"})'
    stop
    DATA=$first NEURO_STACK_LEASE=$first_lease
    is '' metric 'count(neuro_sessions_processed_total)'
    run -0 "$STACK" status --data "$DATA"
}

@test "clean asks, refuses while the stack runs, and then deletes the data alone" {
    start
    run -75 "$STACK" clean --yes --data "$DATA"
    stop --keep
    echo mine >"$DATA/notes"
    run -1 "$STACK" clean --data "$DATA" </dev/null
    [[ -d $DATA/prometheus ]]
    run -0 "$STACK" clean --yes --data "$DATA"
    equal "$(ls "$DATA")" notes
}

@test "Jaeger killed at once after it took 200 sessions: none is lost" {
    start
    local n=200
    cohort_record $n 0 3 "$EPOCHSECONDS" 300 >"$BATS_TEST_TMPDIR/cohort.otlp.jsonl"
    neuro-preprocess replay "$BATS_TEST_TMPDIR/cohort.otlp.jsonl" --endpoint "http://$(fact OTLP_HTTP)" >"$BATS_TEST_TMPDIR/log" 2>&1
    wait_until 60 jaeger_took_all
    kill -KILL "$(pid_of jaeger)"
    start
    equal "$(for trace in $(otlp_traces "$BATS_TEST_TMPDIR/cohort.otlp.jsonl"); do spans "$trace"; done | grep -c '^preprocess_session$')" $n
}
otlp_traces() { jq -r '.resourceSpans[]?.scopeSpans[].spans[] | select(.name == "preprocess_session") | .traceId' "$1"; }
jaeger_took_all() # as many spans as were sent to the Collector
{
    local metrics
    metrics=$(get "127.0.0.1:$(fact COLLECTOR_METRICS_PORT)/metrics")
    [[ $(awk '/^otelcol_receiver_accepted_spans/ { n += $NF } END { print n }' <<<"$metrics") == \
        $(awk '/^otelcol_exporter_sent_spans.*traces"/ { n += $NF } END { print n }' <<<"$metrics") ]]
}

@test "the Collector's disk is full: it accepts no more, the work goes on, and what was refused is sent once there is room" {
    unshare --map-root-user --mount true 2>/dev/null || skip 'no namespaces here'
    wrapped otelcol "[[ -e '$BATS_TEST_TMPDIR/freed' ]] && exec \"\$REAL\" \"\$@\"
exec unshare --map-root-user --mount bash -c 'mount -t tmpfs -o size=2m none \"\$0\" && exec \"\$@\"' '$DATA/collector' \"\$REAL\" \"\$@\""
    start --bin "$BATS_TEST_TMPDIR/bin"
    cohort "$BATS_TEST_TMPDIR/bids" 40
    run -0 preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" --otel-endpoint auto --otel-timeout 2
    local n
    for n in 1 2 3; do # 3 MB of telemetry
        run -0 preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" --otel-endpoint auto --otel-timeout 2 --rerun all
    done
    contains "$output" 'wait for the next run'
    equal "$(grep -c 'HTTP 503.*no space left' <<<"$output")" 1
    touch "$BATS_TEST_TMPDIR/freed"
    "$STACK" restart collector --data "$DATA"
    run -0 neuro-preprocess replay "$BATS_TEST_TMPDIR/out" --endpoint "http://$(fact OTLP_HTTP)"
    for trace in $(sessions "$BATS_TEST_TMPDIR/out" | cut -d ' ' -f 1); do soon 1 eval "spans $trace | grep -c '^preprocess_session\$'"; done
}

@test "the Collector killed while a back end is away: what it acknowledged arrives once, later" {
    start
    kill -KILL "$(pid_of jaeger)"
    cohort "$BATS_TEST_TMPDIR/bids" 3
    preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" --otel-endpoint auto >"$BATS_TEST_TMPDIR/log" 2>&1
    contains "$(cat "$BATS_TEST_TMPDIR/log")" 'telemetry sent'
    kill -KILL "$(pid_of collector)"
    run -0 start
    local trace n=0
    while read -r trace _; do
        soon 1 eval "spans $trace | grep -c '^preprocess_session\$'"
        n=$((n + 1))
    done <<<"$(sessions "$BATS_TEST_TMPDIR/out")"
    equal $n 3
}
