# What the program does about answers: what is tried again, when, what is split, what is given up; and that no record is lost or
# delivered twice over any of it.
load helper

setup_file()
{
    cohort "$BATS_FILE_TMPDIR/bids" 1 1
    export BIDS=$BATS_FILE_TMPDIR/bids
    unset OTEL_EXPORTER_OTLP_ENDPOINT
    preprocess "$BIDS" "$BATS_FILE_TMPDIR/out" || true
    export DONE=$BATS_FILE_TMPDIR/out # a run that has sent nothing: to be replayed
}
setup()
{
    find_tools
    start_sink
    OUT=$BATS_TEST_TMPDIR/out
}
teardown() { end_processes; }

# A fresh copy of that run's output, without a ledger.
fresh()
{
    rm -rf "$OUT"
    cp -r "$DONE" "$OUT"
    : >"$SINK_LOG"
}

# use PROTOCOL: to the sink.
use()
{
    export OTEL_EXPORTER_OTLP_PROTOCOL=$1
    if [[ $1 == grpc ]]; then ENDPOINT=http://127.0.0.1:$SINK_GRPC_PORT; else ENDPOINT=http://127.0.0.1:$SINK_HTTP_PORT; fi
}
replay() { run --separate-stderr timeout 60 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT" "$@"; }
# Parts of a batch that was split are other batches.
delivered_once() { otlp delivered "$OUT" -- "$SINK_LOG" && equal "$(otlp n_pending "$OUT")" 0 "$1"; }
delivered() { otlp delivered "$OUT" -- "$SINK_LOG" && otlp whole "$SINK_LOG" && equal "$(otlp n_pending "$OUT")" 0; }

@test "an answer of any shape is a success: empty, empty partial_success, warning, gzip, chunks, byte by byte, 5 MiB" {
    for protocol in http/protobuf http/json grpc; do
        use $protocol
        for step in ok bare 'warn careful' gzip chunked 'drip 2' 'big 5242880' 'late 1'; do
            fresh
            plan "$step" "$step" "$step" ok
            replay
            ((status == 0)) || fail "$protocol '$step': $stderr"
            delivered || fail "after $protocol '$step'"
            equal "$(sent length)" "$(sent 'map(select(.stored > 0)) | length')" "requests, $protocol '$step'"
        done
    done
}

@test "HTTP 429, 502, 503, 504 are tried again, and delivered once" {
    for protocol in http/protobuf http/json; do
        use $protocol
        for code in 429 502 503 504; do
            fresh
            plan "status $code" ok
            replay
            delivered || fail "after $protocol $code"
            equal "$(sent 'map(select(.stored == 0)) | length')" 1
        done
    done
}

@test "gRPC 1, 4, 10, 11, 14, 15, and 8 with RetryInfo, are tried again, with trailers alone or after headers" {
    use grpc
    for step in 1 4 10 11 14 15 '8 retry-info 1' '14 late' '8 retry-info 1 late'; do
        fresh
        plan "status $step" ok
        replay
        delivered || fail "after '$step'"
        equal "$(sent 'map(select(.stored == 0)) | length')" 1 "$step"
    done
}

@test "any other status is final: sent once, dropped, said, and noted in the ledger" {
    for protocol in http/protobuf grpc; do
        use $protocol
        codes=(400 410 500 505)
        [[ $protocol != grpc ]] || codes=(2 3 5 6 9 13)
        for code in "${codes[@]}"; do
            fresh
            plan "status $code" ok
            replay
            contains "$stderr$output" "$code"
            equal "$(sent 'map(select(.stored == 0)) | length')" 1 "$code"
            otlp whole "$SINK_LOG"
            otlp accounted "$OUT" -- "$SINK_LOG" >/dev/null || true
            equal "$(otlp n_pending "$OUT")" 0 "$code"
            equal "$(jq -rs 'map(select(.outcome == "dropped")) | length' "$OUT"/logs/telemetry/*.ledger)" 1 "$code"
            replay # and never again
            equal "$(sent 'map(select(.stored == 0)) | length')" 1 "$code"
        done
    done
}

@test "a wrong address and refused access drop nothing: HTTP 401, 403, 404, 405, 421, 501 and gRPC 7, 12, 16 leave all pending" {
    for way in 'http/protobuf 401' 'http/protobuf 403' 'http/protobuf 404' 'http/protobuf 405' 'http/protobuf 421' 'http/protobuf 501' \
        'grpc 7' 'grpc 12' 'grpc 16'; do
        use "${way% *}"
        fresh
        plan "status ${way#* }"
        run --separate-stderr preprocess "$BIDS" "$OUT" --rerun all --otel-endpoint "$ENDPOINT"
        ((status == 1))
        equal "$(otlp n_pending "$OUT")" "$(otlp holds "$OUT"/logs/telemetry/*.otlp.jsonl)" "$way"
        plan ok
        replay
        delivered
    done
}

@test "without a hint the waits double from 1 s, each shortened by up to a half" {
    for protocol in http/protobuf grpc; do
        use $protocol
        fresh
        step='status 503'
        [[ $protocol != grpc ]] || step='status 14'
        plan "$step"
        OTEL_LOGS_EXPORTER=none OTEL_METRICS_EXPORTER=none timeout 9 neuro-preprocess replay "$OUT" --endpoint "$ENDPOINT" --otel-timeout 20 || true
        otlp spaced "$SINK_LOG" traces 0.48-1.3 0.98-2.3 1.98-4.3
    done
}

@test "Retry-After in seconds and as a date, and RetryInfo, are waited for in full" {
    use http/protobuf
    fresh
    plan 'status 503 retry-after 2' ok
    OTEL_LOGS_EXPORTER=none OTEL_METRICS_EXPORTER=none replay
    otlp spaced "$SINK_LOG" traces 1.98-2.6
    fresh
    plan 'status 429 retry-after date 3' ok
    OTEL_LOGS_EXPORTER=none OTEL_METRICS_EXPORTER=none replay
    otlp spaced "$SINK_LOG" traces 1.9-3.6 # a date has whole seconds
    use grpc
    fresh
    plan 'status 8 retry-info 2' ok
    OTEL_LOGS_EXPORTER=none OTEL_METRICS_EXPORTER=none replay
    otlp spaced "$SINK_LOG" traces 1.98-2.6
}

@test "an absurd Retry-After stops nothing: the run ends by its deadline, and all is delivered or pending" {
    use http/protobuf
    for value in 'text -5' 'text soon' 'text 1e9' 'text 99999999999999999999' 'date 999999999' 'text Fri, 31 Dec 9999 23:59:59 GMT' 'text 0'; do
        fresh
        rm -rf "$OUT"
        plan ok "status 503 retry-after $value" ok # a run begins with an empty request
        OTEL_BSP_EXPORT_TIMEOUT=2000 seconds preprocess "$BIDS" "$OUT" --otel-endpoint "$ENDPOINT"
        equal "$took_status" 1 "$value"
        less "$took_s" 6 "$value"
        otlp accounted "$OUT" -- "$SINK_LOG" || fail "$value"
        otlp whole "$SINK_LOG"
    done
}

@test "a partial success is not sent again: what was rejected is counted, said, and noted" {
    for protocol in http/protobuf http/json grpc; do
        use $protocol
        fresh
        plan 'partial 1 the-reason' ok
        replay
        otlp whole "$SINK_LOG"
        equal "$(otlp n_pending "$OUT")" 0 "$protocol"
        equal "$(sent '[.[].items] | add')" "$(otlp holds "$OUT"/logs/telemetry/*.otlp.jsonl)" "items sent, $protocol"
        contains "$stderr$output" the-reason
        equal "$(jq -rs 'map(select(.outcome == "partial") | .rejected // .n_rejected) | add' "$OUT"/logs/telemetry/*.ledger)" 1 "$protocol"
        replay
        equal "$(sent 'map(select(.step != "ok")) | length')" 1 "$protocol"
    done
}

@test "a connection that is closed, reset, or broken off in the middle of an answer is tried again" {
    for protocol in http/protobuf http/json grpc; do
        use $protocol
        for step in close reset cut garbage; do
            fresh
            plan "$step" ok
            replay
            otlp accounted "$OUT" -- "$SINK_LOG" || fail "after $protocol '$step'"
            [[ $step == garbage ]] || delivered || fail "after $protocol '$step'"
            otlp whole "$SINK_LOG"
        done
    done
}

# The major version of the library that the program loads.
libcurl_major() { "$PYTHON" -c 'import ctypes; say = ctypes.CDLL("libcurl.so.4").curl_version; say.restype = ctypes.c_char_p; print(say().split(b"/")[1].split(b".")[0].decode())'; }

@test "gRPC: GOAWAY before and after the answer, a refused stream, a stream without status" {
    use grpc
    for step in goaway goaway-first goaway-after 'rst 7' 'rst 2' no-status; do
        fresh
        plan "$step" ok
        replay
        if [[ $step == goaway-?* && $(libcurl_major) -lt 8 ]]; then
            # libcurl before 8.0 can lose an answer that comes together with GOAWAY: then the batch comes again, under its name.
            otlp accounted "$OUT" -- "$SINK_LOG" || fail "after '$step'"
            equal "$(sent '[.[] | select(.items > 0)] | group_by(.signal) | map(map(.headers."x-neuro-batch-id") | unique | length) | max')" 1
            equal "$(otlp n_pending "$OUT")" 0
        else
            delivered || fail "after '$step'"
        fi
    done
}

@test "what is too large is split until it fits, down to one item, and each item arrives once" {
    for way in 'http/protobuf limit' 'http/json limit' 'grpc limit'; do
        use "${way% *}"
        fresh
        most=5500
        [[ $way != http/json* ]] || most=11000
        plan "${way#* } $most"
        replay
        ((status == 0)) || fail "$way: $stderr"
        delivered_once "$way"
        less "$(sent 'map(select(.stored > 0).body_bytes) | max')" $most
    done
}

@test "a server that resets the stream of a large message without a word gets parts of it" {
    use grpc
    fresh
    grep resourceSpans "$(records "$OUT")" >"$BATS_TEST_TMPDIR/spans"
    "$PYTHON" "$TELEMETRY/multiply.py" "$BATS_TEST_TMPDIR/spans" 24000000 >"$BATS_TEST_TMPDIR/large.otlp.jsonl"
    plan 'limit-reset 1200000'
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE=100000 OTEL_BSP_MAX_QUEUE_SIZE=100000 \
        neuro-preprocess replay "$BATS_TEST_TMPDIR/large.otlp.jsonl" --endpoint "$ENDPOINT"
    (($(sent 'map(select(.stored == 0)) | length') > 0))
    otlp delivered "$BATS_TEST_TMPDIR/large.otlp.jsonl" -- "$SINK_LOG"
}
@test "one item that is too large by itself is dropped and said; the others arrive" {
    for protocol in http/protobuf grpc; do
        use $protocol
        fresh
        head -c 20000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/long"
        record=$(records "$OUT")
        span=$(grep -m 1 'resourceSpans' "$record")
        jq -c --rawfile long "$BATS_TEST_TMPDIR/long" '.resourceSpans[0].scopeSpans[0].spans[0] |= (.name = $long | .spanId = "00000000000000aa")' \
            <<<"$span" >>"$record"
        plan 'limit 15000'
        replay
        equal "$(otlp n_pending "$OUT")" 0
        equal "$(sent 'map(.stored) | add')" "$(($(otlp holds "$record") - 1))" "$protocol"
    done
}

@test "a server that hangs costs the deadline at most, and all is pending" {
    for protocol in http/protobuf grpc; do
        use $protocol
        rm -rf "$OUT"
        : >"$SINK_LOG"
        plan ok ok ok hang # it has answered: there is time
        OTEL_BSP_SCHEDULE_DELAY=100 OTEL_BLRP_SCHEDULE_DELAY=100 OTEL_BSP_EXPORT_TIMEOUT=1500 \
            seconds preprocess "$BIDS" "$OUT" --otel-endpoint "$ENDPOINT" --slow-stage normalization:1
        equal "$took_status" 1
        less "$took_s" 4.5 "$protocol"
        otlp accounted "$OUT" -- "$SINK_LOG"
        plan ok
        replay
        delivered || fail "$protocol"
    done
}

@test "certificates that do not hold are refused: unknown authority, expired, another name" {
    export OTEL_EXPORTER_OTLP_CERTIFICATE=$BATS_TEST_TMPDIR/tls/ca.pem
    for kind in good expired other-name; do
        stop_sink
        start_sink --tls "$BATS_TEST_TMPDIR/tls" --certificate $kind
        for protocol in http/protobuf grpc; do
            use $protocol
            fresh
            # shellcheck disable=SC2030 # for this call
            if [[ $kind == good ]]; then
                OTEL_EXPORTER_OTLP_CERTIFICATE='' preprocess "$BIDS" "$OUT" --rerun all --otel-endpoint "${ENDPOINT/http:/https:}" || (($? == 1))
            else
                preprocess "$BIDS" "$OUT" --rerun all --otel-endpoint "${ENDPOINT/http:/https:}" || (($? == 1))
            fi
            equal "$(sent length)" 0 "$kind $protocol"
            equal "$(otlp n_pending "$OUT")" "$(otlp holds "$OUT"/logs/telemetry/*.otlp.jsonl)"
        done
    done
}

@test "a redirection is not followed" {
    use http/protobuf
    fresh
    for code in 301 302 307 308; do
        fresh
        plan "status $code location http://127.0.0.1:$SINK_HTTP_PORT/v1/elsewhere" ok
        replay
        equal "$(sent 'map(select(.path | endswith("elsewhere"))) | length')" 0
        delivered || fail "after $code: what was sent elsewhere is still to be delivered here"
    done
}

@test "a request that timed out and was accepted comes again under the same batch id, and the ledger says so" {
    use http/protobuf
    fresh
    plan 'late 2' ok # stored, and answered too late
    OTEL_EXPORTER_OTLP_TIMEOUT=700 replay --otel-timeout 20
    otlp whole "$SINK_LOG"
    again=$(sent '[.[] | .headers."x-neuro-batch-id"] | group_by(.) | map(select(length > 1)) | length')
    ((again >= 1)) || fail "nothing was sent twice: $(sent '[.[].headers."x-neuro-batch-id"]')"
    ledger=$(records "$OUT" | head -n 1).ledger
    equal "$(jq -r 'select(.outcome == "sending").batch' "$ledger" | LC_ALL=C sort | uniq -d | wc -l)" "$again"
}
