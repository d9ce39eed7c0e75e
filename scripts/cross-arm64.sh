#!/usr/bin/env bash
# Build for arm64 on this machine. Under emulation, preprocess a head, compare the result with that of BUILD/neuro-preprocess, and run
# the unit tests. Libraries are Debian's for arm64, unpacked into BUILD/arm64/sysroot; the system and its apt are not changed.
# usage: [BUILD=build] scripts/cross-arm64.sh [MODULE…]      With MODULEs, only their unit tests.
set -euo pipefail
cd "$(dirname "$0")/.."

native=${BUILD:-build}/neuro-preprocess
build=${BUILD:-build}/arm64
mkdir -p "$build"
build=$(cd "$build" && pwd)
sysroot=$build/sysroot
mapfile -t packages < <(scripts/install-deps.sh --print build | grep -- '-dev$')
[[ $# -gt 0 ]] || set -- '*'

# The packages and their dependencies, with separate settings for apt that use only the system's sources.
fetch()
{
    local apt=$build/apt apart
    mkdir -p "$apt/lists/partial" "$apt/archives/partial"
    apart=(-q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::Lists="$apt/lists" -o Dir::State::Status=/dev/null
        -o Dir::Cache::Archives="$apt/archives" -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache= -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User=root -o Debug::NoLocking=1
        -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=-)
    # shellcheck disable=SC2016 # apt's own expression
    apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) main' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        sort -u >"$apt/sources.list"
    apt-get "${apart[@]}" update
    apt-get "${apart[@]}" --yes --no-install-recommends --download-only install "${packages[@]}"
    rm -rf "$sysroot"
    mkdir -p "$sysroot"/usr/{bin,sbin,lib}
    ln -s usr/bin usr/sbin usr/lib "$sysroot/" # one tree, as in an installed Debian
    find "$apt/archives" -name '*.deb' -exec dpkg -x {} "$sysroot" \;
    find "$sysroot" -type l -lname '/*' | while read -r link; do # absolute links would lead into this machine's system
        ln -sfr "$sysroot$(readlink "$link")" "$link"
    done
    printf '%s\n' "${packages[*]}" >"$sysroot/.packages"
}

if [[ $(cat "$sysroot/.packages" 2>/dev/null) != "${packages[*]}" ]]; then
    echo "Fetching arm64 packages: ${packages[*]}"
    fetch >"$build/fetch.log" 2>&1 || { cat "$build/fetch.log" >&2 && exit 1; }
fi

make --no-print-directory -s -j"$(nproc)" BUILD="$build" CC="aarch64-linux-gnu-gcc --sysroot=$sysroot" AR=aarch64-linux-gnu-ar \
    CPPFLAGS="-isystem $sysroot/usr/include/nifti" all unit

export NP_TEST_LAUNCHER="qemu-aarch64 -L $sysroot" # for a test that starts its own program again
emulate() { timeout --kill-after=10 1800 qemu-aarch64 -L "$sysroot" "$@"; }

emulate "$build/neuro-preprocess" --version | head -n 2

# voxels FOLDER: the hash of each uncompressed image below it, because the compression may differ.
voxels()
{
    find "$1" -name '*.nii.gz' -printf '%P\n' | LC_ALL=C sort | while read -r image; do
        printf '%s %s\n' "$(zcat "$1/$image" | sha256sum | cut -d ' ' -f 1)" "$image"
    done
}

passed=0 failed=0
same_voxels()
{
    local head=$build/head options=(participant --session-label 01 --modalities T1w --save-bias-field --quiet)
    rm -rf "$head"
    mkdir "$head"
    "$native" demo-data "$head/bids" --participants 1 --sessions 2 --size 3 >/dev/null
    "$native" "$head/bids" "$head/native" "${options[@]}"
    emulate "$build/neuro-preprocess" "$head/bids" "$head/arm64" "${options[@]}"
    [[ $(voxels "$head/native" | wc -l) == 4 ]] && diff <(voxels "$head/native") <(voxels "$head/arm64")
}
if [[ $* == '*' ]]; then
    same_voxels || { echo "arm64 gives other voxels than $(uname -m)" >&2 && exit 1; }
    echo "the same voxels as on $(uname -m)"
fi
# The emulator fakes /proc/self/stat and gives its own start time to every child, so locks cannot identify their owners.
not_under_emulation=(record/test_lock.c)

for pattern; do
    # shellcheck disable=SC2231 # the pattern is one
    for source in tests/unit/$pattern/test_*.c; do
        [[ " ${not_under_emulation[*]} " != *" ${source#tests/unit/} "* ]] || continue
        test=$build/release/${source#tests/}
        start=$SECONDS
        if emulate "${test%.c}" >"$build/test.log" 2>&1; then
            passed=$((passed + 1)) verdict=passed
        else
            failed=$((failed + 1)) verdict=FAILED
        fi
        printf '  %-40s %s %5d s\n' "${source#tests/unit/}" "$verdict" $((SECONDS - start))
        [[ $verdict == passed ]] || grep -A 5 '^not ok' "$build/test.log" | head -n 20 || tail -n 5 "$build/test.log"
    done
done
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
