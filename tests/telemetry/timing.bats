# What telemetry costs at the end of a run. Runs by itself: nothing else should use the processor.
load helper

setup_file()
{
    cohort "$BATS_FILE_TMPDIR/bids" 1
    export BIDS=$BATS_FILE_TMPDIR/bids
}
setup()
{
    find_tools
    OUT=$BATS_TEST_TMPDIR/out
}
teardown() { end_processes; }

# run_once OPTION…: sets $took_s.
run_once()
{
    rm -rf "$OUT"
    seconds preprocess "$BIDS" "$OUT" "$@"
    ((took_status == 0)) || fail "$(cat "$BATS_TEST_TMPDIR/took.log")"
}

# costs_at_most SECONDS OPTION…: the quickest run with these options against the quickest without telemetry's options, in turns. A
# wait is in each run; what others do on the machine is not in the quickest, of which there are looked for up to 25.
costs_at_most()
{
    local without=999 with=999
    for round in $(seq 25); do
        run_once
        without=$(printf '%s\n' "$without" "$took_s" | sort -n | head -n 1)
        run_once "${@:2}"
        with=$(printf '%s\n' "$with" "$took_s" | sort -n | head -n 1)
        ((round < 5)) || ! less "$with - $without" "$1" 2>/dev/null || return 0
    done
    fail "$with s with, $without s without; expected at most $1 s more (${*:2})"
}

@test "a server that refuses connections costs at most 0.2 s" {
    for protocol in http/protobuf grpc; do
        OTEL_EXPORTER_OTLP_PROTOCOL=$protocol costs_at_most 0.2 --otel-endpoint http://127.0.0.1:1
    done
}

@test "a server that cannot be reached costs at most 0.2 s" {
    "$PYTHON" - "$BATS_TEST_TMPDIR/port" <<'END' 3>&- &
import ctypes
import os
import socket
import sys
import time

ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # end with the parent
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)  # a backlog that is full after the next lines: later connections get no answer
waiting = []
for _ in range(3):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(listener.getsockname())
    waiting.append(one)
with open(sys.argv[1] + ".new", "w", encoding="utf-8") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
END
    remember $!
    disown $!
    wait_until 10 test -f "$BATS_TEST_TMPDIR/port"
    costs_at_most 0.2 --otel-endpoint "http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")"
}

@test "a server that never answers costs at most 0.2 s" {
    start_sink
    plan hang
    for way in "http/protobuf $SINK_HTTP_PORT" "grpc $SINK_GRPC_PORT"; do
        OTEL_EXPORTER_OTLP_PROTOCOL=${way% *} costs_at_most 0.2 --otel-endpoint "http://127.0.0.1:${way#* }"
    done
}

@test "a Collector that is well costs at most 0.2 s" {
    start_collector
    for way in "http/protobuf $COLLECTOR_HTTP_PORT" "grpc $COLLECTOR_GRPC_PORT"; do
        OTEL_EXPORTER_OTLP_PROTOCOL=${way% *} costs_at_most 0.2 --otel-endpoint "http://127.0.0.1:${way#* }"
    done
}
