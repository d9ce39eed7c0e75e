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

# in_group COMMAND…: in the background, in a process group of its own, $group. No session of its own: the kernel would share out the
# processor between sessions.
in_group()
{
    set -m
    "$@" >/dev/null 2>&1 &
    group=$!
    set +m
}

# A run of all, killed with all its processes when 30 sessions are complete.
make_killed()
{
    make_cohort "$1"
    in_group neuro-preprocess "$1/bids" "$1/out" participant "${QUICK[@]}"
    wait_until 600 "(( \$(find '$1/out/logs' -name '*_complete.json' 2>/dev/null | wc -l) >= 30 ))" || return
    kill -KILL -- "-$group"
    wait "$group" || (($? == 137))
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
to_run() { neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --dry-run --format json "$@" | grep -c '"decision": "run"'; }
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
    neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --dry-run --format json |
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
    in_group neuro-preprocess batch "$files" -o "$OUT" --parallel 1 --slow-stage load_file:5 "${QUICK[@]}"
    wait_until 300 "[[ -e $OUT/logs/a/scan11_status.json ]]"
    kill -KILL -- "-$group"
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
    cut=$(find "$OUT" -name '*_complete.json' | LC_ALL=C sort | head -n 1)
    truncate -s 300 "$cut"
    contains "$(neuro-preprocess status "$OUT" --verify)" "its completion record '${cut##*/}' is cut off"
}

@test "a withdrawn session counts neither as complete nor as missing, and runs leave it out; restored it is wanted again" {
    own
    left=$(json | jq .n_to_rerun)
    run -0 --separate-stderr neuro-preprocess status "$OUT" --withdraw sub-200 sub-199
    contains "$stderr" 'withdrawn: sub-200, sub-199'
    contains "$stderr" "--restore"
    equal "$(json | jq -c '[.n_sessions, .n_wanted, .states.withdrawn]')" '[200,198,2]'
    all_agree $((left - 2))
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label 199 200
    contains "$output" '2 sessions: 2 withdrawn'
    contains "$output" 'withdrawn and left out: sub-199, sub-200'
    [[ ! -e $(status_path "$OUT" 200) ]] || fail 'a withdrawn session has begun'
    run -0 neuro-preprocess status "$OUT" --restore sub-199 --withdraw sub-198
    all_agree $((left - 2))
    run -0 neuro-preprocess status "$OUT" --restore sub-198 sub-200
    all_agree "$left"
    n=$(n_plans)
    run -0 --separate-stderr neuro-preprocess status "$OUT" --restore sub-200
    contains "$stderr" 'restored already'
    equal "$(n_plans)" "$n"
    equal "$(json | jq -c .n_wanted)" 200
    run -18 --separate-stderr neuro-preprocess status "$OUT" --withdraw sub-19 sub-9999
    contains "$stderr" "'sub-19'"
    contains "$stderr" 'did you mean'
    equal "$(json | jq -c .n_wanted)" 200
}

@test "a session that the dataset does not hold any more is gone, by --dataset and after a run of the whole dataset" {
    own
    cp -r "$BIDS" "$BATS_TEST_TMPDIR/bids"
    BIDS=$BATS_TEST_TMPDIR/bids
    left=$(json | jq .n_to_rerun)
    rm -r "$BIDS/sub-200" "$BIDS/sub-199"
    all_gone='[.states.gone, .n_wanted, .n_to_rerun]'
    equal "$(json --dataset "$BIDS" | jq -c "$all_gone")" "[2,198,$((left - 2))]"
    contains "$(neuro-preprocess status "$OUT" --dataset "$BIDS")" 'sub-200: the dataset does not hold it'
    equal "$(json | jq .n_to_rerun)" "$left" 'without the dataset'
    run -0 neuro-preprocess "$BIDS" "$OUT" group
    equal "$(awk -F'\t' '$3 == "gone"' "$OUT/logs/status.tsv" | cut -f 1 | xargs)" 'sub-199 sub-200'
    # a narrow run does not look; one of the whole dataset says and keeps it
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label 001
    lacks "$output" 'not in'
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}"
    contains "$output" '2 sessions of earlier runs are not in'
    contains "$output" 'sub-199, sub-200'
    equal "$(json | jq -c "$all_gone")" '[2,198,0]'
    equal "$(neuro-preprocess status "$OUT" --format nipoppy)" ''
    # found again: wanted again
    cp -r "$KILLED/bids/sub-200" "$BIDS"
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label 200
    equal "$(json | jq -c "$all_gone")" '[1,199,0]'
}

@test "a session that .bidsignore hides now is gone, as a rerun does not find it; a list goes on with the others" {
    OUT=$BATS_TEST_TMPDIR/out BIDS=$BATS_TEST_TMPDIR/bids
    make_dataset "$BIDS" 01 02 03/1 03/2
    truncate -s 20000 "$BIDS/sub-02/anat/sub-02_T1w.nii.gz" "$BIDS/sub-03/ses-2/anat/sub-03_ses-2_T1w.nii.gz"
    run -1 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}"
    all_agree 2
    printf 'sub-02/\nsub-03/ses-2/\n' >"$BIDS/.bidsignore"
    equal "$(json --dataset "$BIDS" | jq -c '[.n_wanted, .n_to_rerun, .states]')" '[2,0,{"success":2,"gone":2}]'
    contains "$(neuro-preprocess status "$OUT" --dataset "$BIDS")" "sub-02: the dataset's .bidsignore hides it; before: failed"
    printf 'sub-01\tn/a\nsub-02\tn/a\nsub-03\tses-2\n' >"$BATS_TEST_TMPDIR/list"
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --session-list "$BATS_TEST_TMPDIR/list" --rerun all
    contains "$output" "'sub-03/ses-2': .bidsignore hides it; left out"
    contains "$output" '1 complete'
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}"
    contains "$output" '2 sessions of earlier runs are not in'
    equal "$(json | jq -c '[.n_to_rerun, .states]')" '[0,{"success":2,"gone":2}]'
    equal "$(neuro-preprocess status "$OUT" --format nipoppy)" ''
    rm "$BIDS/.bidsignore"
    run -1 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}"
    all_agree 2
}

@test "a dataset that is missing, empty or not fetched is no evidence that sessions are gone" {
    own
    left=$(json | jq .n_to_rerun)
    mkdir -p "$BATS_TEST_TMPDIR/empty" "$BATS_TEST_TMPDIR/unfetched"/sub-{001..200}
    run -66 neuro-preprocess status "$OUT" --dataset "$BATS_TEST_TMPDIR/nowhere"
    run -66 neuro-preprocess status "$OUT" --dataset "$BATS_TEST_TMPDIR/empty"
    equal "$(json --dataset "$BATS_TEST_TMPDIR/unfetched" | jq -c '[.n_to_rerun, .states.gone]')" "[$left,null]"
    for dataset in nowhere empty unfetched; do
        run -0 neuro-preprocess "$BATS_TEST_TMPDIR/$dataset" "$OUT" group
        equal "$(awk -F'\t' '$3 == "gone"' "$OUT/logs/status.tsv")" '' "$dataset"
    done
    equal "$(json | jq .n_to_rerun)" "$left"
}

@test "--dataset counts all its sessions, also in a folder without plans and under a driver that calls once a session" {
    own
    rm -r "$OUT/logs/plans"
    complete=$(json | jq .n_complete)
    equal "$(json --dataset "$BIDS" | jq -c '[.n_wanted, .n_to_rerun]')" "[200,$((200 - complete))]"
    equal "$(neuro-preprocess status "$OUT" --dataset "$BIDS" --format nipoppy | wc -l)" $((200 - complete))
    mkdir -p "$BATS_TEST_TMPDIR/more/sub-x1/func"
    cp -rl "$BIDS"/* "$BATS_TEST_TMPDIR/more"
    equal "$(json --dataset "$BATS_TEST_TMPDIR/more" | jq -c '[.n_wanted, .n_to_rerun, .states["nothing-to-do"]]')" \
        "[201,$((200 - complete)),1]"
}

@test "--verify finds an output that was cut or deleted, --verify-hash one whose content changed; group looks at sizes" {
    own
    rm -r "$OUT/logs/plans"
    run -0 neuro-preprocess "$BIDS" "$OUT" group # closes what the kill left
    before=$(json | jq .n_to_rerun)
    mapfile -t images < <(find "$OUT" -name '*_desc-preproc_T1w.nii.gz' | LC_ALL=C sort)
    rm "${images[0]}"
    truncate -s 100 "${images[1]}"
    printf x | dd of="${images[2]}" bs=1 seek=5000 conv=notrunc status=none
    equal "$(json | jq -c '[.n_to_rerun, .verified]')" "[$before,\"records\"]"
    contains "$(neuro-preprocess status "$OUT")" 'outputs were not looked at'
    equal "$(json --verify | jq -c '[.n_to_rerun, .verified]')" "[$((before + 2)),\"sizes\"]"
    equal "$(json --verify-hash | jq -c '[.n_to_rerun, .verified]')" "[$((before + 3)),\"hashes\"]"
    run -0 neuro-preprocess status "$OUT" --verify
    contains "$output" "desc-preproc_T1w.nii.gz' is missing"
    contains "$output" 'has 100 bytes, recorded are'
    lacks "$output" 'were not looked at'
    contains "$(neuro-preprocess status "$OUT" --verify-hash)" 'has other content than recorded'
    run -0 neuro-preprocess "$BIDS" "$OUT" group
    contains "$output" "$((before + 2)). Fix the cause"
    equal "$(awk -F'\t' '$3 == "incomplete"' "$OUT/logs/status.tsv" | wc -l)" 2
    equal "$(to_run)" $((before + 2 + 200 - $(json | jq .n_sessions)))
}

@test "--dataset --verify finds an input that was corrected since, as a rerun does; a copy with another time is the same" {
    own
    run -0 neuro-preprocess "$BIDS" "$OUT" group
    cp -r "$BIDS" "$BATS_TEST_TMPDIR/bids" # no links any more: other times, same bytes
    BIDS=$BATS_TEST_TMPDIR/bids
    left=$(json | jq .n_to_rerun)
    equal "$(json --dataset "$BIDS" --verify | jq .n_to_rerun)" "$left"
    complete=$(find "$OUT" -name '*_complete.json' | LC_ALL=C sort | head -n 1)
    label=${complete##*/sub-} label=${label%%_*}
    gunzip -c "$BIDS/sub-$label/anat/sub-${label}_T1w.nii.gz" | gzip -1 >"$BATS_TEST_TMPDIR/other"
    cp "$BATS_TEST_TMPDIR/other" "$BIDS/sub-$label/anat/sub-${label}_T1w.nii.gz"
    equal "$(json --dataset "$BIDS" --verify | jq .n_to_rerun)" $((left + 1))
    contains "$(neuro-preprocess status "$OUT" --dataset "$BIDS" --verify)" "sub-${label}_T1w.nii.gz' is not the image that was processed"
    equal "$(to_run)" $((left + 1))
}

# watch_on_terminal ROWS COLUMNS COMMAND…: what a terminal of this size received, in "$BATS_TEST_TMPDIR/seen".
watch_on_terminal()
{
    "$PYTHON" - "$BATS_TEST_TMPDIR/seen" "$@" <<'PY'
import fcntl, os, pty, struct, sys, termios, time
seen, rows, columns, command = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
pid, fd = pty.fork()
if pid == 0:
    time.sleep(0.2)
    os.execvp(command[0], command)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
with open(seen, "wb") as out:
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        out.write(data)
        out.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
}

@test "--watch redraws one block in place on a terminal, cut to its size, and ends when all sessions have ended" {
    OUT=$BATS_TEST_TMPDIR/out
    neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label 001 002 003 004 005 006 \
        --parallel 1 --slow-stage load_file:1 >/dev/null 2>&1 &
    run_pid=$!
    wait_until 300 "[[ -d $OUT/logs/plans ]]"
    run -0 watch_on_terminal 8 50 neuro-preprocess status "$OUT" --watch
    wait "$run_pid"
    "$PYTHON" - "$BATS_TEST_TMPDIR/seen" <<'PY'
import re, sys
text = open(sys.argv[1], "rb").read().decode()
frames = text.split("\r\x1b[J")[1:]
assert len(frames) >= 2, text
for frame in frames:
    lines = re.sub(r"\x1b\[\d+A", "", frame).split("\r\n")
    assert len(lines) <= 8, lines
    assert all(len(line) <= 49 for line in lines), lines
ups = [int(n) for n in re.findall(r"\x1b\[(\d+)A\r\x1b\[J", text)]
drawn = [frame.count("\n") for frame in frames]
assert ups == drawn[:-1], (ups, drawn)
assert "6 of 6 complete" in frames[-1], frames[-1]
PY
}

@test "--watch on a pipe prints a block after each change, and Ctrl-C ends it" {
    run -0 neuro-preprocess status "$(made)/out" --watch
    contains "$output" '2 of 2 complete'
    equal "$(grep -c ' complete$' <<<"$output")" 1
    lacks "$output" $'\033'
    neuro-preprocess status "$OUT" --watch >"$BATS_TEST_TMPDIR/text" &
    wait_until 120 "grep -q 'to rerun' $BATS_TEST_TMPDIR/text"
    kill -INT $!
    code=0
    wait $! || code=$?
    equal $code 130
}

@test "--plan-only: what is asked for is wanted, the folder's configuration is decided, and nothing begins" {
    OUT=$BATS_TEST_TMPDIR/out BIDS=$BATS_TEST_TMPDIR/bids
    make_dataset "$BIDS" 01 02/1
    mkdir -p "$BIDS/sub-03/func" # without images: no run gives it a record before it begins, so it would wait for ever
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --plan-only
    contains "$output" '3 sessions: 2 to do, 1 without images; the plan was kept, and nothing was processed'
    equal "$(json | jq -c '[.n_wanted, .states]')" '[2,{"not-started":2}]'
    equal "$(find "$OUT" -name '*_status.json' -o -name '*.nii*')" ''
    run -78 neuro-preprocess "$BIDS" "$OUT" participant --plan-only
    run -64 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --plan-only --dry-run
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}"
    equal "$(json | jq -c '[.n_wanted, .n_to_rerun]')" '[3,0]'
}

@test "a record that cannot be read is one of a session that a rerun does, with plans and without" {
    own
    run -0 neuro-preprocess "$BIDS" "$OUT" group
    left=$(json | jq .n_to_rerun)
    damaged=$(find "$OUT" -name '*_complete.json' | LC_ALL=C sort | head -n 1)
    label=${damaged##*/sub-} label=${label%%_*}
    truncate -s 300 "$(status_path "$OUT" "$label")"
    for plans in with without; do
        [[ $plans == with ]] || rm -r "$OUT/logs/plans"
        equal "$(json | jq -r ".sessions[] | select(.participant == \"$label\") | .state")" incomplete
        contains "$(neuro-preprocess status "$OUT" --format nipoppy)" "$label"$'\tunnamed'
        contains "$(neuro-preprocess status "$OUT")" "sub-$label: its record 'sub-${label}_status.json' cannot be read"
        contains "$(neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --dry-run --participant-label "$label")" 'its status record is missing'
    done
    equal "$(json --dataset "$BIDS" | jq .n_to_rerun)" $((left + 1))
}

@test "a session between its status record and its completion record is running, and nothing of it is missing" {
    OUT=$BATS_TEST_TMPDIR/out
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label 001 --slow-stage load_file:0.1
    neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label 002 --slow-stage load_file:60 >/dev/null 2>&1 3>&- &
    pid=$!
    wait_until 60 '[[ $(running_stage "$OUT" 002) == load_file ]]'
    rm "$OUT/logs/sub-001/sub-001_ses-unnamed_complete.json"
    cp "$OUT/logs/sub-002/.sub-002.lock" "$OUT/logs/sub-001/.sub-001.lock"
    equal "$(json | jq -c '[.n_wanted, .n_to_rerun, .states]')" '[2,0,{"running":2}]'
    equal "$(neuro-preprocess status "$OUT" --format nipoppy)" ''
    kill -KILL $pid
    wait $pid || true
    equal "$(json | jq -c '[.n_wanted, .n_to_rerun, .states]')" '[2,2,{"lost":1,"incomplete":1}]'
}

@test "what a later run was asked for beyond what a session has is left until it is done: after a wrong filter, after fewer modalities" {
    OUT=$BATS_TEST_TMPDIR/out BIDS=$BATS_TEST_TMPDIR/bids
    make_dataset "$BIDS" 01 02 03
    for s in 01 02 03; do cp "$BIDS/sub-$s/anat/sub-${s}_T1w.nii.gz" "$BIDS/sub-$s/anat/sub-${s}_T2w.nii.gz"; done
    echo '{"t1w": {"acquisition": "nope"}, "t2w": {"acquisition": "nope"}}' >"$BATS_TEST_TMPDIR/filter.json"
    run -18 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --slow-stage load_file:0.1 --bids-filter-file "$BATS_TEST_TMPDIR/filter.json"
    equal "$(json | jq -c '[.n_to_rerun, .states]')" '[0,{"nothing-to-do":3}]'
    # the right call, killed before it began with the third session
    in_group neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --parallel 1 -m T1w --slow-stage load_file:3
    wait_until 60 '[[ $(running_stage "$OUT" 02) == load_file ]]'
    equal "$(json | jq -c '[.n_to_rerun, .states]')" '[1,{"running":1,"success":1,"incomplete":1}]'
    kill -KILL -- "-$group"
    wait "$group" || true
    QUICK+=(--slow-stage load_file:0.1)
    equal "$(json | jq -c '[.n_wanted, .n_to_rerun]')" '[3,2]'
    equal "$(to_run -m T1w)" 2
    equal "$(neuro-preprocess status "$OUT" --format nipoppy | xargs)" '02 unnamed 03 unnamed'
    contains "$(neuro-preprocess status "$OUT")" 'sub-03: a later run was asked for more of it, and has not begun'
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" -m T1w
    equal "$(json | jq -c '[.n_to_rerun, .states]')" '[0,{"success":3}]'
    # more modalities; a narrow run in between does not take them back
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --plan-only
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" -m T1w
    all_agree 3
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}" --participant-label 01
    all_agree 2
    # images that are gone are wanted no more: a run that looked found nothing left to do
    rm "$BIDS"/sub-*/anat/*_T2w.nii.gz
    run -0 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}"
    equal "$(json | jq -c '[.n_to_rerun, .states]')" '[0,{"success":3}]'
    equal "$(neuro-preprocess status "$OUT" --format nipoppy)" ''
}

@test "files of batch whose redo has not begun are left" {
    files=$BATS_TEST_TMPDIR/files OUT=$BATS_TEST_TMPDIR/out
    mkdir "$files"
    for i in 1 2; do cp "$BIDS/sub-001/anat/sub-001_T1w.nii.gz" "$files/scan$i.nii.gz"; done
    run -0 neuro-preprocess batch "$files" -o "$OUT" "${QUICK[@]}" --slow-stage load_file:0.1
    rm "$OUT"/scan?_desc-preproc.nii.gz
    equal "$(json | jq -c '[.n_to_rerun, .states]')" '[0,{"success":2}]'
    in_group neuro-preprocess batch "$files" -o "$OUT" "${QUICK[@]}" --parallel 1 --slow-stage load_file:60
    wait_until 60 "jq -e '.state == \"running\"' '$OUT/logs/scan1_status.json'"
    kill -KILL -- "-$group"
    wait "$group" || true
    equal "$(json | jq -c '[.n_to_rerun, .states]')" '[2,{"lost":1,"incomplete":1}]'
    run -0 neuro-preprocess batch "$files" -o "$OUT" "${QUICK[@]}" --slow-stage load_file:0.1
    equal "$(json | jq -c '[.n_to_rerun, .states]')" '[0,{"success":2}]'
}
