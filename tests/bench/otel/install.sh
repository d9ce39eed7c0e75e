#!/usr/bin/env bash
# opentelemetry-cpp, the peer of the telemetry benchmark, from this Debian release or its backports: unpacked into a folder of the
# user's cache, whose path is printed. apt runs with settings of its own; nothing of the system is installed or upgraded.
# Exit code 77 when there is none to be had.
# usage: tests/bench/otel/install.sh
set -euo pipefail

root=${XDG_CACHE_HOME:-$HOME/.cache}/neuro-preprocess/otel-cpp
cannot() { echo "$*" >&2 && exit 77; }

[[ ! -e $root/complete ]] || { echo "$root" && exit; }
command -v apt-get >/dev/null || cannot 'opentelemetry-cpp: this is no Debian to fetch it from'
# shellcheck disable=SC2016 # apt's own expression
targets=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 'Label: Debian' 'Component: main')
read -r mirror codename <<<"${targets%%$'\n'*}"
[[ -n ${codename:-} ]] || cannot 'opentelemetry-cpp: apt has no Debian mirror configured'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/packages" "$work/root"
for suite in "$codename" "$codename-backports"; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
done >"$work/sources.list"
apart=(-q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/lists"
    -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache= -o Acquire::Languages=none
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User=root)
quietly() { "$@" >"$work/log" 2>&1 || { tail -n 5 "$work/log" >&2 && cannot "opentelemetry-cpp: cannot be fetched"; }; }

quietly apt-get "${apart[@]}" update
# What it needs and this system lacks: apt only says what it would do.
quietly apt-get "${apart[@]}" --simulate --no-install-recommends install opentelemetry-cpp-dev libabsl-dev
mapfile -t packages < <(awk '$1 == "Inst" { print $2 }' "$work/log")
cd "$work/packages"
quietly apt-get "${apart[@]}" download "${packages[@]}"
for package in ./*.deb; do dpkg -x "$package" "$work/root"; done

mkdir -p "$(dirname "$root")"
rm -rf "$root"
cp -r "$work/root" "$root"
touch "$root/complete"
echo "$root"
