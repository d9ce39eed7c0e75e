# One stack, the real program on two demo sessions (one image is broken), and every server asked.
load helper

setup_file()
{
    load helper
    servers_are_built || return 0
    start_for_file || return
    neuro-preprocess demo-data --participants 2 --sessions 1 --size 3 --random-seed 1 "$BATS_FILE_TMPDIR/bids" >/dev/null
    neuro-preprocess "$BATS_FILE_TMPDIR/bids" "$BATS_FILE_TMPDIR/out" participant --otel-endpoint auto >"$BATS_FILE_TMPDIR/run.log" 2>&1 || true
}
teardown_file()
{
    load helper
    end_for_file
}
setup()
{
    find_servers
    stack_in "$BATS_FILE_TMPDIR/stack"
    OUT=$BATS_FILE_TMPDIR/out
}

trace_of() { sessions "$OUT" | awk -v who="$1" '$2 == who { print $1 }'; }

@test "test_telemetry.sh finds every session, and an exemplar that leads to a trace" {
    run -0 "$TOP/scripts/test_telemetry.sh" "$OUT" --data "$DATA"
    equal "$(grep -c '  ok ' <<<"$output")" 6
    contains "$output" 'exemplar → trace'
}

@test "test_telemetry.sh names what a server lacks" {
    cp -r "$OUT" "$BATS_TEST_TMPDIR/out"
    # a trace that was never sent
    sed -i -E 's/"traceId":"[0-9a-f]{8}/"traceId":"00000bad/g' "$BATS_TEST_TMPDIR"/out/logs/telemetry/*.otlp.jsonl
    run -1 env NEURO_STACK_WAIT_SECONDS=1 "$TOP/scripts/test_telemetry.sh" "$BATS_TEST_TMPDIR/out" --data "$DATA"
    contains "$output" 'MISSING trace'
}

@test "sessions by their state are what status says" {
    soon 1 metric 'sum(last_over_time(neuro_sessions_processed_total{neuro_status="success"}[1h]))'
    soon 1 metric 'sum(last_over_time(neuro_sessions_processed_total{neuro_status="failed"}[1h]))'
    soon '01 ok
02 bad-data' latest_states
    equal "$(neuro-preprocess status "$OUT" --format json | jq -c '[.sessions[].state] | sort')" '["failed","success"]'
}
latest_states() # of each participant: the outcome in its latest summary
{
    logs 'event_name:=neuro.session.summary neuro.dataset.name:="Synthetic heads" | last 1 by (_time) partition by (bids.participant) | fields bids.participant, neuro.outcome' |
        jq -r '"\(.["bids.participant"]) \(.["neuro.outcome"])"' | sort
}

@test "a failed session: its trace has the failed stage, its logs have the reason, by participant and by trace" {
    local trace
    trace=$(trace_of 02)
    contains "$(get "$(fact JAEGER)/api/traces/$trace" | jq -r '.data[].spans[] | select(any(.tags[]; .key == "error.type" and .value == "bad-data")) | .operationName')" load_file
    contains "$(logs "trace_id:=$trace severity_text:in(ERROR,FATAL)" | jq -r ._msg)" 'end of its gzip stream'
    contains "$(logs "\"bids.participant\":=\"02\" severity_text:in(ERROR,FATAL)" | jq -r .trace_id)" "$trace"
}

@test "from an exemplar to its trace to its logs" {
    local trace now=$EPOCHSECONDS
    trace=$(get "$(fact PROMETHEUS)/api/v1/query_exemplars" 'query=neuro_stage_duration_seconds_bucket' "start=$((now - 3600))" "end=$((now + 60))" |
        jq -r '.data[].exemplars[].labels.trace_id' | head -n 1)
    contains "$(sessions "$OUT")" "$trace"
    contains "$(spans "$trace")" preprocess_session
    contains "$(logs "trace_id:=$trace" | jq -r .trace_id | sort -u)" "$trace"
}

@test "names become Prometheus' by the strategy that the configuration writes out; the dataset is a label, the participant is not one of durations" {
    run -0 metric 'neuro_stage_duration_seconds_bucket{neuro_dataset_name="Synthetic heads",le="60"}'
    [[ -n $output ]]
    is '' metric 'neuro_stage_duration_seconds_bucket{bids_participant!=""}'
    is '' metric 'neuro_stage_duration_seconds_bucket{service_instance_id!=""}'
}

@test "rates have one writer: three processes make one series for each stage, whose count is right" {
    local n before
    cohort "$BATS_TEST_TMPDIR/bids" 3
    echo '{"Name": "One writer", "BIDSVersion": "1.11.1", "DatasetType": "raw"}' >"$BATS_TEST_TMPDIR/bids/dataset_description.json"
    for n in 001 002 003; do
        preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" --participant-label $n --otel-endpoint auto
    done
    soon 3 metric 'traces_span_metrics_calls_total{span_name="preprocess_session",neuro_dataset_name="One writer"}'
    soon 3 metric "traces_host_metrics_calls_total{neuro_dataset_name=\"One writer\",host_name=\"$(hostname)\"}"
    soon 3 metric 'traces_span_metrics_duration_seconds_count{neuro_stage="load_file",neuro_dataset_name="One writer"}'
    is '' metric 'traces_span_metrics_calls_total{instance!="",neuro_dataset_name="One writer"}'
    equal "$(metric 'count(count by (le) (traces_span_metrics_duration_seconds_bucket))')" 18 'bounds: 17 and +Inf'
}

@test "rates have exemplars" {
    local now=$EPOCHSECONDS
    soon yes has_exemplar 'traces_span_metrics_duration_seconds_bucket'
}
has_exemplar()
{
    get "$(fact PROMETHEUS)/api/v1/query_exemplars" "query=$1" "start=$((EPOCHSECONDS - 3600))" "end=$((EPOCHSECONDS + 60))" |
        jq -r 'if any(.data[].exemplars[]; .labels.trace_id) then "yes" else "no" end'
}

@test "a span that comes an hour late is kept, and not counted as a rate of now" {
    local trace=0123456789abcdef0123456789abcdef then=$(((EPOCHSECONDS - 3600) * 1000000000))
    jq -nc --arg trace $trace --arg from $then --arg to $((then + 1000000000)) '{resourceSpans: [{
        resource: {attributes: [{key: "service.name", value: {stringValue: "neuro-preprocess"}}, {key: "neuro.dataset.name", value: {stringValue: "Late"}}]},
        scopeSpans: [{spans: [{traceId: $trace, spanId: "0123456789abcdef", name: "preprocess_session", kind: 1,
            startTimeUnixNano: $from, endTimeUnixNano: $to}]}]}]}' |
        curl --silent --fail --noproxy '*' --data @- -H 'Content-Type: application/json' "http://$(fact OTLP_HTTP)/v1/traces"
    soon preprocess_session spans $trace
    sleep 12 # two flushes of span_metrics
    is '' metric 'traces_span_metrics_calls_total{neuro_dataset_name="Late"}'
}

@test "--print-env: a program without any flag sends to the stack, and a container gets the same variables" {
    local lines
    lines=$("$STACK" start --print-env --data "$DATA")
    contains "$lines" "export APPTAINERENV_OTEL_EXPORTER_OTLP_ENDPOINT=http://$(fact OTLP_HTTP)"
    cohort "$BATS_TEST_TMPDIR/bids" 1
    (eval "$lines" && preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out")
    local trace
    read -r trace _ <<<"$(sessions "$BATS_TEST_TMPDIR/out")"
    soon 1 eval "spans $trace | grep -c '^preprocess_session\$'"
}

@test "the Collector's file has every request as one line, which can be sent again" {
    local file=$DATA/collector/stack.otlp.jsonl
    jq -es 'all(keys | length == 1)' "$file" >/dev/null
    contains "$(jq -r '.resourceSpans[]?.scopeSpans[].spans[].traceId' "$file" | sort -u)" "$(trace_of 01)"
}

@test "Prometheus scrapes every server of the stack" {
    soon 4 metric 'count(up{job="stack"} == 1)'
    soon "$(hostname)" eval "get $(fact PROMETHEUS)/api/v1/query query=system_memory_usage_bytes | jq -r '.data.result[0].metric.host_name'"
}
