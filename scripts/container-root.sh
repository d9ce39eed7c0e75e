#!/usr/bin/env bash
# Fill ROOT with the whole content of the container image: the program as `make install` installs it, a shell, the libraries of both,
# a UTF-8 locale, and notices of the bundled packages.   usage: [BUILD=build] scripts/container-root.sh ROOT
# ROOT has no symbolic links, and file times do not matter: the builder that copies it keeps neither.
set -euo pipefail
cd "$(dirname "$0")/.."

root=${1:?usage: scripts/container-root.sh ROOT}
[[ ! -e $root ]] || { echo "'$root' exists already" >&2 && exit 73; }
umask 022
program=$root/usr/local/bin/neuro-preprocess
shell=$(readlink -f "$(command -v bash)")
certificates=/etc/ssl/certs/ca-certificates.crt

mkdir -p "$root"/{bin,etc,proc,sys,dev,root,home,run,mnt,usr/lib/locale,var}
mkdir -m 1777 "$root/tmp" "$root/var/tmp"
make --no-print-directory -s BUILD="${BUILD:-build}" DESTDIR="$root" PREFIX=/usr/local install >/dev/null
strip --strip-debug "$program"

install -m 755 "$shell" "$root/bin/bash"
install -m 755 "$shell" "$root/bin/sh" # identical files share their space in the image
bundled=("$shell")

# Put all libraries into the folder that the loader searches first, and the loader where programs expect it.
listed=$(scripts/bundle.sh libraries "$program" "$shell")
library_dir=$(dirname "$(awk '$1 == "libc.so.6" { print $2 }' <<<"$listed")")
while read -r name path; do
    case $name in
    ld-linux*) target=$root$path ;;
    *) target=$root$library_dir/$name ;;
    esac
    install -D -m 755 "$(readlink -f "$path")" "$target"
    bundled+=("$path")
done <<<"$listed"

locale=$(find /usr/lib/locale -maxdepth 1 -iname 'C.utf*8' -print -quit)
[[ -n $locale ]] || { echo "no C.UTF-8 locale in /usr/lib/locale: install libc-bin" >&2 && exit 1; }
cp -rL --no-preserve=all "$locale" "$root/usr/lib/locale/"
bundled+=("$locale/LC_CTYPE")

# TLS needs the certificates of trusted authorities.
if grep -qE '^lib(ssl|gnutls|curl)' <<<"$listed"; then
    [[ -s $certificates ]] || { echo "$certificates is not there: install ca-certificates" >&2 && exit 1; }
    install -D -m 644 "$certificates" "$root$certificates"
    bundled+=(/usr/sbin/update-ca-certificates)
fi

cat >"$root/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/bin/bash
PASSWD
cat >"$root/etc/group" <<'GROUP'
root:x:0:
nogroup:x:65534:
GROUP
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
: >"$root/etc/hosts" # empty: Apptainer binds the host's file here
: >"$root/etc/resolv.conf"
: >"$root/etc/localtime"

scripts/bundle.sh notices "$root/usr/local/share/doc/neuro-preprocess" 'What this image bundles' "${bundled[@]}"
