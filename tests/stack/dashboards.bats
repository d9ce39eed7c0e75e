#!/usr/bin/env bats
# What the dashboards ask, asked of real servers with what real runs sent.
bats_require_minimum_version 1.5.0
load helper

setup_file()
{
    find_servers
    cd "$BATS_FILE_TMPDIR" || return
    stack_in "$BATS_FILE_TMPDIR"
    start
    neuro-preprocess demo-data --participants 3 --sessions 2 --size 6.5 bids >/dev/null
    neuro-preprocess bids out participant --bias-correction none --skull-strip skip --normalize zscore --otel-endpoint auto || true
    export DATA
}
setup() { cd "$BATS_FILE_TMPDIR" && stack_in "$BATS_FILE_TMPDIR"; }
teardown_file() { end_stack; }

# The one panel that has no number before twenty sessions have ended.
MAY_BE_EMPTY='When will it be done?'

@test "each panel's query has an answer a minute after a run, and no error" {
    local dashboard panel query n=0
    wait_until 60 has_values 'increase(traces_span_metrics_calls_total[10m]) > 0'
    while IFS=$'\t' read -r dashboard panel query; do
        answer "$query" >/dev/null || fail "$dashboard: $panel: $query"
        [[ $panel == "$MAY_BE_EMPTY" ]] || wait_until 30 has_values "$query" || fail "$dashboard: '$panel' is empty: $query"
        n=$((n + 1))
    done < <(queries)
    ((n > 30)) || fail "only $n queries"
}

@test "the first row says what status says: after failures, and after a rerun of what was mended" {
    local cohort=preprocessing-dashboard state
    neuro-preprocess status out --format json >status.json
    soon "$(jq -r '.states.success' status.json)" number $cohort 'How many sessions are done?'
    soon "$(jq -r '.n_wanted' status.json)" number $cohort 'Of how many?'
    soon "$(jq -r '.states.failed' status.json)" number $cohort 'How many failed?'
    soon "$(jq -r '.n_to_rerun' status.json)" number $cohort 'How many are left to run?'
    cp bids/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz bids/sub-03/ses-02/anat/sub-03_ses-02_T1w.nii.gz
    neuro-preprocess bids out participant --bias-correction none --skull-strip skip --normalize zscore --otel-endpoint auto
    soon 6 number $cohort 'How many sessions are done?'
    soon 0 number $cohort 'How many failed?'
    soon 0 number $cohort 'How many are left to run?'
    soon 1 number $cohort 'What share succeeded?'
}

@test "without Loki and Tempo the dashboards have no panel for them, and links to the servers that run" {
    local file of
    for file in "$DATA"/run/configs/dashboards/*.json; do
        of=$(jq -r '[.panels[].datasource.type, .templating.list[].query] | map(select(. == "loki" or . == "tempo")) | length' "$file")
        equal "$of" 0 "$file"
        jq -e --arg url "http://$(fact VICTORIALOGS)" 'any(.links[].url; . and startswith($url))' "$file" >/dev/null || fail "$file: no link"
    done
    jq -e '[.panels[] | select(.type == "stat")] | length >= 6' "$DATA/run/configs/dashboards/preprocessing-dashboard.json" >/dev/null
}

@test "panels say what they answer, what is bad, and what their colours mean" {
    local file
    for file in "$TOP"/configs/grafana/dashboards/*.json; do
        jq -e '[.panels[] | select(.type != "row" and .type != "text") | select((.title | endswith("?") | not) or (.description | length < 30)
            or (.fieldConfig.defaults.thresholds == null) or (.fieldConfig.defaults.noValue == null))] | length == 0' "$file" >/dev/null || fail "$file"
    done
}
