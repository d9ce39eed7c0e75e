#!/usr/bin/env bats
# The output of `status`, and the records.
load helper

make_mixed()
{
    make_dataset "$1/bids" 01 02/1 03
    truncate -s 20000 "$1/bids/sub-03/anat/sub-03_T1w.nii.gz"
    neuro-preprocess "$1/bids" "$1/out" participant || (($? == 1))
}

setup_file()
{
    MIXED=$(make_once mixed make_mixed)
    export MIXED
}

setup() { OUT=$MIXED/out; }

@test "the table counts states and names the failed session, its reason and the sessions to rerun" {
    run -0 neuro-preprocess status "$OUT"
    for word in success failed sub-03 bad-data; do contains "$output" "$word"; done
}

@test "--failed shows failed sessions alone and exits 1 when there are any" {
    run -1 neuro-preprocess status "$OUT" --failed
    contains "$output" sub-03
    lacks "$output" sub-01
    make_dataset "$BATS_TEST_TMPDIR/bids" 01
    neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant
    run -0 neuro-preprocess status "$BATS_TEST_TMPDIR/out" --failed
}

@test "tsv has a header and one row a session" {
    run -0 neuro-preprocess status "$OUT" --format tsv
    equal "${#lines[@]}" 4
    contains "${lines[0]}" participant
    contains "${lines[0]}" state
    columns=$(awk -F'\t' '{ print NF }' <<<"$output" | sort -u)
    [[ $columns =~ ^[0-9]+$ ]] || fail "rows of different widths: $columns"
}

@test "json is an object that jq reads" {
    run -0 --separate-stderr neuro-preprocess status "$OUT" --format json
    equal "$(jq -r '[.sessions[].state] | sort | join(" ")' <<<"$output")" 'failed success success'
}

@test "nipoppy format is participant and session without a header" {
    run -0 neuro-preprocess status "$OUT" --format nipoppy
    equal "$output" $'03\tunnamed'
}

@test "status changes nothing, also for a reader without write permission" {
    before=$(find "$OUT" -printf '%p %T@ %C@\n' | LC_ALL=C sort)
    neuro-preprocess status "$OUT" >/dev/null
    equal "$(find "$OUT" -printf '%p %T@ %C@\n' | LC_ALL=C sort)" "$before"
}

@test "status of a folder without our records is an error with the reason" {
    mkdir "$BATS_TEST_TMPDIR/empty"
    run --separate-stderr neuro-preprocess status "$BATS_TEST_TMPDIR/empty"
    [[ -n $output$stderr ]]
    run -66 neuro-preprocess status "$BATS_TEST_TMPDIR/nowhere"
}

@test "records that may not be read are named, and are no empty folder" {
    needs_root
    cp -r "$OUT" "$BATS_TEST_TMPDIR/out"
    status_of_nobody() { as_nobody neuro-preprocess status "$BATS_TEST_TMPDIR/out"; }
    chmod 700 "$BATS_TEST_TMPDIR/out/logs/sub-01"
    run -0 status_of_nobody
    contains "$output" "unreadable record: '$BATS_TEST_TMPDIR/out/logs/sub-01'"
    contains "$output" 'Permission denied'
    chmod 711 "$BATS_TEST_TMPDIR/out/logs"
    run -0 status_of_nobody
    contains "$output" "unreadable record: '$BATS_TEST_TMPDIR/out/logs'"
    chmod 700 "$BATS_TEST_TMPDIR/out"
    run -66 status_of_nobody
    contains "$output" 'Permission denied'
}

@test "a broken record gives a warning and does not stop the others" {
    cp -r "$OUT" "$BATS_TEST_TMPDIR/out"
    echo '{"schema": ' >"$(status_path "$BATS_TEST_TMPDIR/out" 01)"
    run neuro-preprocess status "$BATS_TEST_TMPDIR/out"
    contains "$output" sub-01_status.json
    contains "$output" sub-03
}

@test "the run's telemetry file is OTLP JSON lines with the three signals" {
    run -0 bash -c 'ls "$0"/logs/telemetry/*.otlp.jsonl' "$OUT"
    equal "${#lines[@]}" 1
    jq -es 'all(.[]; keys | length == 1) and ([.[] | keys[0]] | unique == ["resourceLogs", "resourceMetrics", "resourceSpans"])' \
        "${lines[0]}" >/dev/null || fail "$(jq -c keys "${lines[0]}" | sort | uniq -c)"
    # every failed session has its error span
    contains "$(jq -r '.resourceSpans[]?.scopeSpans[].spans[] | select(.status.code == 2) | .name' "${lines[0]}")" ''
    jq -es '[.[].resourceSpans[]?.scopeSpans[].spans[] | select(.status.code == 2)] | length > 0' "${lines[0]}" >/dev/null
}

@test "--no-telemetry writes none" {
    make_dataset "$BATS_TEST_TMPDIR/bids" 01
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant --no-telemetry
    run find "$BATS_TEST_TMPDIR/out" -name '*.otlp.jsonl'
    equal "$output" ''
}

@test "estimate prints memory, time and disk, and lines for a scheduler" {
    run -0 neuro-preprocess estimate "$MIXED/bids"
    for word in '3 sessions' '#SBATCH --mem=' '"MEMORY"'; do contains "$output" "$word"; done
}

@test "estimate as tsv has one row a session, as json the same, as nipoppy a list that --session-list takes" {
    bids=$MIXED/bids
    run -0 neuro-preprocess estimate "$bids" --format tsv
    equal "$(cut -f 1-3 <<<"$output")" $'participant_id\tsession_id\tn_files\nsub-01\tn/a\t1\nsub-02\tses-1\t1\nsub-03\tn/a\t1'
    tsv=$(tail -n +2 <<<"$output" | cut -f 5)
    run -0 neuro-preprocess estimate "$bids" --format json
    equal "$(jq -r '.sessions[].time_s | "\(.)"' <<<"$output" | awk '{ printf "%.1f\n", $1 }')" "$tsv"
    equal "$(jq '.n_sessions, .total.inodes > 0' <<<"$output" | xargs)" '3 true'
    jq -e '.largest.memory_bytes > 50e6 and (.hpc.MEMORY | test("^[0-9]+M$"))' <<<"$output" >/dev/null
    run -0 neuro-preprocess estimate "$bids" --format nipoppy
    equal "$output" $'01\tunnamed\n02\t1\n03\tunnamed'
    tail -n 2 <<<"$output" >"$BATS_TEST_TMPDIR/list"
    run -0 neuro-preprocess estimate "$bids" --session-list "$BATS_TEST_TMPDIR/list" --format nipoppy
    equal "$output" $'02\t1\n03\tunnamed'
}

@test "group closes the record of a dead process and writes the table" {
    cp -r "$OUT" "$BATS_TEST_TMPDIR/out"
    out=$BATS_TEST_TMPDIR/out
    jq '.state = "running" | .process.pid = 4194303 | .failure = null' "$(status_path "$OUT" 01)" >"$(status_path "$out" 01)"
    run -0 neuro-preprocess status "$out"
    contains "$output" lost
    run -0 neuro-preprocess "$MIXED/bids" "$out" group
    equal "$(wc -l <"$out/logs/status.tsv")" 4
    [[ $(record "$out" 01 .state) != running ]]
}
