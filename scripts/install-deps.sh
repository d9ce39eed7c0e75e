#!/usr/bin/env bash
# Install the packages for building (build), testing (check), linting (lint), the image's first stage (container), building for arm64
# (cross) or the tests on Slurm (slurm). All are packages of this Debian release. It first prints what it will install.
# usage: scripts/install-deps.sh [--print] [build|check|lint|container|cross|slurm]      --print: only print the packages' names
set -euo pipefail

# shellcheck disable=SC2034 # each list is used by its name
{
    build=(gcc make libc6-dev zlib1g-dev libnifti-dev libjansson-dev libdeflate-dev libisal-dev
        libcurl4-openssl-dev libevent-dev libprotobuf-c-dev protobuf-c-compiler)
    check=("${build[@]}" bats clang clang-format curl git gzip jq libclang-rt-dev openssl procps
        python3 python3-nibabel python3-numpy python3-venv strace util-linux)
    lint=("${build[@]}" bats clang-tidy cppcheck shellcheck yamllint)
    container=("${build[@]}" ca-certificates)
    cross=(gcc-aarch64-linux-gnu make protobuf-c-compiler qemu-user)
    slurm=(slurmctld slurmd slurm-client munge)
}

print=
[[ ${1:-} != --print ]] || { print=yes && shift; }
purpose=${1:-build}
case $purpose in
build | check | lint | container | cross | slurm) ;;
*)
    echo "usage: scripts/install-deps.sh [--print] [build|check|lint|container|cross|slurm]" >&2
    exit 64
    ;;
esac
declare -n wanted=$purpose
[[ -z $print ]] || { printf '%s\n' "${wanted[@]}" && exit; }

if ! command -v dpkg-query >/dev/null; then
    echo "This system has no Debian packages. Needed to $purpose: ${wanted[*]} (or packages with similar names)." >&2
    exit 1
fi

# The sanitizers' runtime carries its compiler's version in the package's name: the one that 'clang' depends on.
resolve() {
    [[ $1 == libclang-rt-dev ]] || { echo "$1" && return; }
    local clang_version
    clang_version=$(dpkg-query -W -f '${Depends}' clang 2>/dev/null || apt-cache depends clang 2>/dev/null) || true
    [[ $clang_version =~ clang-([0-9]+) ]] && echo "libclang-rt-${BASH_REMATCH[1]}-dev"
}

missing_packages() {
    local package name
    for package in "${wanted[@]}"; do
        name=$(resolve "$package") || name=$package
        [[ $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) == *" installed" ]] || echo "$name"
    done
}

mapfile -t missing < <(missing_packages)
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
    if ! sudo -n true 2>/dev/null; then
        echo "Packages are missing, and installing them needs root. Run this, then try again:" >&2
        echo "    sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo -n)
fi

echo "Installing Debian packages to $purpose neuro-preprocess: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 && return
    cat "$log" >&2
    echo "'apt-get $*' failed: see above" >&2
    exit 1
}
run update
mapfile -t missing < <(missing_packages) # the updated lists may have new names
run install --yes --no-install-recommends "${missing[@]}"
