#!/usr/bin/env bash
# How long the stages take on synthetic heads, beside peers measured in the same minutes on the same machine.
# Prints a Markdown table; --write puts it into docs/benchmarks.md.
# usage: [BUILD=build] tests/bench/run.sh [--write] [--repeat N] [--size MM] [--threads N]
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${BUILD:-build}
program=$build/neuro-preprocess
repeat=3 size=1 threads=$(nproc) write=
while (($#)); do
    case $1 in
    --write) write=1 ;;
    --repeat) repeat=$2 && shift ;;
    --size) size=$2 && shift ;;
    --threads) threads=$2 && shift ;;
    *) echo "usage: tests/bench/run.sh [--write] [--repeat N] [--size MM] [--threads N]" >&2 && exit 64 ;;
    esac
    shift
done

work=$build/bench
rm -rf "$work/out"*
[[ -d $work/bids-$size ]] || "$program" demo-data "$work/bids-$size" --participants 1 --sessions 1 --size "$size" --random-seed 1 >&2
head=$(find "$work/bids-$size" -path '*/sub-*/*_T1w.nii.gz' | LC_ALL=C sort | head -n 1)

echo "Measuring, $repeat runs each, $threads threads…" >&2
for ((i = 1; i <= repeat; i++)); do
    "$program" process "$head" -o "$work/out-$i" --omp-nthreads "$threads" --quiet
done

tools=''
if bin=$(scripts/python-tools.sh SimpleITK==2.5.7 2>/dev/null); then
    tools=$bin/python3
fi

table=$(python3 tests/bench/table.py --repeat "$repeat" --threads "$threads" --itk-python "$tools" "$head" "$work"/out-*/logs/*_status.json)
printf '%s\n' "$table"

if [[ -n $write ]]; then
    python3 - docs/benchmarks.md "$table" <<'PYTHON'
import sys

path, table = sys.argv[1:]
begin, end = "<!-- table: begin -->\n", "<!-- table: end -->"
text = open(path).read()
before, rest = text.split(begin)
after = rest.split(end)[1]
open(path, "w").write(before + begin + table + "\n" + end + after)
PYTHON
    echo "docs/benchmarks.md is renewed" >&2
fi
