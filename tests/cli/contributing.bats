#!/usr/bin/env bats
# CONTRIBUTING.md's "How to add a stage", followed to the letter in a copy of the project: each of its code blocks says in which
# file it stands, and after which line when the file is there already.
load helper

setup_file()
{
    COPY=$BATS_FILE_TMPDIR/project OUT=$BATS_FILE_TMPDIR/out
    export COPY OUT
    mkdir "$COPY"
    (cd "$TOP" && tar -c --exclude="./${BUILD#"$TOP"/}" --exclude=./.git .) | tar -x -C "$COPY"
    follow
    unset MAKEFLAGS
    make -C "$COPY" -s -j"$(nproc)" BUILD=build VARIANT=release CFLAGS=-O1 all build/release/unit/ops/test_denoise registry \
        >"$BATS_FILE_TMPDIR/make.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/make.log" >&2; return 1; }
    "$COPY/build/neuro-preprocess" process "$(head_image)" -o "$OUT" --slow-stage denoise:1 >&2
}

# The blocks of the section, each put into its file.
follow()
{
    awk -v copy="$COPY" '
        function put(   path, text, found, line) {
            path = copy "/" file
            if (anchor == "") { printf "%s", block >path; close(path); return }
            while ((getline line <path) > 0) {
                text = text line "\n"
                if (!found && index(line, anchor)) { text = text block; found = 1 }
            }
            close(path)
            if (!found) { print file ": no line holds " anchor >"/dev/stderr"; exit 1 }
            printf "%s", text >path; close(path)
        }
        /^## / { on = $0 == "## How to add a stage" }
        on && /^ *```c / {
            file = $2; anchor = ""
            if ($3 == "after") { anchor = $0; sub(/^ *```c [^ ]+ after /, "", anchor) }
            block = ""; inside = 1; n_blocks++
            next
        }
        inside && /^ *```$/ { put(); inside = 0; next }
        inside { sub(/^   /, ""); block = block $0 "\n" }
        END { if (n_blocks < 8) { print "only " n_blocks + 0 " code blocks" >"/dev/stderr"; exit 1 } }' "$TOP/CONTRIBUTING.md"
}

@test "the kernel's test passes" {
    run -0 "$COPY/build/release/unit/ops/test_denoise"
    contains "$output" 'ok 1'
}

@test "the stage ran in its place, is in the method, and was slowed down by name" {
    record=$(find "$OUT/logs" -name '*_status.json')
    equal "$(jq -r '.files[0].stages[2].name' "$record")" denoise
    equal "$(jq -r '.files[0].stages[2].wall_s >= 1' "$record")" true
    contains "$(jq -r '.files[0].method' "$record")" 'validate_data:2 denoise:1 bias_correction:'
    contains "$("$COPY/build/neuro-preprocess" --completion bash)" denoise
    # The program that the copy was made of does not know it.
    run -64 --separate-stderr neuro-preprocess process "$(head_image)" -o "$BATS_TEST_TMPDIR/out" --slow-stage denoise:1
    contains "$stderr" denoise
}

@test "its measure is in the record with its unit, and in the sidecars that the row names" {
    record=$(find "$OUT/logs" -name '*_status.json')
    equal "$(jq -r '.files[0].measures["denoise.sigma"] | .unit + " " + (.value > 0 | tostring)' "$record")" '1 true'
    for desc in preproc norm; do
        equal "$(jq '.Parameters["denoise.sigma"] > 0' "$OUT"/*_desc-"$desc"*.json)" true "$desc"
    done
    equal "$(jq '.Parameters["denoise.sigma"]' "$OUT"/*_mask.json)" null
}

@test "its span has its name and its measure" {
    span=$(cat "$OUT"/logs/telemetry/*.jsonl | jq -c '.resourceSpans[]?.scopeSpans[].spans[] | select(.name == "denoise")' | tail -n 1)
    [[ -n $span ]] || fail 'no span denoise'
    equal "$(jq -r '[.attributes[] | select(.key == "neuro.denoise.sigma").value.doubleValue > 0][0]' <<<"$span")" true
    equal "$(jq -r '[.attributes[] | select(.key == "neuro.stage").value.stringValue][0]' <<<"$span")" denoise
}

@test "the table of phenotypes has a column for it, described" {
    run -0 "$COPY/build/neuro-preprocess" idps "$OUT" -o "$BATS_TEST_TMPDIR/idps"
    contains "$(head -n 1 "$BATS_TEST_TMPDIR/idps/neuro-preprocess_idps.tsv")" denoise_sigma
    contains "$(head -n 1 "$BATS_TEST_TMPDIR/idps/neuro-preprocess_idps.tsv")" duration_denoise
    contains "$(jq -r '.denoise_sigma.Description' "$BATS_TEST_TMPDIR/idps/neuro-preprocess_idps.json")" 'deviation of the noise'
}

@test "the documentation and the registry have it" {
    grep -q '^| `neuro.denoise.sigma` | 1 | Standard deviation' "$COPY/docs/telemetry.md"
    grep -q 'id: neuro.denoise.sigma' "$COPY/docs/registry/neuro.yaml"
}
