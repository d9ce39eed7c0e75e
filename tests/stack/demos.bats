# Each demonstration: what it announces is what the stack answers, and what the program's own status says.
load helper

setup_file()
{
    load helper
    servers_are_built || return 0
    start_for_file || return
}
teardown_file()
{
    load helper
    end_for_file
}
setup()
{
    find_servers
    stack_in "$BATS_FILE_TMPDIR/stack"
}

demo() { run -0 "$TOP/scripts/run_demo.sh" --out "$BATS_TEST_TMPDIR/demo" "$1"; }
n_failed() { neuro-preprocess status "$BATS_TEST_TMPDIR/demo/results" --format json | jq '[.sessions[] | select(.state == "failed")] | length'; }

@test "normal: ten are a success" {
    demo normal
    contains "$output" 'success 10'
    contains "$output" 'failed 0'
    contains "$(tail -n 1 <<<"$output")" "http://$(fact VICTORIALOGS)/select/vmui/#/?query="
    equal "$(n_failed)" 0
}

@test "failures: half of ten, in the metrics, in the logs, and in the folder" {
    demo failures
    contains "$output" 'failed 5'
    equal "$(n_failed)" 5
    equal "$(sed -n 's/^ *method-failed at .*: //p' <<<"$output" | awk "{ n += \$1 } END { print n }")" 5
}

@test "slow: each of the three traces has a brain extraction of more than five seconds" {
    demo slow
    equal "$(grep -cE '^ *trace [0-9a-f]{32}: ' <<<"$output")" 3
    contains "$(grep -A2 'Mean time' <<<"$output" | tail -n 1)" skull_strip
}

@test "concurrent: five processes, five instances, five sessions in one set of rates" {
    demo concurrent
    equal "$(grep -cE '^ *5$' <<<"$output")" 2
}

@test "stress: all of 120 are counted, and nothing was refused" {
    demo stress
    contains "$output" "failed $(n_failed)"
    contains "$output" "success $((120 - $(n_failed)))"
    equal "$(grep -A2 'refused nothing' <<<"$output" | tail -n 1 | tr -d ' ')" 0
    (($(n_failed) > 0)) || fail 'none failed'
}

@test "a demonstration without a stack, and one that does not exist" {
    run -3 env NEURO_STACK_LEASE="$BATS_TEST_TMPDIR/none" "$TOP/scripts/run_demo.sh" normal
    contains "$output" start_stack.sh
    run -64 "$TOP/scripts/run_demo.sh" funny
}
