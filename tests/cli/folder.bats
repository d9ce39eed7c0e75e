#!/usr/bin/env bats
# One folder, one configuration, one dataset: what OUTPUT_DIR remembers, and what a run is refused.
load helper

setup() { OUT=$BATS_TEST_TMPDIR/out BIDS=$BATS_TEST_TMPDIR/bids; }

preprocess() { neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip "$@"; }

# The stamps of everything in the output but the telemetry and the plans, to see what a run touched.
stamps() { (cd "$OUT" && find . \( -path ./logs/telemetry -o -path ./logs/plans \) -prune -o -type f -printf '%p %T@ %i\n' | LC_ALL=C sort); }

memory() { jq -r "$1" "$OUT/logs/folder.json"; }
words() { memory '[.configurations[].words] | join(" | ")'; }

# name_dataset NAME [DOI]
name_dataset()
{
    jq -n --arg name "$1" --arg doi "${2:-}" '{Name: $name, BIDSVersion: "1.11.1", DatasetType: "raw"}
        + if $doi == "" then {} else {DatasetDOI: $doi} end' >"$BIDS/dataset_description.json"
}

# Another image at the place of this session's: the same head, another voxel.
change_image()
{
    gunzip "$1"
    printf 'x' | dd of="${1%.gz}" conv=notrunc bs=1 seek=20000 status=none
    gzip "${1%.gz}"
}

# What a folder of an earlier version lacks.
forget() { rm "$OUT/logs/folder.json"; }

@test "the first run decides: its options, the stages' versions and the dataset are remembered before any work" {
    make_dataset "$BIDS" 01
    truncate -s 20000 "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    run -65 preprocess --normalize percentile -m T1w
    equal "$(words)" 'bias-correction=none normalize=percentile skull-strip=skip'
    equal "$(memory '.configurations[0].options.normalize')" percentile
    contains "$(memory '.configurations[0].methods.T1w')" 'load_file:'
    equal "$(memory '.configurations[0].methods | keys | join(" ")')" 'FLAIR T1w T2w UNIT1' 'modalities are no part of it'
    equal "$(memory .source.name)" 'Small heads'
    no_leftovers "$OUT"
}

@test "another configuration is refused for a session that has never run: both are named, the cost, the three ways on" {
    make_dataset "$BIDS" 01 02 03
    run -0 preprocess --participant-label 01 02
    before=$(stamps)
    run -78 --separate-stderr preprocess --participant-label 03 --normalize percentile
    contains "$stderr" 'normalize: zscore there, percentile here'
    lacks "$stderr" 'skull-strip:'
    # as long as the records say
    seconds=$(jq -s 'map(.wall_s) | add | if . < 1 then 1 else round end' "$OUT"/logs/sub-*/*_status.json)
    contains "$stderr" "a redo is 2 sessions, about $seconds s of work"
    contains "$stderr" 'another output folder'
    contains "$stderr" '--rerun outdated'
    contains "$stderr" '--allow-mixed'
    equal "$(stamps)" "$before"
    run -78 preprocess --participant-label 03 --normalize percentile --rerun all
    run -78 preprocess --participant-label 03 --normalize percentile --dry-run
    run -78 neuro-preprocess doctor "$BIDS" "$OUT" --bias-correction none --skull-strip skip --normalize percentile
    contains "$output" 'normalize: zscore there, percentile here'
    run -0 neuro-preprocess doctor "$BIDS" "$OUT" --bias-correction none --skull-strip skip
    equal "$(stamps)" "$before"
    run -0 preprocess --participant-label 03
}

@test "labels, modalities, filters, threads and places are no part of the configuration" {
    make_dataset "$BIDS" 01 02
    run -0 preprocess --participant-label 01 -m T1w --omp-nthreads 1
    echo '{"t1w": {"subject": "02"}}' >"$BATS_TEST_TMPDIR/filter.json"
    run -0 preprocess --bids-filter-file "$BATS_TEST_TMPDIR/filter.json" --nprocs 2 --no-telemetry
    complete "$OUT" 02
}

@test "--rerun outdated makes the new configuration the folder's; the others are outdated in every list until redone" {
    make_dataset "$BIDS" 01 02 03
    run -0 preprocess --save-bias-field
    run -0 preprocess --participant-label 01 --rerun outdated
    equal "$(words)" 'bias-correction=none skull-strip=skip'
    run -0 neuro-preprocess status "$OUT"
    contains "$output" '1 success (1 with warnings), 2 outdated'
    contains "$output" 'save-bias-field: true there, false here'
    contains "$output" 'to rerun: 2. Fix the cause and run the same command again: it processes only these sessions, 2 outdated ones with --rerun outdated.'
    run -0 neuro-preprocess status "$OUT" --format nipoppy
    equal "$output" $'02\tunnamed\n03\tunnamed'
    run -0 neuro-preprocess status "$OUT" --format tsv
    equal "$(cut -f 3 <<<"$output" | paste -sd ' ')" 'state success outdated outdated'
    run -0 neuro-preprocess "$BIDS" "$OUT" group
    equal "$(cut -f 3 "$OUT/logs/status.tsv" | paste -sd ' ')" 'state success outdated outdated'
    run -78 --separate-stderr preprocess
    contains "$stderr" '2 of the selected sessions are complete, but made otherwise'
    seconds=$(jq -s 'map(.wall_s) | add | if . < 1 then 1 else round end' "$OUT"/logs/sub-0[23]/*_status.json)
    contains "$stderr" "a redo is 2 sessions, about $seconds s of work"
    contains "$stderr" 'another output folder'
    run -78 preprocess --dry-run
    run -78 neuro-preprocess doctor "$BIDS" "$OUT" --bias-correction none --skull-strip skip
    contains "$output" '2 of the selected sessions are complete, but made otherwise'
    run -0 preprocess --rerun outdated
    contains "$output" '2 to do, 1 already complete'
    run -0 neuro-preprocess status "$OUT"
    contains "$output" '3 success'
    lacks "$output" outdated
}

@test "--allow-mixed adds a configuration: nothing is redone, nothing is outdated, a third one is refused" {
    make_dataset "$BIDS" 01 02 03
    run -0 preprocess --participant-label 01
    run -0 preprocess --allow-mixed --normalize percentile
    contains "$output" '2 to do, 1 already complete'
    contains "$output" 'holds 2 configurations'
    equal "$(record "$OUT" 01 .configuration.options.normalize)" zscore
    equal "$(record "$OUT" 02 .configuration.options.normalize)" percentile
    equal "$(memory '.configurations | length')" 2
    run -0 neuro-preprocess status "$OUT"
    contains "$output" '3 success'
    before=$(stamps)
    run -0 preprocess
    contains "$output" '3 already complete'
    run -0 preprocess --normalize percentile
    contains "$output" '3 already complete'
    equal "$(stamps)" "$before"
    run -78 preprocess --normalize whitestripe
}

@test "status, group, status.tsv and idps carry version, method and configuration, and say that there are two" {
    make_dataset "$BIDS" 01 02 03
    run -0 preprocess --participant-label 01 02
    for command in "status $OUT" "$BIDS $OUT group" "idps $OUT -o $BATS_TEST_TMPDIR/idps"; do
        # shellcheck disable=SC2086
        run -0 neuro-preprocess $command
        lacks "$output" configurations
    done
    run -0 preprocess --participant-label 03 --allow-mixed --normalize percentile
    both='2 configurations: bias-correction=none skull-strip=skip (2 sessions); bias-correction=none normalize=percentile skull-strip=skip (1 session)'
    for command in "status $OUT" "$BIDS $OUT group" "idps $OUT -o $BATS_TEST_TMPDIR/idps"; do
        # shellcheck disable=SC2086
        run -0 neuro-preprocess $command
        contains "$output" "$both"
    done
    for table in "$OUT/logs/status.tsv" "$BATS_TEST_TMPDIR/idps/neuro-preprocess_idps.tsv"; do
        column() { awk -F'\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }' "$table" | sort | uniq -c | awk '{$1=$1; print}'; }
        equal "$(column configuration)" $'1 bias-correction=none normalize=percentile skull-strip=skip\n2 bias-correction=none skull-strip=skip'
        equal "$(column version)" '3 0.1.0'
        equal "$(column method)" "3 $(memory '.configurations[0].methods.T1w')"
    done
    run -0 neuro-preprocess status "$OUT" --format json
    equal "$(jq -r '[.configurations[].n_sessions] | join(" ")' <<<"$output")" '2 1'
}

@test "of two runs that begin at the same moment with different options one decides, the other is refused" {
    make_dataset "$BIDS" 01 02
    for try in 1 2 3 4 5; do
        rm -rf "$OUT"
        preprocess --participant-label 01 --normalize percentile >"$BATS_TEST_TMPDIR/a" 2>&1 3>&- 4>&- &
        a=$!
        preprocess --participant-label 02 --normalize whitestripe >"$BATS_TEST_TMPDIR/b" 2>&1 3>&- 4>&- &
        b=$!
        code_a=0 code_b=0
        wait $a || code_a=$?
        wait $b || code_b=$?
        [[ $code_a-$code_b == 0-78 || $code_a-$code_b == 78-0 ]] ||
            fail "$try: $code_a and $code_b: $(cat "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b")"
        equal "$(memory '.configurations | length')" 1
        equal "$(cat "$OUT"/logs/sub-*/*_complete.json | jq -s length)" 1
    done
}

@test "a folder of an earlier version takes its memory from its records" {
    make_dataset "$BIDS" 01 02 03
    run -0 preprocess --participant-label 01 02
    forget
    run -78 --separate-stderr preprocess --participant-label 03 --normalize percentile
    contains "$stderr" 'normalize: zscore there, percentile here'
    [[ ! -e $OUT/logs/folder.json ]]
    run -0 preprocess
    contains "$output" '1 to do, 2 already complete'
    equal "$(words)" 'bias-correction=none skull-strip=skip'
    equal "$(memory .source.name)" 'Small heads'
}

# Make the folder that of a version whose recipes had no stage that only adds.
age()
{
    local file
    for file in "$OUT"/logs/folder.json "$OUT"/logs/sub-*/*_{status,complete}.json; do
        jq 'walk(if type == "string" then gsub(" (tissue|quality_regions|quality):[0-9]+"; "") else . end)
            | if .files then .files |= map(.outputs |= map(select(.path | test("dseg") | not))
                | del(.stages[] | select(.name | test("^(tissue|quality)")))
                | .measures |= with_entries(select(.key | test("^(tissue|quality)") | not))) else . end' "$file" >"$file.new"
        mv "$file.new" "$file"
    done
    find "$OUT" -name '*dseg*' -delete
}

@test "sessions of a version without a stage that only adds are complete and of this folder; --rerun outdated makes what it adds" {
    make_dataset "$BIDS" 01 02 03
    run -0 neuro-preprocess "$BIDS" "$OUT" participant --participant-label 01 02
    equal "$(find "$OUT" -name '*dseg*' | wc -l)" 5
    age
    before=$(stamps | grep "sub-0[12]")
    [[ $before != *dseg* ]]
    # a session more: neither refused nor mixed; the first two stay as they are
    run -0 neuro-preprocess "$BIDS" "$OUT" participant
    contains "$output" '1 to do, 2 already complete'
    equal "$(stamps | grep "sub-0[12]")" "$before"
    contains "$(memory '.configurations[0].methods.T1w')" tissue:
    equal "$(words)" defaults
    for command in "status $OUT --verify" "$BIDS $OUT group"; do
        # shellcheck disable=SC2086
        run -0 neuro-preprocess $command
        contains "$output" '3 success'
        lacks "$output" outdated
    done
    # a folder without memory, with records of both, has one configuration too
    forget
    run -0 neuro-preprocess status "$OUT"
    lacks "$output" configurations
    run -0 neuro-preprocess "$BIDS" "$OUT" participant --rerun outdated
    contains "$output" '2 to do, 1 already complete'
    equal "$(find "$OUT" -name '*_dseg.nii.gz' | wc -l)" 3
    run -0 neuro-preprocess "$BIDS" "$OUT" participant --rerun outdated
    contains "$output" '3 already complete'
}

@test "a mixed folder of an earlier version goes on and says so; a third configuration is refused" {
    make_dataset "$BIDS" 01 02 03 04
    run -0 preprocess --participant-label 01 02
    run -0 preprocess --participant-label 03 --allow-mixed --normalize percentile
    forget
    run -78 --separate-stderr preprocess --participant-label 04 --normalize whitestripe
    contains "$stderr" 'normalize: zscore there, whitestripe here'
    run -0 preprocess
    contains "$output" 'holds 2 configurations'
    contains "$output" '1 to do, 3 already complete'
    run -0 neuro-preprocess status "$OUT"
    contains "$output" '4 success'
}

@test "one session a call, as Nipoppy does: changed options in the middle are refused at the next call" {
    make_dataset "$BIDS" 01 02 03
    run -0 preprocess --participant-label 01
    run -78 preprocess --participant-label 02 --normalize percentile
    run -78 preprocess --participant-label 03 --normalize percentile
    run -0 preprocess --participant-label 02 --normalize percentile --rerun outdated
    run -78 preprocess --participant-label 03
    run -0 preprocess --participant-label 03 --normalize percentile --rerun outdated
    run -0 neuro-preprocess status "$OUT" --format nipoppy
    equal "$output" $'01\tunnamed'
}

@test "a run whose configuration is no longer the folder's begins no further session" {
    make_dataset "$BIDS" 01 02
    preprocess --parallel 1 --slow-stage load_file:3 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- &
    pid=$!
    wait_until 20 '[[ $(running_stage "$OUT" 01) == load_file ]]'
    make_dataset "$BIDS" 03
    run -0 preprocess --participant-label 03 --normalize percentile --rerun outdated
    code=0
    wait $pid || code=$?
    equal $code 1
    contains "$(cat "$BATS_TEST_TMPDIR/log")" 'another run has changed the configuration'
    [[ ! -e $(status_path "$OUT" 02) ]]
    equal "$(neuro-preprocess status "$OUT" --format nipoppy)" $'01\tunnamed\n02\tunnamed'
}

@test "process keeps to one configuration, too" {
    cp "$(head_image)" "$BATS_TEST_TMPDIR/one.nii.gz"
    cp "$(head_image)" "$BATS_TEST_TMPDIR/two.nii.gz"
    run -0 neuro-preprocess process "$BATS_TEST_TMPDIR/one.nii.gz" -o "$OUT" --bias-correction none --skull-strip skip
    run -78 neuro-preprocess process "$BATS_TEST_TMPDIR/two.nii.gz" -o "$OUT" --bias-correction none
    contains "$output" 'skull-strip: skip there, auto here'
    equal "$(memory .source)" null
}

@test "another dataset with the same labels is refused before anything is changed, both named" {
    make_dataset "$BIDS" 01 02
    run -0 preprocess
    before=$(stamps)
    name_dataset 'Other heads'
    change_image "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    for options in '' --dry-run '--rerun outdated' '--rerun all' --allow-mixed '--participant-label 02'; do
        # shellcheck disable=SC2086
        run -78 --separate-stderr preprocess $options
        contains "$stderr" "'Small heads'"
        contains "$stderr" "'Other heads'"
        contains "$stderr" "'sub-01/anat/sub-01_T1w.nii.gz' is another image there"
    done
    run -78 neuro-preprocess doctor "$BIDS" "$OUT" --bias-correction none --skull-strip skip
    contains "$output" "'Other heads'"
    equal "$(stamps)" "$before"
}

@test "another dataset with no session in common is refused; so is one with another DOI and other images" {
    make_dataset "$BIDS" 01
    name_dataset 'Small heads' doi:10.1/a
    run -0 preprocess
    rm -r "$BIDS"
    make_dataset "$BIDS" 77
    name_dataset 'Other heads'
    run -78 --separate-stderr preprocess
    contains "$stderr" 'no session in common'
    # a folder in which nothing has begun
    run -0 neuro-preprocess "$BIDS" "$OUT.planned" participant --plan-only
    name_dataset 'Small heads'
    run -78 --separate-stderr neuro-preprocess "$BIDS" "$OUT.planned" participant
    contains "$stderr" 'no session has begun that could show that they are the same'
    rm -r "$BIDS"
    make_dataset "$BIDS" 01
    name_dataset 'Small heads' doi:10.1/b
    change_image "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    run -78 --separate-stderr preprocess
    contains "$stderr" 'doi:10.1/b'
}

@test "another dataset is refused while the first is at work and has no results yet, and where both have a failed session alone" {
    make_dataset "$BIDS" 01 02
    first=$BIDS
    preprocess --slow-stage load_file:4 >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- 4>&- &
    pid=$!
    wait_until 20 '[[ $(running_stage "$OUT" 01) == load_file ]]'
    BIDS=$BATS_TEST_TMPDIR/other
    make_dataset "$BIDS" 01 02 03
    name_dataset 'Other heads'
    change_image "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    for options in '' --dry-run '--participant-label 03'; do
        # shellcheck disable=SC2086
        run -78 --separate-stderr preprocess --slow-stage load_file:0.1 $options
        contains "$stderr" "'Other heads'"
        contains "$stderr" "'sub-01/anat/sub-01_T1w.nii.gz' is another image there"
    done
    # a changed Name alone is the same dataset also now
    cp -rp "$first" "$BATS_TEST_TMPDIR/renamed"
    BIDS=$BATS_TEST_TMPDIR/renamed
    name_dataset 'Small heads, renamed'
    run -0 preprocess --slow-stage load_file:0.1 --dry-run
    wait $pid
    equal "$(memory .source.name)" 'Small heads'
    equal "$(record "$OUT" 01 '.files[0].input.sha256')" "$(sha256sum "$first/sub-01/anat/sub-01_T1w.nii.gz" | cut -d ' ' -f 1)"
    # a session that failed says nothing; 02 has results, and the other dataset has no 02
    BIDS=$first OUT=$OUT.failed
    truncate -s 20000 "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    run -1 preprocess
    BIDS=$BATS_TEST_TMPDIR/other
    rm -r "$BIDS/sub-02"
    run -78 --separate-stderr preprocess
    contains "$stderr" 'no session in common'
    complete "$OUT" 02
}

@test "another dataset is refused in a folder of an earlier version, too" {
    make_dataset "$BIDS" 01
    run -0 preprocess
    forget
    name_dataset 'Other heads'
    change_image "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    run -78 --separate-stderr preprocess
    contains "$stderr" "'Small heads'"
}

@test "a corrected image, new sessions, another path and a changed Name alone are the same dataset" {
    make_dataset "$BIDS" 01 02
    run -0 preprocess
    # a corrected image
    change_image "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    run -0 preprocess
    contains "$output" '1 to do, 1 already complete'
    # new sessions, only them selected
    make_dataset "$BIDS" 03
    run -0 preprocess --participant-label 03
    # another path, with other time stamps
    cp -r "$BIDS" "$BATS_TEST_TMPDIR/moved"
    mv "$BIDS" "$BATS_TEST_TMPDIR/away"
    BIDS=$BATS_TEST_TMPDIR/moved
    run -0 preprocess
    contains "$output" '3 already complete'
    # a changed Name alone, in a call for one session
    name_dataset 'Heads, renamed'
    run -0 preprocess --participant-label 02
    contains "$output" '1 already complete'
    equal "$(memory .source.name)" 'Heads, renamed'
    # content that is not here now says nothing against it
    mv "$BIDS/sub-01/anat/sub-01_T1w.nii.gz" "$BATS_TEST_TMPDIR/store"
    ln -s "$BATS_TEST_TMPDIR/nowhere" "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    name_dataset 'Heads, renamed again'
    run -0 preprocess --participant-label 02 03
}

@test "a damaged memory is named with what to do" {
    make_dataset "$BIDS" 01
    run -0 preprocess
    echo '{' >"$OUT/logs/folder.json"
    run -78 --separate-stderr preprocess
    contains "$stderr" 'folder.json'
    contains "$stderr" 'remove it'
    forget
    run -0 preprocess
    equal "$(memory '.configurations | length')" 1
}

# ---- what a session would overwrite ----

refusal() { record "$OUT" "$1" '.failure | "\(.code) \(.sentence)"'; }

# paint MASK: as an editor does: open, add and remove voxels, save under the same name, here in another type of number, and
# with positions that are rounded otherwise.
paint()
{
    "$PYTHON" - "$1" <<'END'
import gzip, struct, sys
data = bytearray(gzip.open(sys.argv[1]).read())
offset = int(struct.unpack("<f", data[108:112])[0])
voxels = bytearray(data[offset:])
inside = [i for i, v in enumerate(voxels) if v]
for i in inside[:2000]:
    voxels[i] = 0
head = data[:offset]
head[70:74] = struct.pack("<hh", 4, 16)
(at,) = struct.unpack("<f", data[292:296])
head[292:296] = struct.pack("<f", at + 0.01)
with gzip.open(sys.argv[1], "wb") as out:
    out.write(head + struct.pack("<%dh" % len(voxels), *voxels))
END
}

@test "two inputs for one output fail their session before any work, all named; the others go on, and --dry-run shows it" {
    make_dataset "$BIDS" 01 02
    anat=$BIDS/sub-01/anat
    cp "$anat/sub-01_T1w.nii.gz" "$anat/sub-01_run-1_acq-a_T1w.nii.gz"
    mv "$anat/sub-01_T1w.nii.gz" "$anat/sub-01_acq-a_run-1_T1w.nii.gz"
    run -0 --separate-stderr preprocess --dry-run
    contains "${lines[0]}" 'it will fail: '
    run -0 --separate-stderr preprocess --dry-run --format json
    contains "$(jq -r '.plan[0].refused' <<<"$output")" 'would both write'
    equal "$(jq -r '.plan[1].refused' <<<"$output")" null
    run -1 preprocess
    contains "$(refusal 01)" '65 '
    contains "$(refusal 01)" "'sub-01_acq-a_run-1_T1w.nii.gz' and 'sub-01_run-1_acq-a_T1w.nii.gz' would both write"
    equal "$(record "$OUT" 01 '[.files[].stages | length] | add')" 0 'stages that ran'
    no_images "$OUT/sub-01"
    complete "$OUT" 02
    run -65 preprocess --participant-label 01
    contains "$(record "$OUT" 01 .failure.hint)" 'different names'
}

@test "a bias field is an output only with --save-bias-field: then two inputs of one name clash" {
    make_dataset "$BIDS" 01
    cp "$BIDS/sub-01/anat/sub-01_T1w.nii.gz" "$BIDS/sub-01/anat/sub-01_mod-x_T1w.nii.gz"
    run -65 neuro-preprocess "$BIDS" "$OUT" participant --skull-strip skip --save-bias-field
    contains "$output" biasfield
    OUT=$OUT.2
    run -0 preprocess
}

@test "files that no record of ours names fail their session with 73 and stay as they are; the others go on" {
    make_dataset "$BIDS" 01 02
    mkdir -p "$OUT/sub-01/anat"
    for name in sub-01_desc-brain_mask.nii.gz sub-01_desc-preproc_T1w.json; do echo mine >"$OUT/sub-01/anat/$name"; done
    run -0 --separate-stderr preprocess --dry-run
    contains "${lines[0]}" 'it will fail: '
    run -0 --separate-stderr preprocess --dry-run --format json
    contains "$(jq -r '.plan[0].refused' <<<"$output")" sub-01_desc-brain_mask.nii.gz
    run -1 preprocess
    contains "$(refusal 01)" '73 '
    for name in sub-01_desc-brain_mask.nii.gz sub-01_desc-preproc_T1w.json; do
        contains "$(refusal 01)" "$name"
        equal "$(cat "$OUT/sub-01/anat/$name")" mine
    done
    contains "$(record "$OUT" 01 .failure.hint)" 'out of the way'
    complete "$OUT" 02
    run -73 preprocess --participant-label 01
    rm "$OUT"/sub-01/anat/*
    # a mask whose content git-annex has not fetched
    ln -s .git/annex/objects/mask "$OUT/sub-01/anat/sub-01_desc-brain_mask.nii.gz"
    run -73 preprocess --participant-label 01
    [[ -L $OUT/sub-01/anat/sub-01_desc-brain_mask.nii.gz ]]
    rm "$OUT"/sub-01/anat/*
    run -0 preprocess
    complete "$OUT" 01
}

@test "our own files are ours without their records, too" {
    make_dataset "$BIDS" 01
    run -0 preprocess
    rm -r "$OUT/logs"
    run -0 preprocess
    complete "$OUT" 01
}

@test "our own mask, edited in place, is never overwritten by a redo; --rerun all replaces it" {
    make_dataset "$BIDS" 01 02
    run -0 preprocess
    mask=$OUT/sub-01/anat/sub-01_desc-brain_mask.nii.gz
    paint "$mask"
    mine=$(sha256sum "$mask")
    # sizes differ, so a plain run redoes the session; a changed configuration redoes it, too
    for options in '' '--rerun outdated' '--rerun outdated --normalize percentile'; do
        # shellcheck disable=SC2086
        run -1 preprocess $options
        contains "$(refusal 01)" '73 '
        contains "$(refusal 01)" "'sub-01/anat/sub-01_desc-brain_mask.nii.gz' was edited"
        contains "$(refusal 01)" '--rerun all'
        equal "$(sha256sum "$mask")" "$mine"
        complete "$OUT" 02
    done
    # a tool that knows nothing of sidecars left none
    paint_anew() { rm -r "$OUT" && run -0 preprocess --normalize percentile && paint "$mask" && rm "${mask%.nii.gz}.json"; }
    paint_anew
    mine=$(sha256sum "$mask")
    run -1 preprocess --normalize percentile
    contains "$(refusal 01)" 'was edited'
    equal "$(sha256sum "$mask")" "$mine"
    run -0 preprocess --rerun all --normalize percentile
    [[ $(sha256sum "$mask") != "$mine" ]]
    complete "$OUT" 01
}

@test "an attempt that was killed before it wrote anything makes no file its own: neither another's nor an edited mask" {
    make_dataset "$BIDS" 01
    neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --slow-stage skull_strip:20 &
    killed=$!
    wait_until 10 '[[ $(running_stage "$OUT" 01) == skull_strip ]]'
    kill -KILL "$killed"
    wait "$killed" || true
    mask=$OUT/sub-01/anat/sub-01_desc-brain_mask.nii.gz
    mkdir -p "${mask%/*}"
    echo mine >"$mask"
    run -73 preprocess
    contains "$(refusal 01)" 'no record of ours names'
    equal "$(cat "$mask")" mine
    # complete, then an attempt that ends early, then an edit
    rm "$mask"
    run -0 preprocess
    jq '.state = "running" | .files[0].state = "running" | .files[0].stages |= map(if .name == "write_output"
        then .state = "not-started" else . end)' "$(status_path "$OUT" 01)" >"$BATS_TEST_TMPDIR/left"
    cp "$BATS_TEST_TMPDIR/left" "$(status_path "$OUT" 01)"
    rm "$OUT/logs/sub-01/sub-01_ses-unnamed_complete.json"
    paint "$mask"
    mine=$(sha256sum "$mask")
    run -73 preprocess
    contains "$(refusal 01)" 'was edited'
    equal "$(sha256sum "$mask")" "$mine"
}

# A redo of sub-01 that is at this stage for a while; its process id is in `redo`. A slow stage is refused beside results that
# had none: so those of before had one, too.
begin_redo() {
    neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --rerun all --slow-stage "$1:$2" >"$BATS_TEST_TMPDIR/redo" 2>&1 &
    redo=$!
    wait_until 20 "[[ \$(running_stage \"\$OUT\" 01) == $1 ]]"
}

@test "a mask that is painted while its redo is computed is not overwritten, nor is any other file put in place; --rerun all replaces it" {
    make_dataset "$BIDS" 01
    run -0 preprocess --slow-stage load_file:0.1
    mask=$OUT/sub-01/anat/sub-01_desc-brain_mask.nii.gz
    begin_redo normalization 3
    paint "$mask"
    others() { find "$OUT/sub-01" -type f -exec sha256sum {} + | sort; }
    mine=$(others)
    status=0
    wait "$redo" || status=$?
    equal "$status" 73
    contains "$(cat "$BATS_TEST_TMPDIR/redo")" "sub-01_desc-brain_mask.nii.gz': written by another program while this session was processed"
    equal "$(others)" "$mine"
    # from now on it is a mask that was edited: a run says so at once
    run -73 preprocess
    contains "$(refusal 01)" 'was edited'
    equal "$(others)" "$mine"
    # without its sidecar nothing proves that it is as it was made
    rm "${mask%.nii.gz}.json"
    run -73 preprocess
    contains "$(refusal 01)" 'was edited'
    run -0 preprocess --rerun all
    complete "$OUT" 01
}

@test "a mask that is painted after a run was killed while it wrote its results is not overwritten" {
    make_dataset "$BIDS" 01
    run -0 preprocess --slow-stage load_file:0.1
    mask=$OUT/sub-01/anat/sub-01_desc-brain_mask.nii.gz
    begin_redo write_output 20
    kill -KILL "$redo"
    wait "$redo" || true
    paint "$mask"
    mine=$(sha256sum "$mask")
    run -73 preprocess
    contains "$(refusal 01)" 'was edited'
    equal "$(sha256sum "$mask")" "$mine"
}

@test "a file of other people that appears while a session is processed is not overwritten" {
    make_dataset "$BIDS" 01
    mkdir "$OUT"
    neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip --slow-stage normalization:3 >"$BATS_TEST_TMPDIR/first" 2>&1 &
    first=$!
    wait_until 20 '[[ $(running_stage "$OUT" 01) == normalization ]]'
    mkdir -p "$OUT/sub-01/anat"
    echo mine >"$OUT/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz"
    status=0
    wait "$first" || status=$?
    equal "$status" 73
    equal "$(cat "$OUT/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz")" mine
    equal "$(ls "$OUT/sub-01/anat")" sub-01_desc-preproc_T1w.nii.gz
    run -73 preprocess
    contains "$(refusal 01)" 'no record of ours names'
}

@test "process and batch do not overwrite a mask of ours that was edited, nor files that appeared beside a failed attempt" {
    mkdir "$BIDS"
    cp "$(head_image)" "$BIDS/a.nii.gz"
    echo broken >"$BIDS/b.nii.gz"
    plain() { neuro-preprocess batch "$BIDS" -o "$OUT" --bias-correction none --skull-strip skip "$@"; }
    run -1 plain
    paint "$OUT/a_desc-brain_mask.nii.gz"
    echo mine >"$OUT/b_desc-brain_mask.nii.gz"
    cp "$BIDS/a.nii.gz" "$BIDS/b.nii.gz"
    mine=$(sha256sum "$OUT"/*mask.nii.gz)
    run -73 plain --rerun outdated --normalize percentile
    contains "$output" "'a_desc-brain_mask.nii.gz' was edited"
    contains "$output" "'b_desc-brain_mask.nii.gz': no record of ours"
    equal "$(sha256sum "$OUT"/*mask.nii.gz)" "$mine"
    rm "$OUT/b_desc-brain_mask.nii.gz"
    run -0 plain --rerun all --normalize percentile
}

@test "a mask that is cut, empty, on another grid or only packed again is no edit: a redo replaces it" {
    make_dataset "$BIDS" 01
    run -0 preprocess
    mask=$OUT/sub-01/anat/sub-01_desc-brain_mask.nii.gz
    ours=$(sha256sum "$mask")
    cp "$mask" "$BATS_TEST_TMPDIR/mask.nii.gz"
    truncate -s 400 "$mask"
    run -0 preprocess
    equal "$(sha256sum "$mask")" "$ours"
    gunzip -c "$BATS_TEST_TMPDIR/mask.nii.gz" | gzip -1 >"$mask"
    run -0 preprocess
    equal "$(sha256sum "$mask")" "$ours"
    # shifted by a voxel: another grid
    "$PYTHON" - "$mask" <<'END'
import gzip, struct, sys
data = bytearray(gzip.open(sys.argv[1]).read())
(at,) = struct.unpack("<f", data[292:296])
data[292:296] = struct.pack("<f", at + 3)
data[-5:] = b"\1\1\1\1\1"
gzip.open(sys.argv[1], "wb").write(data)
END
    run -0 preprocess
    equal "$(sha256sum "$mask")" "$ours"
    # empty
    gunzip -c "$BATS_TEST_TMPDIR/mask.nii.gz" | { head -c 352; tail -c +353 | tr '\001' '\000'; } | gzip >"$mask"
    run -0 preprocess
    equal "$(sha256sum "$mask")" "$ours"
}
