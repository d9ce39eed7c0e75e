#!/usr/bin/env bash
# Print the path of a promtool: the one on PATH, else the one of this Debian release's package 'prometheus', unpacked into the user's
# cache; nothing is installed and no server starts. Exit code 77: no promtool is available.
set -euo pipefail

command -v promtool && exit
cache=${XDG_CACHE_HOME:-$HOME/.cache}/neuro-preprocess/promtool
if [[ ! -x $cache/usr/bin/promtool ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    fetch() { apt-get -q download prometheus >&2; }
    if ! fetch && ! { ((EUID == 0)) && apt-get -q update >&2 && fetch; }; then
        echo "skipped: there is no promtool, and Debian's package 'prometheus' cannot be fetched" >&2
        exit 77
    fi
    dpkg -x prometheus_*.deb root
    mkdir -p "$(dirname "$cache")"
    rm -rf "$cache"
    mv root "$cache"
fi
echo "$cache/usr/bin/promtool"
