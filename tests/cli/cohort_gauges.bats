#!/usr/bin/env bats
# The gauges neuro.cohort.* and the records neuro.cohort.summary say what status says, whoever writes them and whatever happened before.
load helper

QUICK=(--bias-correction none --skull-strip skip --normalize none)

setup()
{
    cd "$BATS_TEST_TMPDIR" || return
    make_dataset bids 01 02/1 03 04
}

preprocess() { neuro-preprocess bids out participant "${QUICK[@]}" "$@"; }

# The record of the last call, by the time in its last line of metrics.
last_record()
{
    local record
    for record in out/logs/telemetry/*.otlp.jsonl; do
        printf '%s %s\n' "$(grep -o '"timeUnixNano":"[0-9]*"' "$record" | tail -n 1 | tr -dc 0-9)" "$record"
    done | sort -n | tail -n 1 | cut -d ' ' -f 2
}

# gauges NAME FILTER: the points of a metric in the last collection of the last record, as {attributes…, value}.
gauges()
{
    jq -Rn --arg name "$1" '[inputs | fromjson? | .resourceMetrics[]?.scopeMetrics[].metrics[] | select(.name == $name) | .gauge.dataPoints[]
        | (.attributes // [] | map({(.key): .value.stringValue}) | add // {}) + {time: .timeUnixNano, value: (.asInt // .asDouble | tonumber)}]
        | (map(.time) | max) as $last | map(select(.time == $last))' "$(last_record)" | jq -c "$2"
}

by_state() { gauges neuro.cohort.sessions 'map(select(.value > 0)) | group_by(.["neuro.state"]) | map({(.[0]["neuro.state"]): (map(.value) | add)}) | add'; }
by_failure() { gauges neuro.cohort.sessions 'map(select(.value > 0 and .["neuro.state"] == "failed") | [.["neuro.stage"], .["error.type"], .value]) | sort'; }
summary() { jq -Rc 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | select(.eventName == "neuro.cohort.summary")
    | .attributes | map({(.key): (.value.intValue | tonumber?)}) | add | [.["neuro.cohort.wanted"], .["neuro.cohort.complete"], .["neuro.cohort.to_rerun"]]' "$(last_record)" | tail -n 1; }

# equals_status [OPTION…]: the last record says what status with these options says.
equals_status()
{
    local said=status.json
    neuro-preprocess status out "$@" --format json >$said
    equal "$(by_state)" "$(jq -cS .states $said)"
    equal "$(by_failure)" "$(jq -c '[.sessions[] | select(.state == "failed") | [.stage, .["error.type"]]] | group_by(.) | map(.[0] + [length]) | sort' $said)"
    equal "$(gauges neuro.cohort.warned '.[0].value')" "$(jq .n_with_warnings $said)"
    equal "$(summary)" "$(jq -c '[.n_wanted, .n_complete, .n_to_rerun]' $said)"
}

@test "gauges and status agree after failures, and after the image was mended and rerun" {
    cp bids/sub-03/anat/sub-03_T1w.nii.gz whole.nii.gz
    truncate -s 20000 bids/sub-03/anat/sub-03_T1w.nii.gz
    run -1 preprocess
    equal "$(by_state)" '{"failed":1,"success":3}'
    equal "$(by_failure)" '[["load_file","bad-data",1]]'
    equals_status
    # counted before the first session, too
    equal "$(jq -Rc 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | select(.eventName == "neuro.cohort.summary") | .body.stringValue' "$(last_record)" | head -n 1)" \
        '"the output folder: 0 of 4 complete"'
    cp whole.nii.gz bids/sub-03/anat/sub-03_T1w.nii.gz
    run -0 preprocess
    equal "$(by_state)" '{"success":4}'
    equal "$(by_failure)" '[]'
    equals_status
    # what this process saw as failed is 0 in its last collection, not absent
    equal "$(gauges neuro.cohort.sessions 'map(select(.["error.type"] == "bad-data").value)')" '[0]'
    equal "$(gauges neuro.cohort.sessions 'map(select(.["neuro.state"] == "not-started").value)')" '[0]'
}

@test "half a selection: sessions that were asked for and have not begun are counted, others are not" {
    run -0 preprocess --plan-only
    run -0 preprocess --participant-label 01 02
    equal "$(by_state)" '{"not-started":2,"success":2}'
    equals_status
}

@test "one session a call counts nothing itself; group does, and agrees with status" {
    truncate -s 20000 bids/sub-03/anat/sub-03_T1w.nii.gz
    for participant in 01 02 03 04; do preprocess --participant-label $participant || true; done
    lacks "$(cat out/logs/telemetry/*.otlp.jsonl | sed 's/"neuro.cohort.id"//g')" neuro.cohort
    run -0 neuro-preprocess bids out group
    equal "$(by_state)" '{"failed":1,"success":3}'
    equals_status --verify --dataset bids
    truncate -s 100 out/sub-04/anat/*desc-preproc_T1w.nii.gz
    mv bids/sub-03 gone
    run -0 neuro-preprocess bids out group
    equal "$(by_state)" '{"gone":1,"incomplete":1,"success":2}'
    equals_status --verify --dataset bids
    run -0 neuro-preprocess bids out group --no-telemetry
    equal "$(find out/logs/telemetry -maxdepth 1 -name '*.otlp.jsonl' | wc -l)" 6
}

@test "an outdated and a withdrawn session have their states" {
    run -0 preprocess --participant-label 01 02
    run -0 preprocess --participant-label 03 --plan-only
    run -0 neuro-preprocess status out --withdraw sub-03
    run -0 neuro-preprocess bids out participant "${QUICK[@]:0:4}" --normalize zscore --participant-label 01 04 --rerun outdated
    equal "$(by_state)" '{"outdated":1,"success":2,"withdrawn":1}'
    equals_status
}

@test "failures that were asked for are counted as such, and their stages and delays are marked" {
    run -76 preprocess --fail-rate 1 --participant-label 01 03
    equal "$(gauges neuro.cohort.injected '.[0].value')" 2
    run -0 preprocess --participant-label 01 03
    equal "$(gauges neuro.cohort.injected '.[0].value')" 0
    run -0 neuro-preprocess bids slow participant "${QUICK[@]}" --participant-label 01 --slow-stage normalization:0.01
    equal "$(jq -Rr 'fromjson? | .resourceSpans[]?.scopeSpans[].spans[] | select(any(.attributes[]; .key == "neuro.injected" and .value.boolValue)) | .name' slow/logs/telemetry/*.otlp.jsonl | LC_ALL=C sort | tr '\n' ' ')" \
        'normalization preprocess_run preprocess_session '
}

@test "group writes the summary of a session whose run was killed: its last record has its state" {
    "$PROGRAM" bids out participant "${QUICK[@]}" --slow-stage load_file:60 --participant-label 02 >log 2>&1 &
    pid=$!
    wait_until 60 grep -qs '"load_file"' out/logs/sub-02/sub-02_ses-1_status.json
    kill -KILL $pid
    wait $pid || true
    run -0 neuro-preprocess bids out group
    last=$(jq -Rc 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | select(.eventName == "neuro.session.summary")
        | (.traceId as $trace | .attributes | map({(.key): .value.stringValue}) | add | [.["bids.participant"], .["neuro.state"], .["neuro.outcome"], .["neuro.stage"], .["neuro.node"], $trace])' "$(last_record)")
    equal "$last" "[\"02\",\"failed\",\"killed\",\"load_file\",\"$(uname -n)\",\"$(jq -r .trace_id out/logs/sub-02/sub-02_ses-1_status.json)\"]"
    equal "$(by_state)" '{"failed":1}'
    command=$(jq -Rr 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | select(.eventName == "neuro.session.summary")
        | .attributes[] | select(.key == "neuro.session.rerun") | .value.stringValue' "$(last_record)")
    equal "$(events)" 'kill|kill: 1 session ended without a word'
    equal "$(jq -Rr 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | select(.eventName == "neuro.cohort.event").timeUnixNano' "$(last_record)" | cut -c 1-10)" \
        "$(date -d "$(jq -r .heartbeat out/logs/sub-02/sub-02_ses-1_status.json)" +%s)"
    (cd / && eval "$command") # complete: it says the folder's options, and works anywhere
    equal "$(neuro-preprocess status out --format json | jq -r .states.success)" 1
}

events() { jq -Rr 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | select(.eventName == "neuro.cohort.event")
    | [(.attributes[] | select(.key == "neuro.cohort.event") | .value.stringValue), .body.stringValue] | join("|")' "$(last_record)"; }

@test "a submit, a resubmit and a kill are log records, each at its time" {
    run -0 preprocess --plan-only --participant-label 01
    equal "$(events)" 'submit|submit: 1 session asked for'
    run -0 preprocess --plan-only --participant-label 01 02 03
    equal "$(events)" 'resubmit|resubmit: 3 sessions asked for'
    run -0 preprocess --participant-label 01
    equal "$(events)" ''
    "$PROGRAM" bids other participant "${QUICK[@]}" --slow-stage load_file:60 --participant-label 02 >log 2>&1 &
    pid=$!
    wait_until 60 grep -qs '"load_file"' other/logs/sub-02/sub-02_ses-1_status.json
    kill -TERM $pid
    wait $pid || true
    rm -r out && mv other out
    equal "$(events)" 'kill|kill: 1 session stopped by a signal'
}

@test "the summary of a session has its state, node, memory limit and request" {
    SLURMD_NODENAME=node17 SLURM_MEM_PER_NODE=900 run -0 preprocess --participant-label 01
    equal "$(jq -Rc 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | select(.eventName == "neuro.session.summary")
        | .attributes | map({(.key): (.value.stringValue // (.value.intValue | tonumber?))}) | add
        | [.["neuro.state"], .["neuro.node"], .["neuro.session.memory_limit"] <= 900 * 1048576, .["neuro.session.memory_request"] / 1048576]' "$(last_record)")" \
        '["success","node17",true,900]'
}

@test "status --watch only reads; with a destination it sends the gauges, at its end too" {
    preprocess --participant-label 01 02
    before=$(find out -type f | LC_ALL=C sort)
    run -0 neuro-preprocess status out --watch
    equal "$(find out -type f | LC_ALL=C sort)" "$before"
    run -0 --separate-stderr neuro-preprocess status out --watch --otel-endpoint http://127.0.0.1:1
    lacks "$output" telemetry
    equal "$(find out/logs/telemetry -maxdepth 1 -name '*.otlp.jsonl' | wc -l)" 2
    equals_status
}

@test "each output folder has an id of its own, which its gauges and summaries carry and which moves with it; a folder of an earlier version gets one" {
    run -0 preprocess
    local id
    id=$(jq -r .id out/logs/folder.json)
    [[ $id =~ ^[0-9a-f]{16}$ ]] || fail "found '$id'"
    equal "$(gauges neuro.cohort.sessions 'map(.["neuro.cohort.id"]) | unique')" "[\"$id\"]"
    equal "$(gauges neuro.cohort.time 'map(.["neuro.cohort.id"])')" "[\"$id\"]"
    equal "$(gauges neuro.cohort.warned 'map(.["neuro.cohort.id"])')" "[\"$id\"]"
    equal "$(jq -Rrs 'split("\n") | map(fromjson? | [keys_unsorted[0], (.[] | .[0].resource.attributes[] | select(.key == "neuro.cohort.id").value.stringValue)] | join(" ")) | unique | join(",")' "$(last_record)")" \
        "resourceLogs $id,resourceMetrics $id,resourceSpans $id"
    run -0 neuro-preprocess bids other participant "${QUICK[@]}"
    [[ $(jq -r .id other/logs/folder.json) != "$id" ]]
    mv out moved && mv moved out
    run -0 preprocess
    run -0 neuro-preprocess bids out participant "${QUICK[@]}" --save-bias-field --rerun outdated --bias-correction n4
    equal "$(jq -r .id out/logs/folder.json)" "$id"
    jq 'del(.id)' other/logs/folder.json >folder.json && cp folder.json other/logs/folder.json
    run -0 neuro-preprocess bids other group
    run -0 neuro-preprocess status other
    diff folder.json other/logs/folder.json
    run -0 neuro-preprocess bids other participant "${QUICK[@]}"
    [[ $(jq -r .id other/logs/folder.json) =~ ^[0-9a-f]{16}$ ]]
    jq '.id = "sub-01"' folder.json >other/logs/folder.json
    run -0 neuro-preprocess bids other group
    lacks "$(cat other/logs/telemetry/*)" '"sub-01"}'
}
