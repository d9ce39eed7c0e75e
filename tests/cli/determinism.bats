#!/usr/bin/env bats
# The same input and options give the same files: for any number of threads, on any x86-64 processor; the same voxels with any codec.
load helper

setup_file()
{
    MADE=$(made)
    export MADE
}

setup() { OUT=$BATS_TEST_TMPDIR/out; }

preprocess() { neuro-preprocess "$MADE/bids" "$OUT" participant --save-bias-field --participant-label 01 "$@"; }

# Fingerprint of the images and sidecars of one session.
of_session() { fingerprint "$1" | grep ' \./sub-01/'; }

@test "1, 2, 3 and 8 threads give the same bytes" {
    for threads in 1 2 3 8; do
        rm -rf "$OUT"
        run -0 preprocess --omp-nthreads $threads --nprocs 8
        equal "$(of_session "$OUT")" "$(of_session "$MADE/out")" "$threads threads"
    done
}

@test "a processor without AVX2 and FMA gives the same bytes" {
    [[ $(uname -m) == x86_64 ]] || skip 'about x86-64'
    # both spellings of glibc's tunable: 2.33 renamed it
    GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2_Usable,-FMA_Usable,-AVX2,-FMA,-AVX512F run -0 preprocess
    equal "$(of_session "$OUT")" "$(of_session "$MADE/out")"
}

@test "the tunable is effective: the C library's own exp differs without FMA, ours does not" {
    [[ $(uname -m) == x86_64 ]] || skip 'about x86-64'
    grep -qw fma /proc/cpuinfo || skip 'this processor has no FMA'
    cat >"$BATS_TEST_TMPDIR/exp.c" <<'C'
#include <math.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    unsigned long long sum = 0, bits;
    for (int i = 0; i < 100000; i++) {
        double y = exp(i * 1e-3 - 50);
        memcpy(&bits, &y, 8);
        sum = sum * 31 + bits;
    }
    printf("%llx\n", sum);
    return 0;
}
C
    ${CC:-cc} -O1 -fno-builtin -o "$BATS_TEST_TMPDIR/exp" "$BATS_TEST_TMPDIR/exp.c" -lm
    with=$("$BATS_TEST_TMPDIR/exp")
    without=$(GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2_Usable,-FMA_Usable,-AVX2,-FMA "$BATS_TEST_TMPDIR/exp")
    [[ $with != "$without" ]] || fail 'the tunable changes nothing here: the test before this one proves nothing'
}

@test "a build with zlib alone gives the same voxels and measures" {
    make -C "$TOP" -s BUILD="$BUILD/zlib" VARIANT=release CODECS=zlib all
    PATH=$BUILD/zlib:$PATH run -0 preprocess
    for filter in '.files[0].outputs | map([.path, .voxel_sha256] | join(" ")) | join("\n")' .files[0].measures; do
        equal "$(record "$OUT" 01 "$filter" | grep -v '\.json ')" "$(record "$MADE/out" 01 "$filter" | grep -v '\.json ')"
    done
    for image in $(cd "$OUT" && find sub-01 -name '*.nii.gz'); do
        cmp <(gzip -dc "$OUT/$image") <(gzip -dc "$MADE/out/$image")
    done
}

@test "uncompressed and differently compressed input give the same voxels" {
    cp -r "$MADE/bids" "$BATS_TEST_TMPDIR/bids"
    gunzip "$BATS_TEST_TMPDIR/bids/sub-01/anat/sub-01_T1w.nii.gz"
    run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$OUT" participant --save-bias-field --participant-label 01
    filter='.files[0].outputs[].voxel_sha256 // empty'
    [[ -n $(record "$OUT" 01 "$filter") ]]
    equal "$(record "$OUT" 01 "$filter")" "$(record "$MADE/out" 01 "$filter")"
}

@test "the same again an hour later, elsewhere, under another name of the user" {
    cp -r "$MADE/bids" "$BATS_TEST_TMPDIR/bids"
    find "$BATS_TEST_TMPDIR/bids" -exec touch -d '2020-02-02' {} +
    TZ=Asia/Kathmandu LC_ALL=C USER=somebody HOME=/nowhere run -0 neuro-preprocess "$BATS_TEST_TMPDIR/bids" "$OUT" participant \
        --save-bias-field --participant-label 01
    equal "$(of_session "$OUT")" "$(of_session "$MADE/out")"
}
