#!/usr/bin/env bats
# Bad input: each case has one outcome, one sentence and one exit code, and harms nobody else.
load helper

make_all_bad()
{
    mkdir -p "$1"
    "$PYTHON" "$TOP/tests/cli/make_bad.py" "$(head_image)" "$1/bids"
    neuro-preprocess "$1/bids" "$1/out" participant >"$1/stdout" 2>"$1/stderr"
    echo $? >"$1/status"
}

setup_file()
{
    BAD=$(make_once bad_images make_all_bad)
    export BAD
}

setup() { OUT=$BATS_TEST_TMPDIR/out BIDS=$BATS_TEST_TMPDIR/bids; }
teardown() { unmount_all; }

# bad LABEL CODE WORD…: in the run over all: a failed record with that code, a sentence that names the file and has the words,
# advice, no image. In a run of it alone: that exit code, and a last line on stderr that names the file, once.
bad()
{
    local label=$1 code=$2 all=$BAD/out word
    shift 2
    state_is "$all" "$label" failed
    equal "$(record "$all" "$label" .failure.code)" "$code" "$(record "$all" "$label" .failure.sentence)"
    sentence=$(record "$all" "$label" .failure.sentence)
    for word in "sub-${label}_T1w.nii.gz" "$@"; do
        grep -qiF -e "$word" <<<"$sentence" || fail "no '$word' in: $sentence"
    done
    [[ -n $(record "$all" "$label" '.failure.hint // ""') ]] || fail 'no hint'
    [[ ! -e $all/logs/sub-$label/sub-${label}_ses-unnamed_complete.json ]]
    [[ ! -d $all/sub-$label ]] || no_images "$all/sub-$label"

    run --separate-stderr neuro-preprocess "$BAD/bids" "$OUT" participant --participant-label "$label"
    equal "$status" "$code" "$stderr"
    contains "$(last_line)" "sub-${label}_T1w.nii.gz"
    equal "$(grep -c "sub-${label}_T1w.nii.gz" <<<"$stderr")" 1 "lines that name the file: $stderr"
    no_images "$OUT"
    no_leftovers "$OUT"
}

@test "all good sessions beside the bad ones are complete, and the run ends with 1" {
    equal "$(cat "$BAD/status")" 1
    for label in good fewnan fewlarge brokenjson slopenan slopeinf mirrored apart scaled code; do complete "$BAD/out" $label; done
    no_leftovers "$BAD/out"
}

@test "each failed session has one line on stdout; stderr has one line a reason, and names where all are" {
    for label in $(cd "$BAD/bids" && echo sub-*); do
        [[ $label =~ ^sub-(good|fewnan|fewlarge|brokenjson|slopenan|slopeinf|mirrored|apart|scaled|code)$ ]] && continue
        equal "$(grep -c "${label}_T1w.nii.gz'" "$BAD/stdout")" 1 "lines that name $label"
    done
    n_reasons=$(for status in "$BAD"/out/logs/sub-*/*_status.json; do
        jq -r 'select(.failure.code) | "\(.failure.code) \(.failure.stage)"' "$status"
    done | sort -u | wc -l)
    equal "$(wc -l <"$BAD/stderr")" "$n_reasons"
    equal "$(grep -c 'What to do: ' "$BAD/stderr")" "$n_reasons"
    contains "$(tail -n 1 "$BAD/stderr")" "/out' --failed"
}

@test "a truncated gzip file" { bad truncated 65 truncated; }
@test "a gzip file with a flipped bit" { bad bitflip 65; }
@test "an empty file" { bad empty 65 empty; }
@test "a header without voxels" { bad headeronly 65 bytes; }
@test "half a header" { bad halfheader 65; }
@test "half of the voxels" { bad shortdata 65 cut; }
@test "random bytes" { bad random 65 NIfTI; }
@test "an HTML page" { bad html 65 HTML; }
@test "a gzipped HTML page" { bad gziphtml 65 HTML; }
@test "a DICOM file" { bad dicom 65 DICOM convert; }
@test "another magic" { bad magic 65; }
@test "a negative dimension" { bad dimnegative 65 -64; }
@test "a dimension of zero" { bad dimzero 65; }
@test "77 dimensions" { bad ndim 65 77; }
@test "dimensions whose product overflows" { bad dimoverflow 65; }
@test "dimensions that the file cannot hold" { bad dimclaim 65 'cannot hold'; }
@test "an unknown datatype" { bad datatype 65 9999; }
@test "complex voxels" { bad complex 65 complex; }
@test "RGB voxels" { bad rgb 65 RGB; }
@test "a slope with an infinite intercept" { bad interinf 65 slope intercept; }
@test "voxels that begin beyond the file's end" { bad offset 65; }
@test "a series instead of a volume" { bad series 65 2; }
@test "a single slice" { bad flat 65; }
@test "neither sform nor qform" { bad noform 65 sform qform; }
@test "a singular sform" { bad singular 65 sform; }
@test "an sform that is not finite" { bad nanform 65 sform; }
@test "10 % of the voxels not finite" { bad nonfinite 65 10; }
@test "10 % of the voxels too large for float32" { bad toolarge 65 '10.0 %' 'too large for 32-bit floats'; }
@test "all voxels zero" { bad zeros 65 zero; }
@test "all voxels the same" { bad constant 65 7; }
@test "a link to content that was not fetched" { bad annex 66 fetch; }

@test "a few voxels that are not finite become 0, are counted and warned of" {
    record "$BAD/out" fewnan . | jq -e '[.files[0].warnings[] | select(.key == "values-nonfinite" and (.sentence | test("finite")))] | length == 1' >/dev/null ||
        fail "$(record "$BAD/out" fewnan '.files[0].warnings')"
}

@test "a few voxels too large for float32 are said to be that" {
    equal "$(record "$BAD/out" fewlarge '.files[0].warnings[].sentence')" \
        "too large for 32-bit floats (beyond 3.4e38, scaled) and taken as 0: $(record "$BAD/out" fewlarge '.files[0].measures["validate_data.nonfinite"].value') voxels"
}

# contradicts LABEL WORD…: one warning in the record, the same in the sidecars, and these words in it; the image is complete.
contradicts()
{
    local label=$1 said word json
    shift
    said=$(record "$BAD/out" "$label" '.files[0].warnings[].sentence')
    equal "$(wc -l <<<"$said")" 1 "$said"
    equal "$(record "$BAD/out" "$label" '.files[0].warnings[].key')" header-mismatch
    for word; do contains "$said" "$word"; done
    for json in "$BAD/out/sub-$label/anat/"*_desc-{preproc_T1w,brain_mask}.json; do
        equal "$(jq -r '.HeaderWarnings[]' "$json")" "$said"
    done
}

@test "an sform and a qform that mirror each other are warned of with both orientations" {
    contradicts mirrored 'towards LAS by the sform (code 1), which is used, and towards RAS by the qform (code 1)'
    equal "$(jq 'has("HeaderWarnings")' "$BAD/out/sub-good/anat/sub-good_desc-preproc_T1w.json")" false
}
@test "an sform and a qform that are apart are warned of with both places" {
    contradicts apart 'up to 30.0 mm apart: voxel (0, 0, 0) lies at (' ') mm by the sform (code 1), which is used, and at ('
}
@test "an sform scaled unlike pixdim is warned of with both sizes" {
    contradicts scaled 'voxels are 2.7 x 2.7 x 2.7 mm by the sform, which is used, and 3 x 3 x 3 mm by pixdim: volumes are 0.729 times'
}
@test "an sform_code that no standard has is written as 2" {
    contradicts code 'found 77; outputs are written with 2 (aligned)'
    for image in "$BAD/out/sub-code/anat/"*.nii.gz; do
        equal "$(gzip -dc "$image" | od -An -td2 -j252 -N4 | xargs)" '2 2' "$image"
    done
}
@test "a slope that is NaN or infinite is no scaling" {
    contradicts slopenan 'found nan; the voxels are taken as stored, without scaling'
    contradicts slopeinf 'found -inf; the voxels are taken as stored, without scaling'
    for label in slopenan slopeinf; do
        for name in desc-preproc_T1w desc-norm_T1w desc-brain_mask; do
            equal "$(jq -r .VoxelSHA256 "$BAD/out/sub-$label/anat/sub-${label}_$name.json")" \
                "$(jq -r .VoxelSHA256 "$BAD/out/sub-good/anat/sub-good_$name.json")" "$label $name"
        done
    done
}

@test "a broken sidecar is warned of by name" {
    contains "$(record "$BAD/out" brokenjson '.files[0].warnings[] | "\(.key) \(.sentence)"')" "sidecar-unusable 'sub-brokenjson/anat/sub-brokenjson_T1w.json'"
}

@test "a missing dataset, a folder that is none, and a missing file are 66 and named" {
    mkdir "$BATS_TEST_TMPDIR/none"
    run -66 --separate-stderr neuro-preprocess "$BATS_TEST_TMPDIR/nowhere" "$OUT" participant
    contains "$(last_line)" nowhere
    run -66 --separate-stderr neuro-preprocess "$BATS_TEST_TMPDIR/none" "$OUT" participant
    contains "$(last_line)" none
    run -66 --separate-stderr neuro-preprocess process "$BATS_TEST_TMPDIR/nowhere.nii.gz" -o "$OUT"
    contains "$(last_line)" nowhere.nii.gz
    run -66 --separate-stderr neuro-preprocess batch "$BATS_TEST_TMPDIR/nowhere" -o "$OUT"
    contains "$(last_line)" "nowhere': expected a folder, found nothing of that name"
    run -66 --separate-stderr neuro-preprocess batch "$(head_image)" -o "$OUT"
    contains "$(last_line)" 'expected a folder, found a file'
}

@test "a dataset behind a closed folder is said to be that, not to be missing" {
    needs_root
    make_dataset "$BATS_TEST_TMPDIR/closed/bids" 01
    chmod 700 "$BATS_TEST_TMPDIR/closed"
    for call in "$BATS_TEST_TMPDIR/closed/bids $OUT participant" "batch $BATS_TEST_TMPDIR/closed/bids -o $OUT" "doctor $BATS_TEST_TMPDIR/closed/bids $OUT"; do
        # shellcheck disable=SC2086
        run -66 as_nobody neuro-preprocess $call
        contains "$output" 'Permission denied'
        lacks "$output" 'does not exist'
    done
}

@test "an unreadable image is 66 for an ordinary user" {
    needs_root
    make_dataset "$BIDS" 01 02
    chmod 755 "$BATS_TEST_TMPDIR" && chmod 000 "$BIDS/sub-02/anat/sub-02_T1w.nii.gz"
    mkdir -m 777 "$OUT"
    run --separate-stderr as_nobody neuro-preprocess "$BIDS" "$OUT" participant
    equal "$status" 1 "$stderr"
    complete "$OUT" 01
    equal "$(record "$OUT" 02 .failure.code)" 66
}

@test "a broken filter file is 78 and named; a missing one 66" {
    make_dataset "$BIDS" 01
    echo '{"t1w": {"reconstruction":' >"$BATS_TEST_TMPDIR/filter.json"
    run -78 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --bids-filter-file "$BATS_TEST_TMPDIR/filter.json"
    contains "$(last_line)" filter.json
    run --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --bids-filter-file "$BATS_TEST_TMPDIR/nowhere.json"
    [[ $status == 66 || $status == 78 ]] || fail "$status"
    contains "$(last_line)" nowhere.json
    [[ ! -e $OUT ]] || no_images "$OUT"
}

@test "an unknown label is 18; the message names it and the labels that exist" {
    make_dataset "$BIDS" 01 02
    run -18 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --participant-label 03
    contains "$stderr" 03
    contains "$stderr" 02
    [[ ! -e $OUT ]] || no_images "$OUT"
}

@test "output inside the input is 73, below derivatives/ it is fine" {
    make_dataset "$BIDS" 01
    before=$(find "$BIDS" | LC_ALL=C sort)
    for inside in "$BIDS" "$BIDS/out" "$BIDS/sub-01/out"; do
        run -73 --separate-stderr neuro-preprocess "$BIDS" "$inside" participant
        contains "$stderr" derivatives
    done
    ln -s "$BIDS" "$BATS_TEST_TMPDIR/link"
    run -73 neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/link/out" participant
    equal "$(find "$BIDS" | LC_ALL=C sort)" "$before"
    run -0 neuro-preprocess "$BIDS" "$BIDS/derivatives/neuro-preprocess" participant
    complete "$BIDS/derivatives/neuro-preprocess" 01
}

@test "an output folder that holds another dataset is refused and untouched" {
    make_dataset "$BIDS" 01
    make_dataset "$OUT" 09
    before=$(fingerprint "$OUT")
    run --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant
    [[ $status == 73 || $status == 78 ]] || fail "status $status: $stderr"
    equal "$(fingerprint "$OUT")" "$before"
}

@test "spaces, quotes and bytes that are no UTF-8 in paths" {
    odd=$BATS_TEST_TMPDIR/$'odd \'name\' \xff\xfe \xc3\xa9'
    mkdir "$odd"
    make_dataset "$odd/bids" 01
    run -0 neuro-preprocess "$odd/bids" "$odd/out" participant
    complete "$odd/out" 01
    iconv -f UTF-8 -t UTF-8 <<<"$output" >/dev/null
    for json in $(cd "$odd/out" && find . -name '*.json*'); do
        jq -es . "$odd/out/$json" >/dev/null || fail "$json is not JSON"
    done
}

@test "a read-only dataset is enough" {
    needs_root
    make_dataset "$BIDS" 01
    chmod -R a-w "$BIDS"
    mkdir -m 777 "$OUT"
    run -0 as_nobody neuro-preprocess "$BIDS" "$OUT" participant
    complete "$OUT" 01
    chmod -R u+w "$BIDS"
}

# named LENGTH: the path of an image whose name has so many bytes, ".nii.gz" included.
named()
{
    local path
    path=$BATS_TEST_TMPDIR/$(printf 'x%.0s' $(seq $(($1 - 7)))).nii.gz
    cp "$(head_image)" "$path"
    echo "$path"
}

@test "names as long as the file system takes are written; longer ones are refused before any work, for themselves alone" {
    # …_desc-brain_mask.nii.gz has 255 bytes
    run -0 neuro-preprocess process "$(named 239)" -o "$OUT"
    equal "$(find "$OUT" -name '*_desc-brain_mask.nii.gz' -printf %f | wc -c)" 255
    no_leftovers "$OUT"
    run -73 --separate-stderr neuro-preprocess process "$(named 240)" -o "$OUT.2"
    contains "$(last_line)" "'$(named 240)': its result would have a name of 256 bytes (it ends in '_desc-brain_mask.nii.gz'), the file system of the output allows 255 (cant-create at load_file)"
    no_images "$OUT.2"
    run -0 --separate-stderr neuro-preprocess process "$(named 240)" -o "$OUT.3" --dry-run --format json
    contains "$(jq -r '.sessions[].files[].refused' <<<"$output" 2>/dev/null || jq -r '.. | .refused? // empty' <<<"$output")" '256 bytes'
    run -73 --separate-stderr neuro-preprocess process "$(named 250)" -o "$OUT.4"
    contains "$(last_line)" 'its record would have a name of 257 bytes'
    [[ ! -e $OUT.4 ]]
    run -1 neuro-preprocess process "$(named 240)" "$(named 20)" -o "$OUT.5"
    equal "$(find "$OUT.5" -name '*_desc-brain_mask.nii.gz' -printf '%f\n')" "$(basename "$(named 20)" .nii.gz)_desc-brain_mask.nii.gz"
}

# limited LIMIT…: process an image under a limit (ulimit's options); sets $status, $output, $stderr.
limited()
{
    local image
    image=$(head_image)
    run --separate-stderr bash -c 'ulimit "${@:3}" && exec neuro-preprocess process "$1" -o "$2"' - "$image" "$OUT" "$@"
}

@test "a limit on the size of files is named" {
    limited -f 8
    equal "$status" 74 "$stderr"
    contains "$(last_line)" 'File too large: this process may write files of 8192 bytes (ulimit -f): raise it'
    no_images "$OUT"
}

@test "a limit on CPU time is named, where it stops a session and where the kernel kills it" {
    image=$(head_image)
    "$PYTHON" - "$image" "$BATS_TEST_TMPDIR/large.nii.gz" <<'EOF'
import gzip, struct, sys
import numpy
data = bytearray(gzip.open(sys.argv[1]).read())
n = struct.unpack_from("<3h", data, 42)
voxels = numpy.frombuffer(bytes(data[352:]), "<f4").reshape(n, order="F").repeat(2, 0).repeat(2, 1).repeat(2, 2)
struct.pack_into("<3h", data, 42, *voxels.shape)
rows = numpy.array(struct.unpack_from("<12f", data, 280)).reshape(3, 4)
rows[:, :3] /= 2
struct.pack_into("<12f", data, 280, *rows.ravel())
struct.pack_into("<3f", data, 80, 1.5, 1.5, 1.5)
gzip.open(sys.argv[2], "wb", 1).write(bytes(data[:352]) + voxels.tobytes(order="F"))
EOF
    run --separate-stderr bash -c 'ulimit -St 1 && exec neuro-preprocess process "$1" -o "$2" --nprocs 1' - "$BATS_TEST_TMPDIR/large.nii.gz" "$OUT"
    equal "$status" 152 "$stderr"
    contains "$output$stderr" 'stopped by signal 24 (the limit of CPU time, ulimit -t: raise it)'
    run --separate-stderr bash -c 'ulimit -t 1 && exec neuro-preprocess process "$1" -o "$2" --nprocs 1' - "$BATS_TEST_TMPDIR/large.nii.gz" "$OUT.2"
    contains "$output$stderr" 'when it had used its 1 s of CPU time (ulimit -t); raise the limit'
    lacks "$output$stderr" 'memory had reached'
    contains "$output$stderr" 'What to do: check the limits of memory and of CPU time (ulimit -t)'
}

@test "a small stack is raised; where it may not be, that is said, and nothing crashes" {
    limited -Ss 64
    equal "$status" 0 "$stderr"
    limited -s 64
    equal "$status" 69 "$stderr"
    contains "$stderr" 'the stack of this process is limited to 64 KiB (ulimit -s), expected at least 256 KiB. What to do: set it in this shell (ulimit -s 8192)'
    rm -rf "$OUT"
    limited -s 256
    equal "$status" 0 "$stderr"
}

@test "a full standard output is said to be that" {
    run -74 bash -c 'neuro-preprocess --help 2>&1 >/dev/full'
    contains "$output" 'standard output cannot be written'
    contains "$output" 'send standard output elsewhere'
    lacks "$output" 'where the output lies'
}

@test "an output folder that cannot be written is 73 before any work" {
    needs_root
    make_dataset "$BIDS" 01
    mkdir -m 755 "$BATS_TEST_TMPDIR/closed"
    run -73 --separate-stderr as_nobody neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/closed/out" participant
    contains "$(last_line)" closed
    contains "$(last_line)" 'Permission denied'
    run -73 as_nobody neuro-preprocess doctor "$BIDS" "$BATS_TEST_TMPDIR/closed/out"
    contains "$output" 'Permission denied'
}

@test "a read-only file system is 73 and said, by the run and by doctor; one without inodes is 74" {
    make_dataset "$BIDS" 01
    mount_tmpfs "$BATS_TEST_TMPDIR/fixed" ro
    run -73 --separate-stderr neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/fixed/out" participant
    contains "$(last_line)" 'Read-only file system'
    run -73 neuro-preprocess doctor "$BIDS" "$BATS_TEST_TMPDIR/fixed/out"
    contains "$output" 'nothing can be made in'
    contains "$output" '(Read-only file system)'
    mount_tmpfs "$BATS_TEST_TMPDIR/full" nr_inodes=1
    run -74 neuro-preprocess doctor "$BIDS" "$BATS_TEST_TMPDIR/full/out"
    contains "$output" '(No space left on device)'
    run -74 --separate-stderr neuro-preprocess idps "$(made)/out" -o "$BATS_TEST_TMPDIR/full/out"
    contains "$(last_line)" "cannot make the folder '$BATS_TEST_TMPDIR/full/out': No space left on device"
}

@test "too little space for the plan is 74 before any work" {
    make_dataset "$BIDS" 01 02
    mount_tmpfs "$BATS_TEST_TMPDIR/small" size=1m
    run -74 --separate-stderr neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/small/out" participant
    contains "$stderr" MiB
    [[ ! -e $BATS_TEST_TMPDIR/small/out ]] || no_images "$BATS_TEST_TMPDIR/small/out"
}

@test "a disk that fills while running is 74; nothing partial stays; after space the same command completes" {
    make_dataset "$BIDS" 01 02
    small=$BATS_TEST_TMPDIR/small
    mount_tmpfs "$small" size=60m
    neuro-preprocess "$BIDS" "$small/out" participant --parallel 2 --slow-stage normalization:3 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    until [[ -f $(status_path "$small/out" 02) ]]; do sleep 0.05; done
    # all but a few pages, so that records still fit and images do not
    head -c 100m /dev/zero >"$small/other" 2>/dev/null || true
    truncate -s -200k "$small/other"
    code=0
    wait $pid || code=$?
    equal $code 74 "$(cat "$BATS_TEST_TMPDIR/log")"
    contains "$(cat "$BATS_TEST_TMPDIR/log")" space
    no_leftovers "$small/out"
    no_images "$small/out"
    equal "$(record "$small/out" 01 .failure.code)" 74
    rm "$small/other"
    run -0 neuro-preprocess "$BIDS" "$small/out" participant --rerun all
    complete "$small/out" 01
    complete "$small/out" 02
}

@test "a full disk stops the run once, with 74; the rest is not started, and runs when there is room" {
    make_dataset "$BIDS" 01 02 03 04 05 06
    mount_tmpfs "$BATS_TEST_TMPDIR/small" size=64m
    OUT=$BATS_TEST_TMPDIR/small/out
    truncate -s 20000 "$BIDS/sub-02/anat/sub-02_T1w.nii.gz" # the first failure has another reason
    neuro-preprocess "$BIDS" "$OUT" participant --parallel 1 --slow-stage skull_strip:1 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    until [[ $(running_stage "$OUT" 03) == skull_strip ]]; do sleep 0.05; done
    dd if=/dev/zero of="$BATS_TEST_TMPDIR/small/filler" bs=64k 2>/dev/null || true # until there is no room
    code=0
    wait $pid || code=$?
    equal $code 74 "$(cat "$BATS_TEST_TMPDIR/log")"
    complete "$OUT" 01
    state_is "$OUT" 02 failed
    [[ ! -e $OUT/logs/sub-04 ]]
    log=$(cat "$BATS_TEST_TMPDIR/log")
    contains "$log" '3 not started'
    equal "$(grep -v telemetry <<<"$log" | grep -c 'No space left')" 2 "$log" # the session's line, and the summary's
    contains "$(grep 'What to do' <<<"$log" | tail -n 1)" 'No space left on device (io at write_output)'
    contains "$(grep 'What to do' <<<"$log" | tail -n 1)" 'free space'
    rm "$BATS_TEST_TMPDIR/small/filler"
    run -1 neuro-preprocess "$BIDS" "$OUT" participant
    for sub in 01 03 04 05 06; do complete "$OUT" $sub; done
}

@test "inodes that run out stop the run once, too, with 74; the rest is not started" {
    make_dataset "$BIDS" 01 02 03 04
    small=$BATS_TEST_TMPDIR/small
    mount_tmpfs "$small" size=64m,nr_inodes=400
    neuro-preprocess "$BIDS" "$small/out" participant --parallel 1 --slow-stage skull_strip:1 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    wait_until 60 '[[ $(running_stage "$small/out" 02) == skull_strip ]]'
    (cd "$small" && seq -f f%g 400 | xargs touch 2>/dev/null) || true # until there is none
    code=0
    wait $pid || code=$?
    equal $code 74 "$(cat "$BATS_TEST_TMPDIR/log")"
    complete "$small/out" 01
    contains "$(cat "$BATS_TEST_TMPDIR/log")" '2 not started'
    contains "$(grep 'What to do' "$BATS_TEST_TMPDIR/log" | tail -n 1)" 'free space or inodes'
    equal "$(neuro-preprocess status "$small/out" --format json | jq -c '[.n_wanted, .n_to_rerun]')" '[4,3]'
    rm "$small"/f*
    run -0 neuro-preprocess "$BIDS" "$small/out" participant
    contains "$output" '3 complete, 1 already complete'
}

@test "on a disk that is full to the last byte and stays so, the record says that, and not that the session was killed" {
    make_dataset "$BIDS" 01 02 03
    mount_tmpfs "$BATS_TEST_TMPDIR/small" size=64m
    OUT=$BATS_TEST_TMPDIR/small/out
    neuro-preprocess "$BIDS" "$OUT" participant --parallel 1 --slow-stage skull_strip:1 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    until [[ $(running_stage "$OUT" 02) == skull_strip ]]; do sleep 0.05; done
    while kill -0 $pid; do cat /dev/zero; done >"$BATS_TEST_TMPDIR/small/filler" 2>/dev/null 3>&- || true
    code=0
    wait $pid || code=$?
    equal $code 74 "$(cat "$BATS_TEST_TMPDIR/log")"
    state_is "$OUT" 02 failed
    equal "$(record "$OUT" 02 '.failure["error.type"]')" io
    equal "$(neuro-preprocess status "$OUT" --format json | jq -c .states)" '{"success":1,"failed":1,"not-started":1}'
}

@test "no inodes left is 74 and nothing partial stays" {
    make_dataset "$BIDS" 01 02
    mount_tmpfs "$BATS_TEST_TMPDIR/small" size=100m,nr_inodes=24
    run -74 --separate-stderr neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/small/out" participant --parallel 1
    no_leftovers "$BATS_TEST_TMPDIR/small/out"
    for image in $(find "$BATS_TEST_TMPDIR/small/out" -name '*.nii.gz'); do gzip -t "$image"; done
}

@test "more memory than allowed is refused before any work, for the image alone" {
    make_dataset "$BIDS" 01
    run -69 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --mem-mb 10
    contains "$stderr" M
    [[ ! -e $OUT ]] || no_images "$OUT"
}

@test "a dataset without T1w is 18, with --allow-empty a record and 0" {
    make_dataset "$BIDS" 01
    mkdir -p "$BIDS/sub-02/func"
    rm "$BIDS"/sub-01/anat/*.nii.gz
    touch "$BIDS/sub-01/anat/sub-01_PDw.nii.gz"
    run -18 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant
    run -0 neuro-preprocess "$BIDS" "$OUT" participant --allow-empty
    state_is "$OUT" 01 nothing-to-do
}

@test "in a container a path that does not exist asks whether it is bound" {
    run -66 --separate-stderr env APPTAINER_NAME=x.sif neuro-preprocess "$BATS_TEST_TMPDIR/nowhere" "$OUT" participant
    contains "$stderr" 'is it bound into the container'
    run -66 --separate-stderr env APPTAINER_NAME=x.sif neuro-preprocess process "$BATS_TEST_TMPDIR/nowhere.nii" -o "$OUT"
    contains "$stderr" 'is it bound into the container'
}
