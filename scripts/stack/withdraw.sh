# shellcheck shell=bash
# For scripts/stack.sh withdraw: a participant is removed from the servers that run, from archives, and from an output folder, in this
# order: what is left when a call is cut off still says what has to be done. forget.py does what is done to files.
#   DATA/run/withdrawal   the facts of a withdrawal that has begun; a later call finishes it

forget() { "$top/scripts/stack/forget.py" "$@"; }
# The file of today, and those of a GiB that came before it.
collector_records() { find "$1" -maxdepth 1 -type f -name 'stack.otlp*.jsonl' 2>/dev/null | LC_ALL=C sort; }

# --- archives -----------------------------------------------------------------------------------------------------------
# archives_of OUTPUT_DIR: those that a task left there, those of the stack, and those that were named.
archives_of()
{
    {
        find "$1" "$data/archives" -name manifest.json -path '*/manifest.json' -printf '%h\n' 2>/dev/null
        ((${#words[@]} < 3)) || realpath -m "${words[@]:2}"
    } | LC_ALL=C sort -u | while read -r archive; do [[ ! -d $archive/collector ]] || echo "$archive"; done
}

# is_named ARCHIVE: one without sums was being changed when a call was cut off.
is_named()
{
    local records
    mapfile -t records < <(collector_records "$1/collector")
    forget learn "$facts" "${records[@]}" || { (($? == 3)) && [[ ! -f $1/SHA256SUMS ]]; }
}

# What the servers wrote cannot be changed without them: what the Collector received stays, and fills them again.
withdraw_from_archive()
{
    local records server
    mapfile -t records < <(collector_records "$1/collector")
    rm -f "$1/SHA256SUMS" || return
    for server in "${!program[@]}"; do [[ $server == collector ]] || rm -rf "${1:?}/$server" || return; done
    rm -rf "$1/collector/queue"
    sed -i 's/^  "folders": \[.*\]$/  "folders": ["collector"]/' "$1/manifest.json"
    forget clean "$facts" "${records[@]}" && write_sums "$1"
}

# --- the servers --------------------------------------------------------------------------------------------------------
# start_again SERVER [deletion]: with its interface for deletions, which is closed at other times.
start_again()
{
    local for_deletion=${2:-}
    end_server "$1"
    launch "$1"
    await "$1" || die 70 "$1 was not started again; when it can be, call withdraw again"
}

# refill SIGNAL NAMES VARIABLE=VALUE…: send what the Collector's file has of one signal to one server. Items that the server refuses are too old for it.
refill()
{
    local file=$data/run/refill.otlp.jsonl status=0
    (umask 077 && forget copy "$1" "$2" "${records[@]}" >"$file")
    [[ ! -s $file ]] || env -u OTEL_EXPORTER_OTLP_HEADERS OTEL_TRACES_EXPORTER=none OTEL_LOGS_EXPORTER=none OTEL_METRICS_EXPORTER=none "${@:3}" \
        "$preprocess" replay "$file" --telemetry-id label >"$data/run/refill.log" 2>&1 || status=$?
    rm -f "$file"*
    ((status <= 1)) || die 70 "the records that stay were not sent to $1's server: $(tail -n 1 "$data/run/refill.log"); call withdraw again"
}

# empty_queue: no sender is let in, and the Collector passes on what it has.
empty_queue()
{
    settle
    end_server collector
    STACK_OTLP_HTTP=127.0.0.1:0 STACK_OTLP_GRPC=127.0.0.1:0 STACK_MODE=job launch collector
    await collector || die 70 'the Collector was not started again'
    drained || die 75 "a server does not take what the Collector has for it: see status, and call withdraw again when all of them run"
    end_server collector
    rm -rf "$data/collector/queue"
}

prometheus_has()
{
    local selector
    while read -r selector; do
        get "$STACK_PROMETHEUS/api/v1/series" "match[]=$selector" start=0 | jq -e '.data | length > 0' >/dev/null && return
    done < <(forget text "$facts" series)
    return 1
}

# A deleted series is named as long as Prometheus holds it in memory. A snapshot has the others: it takes the place of the data. It lacks
# what came out of its order, which is in the Collector's file.
withdraw_from_prometheus()
{
    local url=http://$STACK_PROMETHEUS/api/v1/admin/tsdb selectors snapshot names=''
    if [[ -d $data/prometheus.new && ! -d $data/prometheus ]]; then mv "$data/prometheus.new" "$data/prometheus"; fi
    rm -rf "$data/prometheus.new"
    [[ $STACK_PRESET != central ]] || names=neuro.cohort.
    mapfile -t selectors < <(forget text "$facts" series | sed 's/^/match[]=/')
    start_again prometheus deletion
    post "$url/delete_series" "${selectors[@]}" && post "$url/clean_tombstones" && snapshot=$(post "$url/snapshot" | jq -er .data.name) ||
        die 70 'prometheus did not delete the series; call withdraw again'
    end_server prometheus
    mv "$data/prometheus/snapshots/$snapshot" "$data/prometheus.new" && rm -rf "$data/prometheus" && mv "$data/prometheus.new" "$data/prometheus"
    start_again prometheus
    refill metrics "$names" OTEL_METRICS_EXPORTER=otlp "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://$STACK_PROMETHEUS/api/v1/otlp/v1/metrics"
}

post() # URL [NAME=VALUE…]
{
    local options=() word
    for word in "${@:2}"; do options+=(--data-urlencode "$word"); done
    curl --silent --show-error --fail --noproxy '*' --max-time 600 --request POST "${options[@]}" "$1"
}

n_logs() { get "$STACK_VICTORIALOGS/select/logsql/query" "query=($(forget text "$facts" query)) | stats count() n" start=0 | jq -r .n; }
logs_are_gone() { [[ $(get "$STACK_VICTORIALOGS/delete/active_tasks") == '[]' && $(n_logs) == 0 ]]; }

withdraw_from_victorialogs()
{
    start_again victorialogs deletion
    post "http://$STACK_VICTORIALOGS/internal/force_flush"
    post "http://$STACK_VICTORIALOGS/delete/run_task" "filter=$(forget text "$facts" query)" >/dev/null || die 70 'victorialogs did not delete the records; call withdraw again'
    within 600 logs_are_gone || die 70 'victorialogs has not deleted the records within ten minutes; call withdraw again'
    start_again victorialogs
}

# Loki deletes some time after it was asked (delete_request_cancel_period), and leaves the lines out of its answers until then.
withdraw_from_loki()
{
    local word
    while read -r word; do
        post "http://127.0.0.1:$STACK_LOKI_PORT/loki/api/v1/delete" "query={service_name=\"neuro-preprocess\"} | $word" start=0 ||
            die 70 'loki did not take the request to delete records; call withdraw again'
    done < <(forget text "$facts" loki)
}

# The traces back ends delete nothing: they are emptied, and get the traces that stay.
withdraw_from_traces()
{
    end_server "$STACK_TRACES"
    rm -rf "${data:?}/$STACK_TRACES" && mkdir "$data/$STACK_TRACES"
    start_again "$STACK_TRACES"
    refill traces '' OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://$STACK_TRACES_OTLP"
}

has_trace() { trace_is_there "$1" 2>/dev/null; }

# nobody_answers: each server that can be asked, about the participant.
nobody_answers()
{
    local trace
    ! prometheus_has || die 70 'prometheus still has series of this participant'
    [[ $STACK_LOGS != victorialogs || $(n_logs) == 0 ]] || die 70 'victorialogs still has records of this participant'
    for trace in $(forget text "$facts" traces | head -n 20); do
        ! has_trace "$trace" || die 70 "$STACK_TRACES still has the trace $trace of this participant"
    done
}

withdraw_from_servers()
{
    local records
    mapfile -t records < <(collector_records "$data/collector")
    write_private "$data/run/withdrawal" <"$facts"
    trap 'bring_up >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
    say 'The servers: the Collector takes nothing until they are done; senders keep what they have'
    empty_queue
    forget clean "$facts" "${records[@]}" || exit
    if prometheus_has || [[ -d $data/prometheus.new ]]; then withdraw_from_prometheus; fi
    "withdraw_from_$STACK_LOGS"
    withdraw_from_traces
    bring_up || die 70 'a part of the stack does not run: scripts/start_stack.sh starts it'
    nobody_answers
    rm -f "$data/run/withdrawal"
    say "  prometheus, $STACK_LOGS and $STACK_TRACES answer nothing about this participant"
}

# servers_name: whether the stack's data name the participant, or a former call has not finished with them.
servers_name()
{
    local records
    [[ -z $no_stack ]] || return 1
    mapfile -t records < <(collector_records "$data/collector")
    if [[ -f $data/run/withdrawal ]]; then
        forget join "$facts" "$data/run/withdrawal" && return
        (($? != 75)) || exit 75
    fi
    ((${#records[@]} > 0)) && forget learn "$facts" "${records[@]}"
}

check_servers()
{
    command -v jq >/dev/null || die 69 "'jq' is needed to read the servers' answers"
    preprocess=$(program_to_run) || exit
    lock_data
    load_state && all_run || die 75 "the data in '$data' name sub-$label, and not all of their servers run: start them (scripts/start_stack.sh --data '$data'), then call again"
    drained || die 75 "a server does not take what the Collector has for it: see status, and call withdraw again when all of them run"
}

# --- the command --------------------------------------------------------------------------------------------------------
confirm_withdrawal()
{
    local answer=
    [[ -z $yes ]] || return 0
    read -r -p "Delete all of this? Type sub-$label: " answer || true
    [[ $answer == "sub-$label" ]] || die 1 'nothing was deleted'
}

# Whoever calls without the stack's lease must see that its servers were not asked.
servers_in_words()
{
    if [[ -n $no_stack || ! -d $data/collector ]]; then echo "; no servers were asked$([[ -n $no_stack ]] || echo ": no stack has its data in '$data'")"; else echo ', no server'; fi
}

print_end()
{
    local place
    say "sub-$label is removed$([[ -d $data/collector && -z $no_stack ]] || servers_in_words)"
    say "The dataset was not touched: the next run over all of it processes sub-$label again, unless this one is removed there, too, or left out"
    say "(--participant-label with the others)"
    for place in $(forget text "$facts" elsewhere); do
        [[ $place == "${STACK_OTLP_HTTP:-}" || $place == "${STACK_OTLP_GRPC:-}" ]] || say "Telemetry was also sent to $place: what that server keeps is not removed"
    done
    [[ ! -e $1/.git ]] || say "'$1/.git' keeps earlier states of the folder: it was not changed"
}

withdraw()
{
    local out=${words[0]:-} archives=() archive changes servers_too='' preprocess label=${words[1]:-}
    label=${label#sub-}
    [[ -n $out && $label =~ ^[0-9A-Za-z]+$ ]] || die 64 'withdraw needs OUTPUT_DIR and a participant, as sub-07'
    command -v python3 >/dev/null || die 69 "'python3' is needed to remove a participant from files"
    find_data
    scratch=$(mktemp -d) && facts=$scratch/facts
    trap 'rm -rf "$scratch"' EXIT
    changes=$(forget find "$out" "$label" "$facts") || exit
    same_host
    if servers_name; then servers_too=yes; fi
    for archive in $(archives_of "$out" | tr ' ' '\1'); do
        archive=${archive//$'\1'/ }
        ! is_named "$archive" || archives+=("$archive")
    done
    if [[ -z $changes$servers_too && ${#archives[@]} == 0 ]]; then
        say "nothing names sub-$label: not '$out', no archive$(servers_in_words)"
        return
    fi
    [[ -z $changes ]] || printf '%s\n%s\n' "In $out:" "$changes"
    ((${#archives[@]} == 0)) || printf 'Archive, of which only what the Collector received stays: %s\n' "${archives[@]}"
    [[ -z $servers_too ]] || say "The servers with data in $data"
    [[ -z $dry_run ]] || return 0
    [[ -z $servers_too ]] || check_servers
    confirm_withdrawal
    [[ -z $servers_too ]] || withdraw_from_servers
    for archive in "${archives[@]}"; do withdraw_from_archive "$archive" || die 74 "'$archive' cannot be changed; call withdraw again"; done
    forget apply "$out" "$facts" || { (($? != 3)) || die 75 "something of sub-$label was written meanwhile, or cannot be changed: see above"; exit 74; }
    print_end "$out"
}
