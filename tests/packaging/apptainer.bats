#!/usr/bin/env bats
# The Apptainer image, used by an ordinary user with the real Apptainer.
load helper

# run_inside ARGUMENTS…: the program in the image with nothing of the host but the dataset and one folder to write to.
run_inside()
{
    container run --cleanenv --containall --no-home -B "$NP_DEMO:/data:ro" -B "$WORK/out:/out" "$NP_SIF" "$@"
}

# own_tree DIR: a copy of this tree with what is compiled already, as an ordinary user would have it.
own_tree()
{
    mkdir -p "$1/build"
    (cd "$TOP" && tar -c --exclude=./build --exclude=./.git .) | tar -x -C "$1"
    git -C "$TOP" rev-parse HEAD >"$1/.commit" 2>/dev/null || cp "$TOP/.commit" "$1/.commit"
    cp -a "$BUILD/$VARIANT" "$BUILD/neuro-preprocess" "$1/build/"
    [[ $EUID != 0 ]] || chown -R "$NP_USER:" "$1"
}

# tree_of IMAGE DIR: unpack it; print type, mode, path, target and content's hash of all of it but the labels with their date, and
# the definition that unpacking writes (the image's own is in bootstrap_history).
tree_of()
{
    container build --force --sandbox "$2" "$1" >/dev/null 2>&1 || fail "cannot unpack $1"
    (
        cd "$2" || exit
        find . -printf '%y %m %p %l\n' | LC_ALL=C sort
        find . -type f ! -name labels.json ! -path ./.singularity.d/Singularity -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    )
}

@test "the image is smaller than 10 MB" {
    size=$(stat -c %s "$NP_SIF")
    ((size < 10000000)) || fail "$size bytes"
}

@test "run, exec and a login shell find the program, of the same version as outside" {
    version=$("$NP_PROGRAM" --version | head -n 1)
    run -0 --separate-stderr container run "$NP_SIF" --version
    equal "${lines[0]}" "$version"
    run -0 --separate-stderr container exec "$NP_SIF" neuro-preprocess --version
    equal "${lines[0]}" "$version"
    run -0 --separate-stderr container exec --containall --no-home --cleanenv "$NP_SIF" sh -lc 'command -v neuro-preprocess'
    equal "$output" /usr/local/bin/neuro-preprocess
    run -0 --separate-stderr container exec "$NP_SIF" bash -lc 'command -v neuro-preprocess'
    equal "$output" /usr/local/bin/neuro-preprocess
}

@test "inspect shows version, commit and licence" {
    container inspect --json "$NP_SIF" >labels.json
    label() { jq -r --arg key "$1" '.data.attributes.labels[$key]' labels.json; }
    equal "$(label version)" "$("$NP_PROGRAM" --version | awk 'NR == 1 { print $2 }')"
    equal "$(label org.opencontainers.image.version)" "$(label version)"
    equal "$(label commit)" "$("$NP_PROGRAM" --version | awk '$1 == "commit:" { print $2 }')"
    equal "$(label org.opencontainers.image.revision)" "$(label commit)"
    equal "$(label licence)" "$(awk '$1 == "license:" { print $2 }' "$TOP/CITATION.cff")"
    equal "$(label org.opencontainers.image.licenses)" "$(label licence)"
}

@test "the image's own test passes, and its help says how to run it" {
    run -0 container test "$NP_SIF"
    run -0 container run-help "$NP_SIF"
    contains "$output" '/data /out participant'
}

@test "the demo dataset, with nothing of the host: no home, no variables, no network, a read-only root" {
    as_user mkdir out
    run -0 run_inside /data /out participant
    contains "$output" '4 complete'
    for session in 01/01 01/02 02/01 02/02; do complete out "$session"; done
    no_leftovers out
    run -0 container run --cleanenv --containall --no-home --net --network none -B "$NP_DEMO:/data:ro" -B "$WORK/out:/out" "$NP_SIF" \
        /data /out participant --rerun all --participant-label 01 --session-label 02
    complete out 01/02
    run -0 run_inside /data /out group
}

@test "images made inside and outside are the same bytes" {
    as_user mkdir out
    run -0 run_inside /data /out participant --participant-label 01 --session-label 01
    run -0 as_user "$NP_PROGRAM" "$NP_DEMO" outside participant --participant-label 01 --session-label 01
    hashes() { (cd "$1" && find . -name '*.nii.gz' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); }
    [[ $(hashes out | wc -l) -ge 3 ]]
    equal "$(hashes out)" "$(hashes outside)"
}

@test "the official BIDS validator finds no error in what was written inside" {
    as_user mkdir out
    run -0 run_inside /data /out participant --participant-label 02
    run -0 in_venv DENO_NO_UPDATE_CHECK=1 bids-validator-deno --ignoreWarnings out
}

@test "paths with spaces and letters of any alphabet pass through a bind" {
    as_user mkdir 'out put µ'
    run -0 container run --containall --cleanenv -B "$NP_DEMO:/data:ro" -B "$WORK:/w" "$NP_SIF" \
        /data '/w/out put µ' participant --participant-label 01 --session-label 01
    complete 'out put µ' 01/01
}

@test "DatasetLinks lead from the output to the dataset as both lie on the host; --dataset-link says otherwise" {
    as_user mkdir out
    link() { jq -r .DatasetLinks.raw out/dataset_description.json; }
    as_user cp -r "$NP_DEMO" "bids beside" # of one file system with the output
    run -0 container run --containall --cleanenv -B "$WORK/bids beside:/data:ro" -B "$WORK/out:/out" "$NP_SIF" \
        /data /out participant --participant-label 01 --session-label 01
    equal "$(link)" '../bids%20beside'
    for uri in $(jq -r '.Sources[] | select(startswith("bids:raw:"))' out/sub-01/ses-01/anat/*.json); do
        [[ -f "out/../bids beside/${uri#bids:raw:}" ]] || fail "$uri"
    done
    run -0 container run --containall --cleanenv -B "$WORK/bids beside:/data:ro" -B "$WORK/out:/out" "$NP_SIF" \
        /data /out participant --participant-label 01 --session-label 02 --dataset-link raw=../elsewhere
    equal "$(link)" ../elsewhere
}

@test "the program's exit codes come through run and exec" {
    as_user mkdir out
    run -17 run_inside /data /out no-such-level
    run -64 run_inside /data /out participant --no-such-option
    run -66 run_inside /nowhere /out participant
    run -18 run_inside /data /out participant --participant-label nobody
    run -64 container exec "$NP_SIF" neuro-preprocess --no-such-option
    cp -r "$NP_DEMO" "$NP_DIR/work/broken-$BATS_TEST_NUMBER" && broken=$NP_DIR/work/broken-$BATS_TEST_NUMBER
    head -c 20000 "$NP_DEMO/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz" >"$broken/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz"
    run -65 container run --containall -B "$broken:/data:ro" -B "$WORK/out:/out" "$NP_SIF" \
        /data /out participant --participant-label 01 --session-label 01
    rm -rf "$broken"
}

@test "TERM to apptainer reaches the program: 143, and the record is interrupted" {
    for how in run 'exec'; do
        as_user mkdir -p out-$how
        case $how in run) command=() ;; exec) command=(neuro-preprocess) ;; esac
        # shellcheck disable=SC2016 # the inner shell's
        as_user sh -c 'echo $$ >pid && exec apptainer -q "$@"' sh "$how" --containall -B "$NP_DEMO:/data:ro" -B "$WORK/out-$how:/out" \
            "$NP_SIF" "${command[@]}" /data /out participant --participant-label 01 --session-label 01 \
            --slow-stage bias_correction:60 >log-$how 2>&1 3>&- &
        started=$!
        for ((i = 0; i < 200; i++)); do
            [[ $(running_stage out-$how 01/01) == bias_correction ]] && break
            sleep 0.1
        done
        kill -TERM "$(cat pid)"
        status=0 && wait $started || status=$?
        equal $status 143 "$how: $(cat log-$how)"
        state_is out-$how 01/01 interrupted
    done
}

@test "the last line arrives in 20 of 20 runs" {
    for ((i = 0; i < 20; i++)); do
        container exec "$NP_SIF" neuro-preprocess --explain 65 2>&1 | tail -n 1
    done | sort | uniq -c >last
    read -r count line <last
    equal "$count" 20 "$(cat last)"
    contains "$line" errors:
}

@test "an ordinary user's make container gives the same root tree as root's" {
    own_tree "$NP_DIR/work/tree-$BATS_TEST_NUMBER"
    cd "$NP_DIR/work/tree-$BATS_TEST_NUMBER"
    as_user make -s container >&2
    version=$("$NP_PROGRAM" --version | awk 'NR == 1 { print $2 }')
    [[ -s build/neuro-preprocess_$version.sif ]]
    tree_of "build/neuro-preprocess_$version.sif" "$WORK/one" >"$BATS_TEST_TMPDIR/one"
    tree_of "$NP_SIF" "$WORK/two" >"$BATS_TEST_TMPDIR/two"
    grep -q './usr/local/bin/neuro-preprocess' "$BATS_TEST_TMPDIR/one"
    diff "$BATS_TEST_TMPDIR/one" "$BATS_TEST_TMPDIR/two" >&2
    cd "$WORK" && rm -rf "$NP_DIR/work/tree-$BATS_TEST_NUMBER"
}

@test "temporary folders are open to all, and nothing else is writable" {
    tree_of "$NP_SIF" "$WORK/tree" >"$BATS_TEST_TMPDIR/tree"
    grep -qx 'd 1777 ./tmp ' "$BATS_TEST_TMPDIR/tree"
    grep -qx 'd 1777 ./var/tmp ' "$BATS_TEST_TMPDIR/tree"
    run awk '$1 != "l" && $3 ~ /^\.\// && $2 % 10 ~ /[2367]/ { print }' "$BATS_TEST_TMPDIR/tree"
    equal "$output" $'d 1777 ./tmp \nd 1777 ./var/tmp '
}

@test "all that is bundled is named with version and licence" {
    list=$(container exec "$NP_SIF" bash -c 'echo "$(</usr/local/share/doc/neuro-preprocess/BUNDLED.md)"')
    tree_of "$NP_SIF" "$WORK/tree" >"$BATS_TEST_TMPDIR/tree"
    for library in $(awk '$1 == "f" && $3 ~ /\.so(\.|$)/ { n = split($3, part, "/"); print part[n] }' "$BATS_TEST_TMPDIR/tree"); do
        contains "$list" "$library"
    done
    n=0
    for licence in $(grep -oE 'licences/[^)]+' <<<"$list"); do
        [[ -s $WORK/tree/usr/local/share/doc/neuro-preprocess/$licence ]] || fail "$licence is not in the image"
        n=$((n + 1))
    done
    ((n >= 5)) || fail "only $n packages"
}

@test "libraries that the program opens by name are in the image, with what they need" {
    named=$(grep -rhoE '"lib[a-z0-9+._-]+\.so\.[0-9]+"' "$TOP/src" | tr -d '"' | LC_ALL=C sort -u)
    listed=$(grep -v '^#' "$TOP/scripts/late-libraries.txt")
    equal "$(tr ' ' '\n' <<<"$listed" | LC_ALL=C sort -u)" "$named" 'libraries listed in scripts/late-libraries.txt'
    while read -r name others; do
        contains "$(container exec "$NP_SIF" bash -c 'echo /lib/*/*')" "$name"
        # The loader finds all that it is linked with.
        run -0 container exec "$NP_SIF" bash -c "for loader in /lib*/ld-linux*; do LD_TRACE_LOADED_OBJECTS=1 \$loader /lib/*/$name; done"
        lacks "$output" 'not found'
    done <<<"$listed"
}

@test "the image knows whom to trust when it sends telemetry over TLS" {
    certificates=/etc/ssl/certs/ca-certificates.crt
    run -0 container exec --containall "$NP_SIF" bash -c "echo \"\$(<$certificates)\""
    contains "$output" 'BEGIN CERTIFICATE'
}

@test "app.def is put together from the parts, and the other definitions share its image to the last line" {
    cd "$TOP"
    run -0 diff <(scripts/build-container.sh --print docker) apptainer/app.def
    image() { scripts/build-container.sh --print "$1" | sed -n '/^# The image itself/,$p'; }
    [[ $(image docker | wc -l) -gt 40 ]]
    equal "$(image host)" "$(image docker)"
    equal "$(image debootstrap)" "$(image docker)"
    built() { scripts/build-container.sh --print "$1" | sed -n '/^Stage: build/,/^# The image itself/p'; }
    equal "$(built debootstrap)" "$(built docker)"
}

@test "a definition names no package host and no architecture" {
    run grep -nE '://|x86|amd64|aarch64|arm64' "$TOP"/apptainer/app.def "$TOP"/apptainer/parts/*.def
    equal "$output" ''
}

@test "docs/apptainer.md: every block unchanged" {
    own_tree "$NP_DIR/work/tree-$BATS_TEST_NUMBER"
    cd "$NP_DIR/work/tree-$BATS_TEST_NUMBER"
    awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' docs/apptainer.md >"$BATS_TEST_TMPDIR/blocks"
    (($(wc -l <"$BATS_TEST_TMPDIR/blocks") > 8))
    as_user bash -euxc "$(cat "$BATS_TEST_TMPDIR/blocks")" >&2
    cd "$WORK" && rm -rf "$NP_DIR/work/tree-$BATS_TEST_NUMBER"
}
