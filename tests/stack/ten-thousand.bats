#!/usr/bin/env bats
# Ten thousand sessions on two hundred nodes, made from the record of a real run of two, and replayed: the right numbers, in time.
bats_require_minimum_version 1.5.0
load helper

N=${NP_TEST_SESSIONS:-10000}
N_FAILED=$((N * 3 / 100))

setup_file()
{
    find_servers
    cd "$BATS_FILE_TMPDIR" || return
    export BATS_TEST_TIMEOUT=900
    stack_in "$BATS_FILE_TMPDIR"
    start
    neuro-preprocess demo-data --participants 4 --sessions 2 --size 6.5 bids >/dev/null # the last session's image is broken on purpose
    neuro-preprocess bids out participant --participant-label 04 --bias-correction none --skull-strip skip --normalize zscore || true
    export DATA
}
setup() { cd "$BATS_FILE_TMPDIR" && stack_in "$BATS_FILE_TMPDIR"; }
teardown_file() { end_stack; }

# made END FILE [rerun]: the cohort's record, whose last session ends at that time.
made() { "$TOP/tests/stack/make-cohort.py" out/logs/telemetry/*.otlp.jsonl "$N" "$N_FAILED" 200 "$1" 300 ${3:+"$3"} >"$2"; }
replay() { neuro-preprocess replay "$1" --endpoint "http://$(fact OTLP_HTTP)"; }

# in_time SECONDS COMMAND…
in_time()
{
    local start=$EPOCHREALTIME end
    "${@:2}" || return
    end=$EPOCHREALTIME
    (((${end/./} - ${start/./}) <= $1 * 1000000)) || fail "took $(((${end/./} - ${start/./}) / 1000)) ms: ${*:2}"
}
first_row()
{
    local query pids=()
    while read -r query; do
        answer "$query" >/dev/null &
        pids+=($!)
    done < <(queries | head -n 7 | cut -f 3)
    wait "${pids[@]}" # without names it would wait for bats' own clock
}

@test "$N sessions of now: each number is right, the first row within three seconds, no panel slower than ten" {
    local dashboard panel query first=preprocessing-dashboard
    made "$EPOCHSECONDS" cohort.otlp.jsonl
    replay cohort.otlp.jsonl
    soon $((N - N_FAILED)) number $first 'How many sessions are done?'
    soon "$N" number $first 'Of how many?'
    soon "$N_FAILED" number $first 'How many failed?'
    soon "$N_FAILED" number $first 'How many are left to run?'
    soon 0.97 number $first 'What share succeeded?'
    soon "$N_FAILED" number $first 'Why did sessions fail?'
    soon "$N_FAILED" number $first 'In which stage did they fail?'
    wait_until 60 has_values 'increase(traces_span_metrics_calls_total[10m]) > 0'
    while IFS=$'\t' read -r dashboard panel query; do
        in_time 10 answer "$query" >/dev/null || fail "$dashboard: $panel: $query"
    done < <(queries)
    in_time 3 first_row
}

@test "… the rates have one writer: as many sessions as there were, and as many series as there are stages and nodes" {
    soon "$N" metric 'round(sum(traces_span_metrics_calls_total{span_name="preprocess_session"}))'
    metric 'count(traces_span_metrics_calls_total)' >found
    (($(<found) < 60)) || fail "$(<found) series of stages"
    metric prometheus_tsdb_head_series >found
    (($(<found) < 60000)) || fail "$(<found) series"
}

count() { logs "$1 | stats by (neuro.outcome) count() n" | jq -rs 'map(.n | tonumber) | add'; }

@test "… the logs have every session's latest state, and any session's trace is found" {
    local trace of='event_name:=neuro.session.summary | last 1 by (_time) partition by (bids.participant, bids.session)'
    soon "$N" count "$of"
    soon "$N_FAILED" count "$of | filter neuro.outcome:!ok"
    trace=$(logs "$of | filter neuro.outcome:!ok | limit 1" | jq -r .trace_id)
    wait_until 300 has_root "$trace" || fail "trace $trace is not found"
}
@test "… the tables of failed and of slow sessions have their rows, each with its own command, within ten seconds" {
    local first=preprocessing-dashboard
    in_time 10 n_rows $first 'Which sessions failed?' >/dev/null
    equal "$(n_rows $first 'Which sessions failed?')" "$N_FAILED"
    logs "$(twin $first 'Which sessions failed?')" >rows
    equal "$(jq -r '"--participant-label \(.["bids.participant"]) --session-label \(.["bids.session"]) " as $own | .rerun | select(contains($own))' rows | sort -u | wc -l)" "$N_FAILED"
    in_time 10 n_rows $first 'Which sessions were the slowest?' >/dev/null
    equal "$(logs "$(twin $first 'Which sessions were the slowest?')" | jq -s 'map(.["neuro.session.duration"] | tonumber) | max')" \
        "$(logs 'event_name:=neuro.session.summary | stats max(neuro.session.duration) n' | jq '.n | tonumber')"
}
has_root() { spans "$1" 2>/dev/null | grep -qx preprocess_session; }

@test "… a second replay sends nothing" {
    run -0 replay cohort.otlp.jsonl
    contains "$output" 'sent 0 spans, 0 log records, 0 data points'
}

@test "… once those that failed were mended and run again, none is in the table of failed sessions, and attempts are as many as there were" {
    local first=preprocessing-dashboard
    made $((EPOCHSECONDS + 5)) rerun.otlp.jsonl rerun
    replay rerun.otlp.jsonl
    soon $((N + N_FAILED)) eval "logs 'event_name:=neuro.session.summary | stats count() n' | jq -r .n"
    soon 0 n_rows $first 'Which sessions failed?'
    in_time 10 n_rows $first 'Which sessions failed?' >/dev/null
    soon 0 number $first 'How many failed?'
    soon "$N" number $first 'How many sessions are done?'
}

answer_at() { get "$(fact PROMETHEUS)/api/v1/query" "time=$1" "query=$2"; }
number_at() # TIME PANEL
{
    answer_at "$1" "$(queries | awk -F '\t' -v panel="$2" '$1 == "preprocessing-dashboard" && $2 == panel { print $3; exit }')" | jq -r '.data.result[0].value[1]'
}

@test "… of last week, replayed: its own time, no rate, no alert; each panel answers there within ten seconds, the first row with the right numbers" {
    local before week=$((EPOCHSECONDS - 7 * 86400)) dashboard panel query
    before=$(metric 'sum(traces_span_metrics_calls_total)')
    made "$week" week.otlp.jsonl
    replay week.otlp.jsonl
    soon $((N - N_FAILED)) number_at $((week + 30)) 'How many sessions are done?'
    equal "$(number_at $((week + 30)) 'Of how many?')" "$N"
    equal "$(number_at $((week + 30)) 'How many failed?')" "$N_FAILED"
    equal "$(number_at $((week + 30)) 'How many are left to run?')" "$N_FAILED"
    equal "$(number_at $((week + 30)) 'What share succeeded?')" 0.97
    while IFS=$'\t' read -r dashboard panel query; do
        in_time 10 answer_at $((week + 30)) "$query" >/dev/null || fail "$dashboard: $panel: $query"
    done < <(queries)
    equal "$(metric 'sum(traces_span_metrics_calls_total)')" "$before"
    equal "$(metric 'count(ALERTS{alertname="CohortStalled"})')" ''
}
