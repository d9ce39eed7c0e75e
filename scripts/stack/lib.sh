# shellcheck shell=bash
# For scripts/stack.sh: messages, ports, processes, and the two files that say what runs.
#   DATA/run/state   everything that the scripts know of a stack: NAME=VALUE lines, mode 0600
#   the lease        where senders find it (docs/telemetry.md, `--otel-endpoint auto`): endpoint, host, job, and which DATA; mode 0600

say() { printf '%s\n' "$*"; }
warn() { printf 'stack: %s\n' "$*" >&2; }
die() # STATUS TEXT…
{
    local status=$1
    shift
    warn "$*"
    exit "$status"
}

# --- files of NAME=VALUE lines ------------------------------------------------------------------------------------------
# value_in FILE NAME: its value; status 1 without one.
value_in()
{
    local line
    line=$(grep -m 1 "^$2=" "$1" 2>/dev/null) || return 1
    printf '%s\n' "${line#*=}"
}

# write_private FILE: stdin to it, whole or not at all, for nobody else to read.
write_private()
{
    local part
    part=$1.$BASHPID
    (umask 077 && cat >"$part") && mv -f "$part" "$1"
}

# load_state: the variables of DATA/run/state; status 1 without one.
load_state()
{
    local name value
    [[ -f $data/run/state ]] || return 1
    while IFS='=' read -r name value; do
        [[ $name =~ ^(STACK|GF)_[A-Z_]+$ ]] && export "$name=$value"
    done <"$data/run/state"
    read -ra servers <<<"${STACK_SERVERS:-}"
}

save_state()
{
    local name
    for name in "${!STACK_@}"; do printf '%s=%s\n' "$name" "${!name}"; done | write_private "$data/run/state"
}

# --- the lease ----------------------------------------------------------------------------------------------------------
default_lease()
{
    if [[ -n ${NEURO_STACK_LEASE:-} ]]; then
        echo "$NEURO_STACK_LEASE"
    elif [[ -n ${XDG_RUNTIME_DIR:-} ]]; then
        echo "$XDG_RUNTIME_DIR/neuro-preprocess/lease"
    else
        echo "/tmp/neuro-preprocess-$UID/lease"
    fi
}

# A folder below /tmp may have been made by somebody else.
make_lease_folder()
{
    local folder
    folder=$(dirname "$lease")
    [[ -d $folder ]] || (umask 077 && mkdir -p "$folder") || die 73 "cannot make '$folder' for the lease; --lease FILE names another place"
    [[ -O $folder ]] || die 73 "'$folder' belongs to another user; --lease FILE names another place for the lease"
}

endpoint()
{
    if [[ $STACK_MODE == service ]]; then echo "https://$STACK_OTLP_HTTP"; else echo "http://$STACK_OTLP_HTTP"; fi
}

# write_lease: of a service also the token, and beside it the certificate that senders are to trust.
write_lease()
{
    if [[ $STACK_MODE == service ]]; then
        cp -f "$STACK_SECRETS/server.pem" "$lease.pem"
    fi
    {
        echo "OTEL_EXPORTER_OTLP_ENDPOINT=$(endpoint)"
        echo 'OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf'
        if [[ $STACK_MODE == service ]]; then
            echo "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20$(cat "$STACK_SECRETS/token")"
            echo "OTEL_EXPORTER_OTLP_CERTIFICATE=$lease.pem"
        fi
        echo "STACK_HOST=$STACK_HOST"
        echo "STACK_JOB=$STACK_JOB"
        echo "STACK_DATA=$data"
    } | write_private "$lease"
}

# make_secrets: a token, and a certificate of this address, made anew at each start. The key stays here.
make_secrets()
{
    mkdir -p -m 700 "$STACK_SECRETS"
    head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' | write_private "$STACK_SECRETS/token"
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj '/CN=neuro-preprocess telemetry stack' \
        -addext "subjectAltName=DNS:$STACK_HOST,IP:$STACK_LISTEN" -keyout "$STACK_SECRETS/server.key" -out "$STACK_SECRETS/server.pem") 2>"$STACK_SECRETS/log" ||
        die 69 "openssl cannot make a certificate: $(tail -n 1 "$STACK_SECRETS/log")"
}

# drop_lease: the one of this state, unless another stack has it now.
drop_lease()
{
    [[ $(value_in "${STACK_LEASE:-$lease}" STACK_DATA) != "$data" ]] || rm -f "${STACK_LEASE:-$lease}" "${STACK_LEASE:-$lease}.pem"
}

# --- who uses a stack of a node -------------------------------------------------------------------------------------------
# users: the processes that called start and not yet stop, those that live: number and start time, one a line.
users()
{
    local pid began
    while read -r pid began; do
        [[ $(start_time "$pid") != "$began" ]] || echo "$pid $began"
    done < <(cat "$data/run/users" 2>/dev/null)
}

# The process that called us is the user.
register() { { users | grep -v "^$PPID " || true; echo "$PPID $(start_time "$PPID")"; } | write_private "$data/run/users"; }

# leave: sets n_others, the number of users besides our caller.
leave()
{
    local others
    others=$(users | grep -v "^$PPID ") || true
    n_others=$(grep -c . <<<"$others") || true
    write_private "$data/run/users" <<<"$others"
    ((n_others == 0)) || say "The stack goes on: other tasks use it ($n_others); stop --force ends it for them, too"
}

# --- ports --------------------------------------------------------------------------------------------------------------
# Ports on which somebody listens, or has connections, on this machine: decimal numbers.
used_ports()
{
    awk 'FNR > 1 { split($2, local, ":"); print local[2] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null | sort -u |
        while read -r port; do echo $((16#$port)); done
}

# choose_ports N: as many different free ports of $port_range, one a line, in random order.
choose_ports()
{
    local ports
    mapfile -t ports < <(comm -23 <(seq "${port_range%-*}" "${port_range#*-}" | LC_ALL=C sort) <(used_ports | LC_ALL=C sort -u) | shuf -n "$1")
    ((${#ports[@]} == $1)) || die 75 "no $1 free ports in $port_range; --port-range LOW-HIGH takes others"
    printf '%s\n' "${ports[@]}"
}

# listens PROCESS PORT: whether this process, or one of its session, has the port. An answer alone may come from somebody else.
listens()
{
    local hex inode pid
    hex=$(printf '%04X' "$2")
    while read -r inode; do
        for pid in $(pgrep -s "$1"); do
            [[ -z $(find "/proc/$pid/fd" -lname "socket:\\[$inode\\]" -print -quit 2>/dev/null) ]] || return 0
        done
    done < <(awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    return 1
}

# --- processes ----------------------------------------------------------------------------------------------------------
# start_time PID: in ticks since the machine started; nothing for a process that has ended, reaped or not. One whose first thread alone
# has ended lives: so it is for a moment when another thread starts a program in its place, as Apptainer does.
start_time()
{
    local stat fields
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    read -ra fields <<<"${stat##*) }" # from the state on: the third field of proc(5), n_threads is the 20th, the start the 22nd
    [[ ${fields[0]} == Z && ${fields[17]} -lt 2 ]] || echo "${fields[19]}"
}

# process_of SERVER: its number while it lives; status 1 otherwise. A number that another process has now does not count.
process_of()
{
    local pid began
    read -r pid began 2>/dev/null <"$data/run/$1.pid" || return 1
    [[ -n $began && $(start_time "$pid") == "$began" ]] && echo "$pid"
}

# members_of SERVER: every process of its session that lives. Apptainer's own may end before the server that it runs. As long as there
# are members the kernel gives the session's number to nobody else.
members_of()
{
    local leader began pid now
    read -r leader began 2>/dev/null <"$data/run/$1.pid" || return 0
    now=$(start_time "$leader")
    [[ -z $now || $now == "$began" ]] || return 0
    for pid in $(pgrep -s "$leader"); do [[ -z $(start_time "$pid") ]] || echo "$pid"; done
}

# end_server SERVER: TERM, which flushes, and KILL when that took too long. A Tempo may need more than 30 seconds.
end_server()
{
    local pid deadline=$((SECONDS + ${NEURO_STACK_STOP_SECONDS:-60})) members
    ! pid=$(process_of "$1") || kill -TERM "$pid" 2>/dev/null || true
    while members=$(members_of "$1") && [[ -n $members ]]; do
        if ((SECONDS >= deadline)); then
            warn "$1 did not end within ${NEURO_STACK_STOP_SECONDS:-60} s and is killed: what it had not written is lost"
            xargs kill -KILL <<<"$members" 2>/dev/null || true
            deadline=$((SECONDS + 60))
        fi
        sleep 0.1
    done
    rm -f "$data/run/$1.pid"
}

# resident_mib PID: of its whole session.
resident_mib()
{
    local pid
    for pid in $(pgrep -s "$1"); do awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null; done | awk '{ kib += $1 } END { printf "%d\n", kib / 1024 }'
}

http_ok() { curl --silent --fail --noproxy '*' --max-time 2 --output /dev/null "http://$1"; }
