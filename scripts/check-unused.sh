#!/usr/bin/env bash
# The library's functions that the program does not need, against scripts/unused.txt, which says of each why it stays. Prints those
# that the list does not have, and entries that are true no longer; status 1 when there is any. Builds into build/sections.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}
list=scripts/unused.txt
${MAKE:-make} --no-print-directory -s -j "$(nproc)" BUILD="$build" VARIANT=sections "$build/sections/unneeded"

# "np_f src/room/file.c" for each section that the linker left out; what protobuf-c makes has other names.
found=$(sed -n "s|.*'\.text\.\(np_[a-z0-9][a-z0-9_]*\)' in file '.*sections/\(src/.*\)\.o'.*|\1 \2.c|p" "$build/sections/unneeded" | LC_ALL=C sort)
listed=$(grep -v '^#' "$list" | awk 'NF { print $1 }' | LC_ALL=C sort)
status=0

while read -r name file; do
    [[ -n $name ]] || continue
    grep -qxF "$name" <<<"$listed" && continue
    echo "$file: nothing in the program calls $name: remove it, or say in $list why it stays"
    status=1
done <<<"$found"
while read -r name; do
    grep -q "^$name " <<<"$found" && continue
    echo "$list: the program calls $name, or there is no such function: remove the line"
    status=1
done <<<"$listed"
while read -r name reason; do
    [[ -n $reason ]] && continue
    echo "$list: $name: expected a reason after the name, found none"
    status=1
done < <(grep -v '^#' "$list" | grep .)
exit $status
