#!/usr/bin/env bats
# The bundles in nipoppy/ with the real Nipoppy, bosh and Apptainer, as an ordinary user, on small cohorts.
load helper

setup()
{
    needs_packaging
    VERSION_NOW=$(awk '/^VERSION := / { print $3 }' "$TOP/Makefile")
    BUNDLES=$NP_DIR/bundles
    rm -rf "$BUNDLES"
    cp -r "$TOP/nipoppy" "$BUNDLES"
    chmod -R a+rX "$BUNDLES"
    S=$WORK/study
    OUT=$S/derivatives/neuro-preprocess/$VERSION_NOW/output
    DATA=$WORK/data
}

# With a wide page, so that a message stays on one line.
nipoppy() { in_venv COLUMNS=400 PYTHONUNBUFFERED=1 nipoppy "$@"; }
process() { nipoppy process --study "$S" --pipeline neuro-preprocess "$@"; }
track() { nipoppy track-processing --study "$S" --pipeline neuro-preprocess; }
extract() { nipoppy extract --study "$S" --pipeline neuro-preprocess-idps; }
nipoppy_log() { cat "$S"/logs/nipoppy/process/*/*.log | tr -s ' \n' ' '; }

# A study of the dataset in $DATA, with image and bundles in place.
study()
{
    nipoppy init --study "$S" --bids-source "$DATA" >/dev/null
    as_user cp "$NP_SIF" "$S/containers/neuro-preprocess_$VERSION_NOW.sif"
    for bundle in "$BUNDLES"/*; do nipoppy pipeline install --study "$S" "$bundle" >/dev/null; done
}

demo() { as_user cp -r "$NP_DEMO" "$DATA"; }
T1W=sub-02/ses-02/anat/sub-02_ses-02_T1w.nii.gz
cut_image() { as_user truncate -s 20000 "$DATA/$1"; }

# The processing status as "01/01 SUCCESS", one a line.
states() { awk -F'\t' 'NR > 1 { print $1 "/" $3, $NF }' "$S/derivatives/processing_status.tsv" | LC_ALL=C sort; }
# Sessions that the last command started.
started() { sed -n 's/.*Running for participant \([^,]*\), session \([^ ]*\).*/\1\/\2/p' <<<"$output" | LC_ALL=C sort; }
valid_dataset() { run -0 in_venv bids-validator-deno "$1"; lacks "$output" '[ERROR]'; }

@test "Nipoppy finds both bundles valid, and nothing to warn of" {
    for bundle in "$BUNDLES"/*; do
        run -0 nipoppy pipeline validate "$bundle"
        contains "$output" 'The pipeline files are all valid'
        lacks "$output" WARNING
    done
}

@test "2 participants x 2 sessions, one image broken: 161, three successes, the reason in the log; then only the broken one; mended, 0; then 162" {
    demo
    study
    cut_image "$T1W"

    run -0 process --simulate
    equal "$(started)" $'01/01\n01/02\n02/01\n02/02'
    contains "$output" "exec neuro-preprocess $DATA $OUT participant --work-dir"
    contains "$output" '--participant-label 01 --session-label 01 --allow-empty'
    [[ ! -e $OUT/sub-01 ]]

    run -161 process
    equal "$(started)" $'01/01\n01/02\n02/01\n02/02'
    contains "$output" 'Ran for 3 out of 4'
    contains "$(nipoppy_log)" 'bad-data at load_file'
    contains "$(nipoppy_log)" 'bad-data: the input image is corrupt or unusable. What to do: convert or fetch the image again'
    run -0 track
    equal "$(states)" $'01/01 SUCCESS\n01/02 SUCCESS\n02/01 SUCCESS\n02/02 FAIL'
    run -0 nipoppy status --study "$S"
    contains "$output" neuro-preprocess
    valid_dataset "$OUT"

    before=$(fingerprint "$OUT/sub-01")
    run -161 process
    equal "$(started)" 02/02
    equal "$(fingerprint "$OUT/sub-01")" "$before"

    as_user cp "$NP_DEMO/$T1W" "$DATA/$T1W"
    run -0 process
    equal "$(started)" 02/02
    run -0 track
    equal "$(states | grep -c SUCCESS)" 4
    run -162 process
    equal "$(fingerprint "$OUT/sub-01")" "$before"
    valid_dataset "$OUT"
}

@test "'nipoppy run', the deprecated name of 'process', does the same" {
    demo
    as_user rm -r "$DATA/sub-02" "$DATA/sub-01/ses-02"
    study
    run -0 nipoppy run --study "$S" --pipeline neuro-preprocess
    complete "$OUT" 01/01
}

@test "participants without sessions, with sessions, and a session without images in one dataset: all are tracked" {
    as_user mkdir -p "$DATA/sub-05/anat" "$DATA/sub-06/ses-2/anat" "$DATA/sub-06/ses-3/func"
    as_user cp "$NP_DEMO"/dataset_description.json "$NP_DEMO"/README.md "$DATA/"
    as_user cp "$NP_DEMO/$T1W" "$DATA/sub-05/anat/sub-05_T1w.nii.gz"
    as_user cp "$NP_DEMO/$T1W" "$DATA/sub-06/ses-2/anat/sub-06_ses-2_T1w.nii.gz"
    as_user touch "$DATA/sub-06/ses-3/func/sub-06_ses-3_task-rest_events.tsv"
    study
    run -0 process
    equal "$(started)" $'05/unnamed\n06/2\n06/3'
    run -0 track
    equal "$(states)" $'05/unnamed SUCCESS\n06/2 SUCCESS\n06/3 SUCCESS'
    [[ -f $OUT/sub-05/anat/sub-05_desc-preproc_T1w.nii.gz && ! -e $OUT/sub-05/ses-unnamed ]]
    state_is "$OUT" 06/3 nothing-to-do
    valid_dataset "$OUT"
    run -162 process
}

@test "a dataset without sessions, one image broken: the other participant is complete, the broken one is tried again" {
    as_user mkdir -p "$DATA/sub-05/anat" "$DATA/sub-06/anat"
    as_user cp "$NP_DEMO"/dataset_description.json "$NP_DEMO"/README.md "$DATA/"
    as_user cp "$NP_DEMO/$T1W" "$DATA/sub-05/anat/sub-05_T1w.nii.gz"
    as_user cp "$NP_DEMO/$T1W" "$DATA/sub-06/anat/sub-06_T1w.nii.gz"
    cut_image sub-06/anat/sub-06_T1w.nii.gz
    study
    run -161 process
    run -0 track
    equal "$(states)" $'05/unnamed SUCCESS\n06/unnamed FAIL'
    equal "$(as_user "$NP_PROGRAM" status "$OUT" --format nipoppy)" $'06\tunnamed'
    run -161 process
    equal "$(started)" 06/unnamed
}

@test "'status --format nipoppy' writes a subcohort for Nipoppy: the failed sessions and no others" {
    demo
    study
    cut_image "$T1W"
    cut_image sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz
    run -161 process
    as_user "$NP_PROGRAM" status "$OUT" --format nipoppy | as_user tee failed.tsv >/dev/null
    equal "$(cat failed.tsv)" $'01\t01\n02\t02'
    for image in "$T1W" sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz; do as_user cp "$NP_DEMO/$image" "$DATA/$image"; done
    run -0 process --use-subcohort failed.tsv
    equal "$(started)" $'01/01\n02/02'
    equal "$(as_user "$NP_PROGRAM" status "$OUT" --format nipoppy)" ''
}

# set_option NAME VALUE: in the invocation file of the installed pipeline, as users do between two calls.
set_option()
{
    local file=$S/pipelines/processing/neuro-preprocess-$VERSION_NOW/invocation.json
    jq --arg name "$1" --arg value "$2" '.[$name] = $value' "$file" | as_user tee "$WORK/invocation.json" >/dev/null
    as_user cp "$WORK/invocation.json" "$file"
}
process_one() { process --participant-id "$1" --session-id "$2"; }
configurations() { as_user "$NP_PROGRAM" status "$OUT" --format json | jq -c '[.configurations[] | [.configuration, .n_sessions]]'; }

@test "normalize changed in invocation.json between two calls of one session each: refused and named, no mixed folder; then the ways on" {
    demo
    study
    run -0 process_one 01 01
    set_option normalize percentile
    run -161 process_one 01 02
    contains "$(nipoppy_log)" 'holds another configuration (normalize: zscore there, percentile here)'
    contains "$(nipoppy_log)" 'a redo is 1 session'
    [[ ! -e $OUT/sub-01/ses-02 ]]
    equal "$(configurations)" '[["defaults",1]]'
    run -0 track
    equal "$(states)" $'01/01 SUCCESS\n01/02 FAIL\n02/01 FAIL\n02/02 FAIL'
    # the new configuration becomes the folder's: what was made otherwise is in the list until it is redone
    set_option rerun outdated
    run -0 process_one 01 02
    equal "$(as_user "$NP_PROGRAM" status "$OUT" --format nipoppy)" $'01\t01'
    contains "$(as_user "$NP_PROGRAM" status "$OUT")" '2 configurations'
    as_user "$NP_PROGRAM" status "$OUT" --format nipoppy | as_user tee again.tsv >/dev/null
    as_user rm -r "$OUT/logs/sub-01/sub-01_ses-01_complete.json" # what its tracker looks for: it starts the session again
    run -0 track
    run -0 process --use-subcohort again.tsv
    equal "$(started)" 01/01
    equal "$(configurations)" '[["normalize=percentile",2]]'
    run -0 extract
    idps=$S/derivatives/neuro-preprocess/$VERSION_NOW/idp/neuro-preprocess_idps.tsv
    equal "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "configuration") c = i; next } { print $c }' "$idps" | sort -u)" normalize=percentile
}

@test "the group step writes the table of the sessions, the extraction the table of measures with its dictionary" {
    demo
    study
    cut_image "$T1W"
    run -161 process
    run -0 process --pipeline-step group
    equal "$(cut -f 1-3 "$OUT/logs/status.tsv" | grep -c success)" 3
    run -0 track
    run -0 extract
    idps=$S/derivatives/neuro-preprocess/$VERSION_NOW/idp/neuro-preprocess_idps
    equal "$(cut -f 1,3 "$idps.tsv" | tr '\t' '/')" $'participant_id/session_id\n01/01\n01/02\n02/01'
    equal "$(head -n 1 "$idps.tsv" | tr '\t' '\n')" "$(jq -r 'keys_unsorted[]' "$idps.json")"
    valid_dataset "$OUT"
}

# attribute NAME: its value in the telemetry of the runs
attribute() { jq -r --arg name "$1" '.resourceSpans[]?.resource.attributes[] | select(.key == $name).value.stringValue' "$OUT"/logs/telemetry/*.otlp.jsonl | sort -u; }

@test "settings of the study reach the program in its cleaned environment: by CONTAINER_CONFIG, and by APPTAINERENV_" {
    demo
    as_user rm -r "$DATA/sub-02"
    study
    as_user sed -i 's,"PYTHONUNBUFFERED": "1","OTEL_SERVICE_NAME": "north"\, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",' "$S/global_config.json"
    run -0 in_venv COLUMNS=400 APPTAINERENV_SLURM_JOB_ID=4711 APPTAINERENV_OTEL_RESOURCE_ATTRIBUTES=site.name=north,cohort=a \
        SLURM_CLUSTER_NAME=lost nipoppy process --study "$S" --pipeline neuro-preprocess --participant-id 01 --session-id 01
    contains "$output" 127.0.0.1:9 # where it would be sent; nobody listens there, and that fails nothing
    equal "$(attribute service.name)" north
    equal "$(attribute slurm.job.id)" 4711
    equal "$(attribute site.name) $(attribute cohort)" 'north a'
    equal "$(attribute slurm.cluster.name)" ''
}

@test "without a container (COMMAND null) the bundle runs the program that is installed" {
    demo
    as_user rm -r "$DATA/sub-02"
    study
    as_user rm "$S/containers"/*.sif
    as_user touch "$S/containers/neuro-preprocess_$VERSION_NOW.sif"
    as_user sed -i 's/"COMMAND": "apptainer"/"COMMAND": null/' "$S/global_config.json"
    run -0 in_venv PATH="$(dirname "$NP_PROGRAM"):$NP_VENV/bin:/usr/bin:/bin" COLUMNS=400 \
        nipoppy process --study "$S" --pipeline neuro-preprocess
    complete "$OUT" 01/02
}

# Blocks marked sh of a document, one after the other, in one shell; PATH, and what lies in the clone, as the document says.
run_document()
{
    local clone=$WORK/neuro-preprocess packages
    as_user mkdir -p "$clone/build" "$WORK/here"
    as_user ln -s "$NP_PROGRAM" "$clone/build/neuro-preprocess"
    as_user ln -s "$NP_SIF" "$clone/build/neuro-preprocess_$VERSION_NOW.sif"
    as_user ln -s "$BUNDLES" "$clone/nipoppy"
    install -d -m 755 "$NP_DIR/boutiques"
    install -m 644 "$TOP"/boutiques/*.json "$NP_DIR/boutiques/"
    as_user ln -s "$NP_DIR/boutiques" "$clone/boutiques"
    awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$TOP/$1" | as_user tee "$WORK/document.sh" >/dev/null
    [[ $(wc -l <"$WORK/document.sh") -gt 5 ]]
    # The document's own environment finds its packages in ours, so that nothing is fetched.
    packages=$(echo "$NP_VENV"/lib/python3*/site-packages)
    cd "$WORK/here" || return
    run -0 as_user NP="$clone" PYTHONPATH="$packages" PATH="$NP_VENV/bin:/usr/local/bin:/usr/bin:/bin" COLUMNS=400 bash -eu "$WORK/document.sh"
}

@test "docs/04-nipoppy-integration.md: from nothing to a finished cohort, every block unchanged" {
    run_document docs/04-nipoppy-integration.md
    contains "$output" 'ended with 161'
    S=$WORK/here/study
    equal "$(states | grep -c SUCCESS)" 4
    [[ -s $S/derivatives/neuro-preprocess/$VERSION_NOW/idp/neuro-preprocess_idps.tsv ]]
    [[ -s $S/derivatives/neuro-preprocess/$VERSION_NOW/output/logs/status.tsv ]]
}

@test "docs/boutiques.md: every block unchanged" {
    run_document docs/boutiques.md
    contains "$output" '3 passed'
    [[ -s $WORK/here/demo-idps/neuro-preprocess_idps.tsv ]]
}
