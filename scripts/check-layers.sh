#!/bin/sh
# Check every include of src/ against scripts/layers.txt. Prints includes that break the rules; the status is then 1.
set -eu
cd "$(dirname "$0")/.."
find src -name '*.[ch]' | LC_ALL=C sort | xargs grep -n '^[[:space:]]*#[[:space:]]*include' | awk -v rules=scripts/layers.txt '
function report(text) { print text; bad = 1 }
BEGIN {
    while ((getline line < rules) > 0) {
        sub(/#.*/, "", line)
        n = split(line, word, " ")
        if (n == 0) continue
        room = word[1]; sub(/:$/, "", room)
        if (sub(/\/$/, "", room)) {
            has_list[room] = 1
            for (i = 2; i <= n; i++) is_public[room "/" word[i]] = 1
            continue
        }
        for (i = 2; i <= n; i++) {
            if (!(word[i] in known) && room !~ /^</)
                report(rules ": " room " names " word[i] ", which does not stand above it")
            allowed[room, word[i]] = 1
        }
        if (room ~ /^</) library[++n_libraries] = room; else known[room] = 1
    }
}
{
    split($0, at, ":"); file = at[1]; where = at[1] ":" at[2]
    split(file, part, "/"); room = part[2]
    if (!(room in known)) report(where ": room " room " is not in " rules)
    from = part[2] "/" part[3]
    target = $0; sub(/^[^:]*:[^:]*:[^"<]*/, "", target); sub(/[">][^">]*$/, "", target)
    form = substr(target, 1, 1); target = substr(target, 2)
    if (form == "\"") {
        if (target !~ /^[a-z0-9]+\/[a-z0-9_]+\.h$/)
            report(where ": \"" target "\" is not of the form \"room/file.h\"")
        split(target, to, "/")
        if (to[1] != room && !((room, to[1]) in allowed))
            report(where ": " room " may not include " target)
        else if (to[1] != room && (to[1] in has_list) && !(target in is_public))
            report(where ": " target " is not a public header of " to[1] " (" rules ")")
        if (to[1] != room || (from in is_public)) is_used[target] = 1
        if ((from in is_public) && to[1] == room && !(target in is_public))
            report(where ": " from " is public and includes " target ", which is not (" rules ")")
    } else
        for (i = 1; i <= n_libraries; i++) {
            name = substr(library[i], 2, length(library[i]) - 2)
            star = sub(/\*$/, "", name)
            if ((star ? index(target, name) == 1 : target == name) && !((library[i], room) in allowed))
                report(where ": " room " may not include <" target ">")
        }
}
END {
    for (header in is_public)
        if (!(header in is_used))
            report(rules ": neither another room nor a public header includes " header ": it need not be public")
    exit bad
}'
