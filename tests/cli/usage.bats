#!/usr/bin/env bats
# The command line: forms, spellings, exit codes of a wrong one. Contract: docs and --help.
load helper

setup() { BIDS=$BATS_TEST_TMPDIR/bids OUT=$BATS_TEST_TMPDIR/out; }

# The sessions that a command line selects, as --dry-run tells.
plan() { neuro-preprocess "$BIDS" "$OUT" participant --dry-run --format json "$@" 2>/dev/null | jq -c '[.plan[] | [.participant, .session]]'; }

@test "--version names version, commit, compiler, flags and codec libraries" {
    run -0 --separate-stderr neuro-preprocess --version
    [[ ${lines[0]} =~ ^neuro-preprocess\ [0-9]+\.[0-9]+\.[0-9]+ ]]
    for word in 'gcc|clang' -ffp-contract=off 'zlib|libdeflate|isa-l' jansson 'commit: +[0-9a-f]{7}|unknown'; do
        grep -qiE -e "$word" <<<"$output" || fail "no '$word' in: $output"
    done
    equal "$stderr" ''
}

@test "--help goes to stdout, fits 100 columns and names every command" {
    run -0 --separate-stderr neuro-preprocess --help
    equal "$stderr" ''
    for word in participant session group process batch status demo-data --participant-label --skull-strip --nprocs --rerun; do
        contains "$output" "$word"
    done
    equal "$(awk 'length($0) > 100' <<<"$output")" ''
}

@test "no argument at all is a usage error that names the next step" {
    run -64 --separate-stderr neuro-preprocess
    equal "$output" ''
    contains "$stderr" --help
}

@test "an unknown flag is refused with the nearest known one" {
    make_dataset "$BIDS" 01
    run -64 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --participant-lable 01
    contains "$stderr" "'--participant-label'"
    run -64 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --zzz
    equal "$(grep -o 'see --help' <<<"$stderr" | wc -l)" 1 "$stderr"
    [[ ! -e $OUT ]]
}

@test "an unknown analysis level is 17" {
    make_dataset "$BIDS" 01
    run -17 --separate-stderr neuro-preprocess "$BIDS" "$OUT" particpant
    contains "$stderr" participant
    lacks "$stderr" '? What to do'
    [[ ! -e $OUT ]]
}

@test "a missing OUTPUT_DIR, value or level is 64" {
    make_dataset "$BIDS" 01
    run -64 neuro-preprocess "$BIDS"
    run -64 neuro-preprocess "$BIDS" "$OUT"
    run -64 neuro-preprocess "$BIDS" "$OUT" participant --skull-strip
    run -64 --separate-stderr neuro-preprocess process -o "$OUT"
    lacks "$stderr" 'did you mean'
    run -64 neuro-preprocess status
}

@test "a value outside its choices is 64 and the choices are named" {
    make_dataset "$BIDS" 01
    run -64 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --skull-strip maybe
    for word in auto force skip; do contains "$stderr" "$word"; done
    run -64 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --normalize histogram
    contains "$stderr" whitestripe
    run -64 neuro-preprocess "$BIDS" "$OUT" participant --nprocs many
    run -64 neuro-preprocess "$BIDS" "$OUT" participant --nprocs -1
    run -64 neuro-preprocess "$BIDS" "$OUT" participant --fail-rate 2
    run -64 neuro-preprocess "$BIDS" "$OUT" participant --slow-stage no_such_stage:1
    [[ ! -e $OUT ]]
}

@test "--mem without a unit is refused, with one accepted; the unit-named spellings need none" {
    make_dataset "$BIDS" 01
    run -64 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --mem 4
    contains "$stderr" 8G
    for option in '--mem 4G' '--mem 4000MB' '--mem-gb 4' '--mem_gb 4' '--mem-mb 4000' '--mem_mb 4000'; do
        # shellcheck disable=SC2086 # flag and value
        run -0 neuro-preprocess "$BIDS" "$OUT" participant --dry-run $option
    done
}

@test "--session-list takes pairs, where labels would take their product" {
    make_dataset "$BIDS" 01/1 01/2 02/1 02/2 03
    printf '01\t1\nsub-02\tses-2\n03\tunnamed\n' >"$BATS_TEST_TMPDIR/list"
    equal "$(plan --session-list "$BATS_TEST_TMPDIR/list")" '[["01","1"],["02","2"],["03",null]]'
    run -64 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --session-list "$BATS_TEST_TMPDIR/list" --participant-label 01
    contains "$stderr" --participant-label
    run -66 neuro-preprocess "$BIDS" "$OUT" participant --session-list "$BATS_TEST_TMPDIR/nowhere"
    echo '01 9' >"$BATS_TEST_TMPDIR/list"
    run -18 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --session-list "$BATS_TEST_TMPDIR/list"
    contains "$stderr" "session '9' does not exist"
    echo '0_1 9' >"$BATS_TEST_TMPDIR/list"
    run -78 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --session-list "$BATS_TEST_TMPDIR/list"
    contains "$stderr" 'line 1'
    [[ ! -e $OUT ]]
}

@test "all spellings of the participant and session filters mean the same" {
    make_dataset "$BIDS" 01/1 01/2 02/1 03/1
    expected='[["01","1"],["02","1"]]'
    for flag in --participant-label --participant_label --participant-labels --participant_labels; do
        for session in --session-label --session_label --session-id; do
            equal "$(plan $flag 01 02 $session 1)" "$expected" "$flag $session"
        done
    done
    equal "$(plan --participant-label sub-01 --participant-label sub-02 --session-label ses-1)" "$expected" 'prefixes, repeated flags'
    equal "$(plan --participant-label=01 --participant-label=02 --session-label=1)" "$expected" 'equals signs'
}

@test "flags may stand before the positionals" {
    make_dataset "$BIDS" 01 02
    run -0 --separate-stderr neuro-preprocess --dry-run --format json --nprocs 2 "$BIDS" "$OUT" participant --participant-label 02
    equal "$(jq -c '[.plan[].participant]' <<<"$output")" '["02"]'
}

@test "session is another word for participant" {
    make_dataset "$BIDS" 01
    run -0 --separate-stderr neuro-preprocess "$BIDS" "$OUT" session --dry-run --format json
    equal "$(jq -c '[.plan[].participant]' <<<"$output")" '["01"]'
}

@test "all spellings of CPUs are accepted" {
    make_dataset "$BIDS" 01
    for flag in --nprocs --nthreads --n_cpus --n-cpus --n_procs --parallel --omp-nthreads; do
        run -0 neuro-preprocess "$BIDS" "$OUT" participant --dry-run "$flag" 1
    done
}

@test "flags of other tools are accepted with one notice line" {
    make_dataset "$BIDS" 01
    run -0 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --dry-run --format json --notrack --no-sub --resource-monitor --write-graph \
        --fs-license-file /nowhere/license.txt --output-spaces MNI152NLin2009cAsym T1w --low-mem --verbose-reports \
        --skip-bids-validation --skip_bids_validation --skip_bids_validator
    jq -e . <<<"$output" >/dev/null
    for flag in --notrack --fs-license-file --output-spaces; do
        equal "$(grep -c -e "$flag" <<<"$stderr")" 1 "$flag"
    done
}

@test "bold is refused with the reason" {
    make_dataset "$BIDS" 01
    run -64 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant -m bold
    contains "$stderr" bold
}

@test "--explain explains exit codes and error types; an unknown one is 64" {
    run -0 neuro-preprocess --explain 65
    contains "$output" bad-data
    run -0 neuro-preprocess --explain mask-unsure
    contains "$output" 'look at the mask'
    run -0 neuro-preprocess --explain no-memory
    contains "$output" 69
    run -64 neuro-preprocess --explain 200
}

@test "every option of --help is in the man page and in the completions" {
    neuro-preprocess --man >"$BATS_TEST_TMPDIR/man"
    [[ $(grep -c '^\.TH' "$BATS_TEST_TMPDIR/man") == 1 ]]
    for shell in bash zsh fish; do neuro-preprocess --completion $shell >"$BATS_TEST_TMPDIR/$shell"; done
    bash -n "$BATS_TEST_TMPDIR/bash"
    n=0
    # the rows of the option table, less what this version refuses
    options=$(neuro-preprocess --help | awk '
        /^  (-[a-z], |    )--[a-z]/ { if (row !~ /Refused/) print row; row = "" }
        /^ +/ { row = row " " $0 }
        END { if (row !~ /Refused/) print row }' | sed -nE 's/^ +(-[a-z], )? *(--[a-z][a-z-]+).*/\2/p' | sort -u)
    for option in $options; do
        n=$((n + 1))
        # roff writes a dash as \-
        for file in man bash zsh fish; do
            sed 's/\\-/-/g' "$BATS_TEST_TMPDIR/$file" | grep -qF -e "$option" -e "-l ${option#--}" || fail "$option is not in $file"
        done
    done
    ((n > 20))
    run -64 neuro-preprocess --completion tcsh
}

@test "the bash completion completes options and their choices" {
    neuro-preprocess --completion bash >"$BATS_TEST_TMPDIR/completion"
    run -0 bash -c 'source "$0"; function=$(complete -p neuro-preprocess | sed -E "s/.*-F ([^ ]+).*/\1/")
        COMP_WORDS=(neuro-preprocess a b participant --skull-s) COMP_CWORD=4; $function; echo "${COMPREPLY[*]}"
        COMP_WORDS=(neuro-preprocess a b participant --skull-strip "") COMP_CWORD=5; COMPREPLY=(); $function; echo "${COMPREPLY[*]}"' \
        "$BATS_TEST_TMPDIR/completion"
    contains "${lines[0]}" --skull-strip
    for word in auto force skip; do contains "${lines[1]}" "$word"; done
}

@test "--print-config is JSON that --config-file takes back; flags beat the file" {
    run -0 --separate-stderr neuro-preprocess --print-config --normalize percentile --skull-strip force
    printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/config.json"
    run -0 --separate-stderr neuro-preprocess --print-config --config-file "$BATS_TEST_TMPDIR/config.json"
    diff <(jq -S . "$BATS_TEST_TMPDIR/config.json") <(jq -S . <<<"$output")
    run -0 --separate-stderr neuro-preprocess --print-config --config-file "$BATS_TEST_TMPDIR/config.json" --normalize zscore
    contains "$output" zscore
    lacks "$output" '"percentile"'
}

@test "a broken, missing or unknown-key configuration file is 78 or 66 and named" {
    echo '{"normalize": ' >"$BATS_TEST_TMPDIR/broken.json"
    echo '{"normalise": "zscore"}' >"$BATS_TEST_TMPDIR/unknown.json"
    run -78 --separate-stderr neuro-preprocess --print-config --config-file "$BATS_TEST_TMPDIR/broken.json"
    contains "$stderr" broken.json
    run -78 --separate-stderr neuro-preprocess --print-config --config-file "$BATS_TEST_TMPDIR/unknown.json"
    contains "$stderr" normalise
    run -66 --separate-stderr neuro-preprocess --print-config --config-file "$BATS_TEST_TMPDIR/nowhere.json"
    contains "$stderr" nowhere.json
}

@test "output into a full disk is 74, into a closed pipe it ends quietly" {
    run -74 bash -c 'neuro-preprocess --help >/dev/full'
    contains "$output" 'standard output'
    run bash -c 'neuro-preprocess --man | head -n 1'
    equal "${#lines[@]}" 1
}

@test "--quiet prints nothing but failures, -v more than the default" {
    make_dataset "$BIDS" 01
    run -0 --separate-stderr neuro-preprocess "$BIDS" "$OUT" participant --quiet
    equal "$output$stderr" ''
    run -0 neuro-preprocess "$BIDS" "$OUT.1" participant
    usual=${#lines[@]}
    run -0 neuro-preprocess "$BIDS" "$OUT.2" participant -vv
    ((${#lines[@]} > usual))
    ((usual > 0 && usual <= 25))
}
