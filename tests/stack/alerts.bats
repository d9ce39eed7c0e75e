#!/usr/bin/env bats
# The rules on real servers, of a service's preset: Prometheus can evaluate each, and faults that were asked for say so.
bats_require_minimum_version 1.5.0
load helper

setup_file()
{
    start_in_folder_of_file --preset central
    cohort bids 6
    for injected in '--fail-rate 1' '--canary --wrong-canary'; do
        # shellcheck disable=SC2086 # words
        neuro-preprocess bids "out-${injected//[^a-z]/}" participant --skull-strip skip --bias-correction none --normalize none --otel-endpoint auto $injected || true
    done
}
setup() { stack_in "$BATS_FILE_TMPDIR/stack"; }
teardown_file() { end_for_file; }

rules() { get "$(fact PROMETHEUS)/api/v1/rules" | jq -r "[.data.groups[].rules[]] | $1"; }
alerts() { get "$(fact PROMETHEUS)/api/v1/alerts" | jq -r '.data.alerts[] | select(.labels.alertname == "'"$1"'") | .annotations.summary'; }

@test "Prometheus evaluates each rule, without an error" {
    soon "$(grep -c -- '- alert:' "$TOP/configs/prometheus-rules.yml")" rules 'map(select(.health == "ok")) | length'
}

@test "a canary that was made wrong: the alert names the node and says that it was asked for" {
    soon "injected fault: $(hostname) computes wrongly: its canary's result is not the known one" alerts CanaryWrong
}

@test "sessions that failed on request: the alert says so" {
    folder=$(jq -r .id "$BATS_FILE_TMPDIR/out-failrate/logs/folder.json")
    soon "injected fault: Tiny heads (output folder $folder): 6 sessions have failed, more than 5 % of those that ended" alerts ManySessionsFail
    soon "injected fault: $(hostname): more than half of its sessions fail with method-failed" alerts OneReasonOnOneNode
}
