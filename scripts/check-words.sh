#!/usr/bin/env bash
# The sources, tests and documents against scripts/words.txt: words that were withdrawn because only their authors knew what they
# meant. Prints each line that has one, with the plain word; status 1 when there is any.
set -euo pipefail
cd "$(dirname "$0")/.."

list=scripts/words.txt
files=()
for path in src tests docs scripts README.md CONTRIBUTING.md; do
    [[ ! -e $path ]] || files+=("$path")
done
status=0
while IFS=$'\t' read -r word plain exception; do
    found=$(grep -rnIiE --exclude="$(basename "$list")" --exclude='*.json' --exclude='*.jsonl' --exclude='*.svg' \
        "(^|[^[:alpha:]])($word)([^[:alpha:]]|$)" "${files[@]}" || true)
    [[ -z $exception ]] || found=$(grep -vE "$exception" <<<"$found" || true)
    [[ -n $found ]] || continue
    printf '%s\n' "$found" | cut -c1-160
    echo "$list: expected a plain word there ($plain), found '$word'"
    status=1
done < <(grep -v '^#' "$list" | sed -E 's/ {2,}/\t/g')

folders=(src)
[[ -d tests ]] && folders+=(tests)
# A comment that begins so has no subject: "What fails stands in `why`".
if grep -rnE --include='*.[ch]' '^[[:space:]]*/\*[[:space:]]*(What|Who|Whom|Whose|Which|Whatever|Whoever) ' "${folders[@]}" ||
    grep -rnE --include='*.[ch]' -A1 '^/\*$' "${folders[@]}" | grep -E -- '-[0-9]+- \* (What|Who|Whom|Whose|Which|Whatever|Whoever) '; then
    echo 'expected that a comment begins with its subject, found a relative clause'
    status=1
fi
exit $status
