#!/usr/bin/env bats
# Files without a dataset: process and batch.
load helper

setup()
{
    OUT=$BATS_TEST_TMPDIR/out IN=$BATS_TEST_TMPDIR/in
    mkdir "$IN"
    cp "$(head_image)" "$IN/scan.nii.gz"
}

@test "process names its outputs after the input" {
    run -0 neuro-preprocess process "$IN/scan.nii.gz" -o "$OUT"
    equal "$(cd "$OUT" && find . -name 'scan*' | LC_ALL=C sort)" "$(printf './%s\n' logs/scan_log.jsonl logs/scan_status.json \
        scan_desc-brain_mask.json scan_desc-brain_mask.nii.gz scan_desc-norm.json scan_desc-norm.nii.gz \
        scan_desc-preproc.json scan_desc-preproc.nii.gz scan_dseg.json scan_dseg.nii.gz | cat - <(cd "$OUT" && find . -name 'scan_complete.json') | LC_ALL=C sort)"
    equal "$(jq -r .state "$OUT/logs/scan_status.json")" success
    gzip -t "$OUT"/*.nii.gz
}

@test "a name with BIDS entities keeps them" {
    mv "$IN/scan.nii.gz" "$IN/sub-01_T1w.nii.gz"
    run -0 neuro-preprocess process "$IN/sub-01_T1w.nii.gz" -o "$OUT"
    [[ -f $OUT/sub-01_desc-preproc_T1w.nii.gz && -f $OUT/sub-01_desc-brain_mask.nii.gz ]]
}

@test "--input and --output work without a verb, as does --input-dir" {
    run -0 neuro-preprocess --input "$IN/scan.nii.gz" --output "$OUT"
    [[ -f $OUT/scan_desc-norm.nii.gz ]]
    run -0 neuro-preprocess --input-dir "$IN" --output-dir "$OUT.2" --parallel 2
    [[ -f $OUT.2/scan_desc-norm.nii.gz ]]
}

@test "the same head gives the same voxels with and without a dataset" {
    run -0 neuro-preprocess process "$IN/scan.nii.gz" -o "$OUT"
    made=$(made)
    for kind in preproc norm brain_mask; do
        suffix=$([[ $kind == brain_mask ]] || echo _T1w)
        cmp "$OUT/scan_desc-$kind.nii.gz" "$made/out/sub-01/anat/sub-01_desc-$kind$suffix.nii.gz"
    done
}

@test "batch mirrors the folders, takes .nii too, and not its own outputs" {
    mkdir -p "$IN/a/b"
    gzip -dc "$IN/scan.nii.gz" >"$IN/a/b/plain.nii"
    echo text >"$IN/a/notes.txt"
    run -0 neuro-preprocess batch "$IN" -o "$IN/out"
    [[ -f $IN/out/scan_desc-preproc.nii.gz && -f $IN/out/a/b/plain_desc-preproc.nii.gz ]]
    n=$(find "$IN/out" -name '*.nii.gz' | wc -l)
    run -0 neuro-preprocess batch "$IN" -o "$IN/out"
    equal "$(find "$IN/out" -name '*.nii.gz' | wc -l)" "$n"
    equal "$n" 8
}

@test "two inputs that would write the same file are refused before any work, both named" {
    mkdir "$IN/a" "$IN/b"
    cp "$IN/scan.nii.gz" "$IN/a/one.nii.gz"
    cp "$IN/scan.nii.gz" "$IN/b/one.nii.gz"
    run -64 --separate-stderr neuro-preprocess process "$IN/a/one.nii.gz" "$IN/b/one.nii.gz" -o "$OUT"
    contains "$stderr" a/one.nii.gz
    contains "$stderr" b/one.nii.gz
    [[ ! -e $OUT ]] || no_images "$OUT"
    gzip -dc "$IN/a/one.nii.gz" >"$IN/a/one.nii"
    run -64 --separate-stderr neuro-preprocess batch "$IN/a" -o "$OUT"
}

@test "one bad file does not stop the others, and is named last" {
    head -c 20000 "$IN/scan.nii.gz" >"$IN/broken.nii.gz"
    run -1 --separate-stderr neuro-preprocess batch "$IN" -o "$OUT"
    [[ -f $OUT/scan_desc-norm.nii.gz ]]
    equal "$(jq -r .state "$OUT/logs/broken_status.json")" failed
    contains "$stderr" broken.nii.gz
    run -65 --separate-stderr neuro-preprocess process "$IN/broken.nii.gz" -o "$OUT.2"
    contains "$(last_line)" broken.nii.gz
}

@test "an empty folder is 18" {
    mkdir "$IN/none"
    run -18 neuro-preprocess batch "$IN/none" -o "$OUT"
}

@test "a .hdr/.img pair is read" {
    run -0 "$PYTHON" -c 'import nibabel, sys
image = nibabel.load(sys.argv[1])
nibabel.Nifti1Pair(image.dataobj.get_unscaled(), image.affine, image.header).to_filename(sys.argv[2])' "$IN/scan.nii.gz" "$IN/pair.img"
    run -0 neuro-preprocess process "$IN/pair.hdr" -o "$OUT"
    [[ -f $OUT/pair_desc-norm.nii.gz ]]
}

@test "--skull-strip skip and --normalize none take effect" {
    run -0 neuro-preprocess process "$IN/scan.nii.gz" -o "$OUT" --normalize none
    [[ ! -e $OUT/scan_desc-norm.nii.gz && -f $OUT/scan_desc-preproc.nii.gz ]]
    run -0 neuro-preprocess process "$IN/scan.nii.gz" -o "$OUT.2" --bias-correction none
    run -0 "$PYTHON" -c 'import nibabel, numpy, sys
a, b = (nibabel.load(p).get_fdata() for p in sys.argv[1:])
assert numpy.allclose(a, b, rtol=1e-6), "without bias correction the head is the input"' "$IN/scan.nii.gz" "$OUT.2/scan_desc-preproc.nii.gz"
}

@test "an input is never replaced by its own result, nor another program's derivatives by ours" {
    mv "$IN/scan.nii.gz" "$IN/sub-01_desc-preproc_T1w.nii.gz"
    echo '{"by": "another program"}' >"$IN/sub-01_desc-preproc_T1w.json"
    before=$(fingerprint "$IN")
    run -73 neuro-preprocess process "$IN/sub-01_desc-preproc_T1w.nii.gz" -o "$IN"
    contains "$output" 'replaced by its own result'
    cp "$(head_image)" "$BATS_TEST_TMPDIR/sub-01_T1w.nii.gz"
    run -73 neuro-preprocess process "$BATS_TEST_TMPDIR/sub-01_T1w.nii.gz" -o "$IN"
    contains "$output" 'no record of ours names it'
    equal "$(fingerprint "$IN")" "$before"
}

@test "two inputs whose masks would be one file are refused, both named" {
    cp "$IN/scan.nii.gz" "$IN/sub-01_T2w.nii.gz"
    mv "$IN/scan.nii.gz" "$IN/sub-01_space-T2w_T1w.nii.gz"
    run -64 neuro-preprocess batch "$IN" -o "$OUT"
    contains "$output" sub-01_T2w.nii.gz
    contains "$output" sub-01_space-T2w_T1w.nii.gz
}

@test "two inputs that would share a bias field alone are refused only with --save-bias-field" {
    cp "$(head_image)" "$BATS_TEST_TMPDIR/sub-01_T1w.nii.gz"
    cp "$(head_image)" "$BATS_TEST_TMPDIR/sub-01_mod-x_T1w.nii.gz"
    both=("$BATS_TEST_TMPDIR"/sub-01_T1w.nii.gz "$BATS_TEST_TMPDIR"/sub-01_mod-x_T1w.nii.gz)
    run -64 --separate-stderr neuro-preprocess process "${both[@]}" -o "$BATS_TEST_TMPDIR/out" --skull-strip skip --save-bias-field
    contains "$stderr" 'sub-01_mod-T1w_biasfield.nii.gz'
    run -0 neuro-preprocess process "${both[@]}" -o "$BATS_TEST_TMPDIR/out" --bias-correction none --skull-strip skip
    equal "$(find "$BATS_TEST_TMPDIR/out" -name '*_desc-preproc_T1w.nii.gz' | wc -l)" 2
}

@test "folders that are left out because they lie too deep are named" {
    mkdir -p "$IN/$(printf 'd/%.0s' {1..70})"
    run -0 neuro-preprocess batch "$IN" -o "$OUT"
    contains "$output" 'more than 64 folders deep'
}

# pair IMAGE STEM: the image as STEM.hdr and STEM.img.
pair()
{
    python3 - "$@" <<'END'
import gzip
import struct
import sys

data = gzip.open(sys.argv[1]).read()
header, offset = bytearray(data[:348]), int(struct.unpack("<f", data[108:112])[0])
header[344:348], header[108:112] = b"ni1\0", struct.pack("<f", 0)
open(sys.argv[2] + ".hdr", "wb").write(header)
open(sys.argv[2] + ".img", "wb").write(data[offset:])
END
}

@test "of a pair of header and image it is the image that counts as the input" {
    pair "$IN/scan.nii.gz" "$IN/pair"
    run -0 neuro-preprocess process "$IN/pair.hdr" -o "$OUT"
    touch "$IN/pair.hdr" "$IN/pair.img"
    run -0 neuro-preprocess process "$IN/pair.hdr" -o "$OUT"
    contains "$output" '1 already complete'
    printf 'other voxels' | dd of="$IN/pair.img" conv=notrunc bs=1 seek=100000 status=none
    run -78 neuro-preprocess process "$IN/pair.hdr" -o "$OUT"
}

@test "a named file that no longer exists is no success, even if its outputs exist" {
    run -0 neuro-preprocess process "$IN/scan.nii.gz" -o "$OUT"
    before=$(fingerprint "$OUT")
    mv "$IN/scan.nii.gz" "$IN/away.nii.gz"
    run -78 neuro-preprocess process "$IN/scan.nii.gz" -o "$OUT"
    contains "$output" 'is not the image that was recorded'
    equal "$(fingerprint "$OUT")" "$before"
}

@test "process and batch write no dataset files; status and idps read what they wrote" {
    cp "$(head_image)" "$BATS_TEST_TMPDIR/scan.nii.gz"
    run -0 neuro-preprocess process "$BATS_TEST_TMPDIR/scan.nii.gz" -o "$OUT"
    equal "$(cd "$OUT" && ls -A | LC_ALL=C sort | paste -sd ' ')" \
        'logs scan_desc-brain_mask.json scan_desc-brain_mask.nii.gz scan_desc-norm.json scan_desc-norm.nii.gz scan_desc-preproc.json scan_desc-preproc.nii.gz scan_dseg.json scan_dseg.nii.gz'
    run -0 neuro-preprocess status "$OUT" --format tsv
    contains "${lines[1]}" success
    run -0 neuro-preprocess idps "$OUT" -o "$BATS_TEST_TMPDIR/idps"
    contains "$(cat "$BATS_TEST_TMPDIR"/idps/*.tsv)" scan
}

@test "batch leaves out by name what is no head, with one notice; process takes it" {
    mkdir "$BATS_TEST_TMPDIR/scans"
    for name in a a_bold b_mask sub-01_desc-preproc_T1w c_dwi; do cp "$(head_image)" "$BATS_TEST_TMPDIR/scans/$name.nii.gz"; done
    run -0 --separate-stderr neuro-preprocess batch "$BATS_TEST_TMPDIR/scans" -o "$OUT"
    equal "$(cd "$OUT" && ls -- *desc-preproc*.nii.gz)" a_desc-preproc.nii.gz
    contains "$output" 'left out by name, because they are no head: 4 files (a_bold.nii.gz, b_mask.nii.gz, c_dwi.nii.gz, … (1 more))'
    rm "$BATS_TEST_TMPDIR/scans/a.nii.gz"
    run -18 --separate-stderr neuro-preprocess batch "$BATS_TEST_TMPDIR/scans" -o "$OUT"
    contains "$stderr" 'names say that they are no heads'
}

@test "the calls of newcomers get the call that does it" {
    cd "$BATS_TEST_TMPDIR"
    cp "$(head_image)" in.nii.gz
    expect() { # WORDS EXPECTED
        # shellcheck disable=SC2086 # words
        run -64 --separate-stderr neuro-preprocess $1
        contains "$stderr" "$2" "$1"
        lacks "$stderr" 'What to do' "$1" # the call is the way on
    }
    expect 'process in.nii.gz out.nii.gz' "process 'in.nii.gz' -o DIR"
    expect 'process in.nii.gz -o x.nii.gz' "process 'in.nii.gz' -o DIR"
    expect 'scan.nii.gz' "neuro-preprocess process 'scan.nii.gz' -o DIR"
    expect help 'neuro-preprocess --help'
    expect version 'neuro-preprocess --version'
    expect 'explain 65' 'neuro-preprocess --explain 65'
    expect 'explain 74' 'neuro-preprocess --explain 74'
    expect 'explain bad-data' 'neuro-preprocess --explain bad-data'
    expect 'explain disk' 'neuro-preprocess --explain 65'
    expect 'stauts x' "did you mean 'status'?"
    for words in process status estimate --frobnicate; do
        run -64 --separate-stderr neuro-preprocess "$words"
        lacks "$stderr" 'did you mean' "$words"
        equal "$(grep -o 'see --help' <<<"$stderr" | wc -l)" 1 # the way on is said once
    done
    [[ ! -e x.nii.gz && ! -e out.nii.gz ]]
}

@test "results of plain files do not go into a dataset of another kind" {
    make_dataset "$BATS_TEST_TMPDIR/raw" 01
    cp "$(head_image)" "$BATS_TEST_TMPDIR/scan.nii.gz"
    run -78 --separate-stderr neuro-preprocess process "$BATS_TEST_TMPDIR/scan.nii.gz" -o "$BATS_TEST_TMPDIR/raw"
    contains "$stderr" 'found another dataset'
    [[ ! -e $BATS_TEST_TMPDIR/raw/logs && ! -e $BATS_TEST_TMPDIR/raw/scan_desc-preproc.nii.gz ]]
}
