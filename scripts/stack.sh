#!/usr/bin/env bash
# The telemetry stack on one machine: an OpenTelemetry Collector and the servers that keep metrics, logs and traces. docs/stack.md.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/stack/lib.sh
. "$top/scripts/stack/lib.sh"
# shellcheck source=scripts/stack/servers.sh
. "$top/scripts/stack/servers.sh"
# shellcheck source=scripts/stack/questions.sh
. "$top/scripts/stack/questions.sh"
# shellcheck source=scripts/stack/archive.sh
. "$top/scripts/stack/archive.sh"
# shellcheck source=scripts/stack/withdraw.sh
. "$top/scripts/stack/withdraw.sh"

usage()
{
    cat <<'END'
usage: scripts/stack.sh COMMAND [OPTION…]
  start            start it, or what of it does not run, and wait until each server answers
      --traces tempo|jaeger        where traces go (default tempo)
      --logs loki|victorialogs     where logs go (default loki)
      --no-grafana                 no dashboards; the servers' own pages are printed
      --files-url URL              in the dashboards, the folder of a session is a link: this, then its path
      --output-dir DIR             in the dashboards' commands, where sessions that were sent under a hash have their records
      --mode job|node|service      job (default): for this machine. node: shared by the tasks of one allocation on this machine, the
                                   first start starts it and the last stop stops it. service: for senders on other machines, with
                                   TLS and a token; --lease names a file that they see, too
      --preset job|central         job: programs' own metrics are series, one set a process. central (default of a service): they are
                                   not; rates come from spans, exact numbers from the logs
      --retention DAYS             how long the servers keep what they have (default 3650, 90 with the preset central)
      --retention-size SIZE        how much each server, and the Collector's file, may keep on disk, as 20G; the oldest goes first (default
                                   none, 20G with the preset central). Jaeger, Loki and Tempo have no such limit
      --sample PERCENT             of the traces that succeeded only this share goes to the traces back end; failed ones all do
      --forward URL                all that arrives also goes to this OTLP/HTTP back end; labels of participants only with --forward-labels
      --forward-token-file FILE    with the bearer token that it asks for (a file that only you can read)
      --listen ADDRESS             of a service: the address of this machine that senders reach (default: its first)
      --runtime native|apptainer   programs (default) or images
      --bin DIR                    where programs lie, before the cache of `make stack-native` and PATH
      --images DIR                 where the images of scripts/build_all.sh lie (default build/images of the clone)
      --ports free|known           free ports (default), or those that tutorials name: 4317 4318 9090 3000 …
      --port-range LOW-HIGH        free ports are chosen from these (default 20000-32000)
      --deadline SECONDS           how long a server may take until it answers (default 60)
      --from ARCHIVE               with the data of an archive, which is copied
      --debug                      everything that arrives is also printed to the Collector's log
      --wait                       stay until TERM, INT or HUP, then stop; start again what dies meanwhile
      --print-scrape               start nothing; print what a Prometheus that only scrapes needs in its configuration
      --print-env                  start nothing; print the variables for senders: eval "$(scripts/start_stack.sh --print-env)"
  stop             end it: the Collector first, then the servers, and move their data to an archive
      --save DIR                   where archives lie (default DATA/archives)
      --max-size SIZE              of an archive (default 5G); above it only what the Collector received is archived
      --force                      also while other tasks use it (--mode node)
      --keep                       no archive: the data stay where they are, and the next start goes on with them
  status           what runs, and where; status 0 when all of it does, 1 when a part does, 3 when nothing does
  logs SERVER [-f] the log of one server
  restart SERVER   end it and start it again at the same address
  test [OUTPUT_DIR]
                   ask each server for the sessions of the last run into OUTPUT_DIR; without it, two synthetic sessions are made first
  clean [--yes]    delete the data of a stack that does not run
  withdraw OUTPUT_DIR sub-LABEL [ARCHIVE…]
                   remove a participant from the output folder, from the servers of this stack, from its archives and those named
      --yes                        do not ask
      --dry-run                    print what would be removed
      --no-stack                   leave the servers alone
All: --data DIR      where data, logs and configurations lie (default data/telemetry; a running stack's lease knows its own)
     --lease FILE    where senders find the stack (default $NEURO_STACK_LEASE, else $XDG_RUNTIME_DIR/neuro-preprocess/lease,
                     else /tmp/neuro-preprocess-UID/lease)
END
}

# --- options ------------------------------------------------------------------------------------------------------------
one_of() # OPTION VALUE WORD…
{
    local word
    for word in "${@:3}"; do [[ $word != "$2" ]] || return 0; done
    die 64 "$1: expected one of ${*:3}, found '$2'"
}

# private_file OPTION FILE: it is there, and nobody else can read it.
private_file()
{
    [[ -f $2 && -r $2 ]] || die 66 "$1: expected a file with a token, found none at '$2'"
    [[ $(stat -L -c %a "$2") =~ 00$ ]] || die 77 "$1: others can read '$2': chmod 600 it"
}

read_options()
{
    while (($#)); do
        case $1 in
        --data | --lease | --mode | --preset | --retention | --retention-size | --sample | --forward | --forward-token-file | --files-url | --output-dir | --listen | --traces | --logs | --runtime | --bin | --images | --ports | --port-range | --deadline | --from | --save | --max-size)
            (($# > 1)) || die 64 "$1 needs a value"
            ;;&
        --data) asked_data=$(realpath -m "$2") && shift ;;
        --lease) lease=$(realpath -m "$2") && lease_named=1 && shift ;;
        --mode) one_of "$1" "$2" job node service && STACK_MODE=$2 && shift ;;
        --preset) one_of "$1" "$2" job central && STACK_PRESET=$2 && shift ;;
        --sample)
            [[ $2 =~ ^([0-9]|[1-9][0-9]|100)(\.[0-9]+)?$ ]] || die 64 "$1: expected a percentage from 0 to 100, found '$2'"
            STACK_SAMPLE=$2 && shift
            ;;
        --forward)
            [[ $2 =~ ^https?://[^[:space:]]+$ ]] || die 64 "$1: expected a URL as https://host:4318, found '$2'"
            STACK_FORWARD_URL=${2%/} && shift
            ;;
        --forward-token-file)
            private_file "$1" "$2" && STACK_FORWARD_TOKEN_FILE=$(realpath "$2") && shift
            ;;
        --output-dir) STACK_OUTPUT_DIR=$(realpath -m "$2") && shift ;;
        --files-url)
            [[ $2 =~ ^https?://[^[:space:]]+$ ]] || die 64 "$1: expected a URL as https://lab.example.org, found '$2'"
            STACK_FILES_URL=${2%/} && shift
            ;;
        --forward-labels) STACK_FORWARD_ALSO=label ;;
        --retention)
            [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] || die 64 "$1: expected days, found '$2'"
            STACK_RETENTION_HOURS=$(($2 * 24)) && shift
            ;;
        --retention-size)
            STACK_RETENTION_BYTES=$(bytes_of "$2") || die 64 "$1: expected a size as 20G, found '$2'"
            ((STACK_RETENTION_BYTES >= 1 << 20)) || die 64 "$1: expected at least 1M, found '$2'"
            shift
            ;;
        --listen)
            [[ $2 =~ ^[0-9]+(\.[0-9]+){3}$ ]] || die 64 "$1: expected an IPv4 address of this machine, found '$2'"
            STACK_LISTEN=$2 && shift
            ;;
        --traces) one_of "$1" "$2" tempo jaeger && STACK_TRACES=$2 && shift ;;
        --logs) one_of "$1" "$2" loki victorialogs && STACK_LOGS=$2 && shift ;;
        --runtime) one_of "$1" "$2" native apptainer && STACK_RUNTIME=$2 && shift ;;
        --bin) STACK_BIN=$(realpath -m "$2") && shift ;;
        --images) STACK_IMAGES=$(realpath -m "$2") && shift ;;
        --ports) one_of "$1" "$2" free known && STACK_PORTS=$2 && shift ;;
        --port-range)
            [[ $2 =~ ^[0-9]+-[0-9]+$ ]] || die 64 "$1: expected LOW-HIGH as 20000-20100, found '$2'"
            port_range=$2 && shift
            ;;
        --deadline)
            [[ $2 =~ ^[0-9]+$ ]] || die 64 "$1: expected seconds, found '$2'"
            STACK_DEADLINE=$2 && shift
            ;;
        --from) from=$(realpath -m "$2") && shift ;;
        --save) save=$(realpath -m "$2") && shift ;;
        --max-size)
            max_bytes=$(bytes_of "$2") || die 64 "$1: expected a size as 5G or 500M, found '$2'"
            shift
            ;;
        --keep) keep=1 ;;
        --force) force=1 ;;
        --no-grafana) STACK_GRAFANA=no ;;
        --debug) STACK_DEBUG=yes ;;
        --print-env) print_env_only=1 ;;
        --print-scrape) print_scrape_only=1 ;;
        --wait) wait=1 ;;
        --yes) yes=1 ;;
        --dry-run) dry_run=1 ;;
        --no-stack) no_stack=1 ;;
        -f) follow=-f ;;
        --help | -h) usage && exit 0 ;;
        -*) die 64 "unknown option '$1'; --help lists them" ;;
        *) words+=("$1") ;;
        esac
        shift
    done
}

defaults()
{
    export STACK_MODE=job STACK_PRESET='' STACK_SAMPLE='' STACK_FORWARD_URL='' STACK_FORWARD_TOKEN_FILE='' STACK_FORWARD_ALSO=none STACK_FILES_URL='' STACK_OUTPUT_DIR='' STACK_RETENTION_HOURS='' STACK_RETENTION_BYTES='' STACK_LISTEN='' STACK_SECRETS=''
    export STACK_TRACES=tempo STACK_LOGS=loki STACK_GRAFANA=yes STACK_RUNTIME=native STACK_BIN='' STACK_IMAGES=$top/build/images STACK_PORTS=free STACK_DEADLINE=60 STACK_DEBUG=no
    export STACK_HOST STACK_JOB=${SLURM_JOB_ID:-}
    STACK_HOST=$(hostname)
    asked_data='' lease=$(default_lease) lease_named=${NEURO_STACK_LEASE:+1} port_range=20000-32000 print_env_only='' print_scrape_only='' wait='' yes='' follow='' words=() servers=()
    from='' save='' max_bytes=$((5 << 30)) keep='' force='' dry_run='' no_stack=''
}

# What depends on other options.
complete_options()
{
    local days=3650 bytes=''
    [[ -n $STACK_PRESET ]] || { STACK_PRESET=job && [[ $STACK_MODE != service ]] || STACK_PRESET=central; }
    export STACK_RATES_SECONDS=2 # between the counts that span_metrics passes on: a stop waits for two
    [[ $STACK_PRESET == job ]] || { days=90 && bytes=$((20 << 30)) && STACK_RATES_SECONDS=5; }
    STACK_RETENTION_HOURS=${STACK_RETENTION_HOURS:-$((days * 24))}
    STACK_RETENTION_BYTES=${STACK_RETENTION_BYTES:-$bytes}
    limit_file
}

# limit_file: the Collector's file follows the same two settings where it is not the archive of one job: files of a GiB, of which the last ones stay.
limit_file()
{
    export STACK_FILE_DAYS=0 STACK_FILE_BACKUPS=0
    [[ $STACK_PRESET == job ]] || STACK_FILE_DAYS=$(((STACK_RETENTION_HOURS + 23) / 24))
    [[ -z $STACK_RETENTION_BYTES ]] || STACK_FILE_BACKUPS=$((STACK_RETENTION_BYTES >> 30 ? STACK_RETENTION_BYTES >> 30 : 1))
}

# find_data: the stack that is meant: --data, else the one of the lease, else the usual folder.
find_data()
{
    data=$asked_data
    [[ -n $data ]] || data=$(value_in "$lease" STACK_DATA) || data=$PWD/data/telemetry
}

same_host()
{
    local host
    host=$(value_in "$data/run/state" STACK_HOST) || return 0
    [[ $host == "$(hostname)" ]] ||
        die 75 "the stack with data in '$data' was started on $host: do this there, or give this one its own --data. If that machine or job is gone, remove '$data/run/state'"
}

# load_running: the state of a stack of this machine; ends with 3 when there is none.
load_running()
{
    find_data
    same_host
    load_state || die 3 "no stack has its data in '$data'"
}

# --- start --------------------------------------------------------------------------------------------------------------
# find_program SERVER: its path.
find_program()
{
    local folder name=${program[$1]}
    if [[ -n $STACK_BIN && -x $STACK_BIN/$name ]]; then
        echo "$STACK_BIN/$name"
    elif folder=$("$top/scripts/stack/build.sh" --find "$1" 2>/dev/null); then
        echo "$folder/$name"
    else
        command -v "$name"
    fi
}

find_image()
{
    local path=$STACK_IMAGES/${image[$1]}.sif
    [[ -f $path ]] && echo "$path"
}

# what_to_do SERVER: when its program or image is not there.
what_to_do()
{
    local instead=
    case $1 in
    tempo) instead='; --traces jaeger does without it' ;;
    loki) instead='; --logs victorialogs does without it' ;;
    grafana) instead='; --no-grafana does without it' ;;
    esac
    if [[ $STACK_RUNTIME == apptainer ]]; then
        echo "'scripts/build_all.sh ${image[$1]}' makes it, --images DIR names its folder$instead"
    elif [[ -n $instead ]]; then
        echo "--bin DIR names its folder$instead"
    else
        echo "'make stack-native' builds it, --bin DIR names its folder"
    fi
}

check_programs()
{
    local server
    command -v curl >/dev/null || die 69 "'curl' is needed to ask the servers whether they are ready"
    [[ $STACK_RUNTIME == native ]] || command -v apptainer >/dev/null || die 69 "'apptainer' is not installed; --runtime native does without it"
    for server in "${servers[@]}"; do
        if [[ $STACK_RUNTIME == apptainer ]]; then
            find_image "$server" >/dev/null || die 69 "there is no image '$STACK_IMAGES/${image[$server]}.sif': $(what_to_do "$server")"
        else
            find_program "$server" >/dev/null || die 69 "there is no program '${program[$server]}': $(what_to_do "$server")"
        fi
    done
}

# runner_of SERVER: sets `runner`, what stands before the arguments. An image sees the data and nothing else of ours.
runner_of()
{
    if [[ $STACK_RUNTIME == native ]]; then
        runner=("$(find_program "$1")")
        return
    fi
    runner=(apptainer --silent exec --no-home --no-mount cwd --no-mount tmp --bind "$data" --pwd "$data")
    ((EUID != 0)) || runner+=(--userns)
    runner+=("$(find_image "$1")" "/usr/local/bin/${program[$1]}")
}

# launch SERVER: start it, without waiting. It is the first that the kernel ends when memory is short.
launch()
{
    local command runner pid log=$data/run/$1.log
    command_of "$1"
    [[ $1 != grafana ]] || grafana_settings
    runner_of "$1"
    [[ ! -f $log ]] || mv -f "$log" "$log.1"
    (
        cd "$data"
        umask 077
        echo 800 >/proc/self/oom_score_adj
        export GOMEMLIMIT=${memory_mib[$1]}MiB
        ulimit -S -d $((memory_mib[$1] * 2 * 1024)) # beyond that it ends, rather than the work
        exec setsid "${runner[@]}" "${command[@]}"
    ) >"$log" 2>&1 </dev/null 3>&- 8>&- 9>&- &
    pid=$!
    disown "$pid"
    echo "$pid $(start_time "$pid")" | write_private "$data/run/$1.pid"
}

port_taken() { grep -qiE 'address already in use' "$data/run/$1.log"; }

# await SERVER: until it answers, itself. Status 75 when its port was taken, 1 when it ended or took too long; both are explained.
await()
{
    local pid page deadline=$((SECONDS + STACK_DEADLINE)) why=
    page=$(ready_at "$1")
    while [[ -z $why ]]; do
        if ! pid=$(process_of "$1"); then
            ! port_taken "$1" || return 75
            why='it ended'
        elif listens "$pid" "$(sed -E 's/^[^:]*:([0-9]+).*/\1/' <<<"$page")" && http_ok "$page"; then
            return 0
        elif ((SECONDS >= deadline)); then
            why="no answer from http://$page within $STACK_DEADLINE s"
        fi
        sleep 0.1
    done
    warn "$1 is not ready: $why. The last lines of its log, '$data/run/$1.log':"
    tail -n 8 "$data/run/$1.log" | sed 's/^/    /' >&2
    return 1
}

# bring_up: start what does not run, all at once, and wait for each.
bring_up()
{
    local server status=0
    for server in "${servers[@]}"; do process_of "$server" >/dev/null || { end_server "$server" && launch "$server"; }; done
    for server in "${servers[@]}"; do await "$server" || return; done
}

take_down()
{
    local server others=()
    end_server collector
    for server in "${servers[@]}"; do
        [[ $server == collector ]] || { end_server "$server" & others+=($!); }
    done
    ((${#others[@]} == 0)) || wait "${others[@]}"
}

# Ports can be taken between their choice and their use.
start_anew()
{
    local try status
    export STACK_STARTED
    STACK_STARTED=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    for try in 1 2 3 4 5; do
        choose_addresses
        prepare_files
        [[ $STACK_MODE != service ]] || make_secrets
        export STACK_SERVERS="${servers[*]}" STACK_LEASE=$lease
        save_state
        status=0
        bring_up || status=$?
        ((status != 0)) || return 0
        take_down
        rm -f "$data/run/state"
        ((status == 75)) || die 70 "the stack was not started; nothing of it runs now"
        warn "a port was taken by somebody else (attempt $try of 5)"
        [[ $STACK_PORTS == free ]] || die 75 'a known port is taken: --ports free chooses others'
    done
    die 75 'the stack was not started: its ports were taken each time; --port-range LOW-HIGH takes others'
}

# runs_in DATA: whether a part of that stack runs.
runs_in()
{
    local status=0
    "$top/scripts/stack.sh" status --data "$1" >/dev/null 2>&1 || status=$?
    ((status < 2))
}

# answers_there: whether anything answers at the lease's endpoint, which is on another machine.
answers_there()
{
    curl --silent --insecure --noproxy '*' --max-time 5 --output /dev/null "$(value_in "$lease" OTEL_EXPORTER_OTLP_ENDPOINT)"
}

# refuse_second: one lease leads to one stack.
refuse_second()
{
    local other host
    other=$(value_in "$lease" STACK_DATA) || return 0
    host=$(value_in "$lease" STACK_HOST) || true
    if [[ $host != "$(hostname)" ]]; then
        answers_there || return 0
    elif [[ $other == "$data" ]] || ! runs_in "$other"; then
        return 0
    fi
    die 75 "a stack with data in '$other' on $host runs already (lease '$lease'): use it, stop it, or give this one a --lease of its own"
}

# lock_lease: tasks of a node start at the same moment, in folders of their own.
lock_lease()
{
    [[ -d $(dirname "$lease") ]] || return 0
    exec 8>"$lease.lock"
    flock -w 300 8 || die 75 "another call works with the lease '$lease' since five minutes"
}

lock_data()
{
    (umask 077 && mkdir -p "$data/run") || die 73 "cannot make '$data'; --data DIR names another place"
    exec 9>"$data/run/lock"
    flock -w 120 9 || die 75 "another call works on the stack in '$data' since two minutes"
}

start()
{
    [[ $STACK_MODE != service || -n $lease_named ]] || die 64 '--mode service needs --lease FILE: a file that the senders, on their machines, see, too'
    make_lease_folder
    lock_lease
    find_data
    refuse_second
    lock_data
    same_host
    if any_runs && load_state; then
        [[ -z $from ]] || die 75 "a stack runs in '$data' already: --data DIR names another folder for '$from'"
        bring_up || die 70 'a part of the stack does not run: see above; stop_stack.sh ends the rest'
    else
        [[ -z $from ]] || open_archive
        complete_options
        choose_servers
        check_programs
        start_anew
    fi
    [[ ${STACK_LEASE:-$lease} == "$lease" ]] || drop_lease # the former one
    export STACK_LEASE=$lease
    save_state
    write_lease
    [[ $STACK_MODE != node ]] || register
    describe
}

all_run()
{
    local server
    for server in "${servers[@]}"; do process_of "$server" >/dev/null || return; done
}

# stay: until a signal. A scheduler sends TERM some time before it kills.
stay()
{
    local ended='' pause
    exec 8>&- 9>&-
    trap 'ended=yes' TERM INT HUP
    while [[ -z $ended ]]; do
        sleep 5 &
        pause=$!
        wait $pause || true
        all_run || "$top/scripts/stack.sh" start --data "$data" --lease "$lease" >/dev/null || true
    done
    kill $pause 2>/dev/null || true
    trap '' TERM INT HUP
    stop
}

any_runs()
{
    local file
    for file in "$data"/run/*.pid; do [[ -z $(members_of "$(basename "$file" .pid)") ]] || return 0; done
    return 1
}

describe()
{
    local server page ports=()
    say "The stack runs on $STACK_HOST; its data are in $data"
    say "  send to   $(endpoint) (http/protobuf, http/json), $STACK_OTLP_GRPC (grpc)"
    if [[ $STACK_MODE != service ]]; then
        say "            neuro-preprocess … --otel-endpoint auto, or: eval \"\$(scripts/start_stack.sh --print-env)\""
    else
        say "            on each machine: eval \"\$(scripts/start_stack.sh --print-env --lease '$lease')\""
    fi
    for server in "${servers[@]}"; do
        page=$(page_of "$server")
        [[ -n $page ]] || continue
        printf '  %-9s http://%s\n' "$server" "$page"
        page=${page%%/*}
        ports+=("-L ${page##*:}:$page")
    done
    describe_data
    say "  from your own machine: ssh ${ports[*]} $(id -un)@$STACK_HOST"
    [[ $STACK_GRAFANA == no ]] || say "  grafana's user is admin, its password is in $data/run/grafana.password"
}

# describe_data: the page whose range covers what is here.
describe_data()
{
    local from to
    read -r from to < <(data_range 2>/dev/null) || true
    if [[ -z ${from:-} ]]; then
        [[ $STACK_GRAFANA == no ]] || say "  no data yet; look at $(look_at now-6h now)"
    else
        say "  data from $(date -u -d "@$((from / 1000))" '+%F %T') to $(date -u -d "@$((to / 1000))" '+%F %T') UTC: $(look_at "$from" "$to")"
    fi
}

print_env()
{
    local line lines prefix
    lines=$(grep '^OTEL_' "$lease" 2>/dev/null) || die 3 "no stack: there is no lease '$lease'"
    # Participants are named by words in what leaves the machine.
    [[ $lines == *//127.0.0.1:* ]] || lines+=$'\nNEURO_PREPROCESS_TELEMETRY_ID=hash'
    for prefix in '' APPTAINERENV_; do
        while read -r line; do printf 'export %s%s=%q\n' "$prefix" "${line%%=*}" "${line#*=}"; done <<<"$lines"
    done
    printf 'export NEURO_STACK_LEASE=%q\n' "$lease"
}

# print_scrape: this Prometheus as a target. Labels that name participants stay here, as with --forward; the others are the ones that series have here.
print_scrape()
{
    load_running
    cat <<END
# Only this machine reaches the address, since Prometheus asks for no password here. From another: ssh -N -L $STACK_PROMETHEUS:$STACK_PROMETHEUS $STACK_HOST
scrape_configs:
  - job_name: neuro-preprocess
    metrics_path: /federate
    honor_labels: true
    scrape_interval: 15s
    params:
      'match[]': ['{job="neuro-preprocess",bids_participant=""}']
    static_configs:
      - targets: ['$STACK_PROMETHEUS']
END
}

# --- the other commands -------------------------------------------------------------------------------------------------
# drained: whether the Collector's queues become empty within 10 s.
drained()
{
    local deadline=$((SECONDS + 10))
    while ((SECONDS < deadline)); do
        curl --silent --noproxy '*' --max-time 2 "http://$(metrics_of collector)/metrics" |
            awk '/^otelcol_exporter_(queue_size|in_flight_requests)/ { n += $NF } END { exit n > 0 }' && return
        sleep 0.5
    done
    return 1
}

# counted: whether nothing has arrived for as long as the Collector takes to count it. span_metrics passes its counts on at intervals, and not at its
# end; of a new series the first is 0. The exporter takes a second more. Senders that go on are not waited for.
counted()
{
    local wanted=$((2 * ${STACK_RATES_SECONDS:-5} + 2)) last
    local deadline=$((SECONDS + 2 * wanted))
    while last=$(stat -c %Y "$data/collector/stack.otlp.jsonl" 2>/dev/null) && (($(date +%s) - last <= wanted)); do
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}

# settle: before the Collector ends.
settle()
{
    ! process_of collector >/dev/null || counted ||
        warn 'records still arrive: the rates of the last seconds are lost. Records, logs and traces are not'
}

# drain: what a back end does not take in this time stays in the queues, on disk.
drain()
{
    settle
    ! process_of collector >/dev/null || drained ||
        warn "the Collector's queue is not empty: what is left stays in '$data/collector/queue' and goes out after the next start"
}

stop()
{
    find_data
    if [[ ! -f $data/run/state ]]; then
        say "No stack runs with data in $data"
        return
    fi
    lock_lease
    lock_data
    load_running
    if [[ $STACK_MODE == node && -z $force ]]; then
        leave
        ((n_others == 0)) || return 0
    fi
    drain
    take_down
    drop_lease
    if [[ -n $keep ]]; then
        say "The stack is stopped; its data are in $data"
    else
        save=${save:-$data/archives}
        save_archive
    fi
    rm -f "$data/run/state"
}

# Prometheus answers 200 while its disk is full, and keeps nothing.
warn_of_failed_writes()
{
    local n
    n=$(curl --silent --noproxy '*' --max-time 2 "http://$STACK_PROMETHEUS/metrics" | awk '$1 == "prometheus_tsdb_wal_writes_failed_total" { print $2 + 0 }') || true
    [[ ${n:-0} == 0 ]] ||
        say "  prometheus could not write $n times since its start, and did not keep what came then: make room on its disk, then neuro-preprocess replay OUTPUT_DIR --again"
}

status()
{
    local server pid page mib state n_up=0
    load_running
    say "Stack on $STACK_HOST, data in $data$([[ $STACK_MODE != node ]] || echo "; tasks that use it: $(users | wc -l)")"
    printf '  %-13s %-9s %9s %8s %10s  %s\n' server state process 'MiB' 'disk MiB' page
    for server in "${servers[@]}"; do
        pid=$(process_of "$server") || pid=
        state=down mib='' page=$(page_of "$server")
        if [[ -n $pid ]]; then
            state=unready mib=$(resident_mib "$pid")
            ! http_ok "$(ready_at "$server")" || { state=up && n_up=$((n_up + 1)); }
        fi
        printf '  %-13s %-9s %9s %8s %10s  %s\n' "$server" $state "${pid:--}" "${mib:--}" \
            "$(du -sm "$data/$server" | cut -f 1)" "${page:+http://$page}"
    done
    warn_of_failed_writes
    ((n_up < ${#servers[@]})) || return 0
    ((n_up > 0)) && return 1
    return 3
}

known_server()
{
    [[ " ${servers[*]} " == *" ${1:-} "* ]] || die 64 "expected one of ${servers[*]}, found '${1:-}'"
}

logs()
{
    load_running
    known_server "${words[0]:-}"
    exec tail -n 200 ${follow:+"$follow"} "$data/run/${words[0]}.log"
}

restart()
{
    load_running
    known_server "${words[0]:-}"
    lock_data
    [[ ${words[0]} != collector ]] || settle
    end_server "${words[0]}"
    launch "${words[0]}"
    await "${words[0]}" || die 70 "${words[0]} was not started again"
    say "${words[0]} runs again"
}

# test_stack: status 0 when every server answers about every session.
test_stack()
{
    local sessions trace instance participant out=${words[0]:-} folder n_missing=0
    load_running
    command -v jq >/dev/null || die 69 "'jq' is needed to read the answers"
    if [[ -z $out ]]; then
        folder=$(mktemp -d)
        # shellcheck disable=SC2064 # the folder of now
        trap "rm -rf '$folder'" EXIT
        make_sessions "$folder" || { tail -n 5 "$folder/log" >&2 && die 70 'the two sessions could not be made'; }
        out=$folder/out
    fi
    sessions=$(sessions_of "$out")
    [[ -n $sessions ]] || die 66 "the last run into '$out' has no session"
    while IFS=$'\t' read -r trace _ instance participant; do
        check_session "$trace" "$instance" "$participant" || n_missing=$((n_missing + $?))
    done <<<"$sessions"
    check_exemplars "$sessions" || n_missing=$((n_missing + 1))
    ((n_missing == 0))
}

clean()
{
    local answer server
    find_data
    [[ -d $data/run ]] || die 3 "no stack has its data in '$data'"
    lock_data
    if any_runs; then die 75 "the stack in '$data' runs: stop it first"; fi
    if [[ -z $yes ]]; then
        read -r -p "Delete the metrics, logs and traces in '$data' ($(du -sh "$data" | cut -f 1))? Type yes: " answer || true
        [[ $answer == yes ]] || die 1 'nothing was deleted'
    fi
    for server in "${!program[@]}" run; do rm -rf "${data:?}/$server"; done
    rmdir "$data" 2>/dev/null || true
}

defaults
command=${1:-}
(($# == 0)) || shift
case $command in
start | stop | status | test | logs | restart | clean | withdraw) read_options "$@" ;;
--help | -h | '') usage && exit $((${#command} ? 0 : 64)) ;;
*) die 64 "unknown command '$command'; --help lists them" ;;
esac
case $command in
start)
    if [[ -n $print_env_only ]]; then
        print_env
    elif [[ -n $print_scrape_only ]]; then
        print_scrape
    else
        start
        [[ -z $wait ]] || stay
    fi
    ;;
test) test_stack ;;
*) "$command" ;;
esac
