#!/usr/bin/env bats
# The Boutiques descriptor with the real bosh and the real Apptainer, as an ordinary user; and the command lines that other
# drivers generate, word by word.
load helper

setup()
{
    needs_packaging
    install -d -m 755 "$NP_DIR/boutiques"
    install -m 644 "$TOP"/boutiques/*.json "$NP_DIR/boutiques/"
    DESCRIPTOR=$NP_DIR/boutiques/descriptor.json
    DESCRIPTOR_IDPS=$NP_DIR/boutiques/idps-descriptor.json
}

bosh() { in_venv bosh "$@"; }
in_image() { bosh exec launch --imagepath "$NP_SIF" --force-apptainer --no-pull "$@"; }

# The program itself on PATH, for runs without a container.
with_program() { as_user PATH="$(dirname "$NP_PROGRAM"):$NP_VENV/bin:/usr/local/bin:/usr/bin:/bin" "$@"; }

# invocation NAME JSON: a file of that name in the present folder
invocation() { as_user tee "$1" >/dev/null <<<"$2"; }
demo() { as_user cp -r "$NP_DEMO" "${1:-demo}"; }
cut_image() { as_user truncate -s 20000 "$1"; }
valid_dataset() { run -0 in_venv bids-validator-deno "$1"; lacks "$output" '[ERROR]'; }

@test "bosh finds the descriptors and their examples valid" {
    run -0 bosh validate "$DESCRIPTOR"
    run -0 bosh validate "$DESCRIPTOR_IDPS"
    run -0 bosh invocation -i "$NP_DIR/boutiques/invocation.json" "$DESCRIPTOR"
    run -0 bosh invocation -i "$NP_DIR/boutiques/idps-invocation.json" "$DESCRIPTOR_IDPS"
    run ! bosh invocation -i '{"bids_dir": "a", "output_dir": "b", "analysis_level": "cohort"}' "$DESCRIPTOR"
}

@test "bosh writes the command line that we mean, lists joined behind their flag, values quoted" {
    run -0 bosh exec simulate -i "$NP_DIR/boutiques/invocation.json" "$DESCRIPTOR"
    contains "$output" 'exec neuro-preprocess demo demo-out participant --participant-label 01 --nprocs 2'
    invocation i.json '{"bids_dir": "my data", "output_dir": "out", "analysis_level": "session", "participant_label": ["01", "02"],
        "session_label": ["a", "b"], "mem_gb": 4.5, "dry_run": true, "allow_empty": false, "otel_endpoint": "http://[::1]:4318",
        "normalize": "whitestripe", "config_file": "study settings.json"}'
    run -0 bosh exec simulate -i i.json "$DESCRIPTOR"
    contains "$output" "exec neuro-preprocess 'my data' out session --participant-label 01 02 --session-label a b"
    for words in '--normalize whitestripe' '--mem-gb 4.5' --dry-run "--otel-endpoint 'http://[::1]:4318'" "--config-file 'study settings.json'"; do
        contains "$output" "$words"
    done
    lacks "$output" --allow-empty
}

@test "the program understands every flag of an invocation that bosh makes from the descriptor" {
    for _ in 1 2 3; do
        run -0 bosh exec simulate --complete "$DESCRIPTOR"
        line=$(sed -n 's/^exec neuro-preprocess //p' <<<"$output" | tail -n 1)
        [[ -n $line ]]
        # The values are noise: the program may refuse one (64, 78) or miss a file (66), but knows each flag.
        # shellcheck disable=SC2086 # bosh's words
        run with_program neuro-preprocess $line
        [[ $status == 64 || $status == 66 || $status == 78 ]] || fail "status $status: $output"
        lacks "$output" 'unknown option'
        lacks "$output" 'not an option of'
    done
}

@test "launch with --imagepath: the demo is preprocessed, the products are found, the output is a valid dataset" {
    demo
    run -0 in_image "$DESCRIPTOR" "$NP_DIR/boutiques/invocation.json"
    contains "$output" 'demo-out/dataset_description.json (dataset_description, Required)'
    contains "$output" 'demo-out/CITATION.md (methods_text, Required)'
    complete demo-out 01/01
    complete demo-out 01/02
    [[ ! -e demo-out/sub-02 ]]
    valid_dataset demo-out

    invocation group.json '{"bids_dir": "demo", "output_dir": "demo-out", "analysis_level": "group"}'
    run -0 in_image "$DESCRIPTOR" group.json
    contains "$output" 'demo-out/logs/status.tsv (status_table'
    valid_dataset demo-out

    run -0 in_image "$DESCRIPTOR_IDPS" "$NP_DIR/boutiques/idps-invocation.json"
    contains "$output" 'demo-idps/neuro-preprocess_idps.tsv (idps, Required)'
    equal "$(wc -l <demo-idps/neuro-preprocess_idps.tsv)" 3
}

@test "the plain form takes the image that lies in the folder under its published name" {
    demo
    image=$(jq -r '.["container-image"].image' "$DESCRIPTOR" | tr '/:' '--').simg
    as_user ln -s "$NP_SIF" "$image"
    run -0 bosh exec launch "$DESCRIPTOR" "$NP_DIR/boutiques/invocation.json"
    contains "$output" "Local ($image)"
    complete demo-out 01/01
}

@test "the exit code is the program's, and bosh prints our sentence for it" {
    demo
    cut_image demo/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz
    expect() {
        run -"$1" in_image "$DESCRIPTOR" i.json
        contains "$output" "$(jq -r --argjson code "$1" '.["error-codes"][] | select(.code == $code).description' "$DESCRIPTOR")"
    }
    invocation i.json '{"bids_dir": "nowhere", "output_dir": "out", "analysis_level": "participant"}'
    expect 66
    invocation i.json '{"bids_dir": "demo", "output_dir": "out", "analysis_level": "participant", "participant_label": ["77"]}'
    expect 18
    invocation i.json '{"bids_dir": "demo", "output_dir": "out", "analysis_level": "participant", "participant_label": ["01"], "session_label": ["01"]}'
    expect 65
    invocation i.json '{"bids_dir": "demo", "output_dir": "out", "analysis_level": "participant", "participant_label": ["01"]}'
    expect 1
}

@test "bosh test: all tests in the descriptors pass" {
    demo
    run -0 bosh test --imagepath "$NP_SIF" "$DESCRIPTOR"
    contains "$output" '3 passed'
    run -0 bosh test --imagepath "$NP_SIF" "$DESCRIPTOR_IDPS"
    contains "$output" '1 passed'
}

@test "a file given as input is bound into the container, in any folder" {
    demo
    as_user mkdir settings
    as_user tee settings/study.json >/dev/null <<<'{"normalize": "percentile"}'
    invocation i.json '{"bids_dir": "demo", "output_dir": "out", "analysis_level": "participant", "participant_label": ["01"],
        "session_label": ["01"], "config_file": "settings/study.json"}'
    run -0 in_image "$DESCRIPTOR" i.json
    equal "$(record out 01/01 .configuration.options.normalize)" percentile
}

# bosh stops reading when the program has gone: what is still in the pipe then is lost, unless the program waits for it.
stream_once()
{
    local status=0
    with_program bosh exec launch --stream --no-container --skip-data-collection "$DESCRIPTOR" "$1.json" >"$BATS_TEST_TMPDIR/$1-$2" 2>&1 || status=$?
    echo "status $status" >>"$BATS_TEST_TMPDIR/$1-$2"
}

# stream NAME N: N runs, some at once; then for each of them what must be in its output.
stream()
{
    # Two at once; a bare 'wait' would wait for the timer of the tests' own time limit too.
    local runs=()
    for i in $(seq "$2"); do
        stream_once "$1" "$i" &
        runs+=($!)
        ((${#runs[@]} < 2)) || { wait "${runs[0]}" && runs=("${runs[@]:1}"); }
    done
    wait "${runs[@]}"
    for text in "${@:3}"; do
        for i in $(seq "$2"); do
            grep -qF "$text" "$BATS_TEST_TMPDIR/$1-$i" || fail "run $i lacks '$text': $(tail -n 20 "$BATS_TEST_TMPDIR/$1-$i")" || return
        done
    done
}

one_session()
{
    demo
    with_program neuro-preprocess demo out participant --participant-label 01 --session-label 01 >/dev/null
}

@test "under --stream, without a container, the last line is there in 20 of 20 runs" {
    one_session
    invocation good.json '{"bids_dir": "demo", "output_dir": "out", "analysis_level": "participant", "participant_label": ["01"], "session_label": ["01"]}'
    invocation bad.json '{"bids_dir": "nowhere", "output_dir": "out", "analysis_level": "participant"}'
    stream good 10 '1 already complete' 'status 0'
    stream bad 10 'What to do: check the path' 'status 66'
}

@test "a long answer is whole under --stream too" {
    one_session
    # shellcheck disable=SC2016 # the user's own shell expands it
    as_user bash -c 'mkdir demo/sub-x{1..60} && cd out/logs && for i in {1..60}; do mkdir sub-x$i
        jq ".participant = \"x$i\" | .state = \"failed\" | .failure = {code: 65, error: \"NP_EFORMAT\", stage: \"stage$i\",
            sentence: \"a reason of its own\", hint: \"look\"}" sub-01/sub-01_ses-01_status.json \
            >sub-x$i/sub-x${i}_ses-01_status.json; done'
    invocation group.json '{"bids_dir": "demo", "output_dir": "out", "analysis_level": "group"}'
    stream group 4 'at stage60: 1' 'to rerun: 60' 'status 0'
}

@test "names that are no UTF-8 do not break a driver that decodes our output" {
    demo
    bad=$(printf 'demo/sub-01/ses-01/anat/sub-01_ses-01_acq-caf\xe9_T1w.nii.gz')
    as_user cp demo/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz "$bad"
    as_user cp demo/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz demo/sub-01/ses-01/anat/sub-01_ses-01_acq-é_T1w.nii.gz
    cut_image "$bad"
    invocation i.json '{"bids_dir": "demo", "output_dir": "out-é", "analysis_level": "participant", "participant_label": ["01"]}'
    run in_image --stream "$DESCRIPTOR" i.json
    lacks "$output" Traceback
    [[ $status == 0 || $status == 1 || $status == 65 ]] || fail "status $status: $output"
    iconv -f UTF-8 -t UTF-8 <<<"$output" >/dev/null
    [[ -f out-é/dataset_description.json ]]
}

# What BABS generates for a study in session mode and a container whose name has "prep" in it: the filter file with its keys,
# the image run with the whole analysis folder bound, subjects with their prefix, input files as links into an annex.
babs_filter()
{
    as_user tee ses-01_filter.json >/dev/null <<'JSON'
{
"fmap": {"datatype": "fmap"},
"sbref": {"datatype": "func", "session": "01", "suffix": "sbref"},
"flair": {"datatype": "anat", "session": "01", "suffix": "FLAIR"},
"t2w": {"datatype": "anat", "session": "01", "suffix": "T2w"},
"t1w": {"datatype": "anat", "session": "01", "suffix": "T1w"},
"roi": {"datatype": "anat", "session": "01", "suffix": "roi"}
}
JSON
}

babs_run()
{
    container run -B "$PWD" --containall "$NP_SIF" "$PWD/inputs/data/BIDS" "$PWD/outputs/neuro-preprocess" participant \
        --bids-filter-file "$PWD/ses-01_filter.json" -w "$PWD/.git/tmp/wkdir" --n_cpus 2 --mem-gb 4 --stop-on-first-crash \
        --skip-bids-validation --notrack -v -v --participant-label "$1"
}

@test "BABS: its filter file, flags and annexed inputs; one session of the participant, and a valid dataset" {
    as_user mkdir -p inputs/data outputs/neuro-preprocess .git/tmp/wkdir
    demo inputs/data/BIDS
    babs_filter
    # as git-annex leaves files: links to read-only content, which may not be there
    # shellcheck disable=SC2016 # the user's own shell expands it
    as_user bash -c 'cd inputs/data/BIDS && find . -name "*.nii.gz" | while read -r file; do
        key=.git/annex/objects/$(basename "$file"); mkdir -p "$(dirname "$key")"
        mv "$file" "$key" && chmod 444 "$key" && ln -s "../../../$key" "$file"; done
        rm -f .git/annex/objects/sub-02_ses-01_T1w.nii.gz'
    run -0 babs_run sub-01
    complete outputs/neuro-preprocess 01/01
    [[ ! -e outputs/neuro-preprocess/sub-01/ses-02 && ! -e outputs/neuro-preprocess/sub-02 ]]
    valid_dataset outputs/neuro-preprocess

    run -66 babs_run sub-02
    contains "$output" 'sub-02_ses-01_T1w.nii.gz'
    contains "$output" 'fetch'
    equal "$(record outputs/neuro-preprocess 02/01 .failure.name)" no-input
}

# CBRAIN's Boutiques runner: a task folder with a link to the dataset, relative paths, the generated line in a script of the
# container's shell, in a container that sees the task folder and the data alone.
@test "CBRAIN: relative paths in a task folder, the dataset a link, the line as its Boutiques runner generates it" {
    as_user mkdir task data
    demo data/ds-demo
    as_user ln -s "$PWD/data/ds-demo" task/ds-demo
    invocation task/i.json '{"bids_dir": "ds-demo", "output_dir": "neuro-preprocess-out", "analysis_level": "participant",
        "participant_label": ["sub-01"], "session_label": ["ses-02"], "nprocs": 1, "mem_gb": 2, "skip_bids_validation": true}'
    run -0 bosh exec simulate -i task/i.json "$DESCRIPTOR"
    line=$(tail -n 1 <<<"$output")
    equal "$line" 'exec neuro-preprocess ds-demo neuro-preprocess-out participant --participant-label sub-01 --session-label ses-02 --nprocs 1 --mem-gb 2 --skip-bids-validation'
    as_user tee task/.task.sh >/dev/null <<<"cd $PWD/task && $line"
    run -0 container exec --containall --no-home --cleanenv --writable-tmpfs -B "$PWD/task" -B "$PWD/data" -H "$PWD/task" \
        "$NP_SIF" "$(jq -r .shell "$DESCRIPTOR")" "$PWD/task/.task.sh"
    complete task/neuro-preprocess-out 01/02
    valid_dataset task/neuro-preprocess-out
}
