#!/usr/bin/env bash
# Build the Apptainer image.   usage: [BUILD=build] scripts/build-container.sh [host|debootstrap|docker] IMAGE.sif
#   host         (default) uses the program and libraries of this machine; a few seconds, no network, no root
#   debootstrap  builds in a minimal Debian 12 from the mirror that apt uses here; a few minutes
#   docker       builds in the official Debian image: the same definition as `apptainer build IMAGE.sif apptainer/app.def`
# All three share every line of the image's definition; they differ in where the program is built.
# usage: scripts/build-container.sh --print host|debootstrap|docker     print the definition only
set -euo pipefail
cd "$(dirname "$0")/.."

parts=apptainer/parts
usage() { sed -n 's/^# usage: /usage: /p; s/^# .*   usage: /usage: /p' "$0" >&2 && exit 64; }

definition()
{
    echo "# Put together from $parts by scripts/build-container.sh: edit those, then make this file again."
    case $1 in
    host) cat $parts/from-host.def $parts/image.def ;;
    debootstrap | docker) cat $parts/from-"$1".def $parts/build.def $parts/image.def ;;
    *) usage ;;
    esac
}

# mirror LABEL: print the mirror from which apt on this machine takes packages of that label; nothing without such a mirror.
mirror()
{
    # shellcheck disable=SC2016 # apt's own expression
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Label: $1" 'Component: main' 2>/dev/null | head -n 1
}

[[ ${1:-} != --print ]] || { definition "${2:-}" && exit; }
from=host
(($# < 2)) || { from=$1 && shift; }
(($# == 1)) || usage
image=$1
definition "$from" >/dev/null

command -v apptainer >/dev/null || {
    echo "Apptainer is needed to build '$image', and is not installed: see docs/apptainer.md" >&2
    exit 77
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
definition "$from" >"$work/image.def"
arguments=() folder=$PWD
if [[ $from == host ]]; then
    scripts/container-root.sh "$work/image-root"
    folder=$work
else
    mirror=$(mirror Debian) security=$(mirror Debian-Security)
    [[ $from != debootstrap || -n $mirror ]] || { echo "apt has no Debian mirror configured here" >&2 && exit 77; }
    arguments=(--build-arg "mirror=$mirror" --build-arg "security=$security")
fi

# In its own namespace root may do everything that a build needs, even where the machine restricts root. zstd: at most a tenth larger
# than xz, and the image starts in half the time.
build=(apptainer --silent build --force --mksquashfs-args '-comp zstd -Xcompression-level 19 -b 256K')
if ((EUID != 0)); then
    build+=(--fakeroot)
elif [[ $from == host ]]; then
    build=(unshare --map-root-user "${build[@]}")
fi
mkdir -p "$(dirname "$image")"
log=$work/log
(cd "$folder" && "${build[@]}" "${arguments[@]}" "$work/new.sif" "$work/image.def") >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
}
mv "$work/new.sif" "$image"
