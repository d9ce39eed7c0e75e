#!/usr/bin/env bash
# Fill the telemetry stack with something to look at: real processing of small synthetic heads, in about a minute. Then say what to look
# for, with the query that shows it and what the stack answers now.
# usage: scripts/run_demo.sh [--data DIR] [--lease FILE] [--out DIR] normal|failures|slow|concurrent|stress
#   normal       10 sessions, all good
#   failures     10 sessions, of which faults on purpose make half fail
#   slow         3 sessions whose brain extraction takes 6 s longer
#   concurrent   5 sessions at once, each a process of its own
#   stress       120 sessions, some of which fail
#   --out DIR    where dataset and results lie (default: a new folder below TMPDIR, which stays)
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/stack/lib.sh
. "$top/scripts/stack/lib.sh"
# shellcheck source=scripts/stack/questions.sh
. "$top/scripts/stack/questions.sh"

usage() { sed -n 's/^# usage: /usage: /p; s/^#   \([a-z]\)/  \1/p' "$0" && exit "$1"; }

demo='' data='' out='' lease=$(default_lease)
while (($#)); do
    case $1 in
    --data | --lease | --out)
        (($# > 1)) || usage 64 >&2
        declare "${1#--}=$(realpath -m "$2")"
        shift
        ;;
    normal | failures | slow | concurrent | stress) demo=$1 ;;
    --help | -h) usage 0 ;;
    *) usage 64 >&2 ;;
    esac
    shift
done
[[ -n $demo ]] || usage 64 >&2
[[ -n $data ]] || data=$(value_in "$lease" STACK_DATA) || die 3 "no stack: there is no lease '$lease'; scripts/start_stack.sh starts one"
load_state || die 3 "no stack has its data in '$data'"
preprocess=$top/build/neuro-preprocess
[[ -x $preprocess ]] || preprocess=$(command -v neuro-preprocess) || die 69 "there is no program 'neuro-preprocess': build it, or put it on PATH"
[[ -n $out ]] || out=$(mktemp -d "${TMPDIR:-/tmp}/neuro-preprocess-demo.XXXXXX")
mkdir -p "$out"
dataset=demo-$demo-$(date +%H%M%S)

# heads N: a dataset of N sessions, of three synthetic heads. (The last that demo-data makes is broken on purpose: not here.)
heads()
{
    local n images
    "$preprocess" demo-data --participants 4 --sessions 1 --size 6 --random-seed 1 "$out/heads" >"$out/log"
    mapfile -t images < <(find "$out/heads" -name '*_T1w.nii.gz' ! -path '*/sub-04/*' | LC_ALL=C sort)
    mkdir -p "$out/bids"
    cp "$out/heads/dataset_description.json" "$out/bids/"
    for n in $(seq -f %03g "$1"); do
        mkdir -p "$out/bids/sub-$n/anat"
        ln "${images[10#$n % ${#images[@]}]}" "$out/bids/sub-$n/anat/sub-${n}_T1w.nii.gz"
    done
}

# run [OPTION…]: the program, which ends with 1 when sessions failed; that is wanted here.
run()
{
    (eval "$(sender_variables)" && exec "$preprocess" "$out/bids" "$out/results" participant --quiet --dataset-name "$dataset" "$@") \
        >>"$out/log" 2>&1 || (($? == 1)) || die 70 "the demo failed: $(tail -n 3 "$out/log")"
}

# arrived N: whether the metrics say that N sessions ended; logs and traces are there within the next two seconds.
arrived() { get "$STACK_PROMETHEUS/api/v1/query" "query=sum($(attempts))" | jq -e --argjson n "$1" '.data.result[0].value[1] | tonumber == $n' >/dev/null; }
await_sessions()
{
    within 60 arrived "$1" || warn "the stack has not all of the $1 sessions: scripts/status_stack.sh, scripts/stack.sh logs collector"
    sleep 2
}

note() { printf '%s\n' "$@"; }

# Each shows a query and what it answers now.
ask_prometheus() # WHAT QUERY
{
    note "  $1" "    Prometheus: $2"
    within 30 answered "$2" || note '      (no answer yet)'
}
answered()
{
    local answer
    answer=$(get "$STACK_PROMETHEUS/api/v1/query" "query=$1" | jq -r '.data.result[] | "      \(.metric | del(.__name__) | to_entries | map(.value) | join(" ")) \(.value[1])"')
    [[ -n $answer ]] && note "$answer"
}
attempts() { echo "sum by (neuro_status) (last_over_time(neuro_sessions_processed_total{neuro_dataset_name=\"$dataset\"}[1h]))"; }

show_failures_in_logs()
{
    case $STACK_LOGS in
    victorialogs)
        local query="neuro.dataset.name:=\"$dataset\" event_name:=neuro.session.summary neuro.outcome:!=ok | stats by (neuro.outcome, neuro.stage) count() n"
        note '  Sessions that failed, by reason and stage' "    VictoriaLogs: $query"
        get "$STACK_VICTORIALOGS/select/logsql/query" "query=$query" | jq -r '"      \(.["neuro.outcome"]) at \(.["neuro.stage"]): \(.n)"'
        ;;
    loki) note '  Sessions that failed, by reason and stage' \
        "    Loki: sum by (neuro_outcome, neuro_stage) (count_over_time({neuro_dataset_name=\"$dataset\"} | neuro_session_duration!=\"\" | neuro_outcome!=\"ok\" [1h]))" ;;
    esac
}

show_slow_traces()
{
    case $STACK_TRACES in
    jaeger)
        note '  Traces with a brain extraction of more than 5 s' \
            "    Jaeger: service neuro-preprocess, operation skull_strip, min duration 5s, tags neuro.dataset.name=$dataset"
        get "$STACK_JAEGER/api/traces" service=neuro-preprocess operation=skull_strip minDuration=5s limit=20 lookback=1h \
            "start=$(((EPOCHSECONDS - 3600) * 1000000))" "end=$(((EPOCHSECONDS + 60) * 1000000))" "tags={\"neuro.dataset.name\":\"$dataset\"}" |
            jq -r '.data[] | "      trace \(.traceID): \([.spans[] | select(.operationName == "skull_strip") | .duration / 1e6] | max) s"'
        ;;
    tempo) note '  Traces with a brain extraction of more than 5 s' \
        "    Tempo: { resource.neuro.dataset.name = \"$dataset\" && span.neuro.stage = \"skull_strip\" && duration > 5s }" ;;
    esac
}

normal()
{
    heads 10
    run
    await_sessions 10
    ask_prometheus 'All ten are a success' "$(attempts)"
    ask_prometheus 'The stage that took most of the time, in seconds' \
        "topk(1, sum by (neuro_stage) (last_over_time(neuro_stage_duration_seconds_sum{neuro_dataset_name=\"$dataset\"}[1h])))"
}

failures() # the seed decides which sessions fail: five of these ten
{
    heads 10
    run --fail-rate 0.5 --random-seed 2
    await_sessions 10
    ask_prometheus 'Half of them failed' "$(attempts)"
    show_failures_in_logs
    note "  A trace of one of them shows the stage in red; 'neuro-preprocess status $out/results --failed' has the reasons and what to do"
}

slow()
{
    heads 3
    run --parallel 3 --slow-stage skull_strip
    await_sessions 3
    show_slow_traces
    ask_prometheus 'Mean time of the stages, in seconds: brain extraction stands out' \
        "topk(3, sum by (neuro_stage) (last_over_time(neuro_stage_duration_seconds_sum{neuro_dataset_name=\"$dataset\"}[1h])) / sum by (neuro_stage) (last_over_time(neuro_stage_duration_seconds_count{neuro_dataset_name=\"$dataset\"}[1h])))"
}

concurrent()
{
    local n runs=()
    heads 5
    for n in 001 002 003 004 005; do
        run --participant-label $n &
        runs+=($!)
    done
    for n in "${runs[@]}"; do wait "$n"; done
    await_sessions 5
    ask_prometheus 'Five processes, each with an instance of its own' \
        "count(count by (instance) (last_over_time(neuro_sessions_processed_total{neuro_dataset_name=\"$dataset\"}[1h])))"
    ask_prometheus 'and one set of rates for all of them (one writer)' "sum(traces_span_metrics_calls_total{neuro_dataset_name=\"$dataset\",span_name=\"preprocess_session\"}) > 0"
}

stress()
{
    heads 120
    run --skull-strip skip --bias-correction none --fail-rate 0.05 --random-seed 1
    await_sessions 120
    ask_prometheus 'Most are a success, a few failed' "$(attempts)"
    show_failures_in_logs
    ask_prometheus 'The Collector refused nothing' 'sum({__name__=~"otelcol_receiver_refused_.*"})'
}

began=$EPOCHSECONDS
say "Demo '$demo': dataset $dataset, results in $out/results"
"$demo"
page=$(look_at $(((began - 60) * 1000)) $(((EPOCHSECONDS + 60) * 1000)) "$dataset")
note '  All of it' "    ${page:-scripts/status_stack.sh names the pages}"
