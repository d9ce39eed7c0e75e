# shellcheck shell=bash
# For every bats file: `load helper`. Gives the program on PATH, a small synthetic head and datasets made of it, and the
# questions that tests ask of an output folder.
bats_require_minimum_version 1.5.0

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$TOP/$BUILD
VARIANT=${VARIANT:-release}
PROGRAM_DIR=$BUILD
[[ $VARIANT == release ]] || PROGRAM_DIR=$BUILD/$VARIANT
PROGRAM=$PROGRAM_DIR/neuro-preprocess
PATH=$PROGRAM_DIR:$PATH
FIXTURE=$BUILD/check-$VARIANT/fixture
PYTHON=/usr/bin/python3
VALIDATOR_VERSION=3.0.2

# What a scheduler or a collector set for us must not reach the tests.
unset "${!OTEL_@}" "${!SLURM_@}" "${!NEURO_PREPROCESS_@}" TRACEPARENT OMP_NUM_THREADS GLIBC_TUNABLES
umask 022

# make_once NAME COMMAND…: run COMMAND… with a fresh folder as last argument, once for all files and processes; print the folder.
make_once()
{
    local name=$1 folder=$FIXTURE/$1
    shift
    mkdir -p "$FIXTURE"
    (
        flock 9
        [[ -d $folder ]] && exit
        rm -rf "$folder.partial"
        "$@" "$folder.partial" >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
        mv "$folder.partial" "$folder"
    ) 9>"$FIXTURE/$name.lock" || return
    echo "$folder"
}

# The demo dataset: 2 participants, 1 session each, 3 mm voxels.
demo_dataset() { make_once demo neuro-preprocess demo-data --participants 2 --sessions 1 --size 3 --random-seed 1; }

# One T1w of it (3 mm: a session takes well under a second).
head_image()
{
    local demo
    demo=$(demo_dataset) || return
    find "$demo" -name '*_T1w.nii.gz' -path '*sub-*' | LC_ALL=C sort | head -n 1
}

# make_dataset DIR SESSION…: a BIDS dataset whose sessions all hold that head; SESSION is "01" or "01/1".
make_dataset()
{
    local dir=$1 head session sub ses
    shift
    head=$(head_image) || return
    mkdir -p "$dir"
    echo '{"Name": "Small heads", "BIDSVersion": "1.11.1", "DatasetType": "raw"}' >"$dir/dataset_description.json"
    echo 'Synthetic heads.' >"$dir/README"
    echo '{"MagneticFieldStrength": 3, "RepetitionTime": 2.3}' >"$dir/T1w.json"
    for session; do
        sub=sub-${session%%/*} ses=
        [[ $session == */* ]] && ses=ses-${session#*/}
        mkdir -p "$dir/$sub${ses:+/$ses}/anat"
        cp "$head" "$dir/$sub${ses:+/$ses}/anat/$sub${ses:+_$ses}_T1w.nii.gz"
    done
}

# Two sessions, preprocessed once; to be looked at, not changed. OUTPUT of them: $(made)/out.
make_two()
{
    make_dataset "$1/bids" 01 02/1 && neuro-preprocess "$1/bids" "$1/out" participant --save-bias-field
}
made() { make_once two make_two; }

# The bytes of everything that must not depend on time, host or threads: paths and hashes outside logs/ and pages.
fingerprint()
{
    (cd "$1" && find . -path ./logs -prune -o -type f ! -name '*.html' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

# status OUT SESSION [JQ_FILTER]: a session's record; SESSION is "01" or "01/1".
status_path()
{
    local sub=sub-${2%%/*} ses=
    [[ $2 == */* ]] && ses=_ses-${2#*/}
    echo "$1/logs/$sub/$sub${ses}_status.json"
}
record() { jq -r "${3:-.}" "$(status_path "$1" "$2")"; }
running_stage() { record "$1" "$2" '[.files[].stages[] | select(.state == "running").name][0] // ""' 2>/dev/null; }

# wait_until SECONDS CONDITION: until the condition, one word that bash reads or a command of several, holds.
wait_until()
{
    local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until if (($# > 1)); then "$@"; else eval "$1"; fi >/dev/null 2>&1; do
        ((${EPOCHREALTIME/[.,]/} < deadline)) || { fail "not within the time: $*"; return 1; }
        sleep 0.02
    done
}

# Assertions: each says what it found.
fail() { printf '%s\n' "$*" >&2; return 1; }
equal() { [[ $1 == "$2" ]] || fail "found '$1', expected '$2'${3:+ ($3)}"; }
contains() { [[ $1 == *"$2"* ]] || fail "found '$1', expected it to contain '$2'"; }
lacks() { [[ $1 != *"$2"* ]] || fail "found '$1', expected it not to contain '$2'"; }
state_is() { equal "$(record "$1" "$2" .state)" "$3" "state of sub-$2"; }

complete()
{
    local sub=sub-${2%%/*} ses=unnamed
    [[ $2 == */* ]] && ses=${2#*/}
    state_is "$1" "$2" success
    [[ -f $1/logs/$sub/${sub}_ses-$ses"_complete.json" ]] || fail "sub-$2 has no completion record"
}

no_images() { equal "$(find "$1" -name '*.nii*' 2>/dev/null)" '' 'images'; }
no_leftovers()
{
    local left
    [[ -e $1 ]] || return 0
    left=$(find "$1" \( -name '.*.tmp' -o -name '.*.lock' \) -print)
    [[ -z $left ]] || fail "left behind: $left"
}

# The message of a failed run: its last line on stderr ($stderr is set by run --separate-stderr).
last_line() { tail -n 1 <<<"$stderr"; }

# A tool that the tests need; without it the test is skipped, under CI it fails.
needs()
{
    command -v "$1" >/dev/null && return
    [[ ${CI:-} != true ]] || { fail "'$1' is missing"; exit 1; }
    skip "needs $1"
}

# Things that need root (mounts, other users).
needs_root()
{
    ((EUID == 0)) && return
    [[ ${CI:-} != true ]] || { fail 'needs root'; exit 1; }
    skip 'needs root'
}

# Run as an ordinary user; the program and its folders must be reachable for it.
as_nobody()
{
    cp "$PROGRAM" "$BATS_TEST_TMPDIR/neuro-preprocess"
    local dir=$BATS_TEST_TMPDIR
    while [[ $dir != / && $dir != /tmp ]]; do
        chmod a+rx "$dir"
        dir=$(dirname "$dir")
    done
    shift
    (cd / && setpriv --reuid 65534 --regid 65534 --clear-groups "$BATS_TEST_TMPDIR/neuro-preprocess" "$@")
}

# A tmpfs on DIR with mount options; skipped where mounting is not allowed. Unmounted by unmount_all (call it in teardown).
mount_tmpfs()
{
    needs_root
    mkdir -p "$1"
    mount -t tmpfs -o "$2" tmpfs "$1" 2>/dev/null || skip 'mounting a tmpfs is not allowed here'
    echo "$1" >>"$BATS_TEST_TMPDIR/mounts"
}
unmount_all()
{
    [[ -f $BATS_TEST_TMPDIR/mounts ]] || return 0
    while read -r dir; do umount -l "$dir"; done <"$BATS_TEST_TMPDIR/mounts"
}

# Path of the BIDS validator, installed on first use into the user's cache.
validator()
{
    "$TOP/scripts/python-tools.sh" "bids-validator-deno==$VALIDATOR_VERSION" 2>&1 | tail -n 1 | sed 's,$,/bids-validator-deno,'
}
