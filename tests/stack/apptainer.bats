# The same scripts with images in place of programs: made here, around the same programs.
load helper

setup_file()
{
    load helper
    command -v apptainer >/dev/null && "$TOP/scripts/stack/build.sh" --find >/dev/null 2>&1 || return 0
    IMAGES=$BATS_FILE_TMPDIR/images
    "$TOP/scripts/build_all.sh" --native --images "$IMAGES" otel-collector prometheus victorialogs jaeger >"$BATS_FILE_TMPDIR/images.log" 2>&1 ||
        { cat "$BATS_FILE_TMPDIR/images.log" >&2 && return 1; }
}
setup()
{
    find_servers
    command -v apptainer >/dev/null || { [[ ${CI:-} == true ]] && fail 'Apptainer is not installed'; skip 'Apptainer is not installed'; }
    IMAGES=$BATS_FILE_TMPDIR/images
    stack_in "$BATS_TEST_TMPDIR/stack"
}
teardown() { end_stack; }

@test "images: started, asked about a run, archived, opened again with programs" {
    run -0 start --runtime apptainer --images "$IMAGES"
    run -0 "$STACK" status
    equal "$(grep -c ' up ' <<<"$output")" 4
    contains "$(ps -o args= -s "$(pid_of prometheus)")" prometheus.sif
    cohort "$BATS_TEST_TMPDIR/bids" 1
    neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$BATS_TEST_TMPDIR/out" participant --otel-endpoint auto
    run -0 "$TOP/scripts/test_telemetry.sh" "$BATS_TEST_TMPDIR/out"
    local members
    members=$(for pid in $(pids); do pgrep -s "$pid"; done)
    run -0 stop
    for pid in $members; do ended "$pid" || fail "process $pid still runs: $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
    mv "$DATA"/archives/* "$BATS_TEST_TMPDIR/archive"
    stack_in "$BATS_TEST_TMPDIR/elsewhere"
    run -0 start --from "$BATS_TEST_TMPDIR/archive"
    run -0 "$TOP/scripts/test_telemetry.sh" "$BATS_TEST_TMPDIR/out"
}

@test "an image that is not there is named, with what makes it" {
    run -69 start --runtime apptainer --images "$BATS_TEST_TMPDIR"
    contains "$output" "$BATS_TEST_TMPDIR/prometheus.sif"
    contains "$output" 'scripts/build_all.sh prometheus'
}
