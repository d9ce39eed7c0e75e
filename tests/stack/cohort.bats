# A cohort of a week ago, made of two recorded sessions and replayed: the numbers are right, quickly. NP_TEST_SESSIONS says how many
# sessions (1000; 10000 take some minutes).
load helper

setup_file()
{
    load helper
    servers_are_built || return 0
    export N=${NP_TEST_SESSIONS:-1000}
    start_for_file --preset central || return
    cohort_record "$N" $((N * 3 / 100)) 200 $((EPOCHSECONDS - 7 * 86400)) 300 >"$BATS_FILE_TMPDIR/cohort.otlp.jsonl"
    neuro-preprocess replay "$BATS_FILE_TMPDIR/cohort.otlp.jsonl" --endpoint "http://$(fact OTLP_HTTP)" >"$BATS_FILE_TMPDIR/replay.log" 2>&1
}
teardown_file()
{
    load helper
    end_for_file
}
setup()
{
    find_servers
    stack_in "$BATS_FILE_TMPDIR/stack"
}

SUMMARIES='event_name:=neuro.session.summary | last 1 by (_time) partition by (neuro.dataset.name, neuro.cohort.id, bids.participant, bids.session)'
by_outcome() { logs "$SUMMARIES | stats by (neuro.outcome) count() n | sort by (neuro.outcome)" | jq -r '"\(.["neuro.outcome"]) \(.n)"'; }
one() { logs "$1" | jq -r .n; }

# quick COMMAND…: its answer, which takes at most three seconds.
quick()
{
    local began=${EPOCHREALTIME/[.,]/}
    "$@"
    ((${EPOCHREALTIME/[.,]/} - began <= 3000000)) || fail "took $(((${EPOCHREALTIME/[.,]/} - began) / 1000)) ms: $*"
}

@test "sessions by their latest state, at their own time: 3 of 100 failed" {
    soon "bad-data $((N * 3 / 100))
ok $((N * 97 / 100))" by_outcome
    quick by_outcome >/dev/null
    equal "$(logs "$SUMMARIES | stats min(_time) t" | jq -r .t | cut -c 1-10)" "$(date -u -d '7 days ago' +%F)"
}

@test "nodes, reasons by stage, the 95 % quantile of the time, the slowest sessions: each within three seconds" {
    equal "$(quick one "$SUMMARIES | stats count_uniq(host.name) n")" $(((N + 99) / 100 < 200 ? (N + 99) / 100 : 200)) # a process of each hundred
    equal "$(quick one "$SUMMARIES | filter neuro.outcome:!=ok | stats by (neuro.stage) count() n")" $((N * 3 / 100))
    [[ $(quick one "$SUMMARIES | stats quantile(0.95, neuro.session.duration) n") =~ ^[0-9.]+$ ]]
    equal "$(quick logs "$SUMMARIES | sort by (neuro.session.duration) desc limit 10" | wc -l)" 10
}

@test "a failed session leads to its trace and its logs" {
    local record trace
    record=$(logs 'event_name:=neuro.session.summary neuro.outcome:!=ok | sort by (_time) limit 1')
    trace=$(jq -r .trace_id <<<"$record")
    contains "$(quick spans "$trace")" load_file
    contains "$(logs "trace_id:=$trace severity_text:in(ERROR,FATAL)" | jq -r ._msg)" sub-00016/ses-2 # the 34th of the first hundred
}

@test "nothing of it counts as a rate of now" {
    is '' metric 'traces_span_metrics_calls_total'
}

@test "replayed a second time, nothing is sent" {
    run -0 neuro-preprocess replay "$BATS_FILE_TMPDIR/cohort.otlp.jsonl" --endpoint "http://$(fact OTLP_HTTP)"
    soon "$N" one 'event_name:=neuro.session.summary | stats count() n'
}

@test "what the servers need for it" {
    "$STACK" status
    [[ $("$STACK" status | awk '$1 == "collector" { print $4 }') -lt 600 ]]
}
