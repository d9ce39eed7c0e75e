#!/usr/bin/env bash
# Draw where the processor time of one session goes. The build has frame pointers (make bench-flame makes it).
# usage: [BUILD=build] tests/bench/flame.sh OUT.svg
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${BUILD:-build} work=${BUILD:-build}/bench/flame
command -v perf >/dev/null || { echo "bench: perf is not here (Debian: linux-perf)" >&2; exit 69; }
mkdir -p "$work"
"$build/release/bench/phantom" "$work/head" 1 256 30 3
perf record --quiet -e cpu-clock -F 2000 -g -o "$work/perf.data" \
    "$build/flame/neuro-preprocess" process "$work/head_T1w.nii.gz" -o "$work/out" --rerun all --omp-nthreads 1 --quiet
perf script -i "$work/perf.data" -F comm,tid,ip,sym 2>"$work/perf.log" |
    python3 -B tests/bench/flame.py "One session, 256 x 256 x 256 voxels of 1 mm, one thread" >"$work/flame.svg"
mv "$work/flame.svg" "$1"
echo "$1 is drawn" >&2
