# shellcheck shell=bash
# For scripts/stack.sh test: what each back end is asked about one session, whose record on disk says what the answers must be.

get() # URL [NAME=VALUE…]
{
    local words=() word
    for word in "${@:2}"; do words+=(--data-urlencode "$word"); done
    curl --silent --show-error --fail --noproxy '*' --max-time 20 --get "${words[@]}" "http://$1"
}

# --- where to look ------------------------------------------------------------------------------------------------------
# data_range: "FROM TO", ms, a minute wider than the times of the log records that arrived; nothing when none has.
data_range()
{
    if [[ $STACK_LOGS == victorialogs ]]; then
        get "$STACK_VICTORIALOGS/select/logsql/query" 'query=service.name:="neuro-preprocess" | stats min(_time) from, max(_time) to' |
            jq -r 'def s: sub("\\.[0-9]+"; "") | fromdateiso8601; select(.from != "") | "\((.from | s - 60) * 1000) \((.to | s + 60) * 1000)"'
    else
        range_of_file "$data"/collector/*.otlp.jsonl
    fi
}
range_of_file() # FILE…: the same, from what the Collector wrote
{
    { grep -hF '"resourceLogs"' "$@" || true; } | { LC_ALL=C grep -oE '"timeUnixNano":"[0-9]+"' || true; } | tr -dc '0-9\n' |
        awk '{ s = substr($0, 1, length($0) - 9) + 0 } NR == 1 || s < from { from = s } s > to { to = s } END { if (NR) printf "%d000 %d000\n", from - 60, to + 60 }'
}

# look_at FROM TO [DATASET]: the page that shows the data between these times, in ms: the dashboard, else VictoriaLogs' with one line for each attempt.
look_at()
{
    local asked='event_name:="neuro.session.summary"'
    if [[ $STACK_GRAFANA != no ]]; then
        echo "http://127.0.0.1:$STACK_GRAFANA_PORT/d/neuro-cohort?from=$1&to=$2${3:+&var-dataset=$(in_address "$3")}"
    elif [[ $STACK_LOGS == victorialogs ]]; then
        asked+="${3:+ neuro.dataset.name:=\"$3\"} | fields _time, bids.participant, bids.session, neuro.outcome, neuro.stage, _msg, neuro.session.folder, neuro.session.rerun"
        echo "http://$STACK_VICTORIALOGS/select/vmui/#/?query=$(in_address "$asked")&g0.range_input=$((($2 - $1) / 1000))s&g0.end_input=$(date -u -d "@$(($2 / 1000))" +%Y-%m-%dT%H:%M:%S)&g0.relative_time=none"
    fi
}
in_address() { jq -rn --arg word "$1" '$word | @uri'; }

# sender_variables: for a program that is to send to the stack of this state.
sender_variables() { "$top/scripts/stack.sh" start --print-env --lease "$STACK_LEASE"; }

# sessions_of OUTPUT_DIR: one line for each session of the latest record: trace, span, instance, participant.
sessions_of()
{
    local record
    record=$(find "$1/logs/telemetry" -maxdepth 1 -name '*.otlp.jsonl' 2>/dev/null | LC_ALL=C sort | tail -n 1)
    [[ -n $record ]] || die 66 "no record of telemetry in '$1/logs/telemetry'"
    jq -Rr 'fromjson? | .resourceSpans[]? as $of
        | ($of.resource.attributes[] | select(.key == "service.instance.id") | .value.stringValue) as $instance
        | $of.scopeSpans[].spans[] | select(.name == "preprocess_session")
        | [.traceId, .spanId, $instance, (.attributes[] | select(.key == "bids.participant") | .value.stringValue)] | @tsv' "$record"
}

# Each question prints nothing and ends with 0 when the answer is right. Arguments: trace, instance.
trace_is_there()
{
    case $STACK_TRACES in
    jaeger) get "$STACK_JAEGER/api/traces/$1" | jq -e 'any(.data[].spans[]; .operationName == "preprocess_session")' ;;
    tempo) get "127.0.0.1:$STACK_TEMPO_PORT/api/v2/traces/$1" | jq -e 'any(.. | objects | .name?; . == "preprocess_session")' ;;
    esac >/dev/null
}

logs_are_there()
{
    case $STACK_LOGS in
    victorialogs) get "$STACK_VICTORIALOGS/select/logsql/query" "query=trace_id:=\"$1\"" limit=1 | jq -e --arg trace "$1" '.trace_id == $trace' ;;
    loki)
        get "127.0.0.1:$STACK_LOKI_PORT/loki/api/v1/query_range" "query={service_name=\"neuro-preprocess\"} | trace_id=\"$1\"" since=1h limit=1 |
            jq -e '.data.result | length > 0'
        ;;
    esac >/dev/null
}

# With the preset central no process has series of its own: the rates are asked, which hold them all.
metric_is_there()
{
    local of="neuro_sessions_processed_total{instance=\"$2\"}"
    [[ $STACK_PRESET != central ]] || of='traces_span_metrics_calls_total{span_name="preprocess_session"}'
    get "$STACK_PROMETHEUS/api/v1/query" "query=sum(last_over_time($of[1h]))" | jq -e '.data.result[0].value[1] | tonumber > 0' >/dev/null
}

exemplar_is_there() # of any stage, with this trace
{
    local now=$EPOCHSECONDS of="neuro_stage_duration_seconds_bucket{instance=\"$2\"}"
    [[ $STACK_PRESET != central ]] || of='traces_span_metrics_duration_seconds_bucket'
    get "$STACK_PROMETHEUS/api/v1/query_exemplars" "query=$of" "start=$((now - 3600))" "end=$((now + 60))" |
        jq -e --arg trace "$1" 'any(.data[].exemplars[].labels.trace_id; . == $trace)' >/dev/null
}

# A short time passes between what a back end accepts and what it finds.
within() # SECONDS COMMAND…
{
    local deadline=$((SECONDS + $1))
    until "${@:2}" 2>/dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}

ask() # WHAT WHERE QUESTION TRACE INSTANCE
{
    if within "${NEURO_STACK_WAIT_SECONDS:-60}" "$3" "$4" "$5"; then
        say "  ok      $1: $2"
    else
        say "  MISSING $1: $2 does not have it"
        return 1
    fi
}

program_to_run()
{
    local path=$top/build/neuro-preprocess
    if [[ -x $path ]]; then echo "$path"; else command -v neuro-preprocess; fi || die 69 "there is no program 'neuro-preprocess': build it, or put it on PATH"
}

# Two sessions of synthetic heads, sent to this stack; the image of one is broken on purpose, so the program's status is 1.
make_sessions()
{
    local preprocess
    preprocess=$(program_to_run) || exit
    "$preprocess" demo-data --participants 2 --sessions 1 --size 3 --random-seed 1 "$1/bids" >"$1/log" 2>&1 || return
    (eval "$(sender_variables)" && exec "$preprocess" "$1/bids" "$1/out" participant) >>"$1/log" 2>&1 || (($? == 1))
}

check_session() # TRACE INSTANCE PARTICIPANT
{
    local n_missing=0
    say "sub-$3, trace $1"
    ask 'trace   ' "$STACK_TRACES" trace_is_there "$1" "$2" || n_missing=$((n_missing + 1))
    ask 'logs    ' "$STACK_LOGS" logs_are_there "$1" "$2" || n_missing=$((n_missing + 1))
    ask 'metric  ' prometheus metric_is_there "$1" "$2" || n_missing=$((n_missing + 1))
    return $n_missing
}

# Of several sessions of one run an exemplar leads to at least one: a bucket keeps its latest.
check_exemplars()
{
    local trace instance
    while IFS=$'\t' read -r trace _ instance _; do
        within "${NEURO_STACK_WAIT_SECONDS:-20}" exemplar_is_there "$trace" "$instance" && say "exemplar → trace $trace: ok" && return
    done <<<"$1"
    say 'exemplar: MISSING, none leads to a trace of this run'
    return 1
}
