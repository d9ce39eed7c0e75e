#!/usr/bin/env bash
# Print the bin folder of a Python environment that holds the tools asked for, making or completing it when needed. It lies
# in the user's cache, not in the system and not in the clone.      usage: scripts/python-tools.sh NAME==VERSION…
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/neuro-preprocess
venv=$cache/venv
mkdir -p "$cache"
exec 9>"$cache/venv.lock"
flock 9

[[ -x $venv/bin/pip ]] || /usr/bin/python3 -m venv "$venv" >&2
stamp=$venv/asked-for
touch "$stamp"
for requirement in "$@"; do
    grep -qxF "$requirement" "$stamp" && continue
    echo "Installing $requirement from the Python package index into $venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input "$requirement" >&2
    echo "$requirement" >>"$stamp"
done
echo "$venv/bin"
