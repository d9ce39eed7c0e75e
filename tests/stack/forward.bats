# A stack that also hands on what it gets to a back end that exists: with its token, and without a label of a participant.
load helper

setup()
{
    find_servers
    find_tools
    cd "$BATS_TEST_TMPDIR" || return
    stack_in "$BATS_TEST_TMPDIR/stack"
    (umask 077 && echo sesame >token)
}
teardown()
{
    end_stack
    end_processes
}

beyond() { cat "$COLLECTOR_FILE" 2>/dev/null; }
n_beyond() { beyond | jq '[.resourceSpans[]?.scopeSpans[].spans[] | select(.name == "preprocess_session")] | length' | awk '{ n += $1 } END { print n + 0 }'; }

@test "what was sent under hash goes on, with the token; what has labels stays" {
    export COLLECTOR_TOKEN=sesame
    start_collector token
    start --forward "http://127.0.0.1:$COLLECTOR_HTTP_PORT" --forward-token-file token
    cohort bids 1
    preprocess bids labels --otel-endpoint auto
    preprocess bids hashed --otel-endpoint auto --telemetry-id hash
    soon 1 n_beyond
    soon 2 metric 'sum(traces_span_metrics_calls_total{span_name="preprocess_session"})' # both arrived here
    equal "$(n_beyond)" 1
    lacks "$(beyond)" sub-001
    contains "$(beyond)" resourceMetrics
    contains "$(beyond)" resourceLogs
    lacks "$(cat stack/data/run/state stack/data/run/*.log)" sesame
    lacks "$(tr '\0' ' ' <"/proc/$(pid_of collector)/cmdline")" sesame
}

@test "with --forward-labels labels go on, too; what the back end refuses waits on disk until it takes it" {
    start_collector
    start --forward "http://127.0.0.1:$COLLECTOR_HTTP_PORT" --forward-labels
    cohort bids 1
    stop_collector KILL
    preprocess bids labels --otel-endpoint auto
    soon 1 metric 'sum(traces_span_metrics_calls_total{span_name="preprocess_session"})'
    equal "$(n_beyond)" 0
    start_collector
    soon 1 n_beyond
    contains "$(beyond)" sub-001
}

@test "a token that others can read, none, and no URL are refused before anything starts" {
    chmod 644 token
    run -77 start --forward http://127.0.0.1:1 --forward-token-file token
    contains "$output" 'chmod 600'
    run -66 start --forward http://127.0.0.1:1 --forward-token-file none
    run -64 start --forward host:4318
    contains "$output" 'expected a URL'
    [[ ! -e $DATA/run/state ]]
}
