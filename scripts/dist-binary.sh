#!/usr/bin/env bash
# Make an archive of the program and its libraries that can be unpacked anywhere: for machines without a compiler, without root
# and without Apptainer. Only the C library is the machine's own.   usage: [BUILD=build] scripts/dist-binary.sh PROGRAM ARCHIVE.tar.gz
# PROGRAM looks for libraries in ../lib beside its own folder (`make dist-binary` links it so).
set -euo pipefail
cd "$(dirname "$0")/.."

program=${1:?usage: scripts/dist-binary.sh PROGRAM ARCHIVE.tar.gz} archive=${2:?}
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=$(basename "$archive" .tar.gz)
top=$work/$name

make --no-print-directory -s BUILD="${BUILD:-build}" DESTDIR="$work" PREFIX="/$name" install >/dev/null
install -m 755 "$program" "$top/bin/neuro-preprocess"
strip --strip-debug "$top/bin/neuro-preprocess"

bundled=()
mkdir "$top/lib"
while read -r library path; do
    case $library in # all parts of the C library must have the same version
    ld-linux* | lib[cm].so.6 | lib{dl,pthread,resolv,rt,util,anl,mvec}.so.*) continue ;;
    esac
    install -m 755 "$(readlink -f "$path")" "$top/lib/$library"
    bundled+=("$path")
done < <(scripts/bundle.sh libraries "$program")
scripts/bundle.sh notices "$top/share/doc/neuro-preprocess" 'What this archive bundles' "${bundled[@]}"

# The newest version of the C library that one of the files needs.
needs=$(objdump -T "$top/bin/neuro-preprocess" "$top"/lib/* | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
cat >"$top/INSTALL" <<INSTALL
neuro-preprocess for Linux on ${name##*-}, with the libraries it needs. It needs a C library of at least glibc ${needs#GLIBC_}.

Nothing is to be installed: unpack it anywhere and start bin/neuro-preprocess. To have it at hand:

    export PATH="\$PWD/bin:\$PATH" MANPATH="\$PWD/share/man:"

Keep bin and lib beside each other. What is bundled, and under which licences: share/doc/neuro-preprocess/BUNDLED.md.
INSTALL
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -c "$name" | gzip -9n >"$archive"
