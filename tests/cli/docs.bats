#!/usr/bin/env bats
# What the documents say is true of the tree.
load helper

setup() { cd "$TOP" || return; }

# Documents outside the build folder.
documents() { find . -name '*.md' -not -path './build/*' -not -path './.git/*' | LC_ALL=C sort; }

@test "links between documents lead to files" {
    for document in $(documents); do
        for link in $(grep -oE '\]\([^)#]+' "$document" | cut -c3- | grep -v '^[a-z]*:'); do
            [[ -e $(dirname "$document")/$link ]] || fail "$document: $link is not there"
        done
    done
}

@test "the exit codes of docs/outputs.md are those of --explain" {
    n=0
    while IFS='|' read -r _ code name _; do
        n=$((n + 1))
        run -0 neuro-preprocess --explain "${code// /}"
        contains "$output" "${name// /}"
    done < <(grep -E '^\| [0-9]+ \|' docs/outputs.md)
    ((n > 10))
}

@test "every room of the tour exists, and every room is in the tour" {
    run diff <(ls src) <(awk '/^base  /, /^```/ { if (/^[a-z]/) print $1 }' docs/architecture.md | LC_ALL=C sort)
    equal "$output" ''
}

@test "every option that a document names is one" {
    neuro-preprocess --help >"$BATS_TEST_TMPDIR/help"
    for option in $(cat README.md docs/outputs.md docs/architecture.md | grep -oE -e '--[a-z][a-z-]+[a-z]' | LC_ALL=C sort -u); do
        grep -qF -e "$option" "$BATS_TEST_TMPDIR/help" || fail "$option"
    done
}

@test "the version is the same everywhere" {
    version=$(awk '/^VERSION := / { print $3 }' Makefile)
    contains "$(neuro-preprocess --version | head -n 1)" "$version"
    grep -qx "version: $version" CITATION.cff
    equal "$(scripts/slurm/np-slurm --version)" "np-slurm $version"
    grep -q "$version" CHANGELOG.md
}

@test "help lists every target that the Makefile documents" {
    run -0 make -s help
    for target in all demo check check-unit check-cli check-layers check-format check-headers check-words check-unused lint asan tsan fuzz bench cov man install dist clean help; do
        grep -qE "^ +$target " <<<"$output" || fail "$target"
    done
}

@test "make install puts program, man page and completions below PREFIX, and what is installed runs" {
    [[ $VARIANT == release ]] || skip 'about the release build'
    run -0 make -s BUILD="$BUILD" DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/opt/np install
    at=$BATS_TEST_TMPDIR/root/opt/np
    for file in bin/neuro-preprocess bin/np-slurm share/man/man1/neuro-preprocess.1 share/man/man1/np-slurm.1 share/bash-completion/completions/np-slurm share/bash-completion/completions/neuro-preprocess \
        share/zsh/site-functions/_neuro-preprocess share/fish/vendor_completions.d/neuro-preprocess.fish share/doc/neuro-preprocess/LICENSE; do
        [[ -s $at/$file ]] || fail "no $file"
    done
    run -0 "$at/bin/neuro-preprocess" --version
}

@test "the layers' check finds forbidden includes" {
    mkdir -p "$BATS_TEST_TMPDIR/scripts"
    cp -r src "$BATS_TEST_TMPDIR/src"
    cp scripts/check-layers.sh scripts/layers.txt "$BATS_TEST_TMPDIR/scripts"
    check=$BATS_TEST_TMPDIR/scripts/check-layers.sh
    run -0 "$check"
    for line in '"pipeline/plan.h"' '"image.h"' '"../image/image.h"' '<zlib.h>' '<nifti2_io.h>' '<jansson.h>'; do
        cp src/ops/morphology.c "$BATS_TEST_TMPDIR/src/ops/morphology.c"
        echo "#include $line" >>"$BATS_TEST_TMPDIR/src/ops/morphology.c"
        run -1 "$check"
        contains "$output" src/ops/morphology.c
    done
    cp src/ops/morphology.c "$BATS_TEST_TMPDIR/src/ops/morphology.c"
    echo '#include "otlp/format.h"' >>"$BATS_TEST_TMPDIR/src/otlp/encode.h"
    run -1 "$check"
    contains "$output" 'otlp/encode.h is public and includes otlp/format.h, which is not'
    cp src/otlp/encode.h "$BATS_TEST_TMPDIR/src/otlp/encode.h"
    run -0 "$check"
    sed -i 's/^base:/base: cli/' "$BATS_TEST_TMPDIR/scripts/layers.txt"
    run -1 "$check"
}

@test "the words' check finds withdrawn words, whole and in identifiers, and spares other words and what is named so on disk" {
    mkdir -p "$BATS_TEST_TMPDIR/scripts" "$BATS_TEST_TMPDIR/src"
    cp scripts/check-words.sh scripts/words.txt "$BATS_TEST_TMPDIR/scripts"
    check=$BATS_TEST_TMPDIR/scripts/check-words.sh
    echo 'Outbursts of parcelling in `owed/`, as untold as before.' >"$BATS_TEST_TMPDIR/src/a.c"
    run -0 "$check"
    # The quotes keep this test from being found itself.
    for line in 'the Par''cel is sent' 'int n_ow''ed;' 'tell''_all(console);' '/* who was to''ld */'; do
        echo "$line" >"$BATS_TEST_TMPDIR/src/b.c"
        run -1 "$check"
        contains "$output" "src/b.c:1:$line"
        contains "$output" 'expected a plain word there'
    done
    for text in '/* Wh''at fails is in `why`. */' '/*\n * Wh''ich bytes were sent. */'; do
        printf '%b\n' "$text" >"$BATS_TEST_TMPDIR/src/b.c"
        run -1 "$check"
        contains "$output" 'expected that a comment begins with its subject'
    done
    printf '/* Bytes that were sent. */\n' >"$BATS_TEST_TMPDIR/src/b.c"
    run -0 "$check"
}

@test "the headers' check finds a header that leans on its neighbours, one without guards, and a name that two give" {
    mkdir -p "$BATS_TEST_TMPDIR/scripts" "$BATS_TEST_TMPDIR/src/base"
    cp scripts/check-headers.sh "$BATS_TEST_TMPDIR/scripts"
    check=$BATS_TEST_TMPDIR/scripts/check-headers.sh
    cp src/base/clock.h "$BATS_TEST_TMPDIR/src/base"
    run -0 "$check"
    printf '#ifndef A_H\n#define A_H\nsize_t f(void);\n#endif\n' >"$BATS_TEST_TMPDIR/src/base/leans.h"
    run -1 "$check"
    contains "$output" 'src/base/leans.h: expected to compile alone'
    printf 'struct a { int b; };\n' >"$BATS_TEST_TMPDIR/src/base/leans.h"
    run -1 "$check"
    contains "$output" 'src/base/leans.h: expected to compile alone'
    rm "$BATS_TEST_TMPDIR/src/base/leans.h"
    for name in one two; do
        printf '#ifndef NP_%s\n#define NP_%s\nenum a { A_%s };\n#endif\n' $name $name $name >"$BATS_TEST_TMPDIR/src/base/$name.h"
    done
    run -1 "$check"
    contains "$output" 'expected that all headers compile together'
    lacks "$output" 'expected to compile alone'
}

@test "the check of unused functions finds one without a reason, and a reason without a function" {
    mkdir -p "$BATS_TEST_TMPDIR/scripts" "$BATS_TEST_TMPDIR/build/sections"
    cp scripts/check-unused.sh "$BATS_TEST_TMPDIR/scripts"
    check=$BATS_TEST_TMPDIR/scripts/check-unused.sh list=$BATS_TEST_TMPDIR/scripts/unused.txt
    for function in np_spare np_kept_for_tests; do
        echo "/usr/bin/ld: removing unused section '.text.$function' in file 'build/sections/src/base/alloc.o'"
    done >"$BATS_TEST_TMPDIR/build/sections/unneeded"
    check_it() { MAKE=true BUILD=build "$check"; }
    printf '# reasons\nnp_kept_for_tests  tests count by it\nnp_spare  tests too\n' >"$list"
    run -0 check_it
    printf 'np_kept_for_tests  tests count by it\n' >"$list"
    run -1 check_it
    contains "$output" 'src/base/alloc.c: nothing in the program calls np_spare'
    printf 'np_kept_for_tests\nnp_spare  tests too\nnp_gone  tests too\n' >"$list"
    run -1 check_it
    contains "$output" 'np_kept_for_tests: expected a reason'
    contains "$output" 'the program calls np_gone'
}
