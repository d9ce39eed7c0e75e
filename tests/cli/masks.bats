#!/usr/bin/env bats
# Brain masks made elsewhere: --mask-dir.
load helper

setup()
{
    BIDS=$BATS_TEST_TMPDIR/bids OUT=$BATS_TEST_TMPDIR/out MASKS=$BATS_TEST_TMPDIR/masks
    mkdir "$MASKS"
}

preprocess() { neuro-preprocess "$BIDS" "$OUT" participant "$@"; }
mask_of() { echo "$OUT/sub-$1/anat/sub-$1_desc-brain_mask.nii.gz"; }
given() { echo "$MASKS/sub-$1_desc-brain_mask.nii.gz"; }
method() { record "$OUT" "$1" '.files[0].facts["skull_strip.method"]'; }

# draw IMAGE MASK [SHARE]: a mask on the grid of IMAGE, of floats: the middle SHARE of each axis is 0.9, the rest 0.4.
draw()
{
    "$PYTHON" - "$1" "$2" "${3:-0.5}" <<'END'
import sys, nibabel, numpy
image = nibabel.load(sys.argv[1])
mask = numpy.full(image.shape, 0.4, numpy.float32)
middle = tuple(slice(int(n * (0.5 - float(sys.argv[3]) / 2)), int(n * (0.5 + float(sys.argv[3]) / 2))) for n in image.shape)
mask[middle] = 0.9
nibabel.save(nibabel.Nifti1Image(mask, image.affine, image.header), sys.argv[2])
END
}

# same_mask OURS GIVEN: ours is 1 where the given one is above 0.5, and 0 elsewhere.
same_mask()
{
    "$PYTHON" - "$@" <<'END'
import sys, nibabel, numpy
ours, given = (nibabel.load(path) for path in sys.argv[1:])
assert ours.get_data_dtype() == numpy.uint8 and (ours.affine == given.affine).all()
assert (ours.get_fdata() == (given.get_fdata() > 0.5)).all() and ours.get_fdata().any()
END
}

@test "a mask that is given is the mask: copied, its hash recorded; images without one are as ever" {
    make_dataset "$BIDS" 01 02
    draw "$(head_image)" "$(given 01)"
    run -0 preprocess --mask-dir "$MASKS" --save-brain
    contains "$output" "brain masks from '$MASKS': of 1 image"
    lacks "$output" warning
    same_mask "$(mask_of 01)" "$(given 01)"
    equal "$(method 01) $(method 02)" 'given network-and-surface'
    hash=$(sha256sum <"$(given 01)" | cut -d' ' -f1)
    equal "$(record "$OUT" 01 .files[0].mask.sha256)" "$hash"
    equal "$(record "$OUT" 02 .files[0].mask)" null
    for name in desc-brain_mask desc-norm_T1w desc-brain_T1w desc-preproc_T1w; do
        equal "$(jq -r .GivenMaskSHA256 "$OUT/sub-01/anat/sub-01_$name.json")" "$hash" "$name"
    done
    contains "$(jq -r .Description "$OUT/sub-01/anat/sub-01_desc-brain_mask.json")" 'given to the run'
    equal "$(jq -r .GivenMaskSHA256 "$OUT/sub-02/anat/sub-02_desc-brain_mask.json")" null
    contains "$(cat "$OUT/CITATION.md")" 'GivenMaskSHA256'
    run -0 preprocess --participant-label 02 --save-brain
    contains "$(cat "$OUT/CITATION.md")" 'GivenMaskSHA256'
    # what lies outside is 0 in the images of the brain
    "$PYTHON" - "$(mask_of 01)" "$OUT"/sub-01/anat/sub-01_desc-{norm,brain}_T1w.nii.gz <<'END'
import sys, nibabel
mask, *images = (nibabel.load(path).get_fdata() for path in sys.argv[1:])
assert all((image[mask == 0] == 0).all() and (image != 0).any() for image in images)
END
}

@test "masks lie in folders as in OUTPUT_DIR, too; T2w masks name their space" {
    neuro-preprocess demo-data "$BIDS" --participants 1 --sessions 1 --size 4 >/dev/null
    image=$(cd "$BIDS" && find sub-* -name '*_T2w.nii.gz' | head -n 1)
    [[ $image ]]
    folder=$MASKS/$(dirname "$image") stem=$(basename "$image" _T2w.nii.gz)
    mkdir -p "$folder"
    draw "$BIDS/$image" "$folder/${stem}_space-T2w_desc-brain_mask.nii.gz"
    run -0 preprocess --mask-dir "$MASKS"
    lacks "$output" warning
    same_mask "$OUT/$(dirname "$image")/${stem}_space-T2w_desc-brain_mask.nii.gz" "$folder/${stem}_space-T2w_desc-brain_mask.nii.gz"
}

@test "it is kept by every redo without the option, and taken for the same when it is given again" {
    make_dataset "$BIDS" 01
    draw "$(head_image)" "$(given 01)"
    run -0 preprocess --mask-dir "$MASKS"
    before=$(fingerprint "$OUT")
    run -0 preprocess
    contains "$output" '1 already complete'
    run -0 preprocess --rerun all
    equal "$(fingerprint "$OUT")" "$before"
    rm "$OUT/logs/sub-01/sub-01_ses-unnamed_complete.json"
    run -0 preprocess
    equal "$(fingerprint "$OUT")" "$before"
    equal "$(record "$OUT" 01 .files[0].mask.sha256)" "$(sha256sum <"$(given 01)" | cut -d' ' -f1)"
    run -0 preprocess --mask-dir "$MASKS"
    contains "$output" '1 already complete'
    rmdir_masks=$BATS_TEST_TMPDIR/empty
    mkdir "$rmdir_masks"
    run -0 preprocess --mask-dir "$rmdir_masks"
    contains "$output" '1 already complete'
    run -0 preprocess --rerun outdated --normalize percentile
    equal "$(method 01)" given
    # the way back: without its copy the brain is found again
    rm "$(mask_of 01)"
    run -0 preprocess --normalize percentile
    equal "$(method 01)" network-and-surface
    equal "$(record "$OUT" 01 .files[0].mask)" null
}

@test "a mask that changed, or came later, makes its session outdated; the others are left alone" {
    make_dataset "$BIDS" 01 02
    run -0 preprocess
    other=$(sha256sum "$(mask_of 02)")
    draw "$(head_image)" "$(given 01)"
    for share in 0.5 0.6; do
        draw "$(head_image)" "$(given 01)" $share
        run -78 preprocess --mask-dir "$MASKS"
        contains "$output" "'$(given 01)'"
        contains "$output" '--rerun outdated'
        run -0 preprocess --mask-dir "$MASKS" --rerun outdated --dry-run
        contains "$output" "sub-01: to do T1w"
        contains "$output" "with the mask '$(given 01)'"
        contains "$output" 'sub-02: already complete'
        run -0 preprocess --mask-dir "$MASKS" --rerun outdated
        same_mask "$(mask_of 01)" "$(given 01)"
    done
    run -0 preprocess --mask-dir "$MASKS" --allow-mixed
    contains "$output" '2 already complete'
    # the same content under another time is no change
    touch -d '2020-01-01' "$(given 01)"
    run -0 preprocess --mask-dir "$MASKS"
    equal "$(sha256sum "$(mask_of 02)")" "$other"
    equal "$(jq length <<<"$(record "$OUT" 02 .attempts)")" 0
}

@test "a mask on another grid, an empty one, or one that is no image fails its image (65) before any work; the others go on" {
    make_dataset "$BIDS" 01 02 03 04
    "$PYTHON" - "$(head_image)" "$MASKS" <<'END'
import sys, nibabel, numpy
image = nibabel.load(sys.argv[1])
shifted = image.affine.copy()
shifted[0, 3] += 1
for sub, data, affine in (("01", numpy.ones([n + 1 for n in image.shape]), image.affine), ("02", numpy.ones(image.shape), shifted),
                          ("03", numpy.zeros(image.shape), image.affine)):
    nibabel.save(nibabel.Nifti1Image(data.astype(numpy.uint8), affine), f"{sys.argv[2]}/sub-{sub}_desc-brain_mask.nii.gz")
END
    run -1 preprocess --mask-dir "$MASKS"
    for sub in 01 02 03; do
        equal "$(record "$OUT" $sub '"\(.failure.code) \(.failure.stage)"')" '65 load_file'
        contains "$(record "$OUT" $sub .failure.sentence)" "'$(given $sub)'"
        no_images "$OUT/sub-$sub"
    done
    contains "$(record "$OUT" 01 .failure.sentence)" 'expected the grid of the image'
    contains "$(record "$OUT" 02 .failure.sentence)" 'another place or order'
    contains "$(record "$OUT" 03 .failure.sentence)" 'above 0.5'
    complete "$OUT" 04
    rm "$MASKS"/*
    run -0 preprocess
    echo text >"$(given 04)"
    run -65 preprocess --mask-dir "$MASKS" --rerun outdated --participant-label 04
}

@test "two masks for one image, or one for two, are refused with all named" {
    make_dataset "$BIDS" 01
    draw "$(head_image)" "$(given 01)"
    mkdir -p "$MASKS/sub-01/anat"
    cp "$(given 01)" "$MASKS/sub-01/anat"
    run -65 preprocess --mask-dir "$MASKS"
    contains "$output" "'$MASKS/sub-01/anat/sub-01_desc-brain_mask.nii.gz' and '$(given 01)'"
    mkdir -p "$BATS_TEST_TMPDIR/plain/"{a,b}
    cp "$(head_image)" "$BATS_TEST_TMPDIR/plain/a/scan.nii.gz"
    cp "$(head_image)" "$BATS_TEST_TMPDIR/plain/b/scan.nii.gz"
    rm -r "${MASKS:?}"/*
    draw "$(head_image)" "$MASKS/scan_desc-brain_mask.nii.gz"
    run -65 neuro-preprocess batch "$BATS_TEST_TMPDIR/plain" -o "$BATS_TEST_TMPDIR/plain-out" --mask-dir "$MASKS"
    contains "$output" 'both'
    contains "$output" 'a/scan.nii.gz'
    contains "$output" 'b/scan.nii.gz'
    mkdir "$MASKS/b"
    mv "$MASKS/scan_desc-brain_mask.nii.gz" "$MASKS/b"
    run -0 neuro-preprocess batch "$BATS_TEST_TMPDIR/plain" -o "$BATS_TEST_TMPDIR/plain-out" --mask-dir "$MASKS"
    same_mask "$BATS_TEST_TMPDIR/plain-out/b/scan_desc-brain_mask.nii.gz" "$MASKS/b/scan_desc-brain_mask.nii.gz"
}

@test "files that fit no image are named, with the name that is expected; those of images that are not selected are not" {
    make_dataset "$BIDS" 01 02 03/1
    cp "$(head_image)" "$BIDS/sub-02/anat/sub-02_T2w.nii.gz"
    draw "$(head_image)" "$(given 01)"
    for name in sub-02_desc-brain_mask sub-02_space-T2w_desc-brain_mask sub-03_ses-1_desc-brain_mask; do cp "$(given 01)" "$MASKS/$name.nii.gz"; done
    run -0 preprocess --mask-dir "$MASKS" --modalities T1w --dry-run
    lacks "$output" 'no image'
    for name in sub-04_desc-brain_mask sub-01_desc-brain_mask_v2 sub-03_desc-brain_mask; do cp "$(given 01)" "$MASKS/$name.nii.gz"; done
    echo notes >"$MASKS/README"
    run -0 preprocess --mask-dir "$MASKS" --dry-run
    contains "$output" '3 files fit no image (sub-01_desc-brain_mask_v2.nii.gz, sub-03_desc-brain_mask.nii.gz, sub-04_desc-brain_mask.nii.gz)'
    contains "$output" 'sub-01_desc-brain_mask.nii.gz'
    # an array's task looks at its own session
    run -0 preprocess --mask-dir "$MASKS" --participant-label 02 --dry-run
    contains "$output" '1 file fits no image (sub-01_desc-brain_mask_v2.nii.gz)'
}

@test "the folder must be there, and not be OUTPUT_DIR" {
    make_dataset "$BIDS" 01
    run -66 preprocess --mask-dir "$BATS_TEST_TMPDIR/nothing"
    contains "$output" "'$BATS_TEST_TMPDIR/nothing': expected a folder of brain masks"
    run -66 neuro-preprocess doctor "$BIDS" "$OUT" --mask-dir "$BATS_TEST_TMPDIR/nothing"
    contains "$output" "'$BATS_TEST_TMPDIR/nothing': expected a folder of brain masks"
    run -0 preprocess
    run -64 neuro-preprocess doctor "$BIDS" "$OUT" --mask-dir "$OUT"
    run -0 neuro-preprocess doctor "$BIDS" "$OUT" --mask-dir "$MASKS"
    contains "$output" "brain masks are taken from '$MASKS'"
    run -64 preprocess --mask-dir "$OUT"
    contains "$output" 'of your own'
    run -64 preprocess --mask-dir "$OUT/sub-01"
}

@test "our mask, edited in place: what was painted is used by --mask-dir; another mask does not overwrite it" {
    make_dataset "$BIDS" 01
    run -0 preprocess
    draw "$(mask_of 01)" "$BATS_TEST_TMPDIR/painted.nii.gz"
    cp "$BATS_TEST_TMPDIR/painted.nii.gz" "$(mask_of 01)"
    run -73 preprocess
    contains "$output" '--mask-dir'
    contains "$output" '--rerun all'
    [[ $output =~ mask-dir.*rerun.all ]] || fail "the first way is --mask-dir: $output"
    draw "$(head_image)" "$(given 01)" 0.7
    run -73 preprocess --mask-dir "$MASKS"
    cmp "$BATS_TEST_TMPDIR/painted.nii.gz" "$(mask_of 01)"
    cp "$(mask_of 01)" "$(given 01)"
    run -0 preprocess --mask-dir "$MASKS"
    same_mask "$(mask_of 01)" "$BATS_TEST_TMPDIR/painted.nii.gz"
    equal "$(method 01)" given
}

@test "process takes a mask for a plain file in another axis order" {
    "$PYTHON" - "$(head_image)" "$BATS_TEST_TMPDIR/scan.nii.gz" <<'END'
import sys, nibabel
image = nibabel.load(sys.argv[1])
turned = nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt("PIR"))
nibabel.save(image.as_reoriented(turned), sys.argv[2])
END
    draw "$BATS_TEST_TMPDIR/scan.nii.gz" "$MASKS/scan_desc-brain_mask.nii.gz" 0.4
    run -0 neuro-preprocess process "$BATS_TEST_TMPDIR/scan.nii.gz" -o "$OUT" --mask-dir "$MASKS" --save-brain
    same_mask "$OUT/scan_desc-brain_mask.nii.gz" "$MASKS/scan_desc-brain_mask.nii.gz"
}
