#!/usr/bin/env bash
# Compare our image quality metrics with those of MRIQC's functions: `make check-mriqc` calls it with the program `scenes`.
# MRIQC_WRITE=1 keeps MRIQC's numbers for the unit tests; NP_DATA=FOLDER adds the T1w images of a folder.
set -euo pipefail
scenes=$(realpath "$1")
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
images=()
[[ -z ${NP_DATA:-} ]] || images=("$NP_DATA"/*_T1w.nii.gz)
"$scenes" "$folder" "${images[@]}"
python=$(scripts/python-tools.sh --in mriqc mriqc==24.0.2)/python
kept=tests/unit/ops/quality_mriqc.h
if [[ ${MRIQC_WRITE:-} == 1 ]]; then
    "$python" tests/mriqc/compare.py "$folder" --write "$kept"
    clang-format -i "$kept"
else
    "$python" tests/mriqc/compare.py "$folder"
fi
