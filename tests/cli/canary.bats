#!/usr/bin/env bats
# --canary: a head of known result before the first session. It changes nothing where the machine is as it should; where it is not, no
# session is begun.
load helper

QUICK=(--bias-correction none --skull-strip skip --normalize none)

setup()
{
    cd "$BATS_TEST_TMPDIR" || return
    mkdir tmp
    export TMPDIR=$PWD/tmp
    make_dataset bids 01 02
}

preprocess() { neuro-preprocess bids "$@" participant "${QUICK[@]}"; }
logs_of() { jq -Rc 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[]' "$1"/logs/telemetry/*.otlp.jsonl; }
spans_of() { jq -Rr 'fromjson? | .resourceSpans[]?.scopeSpans[].spans[].name' "$1"/logs/telemetry/*.otlp.jsonl | LC_ALL=C sort; }
# gauge FOLDER NAME: its last value.
gauge() { jq -Rr --arg name "$2" 'fromjson? | .resourceMetrics[]?.scopeMetrics[].metrics[] | select(.name == $name) | (.gauge // .sum).dataPoints[] | .asInt // .asDouble' "$1"/logs/telemetry/*.otlp.jsonl | tail -n 1; }

@test "a right canary: the run is the same, in files, spans and counts; the verdict is in its telemetry and in logs/canary" {
    run -0 preprocess plain
    run -0 preprocess tried --canary
    contains "$output" 'canary: right after'
    equal "$(fingerprint tried)" "$(fingerprint plain)"
    equal "$(spans_of tried)" "$(spans_of plain)"
    equal "$(neuro-preprocess status tried --format json | jq -c '[.n_sessions, .states]')" '[2,{"success":2}]'
    equal "$(gauge tried neuro.files.processed)" "$(gauge plain neuro.files.processed)"
    equal "$(gauge tried neuro.canary.wrong)" 0
    equal "$(logs_of tried | jq -c 'select(.eventName == "neuro.canary") | .attributes | map({(.key): .value.stringValue}) | add
        | [.["neuro.canary.verdict"], .["neuro.canary.expected"] == .["neuro.canary.found"], .["neuro.node"]]')" "[\"right\",true,\"$(uname -n)\"]"
    equal "$(cut -f 2,3 tried/logs/canary/*.tsv | tail -n 1)" "$(uname -n)"$'\tright'
    equal "$(ls tmp)" ''
    # nothing to do: nothing to try the machine for
    run -0 preprocess tried --canary
    lacks "$output" canary
}

@test "a wrong canary: no session is begun, the exit status is 75, node and processor are named, and the fault is marked as injected" {
    SLURMD_NODENAME=node17 run -75 preprocess out --canary --wrong-canary
    contains "$output" 'temporary: canary: expected voxels with the SHA-256'
    contains "$output" 'on node17 ('
    contains "$output" 'What to do: leave this node out'
    contains "$output" 'injected by --wrong-canary'
    [[ ! -e out/sub-01 && ! -e out/logs/sub-01 ]] || fail 'a session was begun'
    equal "$(neuro-preprocess status out --format json | jq -c '.states')" '{"not-started":2}'
    equal "$(spans_of out)" preprocess_run
    equal "$(gauge out neuro.canary.wrong)" 1
    equal "$(jq -Rc 'fromjson? | .resourceMetrics[]?.scopeMetrics[].metrics[] | select(.name == "neuro.canary.wrong") | .gauge.dataPoints[].attributes | tostring' out/logs/telemetry/*.otlp.jsonl | sort -u)" \
        '"[{\"key\":\"neuro.injected\",\"value\":{\"boolValue\":true}}]"'
    equal "$(logs_of out | jq -c 'select(.eventName == "neuro.canary") | [.severityText, (.attributes[] | select(.key == "neuro.injected").value.boolValue)]')" '["ERROR",true]'
    equal "$(cut -f 2,3 out/logs/canary/*.tsv | tail -n 1)" $'node17\twrong'
    # on another machine the same command goes on
    run -0 preprocess out --canary
}

@test "a canary that finds no room for its files says nothing of the machine: a warning, and the run goes on" {
    TMPDIR=$PWD/nowhere run -0 preprocess out --canary
    contains "$output" 'warning: no canary:'
    [[ ! -e out/logs/canary ]] || fail 'a verdict was kept'
}

@test "doctor lets the canary through: right here, 75 when it is wrong" {
    run -0 neuro-preprocess doctor
    contains "$output" 'ok    canary: a head of known result is right after'
    run -75 neuro-preprocess doctor --wrong-canary
    contains "$output" 'FAIL  canary: expected voxels with the SHA-256'
    equal "$(ls tmp)" ''
}
