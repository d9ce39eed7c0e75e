# What leaves the machine, read from the bytes that a server was sent: labels only when they may, secrets never.
load helper

setup()
{
    find_tools
    start_sink
    OUT=$BATS_TEST_TMPDIR/out
    BIDS=$BATS_TEST_TMPDIR/bids
    cohort "$BIDS" 1
    mkdir -p "$BIDS/sub-Zebra77/ses-Quagga5/anat" "$BIDS/sub-Okapi42/ses-Quagga5/anat"
    cp "$BIDS"/sub-001/anat/*.nii.gz "$BIDS/sub-Zebra77/ses-Quagga5/anat/sub-Zebra77_ses-Quagga5_acq-Gnu3_T1w.nii.gz"
    echo text >"$BIDS/sub-Okapi42/ses-Quagga5/anat/sub-Okapi42_ses-Quagga5_acq-Gnu3_T1w.nii.gz"
    printf 'participant_id\tsite\nsub-Zebra77\tLemurHospital\nsub-Okapi42\tLemurHospital\n' >"$BIDS/participants.tsv"
    rm -r "$BIDS/sub-001"
}
teardown() { end_processes; }

use() { if [[ $1 == grpc ]]; then ENDPOINT=http://127.0.0.1:$SINK_GRPC_PORT; else ENDPOINT=http://127.0.0.1:$SINK_HTTP_PORT; fi; export OTEL_EXPORTER_OTLP_PROTOCOL=$1; }
wire() { cat "$BATS_TEST_TMPDIR"/bodies/* "$SINK_LOG"; }
lacks_on_wire() { ! wire | grep -aiq -- "$1" || fail "'$1' was sent: $(wire | grep -aio -- ".\{80\}$1.\{40\}" | head -n 3)"; }
forget() { rm -rf "$OUT" "$BATS_TEST_TMPDIR"/bodies/*; : >"$SINK_LOG"; }
run_it() { preprocess "$BIDS" "$OUT" --otel-endpoint "$ENDPOINT" "$@" >"$BATS_TEST_TMPDIR/run.log" 2>&1 || (($? == 1)); }

@test "with labels, the default, they are sent: this test would see them" {
    use http/protobuf
    run_it
    wire | grep -aq Zebra77
    wire | grep -aq Okapi42
    wire | grep -aq Quagga5
    wire | grep -aq Gnu3
    wire | grep -aq LemurHospital
}

@test "--telemetry-id hash and none: no label in any byte, of any protocol, in good and in failed sessions" {
    for protocol in http/protobuf http/json grpc; do
        use $protocol
        for naming in hash none; do
            forget
            run_it --telemetry-id $naming
            (($(sent 'map(.items) | add') > 20))
            equal "$(sent '[.[].signal] | unique | length')" 3
            for label in zebra77 okapi42 quagga5 gnu3 lemur; do lacks_on_wire $label; done
            if [[ $naming == none ]]; then lacks_on_wire neuro.site; lacks_on_wire acq-; fi
            equal "$(otlp n_pending "$OUT")" 0
        done
    done
}

@test "a variable that says that words stand there already sends no label" {
    use http/json
    export OTEL_RESOURCE_ATTRIBUTES=neuro.telemetry.named=none
    run_it --telemetry-id hash
    (($(sent 'map(.items) | add') > 20))
    for label in zebra77 okapi42 quagga5 gnu3 lemur; do lacks_on_wire $label; done
}

# The word that stands for a participant.
words() { sent '[.[] | select(.signal == "traces").request.resourceSpans[].scopeSpans[].spans[].attributes[]? | select(.key == "bids.participant").value.stringValue] | unique | join(" ")'; }

@test "hash: a participant has one word in all runs of an output folder, and another one elsewhere" {
    use http/protobuf
    run_it --telemetry-id hash
    first=$(words)
    : >"$SINK_LOG"
    run_it --telemetry-id hash --rerun all
    equal "$(words)" "$first"
    [[ $first =~ ^[0-9a-f]{16}\ [0-9a-f]{16}$ ]] || fail "words are '$first'"
    forget
    run_it --telemetry-id hash
    [[ $(words) != "$first" ]]
}

@test "files that are named after people: process and batch with hash send no part of their names" {
    use http/protobuf
    mkdir -p "$BATS_TEST_TMPDIR/Quirk_Family"
    cp "$BIDS"/sub-Zebra77/ses-Quagga5/anat/*.nii.gz "$BATS_TEST_TMPDIR/Quirk_Family/JaneQuirk.nii.gz"
    echo text >"$BATS_TEST_TMPDIR/Quirk_Family/JohnQuirk.nii.gz"
    neuro-preprocess batch "$BATS_TEST_TMPDIR/Quirk_Family" -o "$OUT" --bias-correction none --skull-strip skip --telemetry-id hash --otel-endpoint "$ENDPOINT" || (($? == 1))
    (($(sent 'map(.items) | add') > 10))
    lacks_on_wire quirk
}

@test "replay keeps what the run promised, and may be stricter" {
    use http/protobuf
    run_it --telemetry-id hash
    forget_sent() { rm -f "$BATS_TEST_TMPDIR"/bodies/*; : >"$SINK_LOG"; rm -f "$OUT"/logs/telemetry/*.ledger; }
    forget_sent
    neuro-preprocess replay "$OUT" --all --endpoint "$ENDPOINT"
    (($(sent 'map(.items) | add') > 10))
    for label in zebra77 okapi42 quagga5; do lacks_on_wire $label; done
}

@test "records of several runs in one file: each line is sent as its own run promised" {
    use http/protobuf
    preprocess "$BIDS" "$OUT" --participant-label Zebra77
    preprocess "$BIDS" "$BATS_TEST_TMPDIR/out2" --participant-label Okapi42 --telemetry-id hash || true
    { records "$OUT"; records "$BATS_TEST_TMPDIR/out2"; } | xargs cat >"$BATS_TEST_TMPDIR/joined.otlp.jsonl"
    neuro-preprocess replay "$BATS_TEST_TMPDIR/joined.otlp.jsonl" --endpoint "$ENDPOINT"
    wire | grep -aq Zebra77
    wire | grep -aq 'expected a NIfTI image'
    lacks_on_wire okapi42
}

@test "tokens and passwords stand in no record, ledger, log or message" {
    start_secret='s3cr3t-t0k3n'
    use http/protobuf
    export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20$start_secret"
    ENDPOINT=${ENDPOINT/127/user:passw0rd-9@127}
    run --separate-stderr preprocess "$BIDS" "$OUT" --otel-endpoint "$ENDPOINT" -vvv
    contains "$(sent '.[0].headers.authorization')" Bearer
    lacks "$output$stderr" "$start_secret"
    lacks "$output$stderr" passw0rd-9
    plan 'status 400'
    run --separate-stderr preprocess "$BIDS" "$OUT" --otel-endpoint "$ENDPOINT" -vvv --rerun all
    lacks "$output$stderr" "$start_secret"
    lacks "$output$stderr" passw0rd-9
    equal "$(grep -rlE "$start_secret|passw0rd-9" "$OUT")" '' 'files with a secret'
}

@test "without an endpoint nobody is asked, not even at the usual ports" {
    needs strace
    run --separate-stderr strace -f -qq -e trace=connect,sendto,socket -o "$BATS_TEST_TMPDIR/calls" \
        neuro-preprocess "$BIDS" "$OUT" participant --bias-correction none --skull-strip skip
    ((status == 1))
    equal "$(grep -c 'AF_INET' "$BATS_TEST_TMPDIR/calls")" 0 "$(grep -m 3 'AF_INET' "$BATS_TEST_TMPDIR/calls")"
    contains "$stderr$output" 'nothing leaves this machine'
}
