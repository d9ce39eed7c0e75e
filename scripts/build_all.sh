#!/usr/bin/env bash
# Build the Apptainer images of the stack, and of the program, into a folder.
# usage: scripts/build_all.sh [--native] [--images DIR] [NAME…]
#   NAME       app otel-collector prometheus loki tempo grafana (all of these without a NAME); with --native also victorialogs jaeger
#   --native   around the programs of `make stack-native`, without a registry: otel-collector prometheus victorialogs jaeger, and app
#              with the program of this machine
#   --images   default build/images
# Images that are there already are left alone; --force makes them anew.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n 's/^# usage: /usage: /p' "$0" >&2 && exit 64; }

native='' force='' images=build/images names=()
while (($#)); do
    case $1 in
    --native) native=1 ;;
    --force) force=1 ;;
    --images)
        (($# > 1)) || usage
        images=$2 && shift
        ;;
    -*) usage ;;
    *) names+=("$1") ;;
    esac
    shift
done
if ((${#names[@]} == 0)); then
    names=(app otel-collector prometheus loki tempo grafana)
    [[ -z $native ]] || names=(app otel-collector prometheus victorialogs jaeger)
fi
command -v apptainer >/dev/null || {
    echo 'Apptainer is needed to build images, and is not installed: see docs/apptainer.md' >&2
    exit 77
}

# In its own namespace root may do everything that a build needs, even where the machine restricts root.
apptainer_build()
{
    local build=(apptainer --silent build --force)
    if ((EUID != 0)); then build+=(--fakeroot); else build=(unshare --map-root-user "${build[@]}"); fi
    "${build[@]}" "$@" >"$images/build.log" 2>&1 || { cat "$images/build.log" >&2 && return 1; }
    rm -f "$images/build.log"
}

# around COMPONENT PROGRAM IMAGE: an image that holds this program of `make stack-native` alone.
around()
{
    local folder definition=$PWD/apptainer/native-server.def
    folder=$(scripts/stack/build.sh "$1")
    (cd "$folder" && apptainer_build --build-arg "program=$2" "$3" "$definition")
}

build()
{
    case ${native:+native }$1 in
    app) scripts/build-container.sh docker "$2" ;;
    'native app') scripts/build-container.sh host "$2" ;;
    'native otel-collector') around collector otelcol "$2" ;;
    'native prometheus') around prometheus prometheus "$2" ;;
    'native victorialogs') around victorialogs victoria-logs "$2" ;;
    'native jaeger') around jaeger jaeger "$2" ;;
    otel-collector | prometheus | loki | tempo | grafana) apptainer_build "$2" "apptainer/$1.def" ;;
    *) echo "no image '$1'${native:+ from native programs}" >&2 && exit 64 ;;
    esac
}

mkdir -p "$images"
images=$(realpath "$images")
for name in "${names[@]}"; do
    if [[ -z $force && -f $images/$name.sif ]]; then
        echo "$images/$name.sif is there"
        continue
    fi
    build "$name" "$images/$name.partial.sif"
    mv "$images/$name.partial.sif" "$images/$name.sif"
    echo "$images/$name.sif"
done
