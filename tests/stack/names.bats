#!/usr/bin/env bats
# What dashboards, alerts and their variables name is what the program sends: by docs/registry/neuro.yaml. Needs no server.
bats_require_minimum_version 1.5.0
load helper

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# registered: all names of ours, attributes and metrics; and events.
registered()
{
    {
        sed -nE 's/.*(id|ref|metric_name|name): ((neuro|bids)\.[a-z0-9_.]+).*/\2/p' "$TOP/docs/registry/neuro.yaml"
        sed -nE 's/^#define NP_EVENT_[A-Z_]+ "(neuro\.[a-z.]+)"/\1/p' "$TOP/src/trace/names.h"
    } | LC_ALL=C sort -u
}
# asked FILTER: what this jq filter takes of the dashboards' questions.
asked() { "$TOP/scripts/stack/dashboards.py" --queries | jq -r "$1"; }

# not_registered <TEXT: names with underscores, as Prometheus and Loki have them, without the endings for units and kinds.
not_registered()
{
    grep -oE '\b(neuro|bids)_[a-z0-9_]+' | sed -E 's/_(total|bytes|seconds|ratio|mm3)(_(bucket|sum|count))?$//' | LC_ALL=C sort -u |
        LC_ALL=C comm -23 - <(registered | tr . _ | LC_ALL=C sort -u)
}

@test "each name in a question to Prometheus or Loki, in an alert and in a variable is registered" {
    {
        asked 'select(.datasource == "prometheus" or .datasource == "loki").query'
        jq -r '.templating.list[].query | if type == "object" then .query else . end' "$TOP"/configs/grafana/dashboards/*.json
        cat "$TOP/configs/prometheus-rules.yml"
    } >questions
    (($(wc -w <questions) > 500)) || fail 'too few questions'
    equal "$(not_registered <questions)" neuro_qc_ # the beginning of several
    equal "$(not_registered <<<'sum(neuro_cohort_sesions) + neuro_memory_limit_bytes')" neuro_cohort_sesions
}

@test "each name in a question to VictoriaLogs or Tempo is registered" {
    asked '.logsql // (select(.datasource == "tempo").query)' | grep -oE '\b(neuro|bids)\.[a-z_0-9]+(\.[a-z_0-9]+)*' | LC_ALL=C sort -u >names
    (($(wc -l <names) > 10)) || fail 'too few names'
    equal "$(LC_ALL=C comm -23 names <(registered))" ''
}
