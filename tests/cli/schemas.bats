#!/usr/bin/env bats
# Every record that a folder holds is as its schema says (docs/schemas/), and the schemas refuse what is not.
load helper

QUICK=(--bias-correction none --skull-strip skip)

setup_file()
{
    local bin
    bin=$("$TOP/scripts/python-tools.sh" jsonschema==4.26.0 2>/dev/null) && export JSONSCHEMA_PYTHON=$bin/python3
    OUT=$BATS_FILE_TMPDIR/out
    make_many_states >/dev/null 2>&1
}

setup()
{
    [[ -n ${JSONSCHEMA_PYTHON:-} ]] || { [[ ${CI:-} != true ]] && skip 'the package jsonschema could not be installed'; }
    OUT=$BATS_FILE_TMPDIR/out
}

# A folder with records of all kinds: complete, failed, killed, empty, withdrawn, gone; two configurations; files without a dataset.
make_many_states()
{
    local bids=$BATS_FILE_TMPDIR/bids
    make_dataset "$bids" 01 02/1 03 04
    truncate -s 20000 "$bids/sub-03/anat/sub-03_T1w.nii.gz"
    mkdir -p "$bids/sub-05/anat"
    neuro-preprocess "$bids" "$OUT" participant "${QUICK[@]}" --allow-empty --participant-label 01 03 05 || true
    neuro-preprocess "$bids" "$OUT" participant "${QUICK[@]}" --normalize none --allow-mixed --session-label 1
    neuro-preprocess "$bids" "$OUT" participant "${QUICK[@]}" --plan-only
    neuro-preprocess status "$OUT" --withdraw sub-03
    neuro-preprocess status "$OUT" --restore sub-03 --withdraw sub-02
    rm -r "$bids/sub-04"
    neuro-preprocess "$bids" "$OUT" participant "${QUICK[@]}" --rerun failed || true
    neuro-preprocess process "$(head_image)" -o "$BATS_FILE_TMPDIR/files" "${QUICK[@]}"
}

# is_valid SCHEMA FILE…: prints what is wrong.
is_valid()
{
    "$JSONSCHEMA_PYTHON" - "$TOP/docs/schemas/$1.schema.json" "${@:2}" <<'PY'
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
faults = [f"{path}: {list(error.path)}: {error.message[:200]}" for path in sys.argv[2:] for error in validator.iter_errors(json.load(open(path)))]
print("\n".join(faults))
sys.exit(1 if faults or len(sys.argv) < 3 else 0)
PY
}

# refuses SCHEMA FILE JQ: the file changed by this filter is not valid.
refuses()
{
    jq "$3" "$2" >"$BATS_TEST_TMPDIR/changed.json"
    run ! is_valid "$1" "$BATS_TEST_TMPDIR/changed.json"
}

@test "logs/folder.json is as its schema says, of one configuration, of two, and without a dataset" {
    equal "$(jq '.configurations | length' "$OUT/logs/folder.json")" 2
    equal "$(jq .source "$BATS_FILE_TMPDIR/files/logs/folder.json")" null
    run -0 is_valid folder "$OUT/logs/folder.json" "$BATS_FILE_TMPDIR/files/logs/folder.json" "$(made)/out/logs/folder.json"
    for change in '.schema = 2' '.configurations = []' 'del(.configurations[0].methods)' '.configurations[1].digest = "x"' \
        '.source.name = 7' 'del(.source)' '.configurations[0].methods.T1w = 1'; do
        refuses folder "$OUT/logs/folder.json" "$change"
    done
}

@test "plans and changes are as their schema says" {
    for kind in withdrawn restored gone; do
        [[ -n $(find "$OUT/logs/plans" -name "*_$kind.json") ]] || fail "no change of kind $kind"
    done
    run -0 is_valid plan "$OUT"/logs/plans/*.json "$BATS_FILE_TMPDIR"/files/logs/plans/*.json
    plan=$(find "$OUT/logs/plans" -name '*.json' | LC_ALL=C sort | head -n 1)
    for change in '.sessions["../x"] = [null]' '.sessions["01"] = ["a/b"]' 'del(.time)' '.run = "x"' '.command = "status"'; do
        refuses plan "$plan" "$change"
    done
}

@test "status and completion records are as their schema says" {
    mapfile -t records < <(find "$OUT/logs" "$BATS_FILE_TMPDIR/files/logs" -name '*_status.json' -o -name '*_complete.json')
    ((${#records[@]} >= 8)) || fail "${records[*]}"
    run -0 is_valid status "${records[@]}"
    for change in '.state = "done"' 'del(.files)' '.schema = "x"'; do
        refuses status "${records[0]}" "$change"
    done
}
