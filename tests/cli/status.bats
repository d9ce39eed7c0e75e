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

@test "tsv has the words of telemetry beside the labels, those that leave the machine; without a key n/a, and none is made; status.tsv has none" {
    local bids=$BATS_TEST_TMPDIR/bids out=$BATS_TEST_TMPDIR/out
    make_dataset "$bids" 01/a 02/b
    neuro-preprocess "$bids" "$out" participant --level minimal --bias-correction none --skull-strip skip
    words() { neuro-preprocess status "$out" --format tsv | awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next } { print $column["participant_hash"], $column["session_hash"] }'; }
    equal "$(words)" $'n/a n/a\nn/a n/a'
    [[ ! -e $out/logs/telemetry/.salt ]]
    neuro-preprocess "$bids" "$out" participant --level minimal --bias-correction none --skull-strip skip --rerun all --telemetry-id hash --metrics-textfile "$BATS_TEST_TMPDIR/page.prom"
    words >"$BATS_TEST_TMPDIR/words"
    equal "$(grep -cE '^[0-9a-f]{16} [0-9a-f]{16}$' "$BATS_TEST_TMPDIR/words")" 2
    equal "$(sort "$BATS_TEST_TMPDIR/words")" \
        "$(sed -n 's/^neuro_session_duration_seconds{.*bids_participant="\([^"]*\)".*bids_session="\([^"]*\)".*/\1 \2/p' "$BATS_TEST_TMPDIR/page.prom" | sort)"
    chmod 000 "$out/logs/telemetry/.salt"
    [[ -r $out/logs/telemetry/.salt ]] || equal "$(words)" $'n/a n/a\nn/a n/a'
    neuro-preprocess "$bids" "$out" group
    lacks "$(cat "$out/logs/status.tsv")" hash
}

@test "json is an object that jq reads" {
    run -0 --separate-stderr neuro-preprocess status "$OUT" --format json
    equal "$(jq -r '[.sessions[].state] | sort | join(" ")' <<<"$output")" 'failed success success'
}

@test "nipoppy format is participant and session without a header" {
    run -0 neuro-preprocess status "$OUT" --format nipoppy
    equal "$output" $'03\tunnamed'
}

# warned DIR: four sessions; 02 has a sidecar that is no JSON, 03 the same and a header whose sizes contradict each other, 04 is cut.
warned()
{
    local head=$1/bids/sub-03/anat/sub-03_T1w.nii
    make_dataset "$1/bids" 01 02 03 04
    echo '{"EchoTime": ' | tee "$1/bids/sub-02/anat/sub-02_T1w.json" >"$1/bids/sub-03/anat/sub-03_T1w.json"
    gunzip "$head.gz"
    printf '\0\0\x40\x40' | dd of="$head" bs=1 seek=80 conv=notrunc status=none
    printf '\0\0\x80\x40' | dd of="$head" bs=1 seek=84 conv=notrunc status=none
    gzip -n "$head"
    truncate -s 20000 "$1/bids/sub-04/anat/sub-04_T1w.nii.gz"
    neuro-preprocess "$1/bids" "$1/out" participant >"$1/printed" 2>&1 || (($? == 1))
}

@test "a success with warning is counted and listed with its sentence; for an exit code and for Nipoppy it is a success" {
    OUT=$(make_once warned warned)/out
    run -0 neuro-preprocess status "$OUT"
    contains "${lines[0]}" '4 sessions: 3 success (2 with warnings), 1 failed'
    contains "$output" $'success with warning, sidecar-unusable: 2\n  sub-02: '
    contains "$output" $'success with warning, header-mismatch: 1\n  sub-03: '
    contains "$output" "sub-03/anat/sub-03_T1w.json"
    contains "$output" 'mm by pixdim'
    contains "$output" 'to rerun: 1.'
    run -0 neuro-preprocess status "$OUT" --warnings
    contains "$output" 'success with warning, header-mismatch: 1'
    lacks "$output" sub-04
    lacks "$output" 'to run again'
    equal "$(neuro-preprocess status "$OUT" --format tsv | awk -F'\t' '{ print $1, $17 }')" \
        $'participant_id warnings\nsub-01 n/a\nsub-02 sidecar-unusable\nsub-03 sidecar-unusable;header-mismatch\nsub-04 n/a'
    equal "$(neuro-preprocess status "$OUT" --format json | jq -c '[.n_with_warnings, .warnings, .states.success, .n_complete]')" \
        '[2,{"sidecar-unusable":2,"header-mismatch":1},3,3]'
    equal "$(neuro-preprocess status "$OUT" --format json --warnings | jq -c '[.sessions[] | [.participant, (.warnings | map(.key))]]')" \
        '[["02",["sidecar-unusable"]],["03",["sidecar-unusable","header-mismatch"]]]'
    equal "$(neuro-preprocess status "$OUT" --format nipoppy)" $'04\tunnamed'
    equal "$(neuro-preprocess status "$OUT" --format nipoppy --warnings)" $'02\tunnamed\n03\tunnamed'
    run -64 neuro-preprocess status "$OUT" --warnings --failed
    contains "$output" 'expected one of them'
}

@test "a warning stays when a later run leaves the session as it is; group's table and idps have its key, with a dictionary" {
    cp -r "$(make_once warned warned)/." "$BATS_TEST_TMPDIR"
    out=$BATS_TEST_TMPDIR/out before=$(neuro-preprocess status "$BATS_TEST_TMPDIR/out" --warnings)
    rm "$BATS_TEST_TMPDIR"/bids/sub-04/anat/*
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$out" participant --participant-label 01 02 03
    contains "$output" '3 already complete; 2 with warnings; '
    equal "$(neuro-preprocess status "$out" --warnings)" "$before"
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$out" group
    contains "$output" '3 success (2 with warnings)'
    equal "$(awk -F'\t' '$1 == "sub-03" { print $NF }' "$out/logs/status.tsv")" 'sidecar-unusable;header-mismatch'
    run -0 neuro-preprocess idps "$out" -o "$BATS_TEST_TMPDIR/tables"
    column=$(head -n 1 "$BATS_TEST_TMPDIR/tables/neuro-preprocess_idps.tsv" | tr '\t' '\n' | grep -n '^warnings$' | cut -d : -f 1)
    equal "$(cut -f "1,$column" "$BATS_TEST_TMPDIR/tables/neuro-preprocess_idps.tsv" | tr '\t' ' ')" \
        $'participant_id warnings\n01 n/a\n02 sidecar-unusable\n03 sidecar-unusable;header-mismatch'
    contains "$(jq -r '.warnings.Levels["mask-unsure"]' "$BATS_TEST_TMPDIR/tables/neuro-preprocess_idps.json")" 'brain mask'
}

# with_key KEY: the values of an attribute in what jq reads: one a line, "-" where there is none.
with_key() { jq -r "(.attributes[]? | select(.key == \"$1\") | .value.stringValue) // \"-\"" | xargs; }

@test "telemetry has the keys of the warnings: on spans of session and file, in the log, in the summaries, and as a counter by key" {
    local record
    record=$(find "$(make_once warned warned)/out/logs/telemetry" -name '*.otlp.jsonl')
    spans() { jq -c ".resourceSpans[]?.scopeSpans[].spans[] | select(.name == \"$1\")" "$record" | sort_by_participant; }
    logs() { jq -c ".resourceLogs[]?.scopeLogs[].logRecords[] | select($1)" "$record" | sort_by_participant; }
    sort_by_participant() { jq -cs 'sort_by([.attributes[] | select(.key == "bids.participant").value.stringValue]) | .[]'; }
    for name in preprocess_session preprocess_file; do
        equal "$(spans $name | with_key bids.participant)" '01 02 03 04' $name
        equal "$(spans $name | with_key neuro.warnings)" '- sidecar-unusable sidecar-unusable;header-mismatch -' $name
    done
    for event in session file; do
        equal "$(logs ".eventName == \"neuro.$event.summary\"" | with_key neuro.warnings)" '- sidecar-unusable sidecar-unusable;header-mismatch -'
    done
    equal "$(logs '.severityText == "WARN"' | with_key neuro.warning)" 'sidecar-unusable sidecar-unusable header-mismatch'
    equal "$(jq -r '.resourceMetrics[]?.scopeMetrics[].metrics[] | select(.name == "neuro.warnings.raised").sum.dataPoints[] |
        (.attributes | map(.value.stringValue) | sort | join(" ")) + " " + (.asInt | tostring)' "$record" | sort -nk 3 | awk '{ last[$2] = $0 } END { for (k in last) print last[k] }' | LC_ALL=C sort)" \
        $'T1w header-mismatch 1\nT1w sidecar-unusable 2'
}

@test "a run names each session with warning, and its last lines say how many there are and where to read them" {
    local printed
    printed=$(<"$(make_once warned warned)/printed")
    grep -q 'sub-01: success after' <<<"$printed" || fail "$printed"
    grep -q 'sub-03: success with warning after' <<<"$printed" || fail "$printed"
    contains "$printed" '3 complete, 1 failed; 2 with warnings; '
    grep -q "the warnings, and what to do: neuro-preprocess status '.*/out' --warnings" <<<"$printed" || fail "$printed"
    cp -r "$(make_once warned warned)/." "$BATS_TEST_TMPDIR"
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant --participant-label 01
    lacks "$output" 'with warning'
}

@test "a record of a version whose warnings had no keys is read; one without the field has none" {
    cp -r "$(make_once warned warned)/out" "$BATS_TEST_TMPDIR"
    out=$BATS_TEST_TMPDIR/out record=$(status_path "$BATS_TEST_TMPDIR/out" 02)
    jq '.files[0].warnings |= map(.sentence)' "$record" >"$BATS_TEST_TMPDIR/old" && cp "$BATS_TEST_TMPDIR/old" "$record"
    equal "$(neuro-preprocess status "$out" --format tsv | awk -F'\t' '$1 == "sub-02" { print $3, $17 }')" 'success unnamed'
    contains "$(neuro-preprocess status "$out")" $'success with warning, unnamed: 1\n  sub-02: '
    jq 'del(.files[0].warnings)' "$BATS_TEST_TMPDIR/old" >"$record"
    equal "$(neuro-preprocess status "$out" --format tsv | awk -F'\t' '$1 == "sub-02" { print $3, $17 }')" 'success n/a'
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
