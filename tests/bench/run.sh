#!/usr/bin/env bash
# Speed and accuracy of the program beside peers, measured in the same minutes on the same machine. Prints Markdown tables;
# --write puts them into docs/benchmarks.md. Options: tests/bench/bench.py --help.
# usage: [BUILD=build] [NP_DATA=FOLDER] tests/bench/run.sh [OPTION…]      tests/bench/run.sh --self-test
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! bin=$(scripts/python-tools.sh numpy==2.4.6 scipy==1.17.1 nibabel==5.4.2); then
    echo "bench: its arithmetic needs numpy, scipy and nibabel, which could not be installed" >&2
    exit 69
fi
if [[ ${1:-} == --self-test ]]; then
    cd tests/bench && exec "$bin/python3" -B -m unittest --quiet
fi
scripts/python-tools.sh SimpleITK==2.5.7 >/dev/null || echo "bench: SimpleITK is absent, its columns stay empty" >&2
exec "$bin/python3" -B tests/bench/bench.py --build "${BUILD:-build}" "$@"
