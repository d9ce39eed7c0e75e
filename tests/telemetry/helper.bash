# shellcheck shell=bash
# For the tests of telemetry: a real Collector, a receiver that misbehaves on request, and questions about what they got. All of it
# talks over the loopback interface, on ports that were free; what was started is ended by its number.
load ../cli/helper

TELEMETRY=$TOP/tests/telemetry
unset "${!http_proxy@}" "${!https_proxy@}" "${!HTTP_PROXY@}" "${!HTTPS_PROXY@}" "${!ALL_PROXY@}" "${!all_proxy@}"

# setup of each test: the tools, or the test is skipped.
find_tools()
{
    local output status=0
    if [[ -z ${NP_COLLECTOR_BIN:-} ]]; then
        output=$("$TOP/scripts/collector.sh" 2>"$BATS_TEST_TMPDIR/collector.err") || status=$?
        if ((status == 77)) && [[ ${CI:-} != true ]]; then
            skip "$(tail -n 1 "$BATS_TEST_TMPDIR/collector.err" | sed 's/^skipped: //')"
        fi
        ((status == 0)) || { cat "$BATS_TEST_TMPDIR/collector.err" >&2; return 1; }
        NP_COLLECTOR_BIN=$output
    fi
    export NP_COLLECTOR_BIN
}

otlp() { "$PYTHON" "$TELEMETRY/otlp.py" "$@"; }

# free_ports N: as many numbers of free ports.
free_ports()
{
    "$PYTHON" - "$1" <<'END'
import socket
import sys

sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(one.getsockname()[1] for one in sockets))
END
}

# --- processes of ours --------------------------------------------------------------------------------------------------
remember() { echo "$1" >>"$BATS_TEST_TMPDIR/processes"; }
alive() { kill -0 "$1" 2>/dev/null; }
gone() { ! alive "$1"; }

end_processes()
{
    local pid
    [[ -f $BATS_TEST_TMPDIR/processes ]] || return 0
    while read -r pid; do
        kill -KILL "$pid" 2>/dev/null || true
    done <"$BATS_TEST_TMPDIR/processes"
}

# --- the Collector ------------------------------------------------------------------------------------------------------
# start_collector [CONFIG…]: a Collector with collector.yaml and these beside it. Sets COLLECTOR_{PID,GRPC_PORT,HTTP_PORT}, and
# COLLECTOR_FILE where it writes. Called again, it takes the same ports and file.
start_collector()
{
    local configs=(--config "$TOP/tests/collector/collector.yaml") config ports
    for config; do configs+=(--config "$TOP/tests/collector/collector-$config.yaml"); done
    if [[ -z ${COLLECTOR_HTTP_PORT:-} ]]; then
        read -ra ports <<<"$(free_ports 3)"
        export COLLECTOR_GRPC_PORT=${ports[0]} COLLECTOR_HTTP_PORT=${ports[1]} COLLECTOR_HEALTH_PORT=${ports[2]}
        export COLLECTOR_FILE=$BATS_TEST_TMPDIR/collected.jsonl
    fi
    "$NP_COLLECTOR_BIN/collector" "${configs[@]}" >>"$BATS_TEST_TMPDIR/collector.log" 2>&1 </dev/null 3>&- &
    COLLECTOR_PID=$!
    remember $COLLECTOR_PID
    disown $COLLECTOR_PID # nobody needs to read that it was killed
    wait_until 20 collector_ready || { tail -n 20 "$BATS_TEST_TMPDIR/collector.log" >&2; return 1; }
}
collector_ready() { (exec 9<>"/dev/tcp/127.0.0.1/$COLLECTOR_HEALTH_PORT" && printf 'GET / HTTP/1.0\r\n\r\n' >&9 && grep -q '200 OK' <&9); }

stop_collector() # [SIGNAL]
{
    kill "-${1:-TERM}" "$COLLECTOR_PID"
    wait_until 20 gone "$COLLECTOR_PID"
}

# --- the sink -----------------------------------------------------------------------------------------------------------
# start_sink [OPTION…]: a sink for HTTP and gRPC. Sets SINK_{PID,HTTP_PORT,GRPC_PORT,LOG}; `plan` says how it behaves.
start_sink()
{
    SINK_LOG=$BATS_TEST_TMPDIR/sink.jsonl SINK_PLAN=$BATS_TEST_TMPDIR/plan
    : >>"$SINK_LOG"
    [[ -f $SINK_PLAN ]] || plan ok
    rm -f "$BATS_TEST_TMPDIR/ready"
    "$NP_COLLECTOR_BIN/sink" --http "127.0.0.1:${SINK_HTTP_PORT:-0}" --grpc "127.0.0.1:${SINK_GRPC_PORT:-0}" --plan "$SINK_PLAN" --log "$SINK_LOG" \
        --bodies "$BATS_TEST_TMPDIR/bodies" --ready "$BATS_TEST_TMPDIR/ready" "$@" \
        >>"$BATS_TEST_TMPDIR/sink.log" 2>&1 </dev/null 3>&- &
    SINK_PID=$!
    remember $SINK_PID
    disown $SINK_PID
    wait_until 10 test -f "$BATS_TEST_TMPDIR/ready" || { cat "$BATS_TEST_TMPDIR/sink.log" >&2; return 1; }
    read -r SINK_HTTP_PORT SINK_GRPC_PORT <"$BATS_TEST_TMPDIR/ready"
}
stop_sink() { kill -KILL "$SINK_PID" && wait_until 10 gone "$SINK_PID"; }

# plan STEP…: how the sink answers the next requests; the last step is repeated.
plan() { printf '%s\n' "$@" >"$SINK_PLAN.new" && mv "$SINK_PLAN.new" "$SINK_PLAN"; }

# sent JQ…: what jq says of the requests in the sink's log, as one list; empty ones (probes) are left out.
sent() { jq -s 'map(select(.items > 0))' "$SINK_LOG" | jq -r "$@"; }

# --- official Python packages -------------------------------------------------------------------------------------------
find_foreign()
{
    FOREIGN=$("$TOP/scripts/python-tools.sh" opentelemetry-proto==1.38.0 grpcio==1.76.0 2>&1 | tail -n 1)/python3
    [[ -x $FOREIGN ]] && export FOREIGN && return
    [[ ${CI:-} != true ]] || { fail "the Python packages cannot be had: $FOREIGN"; return 1; }
    skip 'the Python packages cannot be had'
}
foreign() { "$FOREIGN" "$TELEMETRY/foreign.py" "$@"; }

# start_foreign: a receiver by the official packages. Sets FOREIGN_{HTTP_PORT,GRPC_PORT}, and FOREIGN_FILE where it writes.
start_foreign()
{
    FOREIGN_FILE=$BATS_TEST_TMPDIR/foreign.jsonl
    "$FOREIGN" "$TELEMETRY/foreign.py" accept "$BATS_TEST_TMPDIR/foreign.ready" "$FOREIGN_FILE" \
        >>"$BATS_TEST_TMPDIR/foreign.log" 2>&1 </dev/null 3>&- &
    remember $!
    disown $!
    wait_until 20 test -f "$BATS_TEST_TMPDIR/foreign.ready" || { cat "$BATS_TEST_TMPDIR/foreign.log" >&2; return 1; }
    read -r FOREIGN_HTTP_PORT FOREIGN_GRPC_PORT <"$BATS_TEST_TMPDIR/foreign.ready"
}

# --- the program --------------------------------------------------------------------------------------------------------
# A head of 40 voxels and less (6 mm): without the long stages a session takes 50 ms.
tiny_demo() { make_once tiny neuro-preprocess demo-data --participants 1 --sessions 1 --size 6 --random-seed 1; }

# cohort DIR N [BROKEN]: a dataset of N sessions, and as many broken ones as BROKEN says (their images are text): sub-001 … sub-bad1 …
cohort()
{
    local dir=$1 head n
    head=$(tiny_demo) || return
    head=$(find "$head" -name '*_T1w.nii.gz')
    mkdir -p "$dir"
    echo '{"Name": "Tiny heads", "BIDSVersion": "1.11.1", "DatasetType": "raw"}' >"$dir/dataset_description.json"
    for n in $(seq -f %03g "$2"); do
        mkdir -p "$dir/sub-$n/anat"
        ln "$head" "$dir/sub-$n/anat/sub-${n}_T1w.nii.gz"
    done
    for n in $(seq 1 "${3:-0}"); do
        mkdir -p "$dir/sub-bad$n/anat"
        echo 'no image' >"$dir/sub-bad$n/anat/sub-bad${n}_T1w.nii.gz"
    done
}

# preprocess BIDS OUT [OPTION…]: a quick run; also the options of each test that runs the program.
preprocess() { neuro-preprocess "$1" "$2" participant --bias-correction none --skull-strip skip "${@:3}"; }

records() { find "$1" -path '*/logs/telemetry/*.otlp.jsonl' ! -path '*/owed/*' | LC_ALL=C sort; }

# A record's sender has ended when no process holds the lock of its ledger.
sender_gone()
{
    local record
    for record in $(records "$1"); do
        [[ ! -e $record.ledger ]] || flock -n "$record.ledger" true || return
    done
}

# seconds COMMAND…: how long it took; its status is kept in $took_status.
seconds()
{
    local began=$EPOCHREALTIME
    took_status=0
    "$@" >"$BATS_TEST_TMPDIR/took.log" 2>&1 || took_status=$?
    took_s=$("$PYTHON" -c "print(round($EPOCHREALTIME - $began, 3))")
}
less() { "$PYTHON" -c "import sys; sys.exit(not $1 <= $2)" || fail "found $1, expected at most $2${3:+ ($3)}"; }
