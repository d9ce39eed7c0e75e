#!/usr/bin/env bash
# The files to bundle with a program, from the Debian packages of this machine.
# usage: scripts/bundle.sh libraries PROGRAM…          the shared libraries it loads, one "name path" per line; also those that it
#                                                      opens by name at run time, if scripts/late-libraries.txt lists them
#        scripts/bundle.sh notices FOLDER TITLE FILE…  BUNDLED.md and licences/ in FOLDER: the packages that the FILEs belong
#                                                      to, their versions, sources and licences
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin # for ldconfig, which is not on an ordinary user's PATH

die() { echo "bundle: $*" >&2 && exit 1; }

# loaded_by FILE…: "name path" of the libraries that the loader finds for them; the loader itself has its own name.
loaded_by()
{
    local missing
    missing=$(ldd "$@" | grep 'not found') && die "libraries are missing: ${missing//[$'\n\t']/ }"
    ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 } $1 ~ /^\/.*ld-linux/ { n = split($1, part, "/"); print part[n], $1 }'
}

# Libraries that PROGRAM opens by name while it runs, which the loader does not list: for each line of the list that PROGRAM names,
# the first library that is installed.
late()
{
    local alternatives name path installed
    installed=$(ldconfig -p | awk '{ print $1, $NF }')
    while read -r -a alternatives; do
        [[ ${#alternatives[@]} != 0 && ${alternatives[0]} != '#'* ]] || continue
        grep -qaF "${alternatives[0]}" "$1" || continue
        path=
        for name in "${alternatives[@]}"; do
            path=$(awk -v name="$name" '$1 == name { print $2; exit }' <<<"$installed")
            [[ -z $path ]] || break
        done
        [[ -n $path ]] || die "'$1' opens ${alternatives[0]} at run time, and it is not installed"
        printf '%s %s\n' "$name" "$path"
    done <"$here/late-libraries.txt"
}

libraries()
{
    local program found
    for program; do
        found=$(late "$program")
        # shellcheck disable=SC2046 # names of libraries hold no spaces
        loaded_by "$program" $(awk '{ print $2 }' <<<"$found")
        [[ -z $found ]] || echo "$found"
    done | sort -u
}

# package_of FILE: the installed package that it belongs to, without architecture. dpkg may know it by its name before or
# after the merge of /lib into /usr/lib.
package_of()
{
    local real candidate owner
    real=$(readlink -f "$1")
    for candidate in "$real" "${real#/usr}" "/usr$real" "$1"; do
        owner=$(dpkg -S "$candidate" 2>/dev/null | grep -v '^diversion' | head -n 1) || continue
        owner=${owner%%: *}
        owner=${owner%%,*}
        echo "${owner%%:*}"
        return
    done
    die "'$1' belongs to no Debian package: its licence is unknown"
}

# The short names of licences in a machine-readable copyright file; for other files, a reference to the file.
licences_of()
{
    local names
    names=$(sed -n 's/^License: *//p' "$1" | sort -u | paste -sd ';' | sed 's/;/; /g')
    echo "${names:-see the file}"
}

notices()
{
    local folder=$1 title=$2 package copyright common file
    shift 2
    mkdir -p "$folder/licences"
    {
        printf '# %s\n\nMade from the Debian packages below, of which it holds the files named. Debian keeps the source of each.\n\n' "$title"
        printf '| package | version | source package | files | licences |\n|---|---|---|---|---|\n'
        for file; do
            printf '%s %s\n' "$(package_of "$file")" "$(basename "$file")"
        done | sort -u | awk '{ files[$1] = files[$1] (files[$1] ? ", " : "") $2 } END { for (p in files) print p "\t" files[p] }' | sort |
            while IFS=$'\t' read -r package files; do
                copyright=/usr/share/doc/$package/copyright
                [[ -r $copyright ]] || die "$package has no copyright file"
                install -m 644 "$copyright" "$folder/licences/$package"
                while read -r common; do
                    [[ ! -f $common ]] || install -m 644 "$common" "$folder/licences/"
                done < <(grep -oE '/usr/share/common-licenses/[A-Za-z0-9.-]*[A-Za-z0-9]' "$copyright" | sort -u)
                # shellcheck disable=SC2016 # dpkg-query's own expressions
                printf '| %s | %s | %s | %s | [%s](licences/%s) |\n' "$package" \
                    "$(dpkg-query -W -f '${Version}\n' "$package" | head -n 1)" \
                    "$(dpkg-query -W -f '${source:Package} ${source:Version}\n' "$package" | head -n 1)" \
                    "$files" "$(licences_of "$copyright")" "$package"
            done
    } >"$folder/BUNDLED.md"
    chmod 644 "$folder/BUNDLED.md"
}

case ${1:-} in
libraries | notices)
    command -v dpkg-query >/dev/null || die 'needs the Debian packages that the libraries come from'
    "$@"
    ;;
*) echo "usage: scripts/bundle.sh libraries PROGRAM… | notices FOLDER TITLE FILE…" >&2 && exit 64 ;;
esac
