#!/usr/bin/env bash
# Print the bin folder of a Python environment that has the requested tools, and make or complete it when needed. It lies
# in the user's cache, not in the system and not in the clone.
# usage: scripts/python-tools.sh [--in NAME] [--with-system] NAME==VERSION…
#   --in NAME      use another environment than the common one: for packages with contradicting requirements
#   --with-system  the environment also sees the system's Python packages (Debian's python3-torch has a tenth of the index's size)
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/neuro-preprocess
venv=$cache/venv system=()
while [[ ${1:-} == --* ]]; do
    case $1 in
    --in) venv=$cache/venv-$2 && shift ;;
    --with-system) system=(--system-site-packages) ;;
    *) echo "usage: scripts/python-tools.sh [--in NAME] [--with-system] NAME==VERSION…" >&2 && exit 64 ;;
    esac
    shift
done
mkdir -p "$cache"
exec 9>"$venv.lock"
flock 9

[[ -x $venv/bin/pip ]] || /usr/bin/python3 -m venv "${system[@]}" "$venv" >&2
stamp=$venv/asked-for
touch "$stamp"
for requirement in "$@"; do
    grep -qxF "$requirement" "$stamp" && continue
    echo "Installing $requirement from the Python package index into $venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input "$requirement" >&2
    echo "$requirement" >>"$stamp"
done
echo "$venv/bin"
