#!/usr/bin/env bash
# Each header of src/ compiles alone, and a second time after itself, with gcc and with clang where they are installed; and all of
# them together, so that no two give different things one name.
# usage: scripts/check-headers.sh [HEADER…]
set -uo pipefail
cd "$(dirname "$0")/.." || exit

headers=("$@")
(($#)) || mapfile -t headers < <(find src -name '*.h' | LC_ALL=C sort)
flags=(-std=c11 -Wall -Wextra -Wpedantic -Wundef -Werror -Isrc -isystem /usr/include/nifti -D_GNU_SOURCE -fsyntax-only)

compilers=()
for compiler in gcc clang; do
    ! command -v "$compiler" >/dev/null || compilers+=("$compiler")
done
if ((${#compilers[@]} == 0)); then
    echo "neither gcc nor clang is installed: 'scripts/install-deps.sh check' installs them" >&2
    exit 77
fi

# One compiler on one header. The header is named by its path below src/, as other files include it.
one()
{
    local compiler=$1 header=${2#src/}
    shift 2
    printf '#include "%s"\n#include "%s"\nextern int after_the_header;\n' "$header" "$header" | "$compiler" "$@" -x c - && return
    echo "src/$header: expected to compile alone with $compiler, found the errors above" >&2
    return 1
}

# All headers in one file.
together()
{
    local compiler=$1
    shift
    { printf '#include "%s"\n' "${headers[@]#src/}"; echo 'extern int after_the_headers;'; } | "$compiler" "$@" -x c - && return
    echo "src/: expected that all headers compile together with $compiler, found the errors above" >&2
    return 1
}

status=0
running=()
# Each is waited for by its number: a wait for any may miss one that has just ended.
end_first()
{
    wait "${running[0]}" || status=1
    running=("${running[@]:1}")
}
for compiler in "${compilers[@]}"; do
    together "$compiler" "${flags[@]}" || status=1
    for header in "${headers[@]}"; do
        ((${#running[@]} < $(nproc))) || end_first
        one "$compiler" "$header" "${flags[@]}" &
        running+=($!)
    done
done
while ((${#running[@]})); do
    end_first
done
exit $status
