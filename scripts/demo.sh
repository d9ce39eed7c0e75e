#!/usr/bin/env bash
# A demonstration: build, make a small dataset of synthetic heads with one broken image, preprocess it, and show the
# results. Exits 0 when only that session failed.   usage: [BUILD=build] scripts/demo.sh
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}
demo=$build/demo
bids=$demo/bids out=$demo/derivatives
program=$build/neuro-preprocess

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 ]] || say() { printf '\n== %s\n' "$*"; }
show() { echo "\$ $*"; "$@"; }

scripts/install-deps.sh build
make --no-print-directory -s -j"$(nproc)" BUILD="$build" all

say 'A dataset: synthetic heads with known truth; one file is cut in half, as after an interrupted copy'
rm -rf "$demo"
show "$program" demo-data "$bids" | tee "$build/demo.log"
broken=$(sed -n 's/^broken on purpose: //p' "$build/demo.log")
n_sessions=$(find "$bids" -type d -name anat | wc -l)

say 'Preprocess all sessions'
status=0
show "$program" "$bids" "$out" participant || status=$?

say 'Group level, then the state of every session'
echo "\$ $program $bids $out group" && "$program" "$bids" "$out" group >/dev/null
show "$program" status "$out"

mapfile -t complete < <(find "$out/logs" -name '*_complete.json' | LC_ALL=C sort)
say 'Results'
first=$(find "$out" -name '*_desc-preproc_T1w.nii.gz' | LC_ALL=C sort | head -n 1)
cat <<END
${#complete[@]} of $n_sessions sessions are complete (exit code $status: see '$program --explain $status').
The other one's image, $broken, is broken on purpose; the table above says where it
failed, why, and what to do. With a good image in its place the same command does that session alone.

  ${first%_desc-preproc_T1w.nii.gz}_*
                          bias-corrected head, normalized brain, brain mask, tissues; a .json beside each
  $out/logs/   records: *_status.json and *_log.jsonl of each session, status.tsv, telemetry
  $bids-truth/    the true masks and fields of the heads
END

stem=$(basename "$broken" _T1w.nii.gz)
if ((${#complete[@]} == n_sessions - 1 && status != 0)) && [[ -z $(find "$out" -name "${stem}_desc-*" -print -quit) ]]; then
    exit 0
fi
echo "The demo failed: expected only $stem to fail." >&2
exit 1
