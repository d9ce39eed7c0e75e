# What a run says of itself: names, metrics, sampling, limits, and what Prometheus reads.
load helper

setup()
{
    BIDS=$BATS_TEST_TMPDIR/bids OUT=$BATS_TEST_TMPDIR/out PROM=$BATS_TEST_TMPDIR/np.prom
}

# A dataset with a session that is good and one whose image is broken.
mixed()
{
    make_dataset "$BIDS" 01/BL 02
    head -c 2000 "$BIDS/sub-01/ses-BL/anat/sub-01_ses-BL_T1w.nii.gz" >"$BIDS/sub-02/anat/sub-02_T1w.nii.gz"
    printf 'participant_id\tsite\nsub-01\tMNI\nsub-02\tn/a\n' >"$BIDS/participants.tsv"
}
preprocess() { neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none "$@"; }
lines_of() { cat "$OUT"/logs/telemetry/*.otlp.jsonl; }
spans() { lines_of | jq -c '.resourceSpans[]?.scopeSpans[].spans[]'; }
# Log records that are sent; the record's last line says that the run has ended, and stays in the record.
logs() { lines_of | jq -c '.resourceLogs[]?.scopeLogs[].logRecords[] | select(.eventName != "neuro.run.end")'; }
metrics() { lines_of | jq -c '.resourceMetrics[]?.scopeMetrics[].metrics[]'; }

# Every name that stands in a record: keys of attributes, metrics, spans, events.
names() { jq -r '.. | objects | (select(has("key")).key), (select(has("unit")).name)' "$1" | sed -E 's/^file[0-9]+\.//' | LC_ALL=C sort -u; }
documented() { grep -oE '`[^` ]+`' "$TOP/docs/telemetry.md" | tr -d '`' | LC_ALL=C sort -u; }

@test "every name in a record is in docs/telemetry.md, and one that is not would be found" {
    mixed
    run -1 preprocess --fail-rate 0 --slow-stage validate_data:0.01
    cat "$OUT"/logs/telemetry/*.otlp.jsonl >"$BATS_TEST_TMPDIR/record"
    run -0 comm -23 <(names "$BATS_TEST_TMPDIR/record") <(documented)
    equal "$output" ''
    sed 's/"bids.suffix"/"bids.siffux"/' "$BATS_TEST_TMPDIR/record" >"$BATS_TEST_TMPDIR/wrong"
    run -0 comm -23 <(names "$BATS_TEST_TMPDIR/wrong") <(documented)
    equal "$output" bids.siffux
}

# The rows of the table for people who come with other names.
older() { awk -F' \\| ' '/^## Names in older texts/ { on = 1; next } /^## / { on = 0 } on && /^\| / && !/^\| old name/ { print substr($1, 3) "\t" $2 }' "$TOP/docs/telemetry.md"; }

@test "each name of older texts has one here that a run really writes" {
    mixed
    run -1 neuro-preprocess "$BIDS" "$OUT" participant --metrics-textfile "$PROM"
    spans | jq -r .name | sort -u >"$BATS_TEST_TMPDIR/spans"
    n=0
    while IFS=$'\t' read -r there here; do
        n=$((n + 1))
        case $there in
        *motion_correct*) contains "$here" 'none yet' ;;
        span*)
            name=$(grep -oE '`[a-z_]+`' <<<"$here" | tr -d '`')
            grep -qx "$name" "$BATS_TEST_TMPDIR/spans" || fail "$there -> $here: no such span"
            ;;
        *LogQL*) logs | jq -es 'all(.[]; .traceId | length == 32) and all(.[]; .body.stringValue | test("^{") | not)' >/dev/null ;;
        *)
            while read -r name; do
                grep -qE "^$name(_bucket|\{| )" "$PROM" || fail "$there -> $name: no such series"
            done < <(grep -oE '`neuro_[a-z0-9_]+' <<<"$here" | tr -d '`')
            ;;
        esac
    done < <(older)
    equal "$n" 13
    grep -q '^neuro_files_processed_total{.*neuro_status="failed",neuro_textfile="np"} 1$' "$PROM"
}

@test "the metrics of a run agree with its events" {
    mixed
    run -1 preprocess --metrics-textfile "$PROM"
    for line in 'neuro_sessions_processed_total{neuro_status="failed",neuro_textfile="np"} 1' 'neuro_sessions_processed_total{neuro_status="success",neuro_textfile="np"} 1' \
        'neuro_files_processed_total{bids_suffix="T1w",neuro_status="success",neuro_textfile="np"} 1' 'neuro_files_processed_total{bids_suffix="FLAIR",neuro_status="failed",neuro_textfile="np"} 0' \
        'neuro_errors_total{error_type="bad-data",neuro_stage="load_file",neuro_textfile="np"} 1' 'neuro_sessions_planned{neuro_textfile="np"} 2' 'neuro_sessions_active{neuro_textfile="np"} 0' 'neuro_queue_depth{neuro_textfile="np"} 0'; do
        grep -qxF "$line" "$PROM" || fail "no '$line' in $(cat "$PROM")"
    done
    grep -qE '^neuro_qc_brain_volume_mm3\{bids_participant="01",bids_session="BL",bids_suffix="T1w",neuro_site="MNI",neuro_textfile="np"\} [0-9]+' "$PROM"
    grep -qE '^neuro_session_duration_seconds\{bids_participant="02",neuro_textfile="np"\} ' "$PROM"
    # the first collection has zeros, and exemplars of the last lead to the sessions' traces
    equal "$(metrics | jq -r 'select(.name == "neuro.sessions.processed") | [.sum.dataPoints[].asInt] | join(" ")' | paste -sd ';')" '0 0;1 1'
    equal "$(metrics | jq -r 'select(.name == "neuro.process.duration").histogram.dataPoints[].exemplars[].traceId' | LC_ALL=C sort -u)" \
        "$(spans | jq -r 'select(.name == "preprocess_session").traceId' | LC_ALL=C sort)"
}

@test "promtool finds nothing to object to in the text file" {
    promtool=$("$TOP/scripts/debian-tool.sh" prometheus promtool 2>"$BATS_TEST_TMPDIR/why") || needs promtool
    make_dataset "$BIDS" 01
    run -0 preprocess --metrics-textfile "$PROM"
    run -0 "$promtool" check metrics <"$PROM"
}

# The lines that node_exporter serves of the text files in folder $1.
scrape()
{
    local port
    port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$exporter" --web.listen-address=127.0.0.1:"$port" --collector.disable-defaults --collector.textfile --collector.textfile.directory="$1" \
        --log.level=debug >"$BATS_TEST_TMPDIR/exporter" 2>&1 3>&- &
    local pid=$!
    wait_until 10 "curl -fsS http://127.0.0.1:$port/metrics -o $BATS_TEST_TMPDIR/page" || cat "$BATS_TEST_TMPDIR/exporter"
    kill $pid
    wait $pid || true
    grep '^neuro_' "$BATS_TEST_TMPDIR/page"
}

@test "node_exporter serves the counts of two text files on one node" {
    needs curl
    exporter=$("$TOP/scripts/debian-tool.sh" prometheus-node-exporter prometheus-node-exporter 2>"$BATS_TEST_TMPDIR/why") ||
        needs prometheus-node-exporter
    mkdir "$BATS_TEST_TMPDIR/textfiles"
    mixed
    run -1 preprocess --metrics-textfile "$BATS_TEST_TMPDIR/textfiles/mixed.prom"
    run -0 neuro-preprocess "$BIDS" "$OUT.2" participant --participant-label 01 --bias-correction none --metrics-textfile "$BATS_TEST_TMPDIR/textfiles/good.prom"
    scrape "$BATS_TEST_TMPDIR/textfiles" >"$BATS_TEST_TMPDIR/served"
    for line in 'neuro_sessions_processed_total{neuro_status="success",neuro_textfile="mixed"} 1' 'neuro_sessions_processed_total{neuro_status="failed",neuro_textfile="mixed"} 1' \
        'neuro_sessions_processed_total{neuro_status="success",neuro_textfile="good"} 1' 'neuro_sessions_processed_total{neuro_status="failed",neuro_textfile="good"} 0' \
        'neuro_sessions_planned{neuro_textfile="mixed"} 2' 'neuro_sessions_planned{neuro_textfile="good"} 1'; do
        grep -qxF "$line" "$BATS_TEST_TMPDIR/served" || fail "no '$line' in $(cat "$BATS_TEST_TMPDIR/served")"
    done
    # every series of both files is served, and none is dropped as a duplicate
    equal "$(wc -l <"$BATS_TEST_TMPDIR/served")" "$(cat "$BATS_TEST_TMPDIR"/textfiles/*.prom | grep -c "^neuro_")"
    run ! grep -iE 'collected before|duplicate|error gathering' "$BATS_TEST_TMPDIR/exporter"
}

@test "--metrics-textfile replaces a text file of ours, and nothing else" {
    make_dataset "$BIDS" 01
    head=$(head_image)
    cp "$head" "$BATS_TEST_TMPDIR/a.nii.gz"
    run -64 --separate-stderr neuro-preprocess process --metrics-textfile "$BATS_TEST_TMPDIR/a.nii.gz" "$head" -o "$OUT"
    contains "$(last_line)" "a.nii.gz': expected a file for metrics whose name ends in .prom"
    run -64 --separate-stderr preprocess --metrics-textfile /dev/stdout
    run -64 --separate-stderr preprocess --metrics-textfile /dev/stdout --dry-run
    echo 'node_something 1' >"$PROM"
    run -73 --separate-stderr preprocess --metrics-textfile "$PROM"
    contains "$(last_line)" "np.prom': expected a new name, or a file that this option wrote before, found another file"
    mkfifo "$BATS_TEST_TMPDIR/pipe.prom"
    run -73 --separate-stderr preprocess --metrics-textfile "$BATS_TEST_TMPDIR/pipe.prom"
    contains "$(last_line)" 'found a pipe'
    run -73 --separate-stderr preprocess --metrics-textfile "$BIDS/np.prom"
    contains "$(last_line)" 'outside the dataset'
    [[ ! -e $OUT ]]
    cmp "$head" "$BATS_TEST_TMPDIR/a.nii.gz"
    [[ -c /dev/null && $(readlink /dev/stdout) == /proc/self/fd/1 ]]
    equal "$(cat "$PROM")" 'node_something 1'
    rm "$PROM"
    umask 077
    run -0 preprocess --metrics-textfile "$PROM"
    equal "$(stat -c %a "$PROM")" 644
    run -0 preprocess --metrics-textfile "$PROM" --rerun all
    grep -qx 'neuro_sessions_planned{neuro_textfile="np"} 1' "$PROM"
}

@test "group refuses the same text files, before it writes anything" {
    make_dataset "$BIDS" 01
    preprocess
    for file in "$BATS_TEST_TMPDIR/a.nii.gz" /dev/stdout; do
        run -64 --separate-stderr neuro-preprocess "$BIDS" "$OUT" group --metrics-textfile "$file"
        contains "$(last_line)" "--metrics-textfile: '$file': expected a file for metrics whose name ends in .prom"
    done
    run -73 --separate-stderr neuro-preprocess "$BIDS" "$OUT" group --metrics-textfile "$BIDS/np.prom"
    contains "$(last_line)" 'outside the dataset'
    [[ ! -e $BIDS/np.prom && ! -e $OUT/logs/status.tsv ]]
    run -0 neuro-preprocess "$BIDS" "$OUT" group --metrics-textfile "$PROM"
    grep -q '^neuro_cohort_sessions{.*neuro_state="success",neuro_textfile="np"} 1$' "$PROM"
}

@test "a text file that cannot be written gives a warning and no failure" {
    make_dataset "$BIDS" 01
    run -0 preprocess --metrics-textfile "$BATS_TEST_TMPDIR/no/such/folder.prom"
    contains "$output" "folder.prom"
    complete "$OUT" 01
}

@test "metrics can be fetched while a run lasts, and no longer" {
    needs curl
    make_dataset "$BIDS" 01
    OTEL_METRICS_EXPORTER=prometheus OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.1 OTEL_EXPORTER_PROMETHEUS_PORT=0 \
        neuro-preprocess "$BIDS" "$OUT" participant --slow-stage load_file:8 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    for ((i = 0; i < 100; i++)); do
        url=$(grep -oE 'http://127.0.0.1:[0-9]+/metrics' "$BATS_TEST_TMPDIR/log" 2>/dev/null) && curl -fsS "$url" >"$PROM" 2>/dev/null &&
            grep -q '^neuro_sessions_active 1' "$PROM" && break
        sleep 0.1
    done
    kill -TERM $pid
    wait $pid || true
    grep -q '^neuro_sessions_active 1' "$PROM" || fail "$(cat "$BATS_TEST_TMPDIR/log" "$PROM")"
    grep -q '^target_info{service_name="neuro-preprocess"' "$PROM" || grep -q 'service_name="neuro-preprocess"' "$PROM"
    run -7 curl -sS "$url"
}

@test "OTEL_TRACES_SAMPLER: traces that are not sampled are recorded and marked, failed ones are kept" {
    mixed
    OTEL_TRACES_SAMPLER=always_off run -1 preprocess
    declare -A sampled
    while read -r trace decision; do sampled[$trace]=$decision; done \
        < <(logs | jq -r 'select(.eventName == "neuro.sampling") | [.traceId, (.attributes[] | select(.key == "neuro.sampled").value.boolValue)] | @tsv')
    equal ${#sampled[@]} 3 # two sessions and the run
    n=0
    while read -r name trace code flags; do
        n=$((n + 1))
        equal "${sampled[$trace]}" "$([[ $code == 2 ]] && echo true || echo false)" "$name"
        equal $((flags & 1)) "$([[ $code == 2 ]] && echo 1 || echo 0)" "flags of $name"
    done < <(spans | jq -r 'select(.parentSpanId == null) | [.name, .traceId, .status.code, .flags] | @tsv')
    equal $n 3
}

@test "limits of attributes are respected, and dropped attributes are counted" {
    make_dataset "$BIDS" 01
    OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=2 OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=4 run -0 preprocess
    spans | jq -es 'all(.[]; (.attributes | length) <= 2) and any(.[]; .droppedAttributesCount > 0)
        and all(.[].attributes[]?.value.stringValue // ""; length <= 4)' >/dev/null || fail "$(spans | head -n 3)"
}

@test "exponential histograms and differences on request" {
    make_dataset "$BIDS" 01
    OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=base2_exponential_bucket_histogram \
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta run -0 preprocess
    metrics | jq -es '[.[] | select(.name == "neuro.stage.duration").exponentialHistogram]
        | length > 0 and all(.[]; .aggregationTemporality == 1 and all(.dataPoints[]; .count == "1" and .scale == 20 and .positive.bucketCounts == ["1"]))' >/dev/null
    equal "$(metrics | jq -s '[.[] | select(.name == "neuro.sessions.processed").sum.dataPoints[]] | length')" 1
    equal "$(metrics | jq -rs '[.[] | select(.name == "neuro.sessions.active").sum.aggregationTemporality] | unique | join(" ")')" 2
}

@test "OTEL_METRIC_EXPORT_INTERVAL: metrics are collected while a run lasts" {
    make_dataset "$BIDS" 01
    OTEL_METRIC_EXPORT_INTERVAL=200 run -0 preprocess --slow-stage load_file:2.5
    equal "$(metrics | jq -s '[.[] | select(.name == "neuro.sessions.active").sum.dataPoints[].asInt | tonumber] | .[0] == 0 and .[-1] == 0 and any(. == 1) and length >= 4')" true
}

@test "a run joins the trace of TRACEPARENT unless OTEL_PROPAGATORS leaves it out" {
    make_dataset "$BIDS" 01
    export TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 TRACESTATE=vendor=1
    run -0 preprocess
    equal "$(spans | jq -r 'select(.name == "preprocess_run") | [.traceId, .parentSpanId, .traceState, .flags] | @tsv')" \
        $'0af7651916cd43dd8448eb211c80319c\tb7ad6b7169203331\tvendor=1\t769'
    rm -r "$OUT"
    OTEL_PROPAGATORS=baggage run -0 preprocess
    equal "$(spans | jq -r 'select(.name == "preprocess_run").parentSpanId')" null
}

@test "--telemetry-id: labels stay in the record, and do not stand in the text file" {
    mixed
    for naming in hash none; do
        run -1 preprocess --telemetry-id $naming --metrics-textfile "$PROM" --rerun all
        grep -qE 'bids_participant="[0-9a-f]{16}"' "$PROM"
        run ! grep -E 'participant="0[12]"|"BL"|sub-01' "$PROM"
        contains "$(lines_of | jq -r '.resourceSpans[]?.resource.attributes[] | select(.key == "neuro.telemetry.id").value.stringValue' | sort -u)" $naming
    done
    equal "$(spans | jq -r '.attributes[]? | select(.key == "bids.participant").value.stringValue' | sort -u | paste -sd ' ')" '01 02'
    equal "$(stat -c %a "$OUT/logs/telemetry/.salt")" 600
}

@test "the files of 'process' keep no names of people in telemetry that is sent" {
    head=$(head_image)
    mkdir "$BATS_TEST_TMPDIR/DoeJane"
    cp "$head" "$BATS_TEST_TMPDIR/DoeJane/DoeJane_MPRAGE.nii.gz"
    head -c 2000 "$head" >"$BATS_TEST_TMPDIR/DoeJane_broken.nii.gz"
    "$PYTHON" "$TOP/tests/cli/otlp_sink.py" "$BATS_TEST_TMPDIR/sent" >"$BATS_TEST_TMPDIR/port" 3>&- &
    sink=$!
    for ((i = 0; i < 50; i++)); do [[ -s $BATS_TEST_TMPDIR/port ]] && break; sleep 0.1; done
    for naming in label hash none; do
        rm -rf "$BATS_TEST_TMPDIR/sent" "$OUT"
        OTEL_EXPORTER_OTLP_PROTOCOL=http/json run neuro-preprocess process "$BATS_TEST_TMPDIR/DoeJane/DoeJane_MPRAGE.nii.gz" "$BATS_TEST_TMPDIR/DoeJane_broken.nii.gz" \
            -o "$OUT" --bias-correction none --telemetry-id $naming --otel-endpoint "http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")"
        [[ -s $BATS_TEST_TMPDIR/sent ]] || { kill $sink; fail "nothing was sent: $output"; }
        if [[ $naming == label ]]; then
            grep -q DoeJane "$BATS_TEST_TMPDIR/sent" || { kill $sink; fail 'this test would see nothing'; }
        elif grep -io '.\{60\}doejane.\{20\}' "$BATS_TEST_TMPDIR/sent"; then
            kill $sink
            fail "a name was sent ($naming)"
        fi
    done
    kill $sink
}

# A run of a session that does not end by itself, with a server that has answered once and then never again; TERM ends the
# session, and the run waits for the server.
run_into_a_flush()
{
    make_dataset "$BIDS" 01
    "$PYTHON" "$TOP/tests/cli/otlp_sink.py" "$BATS_TEST_TMPDIR/sent" 200 200 hang >"$BATS_TEST_TMPDIR/port" 3>&- &
    sink=$!
    wait_until 10 '[[ -s $BATS_TEST_TMPDIR/port ]]'
    OTEL_EXPORTER_OTLP_PROTOCOL=http/json OTEL_BSP_SCHEDULE_DELAY=100 OTEL_BLRP_SCHEDULE_DELAY=100 neuro-preprocess "$BIDS" "$OUT" participant \
        --slow-stage load_file:120 --otel-timeout 60 --otel-endpoint "http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    wait_until 20 '[[ -s $BATS_TEST_TMPDIR/sent && $(running_stage "$OUT" 01) == load_file ]]'
    kill -TERM $pid
    wait_until 20 'grep -q "1 interrupted" "$BATS_TEST_TMPDIR/log"'
}

@test "a second TERM or INT cuts a flush off, and all records stay complete" {
    for signal in TERM INT; do
        run_into_a_flush
        sleep 1
        kill -0 $pid || { kill $sink; fail "one signal does not cut the flush off: $(cat "$BATS_TEST_TMPDIR/log")"; }
        start=${EPOCHREALTIME/[.,]/}
        kill -$signal $pid
        status=0
        wait $pid || status=$?
        kill $sink
        ((${EPOCHREALTIME/[.,]/} - start < 5000000)) || fail "it took $((${EPOCHREALTIME/[.,]/} - start)) us"
        equal $status 143 "the first signal is the exit status"
        state_is "$OUT" 01 interrupted
        lines_of | jq -e . >/dev/null
        equal "$(spans | jq -r 'select(.name == "preprocess_run" or .name == "preprocess_session").status.code' | paste -sd ' ')" '2 2'
        contains "$(cat "$BATS_TEST_TMPDIR/log")" 'wait for the next run'
        rm -rf "$OUT" "$BIDS" "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/port"
    done
}
