#!/usr/bin/env bats
# np-slurm with a telemetry stack, on a real Slurm of two nodes.
bats_require_minimum_version 1.5.0
load helper

STACK_WORDS=(--stack-option=--no-grafana --stack-option=--traces --stack-option=jaeger --stack-option=--logs --stack-option=victorialogs)

why_not()
{
    ((EUID == 0)) || { echo 'needs root'; return; }
    [[ ${CI:-} == true || ${NP_TEST_SYSTEM:-} == 1 ]] || echo 'needs Slurm: NP_TEST_SYSTEM=1 lets the tests install it'
}

setup_file()
{
    [[ -z $(why_not) ]] || return 0
    "$TOP/scripts/install-deps.sh" slurm
    export NP_CLUSTER=$BATS_FILE_TMPDIR/slurm
    chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
    "$TOP/tests/packaging/start-slurm.sh" start "$NP_CLUSTER" 3>&- 4>&-
}
teardown_file() { [[ -z ${NP_CLUSTER:-} ]] || "$TOP/tests/packaging/start-slurm.sh" stop "$NP_CLUSTER"; }

setup()
{
    local reason
    reason=$(why_not)
    [[ -z $reason || ${CI:-} != true ]] || fail "$reason"
    [[ -z $reason ]] || skip "$reason"
    find_servers
    cd "$BATS_TEST_TMPDIR" || return
    export SLURM_CONF=$NP_CLUSTER/slurm.conf
    cohort bids 6
    OUT=$BATS_TEST_TMPDIR/out
}

submit()
{
    "$TOP/scripts/slurm/np-slurm" submit bids "$OUT" --program "$PROGRAM" --mem none --chunk 2 --no-canary "$@" "${STACK_WORDS[@]}" -- --bias-correction none --skull-strip skip --normalize none
}
queue_is_empty() { local jobs && jobs=$(squeue --noheader) && [[ -z $jobs ]]; }
finish() { wait_until "$1" queue_is_empty || fail "still in the queue: $(squeue --noheader)"; }
archives() { find "$OUT/logs/stack" -name manifest.json -printf '%h\n'; }
# spans: how many spans preprocess_session the archives hold, and how many different ones.
session_spans()
{
    archives | sed 's,$,/collector/stack.otlp.jsonl,' | xargs cat |
        jq -r '.resourceSpans[]?.scopeSpans[].spans[] | select(.name == "preprocess_session") | .spanId' | sort | uniq -c | awk '{ n += $1 } END { print n + 0, NR }'
}
n_complete() { neuro-preprocess status "$OUT" --format json | jq .n_complete; }

@test "--stack service: the tasks send to one more job, which ends after the summary and leaves an archive with each session once" {
    run -0 submit --stack service
    contains "$output" 'they send to the stack of job'
    finish 240
    equal "$(n_complete)" 6
    equal "$(archives | wc -l)" 1 "$(cat "$OUT/logs/stack/stack.log")"
    equal "$(session_spans)" '6 6'
    jq -s '[.[].resourceMetrics[]?.scopeMetrics[].metrics[] | select(.name == "neuro.cohort.sessions")] | length > 0' \
        "$(archives)/collector/stack.otlp.jsonl" | grep -qx true
    lacks "$(cat "$OUT"/logs/slurm/0001/task-*.log)" 'no telemetry stack'
}

@test "--stack job: each task has a stack of its own, and leaves its archive" {
    run -0 submit --stack job
    finish 240
    equal "$(n_complete)" 6
    equal "$(archives | wc -l)" 3
    equal "$(session_spans)" '6 6'
}

@test "a stack that cannot start costs the work nothing: all is done, and said; the records are on disk" {
    STACK_WORDS+=(--stack-option=--port-range --stack-option=1-1)
    run -0 submit --stack job
    finish 240
    equal "$(n_complete)" 6
    contains "$(cat "$OUT"/logs/slurm/0001/task-0.log)" 'no telemetry stack'
    equal "$(records "$OUT" | wc -l)" 5 # the submit, three tasks, the summary
}

@test "an unknown kind of stack is refused" {
    run -64 submit --stack everywhere
    contains "$output" 'expected none, service, node or job'
}
