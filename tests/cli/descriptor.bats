#!/usr/bin/env bats
# The Boutiques descriptors and the Nipoppy bundles say what the program says. (tests/packaging runs them.)
load helper

setup()
{
    cd "$TOP" || return
    VERSION_NOW=$(awk '/^VERSION := / { print $3 }' Makefile)
    BUNDLE=nipoppy/neuro-preprocess-$VERSION_NOW
    IDPS=nipoppy/neuro-preprocess-idps-$VERSION_NOW
    needs jq
}

@test "the descriptors in the tree are what the program prints ('make descriptor' renews them)" {
    run -0 diff <(neuro-preprocess --bids-exec-spec) boutiques/descriptor.json
    run -0 diff <(neuro-preprocess --boutiques) boutiques/descriptor.json
    run -0 diff <(neuro-preprocess idps --bids-exec-spec) boutiques/idps-descriptor.json
}

@test "the Nipoppy bundles hold copies of them" {
    run -0 cmp boutiques/descriptor.json "$BUNDLE/descriptor.json"
    run -0 cmp boutiques/idps-descriptor.json "$IDPS/descriptor.json"
}

@test "there is one bundle of each kind, it is flat, and its version is the program's" {
    equal "$(ls nipoppy)" "$(basename "$BUNDLE")"$'\n'"$(basename "$IDPS")"
    equal "$(find nipoppy -mindepth 2 -type d)" ''
    for config in "$BUNDLE/config.json" "$IDPS/config.json"; do
        equal "$(jq -r '"\(.NAME)-\(.VERSION)"' "$config")" "$(basename "$(dirname "$config")")"
        equal "$(jq -r .SCHEMA_VERSION "$config")" 1.0
        for file in $(jq -r '.STEPS[] | .DESCRIPTOR_FILE, .INVOCATION_FILE, .TRACKER_CONFIG_FILE // empty, .HPC_CONFIG_FILE' "$config"); do
            jq -e . "$(dirname "$config")/$file" >/dev/null
        done
    done
    equal "$(jq -r '.PROC_DEPENDENCIES[0] | "\(.NAME)-\(.VERSION)"' "$IDPS/config.json")" "$(basename "$BUNDLE")"
}

@test "no descriptor holds a variable of Nipoppy's, for Nipoppy would take it for one of the old kind" {
    run -1 grep -l '\[\[' boutiques/descriptor.json boutiques/idps-descriptor.json
}

@test "every option of the BIDS App that takes a value is an input, under its own flag" {
    local n=0
    while read -r flag; do
        n=$((n + 1))
        jq -e --arg flag "$flag" 'any(.inputs[]; .["command-line-flag"] == $flag)' boutiques/descriptor.json >/dev/null || fail "$flag"
    done < <(neuro-preprocess --print-config-schema | jq -r '.properties | keys[] | select(startswith("$") | not) | "--" + .')
    ((n > 25))
    run -0 jq -r '.inputs[].id' boutiques/descriptor.json
    for id in bids_dir output_dir analysis_level otel_endpoint config_file mem_gb; do
        grep -qx "$id" <<<"$output" || fail "$id"
    done
    for id in reports_only version help bids_exec_spec failed participants; do
        ! grep -qx "$id" <<<"$output" || fail "$id is no input"
    done
}

@test "every exit code that --explain knows is among the error codes, with its sentence" {
    local n=0
    while IFS='|' read -r _ code name meaning _; do
        code=${code// /}
        [[ $code != 0 ]] || continue
        n=$((n + 1))
        text=$(jq -r --argjson code "$code" '.["error-codes"][] | select(.code == $code).description' boutiques/descriptor.json)
        contains "$text" "${name// /}: "
        meaning=${meaning# }
        contains "$text" "${meaning% }"
        contains "$text" 'What to do: '
    done < <(grep -E '^\| [0-9]+ \|' docs/exit-codes.md)
    ((n > 12))
    equal "$(jq '.["error-codes"] | map(.code) | contains([129, 130, 137, 138, 143, 152])' boutiques/descriptor.json)" true
}

@test "folders are no File, which a driver would hash whole for every participant" {
    equal "$(jq -r '[.inputs[] | select(.type == "File").id] | join(" ")' boutiques/idps-descriptor.json)" config_file
    for id in bids_dir output_dir work_dir mask_dir metrics_textfile; do
        equal "$(jq -r --arg id $id '.inputs[] | select(.id == $id).type' boutiques/descriptor.json)" String "$id"
    done
    equal "$(jq -r '[.["output-files"][] | select(.["path-template"] == "[OUTPUT_DIR]")] | length' boutiques/descriptor.json)" 0
}

@test "every image that a run writes is an output file, in sessions and without" {
    neuro-preprocess demo-data "$BATS_TEST_TMPDIR/bids" --participants 1 --sessions 1 --size 4 >/dev/null
    make_dataset "$BATS_TEST_TMPDIR/bids" 77/1
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant --save-brain --save-bias-field --save-probseg
    jq -r '.["output-files"][] | select(.list) | .["path-template"]' boutiques/descriptor.json >"$BATS_TEST_TMPDIR/templates"
    "$PYTHON" - "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/templates" <<'END'
import glob, pathlib, sys
out = sys.argv[1]
found = [set(glob.glob(line.strip().replace("[OUTPUT_DIR]", out))) for line in open(sys.argv[2])]
assert all(found), "a template without a file"
made = {str(path) for path in pathlib.Path(out).rglob("*.nii.gz")}
assert len(made) >= 10 and set.union(*found) == made, made ^ set.union(*found)
END
}

@test "the script of a driver runs in bash, which leaves PATH alone, and becomes the program, which gets its signals" {
    for descriptor in boutiques/descriptor.json boutiques/idps-descriptor.json; do
        equal "$(jq -r .shell $descriptor)" /bin/bash
        equal "$(jq -r '.["command-line"] | startswith("exec neuro-preprocess ")' $descriptor)" true
        equal "$(jq -r '.["container-image"].image | split(":")[1]' $descriptor)" "$VERSION_NOW"
    done
}

@test "idps: one row an image that is complete, under the names of Nipoppy's tables, with a dictionary of every column" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01 02/1
    cut=$BATS_TEST_TMPDIR/bids/sub-03/anat
    mkdir -p "$cut"
    head -c 20000 "$(head_image)" >"$cut/sub-03_T1w.nii.gz"
    run -1 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant
    table=$BATS_TEST_TMPDIR/idps/neuro-preprocess_idps.tsv
    run -0 neuro-preprocess idps "$BATS_TEST_TMPDIR/out" -o "$BATS_TEST_TMPDIR/idps"
    contains "$output" '2 images of 2 sessions'
    equal "$(cut -f 1-5 "$table")" "$(printf '%s\n' $'participant_id\tbids_participant_id\tsession_id\tbids_session_id\tmodality' \
        $'01\tsub-01\tunnamed\tn/a\tT1w' $'02\tsub-02\t1\tses-1\tT1w')"
    equal "$(head -n 1 "$table" | tr '\t' '\n')" "$(jq -r 'keys_unsorted[]' "${table%.tsv}.json")"
    column=$(head -n 1 "$table" | tr '\t' '\n' | grep -nx skull_strip_volume | cut -d: -f1)
    equal "$(sed -n 2p "$table" | cut -f "$column")" "$(record "$BATS_TEST_TMPDIR/out" 01 '.files[0].measures["skull_strip.volume"].value')"
    equal "$(jq -r .skull_strip_volume.Units "${table%.tsv}.json")" mm3
}

@test "idps: an output without a complete image gives no table, status 18; a folder that is none of ours 66" {
    mkdir -p "$BATS_TEST_TMPDIR/out/logs"
    run -18 neuro-preprocess idps "$BATS_TEST_TMPDIR/out" -o "$BATS_TEST_TMPDIR/idps"
    [[ ! -e $BATS_TEST_TMPDIR/idps ]]
    run -66 neuro-preprocess idps "$BATS_TEST_TMPDIR" -o "$BATS_TEST_TMPDIR/idps"
    run -64 neuro-preprocess idps "$BATS_TEST_TMPDIR/out"
    contains "$output" '-o DIR'
}
