#!/usr/bin/env bash
# Make the things that the packaging tests share, once and again when the program changes. Prints shell lines to be evaluated:
#   NP_DIR      folder that every user may enter; tests write to NP_DIR/work
#   NP_USER     an ordinary user: the caller, or for root a test user
#   NP_PROGRAM  the program, readable for that user         NP_SIF  the image of it
#   NP_DEMO     a BIDS dataset: 2 participants, 2 sessions each, no broken image, under a second per session
#   NP_VENV     a Python environment with nipoppy, boutiques and bids-validator-deno
# When root calls it, it makes a user, installs Apptainer, and opens /dev/fuse to all users; therefore root needs CI=true or
# NP_TEST_SYSTEM=1. Exit code 77: cannot run here; the last line gives the reason.
# usage: [BUILD=build] eval "$(scripts/packaging-env.sh)"      scripts/packaging-env.sh --remove    undo all of it
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
export BUILD=${BUILD:-build}

python_tools=(nipoppy==0.4.8 boutiques==0.5.33 bids-validator-deno==3.0.2 pytest==8.4.2)
test_user=np-tester
shared=${NP_PACKAGING_DIR:-/var/tmp/neuro-preprocess-packaging-$EUID}
dir=$shared/$(sha256sum <<<"$top $BUILD" | cut -c1-8)
user=$(id -un)
((EUID != 0)) || user=$test_user
umask 022

cannot() { echo "$*" >&2 && exit 77; }

# quietly LOG COMMAND…: write the output of COMMAND to LOG, and print it after a failure.
quietly()
{
    local log=$dir/$1.log
    shift
    "$@" >"$log" 2>&1 || { cat "$log" >&2 && return 1; }
}

as_user()
{
    if ((EUID == 0)); then runuser -u "$user" -- "$@"; else "$@"; fi
}

remove()
{
    rm -rf "$shared"
    ((EUID == 0)) || return 0
    userdel -r "$test_user" >/dev/null 2>&1 || true
    sed -i "/^$test_user:/d" /etc/subuid /etc/subgid
    scripts/install-apptainer.sh --remove
}

make_user()
{
    id "$test_user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$test_user"
    [[ ! -c /dev/fuse || $(stat -c %a /dev/fuse) == 666 ]] || chmod 666 /dev/fuse
    install -d -o "$test_user" "$dir/work"
}

# Not the first python3 on PATH: it may lie in a folder that an ordinary user cannot enter.
make_venv()
{
    local venv stamp
    venv=$shared/venv stamp=$venv/asked-for
    [[ $(cat "$stamp" 2>/dev/null) == "${python_tools[*]}" ]] && return
    rm -rf "$venv"
    quietly venv /usr/bin/python3 -m venv "$venv"
    quietly venv "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input "${python_tools[@]}"
    quietly venv /usr/bin/python3 -m compileall -q "$venv/lib"
    echo "${python_tools[*]}" >"$stamp"
}

make_program()
{
    [[ -x $BUILD/neuro-preprocess ]] || quietly program make --no-print-directory -s -j"$(nproc)" BUILD="$BUILD" all
    cmp -s "$BUILD/neuro-preprocess" "$dir/neuro-preprocess" && return
    rm -rf "$dir/demo" "$dir/demo-truth" # made by another program
    install -m 755 "$BUILD/neuro-preprocess" "$dir/neuro-preprocess.new"
    mv "$dir/neuro-preprocess.new" "$dir/neuro-preprocess"
}

# demo-data breaks one image on purpose; here all images are valid, and T1w only, which is quick.
make_demo()
{
    local broken
    [[ ! -d $dir/demo ]] || return 0
    rm -rf "$dir"/demo.new*
    quietly demo "$dir/neuro-preprocess" demo-data "$dir/demo.new" --participants 2 --sessions 2 --size 3 --random-seed 1
    broken=$(sed -n 's/^broken on purpose: //p' "$dir/demo.log")
    cp "$dir/demo.new/sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz" "$dir/demo.new/$broken"
    find "$dir/demo.new" \( -name '*_T2w.*' -o -name '*_FLAIR.*' \) -delete
    rm -rf "$dir/demo.new-truth"
    mv "$dir/demo.new" "$dir/demo"
}

make_image()
{
    local made_of
    made_of=$(cat "$dir/neuro-preprocess" apptainer/parts/*.def scripts/*container*.sh scripts/bundle.sh scripts/late-libraries.txt | sha256sum)
    [[ -s $dir/neuro-preprocess.sif && $(cat "$dir/sif.made-of" 2>/dev/null) == "$made_of" ]] && return
    quietly image scripts/build-container.sh host "$dir/neuro-preprocess.sif"
    chmod 644 "$dir/neuro-preprocess.sif"
    echo "$made_of" >"$dir/sif.made-of"
}

[[ ${1:-} != --remove ]] || { remove && exit; }
if ((EUID == 0)); then
    [[ ${CI:-} == true || ${NP_TEST_SYSTEM:-} == 1 ]] ||
        cannot "needs an ordinary user and Apptainer: with NP_TEST_SYSTEM=1 the tests make a user '$test_user' and install what is missing"
fi

mkdir -p "$dir/work"
exec 9>"$shared/lock"
flock 9
scripts/install-apptainer.sh >/dev/null || exit
((EUID != 0)) || make_user
make_venv & # downloads run in parallel with the build
make_program
make_demo
make_image
wait $! || exit
as_user test -r "$dir/neuro-preprocess.sif" -a -x "$shared/venv/bin/bosh" || {
    echo "'$shared' cannot be read by $user: set NP_PACKAGING_DIR to a folder that it can enter" >&2
    exit 1
}

cat <<ENVIRONMENT
export NP_DIR=$dir
export NP_USER=$user
export NP_PROGRAM=$dir/neuro-preprocess
export NP_SIF=$dir/neuro-preprocess.sif
export NP_DEMO=$dir/demo
export NP_VENV=$shared/venv
ENVIRONMENT
