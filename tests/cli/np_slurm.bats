#!/usr/bin/env bats
# np-slurm's own decisions, with commands in Slurm's place that queue nothing; tests/packaging/slurm.bats has the real ones.
load helper

QUICK=(--bias-correction none --skull-strip skip --normalize none)
NP_SLURM=$TOP/scripts/slurm/np-slurm

setup()
{
    cd "$BATS_TEST_TMPDIR" || return
    mkdir stub
    # shellcheck disable=SC2016 # the stub's own words
    printf '#!/bin/sh\necho $(( $(cat n 2>/dev/null || echo 0) + 1 )) >n\ncat n\n' >stub/sbatch
    printf '#!/bin/sh\necho "slurm_load_jobs error: Invalid job id specified" >&2\nexit 1\n' >stub/squeue
    printf '#!/bin/sh\nexit 1\n' >stub/scontrol
    chmod +x stub/*
    PATH=$BATS_TEST_TMPDIR/stub:$PATH
    make_dataset bids 01 02/1 03 04 05 06
    OUT=$BATS_TEST_TMPDIR/out
}

submit() { "$NP_SLURM" submit bids out --no-canary "$@" -- "${QUICK[@]}"; }
task() { SLURM_ARRAY_TASK_ID=$1 "$NP_SLURM" task "$OUT/logs/slurm/0001"; }

@test "what was submitted is wanted before a task has begun: status, the list and the summary agree" {
    run -0 submit --chunk 2
    contains "$output" '6 sessions in 3 tasks'
    equal "$(neuro-preprocess status out --format json | jq -c '[.n_wanted, .n_complete, .states["not-started"]]')" '[6,0,6]'
    run -0 task 0
    equal "$(neuro-preprocess status out --format json | jq -c '[.n_wanted, .n_complete, .n_to_rerun]')" '[6,2,4]'
    equal "$(neuro-preprocess status out --format nipoppy | xargs)" '03 unnamed 04 unnamed 05 unnamed 06 unnamed'
    run -1 "$NP_SLURM" summary out
    contains "$output" 'to rerun: 4.'
    contains "$output" '6 sessions submitted, 4 to run again'
    plan=$(find out/logs/plans -name '*.json' | LC_ALL=C sort | head -n 1)
    equal "$(jq -c '[.schema, .command, .version != "", .dataset.path == "'"$PWD"'/bids", .sessions["02"], .sessions["01"]]' "$plan")" \
        '[1,"participant",true,true,["1"],[null]]'
    [[ $plan == *"_$(jq -r .run "$plan").json" && $plan =~ /[0-9]{8}T[0-9]{6}\.[0-9]{6}Z_ ]] || fail "$plan"
}

@test "a dataset that is missing or an empty mount point is 66 everywhere, and never 'nothing left'" {
    run -0 submit --chunk 6
    mv bids away
    for state in missing empty; do
        [[ $state == missing ]] || mkdir bids
        for command in summary resubmit; do
            run -66 "$NP_SLURM" "$command" out
            lacks "$output" ' 0 to run again'
        done
        run -66 submit
        run -66 task 0
        contains "$output" 'is it mounted here?'
    done
    rmdir bids && mv away bids
    run -1 "$NP_SLURM" summary out
    contains "$output" '6 sessions submitted, 6 to run again'
}

@test "a session whose folder is gone counts as left until it is withdrawn" {
    run -0 submit --chunk 6
    rm -r bids/sub-03 bids/sub-02/ses-1 && mkdir bids/sub-02/ses-2
    run -0 task 0
    contains "$output" 'sub-03 n/a is no longer in'
    run -1 "$NP_SLURM" summary out
    contains "$output" '6 sessions submitted, 0 to run again, 2 not done and no longer in the dataset'
    contains "$output" '--withdraw sub-02_ses-1 sub-03'
    run -0 neuro-preprocess status out --withdraw sub-02_ses-1 sub-03
    run -0 "$NP_SLURM" summary out
    contains "$output" '6 sessions submitted, 0 to run again'
    lacks "$output" 'not done'
}

@test "resubmit takes what a rerun would do: failed, not started, and outputs that are not whole" {
    run -0 submit --chunk 6
    run -0 task 0
    run -0 "$NP_SLURM" summary out
    truncate -s 100 out/sub-04/anat/*desc-preproc_T1w.nii.gz
    rm out/logs/sub-05/*_complete.json
    run -1 "$NP_SLURM" summary out
    contains "$output" '2 to run again'
    run -0 "$NP_SLURM" resubmit out --dry-run
    contains "$output" '2 sessions in 1 task'
    run -0 "$NP_SLURM" resubmit out --dry-run --reason incomplete
    contains "$output" '2 sessions in 1 task'
    run -0 "$NP_SLURM" resubmit out --reason killed
    equal "$output" 'nothing to resubmit'
}

@test "the summary counts the cohort in its telemetry, under the rules that the tasks were given" {
    QUICK+=(--telemetry-id hash --dataset-name=Heads)
    run -0 submit --chunk 6
    run -0 task 0
    before=$(ls out/logs/telemetry/*.otlp.jsonl)
    run -0 "$NP_SLURM" summary out
    record=$(comm -13 <(echo "$before") <(ls out/logs/telemetry/*.otlp.jsonl))
    equal "$(jq -r 'select(.resourceMetrics) | .resourceMetrics[].scopeMetrics[].metrics[] | select(.name == "neuro.cohort.sessions").gauge.dataPoints[]
        | select(any(.attributes[]; .value.stringValue == "success")) | .asInt' "$record" | tail -n 1)" 6
    equal "$(jq -rs '[.[] | (.resourceMetrics // .resourceLogs // .resourceSpans)[].resource.attributes[]
        | select(.key == "neuro.telemetry.id" or .key == "neuro.dataset.name").value.stringValue] | unique | join(" ")' "$record")" 'Heads hash'
    rm -r out
    QUICK=("${QUICK[@]:0:6}" --no-telemetry)
    run -0 submit --chunk 6
    run -0 task 0
    run -0 "$NP_SLURM" summary out
    [[ ! -e out/logs/telemetry ]] || fail "$(ls out/logs/telemetry)"
}

# As on nodes of which node1 has memory that fails; sbatch keeps its words.
node_program()
{
    cat >np <<'END'
#!/bin/sh
[ "$SLURMD_NODENAME" != node1 ] || wrong=--wrong-canary
case " $* " in *" --canary "*) ;; *) wrong= ;; esac
exec neuro-preprocess "$@" $wrong
END
    chmod +x np
    printf '#!/bin/sh\necho "$*" >>words\necho 7\n' >stub/sbatch
}

@test "a node whose canary is wrong does no session and ends with 75; the summary names it, resubmit leaves it out" {
    node_program
    run -0 "$NP_SLURM" submit bids out --chunk 3 --program ./np -- "${QUICK[@]}"
    SLURMD_NODENAME=node1 run -75 task 0
    contains "$output" 'canary: expected voxels with the SHA-256'
    contains "$output" 'on node1 ('
    SLURMD_NODENAME=node2 run -0 task 1
    contains "$output" 'canary: right after'
    equal "$(neuro-preprocess status out --format json | jq -c .states)" '{"success":3,"not-started":3}'
    equal "$(cut -f 2,3 out/logs/canary/*.tsv | grep -v verdict | LC_ALL=C sort)" $'node1\twrong\nnode2\tright'
    lacks "$(<words)" --exclude
    run -1 "$NP_SLURM" summary out
    contains "$output" 'canary wrong on node node1 ('
    lacks "$output" node2
    : >words
    run -0 "$NP_SLURM" resubmit out
    contains "$output" 'left out, because their canary was wrong: node1'
    equal "$(grep -c -- '--exclude=node1 ' words)" 2 "$(<words)"
    # with an --exclude of the user's own, both
    : >words
    run -0 "$NP_SLURM" resubmit out --sbatch=--exclude=node9
    equal "$(grep -c -- '--exclude=node9,node1 ' words)" 2 "$(<words)"
    # sessions that have failed records of earlier attempts: still no success of the task
    SLURMD_NODENAME=node2 run -0 task 0
    truncate -s 20000 bids/sub-01/anat/sub-01_T1w.nii.gz
    rm out/logs/sub-0[123]/*_complete.json
    SLURMD_NODENAME=node1 run -75 task 0
}

@test "a node whose canary takes more than three times the others' median is a warning in the summary" {
    run -0 submit --chunk 6
    mkdir -p out/logs/canary
    for one in a:1.0 a:9.0 a:1.1 b:1.2 c:3.5 d:3.9; do
        printf 'time\tnode\tverdict\tseconds\tfound\tprocessor\nnow\t%s\tright\t%s\tx\tCPU\n' "${one%:*}" "${one#*:}" >"out/logs/canary/${one/:/_}.tsv"
    done
    run -1 "$NP_SLURM" summary out
    contains "$output" 'warning: canary slow on node d: 3.9 s, 1.2 s on the others'
    equal "$(grep -c 'canary slow' <<<"$output")" 1 "$output"
    lacks "$output" 'canary wrong'
}

@test "no canary where a task is one session, nor with --no-canary" {
    run -0 "$NP_SLURM" submit bids out --chunk 1 -- "${QUICK[@]}"
    run -0 task 0
    lacks "$output" canary
    run -0 submit --chunk 2
    SLURM_ARRAY_TASK_ID=0 run -0 "$NP_SLURM" task "$OUT/logs/slurm/0002"
    lacks "$output" canary
    [[ ! -e out/logs/canary ]] || fail 'a canary was kept'
}

# Of all records: "name trace parent span", the parent - where there is none.
spans() { cat out/logs/telemetry/*.otlp.jsonl | jq -Rr 'fromjson? | .resourceSpans[]?.scopeSpans[].spans[] | "\(.name) \(.traceId) \(.parentSpanId // "-" | if . == "" then "-" else . end) \(.spanId)"'; }
links() { cat out/logs/telemetry/*.otlp.jsonl | jq -Rr 'fromjson? | .resourceSpans[]?.scopeSpans[].spans[] | select(.name == "preprocess_session").links[].traceId' | sort -u; }

@test "a submit, its tasks and its summary are one trace, in the program's own records; each session leads there" {
    run -0 submit --chunk 3
    root=$(spans)
    [[ $root =~ ^preprocess_plan\ ([0-9a-f]{32})\ -\ ([0-9a-f]{16})$ ]] || fail "$root"
    trace=${BASH_REMATCH[1]} parent=${BASH_REMATCH[2]}
    contains "$output" "its trace: $trace"
    equal "$(<out/logs/slurm/0001/traceparent)" "00-$trace-$parent-01"
    # of the environment of a task, the submit's counts
    TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 run -0 task 0
    run -0 task 1
    run -0 "$NP_SLURM" summary-task "$OUT/logs/slurm/0001"
    run -0 "$NP_SLURM" summary out
    equal "$(spans | grep " $trace " | cut -d ' ' -f 1,3 | LC_ALL=C sort)" "preprocess_group $parent
preprocess_group $parent
preprocess_plan -
preprocess_run $parent
preprocess_run $parent"
    equal "$(links)" "$trace"
    # without telemetry there is no trace to hand on
    rm -r out
    QUICK+=(--no-telemetry)
    run -0 submit --chunk 6
    lacks "$output" 'its trace'
    equal "$(<out/logs/slurm/0001/traceparent)" ''
}

@test "one call a session, as Nipoppy makes them: the plan's traceparent brings them into one trace" {
    export TRACEPARENT
    TRACEPARENT=$(neuro-preprocess bids out participant "${QUICK[@]}" --plan-only --format json | jq -r '.traceparent // empty')
    for participant in 01 03; do neuro-preprocess bids out participant "${QUICK[@]}" --participant-label $participant; done
    neuro-preprocess bids out group
    trace=$(cut -d - -f 2 <<<"$TRACEPARENT")
    equal "$(spans | grep " $trace " | cut -d ' ' -f 1 | LC_ALL=C sort | xargs)" 'preprocess_group preprocess_plan preprocess_run preprocess_run'
    equal "$(links)" "$trace"
}

@test "a task succeeds when each of its sessions has a final record, unless --task-exit sessions" {
    truncate -s 20000 bids/sub-03/anat/sub-03_T1w.nii.gz
    run -0 submit --chunk 6
    run -0 task 0
    contains "$output" 'each session of this task has a final record'
    run -1 "$NP_SLURM" summary out
    contains "$output" '1 to run again'
    rm -r out
    run -0 submit --chunk 6 --task-exit sessions
    run -1 task 0
    rm -r out
    # a session that could not begin has no final record
    run -0 submit --chunk 6
    mkdir -p out/logs && touch out/logs/sub-06
    run task 0
    ((status != 0)) || fail 'a session without a record is no success'
    run -64 submit --task-exit always
}

# Stands for the program: each call is a line of `calls`, each opening of a file or folder a line of `trace`.
watch_calls()
{
    cat >np <<'END'
#!/bin/sh
echo "$*" >>calls
exec strace -f -qq -e trace=openat -o '|cat >>trace' neuro-preprocess "$@"
END
    chmod +x np
    : >calls && : >trace
}

# How often the dataset's folder and the folder of a session were listed: "1 1".
listings() { for folder in bids bids/sub-03/anat; do grep -c "\"\($PWD/\)\?$folder/\?\", [^)]*O_DIRECTORY" trace; done | xargs; }

@test "submit reads the dataset once, keeps its plan, and needs of each session are what estimate says" {
    export ASAN_OPTIONS=detect_leaks=0 # the search for leaks does not work under strace
    watch_calls
    mkdir -p bids/sub-01/anat && cp bids/sub-01/anat/sub-01_T1w.nii.gz bids/sub-01/anat/sub-01_T2w.nii.gz
    run -0 "$NP_SLURM" submit bids out --program ./np
    equal "$(grep -c "^$PWD/bids\|^estimate\|--dataset" calls)" 1 "$(<calls)"
    equal "$(listings)" '1 1'
    equal "$(<out/logs/slurm/0001/sessions.tsv)" "$(neuro-preprocess estimate bids --omp-nthreads 1 --format tsv | tail -n +2)"
    equal "$(neuro-preprocess status out --format json | jq -c '[.n_wanted, .states["not-started"]]')" '[6,6]'
    # what is in the queue is left out: by labels, also of a session without one
    printf '#!/bin/sh\necho 1 RUNNING\n' >stub/squeue
    mkdir -p bids/sub-07/anat && cp bids/sub-03/anat/sub-03_T1w.nii.gz bids/sub-07/anat/sub-07_T1w.nii.gz
    : >calls
    run -0 "$NP_SLURM" submit bids out --program ./np
    contains "$output" '6 sessions already in the queue: left out'
    equal "$(grep -c "^$PWD/bids" calls)" 1 "$(<calls)"
    equal "$(cut -f 1,2 out/logs/slurm/0002/sessions.tsv)" $'sub-07\tn/a'
}

@test "submit says what a run warns of: a filter that restricts nothing, sessions without images" {
    echo '{"t1w": {"acquisitio": "x"}}' >filter.json
    mv bids/sub-06/anat/sub-06_T1w.nii.gz bids/sub-06/anat/sub-06_PDw.nii.gz
    QUICK+=(--bids-filter-file filter.json)
    run -0 --separate-stderr submit
    contains "$stderr" "'acquisitio' is no entity that is known here; it restricts nothing"
    contains "$stderr" 'in 1 of 6 sessions (sub-06); what is there: PDw'
    run -0 --separate-stderr neuro-preprocess bids out participant "${QUICK[@]}" --dry-run --format json
    equal "$(jq .run <<<"$output")" 5
    contains "$stderr" 'it restricts nothing'
    run -0 neuro-preprocess bids out participant "${QUICK[@]}" --plan-only
    contains "$output" 'it restricts nothing'
}

@test "--plan-only opens no image; with --format json it prints what --dry-run does, and keeps the plan" {
    export ASAN_OPTIONS=detect_leaks=0 # the search for leaks does not work under strace
    strace -f -e trace=open,openat,openat2 -o opened neuro-preprocess bids out participant --plan-only
    contains "$(<opened)" '"bids/sub-01'
    lacks "$(<opened)" T1w.nii
    neuro-preprocess bids out-2 participant "${QUICK[@]}" --dry-run --format json >dry.json
    [[ ! -e out-2 ]] || fail '--dry-run wrote'
    neuro-preprocess bids out-2 participant "${QUICK[@]}" --plan-only --format json >kept.json
    equal "$(jq -c '[.sessions, .disk_need_bytes, .configuration, .plan]' kept.json)" "$(jq -c '[.sessions, .disk_need_bytes, .configuration, .plan]' dry.json)"
    equal "$(jq '[.plan[] | select(.time_s > 0)] | length' kept.json)" 6
    equal "$(jq -c '.sessions | length' out-2/logs/plans/*.json)" 6
    run -64 neuro-preprocess bids out-2 participant --plan-only --format tsv
    contains "$output" '--plan-only have the formats table and json'
}

@test "a plan is kept when something is to do: none of complete sessions, none by --dry-run, none of sessions without images" {
    run -0 submit --dry-run
    contains "$output" '6 sessions in 1 task'
    [[ ! -e out/logs ]] || fail '--dry-run wrote'
    run -0 submit --chunk 6
    run -0 task 0
    before=$(find out | LC_ALL=C sort)
    run -0 submit
    contains "$output" 'nothing to do'
    run -0 neuro-preprocess bids out participant "${QUICK[@]}" --plan-only
    contains "$output" 'no plan was kept, because there is nothing to process'
    equal "$(find out | LC_ALL=C sort)" "$before"
    mkdir -p bids/sub-08/func
    run -0 submit
    equal "$(find out | LC_ALL=C sort)" "$before"
    run -0 "$NP_SLURM" submit bids out -- "${QUICK[@]}" --allow-empty
    contains "$output" '1 session in 1 task'
    equal "$(neuro-preprocess status out --format json | jq -c '.states["not-started"]')" 1
}

@test "sbatch fails after the plan: it is said that nothing was submitted; the sessions are not-started until a submit or a withdrawal" {
    cp stub/sbatch sbatch && printf '#!/bin/sh\necho "sbatch: error: invalid account" >&2\nexit 3\n' >stub/sbatch
    run -3 submit --chunk 6
    contains "$output" 'nothing was submitted; the plan is kept'
    contains "$output" "status $OUT --withdraw SESSION"
    equal "$(ls out/logs/slurm)" ''
    equal "$(neuro-preprocess status out --format json | jq -c '.states')" '{"not-started":6}'
    cp sbatch stub/sbatch
    run -0 submit --chunk 6
    contains "$output" '6 sessions in 1 task'
    equal "$(neuro-preprocess status out --format json | jq -c '[.n_wanted, .states["not-started"]]')" '[6,6]'
}

@test "wrong words are named; version, man page and completions are there" {
    run -64 "$NP_SLURM" sumbit bids out
    contains "$output" "'sumbit' is no command"
    run -0 submit --chunk 6
    run -64 "$NP_SLURM" resubmit out --reason no-memory,no-memry
    contains "$output" "'no-memry' is no failure"
    run -64 "$NP_SLURM" resubmit out --reason mask-unsure
    contains "$output" "'mask-unsure' is no failure"
    run -0 "$NP_SLURM" --version
    equal "$output" "np-slurm $(neuro-preprocess --version | awk 'NR == 1 { print $2 }')"
    run -0 "$NP_SLURM" --man
    contains "$output" '.TH NP-SLURM 1'
    contains "$output" 'task\-exit'
    for shell in bash zsh fish; do
        run -0 "$NP_SLURM" --completion $shell
        contains "$output" task-exit
        contains "$output" resubmit
    done
    bash -c "$("$NP_SLURM" --completion bash)" || fail 'bash cannot read its completion'
    run -64 "$NP_SLURM" --completion csh
}

@test "other options are refused at the submit; outdated sessions are left until a resubmit with --rerun outdated" {
    local other=(--bias-correction none --skull-strip skip --normalize percentile)
    run -0 submit --chunk 6
    run -0 task 0
    run -78 "$NP_SLURM" submit bids out -- "${other[@]}"
    contains "$output" 'normalize: none there, percentile here'
    run -0 neuro-preprocess bids out participant "${other[@]}" --rerun outdated --participant-label 01
    run -1 "$NP_SLURM" summary out
    contains "$output" '6 sessions submitted, 5 to run again'
    run -0 "$NP_SLURM" resubmit out
    contains "$output" '5 sessions outdated: left out'
    contains "$output" 'nothing to resubmit'
    run -0 "$NP_SLURM" resubmit out --chunk 6 -- "${other[@]}" --rerun outdated
    contains "$output" '5 sessions in 1 task'
    run -0 env SLURM_ARRAY_TASK_ID=0 "$NP_SLURM" task "$OUT/logs/slurm/0002"
    run -0 "$NP_SLURM" summary out
    contains "$output" '6 success'
    # a task that was queued with the old options begins nothing
    rm out/logs/sub-05/*_complete.json
    run -78 task 0
    equal "$(record out 05 .configuration.options.normalize)" percentile
}

@test "what was submitted is the folder's: other options or another dataset are refused before any task has begun" {
    other=(--bias-correction none --skull-strip skip --normalize percentile)
    run -0 submit --chunk 6
    run -78 "$NP_SLURM" submit bids out -- "${other[@]}"
    contains "$output" 'normalize: none there, percentile here'
    make_dataset other x1 x2
    echo '{"Name": "Other heads", "BIDSVersion": "1.11.1"}' >other/dataset_description.json
    run -78 "$NP_SLURM" submit other out -- "${QUICK[@]}"
    contains "$output" "'Other heads'"
    run -78 "$NP_SLURM" resubmit out -- "${other[@]}"
    equal "$(<n)" 2 'jobs: an array and its summary'
    equal "$(ls out/logs/slurm)" 0001
    equal "$(neuro-preprocess status out --format json | jq -c '[.n_wanted, .n_to_rerun]')" '[6,6]'
    equal "$(find out -name '*_status.json')" ''
}

@test "a submit that does not come about leaves nothing behind that later commands take for one" {
    run -0 submit --chunk 6 --participant-label 01
    printf '#!/bin/sh\necho "sbatch: error: invalid account" >&2\nexit 1\n' >stub/sbatch
    run -1 submit --chunk 6
    equal "$(ls out/logs/slurm)" 0001
    mkdir out/logs/slurm/0002 && touch out/logs/slurm/0002/{sessions.tsv,settings,job} # of an earlier version, on a full disk
    run -1 "$NP_SLURM" summary out
    contains "$output" '1 session submitted'
    run -0 "$NP_SLURM" resubmit out --dry-run
    contains "$output" 'in 1 task'
}

@test "sessions that were asked for beside Slurm count too: the summary's two numbers agree, and resubmit takes them" {
    run -0 submit --chunk 2 --participant-label 01 03
    run -0 task 0
    truncate -s 20000 bids/sub-04/anat/sub-04_T1w.nii.gz
    run -65 neuro-preprocess bids out participant "${QUICK[@]}" --participant-label 04
    run -0 neuro-preprocess bids out participant "${QUICK[@]}" --participant-label 05 --plan-only
    run -1 "$NP_SLURM" summary out
    contains "$output" 'to rerun: 2.'
    contains "$output" '2 sessions submitted, 2 more asked for by other runs, 2 to run again'
    run -0 "$NP_SLURM" resubmit out
    equal "$(cut -f 1 out/logs/slurm/0002/sessions.tsv | xargs)" 'sub-04 sub-05'
}

@test "a task whose sessions are withdrawn or have failed leaves none without a final record: it succeeds" {
    truncate -s 20000 bids/sub-03/anat/sub-03_T1w.nii.gz
    run -0 submit --chunk 6
    run -0 neuro-preprocess status out --withdraw sub-05
    run -0 task 0
    contains "$output" 'each session of this task has a final record'
    [[ ! -e $(status_path out 05) ]] || fail 'a withdrawn session has begun'
}

@test "an image that is new in a complete session, one that was replaced, and one that is gone: summary, resubmit and a rerun agree" {
    run -0 submit --chunk 6
    truncate -s 20000 bids/sub-06/anat/sub-06_T1w.nii.gz
    run -0 task 0
    cp bids/sub-01/anat/sub-01_T1w.nii.gz bids/sub-01/anat/sub-01_T2w.nii.gz
    gunzip -c bids/sub-03/anat/sub-03_T1w.nii.gz | gzip -1 >new && mv new bids/sub-03/anat/sub-03_T1w.nii.gz
    rm bids/sub-06/anat/*
    mkdir bids/sub-06/func && touch bids/sub-06/func/sub-06_task-rest_events.tsv # of an empty folder nothing is known
    run -1 "$NP_SLURM" summary out
    contains "$output" "'sub-01/anat/sub-01_T2w.nii.gz' is new since then"
    contains "$output" "'sub-03/anat/sub-03_T1w.nii.gz' is not the image that was processed"
    contains "$output" 'to rerun: 2.'
    contains "$output" '6 sessions submitted, 2 to run again'
    run -0 "$NP_SLURM" resubmit out --chunk 6
    equal "$(cut -f 1 out/logs/slurm/0002/sessions.tsv | xargs)" 'sub-01 sub-03'
    run -0 env SLURM_ARRAY_TASK_ID=0 "$NP_SLURM" task "$OUT/logs/slurm/0002"
    run -0 "$NP_SLURM" summary out
    # runs that were asked for some of the images leave the others alone
    run -0 neuro-preprocess bids out-2 participant "${QUICK[@]}" --modalities T1w --participant-label 01
    equal "$(neuro-preprocess status out-2 --dataset bids --format json | jq -r '.sessions[] | select(.participant == "01").state')" success
}
