# A site whose Prometheus only scrapes: it gets the numbers of the stack, and no participant.
load helper

setup() { own_stack; }
teardown() { end_own_stack; }

site() { get "127.0.0.1:$SITE_PORT/api/v1/query" "query=$1" | jq -r '.data.result[].value[1]'; }
start_site() # with the lines that the stack prints, and nothing else
{
    "$STACK" start --print-scrape | sed 's/15s/1s/' >site.yml
    read -r SITE_PORT <<<"$(free_ports 1)"
    "$("$TOP/scripts/stack/build.sh" --find prometheus)/prometheus" --config.file=site.yml --storage.tsdb.path=site --web.listen-address="127.0.0.1:$SITE_PORT" >site.log 2>&1 3>&- &
    remember $!
    wait_until 30 get "127.0.0.1:$SITE_PORT/-/ready"
}

@test "a Prometheus with the lines of --print-scrape has the rates and the gauges of the cohort as they are here, now and after the next run" {
    local sessions='sum by (status_code) (traces_span_metrics_calls_total{span_name="preprocess_session"})' query
    run -3 "$STACK" start --print-scrape
    start
    contains "$("$STACK" start --print-scrape)" "ssh -N -L $(fact PROMETHEUS):$(fact PROMETHEUS) $(hostname)"
    equal "$(awk '/targets/ { print $3 }' <<<"$("$STACK" start --print-scrape)" | tr -d "[]'")" "$(fact PROMETHEUS)"
    start_site
    cohort bids 3 1
    preprocess bids out --otel-endpoint auto >log 2>&1 || true
    soon $'1\n3' eval "site '$sessions' | sort"
    soon 3 site 'sum(neuro_cohort_sessions{neuro_state="success"})'
    soon 1 site 'sum(neuro_cohort_sessions{neuro_state="failed"})'
    preprocess bids out --rerun all --participant-label 001 002 --otel-endpoint auto >log 2>&1
    soon $'1\n5' eval "site '$sessions' | sort"
    for query in 'count(traces_span_metrics_duration_seconds_bucket)' 'sum(traces_span_metrics_duration_seconds_count)' 'sum(neuro_cohort_sessions)' \
        'sum(neuro_files_processed_total)' 'count(count by (instance) (neuro_sessions_processed_total))'; do
        soon "$(metric "$query")" site "$query"
    done
    equal "$(metric 'count(neuro_session_duration_seconds{bids_participant="001"})')" 2
    equal "$(site 'count({bids_participant!=""})')" ''
    equal "$(site 'count({exported_job!=""} or {exported_instance!=""})')" ''
}
