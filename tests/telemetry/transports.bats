# What a run records is what arrives: over every protocol, with and without TLS and compression, attribute by attribute.
load helper

setup_file()
{
    cohort "$BATS_FILE_TMPDIR/bids" 2 1
    export BIDS=$BATS_FILE_TMPDIR/bids
}
setup()
{
    find_tools
    OUT=$BATS_TEST_TMPDIR/out
}
teardown() { end_processes; }

# One run of two good sessions and a broken one.
run_cohort()
{
    run --separate-stderr preprocess "$BIDS" "$OUT" "$@"
    ((status == 1)) || fail "status $status: $stderr"
}

# way PROTOCOL: the endpoint of the Collector for it.
endpoint() { if [[ $1 == grpc ]]; then echo "${2:-http}://127.0.0.1:$COLLECTOR_GRPC_PORT"; else echo "${2:-http}://127.0.0.1:$COLLECTOR_HTTP_PORT"; fi; }

@test "the Collector writes just what the record holds, over each protocol, plain and gzipped" {
    start_collector
    for protocol in http/protobuf http/json grpc; do
        for compression in none gzip; do
            rm -rf "$OUT"
            : >"$COLLECTOR_FILE"
            export OTEL_EXPORTER_OTLP_PROTOCOL=$protocol OTEL_EXPORTER_OTLP_COMPRESSION=$compression
            OTEL_EXPORTER_OTLP_ENDPOINT=$(endpoint $protocol) run_cohort
            run otlp same "$OUT" -- "$COLLECTOR_FILE"
            ((status == 0)) || fail "$protocol $compression: $output"
            equal "$(otlp n_pending "$OUT")" 0 "pending after $protocol"
        done
    done
}

@test "a timeout of 0 or of weeks is none that a server cannot read" {
    start_collector
    for timeout in 0 2000000000; do
        for protocol in http/protobuf grpc; do
            rm -rf "$OUT"
            : >"$COLLECTOR_FILE"
            OTEL_EXPORTER_OTLP_TIMEOUT=$timeout OTEL_EXPORTER_OTLP_PROTOCOL=$protocol OTEL_EXPORTER_OTLP_ENDPOINT=$(endpoint $protocol) run_cohort
            run otlp same "$OUT" -- "$COLLECTOR_FILE"
            ((status == 0)) || fail "$protocol $timeout: $output"
        done
    done
}

@test "TLS with a private authority and a client certificate, over HTTP and gRPC" {
    export COLLECTOR_TLS=$BATS_TEST_TMPDIR/tls
    "$NP_COLLECTOR_BIN/sink" --tls "$COLLECTOR_TLS"
    start_collector tls
    export OTEL_EXPORTER_OTLP_CERTIFICATE=$COLLECTOR_TLS/ca.pem
    export OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=$COLLECTOR_TLS/client.pem OTEL_EXPORTER_OTLP_CLIENT_KEY=$COLLECTOR_TLS/client.key
    for protocol in http/protobuf http/json grpc; do
        rm -rf "$OUT"
        : >"$COLLECTOR_FILE"
        OTEL_EXPORTER_OTLP_PROTOCOL=$protocol OTEL_EXPORTER_OTLP_ENDPOINT=$(endpoint $protocol https) run_cohort
        run otlp same "$OUT" -- "$COLLECTOR_FILE"
        ((status == 0)) || fail "$protocol: $output"
    done
}

@test "without the client certificate that the server asks for nothing is sent, and all is pending" {
    export COLLECTOR_TLS=$BATS_TEST_TMPDIR/tls
    "$NP_COLLECTOR_BIN/sink" --tls "$COLLECTOR_TLS"
    start_collector tls
    export OTEL_EXPORTER_OTLP_CERTIFICATE=$COLLECTOR_TLS/ca.pem
    for protocol in http/protobuf grpc; do
        rm -rf "$OUT"
        OTEL_EXPORTER_OTLP_PROTOCOL=$protocol OTEL_EXPORTER_OTLP_ENDPOINT=$(endpoint $protocol https) run_cohort
        equal "$(otlp n_pending "$OUT")" "$(otlp holds "$OUT"/logs/telemetry/*.otlp.jsonl)" "$protocol"
    done
}

@test "a bearer token gives access; with a wrong one all is pending, and the right one then sends it" {
    export COLLECTOR_TOKEN=sesame
    start_collector token
    for protocol in http/protobuf grpc; do
        rm -rf "$OUT"
        : >"$COLLECTOR_FILE"
        export OTEL_EXPORTER_OTLP_PROTOCOL=$protocol
        OTEL_EXPORTER_OTLP_ENDPOINT=$(endpoint $protocol)
        export OTEL_EXPORTER_OTLP_ENDPOINT
        OTEL_EXPORTER_OTLP_HEADERS='Authorization=Bearer%20wrong' run_cohort
        equal "$(otlp n_pending "$OUT")" "$(otlp holds "$OUT"/logs/telemetry/*.otlp.jsonl)" "$protocol"
        equal "$(otlp holds "$COLLECTOR_FILE")" 0
        OTEL_EXPORTER_OTLP_HEADERS='Authorization=Bearer%20sesame' run_cohort --rerun all
        otlp same "$OUT" -- "$COLLECTOR_FILE"
    done
}

@test "the official Python packages take it over each protocol" {
    find_foreign
    start_foreign
    for way in "http/protobuf http://127.0.0.1:$FOREIGN_HTTP_PORT" "http/json http://127.0.0.1:$FOREIGN_HTTP_PORT" "grpc http://127.0.0.1:$FOREIGN_GRPC_PORT"; do
        rm -rf "$OUT"
        : >"$FOREIGN_FILE"
        OTEL_EXPORTER_OTLP_PROTOCOL=${way% *} OTEL_EXPORTER_OTLP_ENDPOINT=${way#* } run_cohort
        run otlp same "$OUT" -- "$FOREIGN_FILE"
        ((status == 0)) || fail "$way: $output"
    done
}

@test "one record, replayed over each protocol, arrives the same" {
    start_collector
    run_cohort
    for protocol in http/protobuf http/json grpc; do
        : >"$COLLECTOR_FILE"
        OTEL_EXPORTER_OTLP_PROTOCOL=$protocol neuro-preprocess replay "$OUT" --again --endpoint "$(endpoint $protocol)"
        otlp same "$OUT" -- "$COLLECTOR_FILE"
    done
}

@test "a record of 20 MB arrives whole through the Collector's limits of 4 MiB (gRPC) and 20 MiB (HTTP)" {
    start_collector
    run_cohort
    "$PYTHON" "$TELEMETRY/multiply.py" "$OUT"/logs/telemetry/*.otlp.jsonl 20000000 >"$BATS_TEST_TMPDIR/large.otlp.jsonl"
    for protocol in grpc http/protobuf http/json; do
        : >"$COLLECTOR_FILE"
        OTEL_EXPORTER_OTLP_PROTOCOL=$protocol neuro-preprocess replay "$BATS_TEST_TMPDIR/large.otlp.jsonl" --again --endpoint "$(endpoint $protocol)"
        otlp same "$BATS_TEST_TMPDIR/large.otlp.jsonl" -- "$COLLECTOR_FILE"
    done
}
