#!/usr/bin/env bats
# What a run writes: names, content, metadata, and what must not be in it.
load helper

setup_file()
{
    MADE=$(made)
    export MADE
}

setup() { OUT=$MADE/out BIDS=$MADE/bids; }

images() { find "$OUT" -name '*.nii.gz' | LC_ALL=C sort; }

@test "each T1w gives the named files and nothing else" {
    run -0 bash -c 'cd "$0" && find sub-* logs -mindepth 1 -type f -not -path "logs/telemetry/*" -not -path "logs/plans/*" | LC_ALL=C sort' "$OUT"
    expected=$(
        echo logs/folder.json
        for s in 01: 02:1; do
            sub=sub-${s%:*} ses=${s#*:}
            folder=$sub${ses:+/ses-$ses}/anat stem=$sub${ses:+_ses-$ses}
            printf '%s\n' "$folder/$stem"_desc-{norm,preproc}_T1w.{json,nii.gz} "$folder/$stem"_desc-brain_mask.{json,nii.gz} \
                "$folder/$stem"_mod-T1w_biasfield.{json,nii.gz} "$folder/$stem"_dseg.{json,nii.gz} "logs/$sub/${stem}_"{log.jsonl,status.json} "logs/$sub/${sub}_ses-${ses:-unnamed}_complete.json"
        done | LC_ALL=C sort
    )
    equal "$output" "$expected"
}

@test "the root holds the dataset's description and its companions" {
    for name in dataset_description.json .bidsignore README.md CITATION.md descriptions.tsv dseg.tsv; do
        [[ -s $OUT/$name ]] || fail "no $name"
    done
    equal "$(jq -r '.DatasetType, .GeneratedBy[0].Name, (.GeneratedBy | length)' "$OUT/dataset_description.json" | paste -sd ' ')" \
        'derivative neuro-preprocess 1'
    jq -e '.SourceDatasets | length == 1' "$OUT/dataset_description.json"
    [[ $(jq -r '.GeneratedBy[0].Version' "$OUT/dataset_description.json") == $(neuro-preprocess --version | awk 'NR == 1 { print $2 }') ]]
    head -n 1 "$OUT/descriptions.tsv" | grep -q $'^desc_id\tdescription$'
    equal "$(cut -f 1,3,4 "$OUT/dseg.tsv" | paste -sd ' ')" $'index\tabbreviation\tmapping 0\tBG\t0 1\tGM\t1 2\tWM\t2 3\tCSF\t3'
    for desc in preproc norm brain; do grep -q "^desc-$desc"$'\t' "$OUT/descriptions.tsv"; done
}

@test "at most 16 files and folders a T1w session" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01/1
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant
    run -0 bash -c 'cd "$0" && find sub-01 logs/sub-01' "$BATS_TEST_TMPDIR/out"
    ((${#lines[@]} <= 16)) || fail "$output"
}

@test "the tissues of a T1w: labels by default, shares on request that sum to 1, nothing at the minimal level or without a brain" {
    local bids=$BATS_TEST_TMPDIR/bids out=$BATS_TEST_TMPDIR/out stem
    make_dataset "$bids" 01 02
    run -0 neuro-preprocess "$bids" "$out" participant --participant-label 01 --save-probseg
    run -0 neuro-preprocess "$bids" "$BATS_TEST_TMPDIR/minimal" participant --participant-label 01 --level minimal
    run -0 neuro-preprocess "$bids" "$BATS_TEST_TMPDIR/skip" participant --participant-label 01 --skull-strip skip
    stem=$out/sub-01/anat/sub-01
    run -0 "$PYTHON" - "$stem" <<'END'
import sys

import nibabel
import numpy

stem = sys.argv[1]
read = lambda name: numpy.asarray(nibabel.load(f"{stem}_{name}.nii.gz").dataobj)
mask, labels = read("desc-brain_mask"), read("dseg")
shares = numpy.stack([read(f"label-{name}_probseg") for name in ("GM", "WM", "CSF")])
assert labels.dtype == numpy.uint8 and set(numpy.unique(labels)) == {0, 1, 2, 3}
assert ((labels > 0) == (mask > 0)).all()
assert numpy.abs(shares.sum(0) - mask).max() < 1e-6
assert (numpy.take_along_axis(shares, numpy.maximum(labels, 1)[None] - 1, 0)[0][mask > 0] == shares.max(0)[mask > 0]).all()
END
    equal "$(jq -r '.SpatialReference' "${stem}_dseg.json")" bids::sub-01/anat/sub-01_desc-preproc_T1w.nii.gz
    jq -e '.Parameters | ."tissue.volume_gm" > 300 and ."tissue.volume_gm" < 1200' "${stem}_label-GM_probseg.json"
    jq -e '.files[0].measures["tissue.volume_wm"].unit == "mL"' "$out/logs/sub-01/sub-01_status.json"
    equal "$(find "$BATS_TEST_TMPDIR/minimal" "$BATS_TEST_TMPDIR/skip" -name '*dseg.nii.gz' -o -name '*probseg*')" ''
    [[ ! -e $BATS_TEST_TMPDIR/minimal/dseg.tsv ]]
    # neither is done again for want of a segmentation
    run -0 neuro-preprocess "$bids" "$BATS_TEST_TMPDIR/skip" participant --participant-label 01 --skull-strip skip
    contains "$output" "1 already complete"
    if [[ -x $(validator) ]]; then
        run "$(validator)" --format json "$out"
        equal "$(jq -c '[.issues.issues[] | select(.severity == "error") | [.code, .subCode, .location]]' <<<"$output")" '[]'
    fi
}

@test "the official validator finds no error in the outputs" {
    [[ -x $(validator) ]] || { [[ ${CI:-} != true ]] && skip "the validator could not be installed"; }
    run "$(validator)" --format json "$OUT"
    errors=$(jq -c '[.issues.issues[] | select(.severity == "error") | [.code, .subCode, .location]]' <<<"$output")
    equal "$errors" '[]'
}

@test "the official validator finds no error in the demo dataset" {
    [[ -x $(validator) ]] || { [[ ${CI:-} != true ]] && skip "the validator could not be installed"; }
    run "$(validator)" --format json "$(demo_dataset)"
    errors=$(jq -c '[.issues.issues[] | select(.severity == "error") | [.code, .subCode, .location]]' <<<"$output")
    equal "$errors" '[]'
}

@test "gzip and nibabel read every image; grids are the source's; the mask is 0 and 1" {
    gzip -t $(images)
    run -0 "$PYTHON" "$TOP/tests/cli/check_images.py" "$BIDS" "$OUT"
}

@test "gzip headers hold neither time nor name" {
    for image in $(images); do
        # RFC 1952: flags at byte 3, mtime at bytes 4-7
        equal "$(od -An -tx1 -j3 -N5 "$image" | tr -d ' ')" 0000000000 "$image"
    done
}

@test "each image has a sidecar with the metadata that BIDS requires" {
    for image in $(images); do
        sidecar=${image%.nii.gz}.json
        jq -e '.Description and (.Sources | length > 0)' "$sidecar" >/dev/null || fail "$sidecar: no Description or Sources"
        case $image in
        *desc-preproc*) jq -e '.SkullStripped == false' "$sidecar" >/dev/null || fail "$sidecar: SkullStripped" ;;
        *desc-norm*) jq -e '.SkullStripped == true' "$sidecar" >/dev/null || fail "$sidecar: SkullStripped" ;;
        *_mask*) jq -e '.Type == "Brain"' "$sidecar" >/dev/null || fail "$sidecar: Type" ;;
        esac
    done
    # what was asked for, where it matters; what came of it are parameters
    equal "$(jq -c .Settings "$OUT/sub-01/anat/sub-01_desc-brain_mask.json")" '{"skull-strip":"auto","bias-correction":"n4"}'
    equal "$(jq -c .Settings "$OUT/sub-01/anat/sub-01_desc-norm_T1w.json")" '{"skull-strip":"auto","normalize":"zscore","bias-correction":"n4"}'
    equal "$(jq -r '.Parameters["skull_strip.method"]' "$OUT/sub-01/anat/sub-01_desc-brain_mask.json")" network-and-surface
    # metadata of the source that stay true are kept
    jq -e '.MagneticFieldStrength == 3' "$OUT/sub-01/anat/sub-01_desc-preproc_T1w.json"
}

@test "Sources and DatasetLinks resolve to files that exist" {
    description=$OUT/dataset_description.json
    for sidecar in $(find "$OUT/sub-01" "$OUT/sub-02" -name '*.json'); do
        for uri in $(jq -r '.Sources[]' "$sidecar"); do
            [[ $uri =~ ^bids:([^:]*):(.*)$ ]] || fail "$sidecar: $uri is no BIDS URI"
            root=$OUT
            if [[ -n ${BASH_REMATCH[1]} ]]; then
                link=$(jq -r --arg name "${BASH_REMATCH[1]}" '.DatasetLinks[$name]' "$description")
                link=${link#file://}
                root=$link
                [[ $link == /* ]] || root=$OUT/$link
            fi
            [[ -e $root/${BASH_REMATCH[2]} ]] || fail "$sidecar: $uri leads to $root/${BASH_REMATCH[2]}, which is not there"
        done
    done
}

@test "recorded hashes and sizes are those of the files" {
    for session in 01 02/1; do
        record "$OUT" $session '.files[0].outputs[] | [.sha256, .bytes, .path] | @tsv' >"$BATS_TEST_TMPDIR/outputs"
        [[ -s $BATS_TEST_TMPDIR/outputs ]]
        while IFS=$'\t' read -r hash bytes path; do
            equal "$(sha256sum <"$OUT/$path" | cut -d' ' -f1)" "$hash" "$path"
            equal "$(stat -c %s "$OUT/$path")" "$bytes" "$path"
        done <"$BATS_TEST_TMPDIR/outputs"
        input=$(record "$OUT" $session '.files[0].input.path')
        equal "$(sha256sum <"$BIDS/$input" | cut -d' ' -f1)" "$(record "$OUT" $session '.files[0].input.sha256')" "$input"
    done
}

@test "a session's record has state, stages in order, times and measures" {
    complete "$OUT" 01
    complete "$OUT" 02/1
    equal "$(record "$OUT" 01 '[.files[0].stages[].name] | join(" ")')" \
        'load_file validate_data bias_correction skull_strip quality_regions bias_refinement normalization tissue quality write_output'
    equal "$(record "$OUT" 01 '[.files[0].stages[].state] | unique | join(" ")')" success
    record "$OUT" 01 . | jq -e '.schema == 1 and (.run | length == 36) and .wall_s > 0 and .files[0].measures["skull_strip.volume"].value > 0
        and (.peak_rss_bytes > 1000000) and .failure == null and (.attempts == []) and .process.host != null' >/dev/null ||
        fail "$(record "$OUT" 01 'del(.files[0].stages)')"
}

@test "a session's log is JSON lines that carry the run and the trace" {
    jq -es 'length > 0 and all(.[]; .run and .trace_id)' "$OUT/logs/sub-01/sub-01_log.jsonl" >/dev/null
    equal "$(jq -rs '[.[].trace_id] | unique | length' "$OUT/logs/sub-01/sub-01_log.jsonl")" 1
}

@test "nothing outside logs and pages carries a time, a host or a path of the machine" {
    # images are compressed: look at their headers
    for image in $(images); do gzip -dc "$image" 2>/dev/null | head -c 352 | tr -d '\0' >"$BATS_TEST_TMPDIR/$(basename "$image").header"; done
    run grep -rlaF --exclude-dir=logs --exclude='*.html' --exclude='*.nii.gz' -e "$BUILD" -e "$TOP" -e "$(date +%Y-%m-%d)" "$OUT" "$BATS_TEST_TMPDIR"
    equal "$output" ''
    run grep -rlwF --exclude-dir=logs --exclude='*.html' --exclude='*.nii.gz' -e "$(uname -n)" "$OUT" "$BATS_TEST_TMPDIR"
    equal "$output" ''
}

@test "modes follow the umask, and the folder's setgid bit" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01
    mkdir "$BATS_TEST_TMPDIR/out"
    chmod g+s "$BATS_TEST_TMPDIR/out"
    (umask 007 && neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant)
    run find "$BATS_TEST_TMPDIR/out" -type f ! -perm 660
    equal "$output" ''
    run find "$BATS_TEST_TMPDIR/out" -type d ! -perm 2770 ! -path "$BATS_TEST_TMPDIR/out"
    equal "$output" ''
}

@test "--level minimal leaves out the normalized image" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant --level minimal
    run find "$BATS_TEST_TMPDIR/out" -name '*desc-norm*'
    equal "$output" ''
    [[ -f $BATS_TEST_TMPDIR/out/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz ]]
}

@test "--save-brain gives the head inside the mask, in the source's units; every reader sees 0 outside" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant --save-brain
    anat=$BATS_TEST_TMPDIR/out/sub-01/anat
    "$PYTHON" - "$anat/sub-01_desc-brain_T1w.nii.gz" "$anat/sub-01_desc-preproc_T1w.nii.gz" "$anat/sub-01_desc-brain_mask.nii.gz" <<'END'
import sys, nibabel, numpy
brain, head, mask = (nibabel.load(path) for path in sys.argv[1:])
assert brain.get_data_dtype() == numpy.float32 and (brain.affine == head.affine).all()
inside = numpy.asanyarray(mask.dataobj) > 0
assert 0 < inside.sum() < inside.size
assert (brain.get_fdata() == head.get_fdata() * inside).all()
END
    jq -e '.SkullStripped == true and .MagneticFieldStrength == 3 and (.Sources | length == 3)
        and .Parameters["bias.method"] == "n4" and .Parameters["skull_strip.volume"] > 0' "$anat/sub-01_desc-brain_T1w.json" >/dev/null ||
        fail "$(cat "$anat/sub-01_desc-brain_T1w.json")"
    [[ ! -e $anat/sub-01_mod-T1w_biasfield.nii.gz ]]
}

@test "--output-datatype int16: the head moves by a 32767th of its largest value at most, and nothing else changes" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01
    for type in float32 int16; do
        run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/$type" participant --save-brain --save-bias-field --output-datatype $type
        lacks "$output" 'written as float32'
    done
    "$PYTHON" - "$BATS_TEST_TMPDIR"/{float32,int16}/sub-01/anat <<'END'
import pathlib, sys, nibabel, numpy
whole, short = map(pathlib.Path, sys.argv[1:])
heads = None
for name in ("desc-preproc_T1w", "desc-brain_T1w"):
    a, b = (nibabel.load(folder / f"sub-01_{name}.nii.gz") for folder in (whole, short))
    assert a.get_data_dtype() == numpy.float32 and b.get_data_dtype() == numpy.int16, name
    assert b.dataobj.inter == 0 and numpy.log2(b.dataobj.slope) % 1 == 0, (b.dataobj.slope, b.dataobj.inter)
    a, b = a.get_fdata(), b.get_fdata()
    heads = heads or (a, b)
    assert 0 < abs(a - b).max() <= heads[0].max() / 32767, (name, abs(a - b).max())
    assert (b[a == 0] == 0).all(), name
inside = nibabel.load(short / "sub-01_desc-brain_mask.nii.gz").get_fdata()
assert (b == heads[1] * inside).all()
END
    for name in desc-norm_T1w desc-brain_mask mod-T1w_biasfield; do
        cmp "$BATS_TEST_TMPDIR"/{float32,int16}/sub-01/anat/sub-01_$name.nii.gz
    done
    alike='del(.SHA256, .VoxelSHA256, .Settings["output-datatype"])'
    equal "$(jq -S "$alike" "$BATS_TEST_TMPDIR/int16/sub-01/anat/sub-01_desc-preproc_T1w.json")" \
        "$(jq -S "$alike" "$BATS_TEST_TMPDIR/float32/sub-01/anat/sub-01_desc-preproc_T1w.json")"
    equal "$(jq -c .files[0].measures "$(status_path "$BATS_TEST_TMPDIR/int16" 01)")" "$(jq -c .files[0].measures "$(status_path "$BATS_TEST_TMPDIR/float32" 01)")"
    run -78 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/int16" participant --save-brain --save-bias-field
    contains "$output" 'output-datatype: int16 there, float32 here'
}

@test "a folder whose records know fewer options is not outdated by an option that came later" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant
    # as version 0.1.0 wrote them
    find "$BATS_TEST_TMPDIR/out/logs" -name '*.json' -exec sed -i -E 's/"(save-brain|output-datatype)": ?("[a-z0-9]*"|false),? ?//g; s/\\"(save-brain|output-datatype)\\": ?(\\"[a-z0-9]*\\"|false),? ?//g' {} +
    run grep -rl save-brain "$BATS_TEST_TMPDIR/out/logs" --include='*_status.json' --include='*_complete.json' --include=folder.json
    equal "$output" ''
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant
    contains "$output" 'complete'
    equal "$(jq '.attempts | length' "$(status_path "$BATS_TEST_TMPDIR/out" 01)")" 0 attempts
    run -78 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant --save-brain
    contains "$output" 'save-brain: false there, true here'
}

@test "T2w and FLAIR masks name their space" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01
    anat=$BATS_TEST_TMPDIR/bids/sub-01/anat
    cp "$anat/sub-01_T1w.nii.gz" "$anat/sub-01_T2w.nii.gz"
    cp "$anat/sub-01_T1w.nii.gz" "$anat/sub-01_FLAIR.nii.gz"
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant
    for modality in T2w FLAIR; do
        mask=$BATS_TEST_TMPDIR/out/sub-01/anat/sub-01_space-${modality}_desc-brain_mask
        [[ -f $mask.nii.gz ]]
        uri=$(jq -r .SpatialReference "$mask.json")
        [[ $uri == bids:*"_desc-preproc_$modality.nii.gz" || $uri == bids:*"_$modality.nii.gz" ]] || fail "$uri"
    done
    [[ -f $BATS_TEST_TMPDIR/out/sub-01/anat/sub-01_desc-brain_mask.nii.gz ]]
    complete "$BATS_TEST_TMPDIR/out" 01
}

@test "a group level after the participant level writes the status table" {
    cp -r "$OUT" "$BATS_TEST_TMPDIR/out"
    run -0 neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/out" group
    equal "$(wc -l <"$BATS_TEST_TMPDIR/out/logs/status.tsv")" 3
    grep -q $'\tsuccess' "$BATS_TEST_TMPDIR/out/logs/status.tsv"
}

@test "idps replaces a table of its own, also through a link, and no other file" {
    OUT=$(made)/out
    mkdir "$BATS_TEST_TMPDIR/tables"
    cd "$BATS_TEST_TMPDIR/tables"
    run -0 neuro-preprocess idps "$OUT" -o .
    mv neuro-preprocess_idps.tsv shared.tsv
    ln -s shared.tsv neuro-preprocess_idps.tsv
    cp shared.tsv first.tsv
    head -n 1 first.tsv >shared.tsv
    run -0 neuro-preprocess idps "$OUT" -o .
    [[ -L neuro-preprocess_idps.tsv ]]
    cmp shared.tsv first.tsv
    echo '{"mine": 1}' >neuro-preprocess_idps.json
    run -73 --separate-stderr neuro-preprocess idps "$OUT" -o .
    contains "$(last_line)" "neuro-preprocess_idps.json': expected a new name, or a file that this option wrote before, found another file"
    equal "$(cat neuro-preprocess_idps.json)" '{"mine": 1}'
    cmp shared.tsv first.tsv
}

@test ".bidsignore means the same here as for the official validator, whatever the case" {
    [[ -x $(validator) ]] || { [[ ${CI:-} != true ]] && skip "the validator could not be installed"; }
    make_dataset "$BATS_TEST_TMPDIR/bids" 01 02
    cd "$BATS_TEST_TMPDIR"
    echo 'no BIDS' >bids/junk.txt
    mv bids/sub-02/anat/sub-02_T1w.nii.gz bids/sub-02/anat/sub-02_wrong-label_T1w.nii.gz
    run ! "$(validator)" --ignoreWarnings bids
    printf 'JUNK.TXT\nSub-02/\n' >bids/.bidsignore
    run -0 "$(validator)" --ignoreWarnings bids
    run -0 neuro-preprocess bids out participant
    complete out 01
    [[ ! -e out/logs/sub-02 ]]
}

@test "CITATION.md, README.md and the descriptions say what was done here, whatever the order of the tasks" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01 02
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/one" participant --participant-label 01 --bias-correction none
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/one" participant --participant-label 02 --bias-correction none
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/two" participant --participant-label 02 --bias-correction none
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/two" participant --participant-label 01 --bias-correction none
    cmp "$BATS_TEST_TMPDIR/one/CITATION.md" "$BATS_TEST_TMPDIR/two/CITATION.md"
    contains "$(cat "$BATS_TEST_TMPDIR/one/CITATION.md")" 'non-uniformity was not corrected'
    for name in CITATION.md README.md descriptions.tsv dataset_description.json; do
        lacks "$(cat "$BATS_TEST_TMPDIR/one/$name")" N4
        cmp <(sed 's,/one,/two,' "$BATS_TEST_TMPDIR/one/$name") "$BATS_TEST_TMPDIR/two/$name"
    done
    contains "$(cat "$BATS_TEST_TMPDIR/one/README.md")" 'not corrected for the bias field'
}
