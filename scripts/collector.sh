#!/usr/bin/env bash
# Print the folder that holds `collector`, a small OpenTelemetry Collector from the official modules, and `sink`, a receiver that
# misbehaves on request (tests/collector). Builds them when needed, into the user's cache: the first time takes minutes, and fetches
# Go modules whose versions and hashes are in tests/collector/go.mod and go.sum. (The Collector of the stack, tests/collector/stack, has the
# same versions and many more parts: scripts/stack/build.sh.)
# Without a recent Go, or when the modules cannot be fetched: status 77, and on stderr "skipped: why".   usage: scripts/collector.sh
set -euo pipefail
cd "$(dirname "$0")/../tests/collector"

skip()
{
    echo "skipped: $*" >&2
    exit 77
}

export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 GOFLAGS='-mod=readonly -trimpath -buildvcs=false'
wanted=$(awk '$1 == "go" { print $2 }' go.mod)
command -v go >/dev/null || skip "the Collector is built with Go $wanted or later; there is no 'go'"
found=$(go env GOVERSION)
[[ $(printf '%s\n' "$wanted" "${found#go}" | sort -V | head -n 1) == "$wanted" ]] ||
    skip "the Collector is built with Go $wanted or later; this is ${found#go}"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/neuro-preprocess
inputs=$(find . -path ./stack -prune -o \( -name '*.go' -o -name 'go.*' \) -print | LC_ALL=C sort)
stamp=$({ echo "$found" && xargs cat <<<"$inputs"; } | sha256sum)
bin=$cache/collector-${stamp:0:12}
mkdir -p "$cache"
exec 9>"$cache/collector.lock"
flock 9

if [[ ! -d $bin ]]; then
    echo "Building an OpenTelemetry Collector into $bin" >&2
    problem=$(go list -deps ./collector ./sink 2>&1 >/dev/null) || skip "Go modules cannot be had: $(tail -n 1 <<<"$problem")"
    version=$(awk '$1 == "go.opentelemetry.io/collector/otelcol" { print $2 }' go.mod)
    rm -rf "$bin.partial"
    mkdir "$bin.partial"
    go build -ldflags "-s -w -X main.version=$version" -o "$bin.partial/" ./collector ./sink >&2
    mv "$bin.partial" "$bin"
    find "$cache" -maxdepth 1 -name 'collector-*' ! -path "$bin" -mtime +7 -exec rm -rf {} +
fi
echo "$bin"
