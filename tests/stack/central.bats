# The preset for many short processes: numbers that are true.
load helper

setup_file()
{
    load helper
    servers_are_built || return 0
    start_for_file --preset central || return
    OUT=$BATS_FILE_TMPDIR/out
    # Ten sessions, each a process of its own; one image is broken, is mended, and its session is run again.
    cohort "$BATS_FILE_TMPDIR/bids" 9 1
    for n in 001 002 003 004 005 006 007 008 009 bad1; do
        preprocess "$BATS_FILE_TMPDIR/bids" "$OUT" --participant-label $n --otel-endpoint auto >>"$BATS_FILE_TMPDIR/log" 2>&1 || true
    done
    ln -f "$BATS_FILE_TMPDIR/bids/sub-001/anat/sub-001_T1w.nii.gz" "$BATS_FILE_TMPDIR/bids/sub-bad1/anat/sub-bad1_T1w.nii.gz"
    preprocess "$BATS_FILE_TMPDIR/bids" "$OUT" --participant-label bad1 --otel-endpoint auto >>"$BATS_FILE_TMPDIR/log" 2>&1
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

# The latest summary of each session, counted by its outcome.
by_latest_state()
{
    logs 'event_name:=neuro.session.summary | last 1 by (_time) partition by (neuro.dataset.name, neuro.cohort.id, bids.participant, bids.session) | stats by (neuro.outcome) count() n' |
        jq -r '"\(.["neuro.outcome"]) \(.n)"' | sort
}

@test "after a session was mended and run again, sessions by their latest state are what status says: ten, none failed" {
    soon 'ok 10' by_latest_state
    equal "$(neuro-preprocess status "$OUT" --format json | jq -c '[.sessions[].state] | group_by(.) | map([.[0], length])')" '[["success",10]]'
}

@test "attempts are eleven, in one series for each result, whatever number of processes wrote" {
    soon '10' metric 'traces_span_metrics_calls_total{span_name="preprocess_session",status_code="STATUS_CODE_OK"}'
    soon '1' metric 'traces_span_metrics_calls_total{span_name="preprocess_session",status_code="STATUS_CODE_ERROR"}'
    soon '11' metric 'sum(traces_host_metrics_calls_total)'
}

@test "no process has a series of its own" {
    is '' metric 'neuro_sessions_processed_total'
    is '' metric 'neuro_stage_duration_seconds_count'
    is '' metric 'target_info{job="neuro-preprocess",instance!=""}'
    is '' metric '{instance=~"[0-9a-f]{8}-[0-9a-f-]+",job="neuro-preprocess"}'
}

@test "the number of series does not grow with the number of processes" {
    local before
    soon '11' metric 'sum(traces_host_metrics_calls_total)'
    before=$(metric 'count({job="neuro-preprocess"})')
    for n in 001 002 003; do preprocess "$BATS_FILE_TMPDIR/bids" "$OUT" --rerun all --participant-label $n --otel-endpoint auto >/dev/null 2>&1; done
    soon '14' metric 'sum(traces_host_metrics_calls_total)'
    equal "$(metric 'count({job="neuro-preprocess"})')" "$before"
}

@test "200 nodes with three kinds of results, that work for two output folders, are fewer than 50 000 series" {
    jq -nc --argjson now "$EPOCHSECONDS" '{resourceSpans: [("a", "b") as $folder | range(200) as $node | {
        resource: {attributes: [{key: "service.name", value: {stringValue: "neuro-preprocess"}}, {key: "neuro.dataset.name", value: {stringValue: "Nodes"}},
            {key: "host.name", value: {stringValue: "node\($node)"}}, {key: "service.instance.id", value: {stringValue: "i\($node)"}}, {key: "neuro.cohort.id", value: {stringValue: $folder}}]},
        scopeSpans: [{spans: [range(3) as $kind | ("preprocess_session", "load_file", "bias_correction", "skull_strip", "bias_refinement", "normalization", "write_output") as $name | {
            traceId: ("0000000000000000000000000000" + ("\(1000 + $node)" | .[-4:])), spanId: ("00000000000\(10000 + $node)" | .[-16:]), name: $name, kind: 1,
            startTimeUnixNano: "\($now - 2)000000000", endTimeUnixNano: "\($now)000000000",
            attributes: ([{key: "neuro.stage", value: {stringValue: $name}}] + (if $kind == 0 then [] else [{key: "error.type", value: {stringValue: "kind\($kind)"}}] end))}]}]}]}' |
        curl --silent --fail --noproxy '*' --data @- -H 'Content-Type: application/json' "http://$(fact OTLP_HTTP)/v1/traces"
    soon 1200 metric 'count(traces_host_metrics_calls_total{neuro_dataset_name="Nodes"})'
    local n
    n=$(metric 'count({neuro_dataset_name="Nodes"})')
    echo "$n series"
    ((n > 10000 && n < 50000)) || fail "$n series"
}

@test "the programs' metrics are in the Collector's file, and their traces and logs in the servers" {
    grep -q neuro.sessions.processed "$DATA/collector/stack.otlp.jsonl"
    local trace
    trace=$(sessions "$OUT" | head -n 1 | cut -d ' ' -f 1)
    contains "$(spans "$trace")" preprocess_session
}

@test "--sample: all failed traces and a share of the others go to Jaeger; logs and rates have all" {
    stack_in "$BATS_TEST_TMPDIR/sampling"
    start --sample 20
    cohort_record 200 20 3 "$EPOCHSECONDS" 300 >"$BATS_TEST_TMPDIR/cohort.otlp.jsonl"
    run -0 neuro-preprocess replay "$BATS_TEST_TMPDIR/cohort.otlp.jsonl" --endpoint "http://$(fact OTLP_HTTP)"
    soon "bad-data 20
ok 180" by_latest_state
    soon 20 n_traces ERROR # sampled ten seconds after they came
    local n
    n=$(n_traces OK)
    ((n > 10 && n < 70)) || fail "$n of 180 with a share of 20 %"
    end_stack
}
n_traces() # STATUS: how many sessions of this status Jaeger has
{
    get "$(fact JAEGER)/api/traces" service=neuro-preprocess operation=preprocess_session limit=1000 "start=$(((EPOCHSECONDS - 86400) * 1000000))" \
        "end=$(((EPOCHSECONDS + 3600) * 1000000))" "tags={\"otel.status_code\":\"$1\"}" | jq '.data | length'
}

@test "the servers keep data for 90 days, or for what --retention says" {
    contains "$(tr '\0' ' ' <"/proc/$(pid_of prometheus)/cmdline")" 'retention.time=2160h'
    contains "$(tr '\0' ' ' <"/proc/$(pid_of victorialogs)/cmdline")" 'retentionPeriod=2160h'
    contains "$(tr '\0' '\n' <"/proc/$(pid_of jaeger)/environ")" 'STACK_RETENTION_HOURS=2160'
    run -64 "$STACK" start --retention long
}

@test "one setting limits what the servers and the Collector's file keep on disk; with the preset central it is 20 GiB, with job there is none" {
    local limits
    contains "$(get "$(fact PROMETHEUS)/api/v1/status/runtimeinfo" | jq -r .data.storageRetention)" '20GiB'
    contains "$(tr '\0' ' ' <"/proc/$(pid_of victorialogs)/cmdline")" "-retention.maxDiskSpaceUsageBytes=$((20 << 30)) "
    contains "$(tr '\0' '\n' <"/proc/$(pid_of collector)/environ")" $'STACK_FILE_BACKUPS=20\n'
    stack_in "$BATS_TEST_TMPDIR/small"
    start --retention-size 3G --retention 7
    equal "$(get "$(fact PROMETHEUS)/api/v1/status/runtimeinfo" | jq -r .data.storageRetention)" '1w or 3GiB'
    limits=$(get "$(fact VICTORIALOGS)/metrics" | grep -E '^flag.*retention')
    contains "$limits" "$((3 << 30))"
    contains "$limits" 168h
    contains "$(tr '\0' '\n' <"/proc/$(pid_of collector)/environ")" $'STACK_FILE_BACKUPS=3\n'
    end_stack
    stack_in "$BATS_TEST_TMPDIR/job"
    start
    lacks "$(tr '\0' ' ' <"/proc/$(pid_of prometheus)/cmdline")$(tr '\0' ' ' <"/proc/$(pid_of victorialogs)/cmdline")" -retention.max
    lacks "$(tr '\0' ' ' <"/proc/$(pid_of prometheus)/cmdline")" retention.size
    end_stack
    run -64 "$STACK" start --retention-size much
    run -64 "$STACK" start --retention-size 5
}

@test "the gauges of a cohort arrive from who sees the whole folder, and the first row of the dashboard is what status says" {
    neuro-preprocess "$BATS_FILE_TMPDIR/bids" "$OUT" group --otel-endpoint auto >/dev/null
    soon 10 number preprocessing-dashboard 'How many sessions are done?'
    soon 0 number preprocessing-dashboard 'How many failed?'
    soon 0 number preprocessing-dashboard 'How many are left to run?'
}

@test "two output folders of one dataset are two cohorts: the panels show both together, or the one that was chosen" {
    local other=$BATS_TEST_TMPDIR/other before
    before=$(n_rows preprocessing-dashboard 'Which sessions were the slowest?' folder="$(folder_id "$OUT")")
    for n in 001 002; do preprocess "$BATS_FILE_TMPDIR/bids" "$other" --participant-label $n bad1 --otel-endpoint auto >/dev/null 2>&1; done
    neuro-preprocess "$BATS_FILE_TMPDIR/bids" "$other" group --otel-endpoint auto >/dev/null
    neuro-preprocess "$BATS_FILE_TMPDIR/bids" "$OUT" group --otel-endpoint auto >/dev/null
    soon 13 number preprocessing-dashboard 'How many sessions are done?'
    equal "$(of_folder 'How many sessions are done?' "$(folder_id "$OUT")")" 10
    equal "$(of_folder 'How many sessions are done?' "$(folder_id "$other")")" 3
    soon 3 metric "sum(traces_host_metrics_calls_total{neuro_cohort_id=\"$(folder_id "$other")\"})"
    equal "$(of_folder 'Which nodes crawl?' "$(folder_id "$other")" | wc -l)" 1
    soon 3 n_rows preprocessing-dashboard 'Which sessions were the slowest?' folder="$(folder_id "$other")"
    equal "$(n_rows preprocessing-dashboard 'Which sessions were the slowest?' folder="$(folder_id "$OUT")")" "$before"
    equal "$(metric 'count({neuro_cohort_id=~".*;.*"})')" ''
}

@test "a session that failed in one folder and succeeded in the other is a failed one of the first folder alone" {
    local other=$BATS_TEST_TMPDIR/other broken=$BATS_TEST_TMPDIR/bids
    cp -r "$BATS_FILE_TMPDIR/bids" "$broken"
    rm "$broken/sub-002/anat/sub-002_T1w.nii.gz"
    head -c 500 "$BATS_FILE_TMPDIR/bids/sub-002/anat/sub-002_T1w.nii.gz" >"$broken/sub-002/anat/sub-002_T1w.nii.gz"
    preprocess "$broken" "$other" --participant-label 002 --otel-endpoint auto >/dev/null 2>&1 || true
    preprocess "$BATS_FILE_TMPDIR/bids" "$BATS_TEST_TMPDIR/third" --participant-label 002 --otel-endpoint auto >/dev/null 2>&1
    soon 1 n_rows preprocessing-dashboard 'Which sessions were the slowest?' folder="$(folder_id "$BATS_TEST_TMPDIR/third")"
    soon 1 n_rows preprocessing-dashboard 'Which sessions failed?'
    equal "$(n_rows preprocessing-dashboard 'Which sessions failed?' folder="$(folder_id "$other")")" 1
    equal "$(n_rows preprocessing-dashboard 'Which sessions failed?' folder="$(folder_id "$BATS_TEST_TMPDIR/third")")" 0
    equal "$(n_rows session-dashboard 'Which attempts were there?' participant=002 session= folder="$(folder_id "$other")")" 1
}
