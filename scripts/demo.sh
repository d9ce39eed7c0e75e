#!/usr/bin/env bash
# A first look: build, make a small dataset of synthetic heads, spoil one image as an interrupted copy would, preprocess all
# of it, and say what came out. Exits 0 when just the spoilt session failed.   usage: [BUILD=build] scripts/demo.sh
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

say 'A dataset: synthetic heads with known truth'
rm -rf "$demo"
show "$program" demo-data "$bids" --participants 2 --sessions 2
mapfile -t images < <(find "$bids" -path '*/sub-*/*_T1w.nii.gz' | LC_ALL=C sort)
victim=${images[-1]}
truncate -s $(($(stat -c %s "$victim") / 2)) "$victim"
echo "Cut ${victim#"$bids/"} in half, as an interrupted copy leaves it: this session has to fail, the others not."

say 'Preprocess all sessions'
status=0
show "$program" "$bids" "$out" participant || status=$?

say 'Group level, then the state of every session'
show "$program" "$bids" "$out" group
show "$program" status "$out"

mapfile -t complete < <(find "$out/logs" -name '*_complete.json' | LC_ALL=C sort)
say 'What came out'
first=$(find "$out" -name '*_desc-preproc_T1w.nii.gz' | LC_ALL=C sort | head -n 1)
cat <<END
${#complete[@]} of ${#images[@]} sessions are complete (exit code $status: see '$program --explain $status').
The one that failed is the one we cut; the table above says where, why and what to do. Mend the file and run the same
command again: only that session is done.

  ${first%_desc-preproc_T1w.nii.gz}_*
                          bias-corrected head, normalized brain, brain mask; a .json beside each
  $out/logs/   records: *_status.json and *_log.jsonl of each session, status.tsv, telemetry
  $demo/          the true masks and fields are kept beside the dataset
END

victim_stem=$(basename "$victim" _T1w.nii.gz)
if ((${#complete[@]} == ${#images[@]} - 1)) && ((status != 0)) && [[ ! -e $(find "$out" -name "${victim_stem}_desc-*" -print -quit) ]]; then
    exit 0
fi
echo "The demo did not show what it should: expected just ${victim_stem} to fail." >&2
exit 1
