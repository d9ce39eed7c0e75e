#!/usr/bin/env bash
# Install Apptainer for the tests, when this machine has none. If the Debian release has the package, install it. Otherwise unpack
# the package of Debian's unstable suite with its own C library into one folder (default /opt/neuro-preprocess-apptainer) with a link
# in /usr/local/bin; the system's packages and apt settings do not change.
# This changes the system, so it runs only with CI=true or NP_TEST_SYSTEM=1 (exit code 77: cannot run here).
# usage: scripts/install-apptainer.sh [--remove]
set -euo pipefail

prefix=${NP_APPTAINER_PREFIX:-/opt/neuro-preprocess-apptainer}
link=/usr/local/bin/apptainer
export DEBIAN_FRONTEND=noninteractive

cannot() { echo "$*" >&2 && exit 77; }

remove()
{
    [[ $(readlink "$link" 2>/dev/null) != "$prefix"/* ]] || rm -f "$link"
    rm -rf "$prefix"
}

[[ ${1:-} == --remove ]] || ! apptainer --version >/dev/null 2>&1 || exit 0
[[ ${CI:-} == true || ${NP_TEST_SYSTEM:-} == 1 ]] ||
    cannot 'Apptainer is not there; with NP_TEST_SYSTEM=1 (as root) the tests may install it'
((EUID == 0)) || cannot 'installing Apptainer needs root'
[[ ${1:-} != --remove ]] || { remove && exit; }
command -v apt-get >/dev/null || cannot 'Apptainer is not there, and this is no Debian to install it from'

quietly()
{
    local log
    log=$(mktemp)
    "$@" >"$log" 2>&1 || { cat "$log" >&2 && rm -f "$log" && return 1; }
    rm -f "$log"
}

# Programs that it calls at run time, from this release. patchelf links the two unpacked programs with their own C library.
helpers=(ca-certificates e2fsprogs fakeroot fuse-overlayfs fuse2fs libseccomp2 libsqlite3-0 patchelf squashfs-tools squashfuse uidmap)
quietly apt-get update
quietly apt-get install --yes --no-install-recommends "${helpers[@]}"
if apt-cache show apptainer >/dev/null 2>&1; then
    quietly apt-get install --yes --no-install-recommends apptainer
    exit
fi

# shellcheck disable=SC2016 # apt's own expression
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main' | head -n 1)
[[ -n $mirror ]] || cannot 'apt has no Debian mirror configured'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/apptainer" "$prefix/glibc"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$work/sources.list"

# apt with separate settings: it neither reads nor writes the state of the system's apt.
apart=(-q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/lists"
    -o Dir::State::Status=/dev/null -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache= -o Acquire::Languages=none
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User=root)
quietly apt-get "${apart[@]}" update
(cd "$work" && quietly apt-get "${apart[@]}" download apptainer libc6)

remove
mkdir -p "$prefix/glibc"
dpkg -x "$work"/apptainer_*.deb "$work/apptainer"
dpkg -x "$work"/libc6_*.deb "$prefix/glibc"
cp -a "$work/apptainer/usr/." "$prefix/" # it finds its other parts relative to its own path
cp -a "$work/apptainer/etc" "$prefix/"
loader=$(find "$prefix/glibc/usr/lib" -name 'ld-linux*.so.*' -print -quit)
starter=$(find "$prefix/lib" -path '*/apptainer/bin/starter' -print -quit)
for program in "$prefix/bin/apptainer" "$starter"; do
    # DT_RPATH, not RUNPATH: it holds for the libraries' libraries as well.
    patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$(dirname "$loader")" "$program"
done
mkdir -p "$prefix/var/lib/apptainer/mnt/session"
for folder in bin etc lib var; do ln -s "../$folder" "$prefix/lib/$folder"; done # the starter, a folder deeper, looks there
ln -sfn "$prefix/bin/apptainer" "$link"
apptainer --version
