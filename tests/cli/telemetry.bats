#!/usr/bin/env bats
# Telemetry to a server on this machine: sent while a run lasts, pending when it could not be, replayed. (More of it, against a real
# Collector, is in tests/telemetry.)
load helper

SINK_PY=$TOP/tests/cli/otlp_sink.py

setup_file()
{
    make_dataset "$BATS_FILE_TMPDIR/bids" 01 02
    export BIDS=$BATS_FILE_TMPDIR/bids
}
setup()
{
    OUT=$BATS_TEST_TMPDIR/out
    SINK=$BATS_TEST_TMPDIR/sink.jsonl
    export OTEL_EXPORTER_OTLP_PROTOCOL=http/json
}
teardown()
{
    [[ -z ${SINK_PID:-} ]] || kill "$SINK_PID" 2>/dev/null || true
}

# start_sink [ANSWER…]: sets ENDPOINT; what it accepts stands in $SINK.
start_sink()
{
    [[ -z ${SINK_PID:-} ]] || kill "$SINK_PID"
    : >"$BATS_TEST_TMPDIR/port"
    "$PYTHON" "$SINK_PY" "$SINK" "$@" >"$BATS_TEST_TMPDIR/port" 2>"$BATS_TEST_TMPDIR/sink.log" 3>&- &
    SINK_PID=$!
    until [[ -s $BATS_TEST_TMPDIR/port ]]; do sleep 0.02; done
    ENDPOINT=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")
}

preprocess() { neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --rerun all "$@"; }

# What stands in the records and is to be sent: spans by their ids, log records by their texts.
SPANS='.. | objects | select(has("endTimeUnixNano")).spanId'
recorded() { cat "$OUT"/logs/telemetry/*.otlp.jsonl | jq -Rr "fromjson? | $SPANS" | LC_ALL=C sort; }
arrived() { jq -r ".body | $SPANS" "$SINK" | LC_ALL=C sort; }
pending() { ls "$OUT/logs/telemetry/owed"; }

sender_is_gone() { flock -n "$(find "$OUT/logs/telemetry" -name '*.ledger')" true; }

# Twice is only what came in two batches of one name.
arrived_by_batch() { jq -r ".batch as \$batch | .body | $SPANS | \$batch + \" \" + ." "$SINK" | LC_ALL=C sort -u | cut -d ' ' -f 2 | LC_ALL=C sort; }

@test "a run sends each span once, says so, and owes nothing" {
    start_sink
    run -0 preprocess --otel-endpoint "$ENDPOINT"
    contains "$output" "sent: traces to http/json $ENDPOINT/v1/traces"
    contains "$output" 'telemetry sent: '
    equal "$(arrived)" "$(recorded)"
    equal "$(pending)" ''
}

@test "a run shorter than the schedule delays sends each signal in one batch, at its end" {
    start_sink
    OTEL_BSP_SCHEDULE_DELAY=60000 OTEL_BLRP_SCHEDULE_DELAY=60000 run -0 preprocess --otel-endpoint "$ENDPOINT"
    equal "$(jq -r 'select(.batch) | .path' "$SINK" | LC_ALL=C sort | paste -sd ' ')" '/v1/logs /v1/metrics /v1/traces'
    equal "$(arrived)" "$(recorded)"
}

@test "without a server the run is the same, and the next one sends both" {
    start_sink
    run -0 preprocess --otel-endpoint http://127.0.0.1:1
    contains "$output" 'bytes of the record wait for the next run'
    equal "$(pending | wc -l)" 1
    run -0 preprocess --otel-endpoint "$ENDPOINT"
    contains "$output" '1 earlier record sent'
    equal "$(arrived)" "$(recorded)"
    equal "$(pending)" ''
}

@test "replay sends what is recorded, once; --dry-run and --since send nothing" {
    preprocess
    start_sink
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT" --dry-run
    contains "$output" 'would send'
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT" --since 2999-01-01
    [[ ! -e $SINK ]]
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT" --since 1d
    equal "$(arrived)" "$(recorded)"
    run -0 neuro-preprocess replay "$OUT" --all --endpoint "$ENDPOINT"
    equal "$(arrived)" "$(recorded)"
}

@test "replay's status says what became of it" {
    preprocess
    run -64 --separate-stderr neuro-preprocess replay "$OUT"
    contains "$stderr" '--endpoint URL'
    run -64 neuro-preprocess replay "$OUT" --endpoint http://127.0.0.1:1 --since yesterday
    run -66 neuro-preprocess replay "$BIDS" --endpoint http://127.0.0.1:1
    run -75 --separate-stderr neuro-preprocess replay "$OUT" --endpoint http://127.0.0.1:1 --otel-timeout 0.2
    contains "$stderr" 'what was not sent is kept'
    start_sink 400
    run -1 --separate-stderr neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    contains "$stderr" 'replay --all'
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
}

@test "TERM: what was recorded until then arrives, with the interrupted session's end" {
    start_sink
    neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --slow-stage normalization:20 --otel-endpoint "$ENDPOINT" \
        >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    until [[ $(running_stage "$OUT" 01) == normalization ]]; do sleep 0.05; done
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    equal $status 143
    equal "$(arrived)" "$(recorded)"
    jq -es '.. | objects | select(.name? == "preprocess_session" and .status.code == 2)' "$SINK"
    equal "$(pending)" ''
}

@test "a second TERM cuts the last flush off, and what was not sent is pending" {
    start_sink 200 200 hang
    neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --slow-stage normalization:20 --otel-endpoint "$ENDPOINT" \
        --otel-timeout 60 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    until [[ $(running_stage "$OUT" 01) == normalization ]]; do sleep 0.05; done
    kill -TERM $pid
    sleep 2
    kill -0 $pid # it waits for the server
    start=$SECONDS
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    equal $status 143
    ((SECONDS - start <= 5)) # of 60
    contains "$(cat "$BATS_TEST_TMPDIR/log")" 'bytes of the record wait for the next run'
    equal "$(pending | wc -l)" 1
}

@test "killed again and again, the program loses nothing and repeats only whole batches" {
    export OTEL_BSP_SCHEDULE_DELAY=5 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=3
    start_sink
    for i in $(seq 20); do
        setsid neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --rerun all --otel-endpoint "$ENDPOINT" \
            >/dev/null 2>&1 3>&- &
        sleep "0.$(printf '%02d' $((i * 4)))"
        kill -KILL -- -$! 2>/dev/null || true
        wait $! 2>/dev/null || true
        while kill -0 -- -$! 2>/dev/null; do sleep 0.01; done # its sender holds the ledger until it is gone
    done
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    equal "$(arrived_by_batch)" "$(recorded)"
    equal "$(pending)" ''
    # Runs that died have their spans ended.
    grep -rq '"stringValue":"killed"' "$OUT/logs/telemetry"
}

@test "a hundred records are replayed at once by ten processes, each span once" {
    preprocess
    start_sink
    record=$(find "$OUT/logs/telemetry" -name '*.otlp.jsonl')
    for i in $(seq 99); do
        # Other ids: the first eight digits of each span's.
        sed -E "s/\"(spanId|parentSpanId)\":\"[0-9a-f]{8}/\"\1\":\"$(printf '%08x' "$i")/g" "$record" >"${record%/*}/20260101T000000Z_$i.otlp.jsonl"
    done
    local replays=()
    for _ in $(seq 10); do
        neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT" >/dev/null 2>&1 3>&- &
        replays+=($!)
    done
    wait "${replays[@]}" || true # some find that others send already
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    equal "$(arrived)" "$(recorded)"
}

@test "a wrong path (404, 405, 421, 501) drops nothing: the line says what to do, and the right address gets all" {
    for code in 404 405 421 501; do
        rm -rf "$OUT" "$SINK"
        start_sink $code
        run -0 preprocess --otel-endpoint "$ENDPOINT"
        contains "$output" "HTTP $code"
        contains "$output" 'check host, port and path'
        run -75 --separate-stderr neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT" --otel-timeout 0.3
        contains "$stderr" 'what was not sent is kept'
        [[ ! -e $SINK ]]
        start_sink
        run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
        equal "$(arrived)" "$(recorded)"
    done
}

@test "replay --again sends to an emptied server what it has accepted; a second replay does not" {
    start_sink
    preprocess --otel-endpoint "$ENDPOINT"
    equal "$(arrived)" "$(recorded)"
    : >"$SINK" # emptied
    run -0 neuro-preprocess replay "$OUT" --all --endpoint "$ENDPOINT"
    equal "$(arrived)" ''
    run -0 neuro-preprocess replay "$OUT" --again --endpoint "$ENDPOINT"
    equal "$(arrived)" "$(recorded)"
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    equal "$(arrived)" "$(recorded)"
}

@test "what waits, and why, is in status and doctor: a receiver without a path for one signal" {
    start_sink
    whole=$ENDPOINT whole_pid=$SINK_PID
    SINK_PID=''
    start_sink 404 # it takes no logs
    OTEL_EXPORTER_OTLP_ENDPOINT=$whole OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=$ENDPOINT/v1/logs run -0 preprocess
    contains "$output" 'warning: telemetry: logs: not reachable: HTTP 404'
    run -0 neuro-preprocess status "$OUT"
    contains "$output" '1 record of telemetry waits to be sent, the last because of logs: not reachable: HTTP 404'
    run neuro-preprocess doctor "$BIDS" "$OUT"
    contains "$output" '1 record of telemetry waits to be sent'
    run -0 neuro-preprocess replay "$OUT" --endpoint "$whole"
    run -0 neuro-preprocess status "$OUT"
    lacks "$output" 'of telemetry'
    kill "$whole_pid"
}

@test "replay --prune deletes what this destination has acknowledged whole, and nothing else" {
    files() { find "$OUT/logs/telemetry" -type f ! -name .salt -printf '%P\n' | LC_ALL=C sort; }
    start_sink
    preprocess --otel-endpoint "$ENDPOINT"
    preprocess --otel-endpoint http://127.0.0.1:1 # the second record is with nobody
    all=$(files)
    run -0 neuro-preprocess replay "$OUT" --prune --dry-run --endpoint "$ENDPOINT"
    contains "$output" '1 record would be deleted'
    equal "$(files)" "$all"
    start_sink # another destination: it has nothing
    run -0 neuro-preprocess replay "$OUT" --prune --since 1d --endpoint "$ENDPOINT"
    contains "$output" '1 record deleted' # what was with nobody was sent here
    equal "$(files | grep -c 'otlp.jsonl$')" 1
    OTEL_METRICS_EXPORTER=none run -0 neuro-preprocess replay "$OUT" --all --prune --endpoint "$ENDPOINT"
    contains "$output" '0 records deleted' # its metrics are not here
    run -0 neuro-preprocess replay "$OUT" --all --prune --endpoint "$ENDPOINT"
    contains "$output" '1 record deleted'
    equal "$(files)" ''
    preprocess
    start_sink 400
    run -1 neuro-preprocess replay "$OUT" --prune --endpoint "$ENDPOINT"
    contains "$output" '0 records deleted'
    start_sink
    run -0 neuro-preprocess replay "$OUT" --all --prune --endpoint "$ENDPOINT"
    equal "$(files)" ''
}

@test "replay --prune keeps the record of a run that goes on, and one that is damaged" {
    start_sink
    neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --slow-stage normalization:20 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    until [[ $(running_stage "$OUT" 01) == normalization ]]; do sleep 0.05; done
    run neuro-preprocess replay "$OUT" --prune --endpoint "$ENDPOINT"
    contains "$output" '0 records deleted'
    kill -KILL $pid
    wait $pid || true
    record=$(find "$OUT/logs/telemetry" -name '*.otlp.jsonl')
    sed -i '2s/.*/{"resourceLogs":[?]}/' "$record"
    sleep 0.2
    run -65 neuro-preprocess replay "$OUT" --prune --endpoint "$ENDPOINT"
    contains "$output" '0 records deleted'
    [[ -s $record ]]
}

@test "one place by any name and protocol is one destination; another tenant or query is another" {
    start_sink
    preprocess --otel-endpoint "$ENDPOINT"
    for way in "http/json ${ENDPOINT/127.0.0.1/localhost}" "http/protobuf $ENDPOINT" "http/protobuf ${ENDPOINT/127.0.0.1/localhost}/v1/traces"; do
        OTEL_EXPORTER_OTLP_PROTOCOL=${way% *} run -0 neuro-preprocess replay "$OUT" --all --endpoint "${way#* }"
        equal "$(arrived)" "$(recorded)" "after $way"
    done
    # The ledger of an earlier version names protocol and URL.
    sed -i 's|"destination":"127.0.0.1|"destination":"http/protobuf http://localhost|' "$OUT"/logs/telemetry/*.ledger
    run -0 neuro-preprocess replay "$OUT" --all --endpoint "$ENDPOINT"
    equal "$(arrived)" "$(recorded)" 'after an earlier version'
    sed -i 's|http/protobuf http://localhost|127.0.0.1|' "$OUT"/logs/telemetry/*.ledger
    for tenant in X-Scope-OrgID=SECRET AccountID=SECRET ProjectID=SECRET; do
        : >"$SINK"
        OTEL_EXPORTER_OTLP_HEADERS=$tenant run -0 neuro-preprocess replay "$OUT" --all --endpoint "$ENDPOINT"
        equal "$(arrived)" "$(recorded)" "to $tenant"
    done
    lacks "$(cat "$OUT"/logs/telemetry/*.ledger)" SECRET
}

@test "a damaged line is counted and said, replay ends 65, and a span whose end it held is incomplete, not killed" {
    start_sink
    preprocess
    record=$(find "$OUT/logs/telemetry" -name '*.otlp.jsonl')
    tail -n 1 "$record" | grep -q '"neuro.run.end"'
    # The line that holds the end of preprocess_run.
    line=$(grep -n '"resourceSpans".*"preprocess_run"' "$record" | cut -d: -f1)
    sed -i "${line}s/.*/{\"resourceSpans\":[?]}/" "$record"
    for _ in 1 2; do
        run -65 --separate-stderr neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
        contains "$output$stderr" '1 of its lines cannot be read'
    done
    equal "$(arrived)" "$(recorded)"
    run_span=$(jq -c '.. | objects | select(.name? == "preprocess_run")' "$SINK")
    equal "$(jq -r '[.attributes[].key] | any(. == "error.type")' <<<"$run_span")" false
    equal "$(jq -r '.attributes[] | select(.key == "neuro.telemetry.incomplete").value.boolValue' <<<"$run_span")" true
    equal "$(jq -r '.status.code // 0' <<<"$run_span")" 0
}

@test "a file of batch whose record says how it ended is not sent as killed with its run" {
    start_sink
    files=$BATS_TEST_TMPDIR/files
    mkdir -p "$files/in"
    for name in in/a b; do cp "$BIDS/sub-01/anat/sub-01_T1w.nii.gz" "$files/$name.nii.gz"; done
    neuro-preprocess batch "$files" -o "$OUT" --bias-correction none --skull-strip skip --parallel 1 --slow-stage load_file:3 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    wait_until 60 '[[ $(jq -r .state "$OUT"/logs/b_status.json "$OUT"/logs/in/a_status.json 2>/dev/null | sort | xargs) == "running success" ]]'
    kill -KILL $pid
    wait $pid || true
    done_first=$(jq -r 'select(.state == "success").files[0].input.path' "$OUT"/logs/b_status.json "$OUT"/logs/in/a_status.json)
    record=$(find "$OUT/logs/telemetry" -name '*.otlp.jsonl')
    # the line with the end of the first file's span
    line=$(grep -n '"resourceSpans".*"preprocess_file"' "$record" | head -n 1 | cut -d: -f1)
    sed -i "${line}s/.*/{\"resourceSpans\":[?]}/" "$record"
    run -65 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    of_file() { jq -c --arg path "$1" '.body | .. | objects | select(.name? == "preprocess_file" and has("endTimeUnixNano")
        and any(.attributes[]; .key == "file.path" and (.value.stringValue == $path) == '"$2"'))
        | [.status.code, ([.attributes[] | select(.key == "error.type" or .key == "neuro.telemetry.incomplete").key] | join(" "))]' "$SINK"; }
    equal "$(of_file "$done_first" true)" '[1,"neuro.telemetry.incomplete"]'
    equal "$(of_file "$done_first" false)" '[2,"error.type"]'
}

@test "a record cut after it was sent: what its ledger claims beyond the end does not hide what comes there" {
    start_sink
    neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --slow-stage normalization:20 --otel-endpoint "$ENDPOINT" \
        >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    record=$OUT/logs/telemetry/none
    until [[ $(running_stage "$OUT" 01) == normalization ]] && grep -q '"signal":"traces".*accepted' "$OUT"/logs/telemetry/*.ledger; do sleep 0.05; done
    kill -KILL $pid
    wait $pid || true
    wait_until 20 sender_is_gone
    record=$(find "$OUT/logs/telemetry" -name '*.otlp.jsonl')
    half=$(($(wc -l <"$record") / 2))
    head -n $half "$record" >"$record.half"
    cp "$record.half" "$record"
    rm "$record.half"
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    contains "$output" 'beyond the end of the record, which was cut'
    # Everything that the record now holds has arrived, the spans that were closed included.
    recorded >"$BATS_TEST_TMPDIR/recorded"
    [[ -z $(comm -23 "$BATS_TEST_TMPDIR/recorded" <(arrived | uniq)) ]]
    grep -q '"void"' "$record.ledger"
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    lacks "$output" 'which was cut'
}

@test "a record that another process sends is 75, and the process is named" {
    preprocess
    start_sink
    record=$(find "$OUT/logs/telemetry" -name '*.otlp.jsonl')
    : >"$record.ledger"
    exec 7<"$record.ledger"
    flock -n 7
    run -75 --separate-stderr neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    contains "$stderr" 'is sending this telemetry'
    exec 7<&-
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    equal "$(arrived)" "$(recorded)"
}

@test "a full disk under the telemetry of a run that succeeds: nothing is sent as killed" {
    ((EUID == 0)) && unshare -m true 2>/dev/null || skip 'needs to mount a small file system'
    start_sink
    mkdir -p "$OUT/logs/telemetry"
    unshare -m bash -ec '
        mount -t tmpfs -o size=48k none "$1/logs/telemetry"
        shift
        "$@" || exit 1
        cp "$0/logs/telemetry"/*.otlp.jsonl "$0/logs/"
    ' "$OUT" "$OUT" neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip
    mv "$OUT"/logs/*.otlp.jsonl "$OUT/logs/telemetry/"
    tail -n 1 "$OUT"/logs/telemetry/*.otlp.jsonl | grep -q '"neuro.run.end"'
    run -0 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT"
    equal "$(arrived)" "$(recorded)"
    lacks "$(cat "$SINK")" '"killed"'
    contains "$(cat "$SINK")" 'neuro.telemetry.incomplete'
}

@test "a proxy of the environment is used and named, and none for this host" {
    start_sink # as the proxy
    unset "${!no_proxy@}" "${!NO_PROXY@}"
    http_proxy=http://user:word@127.0.0.1:${ENDPOINT##*:} run -0 preprocess --otel-endpoint http://collector.example:4318
    contains "$output" "http://collector.example:4318/v1/traces by the proxy 127.0.0.1:${ENDPOINT##*:}"
    lacks "$output" word
    equal "$(jq -r .path "$SINK" | sort -u | head -n 1)" http://collector.example:4318/v1/logs
    equal "$(arrived)" "$(recorded)"
    : >"$SINK"
    http_proxy=http://127.0.0.1:1 run -0 preprocess --otel-endpoint "${ENDPOINT/127.0.0.1/localhost}"
    lacks "$output" 'by the proxy'
    [[ -n $(arrived) ]]
}

@test "a name that /etc/hosts gives to this host has no proxy" {
    ((EUID == 0)) && unshare -m true 2>/dev/null || skip 'needs to put another /etc/hosts in place'
    printf '127.0.0.1 localhost\n# 127.0.0.1 comment.example\n127.0.1.1\tfull.example mine.example # near.example\n192.0.2.77 far.example\n' \
        >"$BATS_TEST_TMPDIR/hosts"
    with_hosts() { unshare -m bash -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$BATS_TEST_TMPDIR/hosts" "$@"; }
    unset "${!no_proxy@}" "${!NO_PROXY@}"
    for name in full mine MINE comment near far; do
        http_proxy=http://127.0.0.1:1 run -0 with_hosts neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip \
            --otel-endpoint "http://$name.example:9"
        if [[ $name == @(full|mine|MINE) ]]; then
            lacks "$output" 'by the proxy'
        else
            contains "$output" "http://$name.example:9/v1/traces by the proxy 127.0.0.1:1"
        fi
    done
}

# A name server that is silent: it takes questions and answers none.
@test "a silent name server costs the deadline at most: in replay, at a run's end, and for the page for Prometheus" {
    ((EUID == 0)) && unshare -m true 2>/dev/null || skip 'needs to put another resolv.conf in place'
    "$PYTHON" -c 'import socket, sys, time
for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
    server = socket.socket(socket.AF_INET, kind); server.bind(("127.0.0.9", 53)); globals()[kind] = server
server.listen(50); print("up", flush=True); time.sleep(120)' >"$BATS_TEST_TMPDIR/up" 2>/dev/null 3>&- &
    SINK_PID=$!
    wait_until 5 grep -q up "$BATS_TEST_TMPDIR/up" || skip 'port 53 of 127.0.0.9 is taken'
    echo 'nameserver 127.0.0.9' >"$BATS_TEST_TMPDIR/resolv.conf"
    silently() { unshare -m bash -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$BATS_TEST_TMPDIR/resolv.conf" "$@"; }
    unset "${!http_proxy@}" "${!https_proxy@}" "${!HTTP_PROXY@}" "${!HTTPS_PROXY@}"
    preprocess
    for protocol in http/json grpc; do
        began=$EPOCHREALTIME
        OTEL_EXPORTER_OTLP_PROTOCOL=$protocol run -75 silently neuro-preprocess replay "$OUT" --endpoint http://slow.example:4318 --otel-timeout 1
        contains "$output" 'what was not sent is kept'
        awk "BEGIN { exit !($EPOCHREALTIME - $began < 4) }"
    done
    began=$EPOCHREALTIME
    OTEL_METRICS_EXPORTER=prometheus OTEL_EXPORTER_PROMETHEUS_HOST=slow.example run -0 silently neuro-preprocess "$BIDS" "$OUT" participant \
        --bias-correction none --skull-strip skip --rerun all --otel-timeout 1
    contains "$output" 'no name server answered within 1 s'
    awk "BEGIN { exit !($EPOCHREALTIME - $began < 8) }" # of which the run takes a part
}

@test "an encrypted key never asks on a terminal, wherever it stands, and the reason is said" {
    local dir=$BATS_TEST_TMPDIR
    command -v openssl >/dev/null || skip 'needs openssl'
    preprocess
    openssl req -x509 -newkey rsa:2048 -keyout "$dir/key.pem" -out "$dir/cert.pem" -days 2 -subj /CN=client -passout pass:secret 2>/dev/null
    cat "$dir/cert.pem" "$dir/key.pem" >"$dir/both.pem"
    for pair in "cert.pem key.pem" "both.pem both.pem" "both.pem "; do
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=$dir/${pair% *} OTEL_EXPORTER_OTLP_CLIENT_KEY=${pair#* }
        OTEL_EXPORTER_OTLP_CLIENT_KEY=${OTEL_EXPORTER_OTLP_CLIENT_KEY:+$dir/$OTEL_EXPORTER_OTLP_CLIENT_KEY}
        export OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE OTEL_EXPORTER_OTLP_CLIENT_KEY
        start_sink # the key is read before any byte goes to the server
        run -75 timeout 20 "$PYTHON" "$TOP/tests/cli/terminal.py" 400 neuro-preprocess replay "$OUT" --endpoint "${ENDPOINT/http:/https:}" --otel-timeout 1
        lacks "$output" 'PEM pass phrase'
        contains "$output" 'its pass phrase is never asked for'
    done
}
