#!/usr/bin/env bats
# A cohort of one session, in a service's preset: each panel has an answer, or a sentence that says why not.
bats_require_minimum_version 1.5.0
load helper

setup_file()
{
    start_in_folder_of_file --preset central
    cohort bids 0 1
    preprocess bids out --otel-endpoint auto || true
    preprocess bids out --otel-endpoint auto || true
}
setup() { cd "$BATS_FILE_TMPDIR" && stack_in "$BATS_FILE_TMPDIR/stack"; }
teardown_file() { end_for_file; }

# The panels of a dashboard, of metrics, that have no value now.
empty_panels()
{
    local dashboard panel query
    while IFS=$'\t' read -r dashboard panel query; do
        answer "$query" >/dev/null || echo "error: $dashboard: $panel: $query"
        has_values "$query" || echo "$dashboard: $panel"
    done < <(queries) | LC_ALL=C sort -u
}
# … with no sentence of its own in place of the value.
without_words() { empty_panels | while IFS= read -r line; do jq -r --arg panel "${line#*: }" '.panels[] | select(.title == $panel and (.fieldConfig.defaults.noValue | test("no data in this"))) | .title' "$TOP/configs/grafana/dashboards/${line%%: *}.json"; done; }

@test "before anybody counts the folder: the tables have both attempts and the one session, no query fails, and each empty panel says why" {
    soon 2 n_rows session-dashboard 'Which attempts were there?' participant=bad1 session=
    soon 1 n_rows preprocessing-dashboard 'Which sessions failed?'
    soon 2 n_rows preprocessing-dashboard 'Which sessions came nearest to the memory that they may use?'
    wait_until 60 has_values 'increase(traces_span_metrics_calls_total[10m]) > 0'
    lacks "$(empty_panels)" error
    equal "$(without_words)" ''
}

@test "once it is counted the first row says what status says" {
    local cohort=preprocessing-dashboard
    neuro-preprocess bids out group --otel-endpoint auto >/dev/null
    soon 1 number $cohort 'How many failed?'
    soon 1 number $cohort 'Of how many?'
    soon 0 number $cohort 'How many sessions are done?'
    soon 1 number $cohort 'How many are left to run?'
    equal "$(empty_panels | grep "^$cohort" | grep -v 'When will')" "$cohort: How large are the brains?
$cohort: How near is memory to what was requested?
$cohort: Which warnings were raised?"
}
