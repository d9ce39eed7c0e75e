#!/bin/sh
# clang-format finds nothing to change in the C sources (the formatting of this Debian release's clang-format).
set -eu
cd "$(dirname "$0")/.."
if ! command -v clang-format >/dev/null; then
    echo "clang-format is not installed: 'scripts/install-deps.sh check' installs it" >&2
    exit 77
fi
find src tests -name '*.[ch]' | LC_ALL=C sort | xargs clang-format --dry-run --Werror
