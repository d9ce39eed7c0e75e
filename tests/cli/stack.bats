# scripts/stack.sh without any server: its words, and how it looks at ports and processes. tests/stack has the rest.
load helper

setup()
{
    STACK=$TOP/scripts/stack.sh
    export NEURO_STACK_LEASE=$BATS_TEST_TMPDIR/lease
    # shellcheck source=scripts/stack/lib.sh
    . "$TOP/scripts/stack/lib.sh"
}
teardown() { [[ -z ${SITE:-} ]] || kill "$SITE"; }

@test "a program that is not there is named, with what to do" {
    local server bin=$BATS_TEST_TMPDIR/bin # the others are there, built or not
    mkdir "$bin"
    for server in otelcol prometheus victoria-logs; do ln -s /bin/true "$bin/$server"; done
    run -69 env PATH=/usr/bin:/bin "$STACK" start --data "$BATS_TEST_TMPDIR/data" --bin "$bin" --no-grafana --logs victorialogs
    contains "$output" "no program 'tempo'"
    contains "$output" '--traces jaeger'
    [[ ! -e $NEURO_STACK_LEASE ]]
}

@test "wrong words are refused with 64" {
    run -64 "$STACK" start --traces zipkin
    contains "$output" 'tempo jaeger'
    run -64 "$STACK" begin
    run -64 "$STACK" start --deadline soon
    run -3 "$STACK" start --print-env
}

@test "--print-env hashes labels on the way to another machine, in containers too, and not on the way to this one" {
    printf 'OTEL_EXPORTER_OTLP_ENDPOINT=%s\n' https://10.1.2.3:4318 >"$NEURO_STACK_LEASE"
    run -0 "$STACK" start --print-env
    contains "$output" 'export NEURO_PREPROCESS_TELEMETRY_ID=hash'
    contains "$output" 'export APPTAINERENV_NEURO_PREPROCESS_TELEMETRY_ID=hash'
    printf 'OTEL_EXPORTER_OTLP_ENDPOINT=%s\n' http://127.0.0.1:4318 >"$NEURO_STACK_LEASE"
    run -0 "$STACK" start --print-env
    contains "$output" 'OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318'
    lacks "$output" TELEMETRY_ID
}

@test "somebody else who answers on a server's port does not count as the server" {
    local port
    port=$("$PYTHON" -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
    mkdir -p "$BATS_TEST_TMPDIR/site/-" && echo yes >"$BATS_TEST_TMPDIR/site/-/ready"
    "$PYTHON" -m http.server "$port" --bind 127.0.0.1 --directory "$BATS_TEST_TMPDIR/site" >/dev/null 2>&1 3>&- &
    SITE=$!
    wait_until 10 http_ok "127.0.0.1:$port/-/ready"
    run -1 listens $$ "$port"
    run -0 listens "$(ps -o sid= -p $SITE | tr -d " ")" "$port"
}

@test "ports are chosen from the range, none of them in use, none twice" {
    local port_range=20000-20009 port
    run -0 choose_ports 5
    equal "$(sort -u <<<"$output" | grep -cE '^2000[0-9]$')" 5
    port=$("$PYTHON" -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
    "$PYTHON" -m http.server "$port" --bind 127.0.0.1 --directory "$BATS_TEST_TMPDIR" >/dev/null 2>&1 3>&- &
    SITE=$!
    wait_until 10 http_ok "127.0.0.1:$port/"
    port_range=$port-$port
    run -75 choose_ports 1
    contains "$output" "$port-$port"
}

@test "a process number that another process has now is not the server's" {
    local data=$BATS_TEST_TMPDIR
    mkdir -p "$data/run"
    echo "$$ $(start_time $$)" >"$data/run/jaeger.pid"
    run -0 process_of jaeger
    equal "$output" $$
    echo "$$ 1" >"$data/run/jaeger.pid"
    run -1 process_of jaeger
    run -1 process_of tempo
}

@test "a stack of another machine is left alone" {
    mkdir -p "$BATS_TEST_TMPDIR/data/run"
    echo 'STACK_HOST=elsewhere' >"$BATS_TEST_TMPDIR/data/run/state"
    run -75 "$STACK" status --data "$BATS_TEST_TMPDIR/data"
    contains "$output" elsewhere
}

@test "a process whose first thread has ended, and another not, lives; one that has ended whole does not" {
    local pid state=
    /usr/bin/python3 -c 'import ctypes, threading, time
threading.Thread(target=time.sleep, args=(30,)).start()
ctypes.CDLL(None).pthread_exit(None)' 3>&- &
    pid=$!
    for ((i = 0; i < 100; i++)); do
        state=$(awk '/^State/ { print $2 }' "/proc/$pid/status")
        [[ $state != Z ]] || break
        sleep 0.1
    done
    equal "$state" Z
    equal "$(start_time "$pid")" "$(awk '{ print $22 }' "/proc/$pid/stat")"
    kill -KILL "$pid"
    wait "$pid" || true
    equal "$(start_time "$pid")" ''
}
