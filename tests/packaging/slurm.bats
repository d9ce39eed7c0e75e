#!/usr/bin/env bats
# Arrays, signals, memory, requeues and resubmission on a real Slurm of two nodes, as an ordinary user.
load helper

setup_file()
{
    packaging_environment
    [[ -n ${NP_SIF:-} && $EUID == 0 ]] || return 0
    "$TOP/scripts/install-deps.sh" slurm
    export NP_CLUSTER=$NP_DIR/slurm NP_SLURM=$NP_DIR/slurm/np-slurm
    rm -rf "$NP_CLUSTER"
    mkdir -p "$NP_CLUSTER"
    MEM=$("$TOP/tests/packaging/start-slurm.sh" limits "$NP_CLUSTER")
    export MEM
    install -m 755 "$TOP/scripts/slurm/np-slurm" "$NP_SLURM"
    MAX_ARRAY_SIZE=4 "$TOP/tests/packaging/start-slurm.sh" start "$NP_CLUSTER" 3>&- 4>&-
}

teardown_file() { [[ -z ${NP_CLUSTER:-} ]] || "$TOP/tests/packaging/start-slurm.sh" stop "$NP_CLUSTER"; }

setup()
{
    needs_root
    needs_packaging
    export SLURM_CONF=$NP_CLUSTER/slurm.conf
    OUT=$WORK/out
}

# As the user, who knows the cluster.
as_slurm() { as_user SLURM_CONF="$SLURM_CONF" TMPDIR="$WORK" PATH="$NP_VENV/bin:/usr/local/bin:/usr/bin:/bin" "$@"; }
np_slurm() { as_slurm "$NP_SLURM" "$@"; }
submit() { np_slurm submit "$NP_DEMO" "$OUT" --program "$NP_PROGRAM" "$@"; }

queue_is_empty() { local jobs && jobs=$(squeue --noheader) && [[ -z $jobs ]]; }
finish() { wait_until "${1:-60}" queue_is_empty || fail "still in the queue: $(squeue --noheader)"; }
job_of() { cat "$OUT/logs/slurm/$1/job"; }
log_of() { cat "$OUT/logs/slurm/$1/task-$2.log"; }
job_field() { scontrol show job "$1" | grep -oE "(^| )$2=[^ ]*" | head -n 1 | cut -d= -f2; }
states() { jq -r .state "$OUT"/logs/sub-*/*_status.json | sort | uniq -c | awk '{ printf "%s%d %s", sep, $1, $2; sep = ", " }'; }
stage_is() { [[ $(running_stage "$OUT" "$1") == "$2" ]]; }
attempt_states() { record "$OUT" "$1" '[.attempts[].state] | join(" ")'; }
one_session() { printf '01\t01\n' | as_user tee "$WORK/list.tsv" >/dev/null; }

@test "an array of chunks does all sessions, and a job after it sums them up" {
    run -0 submit --chunk 1 --concurrency 2
    contains "$output" '4 sessions in 4 tasks of 2 CPUs'
    equal "$(job_field "$(job_of 0001)" ArrayTaskThrottle)" 2
    finish 90
    equal "$(states)" '4 success'
    contains "$(cat "$OUT/logs/slurm/0001/summary.log")" '4 sessions submitted, 0 to run again'
    equal "$(wc -l <"$OUT/logs/status.tsv")" 5
    equal "$(find "$WORK" -maxdepth 1 -name 'np-slurm.*')" '' 'scratch folders'
    contains "$(record "$OUT" 01/01 '.process.scheduler | tostring')" "$(job_of 0001)"
    run -0 submit
    contains "$output" 'nothing to do'
    run -0 np_slurm resubmit "$OUT"
    equal "$output" 'nothing to resubmit'
}

@test "an image and an archive do as well as the program itself" {
    as_user install -D "$NP_PROGRAM" neuro-preprocess-1/bin/neuro-preprocess
    as_user tar -czf program.tar.gz neuro-preprocess-1
    one_session
    for program in program.tar.gz "$NP_SIF"; do
        OUT=$WORK/out-${program##*.}
        run -0 np_slurm submit "$NP_DEMO" "$OUT" --program "$program" --session-list list.tsv
    done
    finish
    for OUT in "$WORK/out-gz" "$WORK/out-sif"; do
        complete "$OUT" 01/01
        equal "$(states)" '1 success'
    done
}

@test "more chunks than an array holds become larger chunks; errors are found before anything is submitted" {
    make_dataset bids 01 02 03 04 05 06 07 08 09
    chown -R "$NP_USER" bids
    run -0 np_slurm submit bids "$OUT" --program "$NP_PROGRAM" --chunk 1 --dry-run
    contains "$output" '9 sessions in 3 tasks'
    [[ ! -e $OUT/logs/slurm ]] || fail 'a dry run left something'
    run -64 submit -- --nrmalize zscore
    contains "$output" --normalize
    run -64 submit -- --participant-label 01
    contains "$output" "before '--'"
    run -18 submit --participant-label 77
    run -66 np_slurm submit "$NP_DEMO" "$OUT" --program /nowhere/neuro-preprocess
    equal "$(squeue --noheader)" ''
}

# Let go what --hold holds.
release() { as_slurm scontrol release "$(squeue --noheader --format=%A | sort -u | paste -sd,)"; }

@test "changes while tasks wait: sessions submitted twice, a session withdrawn, a program that is gone" {
    as_user cp -r "$NP_DEMO" bids
    as_user cp "$NP_PROGRAM" np
    printf '{"skull-strip": "skip"}\n' | as_user tee cfg.json >/dev/null
    run -0 np_slurm submit bids "$OUT" --program ./np --chunk 2 --mem none --sbatch=--hold -- --config-file cfg.json
    run -0 np_slurm submit bids "$OUT" --program ./np -- --config-file cfg.json
    contains "$output" '4 sessions already in the queue'
    run -1 np_slurm summary "$OUT"
    contains "$output" '4 not complete yet; tasks are in the queue'
    as_user rm -r bids/sub-01/ses-02
    release
    finish 90
    equal "$(states)" '3 success'
    contains "$(log_of 0001 0)" 'sub-01 ses-02 is no longer in'
    contains "$(cat "$OUT/logs/slurm/0001/summary.log")" '4 sessions submitted, 0 to run again'
    equal "$(record "$OUT" 01/01 '.configuration.options["skull-strip"]')" skip
    run -0 np_slurm submit bids "$WORK/out-2" --program ./np --participant-label 01 --sbatch=--hold
    as_user rm np
    release
    finish
    equal "$(job_field "$(cat "$WORK/out-2/logs/slurm/0001/job")" ExitCode)" 127:0
}

@test "scancel: TERM reaches the tool, the record is interrupted, the last line is in the log; resubmit does the rest" {
    run -0 submit --chunk 1 --concurrency 1 --participant-label 01 -- --slow-stage skull_strip:60
    wait_until 30 stage_is 01/01 skull_strip
    run -75 np_slurm resubmit "$OUT"
    contains "$output" 'still in the queue'
    as_slurm scancel "$(job_of 0001)"
    finish
    state_is "$OUT" 01/01 interrupted
    contains "$(log_of 0001 0)" 'stopped by signal 15'
    no_leftovers "$OUT"
    [[ ! -e $(status_path "$OUT" 01/02) ]] || fail 'the second task had begun'
    contains "$(cat "$OUT/logs/slurm/0001/summary.log")" '2 sessions submitted, 2 to run again'
    run -0 np_slurm resubmit "$OUT" --chunk 2 --
    contains "$output" '2 sessions in 1 task'
    finish
    equal "$(states)" '2 success'
    equal "$(attempt_states 01/01)" interrupted
}

@test "a minute before the time is over the tool gets TERM" {
    one_session
    run -0 submit --session-list list.tsv --time 1 -- --slow-stage skull_strip:100
    finish 100
    state_is "$OUT" 01/01 interrupted
    contains "$(log_of 0001 0)" 'stopped by signal 15'
}

@test "too little memory is refused before any work, and resubmitted with more" {
    one_session
    run -0 submit --session-list list.tsv --mem 60M --task-exit sessions
    finish
    state_is "$OUT" 01/01 failed
    equal "$(record "$OUT" 01/01 '.failure["error.type"]')" no-memory
    equal "$(job_field "$(job_of 0001)" ExitCode)" 69:0
    run -0 np_slurm resubmit "$OUT" --reason killed
    equal "$output" 'nothing to resubmit'
    run -0 np_slurm resubmit "$OUT" --reason no-memory --mem 400M
    finish
    complete "$OUT" 01/01
}

@test "the kernel's kill for memory is distinguished from a refusal" {
    [[ $MEM == cgroup ]] || skip 'the kernel does not limit memory of jobs here'
    one_session
    run -0 submit --session-list list.tsv --mem 50M -- --mem 8G
    finish
    run -0 as_user "$NP_PROGRAM" status "$OUT" --format tsv
    contains "$output" killed
    lacks "$output" no-memory
}

@test "a task that is killed without a word is lost, and closed by the next" {
    one_session
    run -0 submit --session-list list.tsv -- --slow-stage skull_strip:60
    wait_until 30 stage_is 01/01 skull_strip
    pid=$(record "$OUT" 01/01 .process.pid)
    as_user kill -KILL "$pid" $(pgrep -P "$pid")
    finish
    state_is "$OUT" 01/01 failed # the summary's group level has closed it
    equal "$(record "$OUT" 01/01 '.failure["error.type"]')" killed
    run -0 np_slurm resubmit "$OUT" --reason killed --
    finish
    complete "$OUT" 01/01
    equal "$(attempt_states 01/01)" failed
}

@test "a requeued task continues in the same log, skips complete sessions, and completes" {
    run -0 submit --participant-label 01 --cpus 1 -- --slow-stage skull_strip:4
    wait_until 60 stage_is 01/02 skull_strip
    state_is "$OUT" 01/01 success
    id=$(job_of 0001)_0
    before=$(stat -c %Y.%i "$OUT"/sub-01/ses-01/anat/*preproc_T1w.nii.gz)
    as_slurm scontrol requeue "$id"
    wait_until 30 '[[ $(job_field "$id" Restarts) == 1 ]]'
    # Slurm lets a requeued job wait for two minutes. It can be asked for less, but not within the second of its revocation
    wait_until 30 '[[ $(job_field "$id" JobState) == PENDING ]]'
    sleep 2
    scontrol update jobid="$id" StartTime=now
    finish
    equal "$(states)" '2 success'
    equal "$(attempt_states 01/02)" interrupted
    equal "$(stat -c %Y.%i "$OUT"/sub-01/ses-01/anat/*preproc_T1w.nii.gz)" "$before" 'the first session was done again'
    contains "$(log_of 0001 0)" 'stopped by signal 15'
    contains "$(log_of 0001 0)" '1 complete, 1 already complete'
}

# --- docs/hpc.md ------------------------------------------------------------------------------------------------------------
blocks() { awk '/^```bash/ { print $2 }' "$TOP/docs/hpc.md"; }
block() { awk -v name="$1" '$0 == "```bash " name { on = 1; next } /^```$/ { on = 0 } on' "$TOP/docs/hpc.md"; }
run_block()
{
    local text
    text=$(block "$1")
    [[ -n $text ]] || fail "no block '$1'"
    run -0 as_slurm PATH="$NP_CLUSTER:$NP_DIR:$NP_VENV/bin:/usr/local/bin:/usr/bin:/bin" bids="$WORK/bids" out="$OUT" study="${S:-}" \
        bash -euo pipefail -c "$text"
}

@test "docs/hpc.md: submit, look, repair, resubmit: the failed session alone runs again" {
    as_user cp -r "$NP_DEMO" bids
    : >bids/sub-02/ses-01/anat/sub-02_ses-01_T1w.nii.gz
    run_block submit
    finish 90
    equal "$(states)" '1 failed, 3 success'
    equal "$(job_field "$(job_of 0001)" JobState)" COMPLETED # each of its sessions has a final record
    run_block status
    contains "$output" '4 sessions submitted, 1 to run again'
    cp bids/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz bids/sub-02/ses-01/anat/sub-02_ses-01_T1w.nii.gz
    run_block list
    equal "$(cat again.tsv)" $'02\t01'
    contains "$output" '2 sessions: 2 already complete'
    run_block resubmit
    equal "$(cut -f 1,2 "$OUT/logs/slurm/0002/sessions.tsv")" $'sub-02\tses-01'
    finish
    equal "$(states)" '4 success'
    run -0 np_slurm summary "$OUT"
    run_block resubmit-memory
    equal "$output" 'nothing to resubmit'
}

@test "docs/hpc.md: the other blocks; none is without a test" {
    equal "$(blocks | xargs)" 'submit submit-more status resubmit resubmit-memory estimate list preamble slices subcohort'
    as_user cp -r "$NP_DEMO" bids
    as_user rm -r bids/sub-02
    run_block submit-more
    contains "$output" 'array job'
    run_block estimate
    equal "$(wc -l <needs.tsv)" 3
    run_block slices
    equal "$(cat slice-aa)" $'01\t01\n01\t02'
    finish
    equal "$(states)" '2 success'
    equal "$(find "$OUT" -name '*desc-norm*')" '' 'with --level minimal'
}

# --- Nipoppy's own way ------------------------------------------------------------------------------------------------------
# The lines of docs/hpc.md that a study's HPC_PREAMBLE needs, as a JSON array.
preamble()
{
    {
        printf '%s\n' "source $NP_VENV/bin/activate"
        block preamble
        printf '%s\n' "$@"
    } | jq -R . | jq -s -c .
}

# nipoppy_study [LINE…]: a study of one participant, two sessions, with image, bundle and preamble.
nipoppy_study()
{
    local version
    version=$(awk '/^VERSION := / { print $3 }' "$TOP/Makefile")
    S=$WORK/study OUT=$WORK/study/derivatives/neuro-preprocess/$version/output
    as_user cp -r "$NP_DEMO" data
    as_user rm -r data/sub-02
    as_user mkdir bundle # through a pipe: the tree may be where that user cannot look
    tar -C "$TOP/nipoppy/neuro-preprocess-$version" -c . | as_user tar -C bundle -x
    nipoppy init --study "$S" --bids-source "$WORK/data"
    as_user cp "$NP_SIF" "$S/containers/neuro-preprocess_$version.sif"
    nipoppy pipeline install --study "$S" bundle
    grep -v '^ *//' "$S/global_config.json" | jq --argjson lines "$(preamble "$@")" '.HPC_PREAMBLE = $lines' >config.json
    as_user cp config.json "$S/global_config.json"
}
nipoppy() { as_slurm COLUMNS=400 nipoppy "$@"; }
nipoppy_submit() { nipoppy process --study "$S" --pipeline neuro-preprocess --hpc slurm --keep-workdir; }

@test "Nipoppy submits an array, and its tracker finds the results" {
    nipoppy_study
    run -0 nipoppy_submit
    finish 120
    equal "$(states)" '2 success'
    contains "$(record "$OUT" 01/01 '.process.scheduler | tostring')" slurm.job.id
    nipoppy track-processing --study "$S" --pipeline neuro-preprocess
    equal "$(awk -F'\t' 'NR > 1 { print $NF }' "$S/derivatives/processing_status.tsv" | sort | uniq -c | tr -s ' ')" ' 2 SUCCESS'
}

@test "scancel through Nipoppy: the record and the last lines are there, and its subcohort is the session that is left" {
    nipoppy_study 'export APPTAINERENV_NEURO_PREPROCESS_SLOW_STAGE=skull_strip:8'
    run -0 nipoppy_submit
    wait_until 60 stage_is 01/01 skull_strip
    as_slurm scancel "$(squeue --noheader --format=%F | head -n 1)_1"
    finish 120
    state_is "$OUT" 01/01 interrupted
    complete "$OUT" 01/02
    no_leftovers "$OUT"
    contains "$(cat "$S"/logs/hpc/*_1.out)" 'stopped by signal 15'
    run_block subcohort
    equal "$(cat subcohort.tsv)" $'01\t01'
    finish 120
    equal "$(states)" '2 success'
    equal "$(attempt_states 01/01)" interrupted
}
