#!/usr/bin/env bats
# bosh, Apptainer and Nipoppy give each head the same mask: real heads where NP_DATA names a folder of NAME_T1w.nii.gz, else drawn ones.
load helper

setup()
{
    needs_packaging
    HEADS=("${NP_DATA:-$NP_DIR/none}"/*_T1w.nii.gz)
    [[ -r ${HEADS[0]} ]] || HEADS=("$NP_DEMO"/sub-*/ses-01/anat/*_T1w.nii.gz)
    VERSION_NOW=$(awk '/^VERSION := / { print $3 }' "$TOP/Makefile")
    as_user mkdir data
    as_user cp "$NP_DEMO/dataset_description.json" "$NP_DEMO/README.md" data/
    for i in "${!HEADS[@]}"; do
        as_user mkdir -p "data/sub-$i/anat"
        install -m 644 "${HEADS[i]}" "data/sub-$i/anat/sub-${i}_T1w.nii.gz"
    done
}

masks() { (cd "$1" && sha256sum sub-*/anat/*_desc-brain_mask.nii.gz); }

@test "bosh, Apptainer and Nipoppy preprocess each head to the same mask" {
    run -0 container run --containall --cleanenv -B "$WORK:/w" "$NP_SIF" /w/data /w/out-apptainer participant
    equal "$(masks out-apptainer | wc -l)" ${#HEADS[@]}

    install -m 644 "$TOP/boutiques/descriptor.json" descriptor.json
    as_user tee i.json >/dev/null <<<'{"bids_dir": "data", "output_dir": "out-bosh", "analysis_level": "participant"}'
    run -0 in_venv bosh exec launch --imagepath "$NP_SIF" --force-apptainer --no-pull descriptor.json i.json
    equal "$(masks out-bosh)" "$(masks out-apptainer)"

    rm -rf "$NP_DIR/real-bundle" && cp -r "$TOP/nipoppy/neuro-preprocess-$VERSION_NOW" "$NP_DIR/real-bundle" && chmod -R a+rX "$NP_DIR/real-bundle"
    run -0 in_venv nipoppy init --study study --bids-source data
    as_user cp "$NP_SIF" "study/containers/neuro-preprocess_$VERSION_NOW.sif"
    run -0 in_venv nipoppy pipeline install --study study "$NP_DIR/real-bundle"
    run -0 in_venv nipoppy process --study study --pipeline neuro-preprocess
    equal "$(masks "study/derivatives/neuro-preprocess/$VERSION_NOW/output")" "$(masks out-apptainer)"

    run -0 in_venv bids-validator-deno out-bosh
    lacks "$output" '[ERROR]'
}
