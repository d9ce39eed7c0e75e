#!/usr/bin/env bats
# More than a hundred sessions at once, each a process of its own, three times over: nothing is lost, and no server's memory grows from the second
# time to the third. Prints the table of docs/stack.md. Of `make check-stack`: it takes some minutes.
bats_require_minimum_version 1.5.0
load helper

N=${NP_TEST_PROCESSES:-120}

setup()
{
    [[ -n ${NP_TEST_MEMORY:-} ]] || skip 'takes minutes: make check-stack runs it, or NP_TEST_MEMORY=1'
    own_stack
}
teardown() { end_own_stack; }

# resident SERVER: MiB, its own and that of files which it maps (the kernel takes this back when it needs it).
resident() { awk '/^RssAnon/ { own = $2 } /^RssFile|^RssShmem/ { files += $2 } END { printf "%d %d\n", own / 1024, files / 1024 }' "/proc/$(pid_of "$1")/status"; }
# watch ROUND: each server's memory twice a second, until it is ended.
watch()
{
    local server
    while sleep 0.5; do
        for server in prometheus victorialogs jaeger collector; do echo "$1 $server $(resident $server)"; done
    done >>memory
}
# peak ROUND SERVER [COLUMN]: the largest of its own, or in column 4 of its files.
peak() { awk -v round="$1" -v server="$2" -v column="${3:-3}" '$1 == round && $2 == server && $column > most { most = $column } END { print most + 0 }' memory; }

# at_once ROUND: N processes of one session each, all at the same time; then all of them are in each server.
at_once()
{
    local watcher began=$SECONDS
    watch "$1" 3>&- &
    watcher=$!
    remember $watcher
    xargs -a labels -P "$N" -I LABEL bash -c 'preprocess bids out --rerun all --nprocs 1 --participant-label "$1" --otel-endpoint auto' - LABEL >>log 2>&1 3>&- || true
    neuro-preprocess replay out --endpoint "http://$(fact OTLP_HTTP)" >>log 2>&1 # what a short process did not wait for
    soon $(($1 * N)) metric 'sum(traces_host_metrics_calls_total)'
    soon $(($1 * N)) eval "logs 'event_name:=neuro.session.summary | stats count() n' | jq -r .n"
    soon "$N" n_roots "$1"
    kill $watcher
    echo "# round $1: $N sessions in $((SECONDS - began)) s" >&3
}
# n_roots ROUND: how many of the round's traces are in Jaeger.
n_roots()
{
    get "$(fact JAEGER)/api/traces" service=neuro-preprocess operation=preprocess_session limit=1000 "start=$(($(<"began.$1") * 1000000))" \
        "end=$(((EPOCHSECONDS + 60) * 1000000))" | jq '[.data[].spans[] | select(.operationName == "preprocess_session")] | length'
}

@test "$N sessions at once, three times over: each is there, nothing was refused, and no server's memory grows from the second time to the third" {
    local round server second third
    start --preset central
    cohort bids "$N"
    find bids -maxdepth 1 -name 'sub-*' -printf '%f\n' | cut -c 5- >labels
    export -f preprocess
    for server in prometheus victorialogs jaeger collector; do echo "0 $server $(resident $server)"; done >memory
    for round in 1 2 3; do
        echo "$EPOCHSECONDS" >"began.$round"
        at_once $round
        sleep 10
    done
    is '' metric 'sum({__name__=~"otelcol_receiver_refused_.*"}) > 0' || fail 'the Collector refused some of it'
    echo '# | server | before | first | second | third | files that it maps | (MiB, largest)' >&3
    for server in collector prometheus victorialogs jaeger; do
        second=$(peak 2 $server) third=$(peak 3 $server)
        echo "# | $server | $(peak 0 $server) | $(peak 1 $server) | $second | $third | $(peak 3 $server 4) |" >&3
        less "$third" $((second * 110 / 100 + 16)) "$server: MiB of the third time, of the second: $second"
    done
}
