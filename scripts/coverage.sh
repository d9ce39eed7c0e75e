#!/usr/bin/env bash
# Print the share of lines of src/ that ran, by room and by file, from the counters below OBJECT_DIR.   usage: scripts/coverage.sh OBJECT_DIR
set -euo pipefail
cd "$(dirname "$0")/.."
find "$1/src" -name '*.gcda' -print0 | LC_ALL=C sort -z | xargs -0 -n 1 gcov --no-output 2>/dev/null | awk '
    /^File / { file = substr($0, 7, length($0) - 7); next }
    /^Lines executed:/ && file ~ /^src\/.*\.c$/ {
        split(substr($0, 16), part, /% of /)
        split(file, path, "/")
        lines[path[2]] += part[2]; ran[path[2]] += part[1] * part[2] / 100
        all += part[2]; all_ran += part[1] * part[2] / 100
        files = files sprintf("  %5.1f %%  %5d lines  %s\n", part[1], part[2], file)
        file = ""
    }
    END {
        if (!all) { print "no coverage counters found" > "/dev/stderr"; exit 1 }
        for (room in lines) printf "%5.1f %%  %5d lines  %s\n", 100 * ran[room] / lines[room], lines[room], room | "sort -k4"
        close("sort -k4")
        printf "%5.1f %%  %5d lines  all\n\n%s", 100 * all_ran / all, all, files
    }'
