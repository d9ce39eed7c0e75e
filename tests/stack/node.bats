# One stack for all tasks of a node: the first starts it, the last stops it, whatever happens to the others.
load helper

setup()
{
    find_servers
    stack_in "$BATS_TEST_TMPDIR/stack"
    GO=$BATS_TEST_TMPDIR/go
}
teardown()
{
    end_processes
    [[ ! -d $DATA ]] || stop --keep --force >/dev/null 2>&1 || true
}

# task NAME: a process that starts the stack in a folder of its own, waits until it may go on ($GO-NAME), and stops it.
task()
{
    mkdir -p "$BATS_TEST_TMPDIR/$1"
    (
        cd "$BATS_TEST_TMPDIR/$1" || exit
        exec bash -c '
            "$1" start --mode node --no-grafana --traces jaeger --logs victorialogs >log 2>&1; echo $? >started
            until [[ -e $2 ]]; do sleep 0.1; done
            "$1" stop --keep >>log 2>&1; echo $? >stopped' - "$STACK" "$GO-$1"
    ) </dev/null 3>&- &
    remember $!
}
started() { [[ $(cat "$BATS_TEST_TMPDIR/$1/started" 2>/dev/null) == 0 ]]; }
stopped() { [[ $(cat "$BATS_TEST_TMPDIR/$1/stopped" 2>/dev/null) == 0 ]]; }
find_data() { DATA=$(sed -n 's/^STACK_DATA=//p' "$NEURO_STACK_LEASE"); }

@test "three tasks at the same moment share one stack; the last one that leaves stops it" {
    local name
    for name in a b c; do task $name; done
    for name in a b c; do wait_until 60 started $name; done
    equal "$(find "$BATS_TEST_TMPDIR" -name state | wc -l)" 1
    find_data
    run -0 "$STACK" status
    contains "$output" 'tasks that use it: 3'
    for name in a b; do
        touch "$GO-$name"
        wait_until 60 stopped $name
        run -0 "$STACK" status
    done
    contains "$output" 'tasks that use it: 1'
    touch "$GO-c"
    wait_until 60 stopped c
    run -3 "$STACK" status --data "$DATA"
    [[ ! -e $NEURO_STACK_LEASE ]]
}

@test "a task that was killed does not keep the stack alive" {
    task a
    wait_until 60 started a
    task b
    wait_until 60 started b
    find_data
    kill -KILL "$(head -n 1 "$BATS_TEST_TMPDIR/processes")"
    run -0 "$STACK" status
    touch "$GO-b"
    wait_until 60 stopped b
    run -3 "$STACK" status --data "$DATA"
}

@test "servers that died with the task that started them are started again by the next" {
    task a
    wait_until 60 started a
    find_data
    local pid
    for pid in $(pids) "$(head -n 1 "$BATS_TEST_TMPDIR/processes")"; do kill -KILL "$pid"; done
    task b
    wait_until 60 started b
    run -0 "$STACK" status
    contains "$output" 'tasks that use it: 1'
    touch "$GO-b"
    wait_until 60 stopped b
}

@test "a stack in use is stopped by hand with --force alone" {
    task a
    wait_until 60 started a
    find_data
    run -0 "$STACK" stop --keep
    contains "$output" 'goes on: other tasks use it (1)'
    run -0 "$STACK" stop --keep --force
    run -3 "$STACK" status --data "$DATA"
}
