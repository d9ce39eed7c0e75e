#!/usr/bin/env bash
# A Slurm of two nodes on this machine, for the tests alone: slurmctld, two slurmd and munged, from Debian's packages, each
# with its own folder, key, socket and ports; nothing in /etc is read or written.
# usage: tests/packaging/start-slurm.sh start|stop|limits|environment FOLDER
#   start        start it; MEM=cgroup lets the kernel limit memory, MAX_ARRAY_SIZE=N sets the largest array [1001]
#   stop         end its jobs and its processes, by their ids
#   limits       say whether MEM=cgroup can work here ("cgroup" or "poll")
#   environment  lines to evaluate, so that sbatch and the like find it
# Needs root, and three free ports in a row (from PORT, 17816, on).
set -euo pipefail

command=${1:-}
folder=$(realpath -m -- "${2:-/nowhere}")
nodes=(n1 n2)
host=$(hostname -s)

# A zombie that nobody waits for is not running.
running() { [[ -r /proc/$1/stat ]] && ! grep -q '^[0-9]* (.*) Z' "/proc/$1/stat"; }
alive() { [[ -s $1 ]] && running "$(cat "$1")"; }

stop_process()
{
    local pid
    alive "$1" || return 0
    pid=$(cat "$1")
    kill -TERM "$pid" 2>/dev/null || true
    for _ in {1..100}; do running "$pid" || return 0; sleep 0.05; done
    kill -KILL "$pid" 2>/dev/null || true
}

# Limits of memory need the memory controller of cgroup v1, mounted where Slurm looks and writable.
limits()
{
    if [[ -w /sys/fs/cgroup/memory/memory.limit_in_bytes && -w /sys/fs/cgroup/freezer && -n $(compgen -G "/usr/lib/*/slurm-wlm/cgroup_v1.so") ]] &&
        mkdir "/sys/fs/cgroup/memory/np-probe.$$" 2>/dev/null; then
        rmdir "/sys/fs/cgroup/memory/np-probe.$$"
        echo cgroup
    else
        echo poll
    fi
}

# The first of three ports in a row that nobody listens on.
free_ports()
{
    local base port
    for ((base = ${PORT:-17816}; base < 30000; base += 3)); do
        for port in $base $((base + 1)) $((base + 2)); do
            ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue 2
        done
        echo $base
        return
    done
}

tracking()
{
    if [[ ${MEM:-poll} == cgroup ]]; then
        printf '%s\n' ProctrackType=proctrack/cgroup TaskPlugin=task/cgroup JobAcctGatherType=jobacct_gather/cgroup
    else
        printf '%s\n' ProctrackType=proctrack/linuxproc TaskPlugin=task/none JobAcctGatherType=jobacct_gather/linux \
            JobAcctGatherFrequency=task=1 JobAcctGatherParams=OverMemoryKill
    fi
}

configure()
{
    local i port
    port=$(free_ports)
    cat <<C
ClusterName=npt
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=slurm
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
SlurmctldPidFile=$folder/state/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/state/slurmctld.log
SlurmdLogFile=$folder/slurmd.%n.log
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_min_interval=100000,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
JobRequeue=1
KillWait=10
MinJobAge=600
MaxArraySize=${MAX_ARRAY_SIZE:-1001}
DefMemPerCPU=500
C
    tracking
    for i in "${!nodes[@]}"; do
        echo "NodeName=${nodes[i]} NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1 + i)) CPUs=2 RealMemory=8000 State=UNKNOWN"
    done
    echo "PartitionName=debug Nodes=$(IFS=, && echo "${nodes[*]}") Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO"
}

configure_cgroups()
{
    local constrain=no
    [[ ${MEM:-poll} != cgroup ]] || constrain=yes
    printf '%s\n' CgroupPlugin=cgroup/v1 CgroupMountpoint=/sys/fs/cgroup "ConstrainRAMSpace=$constrain" \
        "ConstrainSwapSpace=$constrain" ConstrainCores=no ConstrainDevices=no
}

start_munge()
{
    install -d -o munge -g munge -m 755 "$folder/munge"
    head -c 1024 /dev/urandom >"$folder/munge/key"
    chown munge:munge "$folder/munge/key"
    chmod 400 "$folder/munge/key"
    runuser -u munge -- munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
        --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
}

all_up() { [[ $(sinfo --noheader --Node --format='%N %t' | sort -u | grep -c ' idle$') == "${#nodes[@]}" ]]; }

start()
{
    local node
    install -d -o root -g root -m 755 "$folder" # munged wants it so
    install -d -o slurm -g slurm "$folder/state"
    configure >"$folder/slurm.conf"
    configure_cgroups >"$folder/cgroup.conf"
    start_munge
    runuser -u slurm -- slurmctld -c -f "$SLURM_CONF"
    for node in "${nodes[@]}"; do
        mkdir -p "$folder/spool.$node"
        slurmd -f "$SLURM_CONF" -N "$node"
    done
    for _ in {1..150}; do
        ! all_up 2>/dev/null || return 0
        sleep 0.1
    done
    echo "the nodes did not come up; see $folder/*.log, $folder/state/*.log" >&2
    return 1
}

stop()
{
    local node job
    if alive "$folder/state/slurmctld.pid"; then
        for job in $(squeue --noheader --format=%A 2>/dev/null | sort -u); do scancel "$job" 2>/dev/null || true; done
        for _ in {1..60}; do
            [[ -n $(squeue --noheader 2>/dev/null) ]] || break
            sleep 0.1
        done
    fi
    for node in "${nodes[@]}"; do stop_process "$folder/slurmd.$node.pid"; done
    stop_process "$folder/state/slurmctld.pid"
    stop_process "$folder/munge/pid"
}

export SLURM_CONF=$folder/slurm.conf
case $command in
start | stop | limits) "$command" ;;
environment) printf 'export SLURM_CONF=%q\n' "$SLURM_CONF" ;;
*)
    echo "usage: $0 start|stop|limits|environment FOLDER" >&2
    exit 64
    ;;
esac
