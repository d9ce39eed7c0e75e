#!/usr/bin/env bats
# Image quality through the whole program: what is worse is measured as worse, what is the same image stays the same, the group's tables.
load helper

setup_file()
{
    export HEADS=$BATS_FILE_TMPDIR/heads OUT=$BATS_FILE_TMPDIR/out
    neuro-preprocess demo-data "$BATS_FILE_TMPDIR/demo" --participants 1 --sessions 1 --size 3 >/dev/null
    "$PYTHON" "$TOP/tests/cli/make_quality.py" "$BATS_FILE_TMPDIR/demo/sub-01/anat/sub-01_T1w.nii.gz" "$HEADS"
    neuro-preprocess batch "$HEADS" -o "$OUT" --no-telemetry --nprocs 2 --quiet
}

# value NAME KEY: the metric of that image.
value() { jq -e --arg key "quality.$2" '.files[0].measures[$key].value' "$OUT/logs/$1_T1w_status.json"; }

# rises|falls KIND KEY: from the good image over step 1 to step 2.
rises()
{
    awk -v a="$(value same-itself "$2")" -v b="$(value "$1-1" "$2")" -v c="$(value "$1-2" "$2")" 'BEGIN { exit !(a < b && b < c) }' ||
        fail "$2 does not rise with $1: $(value same-itself "$2") $(value "$1-1" "$2") $(value "$1-2" "$2")"
}
falls()
{
    awk -v a="$(value same-itself "$2")" -v b="$(value "$1-1" "$2")" -v c="$(value "$1-2" "$2")" 'BEGIN { exit !(a > b && b > c) }' ||
        fail "$2 does not fall with $1: $(value same-itself "$2") $(value "$1-1" "$2") $(value "$1-2" "$2")"
}

# same HOW KEY SHARE: as in the image itself, but for this share.
same()
{
    awk -v a="$(value same-itself "$2")" -v b="$(value "same-$1" "$2")" -v share="$3" 'BEGIN { exit !((a - b) ^ 2 <= (share * a) ^ 2) }' ||
        fail "$2, $1: $(value "same-$1" "$2"), expected $(value same-itself "$2") within $3 of it"
}

@test "noise, blur, ghosts, a bias field and motion move their metrics one way" {
    for key in cjv efc summary_air_mad; do rises noise "$key"; done
    for key in snr_total snrd_air_total fber cnr_air; do falls noise "$key"; done
    for key in fwhm_x fwhm_y fwhm_z fwhm_avg cjv; do rises blur "$key"; done
    for key in efc air_noise_misfit; do rises ghost "$key"; done
    falls ghost fber
    rises bias inu_range
    for key in efc air_noise_misfit summary_air_mad; do rises motion "$key"; done
    for key in fber snrd_air_total; do falls motion "$key"; done
}

@test "another order of the axes, another unit, integers, a frame of zeros: the same image" {
    for key in cjv cnr_air efc fber fwhm_x fwhm_y fwhm_z snr_gm snr_wm inu_range summary_air_mad summary_wm_stdv icvs_gm; do
        # the head lies in memory as before
        for how in flipped turned; do same "$how" "$key" 1e-9; done
        # the bias field is fitted to values in other steps
        for how in scaled int16; do same "$how" "$key" 0.02; done
        # cells of the head's outline lie elsewhere
        same padded "$key" 0.03
    done
    equal "$(value same-padded size_x)" "$(($(value same-itself size_x) + 12))"
}

@test "group writes the metrics as a table for each modality, first column bids_name, with a dictionary" {
    bids=$BATS_TEST_TMPDIR/bids out=$BATS_TEST_TMPDIR/out
    neuro-preprocess demo-data "$bids" --participants 1 --sessions 1 --size 3 >/dev/null
    mkdir -p "$bids/sub-02/anat"
    cp "$bids/sub-01/anat/sub-01_T1w.nii.gz" "$bids/sub-02/anat/sub-02_T1w.nii.gz"
    cp "$bids/sub-01/anat/sub-01_T1w.nii.gz" "$bids/sub-01/anat/sub-01_T2w.nii.gz"
    cp "$bids/sub-01/anat/sub-01_T1w.nii.gz" "$bids/sub-01/anat/sub-01_FLAIR.nii.gz"
    neuro-preprocess "$bids" "$out" participant --quiet --nprocs 2
    [[ ! -e $out/logs/group_T1w.tsv ]]
    run -0 neuro-preprocess "$bids" "$out" group
    equal "$(cut -f 1 "$out/logs/group_T1w.tsv" | xargs)" 'bids_name sub-01_T1w sub-02_T1w'
    equal "$(cut -f 1 "$out/logs/group_FLAIR.tsv" | xargs)" 'bids_name sub-01_FLAIR'
    equal "$(head -n 1 "$out/logs/group_T1w.tsv" | tr '\t' '\n' | wc -l)" 66
    lacks "$(head -n 1 "$out/logs/group_FLAIR.tsv")" cjv
    equal "$(head -n 1 "$out/logs/group_T1w.tsv" | tr '\t' '\n')" "$(jq -r 'keys_unsorted[]' "$out/logs/group_T1w.json")"
    equal "$(awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "spacing_y") y = i } NR == 2 { print $y }' "$out/logs/group_T1w.tsv")" 3
    equal "$(jq -r .spacing_y.Units "$out/logs/group_T1w.json")" mm
    # the table of phenotypes has the same
    run -0 neuro-preprocess idps "$out" -o "$BATS_TEST_TMPDIR/idps"
    contains "$(head -n 1 "$BATS_TEST_TMPDIR/idps/neuro-preprocess_idps.tsv")" quality_summary_air_mad
}
