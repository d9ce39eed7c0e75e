# A stack for senders on other machines: TLS and a token, and nothing else that can be reached from outside.
load helper

setup_file()
{
    load helper
    servers_are_built || return 0
    start_for_file --mode service || return
}
teardown_file()
{
    load helper
    end_for_file
}
setup()
{
    find_servers
    stack_in "$BATS_FILE_TMPDIR/stack"
}

answer() { curl --silent --noproxy '*' --output /dev/null --write-out '%{http_code}' --data '{}' -H 'Content-Type: application/json' "$@" "https://$(fact OTLP_HTTP)/v1/traces" || true; }

@test "only the Collector's two receivers can be reached from outside" {
    local pid outside
    outside=$(for pid in $(pids); do find "/proc/$pid/fd" -lname 'socket:*' -printf '%l\n' | tr -dc '0-9\n'; done | sort -u |
        join - <(awk '$4 == "0A" { print $10, $2 }' /proc/net/tcp /proc/net/tcp6 | sort) | cut -d ' ' -f 2 | grep -cv '^0100007F:')
    equal "$outside" 2
    lacks "$(fact OTLP_HTTP)" 127.0.0.1
}

@test "without the token, and with a wrong one, nothing is taken; with it, it is; and only over TLS that the certificate vouches for" {
    local token pem=$NEURO_STACK_LEASE.pem
    token=$(cat "$DATA/run/secrets/token")
    equal "$(answer --cacert "$pem")" 401
    equal "$(answer --cacert "$pem" -H 'Authorization: Bearer wrong')" 401
    equal "$(answer --cacert "$pem" -H "Authorization: Bearer $token")" 200
    equal "$(answer -H "Authorization: Bearer $token")" 000
    run ! curl --silent --fail --noproxy '*' --data '{}' -H 'Content-Type: application/json' -H "Authorization: Bearer $token" "http://$(fact OTLP_HTTP)/v1/traces"
}

@test "token, key and lease are for their owner alone" {
    equal "$(stat -c %a "$DATA/run/secrets/token" "$DATA/run/secrets/server.key" "$NEURO_STACK_LEASE" | sort -u)" 600
    lacks "$(cat "$DATA"/run/*.log)" "$(cat "$DATA/run/secrets/token")"
    for pid in $(pids); do lacks "$(tr '\0' ' ' <"/proc/$pid/cmdline")" "$(cat "$DATA/run/secrets/token")"; done
}

@test "with the variables of --print-env a program's telemetry arrives, by hashed words in place of labels" {
    local lines trace
    lines=$("$STACK" start --print-env)
    contains "$lines" 'export APPTAINERENV_NEURO_PREPROCESS_TELEMETRY_ID=hash'
    cohort "$BATS_TEST_TMPDIR/bids" 1
    (eval "$lines" && preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out") >"$BATS_TEST_TMPDIR/log" 2>&1
    contains "$(cat "$BATS_TEST_TMPDIR/log")" 'telemetry sent'
    read -r trace _ <<<"$(sessions "$BATS_TEST_TMPDIR/out")"
    soon 1 eval "spans $trace | grep -c '^preprocess_session\$'"
    lacks "$(get "$(fact JAEGER)/api/traces/$trace")" 'sub-001'
    equal "$(logs '"bids.participant":="001"' | wc -l)" 0
}

@test "test_telemetry.sh makes sessions and finds them" {
    run -0 "$TOP/scripts/test_telemetry.sh"
    equal "$(grep -c '  ok ' <<<"$output")" 6
}

@test "a service without a lease that others can see is refused" {
    run -64 env -u NEURO_STACK_LEASE "$STACK" start --mode service --data "$BATS_TEST_TMPDIR/data"
    contains "$output" '--lease'
}

@test "a service that answers on another machine keeps its lease" {
    local site port
    read -r port <<<"$(free_ports 1)"
    "$PYTHON" -m http.server "$port" --bind 127.0.0.1 --directory "$BATS_TEST_TMPDIR" >/dev/null 2>&1 3>&- &
    site=$!
    wait_until 10 get "127.0.0.1:$port/"
    printf 'OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:%s\nSTACK_HOST=elsewhere\nSTACK_DATA=/elsewhere\n' "$port" >"$BATS_TEST_TMPDIR/lease"
    run -75 "$STACK" start --mode service --lease "$BATS_TEST_TMPDIR/lease" --data "$BATS_TEST_TMPDIR/data" --no-grafana --traces jaeger --logs victorialogs
    kill $site
    contains "$output" elsewhere
}
