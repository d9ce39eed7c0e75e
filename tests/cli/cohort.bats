#!/usr/bin/env bats
# What status, group and the lists say of a cohort is what the next run does.
load helper

QUICK=(--bias-correction none --skull-strip skip --normalize none)

# 200 sessions, most without images of their own: links to one head.
make_cohort()
{
    local i
    make_dataset "$1/bids" 001
    for i in $(seq -f %03g 2 200); do
        mkdir -p "$1/bids/sub-$i/anat"
        ln "$1/bids/sub-001/anat/sub-001_T1w.nii.gz" "$1/bids/sub-$i/anat/sub-${i}_T1w.nii.gz"
    done
}

# A run of all in a process group of its own, killed with all its processes when 30 sessions are complete.
make_killed()
{
    local pid
    make_cohort "$1"
    setsid neuro-preprocess "$1/bids" "$1/out" participant "${QUICK[@]}" >/dev/null 2>&1 &
    pid=$!
    wait_until 120 "(( \$(find '$1/out/logs' -name '*_complete.json' 2>/dev/null | wc -l) >= 30 ))"
    kill -KILL -- "-$pid"
    wait "$pid" || (($? == 137))
}

setup_file()
{
    KILLED=$(make_once killed make_killed)
    export KILLED
}

setup()
{
    BIDS=$KILLED/bids OUT=$KILLED/out
}

# A copy of the killed run that the test may change.
own()
{
    cp -r "$KILLED/out" "$BATS_TEST_TMPDIR/out"
    OUT=$BATS_TEST_TMPDIR/out
}

json() { neuro-preprocess status "$OUT" --format json "$@"; }
to_run() { neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --dry-run "$@" | grep -c '"decision": "run"'; }
n_plans() { find "$OUT/logs/plans" -type f | wc -l; }

# All that count what is left agree on N, and a rerun does as many.
all_agree()
{
    equal "$(json | jq .n_to_rerun)" "$1" 'status --format json'
    contains "$(neuro-preprocess status "$OUT")" "to rerun: $1."
    equal "$(neuro-preprocess status "$OUT" --format nipoppy | wc -l)" "$1" 'status --format nipoppy'
    equal "$(neuro-preprocess status "$OUT" --format tsv --failed | tail -n +2 | wc -l)" "$1" 'status --format tsv --failed'
    equal "$(to_run)" "$1" 'dry run'
}

@test "200 selected, all processes killed in the middle: every count of what is left is what a rerun does" {
    own
    complete=$(find "$OUT" -name '*_complete.json' | wc -l)
    ((complete >= 30 && complete < 200)) || fail "complete: $complete"
    left=$((200 - complete))
    all_agree "$left"
    equal "$(neuro-preprocess status "$OUT" --format tsv | wc -l)" 201
    equal "$(json | jq -c '[.n_sessions, .n_wanted, .n_complete]')" "[200,200,$complete]"
    contains "$(neuro-preprocess status "$OUT")" "$complete of 200 complete"
    # the same sessions, not only as many; and those that had begun stay what they are
    neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --dry-run |
        sed -nE 's/.*"participant": "([^"]*)".*"decision": "run".*/\1\tunnamed/p' >"$BATS_TEST_TMPDIR/again"
    equal "$(neuro-preprocess status "$OUT" --format nipoppy)" "$(<"$BATS_TEST_TMPDIR/again")"
    begun=$(find "$OUT/logs" -name '*_status.json' | wc -l)
    equal "$(json | jq '.states["not-started"]')" $((200 - begun))
    run -0 neuro-preprocess "$BIDS" "$OUT" group
    equal "$(wc -l <"$OUT/logs/status.tsv")" 201
    equal "$(awk -F'\t' '$3 == "not-started"' "$OUT/logs/status.tsv" | wc -l)" $((200 - begun))
    all_agree "$left"
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}"
    contains "$output" "200 sessions: $left to do, $complete already complete"
    contains "$output" "$left complete, $complete already complete"
    equal "$(json | jq -c '[.n_complete, .n_wanted, .n_to_rerun]')" '[200,200,0]'
    equal "$(n_plans)" 2
}

@test "narrow runs, as of array tasks, take nothing from what is wanted; a dry run leaves no plan" {
    own
    n=$(n_plans)
    to_run >/dev/null
    equal "$(n_plans)" "$n"
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label 199 200
    equal "$(n_plans)" $((n + 1))
    equal "$(json | jq .n_wanted)" 200
    # one call a session: wanted is what was asked for so far
    OUT=$BATS_TEST_TMPDIR/narrow
    for label in 001 002 003; do
        run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label $label
        equal "$(json | jq .n_wanted)" "${label#00}"
    done
}

@test "a plan says run, command, dataset, selection and sessions, and is never written again" {
    plan=$(find "$KILLED/out/logs/plans" -type f)
    equal "$(jq -c '[.schema, .command, .dataset.name, .options.normalize, (.sessions | length)]' "$plan")" \
        '[1,"participant","Small heads","none",200]'
    [[ $(jq -r .dataset.path "$plan") == /*/bids ]] || fail "$(jq .dataset "$plan")"
    [[ $plan == *"_$(jq -r .run "$plan").json" ]] || fail "name and run differ: $plan"
    own
    before=$(cd "$OUT/logs/plans" && sha256sum -- *)
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label 001 002
    contains "$(cd "$OUT/logs/plans" && sha256sum -- *)" "$before"
    last=$(find "$OUT/logs/plans" -type f | LC_ALL=C sort | tail -n 1)
    equal "$(jq -c '[.selection, .sessions]' "$last")" '[{"participant-label":"001 002"},{"001":[null],"002":[null]}]'
}

@test "a folder without plans: status says that it knows only what has begun" {
    own
    rm -r "$OUT/logs/plans"
    begun=$(find "$OUT/logs" -name '*_status.json' | wc -l)
    run -0 neuro-preprocess status "$OUT"
    contains "$output" 'no plan of a run in logs/plans, so only sessions that have begun are known'
    contains "$output" "$begun sessions"
    equal "$(json | jq -c '[.knows_plans, .n_sessions]')" "[false,$begun]"
    lacks "$(OUT=$KILLED/out && neuro-preprocess status "$OUT")" 'no plan of a run'
}

@test "files of process and batch that were never begun are not-started too" {
    files=$BATS_TEST_TMPDIR/files OUT=$BATS_TEST_TMPDIR/files-out
    mkdir -p "$files/a"
    for i in $(seq 10 40); do ln "$BIDS/sub-001/anat/sub-001_T1w.nii.gz" "$files/a/scan$i.nii.gz"; done
    setsid neuro-preprocess batch "$files" -o "$OUT" --parallel 1 --slow-stage load_file:1 "${QUICK[@]}" >/dev/null 2>&1 &
    pid=$!
    wait_until 60 "[[ -e $OUT/logs/a/scan11_status.json ]]"
    kill -KILL -- "-$pid"
    equal "$(json | jq -c '[.n_sessions, .states["not-started"]]')" '[31,29]'
    equal "$(json | jq -r '.sessions[-1].label')" a/scan40.nii.gz
}

@test "a completion record that is gone: status, group and the lists count the session as a rerun does" {
    own
    rm -r "$OUT/logs/plans"
    run -0 neuro-preprocess "$BIDS" "$OUT" group
    gone=$(find "$OUT" -name '*_complete.json' | LC_ALL=C sort | head -n 1)
    label=${gone##*/sub-} label=${label%%_*}
    rm "$gone"
    equal "$(json | jq -r ".sessions[] | select(.participant == \"$label\") | .state")" incomplete
    contains "$(neuro-preprocess status "$OUT" --format nipoppy)" "$label"$'\tunnamed'
    contains "$(neuro-preprocess status "$OUT")" "sub-$label: its completion record '${gone##*/}' is missing"
}
