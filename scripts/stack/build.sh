#!/usr/bin/env bash
# The servers of the native stack, built with Go from their published modules into the user's cache, outside the clone. Versions and
# hashes are in scripts/stack/native/*/go.{mod,sum} and, for the Collector, tests/collector/go.{mod,sum}. Prints one folder a line, of
# each component that was asked for: collector (otelcol) prometheus (prometheus, promtool) victorialogs (victoria-logs) jaeger (jaeger).
# Cold this takes a quarter of an hour on two processors and 5 GiB below Go's own caches; NP_GO_P=1 builds with one.
# usage: scripts/stack/build.sh [--find] [COMPONENT…]
#   --find   build nothing: status 77 and nothing on stdout when one of them is not there
# Status 77, and on stderr "skipped: why", also without a recent Go, or when the modules cannot be fetched.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/neuro-preprocess

skip()
{
    echo "skipped: $*" >&2
    exit 77
}

module_of()
{
    case $1 in
    collector) echo "$top/tests/collector" ;;
    prometheus | victorialogs | jaeger) echo "$top/scripts/stack/native/$1" ;;
    *) echo "unknown component '$1'; there are: collector prometheus victorialogs jaeger" >&2 && exit 64 ;;
    esac
}

# folder_of COMPONENT: where its programs lie once they are built; the name changes with what they are built from.
folder_of()
{
    local module sources
    module=$(module_of "$1")
    sources=("$module"/go.mod "$module"/go.sum)
    [[ $1 != collector ]] || sources+=("$module"/stack/*.go)
    echo "$cache/stack/$1-$(cat "${sources[@]}" | sha256sum | cut -c 1-12)"
}

required_version() { awk -v module="$2" '$1 == "require" { $1 = ""; $0 = $0 } $1 == module { print $2; exit }' "$(module_of "$1")/go.mod"; }

need_go()
{
    local wanted found
    wanted=$(awk '$1 == "go" { print $2 }' "$(module_of "$1")/go.mod")
    command -v go >/dev/null || skip "$1 is built with Go $wanted or later; there is no 'go'"
    found=$(go env GOVERSION)
    [[ $(printf '%s\n' "$wanted" "${found#go}" | sort -V | head -n 1) == "$wanted" ]] ||
        skip "$1 is built with Go $wanted or later; this is ${found#go}"
}

# describe COMPONENT: what it is built from (packages), and where it keeps its version (variable).
describe()
{
    case $1 in
    collector)
        packages=(./stack) variable=main.version
        version=$(required_version collector go.opentelemetry.io/collector/otelcol)
        ;;
    prometheus) # its module v0.314.0 is release 3.14.0
        packages=(github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool)
        variable=github.com/prometheus/common/version.Version
        version=$(required_version prometheus github.com/prometheus/prometheus | sed -E 's/^v0\.([0-9]+)([0-9]{2})\./\1.\2./')
        ;;
    victorialogs)
        packages=(github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs)
        variable=github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version
        version=victoria-logs-$(required_version victorialogs github.com/VictoriaMetrics/VictoriaLogs)
        ;;
    jaeger)
        packages=(github.com/jaegertracing/jaeger/cmd/jaeger)
        variable=github.com/jaegertracing/jaeger/internal/version.latestVersion
        version=$(required_version jaeger github.com/jaegertracing/jaeger)
        ;;
    esac
}

build()
{
    local folder=$2 packages variable version problem
    local tags=netgo,remove_all_sd # Prometheus without service discovery in clouds; the others do not know them
    need_go "$1"
    describe "$1"
    cd "$(module_of "$1")"
    problem=$(go list -deps -tags "$tags" "${packages[@]}" 2>&1 >/dev/null) || skip "Go modules of $1 cannot be had: $(tail -n 1 <<<"$problem")"
    echo "Building $1 into $folder" >&2
    rm -rf "$folder.partial"
    mkdir -p "$folder.partial"
    go build -p "${NP_GO_P:-$(nproc)}" -tags "$tags" -ldflags "-s -w -X $variable=$version" -o "$folder.partial/" "${packages[@]}" >&2
    [[ $1 != collector ]] || mv "$folder.partial/stack" "$folder.partial/otelcol"
    mv "$folder.partial" "$folder"
    find "$cache/stack" -maxdepth 1 -name "$1-*" ! -path "$folder" -mtime +7 -exec rm -rf {} +
}

find_only=
if [[ ${1:-} == --find ]]; then
    find_only=1
    shift
fi
(($#)) || set -- victorialogs collector prometheus jaeger
export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 GOFLAGS='-mod=readonly -trimpath -buildvcs=false'
folders=()
for component; do
    folder=$(folder_of "$component")
    [[ -d $folder || -z $find_only ]] || skip "$component is not built: make stack-native"
    if [[ ! -d $folder ]]; then
        mkdir -p "$cache/stack"
        exec 9>"$cache/stack/lock"
        flock 9
        [[ -d $folder ]] || (build "$component" "$folder")
        exec 9>&-
    fi
    folders+=("$folder")
done
printf '%s\n' "${folders[@]}"
