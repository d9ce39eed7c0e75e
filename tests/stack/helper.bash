# shellcheck shell=bash
# For the tests of the stack: real servers, started by scripts/stack.sh in folders of the test, and questions to them.
load ../telemetry/helper

STACK=$TOP/scripts/stack.sh

# setup of each file: the servers are built, or its tests are skipped.
find_servers()
{
    local output
    output=$("$TOP/scripts/stack/build.sh" --find 2>&1) && return
    [[ ${CI:-} != true ]] || { fail "$output"; return 1; }
    skip "${output#skipped: }"
}

# start_for_file [OPTION…], end_for_file: in setup_file and teardown_file, one stack for all tests of a file; none where nothing is built.
start_for_file()
{
    stack_in "$BATS_FILE_TMPDIR/stack"
    start "$@" >"$BATS_FILE_TMPDIR/start.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/start.log" >&2 && return 1; }
}
servers_are_built() { "$TOP/scripts/stack/build.sh" --find >/dev/null 2>&1; }
end_for_file()
{
    stack_in "$BATS_FILE_TMPDIR/stack"
    end_stack
}

# The same for a file's setup: the stack lies in the folder of the file, which becomes the current one.
start_in_folder_of_file() # [OPTION…]
{
    find_servers
    start_for_file "$@"
    cd "$BATS_FILE_TMPDIR" || return
}
# setup and teardown of tests that each start a stack of their own, in the folder of the test.
own_stack()
{
    find_servers
    stack_in "$BATS_TEST_TMPDIR/stack"
    cd "$BATS_TEST_TMPDIR" || return
}
end_own_stack()
{
    end_processes
    end_stack
}

# stack_in DIR: the next calls are about a stack whose data and lease lie there.
stack_in()
{
    DATA=$1/data
    export NEURO_STACK_LEASE=$1/lease
    mkdir -p "$1"
}
start() { "$STACK" start --no-grafana --traces jaeger --logs victorialogs --data "$DATA" "$@"; }
stop() { "$STACK" stop --data "$DATA" "$@"; }
end_stack() { [[ ! -d ${DATA:-} ]] || stop --keep >/dev/null 2>&1 || true; }

# wrapped SERVER TEXT: a folder of programs in which this one is a script of that text; $REAL is the real one.
wrapped()
{
    local component program=$1
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    component=$program
    [[ $program != victoria-logs ]] || component=victorialogs
    [[ $program != otelcol ]] || component=collector
    printf '#!/usr/bin/env bash\nREAL=%q\n%s\n' "$("$TOP/scripts/stack/build.sh" --find "$component")/$program" "$2" >"$BATS_TEST_TMPDIR/bin/$program"
    chmod +x "$BATS_TEST_TMPDIR/bin/$program"
}

fact() { sed -n "s/^STACK_$1=//p" "$DATA/run/state"; }
pid_of() { cut -d ' ' -f 1 "$DATA/run/$1.pid"; }
pids() { for server in prometheus victorialogs jaeger collector; do pid_of $server; done; }

# ended PID: gone, or a zombie that nobody has asked about.
ended() { [[ ! -d /proc/$1 || $(awk '/^State/ { print $2 }' "/proc/$1/status") == Z ]]; }

get() # URL [NAME=VALUE…]
{
    local words=() word
    for word in "${@:2}"; do words+=(--data-urlencode "$word"); done
    curl --silent --show-error --fail --noproxy '*' --get "${words[@]}" "http://$1"
}
# metric QUERY: its values, one a line.
metric() { get "$(fact PROMETHEUS)/api/v1/query" "query=$1" | jq -r '.data.result[].value[1]'; }
# logs QUERY: the records that VictoriaLogs finds, as JSON lines.
logs() { get "$(fact VICTORIALOGS)/select/logsql/query" "query=$1"; }
# spans TRACE: the names of its spans in Jaeger.
spans() { get "$(fact JAEGER)/api/traces/$1" | jq -r '.data[].spans[].operationName'; }

# is EXPECTED COMMAND…: whether the command prints that.
is() { [[ $("${@:2}" 2>/dev/null) == "$1" ]]; }
# soon EXPECTED COMMAND…: what a back end finds a short time after it was sent.
soon()
{
    wait_until 60 is "$@" || fail "expected '$1', found '$("${@:2}" 2>&1 | head -n 3)': ${*:2}"
}

# sessions OUT: trace and participant of each session of all records, as telemetry says.
sessions()
{
    records "$1" | xargs cat | jq -Rr 'fromjson? | .resourceSpans[]?.scopeSpans[].spans[] | select(.name == "preprocess_session")
        | "\(.traceId) \(.attributes[] | select(.key == "bids.participant") | .value.stringValue)"'
}

# cohort_record SESSIONS FAILED NODES END_UNIX_S SECONDS: the record of such a cohort (make-cohort.py), of the pattern of a run of two sessions, one of
# which fails; the run is made once for a file.
cohort_record()
{
    local pattern=$BATS_FILE_TMPDIR/pattern
    [[ -d $pattern ]] || (
        mkdir "$pattern" && cd "$pattern" || exit
        neuro-preprocess demo-data --participants 4 --sessions 2 --size 6.5 bids # the last session's image is broken on purpose
        preprocess bids out --participant-label 04
    ) >"$BATS_FILE_TMPDIR/pattern.log" 2>&1 || true
    "$PYTHON" "$TOP/tests/stack/make-cohort.py" "$pattern"/out/logs/telemetry/*.otlp.jsonl "$@"
}

# --- what the dashboards ask -----------------------------------------------------------------------------------------------
# queries: "dashboard <tab> panel <tab> query" of all that Prometheus is asked, with what the page puts in place of its variables.
queries()
{
    "$TOP/scripts/stack/dashboards.py" --queries | jq -r 'select(.datasource == "prometheus")
        | [.dashboard, .panel, (.query | gsub("\\$__(range|rate_interval|interval)"; "10m") | gsub("\\$participant"; "01") | gsub("\\$[a-z]+"; ".*"))] | @tsv'
}
answer() { get "$(fact PROMETHEUS)/api/v1/query" "query=$1"; }
has_values() { answer "$1" | jq -e '[.data.result[] | select(.value[1] != "NaN")] | length > 0' >/dev/null; }

# number DASHBOARD PANEL: the one number that the panel shows.
number() { answer "$(queries | awk -F '\t' -v of="$1" -v panel="$2" '$1 == of && $2 == panel { print $3; exit }')" | jq -r '.data.result[0].value[1]'; }

# twin DASHBOARD PANEL [VARIABLE=VALUE…]: what the panel asks Loki, in VictoriaLogs' language; a variable without a value is `.*`.
twin()
{
    local query word
    query=$("$TOP/scripts/stack/dashboards.py" --queries | jq -r --arg of "$1" --arg panel "$2" 'select(.dashboard == $of and .panel == $panel) | .logsql')
    for word in "${@:3}"; do
        query=${query//"\${${word%%=*}}"/"${word#*=}"}
        query=${query//"\${${word%%=*}:regex}"/"${word#*=}"}
    done
    sed -E 's/\$\{[a-z]+(:regex)?\}/.*/g' <<<"$query"
}
n_rows() { logs "$(twin "$@")" | wc -l; }

# folder_id OUT; of_folder PANEL ID: the number that a panel shows of one output folder.
folder_id() { jq -r .id "$1/logs/folder.json"; }
of_folder()
{
    metric "$("$TOP/scripts/stack/dashboards.py" --queries | jq -r --arg panel "$1" 'select(.panel == $panel and .datasource == "prometheus").query' |
        sed "s/\$__[a-z_]*/10m/g; s/\$folder/$2/g; s/\$[a-z]*/.*/g")"
}
