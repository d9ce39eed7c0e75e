#!/usr/bin/env bats
# What launchers do to a run's output and with signals, and what it must not cost: never a record, never the last line.
load helper

setup() { OUT=$BATS_TEST_TMPDIR/out BIDS=$BATS_TEST_TMPDIR/bids; }

launch() { "$PYTHON" "$TOP/tests/cli/launcher.py" "$@"; }

# Everything that is JSON is whole, and holds no line that was meant for people.
records_are_whole()
{
    local file
    while IFS= read -r file; do
        jq -e . "$file" >/dev/null || fail "$file is not JSON"
    done < <(find "$OUT" -name '*.json' -o -name '*.jsonl')
    ! grep -rqE --include='*.json*' --include='*.tsv' '^[0-9TZ:.-]+ [0-9]+ sessions: ' "$OUT" || fail 'progress lines in a file'
}

# empty_sessions N: so many without an image, then zz with one; each says a line.
empty_sessions()
{
    make_dataset "$BIDS" zz
    for n in $(seq "$1"); do mkdir -p "$BIDS/sub-$n/anat"; done
}

@test "stdout, stderr and stdin closed: the run completes, and no line ends in a file" {
    make_dataset "$BIDS" 01
    run -0 bash -c 'neuro-preprocess "$0" "$1" participant -vvv >&-' "$BIDS" "$OUT"
    complete "$OUT" 01
    rm -rf "$OUT"
    run -0 bash -c 'neuro-preprocess "$0" "$1" participant -vvv >&- 2>&- <&-' "$BIDS" "$OUT"
    complete "$OUT" 01
    records_are_whole
}

@test "stderr closed: a failure keeps its exit code and its record" {
    make_dataset "$BIDS" 01
    : >"$BIDS/sub-01/anat/sub-01_T1w.nii.gz"
    run -65 bash -c 'neuro-preprocess "$0" "$1" participant 2>&-' "$BIDS" "$OUT"
    state_is "$OUT" 01 failed
    records_are_whole
}

@test "a reader that goes away costs neither the run nor its exit code" {
    make_dataset "$BIDS" 01 02
    : >"$BIDS/sub-02/anat/sub-02_T1w.nii.gz"
    run -1 bash -c 'neuro-preprocess "$0" "$1" participant -vvv 2>&1 | head -n 1 >/dev/null; exit "${PIPESTATUS[0]}"' "$BIDS" "$OUT"
    complete "$OUT" 01
    state_is "$OUT" 02 failed
    records_are_whole
}

@test "a reader that never reads stops no work" {
    make_dataset "$BIDS" 01 02 03 04
    run -0 launch unread neuro-preprocess "$BIDS" "$OUT" participant -vvv
    contains "$output" 'status 0'
    for n in 01 02 03 04; do complete "$OUT" "$n"; done
}

@test "a reader that comes late gets the last line, and the number of lines that it missed" {
    empty_sessions 80 # a line each
    run -0 launch late neuro-preprocess "$BIDS" "$OUT" participant --slow-stage validate_data:6
    contains "$output" 'dropped here, because the reader had stalled'
    contains "${lines[-1]}" '1 complete'
}

@test "a reader that is slow and takes no more than it can misses nothing" {
    make_dataset "$BIDS" 01 02 03
    run -0 launch eager neuro-preprocess "$BIDS" "$OUT" participant
    for n in 01 02 03; do contains "$output" "sub-$n: success"; done
    contains "${lines[-1]}" '3 complete'
}

@test "a launcher that stops reading once the process is gone has the last line, 20 times of 20" {
    make_dataset "$BIDS" 01
    neuro-preprocess "$BIDS" "$OUT" participant
    for _ in {1..20}; do
        run -0 launch hasty neuro-preprocess "$BIDS" "$OUT" participant
        contains "${lines[-1]}" '1 already complete'
    done
}

@test "TERM twice, as schedulers send it, is one interruption" {
    make_dataset "$BIDS" 01
    neuro-preprocess "$BIDS" "$OUT" participant --slow-stage skull_strip:20 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- &
    pid=$!
    wait_until 20 '[[ $(running_stage "$OUT" 01) == skull_strip ]]'
    kill -TERM $pid
    kill -TERM $pid $(pgrep -P $pid) || true
    code=0
    wait $pid || code=$?
    equal $code 143
    state_is "$OUT" 01 interrupted
    contains "$(tail -n 1 "$BATS_TEST_TMPDIR/log")" interrupted
    no_leftovers "$OUT"
}

@test "TERM for all while the reader has gone: the record is written all the same" {
    make_dataset "$BIDS" 01
    # a launcher that dies of TERM at once, and leaves us with a broken pipe
    setsid bash -c 'neuro-preprocess "$0" "$1" participant --slow-stage skull_strip:20 -vvv 2>&1 | cat >/dev/null' "$BIDS" "$OUT" 3>&- 4>&- &
    wait_until 20 '[[ $(running_stage "$OUT" 01) == skull_strip ]]'
    pid=$(record "$OUT" 01 .process.pid)
    kill -TERM -- "-$(ps -o pgid= -p "$pid" | tr -d ' ')"
    kill -TERM "$pid" 2>/dev/null || true
    wait_until 10 '[[ ! -d /proc/$pid || $(record "$OUT" 01 .state) != running ]]'
    state_is "$OUT" 01 interrupted
    no_leftovers "$OUT"
}

@test "TERM reaches a run whose reader has stalled" {
    empty_sessions 80
    launch unread neuro-preprocess "$BIDS" "$OUT" participant --slow-stage skull_strip:20 >"$BATS_TEST_TMPDIR/log" 3>&- 4>&- &
    launcher=$!
    wait_until 30 '[[ $(running_stage "$OUT" zz) == skull_strip ]]'
    kill -TERM "$(record "$OUT" zz .process.pid)"
    wait $launcher
    contains "$(cat "$BATS_TEST_TMPDIR/log")" 'status 143'
    state_is "$OUT" zz interrupted
}

@test "printed text is UTF-8 for any names of files" {
    image=$BATS_TEST_TMPDIR/$'caf\xe9_T1w.nii.gz'
    cp "$(head_image)" "$image"
    : >"$BATS_TEST_TMPDIR/"$'\xff\xfe_T1w.nii'
    neuro-preprocess process "$image" "$BATS_TEST_TMPDIR/"$'\xff\xfe_T1w.nii' -o "$OUT" -vvv >"$BATS_TEST_TMPDIR/said" 2>&1 || (($? == 1))
    iconv -f UTF-8 -t UTF-8 "$BATS_TEST_TMPDIR/said" >/dev/null
    neuro-preprocess status "$OUT" >"$BATS_TEST_TMPDIR/said"
    iconv -f UTF-8 -t UTF-8 "$BATS_TEST_TMPDIR/said" >/dev/null
    [[ $(wc -l <"$BATS_TEST_TMPDIR/said") -gt 1 ]]
}
