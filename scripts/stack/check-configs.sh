#!/usr/bin/env bash
# Check configs/: the Collector's and Jaeger's `validate`, promtool, and yamllint. What is not there is left out, and said.
# usage: scripts/stack/check-configs.sh
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
status=0

# with COMPONENT COMMAND…: run it from the folder of that component's programs, when it is built; quiet unless it fails.
with()
{
    local folder output
    folder=$(scripts/stack/build.sh --find "$1" 2>/dev/null) || { echo "not checked, $1 is not built: ${*:2}"; return; }
    output=$("$folder/$2" "${@:3}" 2>&1) && return
    printf '%s\n' "$output"
    status=1
}

with collector otelcol validate --config file:configs/otel-collector-config.yaml
with collector otelcol validate --config file:configs/otel-collector-config.yaml --config file:configs/otel-collector-debug.yaml
with collector otelcol validate --config file:configs/otel-collector-config.yaml --config file:configs/otel-collector-service.yaml
with collector otelcol validate --config file:configs/otel-collector-config.yaml --config file:configs/central/otel-collector-config.yaml
with collector otelcol validate --config file:configs/otel-collector-config.yaml --config file:configs/otel-collector-sampling.yaml
with collector otelcol validate --config file:configs/otel-collector-config.yaml --config file:configs/central/forward.yaml
with jaeger jaeger validate --config file:configs/jaeger-config.yaml
with prometheus promtool check config configs/prometheus.yml
with prometheus promtool test rules tests/stack/alerts.yaml
scripts/stack/dashboards.py --check || status=1
scripts/stack/alerts.py --check || status=1
# Lines of the rules that alerts.py writes are as long as their expressions.
if command -v yamllint >/dev/null; then
    yamllint -d '{extends: default, rules: {line-length: {max: 170, ignore: [prometheus-rules.yml, rules.yaml]}, document-start: disable, braces: disable, comments: disable, truthy: disable}}' configs compose.yaml || status=1
else
    echo 'not checked, there is no yamllint: configs, compose.yaml'
fi
exit $status
