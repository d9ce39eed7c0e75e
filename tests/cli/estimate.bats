#!/usr/bin/env bats
# What estimate promises. Of disk and inodes: what a run takes is at most what was said, and what was said at most half as much again; of memory,
# about a third. Real heads where NP_DATA names a folder of images. Disk is counted as du counts it, in blocks: files and folders, records
# and telemetry.
load helper

setup()
{
    BIDS=$BATS_TEST_TMPDIR/bids OUT=$BATS_TEST_TMPDIR/out
}
teardown() { unmount_all; }

# between WHAT TAKEN SAID MOST: TAKEN <= SAID <= MOST * TAKEN.
between()
{
    awk -v taken="$2" -v said="$3" -v most="$4" 'BEGIN { exit !(taken > 0 && taken <= said && said <= most * taken) }' ||
        fail "$1: $2 were taken, $3 were said, expected at most $4 times as many"
}

du_bytes() { du -s --block-size=1 "$1" | cut -f 1; }
inodes_below() { find "$1" | wc -l; }
# The largest resident size of any stage.
peak_bytes() { find "$1/logs" -name '*_status.json' -exec jq '.files[].stages[].peak_rss_bytes // 0' {} + | sort -n | tail -n 1; }

# promise_holds OPTION…: a run over $BIDS takes what estimate says of it.
promise_holds()
{
    local said
    rm -rf "$OUT"
    said=$(neuro-preprocess estimate "$BIDS" --omp-nthreads 2 "$@" --format json)
    neuro-preprocess "$BIDS" "$OUT" participant --quiet --nprocs 2 --omp-nthreads 2 "$@"
    between "disk, $*" "$(du_bytes "$OUT")" "$(jq .total.disk_bytes <<<"$said")" 1.5
    between "inodes, $*" "$(inodes_below "$OUT")" "$(jq .total.inodes <<<"$said")" 1.5
    # A sanitizer takes memory of its own.
    [[ $VARIANT != release ]] || between "memory, $*" "$(peak_bytes "$OUT")" "$(jq .largest.memory_bytes <<<"$said")" "${MOST_MEMORY:-1.3}"
}

# disk_holds KIND OPTION…: a run over this kind of head takes what estimate says of it, estimated from a packed file and from a plain one.
disk_holds()
{
    local kind=$1 form said
    shift
    rm -rf "$OUT"
    neuro-preprocess "$HEADS/$kind/packed" "$OUT" participant --quiet --nprocs 2 "$@"
    for form in packed plain; do
        said=$(neuro-preprocess estimate "$HEADS/$kind/$form" "$@" --format json)
        between "disk, $kind, $form, $*" "$(du_bytes "$OUT")" "$(jq .total.disk_bytes <<<"$said")" 1.5
    done
}

# one_head FILE: $BIDS holds this image alone, its suffix kept.
one_head()
{
    local suffix=${1%.gz} extension=${1#"${1%.nii*}"}
    suffix=${suffix%.nii} suffix=${suffix##*_}
    rm -rf "$BIDS"
    mkdir -p "$BIDS/sub-01/anat"
    echo '{"Name": "One head", "BIDSVersion": "1.11.1"}' >"$BIDS/dataset_description.json"
    cp "$1" "$BIDS/sub-01/anat/sub-01_$suffix$extension"
    chmod u+w "$BIDS/sub-01/anat"/*
}

@test "a session of several images takes what was said, with and without each output" {
    neuro-preprocess demo-data "$BIDS" --participants 1 --sessions 1 --size 3 >/dev/null
    for options in '' '--save-bias-field --save-brain' '--save-brain --output-datatype int16' '--normalize none' '--bias-correction none' '--level minimal --no-telemetry'; do
        # shellcheck disable=SC2086
        promise_holds $options
    done
}

@test "many small sessions take what was said" {
    make_dataset "$BIDS" 01/1 01/2 02/1 02/2 03/1 03/2 04 05 06 07
    MOST_MEMORY=1.4 promise_holds
}

# make_heads: the kinds of make_heads.py, in $HEADS.
make_heads()
{
    neuro-preprocess demo-data "$BATS_TEST_TMPDIR/demo" --participants 1 --sessions 1 --size 2 >/dev/null
    HEADS=$BATS_TEST_TMPDIR/heads
    "$PYTHON" "$TOP/tests/cli/make_heads.py" "$BATS_TEST_TMPDIR/demo/sub-01/anat/sub-01_T1w.nii.gz" "$HEADS"
}

# cohort_of N: $BIDS holds N sessions, two of each participant, links to one head of 6 mm.
cohort_of()
{
    local i folder tiny=$BATS_TEST_TMPDIR/tiny
    neuro-preprocess demo-data "$tiny" --participants 1 --sessions 1 --size 6 >/dev/null
    mkdir -p "$BIDS"
    cp "$tiny/dataset_description.json" "$BIDS"
    for ((i = 0; i < $1; i++)); do
        printf -v folder '%s/sub-%04d/ses-%d/anat' "$BIDS" $((i / 2)) $((i % 2))
        echo "$folder"
    done | xargs mkdir -p
    for folder in "$BIDS"/sub-*/ses-*/anat; do
        i=${folder#"$BIDS"/} i=${i%/anat}
        echo "$folder/${i/\//_}_T1w.nii.gz"
    done | xargs -n 1 ln "$tiny/sub-01/anat/sub-01_T1w.nii.gz"
}

# `make check-cohort` asks for 2000.
@test "a cohort of tiny sessions takes what the plan, estimate and doctor say" {
    local n=${NP_TEST_SESSIONS:-200} quick=(--bias-correction none --skull-strip skip) said
    cohort_of "$n"
    said=$(neuro-preprocess estimate "$BIDS" "${quick[@]}" --format json)
    equal "$(neuro-preprocess "$BIDS" "$OUT" participant "${quick[@]}" --dry-run --format json | jq -c '[.disk_need_bytes, .inodes_need]')" \
        "$(jq -c '.total | [.disk_bytes, .inodes]' <<<"$said")"
    contains "$(neuro-preprocess doctor "$BIDS" "$OUT" "${quick[@]}")" \
        "$n sessions need about $(jq '.total.disk_bytes / 1048576 | ceil' <<<"$said") MiB, $(jq .total.inodes <<<"$said") inodes"
    neuro-preprocess "$BIDS" "$OUT" participant --quiet "${quick[@]}"
    equal "$(find "$OUT/logs" -name '*_complete.json' | wc -l)" "$n" 'complete sessions'
    between 'disk' "$(du_bytes "$OUT")" "$(jq .total.disk_bytes <<<"$said")" 1.5
    between 'bytes of files and folders' "$(du -s --apparent-size --block-size=1 "$OUT" | cut -f 1)" "$(jq .total.disk_bytes <<<"$said")" 1.6
    between 'inodes' "$(inodes_below "$OUT")" "$(jq .total.inodes <<<"$said")" 1.5
}

@test "whatever the air is, disk takes what was said" {
    make_heads
    for kind in noisy faint defaced; do
        disk_holds "$kind" --skull-strip skip
        disk_holds "$kind" --bias-correction none
    done
    disk_holds faint --skull-strip skip --bias-correction none --normalize percentile
    disk_holds faint --skull-strip skip --save-bias-field
    disk_holds defaced --normalize none --output-datatype int16 --save-brain
}

@test "whatever the voxels are, disk takes what was said" {
    make_heads
    for kind in floats scaled; do
        disk_holds "$kind" --normalize percentile
        disk_holds "$kind" --bias-correction none --level minimal
        disk_holds "$kind" --bias-correction none --level minimal --output-datatype int16
        disk_holds "$kind" --skull-strip skip --bias-correction none --save-bias-field
    done
}

@test "files outside a dataset take what the plan says" {
    for options in '' '--skull-strip skip --bias-correction none' '--level minimal --save-bias-field'; do
        rm -rf "$OUT"
        # shellcheck disable=SC2086
        plan=$(neuro-preprocess process "$(head_image)" -o "$OUT" $options --dry-run --format json)
        # shellcheck disable=SC2086
        neuro-preprocess process "$(head_image)" -o "$OUT" $options --quiet
        between "disk, process, $options" "$(du_bytes "$OUT")" "$(jq .disk_need_bytes <<<"$plan")" 1.5
        between "inodes, process, $options" "$(inodes_below "$OUT")" "$(jq .inodes_need <<<"$plan")" 1.5
    done
}

@test "a larger head takes what was said, packed and plain, as whole numbers and as floats" {
    neuro-preprocess demo-data "$BATS_TEST_TMPDIR/demo" --participants 1 --sessions 1 --size 1.2 >/dev/null
    head=$BATS_TEST_TMPDIR/demo/sub-01/anat/sub-01_T1w.nii.gz
    one_head "$head"
    promise_holds --save-bias-field
    gunzip "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    promise_holds
}

@test "real heads take what was said" {
    [[ -n ${NP_DATA:-} ]] || skip 'NP_DATA names no folder of heads'
    for head in "$NP_DATA"/*_{T1w,T2w,FLAIR}.nii.gz; do
        [[ -f $head ]] || continue
        one_head "$head"
        MOST_MEMORY=1.35 promise_holds || fail "$head"
        MOST_MEMORY=1.45 promise_holds --save-bias-field --level minimal || fail "$head"
        MOST_MEMORY=1.45 promise_holds --skull-strip skip || fail "$head"
        MOST_MEMORY=1.6 promise_holds --bias-correction none || fail "$head"
    done
}

@test "the plan, estimate and doctor say the same" {
    make_dataset "$BIDS" 01/1 01/2
    mkdir -p "$BIDS/sub-02/anat" # a session without images has a record too
    for options in '' '--save-bias-field --no-telemetry' '--level minimal --save-brain'; do
        # shellcheck disable=SC2086
        said=$(neuro-preprocess estimate "$BIDS" $options --omp-nthreads 1 --format json)
        # shellcheck disable=SC2086
        plan=$(neuro-preprocess "$BIDS" "$OUT" participant $options --omp-nthreads 1 --dry-run --format json)
        # shellcheck disable=SC2086
        doctor=$(neuro-preprocess doctor "$BIDS" "$OUT" $options --omp-nthreads 1)
        equal "$(jq .disk_need_bytes <<<"$plan")" "$(jq .total.disk_bytes <<<"$said")"
        equal "$(jq .inodes_need <<<"$plan")" "$(jq .total.inodes <<<"$said")"
        equal "$(jq '[.plan[].files[].memory_bytes] | max' <<<"$plan")" "$(jq .largest.memory_bytes <<<"$said")"
        contains "$doctor" "3 sessions need about $(jq '.total.disk_bytes / 1048576 | ceil' <<<"$said") MiB, $(jq .total.inodes <<<"$said") inodes"
    done
}

@test "a disk that is too small is refused before any work, in words that say how much" {
    neuro-preprocess demo-data "$BIDS" --participants 1 --sessions 1 --size 2.5 >/dev/null
    need=$(neuro-preprocess estimate "$BIDS" --save-bias-field --format json | jq '.total.disk_bytes / 1048576 | floor + 1')
    mount_tmpfs "$BATS_TEST_TMPDIR/small" "size=$((need * 2 / 3))m"
    mount_tmpfs "$BATS_TEST_TMPDIR/enough" "size=${need}m"
    run -74 --separate-stderr neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/small/out" participant --save-bias-field
    contains "$stderr" "about $need MiB are needed"
    contains "$stderr" "are free at '"
    contains "$stderr" "make room, choose another OUTPUT_DIR, or select fewer sessions"
    [[ ! -e $BATS_TEST_TMPDIR/small/out ]] || no_images "$BATS_TEST_TMPDIR/small/out"
    run -74 neuro-preprocess doctor "$BIDS" "$BATS_TEST_TMPDIR/small/out" --save-bias-field
    run -0 neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/enough/out" participant --save-bias-field
}
