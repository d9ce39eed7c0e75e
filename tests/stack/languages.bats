#!/usr/bin/env bats
# Grafana's own grammars and types (Apache-2.0; the page itself is not run) read what the dashboards say.
bats_require_minimum_version 1.5.0
load helper

setup_file()
{
    local problem
    command -v npm >/dev/null || { [[ ${CI:-} != true ]] || fail 'there is no npm'; skip 'there is no npm'; }
    cp "$BATS_TEST_DIRNAME"/languages/* "$BATS_FILE_TMPDIR"
    cd "$BATS_FILE_TMPDIR" || return
    problem=$(npm ci --silent --no-audit --no-fund 2>&1) || { [[ ${CI:-} != true ]] || fail "$problem"; skip 'the grammars cannot be fetched'; }
}
setup() { cd "$BATS_FILE_TMPDIR" || return; }

check() { "$TOP/scripts/stack/dashboards.py" --queries | node check.mjs "$@"; }

@test "each query of logs is LogQL, each of traces TraceQL, and each dashboard has Grafana's types" {
    run -0 check "$TOP"/configs/grafana/dashboards/*.json
    equal "$output" ''
}

@test "a wrong query and a wrong dashboard are found" {
    jq '.panels[1].gridPos.w = "wide"' "$TOP/configs/grafana/dashboards/session-dashboard.json" >wrong.json
    run -1 check wrong.json
    contains "$output" 'wrong.json'
    run -1 node check.mjs <<<'{"dashboard": "d", "panel": "p", "datasource": "loki", "query": "{a=\"b\"} | | c"}'
    contains "$output" "d: p: not loki's language"
}
