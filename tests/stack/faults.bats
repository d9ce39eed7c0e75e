# What goes wrong around a stack, and that its answers are right afterwards. life.bats has Jaeger killed after it took 200 sessions, the Collector killed
# while Jaeger is away, and the Collector's disk full.
load helper

setup() { own_stack; }
teardown() { end_own_stack; }

# What the logs say of the sessions by their latest state, and what the records on disk say: outcome, stage, how many.
SUMMARIES='event_name:=neuro.session.summary | last 1 by (_time) partition by (neuro.dataset.name, neuro.cohort.id, bids.participant, bids.session)'
by_reason() { logs "$SUMMARIES | stats by (neuro.outcome, neuro.stage) count() n" | jq -r '"\(.["neuro.outcome"]) \(.["neuro.stage"] // "") \(.n)"' | sort; }
recorded()
{
    records "$1" | xargs cat | jq -Rc 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | select(.eventName == "neuro.session.summary")
        | .attributes | map({(.key): (.value.stringValue // .value.doubleValue // .value.intValue)}) | add'
}
recorded_by_reason() { recorded "$1" | jq -sr 'group_by([.["neuro.outcome"], .["neuro.stage"]]) | .[] | "\(.[0]["neuro.outcome"]) \(.[0]["neuro.stage"] // "") \(length)"' | sort; }
# The 95 % quantile of the sessions' times lies between these two.
around_p95() { recorded "$1" | jq -sr 'map(.["neuro.session.duration"] | tonumber) | sort | (length * 0.95 | floor) as $i | "\(.[$i - 1]) \(.[$i + 1])"'; }

# all_once OUT: each session's trace is in Jaeger with its span once, and its summary once in the logs.
all_once()
{
    local trace
    for trace in $(sessions "$1" | cut -d ' ' -f 1); do
        soon 1 eval "spans $trace | grep -c '^preprocess_session\$'"
        soon 1 eval "logs 'trace_id:=$trace event_name:=neuro.session.summary | stats count() n' | jq -r .n"
    done
}

@test "the Collector is killed and started again in the middle of a run: each session is there once, and the counts are those of the record" {
    start --preset central
    cohort bids 12 2
    preprocess bids out --nprocs 1 --slow-stage load_file:0.3 --otel-endpoint auto >log 2>&1 3>&- &
    local running=$! status=0
    wait_until 60 eval 'compgen -G "out/logs/sub-003/*_complete.json"'
    kill -KILL "$(pid_of collector)"
    sleep 1
    run -0 start
    wait $running || status=$?
    equal $status 1
    neuro-preprocess replay out --endpoint "http://$(fact OTLP_HTTP)" >>log 2>&1
    soon "$(recorded_by_reason out)" by_reason
    contains "$(by_reason)" 'ok  12'
    all_once out
}

@test "the gateway is killed among 200 processes of one session each: counts, reasons and the 95 % quantile are those of the records" {
    start --preset central
    local n=${NP_TEST_PROCESSES:-200} label low high p95
    cohort bids $((n - 10)) 10
    export -f preprocess
    find bids -maxdepth 1 -name 'sub-*' -printf '%f\n' | sort | cut -c 5- |
        xargs -P 4 -I LABEL bash -c 'preprocess bids out --normalize none --participant-label "$1" --otel-endpoint auto || true' - LABEL >log 2>&1 3>&- &
    wait_until 120 eval "(($(printf '$(%s)' 'ls out/logs/telemetry 2>/dev/null | grep -c jsonl\$') > n / 3))"
    kill -KILL "$(pid_of collector)"
    sleep 2
    start
    wait $!
    neuro-preprocess replay out --endpoint "http://$(fact OTLP_HTTP)" >>log 2>&1
    equal "$(recorded out | wc -l)" "$n"
    soon "$(recorded_by_reason out)" by_reason
    equal "$(by_reason)" "bad-data load_file 10
ok  $((n - 10))"
    read -r low high <<<"$(around_p95 out)"
    p95=$(logs "$SUMMARIES | stats quantile(0.95, neuro.session.duration) n" | jq -r .n)
    less "$low" "$p95" && less "$p95" "$high"
}

@test "all back ends are killed (VictoriaLogs by TERM): what was there stays, and what is sent meanwhile arrives once they are back" {
    start
    cohort bids 5
    preprocess bids out --participant-label 001 002 --otel-endpoint auto >log 2>&1
    all_once out
    soon 2 metric 'sum(neuro_sessions_processed_total{neuro_status="success"})'
    kill -KILL "$(pid_of jaeger)" "$(pid_of prometheus)"
    kill -TERM "$(pid_of victorialogs)"
    preprocess bids out --otel-endpoint auto >>log 2>&1
    contains "$(tail -n 5 log)" 'telemetry sent'
    run -0 start
    all_once out
    soon 5 metric 'sum(last_over_time(neuro_sessions_processed_total{neuro_status="success"}[1h]))'
}

@test "back ends that were emptied are filled again from the records: nothing is there twice" {
    start
    cohort bids 3 1
    preprocess bids out --otel-endpoint auto >log 2>&1 || true
    all_once out
    kill -KILL "$(pid_of jaeger)"
    kill -TERM "$(pid_of victorialogs)"
    wait_until 20 eval "ended $(pid_of jaeger) && ended $(pid_of victorialogs)"
    rm -rf "$DATA/jaeger" "$DATA/victorialogs"
    start
    is '' by_reason
    run -0 neuro-preprocess replay out --endpoint "http://$(fact OTLP_HTTP)"
    contains "$output" 'sent 0 spans, 0 log records'
    run -0 neuro-preprocess replay out --again --endpoint "http://$(fact OTLP_HTTP)"
    all_once out
    equal "$(by_reason)" "$(recorded_by_reason out)"
    soon 3 metric 'sum(last_over_time(neuro_sessions_processed_total{neuro_status="success"}[1h]))'
}

@test "a network with 2 s of delay that cuts 5 of 100 connections: runs end in time and as they would, and after replays everything is there" {
    start
    local port label began=$SECONDS tries=0
    read -r port <<<"$(free_ports 1)"
    "$PYTHON" "$TOP/tests/stack/lossy.py" "$port" "$(fact OTLP_HTTP | cut -d : -f 2)" 2 5 3>&- &
    remember $!
    cohort bids 6
    for label in 001 002 003 004 005 006; do
        preprocess bids out --participant-label $label --otel-endpoint "http://127.0.0.1:$port" >>log 2>&1
    done
    less $((SECONDS - began)) 90
    until neuro-preprocess replay out --endpoint "http://127.0.0.1:$port" --otel-timeout 20 >>log 2>&1; do
        ((++tries < 10)) || fail "still not sent: $(tail -n 3 log)"
    done
    soon 'ok  6' by_reason
    for trace in $(sessions out | cut -d ' ' -f 1); do soon 1 eval "spans $trace | grep -c '^preprocess_session\$'"; done
    soon 6 metric 'sum(last_over_time(neuro_sessions_processed_total{neuro_status="success"}[1h]))'
}

# on_small_disk SERVER PROGRAM MIB: the next start gives this server a disk of that size, which outlives it. inside COMMAND…: where that disk is.
on_small_disk()
{
    unshare --map-root-user --mount true 2>/dev/null || skip 'no small disk can be mounted: user namespaces are off here'
    mkdir -p "$DATA/$1"
    unshare --map-root-user --mount bash -c 'mount -t tmpfs -o "size=$1m" none "$0" && touch "$2" && exec sleep 900' "$DATA/$1" "$3" "$BATS_TEST_TMPDIR/mounted" 3>&- &
    holder=$!
    remember $holder
    wait_until 10 test -e "$BATS_TEST_TMPDIR/mounted"
    wrapped "$2" "exec nsenter --preserve-credentials --user --mount --target $holder \"\$REAL\" \"\$@\""
}
inside() { nsenter --preserve-credentials --user --mount --target "$holder" "$@"; }
fill() { ! inside dd if=/dev/zero of="$DATA/$1/filler" bs=1M 2>/dev/null; }

# run_until_full SERVER PROGRAM MIB [MIB of the filler]: four sessions, of which the last three are sent while the server's disk is full.
run_until_full()
{
    on_small_disk "$1" "$2" "$3"
    start --bin "$BATS_TEST_TMPDIR/bin"
    cohort bids 4
    preprocess bids out --participant-label 001 --otel-endpoint auto >log 2>&1
    all_once out
    soon 1 metric 'sum(last_over_time(neuro_sessions_processed_total{neuro_status="success"}[1h]))'
    fill "$1"
    sleep 3
    preprocess bids out --otel-endpoint auto >>log 2>&1
    contains "$(tail -n 5 log)" 'telemetry sent'
    sleep 5
}
make_room()
{
    inside rm "$DATA/$1/filler"
    run -0 start # a server that ended is started again
}

@test "Prometheus' disk is full: traces and logs arrive; once there is room the rates are right, an alert and status say what is missing, and a replay brings it" {
    run_until_full prometheus prometheus 64
    all_once out
    make_room prometheus
    soon 4 metric 'sum(last_over_time(traces_span_metrics_calls_total{span_name="preprocess_session"}[1h]))'
    is 1 metric 'sum(last_over_time(neuro_sessions_processed_total{neuro_status="success"}[1h]))'
    contains "$("$STACK" status --data "$DATA")" 'prometheus could not write'
    soon 1 metric 'count(ALERTS{alertname="TelemetryDropped",exporter="prometheus",alertstate="firing"})'
    run -0 neuro-preprocess replay out --again --endpoint "http://$(fact OTLP_HTTP)"
    soon 4 metric 'sum(last_over_time(neuro_sessions_processed_total{neuro_status="success"}[1h]))'
}

@test "Jaeger's disk is full: metrics and logs arrive; once there is room every trace is there" {
    run_until_full jaeger jaeger 64
    soon 'ok  4' by_reason
    make_room jaeger
    all_once out
}

@test "a store's disk is full: what it refuses waits in the Collector's queue, and arrives once there is room" {
    unshare --map-root-user --mount true 2>/dev/null || skip 'no namespaces here'
    wrapped victoria-logs "exec unshare --map-root-user --mount bash -c 'mount -t tmpfs -o size=64m none \"\$0\" && exec \"\$@\"' '$DATA/victorialogs' \"\$REAL\" \"\$@\""
    start --bin "$BATS_TEST_TMPDIR/bin"
    inside() { nsenter --preserve-credentials --user --mount --target "$(pid_of victorialogs)" "$@"; }
    cohort bids 4
    preprocess bids out --participant-label 001 --otel-endpoint auto >log 2>&1
    soon 'ok  1' by_reason
    inside dd if=/dev/zero of="$DATA/victorialogs/filler" bs=1M count=57 2>/dev/null # VictoriaLogs keeps 10 MB free, and takes nothing then
    sleep 3
    preprocess bids out --otel-endpoint auto >>log 2>&1
    contains "$(tail -n 5 log)" 'telemetry sent'
    for trace in $(sessions out | cut -d ' ' -f 1); do soon 1 eval "spans $trace | grep -c '^preprocess_session\$'"; done
    equal "$(by_reason)" 'ok  1'
    inside rm "$DATA/victorialogs/filler"
    run -0 start # a server that ended is started again
    soon 'ok  4' by_reason
    all_once out
}
