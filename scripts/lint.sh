#!/usr/bin/env bash
# Static analysis: clang-tidy and cppcheck on the C sources, shellcheck on scripts and bats files; each header alone; words
# that are withdrawn; functions that the program does not need; the stack's configurations. Prints only findings.
# usage: scripts/lint.sh [FILE.c…]
set -uo pipefail
cd "$(dirname "$0")/.." || exit

sources=("$@")
(($#)) || mapfile -t sources < <(find src tests -name '*.c' | LC_ALL=C sort)
messages=$(mktemp -d) # the output of protobuf-c for proto/
trap 'rm -rf "$messages"' EXIT
protoc-c --proto_path=proto --c_out="$messages" proto/*.proto || exit
flags=(-std=c11 -Isrc -Itests/unit -isystem "$messages" -isystem /usr/include/nifti -D_GNU_SOURCE -DNP_VERSION='"0"' -DNP_COMMIT='"0"' -DNP_BUILD_FLAGS='""'
    -DNP_WITH_LIBDEFLATE -DNP_WITH_ISAL)
status=0

echo "clang-tidy: ${#sources[@]} files"
tidy()
{
    local output
    output=$(clang-tidy --quiet "$1" -- "${flags[@]}" 2>/dev/null) && return
    printf '%s\n' "$output"
    return 1
}
running=()
# Each is waited for by its number: a wait for any may miss one that has just ended.
end_first()
{
    wait "${running[0]}" || status=1
    running=("${running[@]:1}")
}
for file in "${sources[@]}"; do
    ((${#running[@]} < $(nproc))) || end_first
    tidy "$file" &
    running+=($!)
done
while ((${#running[@]})); do
    end_first
done

echo "headers"
scripts/check-headers.sh || status=1

echo "words"
scripts/check-words.sh || status=1

echo "unused functions"
scripts/check-unused.sh || status=1

echo "cppcheck"
cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$(nproc)" \
    --suppress=missingIncludeSystem --suppress=uninitvar -D__GNUC__=12 -D_GNU_SOURCE -DNP_VERSION='"0"' -DNP_COMMIT='"0"' -DNP_BUILD_FLAGS='""' \
    --library=scripts/cppcheck.cfg -Isrc src || status=1

echo "configurations of the stack"
scripts/stack/check-configs.sh || status=1

echo "shellcheck"
mapfile -t shells < <(find scripts tests .ci -type f -exec awk 'FNR > 1 { nextfile } /^#!(\/usr\/bin\/env bash|\/bin\/sh)/ { print FILENAME }' {} + | LC_ALL=C sort)
shellcheck --external-sources "${shells[@]}" || status=1
# In bats files: `run` sets variables and is a subshell by design; our own words contain no spaces.
shellcheck --external-sources --shell=bats --exclude=SC2012,SC2013,SC2016,SC2030,SC2031,SC2034,SC2044,SC2046,SC2119,SC2120,SC2154 \
    tests/cli/*.bats tests/packaging/*.bats tests/telemetry/*.bats tests/stack/*.bats tests/*/*.bash || status=1
exit $status
