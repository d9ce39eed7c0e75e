#!/usr/bin/env bats
# The archives and `make install`, as those who get them would use them.
load helper

setup()
{
    needs_packaging
    VERSION=$("$NP_PROGRAM" --version | awk 'NR == 1 { print $2 }')
}

# The archive of sources, unpacked in $WORK by the ordinary user.
unpack_sources()
{
    [[ -e $TOP/.git ]] || skip 'needs a git clone'
    (cd "$TOP" && make --no-print-directory -s BUILD="$BATS_TEST_TMPDIR/dist" dist) >&2 || return
    chmod -R go+rX "$BATS_TEST_TMPDIR/dist"
    as_user tar -x -C "$WORK" <"$BATS_TEST_TMPDIR/dist/neuro-preprocess-$VERSION.tar.gz" -z
    TREE=$WORK/neuro-preprocess-$VERSION
}

# The archive with libraries, unpacked in a folder whose name has a space.
unpack_binaries()
{
    local archive
    if [[ ! -f $BATS_FILE_TMPDIR/archive ]]; then
        (cd "$TOP" && make --no-print-directory -s dist-binary) >&2 || return
        echo "$BUILD/neuro-preprocess-$VERSION-linux-"*.tar.gz >"$BATS_FILE_TMPDIR/archive"
    fi
    archive=$(cat "$BATS_FILE_TMPDIR/archive")
    as_user mkdir "$WORK/un packed"
    as_user tar -x -z -C "$WORK/un packed" <"$archive"
    TREE=$(echo "$WORK/un packed/neuro-preprocess-$VERSION-linux-"*)
}

@test "the source archive builds without git, knows its commit, and gives the same program" {
    unpack_sources
    cd "$TREE"
    [[ ! -e .git ]]
    run -0 as_user make -s -j2 all
    commit=$(git -C "$TOP" rev-parse --short=12 HEAD)
    contains "$(as_user build/neuro-preprocess --version)" "commit:    $commit"
    equal "$(as_user build/neuro-preprocess --version | head -n 1)" "neuro-preprocess $VERSION"
    git -C "$TOP" diff --quiet HEAD -- src Makefile || skip 'compares programs only when all changes are committed'
    # Debugging information alone holds the folder's name.
    strip --strip-debug -o "$BATS_TEST_TMPDIR/here" "$NP_PROGRAM"
    strip --strip-debug -o "$BATS_TEST_TMPDIR/there" build/neuro-preprocess
    cmp "$BATS_TEST_TMPDIR/here" "$BATS_TEST_TMPDIR/there"
}

@test "the source archive holds what git holds and nothing else, the same bytes each time" {
    unpack_sources
    equal "$(cd "$TREE" && find . -type f -o -type l | cut -c3- | LC_ALL=C sort)" \
        "$(git -C "$TOP" ls-tree -r --name-only -z HEAD | tr '\0' '\n' | LC_ALL=C sort)"
    (cd "$TOP" && make --no-print-directory -s BUILD="$BATS_TEST_TMPDIR/again" dist) >&2
    cmp "$BATS_TEST_TMPDIR"/{dist,again}/"neuro-preprocess-$VERSION.tar.gz"
}

@test "make install puts all below DESTDIR and PREFIX, readable for everybody" {
    cd "$TOP"
    dest=$BATS_TEST_TMPDIR/dest
    (umask 077 && make --no-print-directory -s DESTDIR="$dest" PREFIX=/opt/np install) >/dev/null
    equal "$(ls "$dest" "$dest/opt")" "$dest:
opt

$dest/opt:
np"
    for file in bin/neuro-preprocess share/man/man1/neuro-preprocess.1 share/doc/neuro-preprocess/{CHANGELOG.md,CITATION.cff,LICENSE,README.md} \
        share/bash-completion/completions/neuro-preprocess share/fish/vendor_completions.d/neuro-preprocess.fish \
        share/zsh/site-functions/_neuro-preprocess; do
        [[ -s $dest/opt/np/$file ]] || fail "$file is missing"
    done
    equal "$(find "$dest/opt" -type f ! -perm -a=r)" ''
    run grep -rlF "$dest" "$dest/opt"
    equal "$output" ''
    run -0 bash -n "$dest/opt/np/share/bash-completion/completions/neuro-preprocess"
    grep -q '^\.TH' "$dest/opt/np/share/man/man1/neuro-preprocess.1"
}

@test "the binary archive runs where it is unpacked, with its own libraries" {
    unpack_binaries
    run -0 as_user "$TREE/bin/neuro-preprocess" --version
    equal "${lines[0]}" "neuro-preprocess $VERSION"
    outside=$(as_user ldd "$TREE/bin/neuro-preprocess" | awk '$2 == "=>"' | grep -vF "$TREE/" | awk '{ print $1 }' |
        grep -vE '^(linux-vdso|ld-linux|lib(c|m|dl|pthread|resolv|rt)\.so)' || true)
    equal "$outside" '' 'libraries of this machine'
    run -0 as_user "$TREE/bin/neuro-preprocess" "$NP_DEMO" "$WORK/out" participant --participant-label 01 --session-label 01
    complete "$WORK/out" 01/01
}

@test "the binary archive asks for no newer C library than Debian 12 has" {
    unpack_binaries
    needs=$(objdump -T "$TREE/bin/neuro-preprocess" "$TREE"/lib/* | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
    contains "$(cat "$TREE/INSTALL")" "glibc ${needs#GLIBC_}."
    # shellcheck disable=SC1091 # of the machine
    . /etc/os-release
    [[ ${ID:-} == debian && ${VERSION_ID:-} == 12 ]] || skip 'built on another system than Debian 12'
    equal "$(printf '%s\n' "$needs" GLIBC_2.36 | sort -V | tail -n 1)" GLIBC_2.36
}

@test "the binary archive names what it bundles, with licences, and brings man page and completions" {
    unpack_binaries
    for library in "$TREE"/lib/*; do
        contains "$(cat "$TREE/share/doc/neuro-preprocess/BUNDLED.md")" "$(basename "$library")"
    done
    for licence in $(grep -oE 'licences/[^)]+' "$TREE/share/doc/neuro-preprocess/BUNDLED.md"); do
        [[ -s $TREE/share/doc/neuro-preprocess/$licence ]] || fail "$licence is not there"
    done
    [[ -s $TREE/share/doc/neuro-preprocess/LICENSE && -s $TREE/share/man/man1/neuro-preprocess.1 && -s $TREE/share/zsh/site-functions/_neuro-preprocess ]]
}
