# scripts/withdraw.sh on an output folder: the participant is in no file of it any more, and everybody else is as before. tests/stack/withdraw.bats
# has the servers.
load helper

setup()
{
    export NEURO_STACK_LEASE=$BATS_TEST_TMPDIR/lease
    cd "$BATS_TEST_TMPDIR" || return
    cp -r "$(make_once withdraw make_cohort_of_three)"/. .
}

# sub-07, sub-071 and sub-08, preprocessed by one run; sub-07 once more by a run of its own; and the files that people keep in such a folder.
make_cohort_of_three()
{
    make_dataset "$1/bids" 07 071 08 &&
        neuro-preprocess "$1/bids" "$1/out" participant --bias-correction none --skull-strip skip &&
        neuro-preprocess "$1/bids" "$1/out" participant --bias-correction none --skull-strip skip --participant-label 07 --rerun all --telemetry-id hash \
            --metrics-textfile "$1/out/metrics.prom" &&
        neuro-preprocess "$1/bids" "$1/out" group &&
        neuro-preprocess idps "$1/out" -o "$1/out/idps" &&
        printf 'participant_id\tage\nsub-07\t33\nsub-071\t34\n08\t35\n' >"$1/out/participants.tsv" &&
        printf 'participant_id,score\n07,1\n071,2\n' >"$1/out/group_scores.csv" &&
        mkdir -p "$1/out/logs/slurm/0001" &&
        printf 'sub-07\tses-unnamed\t60\t500\t60\nsub-08\tses-unnamed\t60\t500\t60\n' >"$1/out/logs/slurm/0001/sessions.tsv" &&
        printf 'sub-07: started\nsub-08: started\n' >"$1/out/logs/slurm/0001/task_0.out"
}
withdraw() { "$TOP/scripts/withdraw.sh" "$@"; }

# what names sub-07 in OUT: names of files, and their text; hexadecimal words too.
naming()
{
    find out -regextype posix-extended -regex '.*/sub-07([^0-9A-Za-z/][^/]*)?'
    grep -rlE '(^|[^0-9A-Za-z])sub-07([^0-9A-Za-z]|$)|"07"|^07[,	]|'"$(word)" out
}
# The word that stands for 07 in telemetry, as docs/telemetry.md says it is made.
word()
{
    "$PYTHON" -c 'import hashlib, hmac, sys
key = open("out/logs/telemetry/.salt", "rb").read()
of = hmac.new(key, b"participant", hashlib.sha256).digest()
print(hmac.new(of, b"07", hashlib.sha256).hexdigest()[:16])'
}
others() { find out bids -type f ! -name '*.json*' ! -name '*.tsv' ! -name '*.csv' ! -name '*.out' ! -name '*.prom' ! -path '*/sub-07/*' -exec sha256sum {} + | sort; }

@test "afterwards no file names sub-07, nor the word for it; sub-071, sub-08 and the dataset are as before" {
    others >before
    cp -r bids dataset
    grep -q "$(word)" out/metrics.prom
    run -0 withdraw out sub-07 --yes
    contains "$output" 'The dataset was not touched'
    run naming
    equal "$output" ''
    others >after
    diff before after
    diff -r bids dataset
    complete out 071
    complete out 08
    equal "$(cut -f 1 out/participants.tsv | paste -sd ' ')" 'participant_id sub-071 08'
    equal "$(cut -d , -f 1 out/group_scores.csv | paste -sd ' ')" 'participant_id 071'
    equal "$(tail -n +2 out/idps/neuro-preprocess_idps.tsv | cut -f 1 | sort -u | paste -sd ' ')" '071 08'
    equal "$(cat out/logs/slurm/0001/task_0.out)" 'sub-08: started'
}

@test "a plan names sub-07 among what is done again no more" {
    rm out/sub-07*/anat/*_desc-preproc_T1w.nii.gz
    neuro-preprocess bids out participant --bias-correction none --skull-strip skip
    again() { jq -rs '[.[].again // {} | .[].sessions | keys[]] | sort | join(" ")' out/logs/plans/*.json; }
    equal "$(again)" '07 071'
    run -0 withdraw out sub-07 --yes
    run naming
    equal "$output" ''
    equal "$(again)" 071
}

@test "status knows two sessions, both complete; a plan for sub-07 alone is gone; rows that Slurm's tasks count keep their place" {
    withdraw out 07 --yes
    equal "$(neuro-preprocess status out --format json | jq -c '[.sessions[] | .participant + " " + .state]')" '["071 success","08 success"]'
    equal "$(cat out/logs/plans/*.json | jq -c '.sessions | keys')" '["071","08"]'
    equal "$(cut -f 1 out/logs/slurm/0001/sessions.tsv | paste -sd ' ')" 'n/a sub-08'
    run -0 neuro-preprocess bids out participant --bias-correction none --skull-strip skip --participant-label 071 08
    contains "$output" '2 already complete'
}

@test "records keep their length, and what is left of them can be sent" {
    stat -c '%s %n' out/logs/telemetry/*.otlp.jsonl >before
    withdraw out sub-07 --yes
    stat -c '%s %n' out/logs/telemetry/*.otlp.jsonl >after
    diff before after
    equal "$(cat out/logs/telemetry/*.otlp.jsonl | jq -r '.resourceSpans[]?.scopeSpans[].spans[] | select(.name == "preprocess_session").attributes[]
        | select(.key == "bids.participant").value.stringValue' | sort | paste -sd ' ')" '071 08'
    run -0 neuro-preprocess replay out --endpoint http://127.0.0.1:1 --dry-run
    lacks "$output" damaged
}

@test "a second call finds nothing and changes nothing" {
    withdraw out sub-07 --yes
    find out -type f -exec sha256sum {} + | sort >before
    run -0 withdraw out sub-07 --yes
    contains "$output" 'nothing names sub-07'
    find out -type f -exec sha256sum {} + | sort >after
    diff before after
}

@test "--dry-run names what would go; without --yes and an answer nothing goes" {
    cp -r out was
    run -0 withdraw out sub-07 --dry-run
    contains "$output" 'remove sub-07'
    contains "$output" 'change logs/status.tsv'
    run -1 withdraw out sub-07 </dev/null
    contains "$output" 'nothing was deleted'
    run -1 withdraw out sub-07 <<<'sub-071'
    diff -r was out
    run -0 withdraw out sub-07 <<<'sub-07'
    [[ ! -e out/sub-07 ]]
}

@test "while a run or its sender is at work nothing is changed: 75" {
    cp -r out was
    local record lock=out/logs/sub-08/.sub-08.lock
    record=$(find out -name '*.otlp.jsonl' | head -n 1)
    run -75 flock "$record" "$TOP/scripts/withdraw.sh" out sub-07 --yes
    contains "$output" "is in use"
    echo 'elsewhere 1' >$lock
    run -75 withdraw out sub-07 --yes
    contains "$output" 'a run is in progress'
    rm $lock
    diff -r was out
    echo 'elsewhere 1' >$lock
    touch -d '11 minutes ago' $lock
    run -0 withdraw out sub-07 --yes
}

@test "links are not followed: what they lead to stays, inside sub-07 and beside it; a raw dataset below the folder stays, too" {
    mkdir elsewhere && echo 'sub-07 is here' >elsewhere/notes.txt && echo image >elsewhere/sub-07_T1w.nii.gz
    ln -s "$PWD/elsewhere" out/sub-07/elsewhere
    ln -s "$PWD/elsewhere" out/elsewhere
    ln -s "$PWD/elsewhere/notes.txt" out/notes.txt
    ln -s "$PWD/elsewhere/sub-07_T1w.nii.gz" out/sub-07_T1w.nii.gz
    cp -r bids out/sourcedata
    run -0 withdraw out sub-07 --yes
    equal "$(cat elsewhere/notes.txt) $(cat elsewhere/sub-07_T1w.nii.gz)" 'sub-07 is here image'
    [[ ! -e out/sub-07 && ! -L out/sub-07_T1w.nii.gz && -L out/notes.txt ]]
    diff -r bids out/sourcedata
}

@test "a dataset, no folder, another folder, a wrong label are refused" {
    run -65 withdraw bids sub-07 --yes
    contains "$output" 'is a dataset'
    run -66 withdraw none sub-07 --yes
    mkdir empty
    run -65 withdraw empty sub-07 --yes
    run -64 withdraw out --yes
    run -64 withdraw out 'sub-0*' --yes
    [[ -d bids/sub-07 && -d out/sub-07 ]]
}

@test "an archive below the folder keeps what the Collector received, without sub-07, and its sums" {
    local archive=out/logs/stack/node_1
    mkdir -p $archive/{collector/queue,jaeger/keys}
    find out/logs/telemetry -name '*.otlp.jsonl' -exec cat {} + >$archive/collector/stack.otlp.jsonl
    printf '{\n  "archive": "neuro-preprocess telemetry stack",\n  "folders": ["collector", "jaeger"]\n}\n' >$archive/manifest.json
    (cd $archive && find . -type f -printf '%P\0' | xargs -0 sha256sum >../sums && mv ../sums SHA256SUMS)
    run -0 withdraw out sub-07 --yes
    run naming
    equal "$output" ''
    equal "$(ls $archive)" $'SHA256SUMS\ncollector\nmanifest.json'
    equal "$(jq -c .folders $archive/manifest.json)" '["collector"]'
    (cd $archive && sha256sum --quiet --check SHA256SUMS)
    grep -q '"071"' $archive/collector/stack.otlp.jsonl
}
