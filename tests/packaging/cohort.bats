#!/usr/bin/env bats
# One cohort and all that happens to it, through np-slurm on a Slurm of two nodes: at each point what is said to be left is what a rerun
# then does. NP_TEST_SESSIONS sessions (200; `make check-cohort` asks for 2000), in memory.
bats_require_minimum_version 1.5.0
load ../cli/helper

QUICK=(--bias-correction none --skull-strip skip --normalize none)
N=${NP_TEST_SESSIONS:-200}
N_TASKS=4

why_not()
{
    ((EUID == 0)) || { echo 'needs root'; return; }
    [[ ${CI:-} == true || ${NP_TEST_SYSTEM:-} == 1 ]] || echo 'needs Slurm: NP_TEST_SYSTEM=1 lets the tests install it'
}

setup_file()
{
    [[ -z $(why_not) ]] || return 0
    "$TOP/scripts/install-deps.sh" slurm
    export NP_CLUSTER=$BATS_FILE_TMPDIR/slurm BATS_TEST_TIMEOUT=$((60 + 2 * N)) # the one test is a cohort's whole life
    chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
    "$TOP/tests/packaging/start-slurm.sh" start "$NP_CLUSTER" 3>&- 4>&-
}

teardown_file() { [[ -z ${NP_CLUSTER:-} ]] || "$TOP/tests/packaging/start-slurm.sh" stop "$NP_CLUSTER"; }

setup()
{
    local reason
    reason=$(why_not)
    [[ -z $reason || ${CI:-} != true ]] || fail "$reason"
    [[ -z $reason ]] || skip "$reason"
    export SLURM_CONF=$NP_CLUSTER/slurm.conf
    mount_tmpfs "$BATS_TEST_TMPDIR/disk" "size=$((16 * 1024 + N * 256))k,nr_inodes=0"
    BIDS=$BATS_TEST_TMPDIR/bids OTHER=$BATS_TEST_TMPDIR/other DISK=$BATS_TEST_TMPDIR/disk
    mount_tmpfs "$BATS_TEST_TMPDIR/other-disk" nr_inodes=0
    OUT=$DISK/out COPY=$BATS_TEST_TMPDIR/other-disk/copy
    cd "$BATS_TEST_TMPDIR" || return
}
teardown() { [[ -z ${NP_KEEP:-} ]] || { rm -rf "$NP_KEEP"; cp -r "$OUT" "$NP_KEEP"; }; unmount_all; }

# --- the cohort -------------------------------------------------------------------------------------------------------------
# A head of the least size that is taken, linked to all sessions, two of each participant. Two of the images are broken, one
# session has none, one participant has no session label.
make_cohort()
{
    local i name
    HEAD=$BATS_TEST_TMPDIR/tiny/sub-01/anat/sub-01_T1w.nii.gz
    neuro-preprocess demo-data "$BATS_TEST_TMPDIR/tiny" --participants 1 --sessions 1 --size 6.5 >/dev/null
    mkdir -p "$BIDS"
    echo '{"Name": "Many small heads", "BIDSVersion": "1.11.1"}' >"$BIDS/dataset_description.json"
    for ((i = 2; i < N + 2; i++)); do
        printf -v name 'sub-%04d/ses-%d' $((i / 2)) $((i % 2 + 1))
        ((i < N)) || name=sub-none$i
        echo "$name"
    done >sessions
    sed "s,.*,$BIDS/&/anat," sessions | xargs mkdir -p
    while read -r name; do ln "$HEAD" "$BIDS/$name/anat/${name/\//_}_T1w.nii.gz"; done <sessions
    for name in sub-0003_ses-1 sub-0007_ses-2; do
        rm "$BIDS/${name/_/\/}/anat/${name}_T1w.nii.gz"
        head -c 9000 "$HEAD" >"$BIDS/${name/_/\/}/anat/${name}_T1w.nii.gz"
    done
    printf '%s\t%s\n' sub-0003 ses-1 sub-0007 ses-2 >broken
    rm "$BIDS/sub-0005/ses-1/anat"/*
    for name in sub-0001/ses-1 sub-x/ses-1; do
        mkdir -p "$OTHER/$name/anat"
        gunzip -c "$HEAD" | gzip -1 >"$OTHER/$name/anat/${name/\//_}_T1w.nii.gz"
    done
    echo '{"Name": "Other heads", "BIDSVersion": "1.11.1"}' >"$OTHER/dataset_description.json"
    EMPTY=$'sub-0005\tses-1'
}

np_slurm() { "$TOP/scripts/slurm/np-slurm" "$@"; }
submit() { np_slurm submit "$BIDS" "$OUT" --program "$PROGRAM" --chunk $(((N + N_TASKS - 1) / N_TASKS)) --mem none "$@" -- "${QUICK[@]}"; }
resubmit() { np_slurm resubmit "$OUT" "$@"; }
queue_is_empty() { local jobs && jobs=$(squeue --noheader) && [[ -z $jobs ]]; }
finish() { wait_until $((60 + N / 2)) queue_is_empty || fail "still in the queue: $(squeue --noheader)"; }
last_job() { cat "$(find "$OUT/logs/slurm" -name job | LC_ALL=C sort | tail -n 1)"; }
# wait_for N: until N sessions are complete.
wait_for() { wait_until $((60 + N / 4)) "(( \$(n_complete) >= $1 ))" || fail "in the queue: $(squeue)"; }
n_complete() { find "$OUT/logs" -name '*_complete.json' | wc -l; }
# The processes that the records name, and their workers, where they still are.
kill_all()
{
    local pid
    while read -r pid; do
        [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == *"$OUT"* ]] 2>/dev/null && kill -KILL "$pid" $(pgrep -P "$pid")
    done < <(find "$OUT/logs" -name '*_status.json' -exec jq -r .process.pid {} + | sort -u) || true
}
release() { squeue --noheader --format=%A | sort -u | xargs -n 1 scontrol release; }

# --- what is said to be left, in one form: "sub-0001 ses-1", one a line -----------------------------------------------------
labels() { sed -E 's,^,sub-,; s,\tunnamed$,\tn/a,; s,\t([^n].*)$,\tses-\1,' | LC_ALL=C sort; }
left_json() { neuro-preprocess status "$1" --format json --failed | jq -r '.sessions[] | [.participant, .session // "unnamed"] | @tsv' | labels; }
left_tsv() { neuro-preprocess status "$1" --format tsv --failed | tail -n +2 | cut -f 1,2 | LC_ALL=C sort; }
left_nipoppy() { neuro-preprocess status "$1" --format nipoppy | labels; }
left_verified() { neuro-preprocess status "$1" --verify --dataset "$BIDS" --format nipoppy | labels; }
left_dry() { neuro-preprocess "$BIDS" "$1" participant "${QUICK[@]}" --dry-run --format json | jq -r '.plan[] | select(.decision == "run") | [.participant, .session // "unnamed"] | @tsv' | labels; }
left_table() { neuro-preprocess status "$1" | sed -n 's/^to rerun: \([0-9]*\)\..*/\1/p'; }
runs() { find "$1/logs" -name '*_status.json' -exec jq -r '[.run, .participant, .session // "unnamed"] | @tsv' {} + | LC_ALL=C sort; }

# Sessions that were processed since `runs` wrote the file "before".
did() { comm -13 before <(runs "$1") | cut -f 2- | labels | grep -vFx "$EMPTY" || true; }

# listed POINT [N]: all that count and list what is left agree (on N). A copy of the folder has room for the dry run.
listed()
{
    local n way
    left_json "$OUT" >left
    n=$(wc -l <left)
    equal "$n" "${2:-$n}" "$1: left"
    rm -rf "$COPY"
    cp -r "$OUT" "$COPY"
    left_dry "$COPY" >left.dry
    for way in tsv nipoppy verified; do "left_$way" "$OUT" >"left.$way"; done
    for way in tsv nipoppy verified dry; do
        cmp left "left.$way" || fail "$1: $way: $(diff left "left.$way" | head -n 5)"
    done
    equal "$(left_table "$OUT")" "${n#0}" "$1: table"
}

# at POINT [N]: the same, and it is what a rerun of the copy does.
at()
{
    listed "$@"
    rerun_of_a_copy "$1" "$(wc -l <left)"
}

# still POINT: what is left is what it was.
still() { left_json "$OUT" | cmp left - || fail "$1: something else is left"; }

end_lost() { scancel --name=np-summary && scancel --state=PENDING "$(last_job)" && kill_all; }
end_interrupted() { scancel "$(last_job)"; }

# ended_at_work STATE PERCENT…: the submitted tasks end when so many sessions are complete, and leave one in STATE. All may be between
# two sessions just then: what is left is submitted again, and ends at the next PERCENT.
ended_at_work()
{
    local state=$1 percent
    shift
    for percent in "$@"; do
        release
        wait_for $((N * percent / 100))
        "end_$state"
        finish
        [[ $(neuro-preprocess status "$OUT" | head -n 1) != *" $state"* ]] || return 0
        run -0 resubmit
    done
    fail "no session is $state"
}

# What np-slurm says of the same: after its summary, all is as before.
and_np_slurm()
{
    run -1 np_slurm summary "$OUT"
    contains "$output" "$(wc -l <left) to run again"
    run -0 resubmit --dry-run
    contains "$output" "$(wc -l <left) sessions in"
    still "$1, after the summary"
}

rerun_of_a_copy()
{
    runs "$COPY" >before
    neuro-preprocess "$BIDS" "$COPY" participant "${QUICK[@]}" >rerun.log 2>&1 || true
    (($2 == 0)) || contains "$(<rerun.log)" "$2 to do"
    did "$COPY" >redone
    cmp left redone || fail "$1: a rerun: $(diff left redone | head -n 5)"
    left_json "$COPY" >left.after
    grep -Fxf broken left | cmp - left.after || fail "$1: after the rerun: $(head -n 5 left.after)"
}

@test "$N sessions: killed twice, a task withdrawn, the disk full, another dataset by mistake; status is what a rerun does" {
    make_cohort
    run -0 submit --sbatch=--hold
    at 'nothing has begun' $((N - 1))

    run -78 np_slurm submit "$OTHER" "$OUT" --program "$PROGRAM" -- "${QUICK[@]}"
    still 'another dataset before the first session'

    ended_at_work lost 20 25 30
    at 'killed without a word'
    and_np_slurm 'killed without a word'

    run -0 resubmit
    ended_at_work interrupted 40 45 50
    at 'ended by scancel'
    and_np_slurm 'ended by scancel'

    run -0 resubmit
    scancel "$(last_job)_1"
    release
    wait_for $((N * 3 / 5))
    scancel "$(last_job)"
    finish
    at 'a task withdrawn'
    and_np_slurm 'a task withdrawn'
    mapfile -t withdrawn < <(tail -n 2 left | sed 's,\tn/a,,; s,\t,_,')
    run -0 neuro-preprocess status "$OUT" --withdraw "${withdrawn[@]}"
    at 'two sessions withdrawn' $(($(wc -l <left) - 2))
    and_np_slurm 'two sessions withdrawn'

    run -0 resubmit --chunk "$N"
    release
    wait_for $((N * 4 / 5))
    cat /dev/zero >"$DISK/ballast" 2>/dev/null || true
    finish
    at 'the disk is full'
    lacks "$(neuro-preprocess status "$OUT")" killed
    run -74 neuro-preprocess "$BIDS" "$OUT" participant "${QUICK[@]}"
    run -74 resubmit
    run -74 np_slurm summary "$OUT"
    contains "$output" "$(wc -l <left) to run again"
    rm "$DISK/ballast"
    still 'room was made'
    and_np_slurm 'room was made'

    run -78 np_slurm submit "$OTHER" "$OUT" --program "$PROGRAM" -- "${QUICK[@]}"
    run -78 neuro-preprocess "$OTHER" "$OUT" participant "${QUICK[@]}"
    still 'another dataset by mistake'
    and_np_slurm 'another dataset by mistake'

    run -0 neuro-preprocess status "$OUT" --restore "${withdrawn[@]}"
    runs "$OUT" >before
    listed 'restored' $(($(wc -l <left) + 2))
    run -0 resubmit
    release
    finish
    did "$OUT" | cmp left - || fail "restored: the tasks: $(did "$OUT" | diff left - | head -n 5)"
    at 'all has run' 2
    equal "$(<left)" "$(<broken)"
    and_np_slurm 'all has run'

    sed 's,\(.*\)\t\(.*\),'"$BIDS"'/\1/\2/anat/\1_\2_T1w.nii.gz,' broken | xargs -n 1 cp "$HEAD"
    still 'mended'
    run -0 resubmit
    release
    finish
    at 'all is complete' 0
    run -0 np_slurm summary "$OUT"
    contains "$output" "$((N - 1)) of $((N - 1)) complete"
    run -0 resubmit
    equal "$output" 'nothing to resubmit'
}
