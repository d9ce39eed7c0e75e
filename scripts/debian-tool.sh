#!/usr/bin/env bash
# Print the path of a tool that tests use: the one on PATH, else the one of this Debian release's package, unpacked into the user's
# cache; nothing is installed and no server starts. Exit code 77: it cannot be had.
# usage: scripts/debian-tool.sh PACKAGE PROGRAM, e.g. scripts/debian-tool.sh prometheus promtool
set -euo pipefail
package=$1 program=$2

command -v "$program" && exit
cache=${XDG_CACHE_HOME:-$HOME/.cache}/neuro-preprocess/$package
if [[ ! -x $cache/usr/bin/$program ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    fetch() { apt-get -q download "$package" >&2; }
    if ! fetch && ! { ((EUID == 0)) && apt-get -q update >&2 && fetch; }; then
        echo "skipped: there is no $program, and Debian's package '$package' cannot be fetched" >&2
        exit 77
    fi
    dpkg -x "$package"_*.deb root
    mkdir -p "$(dirname "$cache")"
    rm -rf "$cache"
    mv root "$cache"
fi
echo "$cache/usr/bin/$program"
