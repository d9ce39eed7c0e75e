#!/usr/bin/env bats
# Runs over time: what is skipped, redone, locked, interrupted, killed; and faults made on purpose.
load helper

setup() { OUT=$BATS_TEST_TMPDIR/out BIDS=$BATS_TEST_TMPDIR/bids; }

preprocess() { neuro-preprocess "$BIDS" "$OUT" participant "$@"; }

# The same in the background, without the harness's descriptors; $pid is its process.
start()
{
    neuro-preprocess "$BIDS" "$OUT" participant "$@" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- &
    pid=$!
}

# The stamps of everything in the output, to see what a run touched.
stamps() { (cd "$OUT" && find sub-* logs/sub-* -type f -printf '%p %T@ %i\n' | LC_ALL=C sort); }

@test "a complete session is skipped and not touched" {
    make_dataset "$BIDS" 01 02/1
    run -0 preprocess
    contains "$output" ' 2 sessions to do; '
    contains "$output" ' 2 complete; '
    before=$(stamps)
    run -0 preprocess
    contains "$output" ' 2 sessions: 2 already complete; '
    equal "$(stamps)" "$before"
}

@test "a failed session is tried again without being asked, the others are kept" {
    make_dataset "$BIDS" 01 02
    cp "$BIDS/sub-02/anat/sub-02_T1w.nii.gz" "$BATS_TEST_TMPDIR/good.nii.gz"
    truncate -s 20000 "$BIDS/sub-02/anat/sub-02_T1w.nii.gz"
    run -1 preprocess
    complete "$OUT" 01
    state_is "$OUT" 02 failed
    before=$(stamps | grep sub-01)
    cp "$BATS_TEST_TMPDIR/good.nii.gz" "$BIDS/sub-02/anat/sub-02_T1w.nii.gz"
    run -0 preprocess
    complete "$OUT" 02
    equal "$(stamps | grep sub-01)" "$before"
    equal "$(record "$OUT" 02 '.attempts | length')" 1
    contains "$(record "$OUT" 02 '.attempts[0].reason')" bad-data
    equal "$(record "$OUT" 02 '.attempts[0].state')" failed
}

@test "when all fail for one reason the code is that reason's, for two reasons 1" {
    make_dataset "$BIDS" 01 02
    for s in 01 02; do truncate -s 20000 "$BIDS/sub-$s/anat/sub-${s}_T1w.nii.gz"; done
    run -65 preprocess
    rm "$BIDS/sub-02/anat/sub-02_T1w.nii.gz"
    ln -s /nowhere/at/all "$BIDS/sub-02/anat/sub-02_T1w.nii.gz"
    run -1 preprocess
}

@test "a missing output, or a changed input, makes a session incomplete" {
    make_dataset "$BIDS" 01 02
    run -0 preprocess
    rm "$OUT/sub-01/anat/sub-01_desc-brain_mask.nii.gz"
    before=$(stamps | grep sub-02)
    run -0 preprocess
    [[ -f $OUT/sub-01/anat/sub-01_desc-brain_mask.nii.gz ]]
    equal "$(stamps | grep sub-02)" "$before"
    # a new time stamp alone is no change: the hash decides
    touch "$BIDS/sub-02/anat/sub-02_T1w.nii.gz"
    run -0 preprocess
    equal "$(stamps | grep sub-02)" "$before"
}

@test "another configuration stops the run before any work, with both remedies" {
    make_dataset "$BIDS" 01 02
    run -0 preprocess
    before=$(stamps)
    run -78 --separate-stderr preprocess --normalize percentile
    contains "$stderr" '--rerun outdated'
    contains "$stderr" 2
    equal "$(stamps)" "$before"
    run -0 preprocess --normalize percentile --rerun outdated
    contains "$(cat "$OUT/sub-01/anat/sub-01_desc-norm_T1w.json")" percentile
    complete "$OUT" 01
}

@test "--rerun all gives the same bytes again; --rerun failed leaves sessions that never started" {
    make_dataset "$BIDS" 01
    run -0 preprocess
    before=$(fingerprint "$OUT")
    inode=$(stat -c %i "$OUT/sub-01/anat/sub-01_desc-norm_T1w.nii.gz")
    run -0 preprocess --rerun all
    equal "$(fingerprint "$OUT")" "$before"
    [[ $(stat -c %i "$OUT/sub-01/anat/sub-01_desc-norm_T1w.nii.gz") != "$inode" ]]
    make_dataset "$BIDS" 01 02
    truncate -s 20000 "$BIDS/sub-02/anat/sub-02_T1w.nii.gz"
    run -1 preprocess
    make_dataset "$BIDS" 02 03
    run preprocess --rerun failed
    complete "$OUT" 02
    [[ ! -e $(status_path "$OUT" 03) ]]
}

@test "--dry-run prints one line a session with its reason, the warnings and the counts, and writes nothing" {
    make_dataset "$BIDS" 01 02/1 03 04
    run -0 preprocess --participant-label 01
    rm "$BIDS/sub-03/anat/"*
    truncate -s 20000 "$BIDS/sub-04/anat/sub-04_T1w.nii.gz"
    run -65 preprocess --participant-label 04
    cp "$BIDS/sub-01/anat/sub-01_T1w.nii.gz" "$BIDS/sub-02/ses-1/anat/T1w.nii.gz"
    before=$(stamps)
    run -0 --separate-stderr preprocess --dry-run
    equal "${lines[0]}" 'sub-01: already complete'
    equal "${lines[1]}" 'sub-02/ses-1: to do T1w (not processed yet)'
    equal "${lines[2]}" 'sub-03: no image of the selected modalities (not processed yet)'
    contains "${lines[3]}" 'sub-04: to do T1w (last attempt: failed, bad-data at load_file'
    contains "${lines[4]}" "warning: 'sub-02/ses-1/anat/T1w.nii.gz'"
    contains "$output" '4 sessions: 2 to do, 1 already complete, 1 without images'
    echo '{"t1w": {"flavour": "x"}}' >"$BATS_TEST_TMPDIR/filter.json"
    run -0 --separate-stderr preprocess --dry-run --run-id 7 --bids-filter-file "$BATS_TEST_TMPDIR/filter.json"
    contains "$output" "'flavour' is no entity that is known here; it restricts nothing"
    contains "$output" "run '7' was requested; the selected sessions have no runs"
    equal "$(stamps)" "$before"
    run -64 --separate-stderr preprocess --dry-run --format nipoppy
    run -64 --separate-stderr preprocess --format json
    contains "$stderr" 'add --dry-run'
}

@test "--dry-run --format json prints the plan as JSON and writes nothing" {
    make_dataset "$BIDS" 01 02/1
    run -0 --separate-stderr preprocess --dry-run --format json
    jq -e '(.plan | length == 2) and .plan[1].session == "1"' <<<"$output"
    [[ ! -e $OUT ]]
}

@test "--stop-on-first-crash leaves the rest not started" {
    make_dataset "$BIDS" 01 02 03
    truncate -s 20000 "$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    run -1 preprocess --stop-on-first-crash --parallel 1 # not 65: the rest might do
    state_is "$OUT" 01 failed
    [[ ! -d $OUT/sub-03 ]]
    run -0 neuro-preprocess status "$OUT" --format json
    run -0 preprocess --participant-label 02 03
}

@test "--fail-rate fails the same sessions for the same seed, marked as injected, and not on real results" {
    make_dataset "$BIDS" 01 02 03 04 05 06
    run preprocess --fail-rate 0.5 --random-seed 7
    first=$(for s in 01 02 03 04 05 06; do record "$OUT" $s .state; done | paste -sd ' ')
    contains "$first" failed
    contains "$first" success
    for s in 01 02 03 04 05 06; do
        if [[ $(record "$OUT" $s .state) == failed ]]; then
            equal "$(record "$OUT" $s .failure.injected)" true
        fi
    done
    contains "$output" inject
    OUT=$BATS_TEST_TMPDIR/second
    run preprocess --fail-rate 0.5 --random-seed 7
    equal "$(for s in 01 02 03 04 05 06; do record "$OUT" $s .state; done | paste -sd ' ')" "$first"
    OUT=$BATS_TEST_TMPDIR/real
    run -0 preprocess
    run -64 --separate-stderr preprocess --fail-rate 0.5
    contains "$stderr" fail-rate
}

@test "--slow-stage delays the stage that is named" {
    make_dataset "$BIDS" 01
    run -0 preprocess --slow-stage skull_strip:1.2
    record "$OUT" 01 '.files[0].stages[] | select(.name == "skull_strip") | .wall_s' | awk '{ exit !($1 >= 1.2) }'
    equal "$(jq -r '.resourceSpans[]?.scopeSpans[].spans[] | [.attributes[]? | {(.key): (.value.stringValue // .value.boolValue)}] | add |
        select(.["neuro.stage"] and .["neuro.injected"])["neuro.stage"]' "$OUT"/logs/telemetry/*.otlp.jsonl | sort -u)" skull_strip
}

@test "a session that another run completed meanwhile is kept" {
    make_dataset "$BIDS" 01 02
    start --parallel 1 --slow-stage load_file:3
    wait_until 20 '[[ $(running_stage "$OUT" 01) == load_file ]]'
    run -0 neuro-preprocess "$BIDS" "$OUT" participant --participant-label 02
    before=$(stamps | grep sub-02)
    wait $pid
    equal "$(stamps | grep sub-02)" "$before"
    state_is "$OUT" 01 success
}

@test "a session that another run completed meanwhile with other options is kept, and the later run reports it" {
    make_dataset "$BIDS" 01 02
    start --parallel 1 --slow-stage load_file:3
    wait_until 20 '[[ $(running_stage "$OUT" 01) == load_file ]]'
    run -0 neuro-preprocess "$BIDS" "$OUT" participant --participant-label 02 --normalize percentile --allow-mixed
    before=$(stamps | grep sub-02)
    code=0
    wait $pid || code=$?
    equal $code 1
    equal "$(stamps | grep sub-02)" "$before"
    contains "$(cat "$BATS_TEST_TMPDIR/log")" 'with other options'
}

@test "an image that is compressed now is one image, and can be made anew with other options" {
    make_dataset "$BIDS" 01
    image=$BIDS/sub-01/anat/sub-01_T1w.nii
    gunzip "$image.gz"
    run -0 preprocess
    gzip "$image"
    run -0 preprocess
    equal "$(record "$OUT" 01 '[.files[].input.path] | join(" ")')" sub-01/anat/sub-01_T1w.nii.gz
    run -0 preprocess --rerun outdated --normalize percentile
    complete "$OUT" 01
}

@test "an input that cannot be looked at now does not take its session's completion" {
    make_dataset "$BIDS" 01
    image=$BIDS/sub-01/anat/sub-01_T1w.nii.gz
    mv "$image" "$BATS_TEST_TMPDIR/store"
    ln -s "$BATS_TEST_TMPDIR/store" "$image"
    run -0 preprocess
    mv "$BATS_TEST_TMPDIR/store" "$BATS_TEST_TMPDIR/away"
    run -0 preprocess
    complete "$OUT" 01
}

@test "with few descriptors fewer sessions run at once, and all of them complete" {
    make_dataset "$BIDS" 01 02 03 04 05 06
    run -0 bash -c 'ulimit -n 60 && exec neuro-preprocess "$0" "$1" participant --nprocs 20 --parallel 20' "$BIDS" "$OUT"
    contains "$output" '6 complete'
}

@test "a worker that does not stop is killed after 20 s; the session is interrupted, a rerun completes" {
    make_dataset "$BIDS" 01
    start --slow-stage skull_strip:60
    wait_until 20 '[[ $(running_stage "$OUT" 01) == skull_strip ]]'
    worker=$(pgrep -P $pid | while read -r child; do grep -q np-telemetry "/proc/$child/comm" || echo "$child"; done)
    kill -STOP "$worker"
    kill -TERM $pid
    began=$SECONDS
    code=0
    wait $pid || code=$?
    equal $code 143
    ((SECONDS - began >= 19 && SECONDS - began < 30)) || fail "$((SECONDS - began)) s"
    state_is "$OUT" 01 interrupted
    contains "$(record "$OUT" 01 '.files[0].failure.sentence')" 'did not stop within 20 s of signal 15'
    no_leftovers "$OUT"
    run -0 neuro-preprocess "$BIDS" "$OUT" participant
    state_is "$OUT" 01 success
}

@test "TERM: the record is interrupted, the code is 143, a rerun completes" {
    make_dataset "$BIDS" 01 02
    start --slow-stage skull_strip:20 --parallel 1
    wait_until 20 '[[ $(running_stage "$OUT" 01) == skull_strip ]]'
    kill -TERM $pid
    began=$SECONDS
    code=0
    wait $pid || code=$?
    equal $code 143
    ((SECONDS - began < 10)) || fail "took $((SECONDS - began)) s to stop"
    state_is "$OUT" 01 interrupted
    run -0 neuro-preprocess status "$OUT"
    contains "$output" 'interrupted at skull_strip: 1'
    lacks "$output" 'interrupted, interrupted'
    no_leftovers "$OUT"
    no_images "$OUT"
    run -0 preprocess --rerun all
    complete "$OUT" 01
    complete "$OUT" 02
}

@test "INT, HUP, USR1 and USR2 too, each with 128 + its number" {
    make_dataset "$BIDS" 01
    for signal in INT:130 HUP:129 USR1:138 USR2:140; do
        rm -rf "$OUT"
        # a background job of a shell without job control ignores INT: start through env, which restores it
        env --default-signal=INT neuro-preprocess "$BIDS" "$OUT" participant --slow-stage skull_strip:20 >/dev/null 2>&1 3>&- 4>&- &
        pid=$!
        wait_until 20 '[[ -f $(status_path "$OUT" 01) ]]'
        kill -"${signal%:*}" $pid
        code=0
        wait $pid || code=$?
        equal $code "${signal#*:}" "$signal"
        state_is "$OUT" 01 interrupted
    done
}

@test "the same run twice at once: one works, the other ends with 75 and names the holder" {
    make_dataset "$BIDS" 01
    start --slow-stage skull_strip:4
    wait_until 20 '[[ -f $(status_path "$OUT" 01) ]]'
    run -75 --separate-stderr preprocess --slow-stage skull_strip:4
    contains "$output$stderr" "$pid"
    wait $pid
    complete "$OUT" 01
    no_leftovers "$OUT"
}

# The worker processes of a supervisor.
workers() { pgrep -P "$1"; }

@test "a worker that is killed is a failed session with its signal and stage; the others go on" {
    make_dataset "$BIDS" 01 02
    start --slow-stage skull_strip:5 --parallel 1
    wait_until 20 '[[ $(running_stage "$OUT" 01) == skull_strip ]]'
    kill -KILL "$(workers $pid | head -n 1)"
    code=0
    wait $pid || code=$?
    equal $code 1 "$(cat "$BATS_TEST_TMPDIR/log")"
    state_is "$OUT" 01 failed
    equal "$(record "$OUT" 01 '[.failure.signal, .failure.stage, .failure.code] | join(" ")')" '9 skull_strip 137'
    complete "$OUT" 02
    no_leftovers "$OUT"
}

@test "killed supervisor: its worker ends too, status shows lost, a rerun takes over and completes" {
    make_dataset "$BIDS" 01
    start --slow-stage skull_strip:30
    wait_until 20 '[[ $(running_stage "$OUT" 01) == skull_strip ]]'
    worker=$(workers $pid | head -n 1)
    kill -KILL $pid
    wait $pid || true
    wait_until 10 "! kill -0 $worker 2>/dev/null || grep -q '^State:.*Z' /proc/$worker/status"
    run -0 neuro-preprocess status "$OUT"
    contains "$output" lost
    run -0 preprocess --rerun all
    complete "$OUT" 01
    no_leftovers "$OUT"
}

@test "killed at random moments, then run again: complete, the same files as undisturbed, nothing left behind" {
    make_dataset "$BIDS" 01 02
    run -0 neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/undisturbed" participant
    for try in 1 2 3 4 5 6; do
        rm -rf "$OUT"
        start
        sleep "0.$((RANDOM % 8))$((RANDOM % 10))"
        if ((try % 2)); then kill -KILL $pid 2>/dev/null || true; else kill -KILL $(workers $pid) 2>/dev/null || true; fi
        wait $pid || true
        wait_until 10 '! pgrep -f "participant .*$OUT " >/dev/null'
        run -0 preprocess
        complete "$OUT" 01
        complete "$OUT" 02
        no_leftovers "$OUT"
        equal "$(fingerprint "$OUT")" "$(fingerprint "$BATS_TEST_TMPDIR/undisturbed")" "try $try"
    done
}

@test "many sessions at once give the same results as one at a time" {
    make_dataset "$BIDS" 01 02 03 04 05
    run -0 neuro-preprocess "$BIDS" "$BATS_TEST_TMPDIR/one" participant --parallel 1
    run -0 preprocess --parallel 5 --nprocs 5
    equal "$(fingerprint "$OUT")" "$(fingerprint "$BATS_TEST_TMPDIR/one")"
}

@test "a filter file selects by entities; modalities intersect" {
    make_dataset "$BIDS" 01
    anat=$BIDS/sub-01/anat
    for acq in fast slow; do cp "$anat/sub-01_T1w.nii.gz" "$anat/sub-01_acq-${acq}_T1w.nii.gz"; done
    cp "$anat/sub-01_T1w.nii.gz" "$anat/sub-01_T2w.nii.gz"
    echo '{"t1w": {"acquisition": "slow"}, "bold": {"task": "rest"}, "roi": {}}' >"$BATS_TEST_TMPDIR/filter.json"
    run -0 preprocess --bids-filter-file "$BATS_TEST_TMPDIR/filter.json" --anat-only -m T1w
    equal "$(cd "$OUT" && find . -name '*desc-preproc*.nii.gz')" ./sub-01/anat/sub-01_acq-slow_desc-preproc_T1w.nii.gz
}

@test "sessions of another run are looked at again at the end: complete ones count, none is done twice" {
    make_dataset "$BIDS" 01 02
    start --participant-label 01 --slow-stage skull_strip:2
    wait_until 20 '[[ -f $(status_path "$OUT" 01) ]]'
    run -0 --separate-stderr preprocess --slow-stage skull_strip:7
    equal "$stderr" ''
    contains "$output" '1 complete, 1 already complete'
    wait $pid
    equal "$(record "$OUT" 01 '.attempts | length')" 0
    complete "$OUT" 01
    complete "$OUT" 02
}

@test "another run's sessions alone are left: 75, counted as its own and not as failed" {
    make_dataset "$BIDS" 01 02
    start --participant-label 01 --slow-stage skull_strip:6
    wait_until 20 '[[ -f $(status_path "$OUT" 01) ]]'
    run -75 --separate-stderr preprocess
    contains "$output" '1 complete, 1 in the hands of another run'
    lacks "$output" failed
    contains "$stderr" "another run is working on it: process $pid"
    equal "$(grep -o 'run the same command again' <<<"$stderr" | wc -l)" 1 'what to do is said once'
    kill -TERM $pid
    wait $pid || true
}

@test "on one terminal a failure is printed once, when it comes; the end says what to do. A reader of stderr alone gets all" {
    make_dataset "$BIDS" 01 02 03
    for sub in 01 02; do head -c 20000 "$(head_image)" >"$BIDS/sub-$sub/anat/sub-${sub}_T1w.nii.gz"; done
    run -1 "$PYTHON" "$TOP/tests/cli/terminal.py" 400 neuro-preprocess "$BIDS" "$OUT" participant
    equal "$(grep -c 'expected the end of its gzip stream' <<<"$output")" 2 'one line a session'
    equal "$(grep -c "sub-01/anat/sub-01_T1w.nii.gz'" <<<"$output")" 1
    contains "$output" "sub-01: failed: '$BIDS/sub-01/anat/sub-01_T1w.nii.gz': expected"
    contains "$output" 'bad-data at load_file: sub-01, sub-02. What to do: '
    for option in --verbose --quiet; do
        run -1 --separate-stderr preprocess $option
        contains "$(last_line)" "sub-01: '$BIDS/sub-01/anat/sub-01_T1w.nii.gz': expected the end of its gzip stream"
        contains "$(last_line)" '(bad-data at load_file) — and 1 more for the same reason (sub-02). What to do: '
    done
    # --quiet prints nothing before
    run -1 "$PYTHON" "$TOP/tests/cli/terminal.py" 400 neuro-preprocess "$BIDS" "$OUT" participant --quiet
    equal "$(grep -c 'expected the end of its gzip stream' <<<"$output")" 1
}

@test "the bar fits a terminal of any width, stands in one line and is gone at the end; times are local" {
    make_dataset "$BIDS" 01 02
    for columns in 80 12; do
        run -0 env TZ=Asia/Kolkata "$PYTHON" "$TOP/tests/cli/terminal.py" $columns neuro-preprocess "$BIDS" "$OUT" participant --rerun all
        lacks "$output" ' done,' "$columns columns"
        lacks "$output" '[#'
        equal "$(grep -c 'success after' <<<"$output")" 2
    done
    contains "${lines[0]}" "into '$OUT'"
    [[ ${lines[0]} =~ ^[0-9]{2}:[0-9]{2}:[0-9]{2}\  ]] || fail "no local time: ${lines[0]}"
    local_hour=$(TZ=Asia/Kolkata date +%H)
    [[ ${lines[0]%%:*} == "$local_hour" || ${lines[0]%%:*} == $(TZ=Asia/Kolkata date -d '1 minute ago' +%H) ]]
    run -0 preprocess
    [[ ${lines[0]} =~ ^[0-9-]{10}T[0-9:.]{12}Z\  ]] || fail "no UTC time: ${lines[0]}"
    contains "${lines[-2]}" "images: '$OUT'/sub-"
    contains "${lines[-1]}" '2 already complete'
}

@test "--reports-only is accepted: it says that there are no pages yet, and does nothing" {
    make_dataset "$BIDS" 01
    run -0 neuro-preprocess "$BIDS" "$OUT" participant --reports-only
    contains "$output" '--reports-only: nothing is done'
    [[ ! -e $OUT ]]
}
