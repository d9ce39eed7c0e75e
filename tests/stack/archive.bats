# What stop leaves, and what opens it again.
load helper

setup() { find_servers && stack_in "$BATS_TEST_TMPDIR/stack"; }
teardown() { end_stack; }

# run_sessions N: the program on N tiny sessions, sent to the stack; OUT is its output.
run_sessions()
{
    OUT=$BATS_TEST_TMPDIR/out
    cohort "$BATS_TEST_TMPDIR/bids" "$1" 1
    preprocess "$BATS_TEST_TMPDIR/bids" "$OUT" --otel-endpoint auto >"$BATS_TEST_TMPDIR/log" 2>&1 || true
    contains "$(cat "$BATS_TEST_TMPDIR/log")" 'telemetry sent'
}

# answers: of every server, what does not depend on the time of asking.
answers()
{
    local trace
    metric 'sum by (neuro_status) (last_over_time(neuro_sessions_processed_total[1d]))' | sort
    metric 'count(last_over_time(neuro_stage_duration_seconds_bucket[1d]))'
    get "$(fact PROMETHEUS)/api/v1/query_exemplars" 'query=neuro_stage_duration_seconds_bucket' "start=$((EPOCHSECONDS - 86400))" "end=$((EPOCHSECONDS + 60))" |
        jq -c '[.data[].exemplars[].labels.trace_id] | sort'
    logs '* | stats by (severity_text) count() n | sort by (severity_text)'
    for trace in $(sessions "$OUT" | cut -d ' ' -f 1 | sort); do
        echo "$trace $(spans "$trace" | sort | tr '\n' ' ')"
    done
}
# Everything that the run sent is there.
all_there()
{
    local trace
    for trace in $(sessions "$OUT" | cut -d ' ' -f 1); do spans "$trace" | grep -q '^preprocess_session$' || return; done
    [[ -n $(metric 'sum(neuro_sessions_processed_total)') ]]
}
archive() { echo "$DATA"/archives/*/; }

# linked_sessions OUTPUT: how many lines the page shows whose address a command has printed, in that address' own range.
linked_sessions()
{
    local address end seconds
    address=$(grep -oE 'http://[^ ]*/select/vmui/#/[^ ]*' <<<"$1")
    seconds=$(sed -E 's/.*range_input=([0-9]+)s.*/\1/' <<<"$address")
    end=$(date -u -d "$(sed -E 's/.*end_input=([^&]*).*/\1/' <<<"$address")Z" +%s)
    get "$(fact VICTORIALOGS)/select/logsql/query" "query=$(sed -E 's/.*[?]query=([^&]*)&.*/\1/; s/\+/ /g; s/%/\\x/g' <<<"$address" | xargs -0 printf '%b')" "start=$((end - seconds))" "end=$end" | wc -l
}

@test "the times of the data: what the logs server says and what the Collector's file says is the same; without data nothing" {
    start
    run_sessions 1
    wait_until 60 all_there
    load_range() { bash -c 'data=$1; . "$2/lib.sh"; . "$2/questions.sh"; load_state; "${@:3}"' - "$DATA" "$TOP/scripts/stack" "$@"; }
    soon "$(load_range range_of_file "$DATA"/collector/*.otlp.jsonl)" load_range data_range
    read -r from to <<<"$(load_range data_range)"
    ((to / 1000 - EPOCHSECONDS < 120 && EPOCHSECONDS - from / 1000 < 200)) || fail "$from $to at $EPOCHSECONDS"
    : >"$BATS_TEST_TMPDIR/none"
    equal "$(load_range range_of_file "$BATS_TEST_TMPDIR/none")" ''
    contains "$(load_range eval 'STACK_GRAFANA=yes STACK_GRAFANA_PORT=3000; look_at 1000 2000 "a b"')" 'http://127.0.0.1:3000/d/neuro-cohort?from=1000&to=2000&var-dataset=a%20b'
}

@test "an archive, moved elsewhere and opened with other ports, gives the same answers" {
    start
    run_sessions 3
    wait_until 60 all_there
    sleep 2 # the logs' own second
    answers >"$BATS_TEST_TMPDIR/before"
    run -0 stop
    contains "$output" '--from'
    [[ ! -d $DATA/prometheus ]] || fail 'there are two copies of the data'
    (cd "$(archive)" && sha256sum --quiet --check SHA256SUMS)
    equal "$(jq -r '.traces + " " + .logs + " " + (.folders | sort | join(" "))' "$(archive)/manifest.json")" \
        'jaeger victorialogs collector jaeger prometheus victorialogs'
    mv "$(archive)" "$BATS_TEST_TMPDIR/moved"
    stack_in "$BATS_TEST_TMPDIR/elsewhere"
    run -0 start --from "$BATS_TEST_TMPDIR/moved"
    equal "$(linked_sessions "$output")" 4
    answers >"$BATS_TEST_TMPDIR/after"
    run diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
    equal "$output" ''
    (cd "$BATS_TEST_TMPDIR/moved" && sha256sum --quiet --check SHA256SUMS) || fail 'opening it changed the archive'
}

@test "the Collector's file, replayed into an empty stack, gives each span once; a second replay sends nothing" {
    start
    run_sessions 2
    wait_until 60 all_there
    stop
    local file
    file=$(archive)/collector/stack.otlp.jsonl
    stack_in "$BATS_TEST_TMPDIR/elsewhere"
    start
    run -0 neuro-preprocess replay "$file" --endpoint "http://$(fact OTLP_HTTP)"
    wait_until 60 all_there
    run -0 neuro-preprocess replay "$file" --endpoint "http://$(fact OTLP_HTTP)"
    for trace in $(sessions "$OUT" | cut -d ' ' -f 1); do
        equal "$(spans "$trace" | grep -c '^preprocess_session$')" 1
        soon 1 eval "logs 'trace_id:=$trace neuro.session.files:*' | wc -l"
    done
}

@test "the archives of two nodes are brought together in a third stack, each session once" {
    local node files=() trace n=0
    for node in first second; do
        stack_in "$BATS_TEST_TMPDIR/$node"
        start
        cohort "$BATS_TEST_TMPDIR/$node/bids" 2
        preprocess "$BATS_TEST_TMPDIR/$node/bids" "$BATS_TEST_TMPDIR/$node/out" --otel-endpoint auto >/dev/null 2>&1
        stop
        files+=("$(archive)/collector/stack.otlp.jsonl")
    done
    stack_in "$BATS_TEST_TMPDIR/centre"
    start --preset central
    for node in once again; do run -0 neuro-preprocess replay "${files[@]}" --endpoint "http://$(fact OTLP_HTTP)"; done
    for trace in $(for node in first second; do sessions "$BATS_TEST_TMPDIR/$node/out"; done | cut -d ' ' -f 1); do
        soon 1 eval "spans $trace | grep -c '^preprocess_session\$'"
        soon 1 eval "logs 'trace_id:=$trace event_name:=neuro.session.summary' | wc -l"
        n=$((n + 1))
    done
    equal $n 4
}

@test "--keep leaves the data, and the next start goes on with them" {
    start
    run_sessions 1
    wait_until 60 all_there
    run -0 "$STACK" stop --keep --data "$DATA"
    [[ ! -d $DATA/archives ]]
    start
    all_there
}

@test "--save puts the archive on another file system; the data are gone from here only then" {
    [[ $(stat -c %d /dev/shm) != "$(stat -c %d "$BATS_TEST_TMPDIR")" ]] || skip 'no second file system'
    local there
    there=$(mktemp -d /dev/shm/np-archive.XXXXXX)
    start
    run "$STACK" stop --data "$DATA" --save "$there"
    local found status_was=$status
    found=$(cd "$there"/*/ && sha256sum --quiet --check SHA256SUMS && ls)
    rm -rf "$there"
    equal $status_was 0
    contains "$found" prometheus
    [[ ! -d $DATA/prometheus ]]
}

@test "nothing is deleted that was not saved: a place that cannot be written keeps the data, and stop can be called again" {
    start
    echo 'a file' >"$BATS_TEST_TMPDIR/full"
    run -73 "$STACK" stop --data "$DATA" --save "$BATS_TEST_TMPDIR/full"
    [[ -d $DATA/prometheus && -d $DATA/jaeger && -d $DATA/victorialogs && -d $DATA/collector ]]
    run -0 stop
    [[ -f $(archive)/SHA256SUMS ]]
}

@test "--max-size: above it what the Collector received is archived alone, and the rest stays" {
    start
    run_sessions 1
    wait_until 60 all_there
    local size
    size=$(du -sb "$DATA/collector" | cut -f 1)
    run -0 "$STACK" stop --data "$DATA" --max-size $((size + 1000))
    contains "$output" 'larger than --max-size'
    equal "$(jq -r '.folders | join(" ")' "$(archive)/manifest.json")" collector
    [[ -d $DATA/prometheus ]]
}

@test "an archive that was changed, or is none, is refused" {
    start
    run_sessions 1
    stop
    run -66 start --from "$BATS_TEST_TMPDIR"
    echo more >>"$(archive)/collector/stack.otlp.jsonl"
    run -65 start --from "$(archive)"
    contains "$output" stack.otlp.jsonl
    run -64 start --max-size much
}

@test "an archive is not poured into data that are there" {
    start
    stop
    start
    run -75 start --from "$(archive)"
    "$STACK" stop --keep --data "$DATA"
    run -75 start --from "$(archive)"
    contains "$output" 'has data already'
}

names() { logs 'event_name:=neuro.session.summary | uniq by (bids.participant)' | jq -r '.["bids.participant"]' | sort; }

@test "words for participants are the same in every server, whatever way they came: live, from an archive, and as status says" {
    start
    cohort "$BATS_TEST_TMPDIR/bids" 2
    preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" --telemetry-id hash --otel-endpoint auto >"$BATS_TEST_TMPDIR/log" 2>&1
    neuro-preprocess status "$BATS_TEST_TMPDIR/out" --format tsv | awk -F'\t' 'NR > 1 { print $18 }' | sort >"$BATS_TEST_TMPDIR/words"
    soon 2 eval 'names | wc -l'
    diff "$BATS_TEST_TMPDIR/words" <(names)
    stop
    local file
    file=$(archive)/collector/stack.otlp.jsonl
    stack_in "$BATS_TEST_TMPDIR/elsewhere"
    start
    run -0 neuro-preprocess replay "$file" --endpoint "http://$(fact OTLP_HTTP)" --telemetry-id hash
    soon 2 eval 'names | wc -l'
    diff "$BATS_TEST_TMPDIR/words" <(names)
}
