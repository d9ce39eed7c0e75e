# scripts/withdraw.sh with real servers: none of them answers about the participant any more, and all answer about the others as before.
load helper

setup()
{
    find_servers
    stack_in "$BATS_TEST_TMPDIR/stack"
    cd "$BATS_TEST_TMPDIR" || return
}
teardown() { end_stack; }

# sub-001, sub-0011 and sub-002 in two runs: with labels, and with words for them. Another dataset with a sub-001 of its own. A week ago: three more.
make_data()
{
    cohort bids 2
    mkdir -p bids/sub-0011/anat && ln bids/sub-001/anat/sub-001_T1w.nii.gz bids/sub-0011/anat/sub-0011_T1w.nii.gz
    cohort other 1 && sed -i 's/Tiny heads/Other heads/' other/dataset_description.json
    {
        preprocess bids out --otel-endpoint auto
        preprocess bids out --rerun all --telemetry-id hash --otel-endpoint auto
        preprocess other out-other --otel-endpoint auto
        cohort_record 3 0 3 $((EPOCHSECONDS - 7 * 86400)) 60 >old.otlp.jsonl
        neuro-preprocess replay old.otlp.jsonl --endpoint "http://$(fact OTLP_HTTP)"
    } >log 2>&1
    soon 10 n_sessions
    soon 10 metric 'count(last_over_time(neuro_session_duration_seconds[30d]))'
    soon 10 jaeger_n
}
n_sessions() { logs 'event_name:=neuro.session.summary | stats count() n' | jq -r .n; }
log_participants() { logs 'event_name:=neuro.session.summary | uniq by (neuro.dataset.name, bids.participant)' | jq -r '.["neuro.dataset.name"] + " " + .["bids.participant"]' | sort; }
metric_participants()
{
    get "$(fact PROMETHEUS)/api/v1/query" 'query=last_over_time(neuro_session_duration_seconds[30d])' | jq -r '.data.result[].metric | .neuro_dataset_name + " " + .bids_participant' | sort -u
}
jaeger_participants()
{
    get "$(fact JAEGER)/api/traces" service=neuro-preprocess operation=preprocess_session limit=1000 "start=$(((EPOCHSECONDS - 30 * 86400) * 1000000))" "end=$(((EPOCHSECONDS + 3600) * 1000000))" |
        jq -r '.data[] | .processes as $of | .spans[] | select(.operationName == "preprocess_session")
            | ($of[.processID].tags[] | select(.key == "neuro.dataset.name").value) + " " + (.tags[] | select(.key == "bids.participant").value)' | sort -u
}
jaeger_n() { get "$(fact JAEGER)/api/traces" service=neuro-preprocess operation=preprocess_session limit=1000 "start=$(((EPOCHSECONDS - 30 * 86400) * 1000000))" "end=$(((EPOCHSECONDS + 3600) * 1000000))" | jq '.data | length'; }
word() # LABEL
{
    "$PYTHON" -c 'import hashlib, hmac, sys
of = hmac.new(open("out/logs/telemetry/.salt", "rb").read(), b"participant", hashlib.sha256).digest()
print(hmac.new(of, sys.argv[1].encode(), hashlib.sha256).hexdigest()[:16])' "$1"
}
withdraw() { "$TOP/scripts/withdraw.sh" "$@"; }

@test "no server answers about the participant, by label or word; all answer about the others, those of a week ago and of another dataset too" {
    start
    make_data
    local all kept trace
    all="Other heads 001
Synthetic heads 00000
Synthetic heads 00001
Tiny heads 001
Tiny heads 0011
Tiny heads 002
$(for one in 001 0011 002; do echo "Tiny heads $(word $one)"; done)"
    all=$(sort <<<"$all")
    kept=$(grep -vx -e 'Tiny heads 001' -e "Tiny heads $(word 001)" <<<"$all")
    equal "$(log_participants)" "$all"
    trace=$(sessions out | grep ' 001$' | head -n 1 | cut -d ' ' -f 1)
    contains "$(spans "$trace")" preprocess_session

    run -0 withdraw out sub-001 --yes
    contains "$output" 'answer nothing about this participant'
    equal "$(log_participants)" "$kept"
    equal "$(metric_participants)" "$kept"
    equal "$(jaeger_participants)" "$kept"
    equal "$(spans "$trace" 2>/dev/null || true)" ''
    lacks "$(get "$(fact PROMETHEUS)/api/v1/label/bids_participant/values")" "$(word 001)"
    is 0 eval "logs '\"bids.participant\":=\"001\" \"neuro.dataset.name\":=\"Tiny heads\" or trace_id:=$trace | stats count() n' | jq -r .n"
    equal "$(find "$DATA/collector" -name '*.jsonl' -exec grep -cE "$(word 001)|$trace" {} +)" 0
    [[ ! -e $DATA/run/withdrawal ]]
    equal "$(tr '\0' '\n' <"/proc/$(pid_of prometheus)/cmdline" "/proc/$(pid_of victorialogs)/cmdline" | grep -cE 'admin-api|delete')" 0

    # the stack works on, what was left can be sent, and nothing comes back
    run -0 "$STACK" status --data "$DATA"
    run -0 neuro-preprocess replay out --endpoint "http://$(fact OTLP_HTTP)"
    preprocess bids out --participant-label 002 --rerun all --otel-endpoint auto >>log 2>&1
    soon 2 eval "logs 'event_name:=neuro.session.summary \"bids.participant\":=\"002\" \"neuro.dataset.name\":=\"Tiny heads\" | stats count() n' | jq -r .n"
    equal "$(log_participants)" "$kept"
}

@test "a call that was cut off is finished by the next; while a server does not run nothing is changed: 75" {
    start
    cohort bids 2
    preprocess bids out --otel-endpoint auto >log 2>&1
    soon 2 n_sessions
    cp -r out was
    kill -KILL "$(pid_of jaeger)"
    run -75 withdraw out sub-001 --yes
    contains "$output" 'not all of their servers run'
    diff -r was out
    start
    # cut off after the Collector's file was cleaned, and the traces were thrown away
    printf '{"label": "001", "words": [], "traces": ["%s"], "datasets": ["Tiny heads"], "elsewhere": []}' "$(sessions out | grep ' 001$' | cut -d ' ' -f 1)" >"$DATA/run/withdrawal"
    "$TOP/scripts/stack/forget.py" clean "$DATA/run/withdrawal" "$DATA/collector/stack.otlp.jsonl"
    kill -KILL "$(pid_of jaeger)"
    rm -rf "$DATA/jaeger"
    start
    run -0 withdraw out sub-001 --yes
    equal "$(log_participants)" 'Tiny heads 002'
    equal "$(jaeger_participants)" 'Tiny heads 002'
    equal "$(metric_participants)" 'Tiny heads 002'
    [[ ! -e $DATA/run/withdrawal && ! -e out/sub-001 ]]
}

@test "an archive is opened without the participant, and its records fill a stack with the others" {
    start
    cohort bids 2
    preprocess bids out --otel-endpoint auto >log 2>&1
    soon 2 n_sessions
    stop --save "$PWD/archives"
    run -0 withdraw out sub-001 "$PWD"/archives/* --yes
    lacks "$(cat archives/*/collector/stack.otlp.jsonl)" sub-001
    stack_in "$BATS_TEST_TMPDIR/again"
    run -0 start --from "$(echo archives/*)"
    contains "$output" 'replay'
    run -0 neuro-preprocess replay archives/*/collector/stack.otlp.jsonl --endpoint "http://$(fact OTLP_HTTP)"
    soon 1 n_sessions
    equal "$(log_participants)" 'Tiny heads 002'
}
