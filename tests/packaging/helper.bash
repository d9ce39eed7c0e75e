# shellcheck shell=bash
# For every file of packaging tests: `load helper`. Gives what scripts/packaging-env.sh made (NP_SIF, NP_PROGRAM, NP_DEMO, NP_VENV,
# NP_USER), commands run as that ordinary user, and the assertions of the program's own tests.
load ../cli/helper

setup_file() { packaging_environment; }
setup() { needs_packaging; }

# Once a file: the variables, or in NP_WHY_NOT the reason why there are none.
packaging_environment()
{
    local environment status=0
    [[ -z ${NP_SIF:-} ]] || return 0
    environment=$("$TOP/scripts/packaging-env.sh" 2>"$BATS_FILE_TMPDIR/why-not") || status=$?
    case $status in
    0) eval "$environment" ;;
    77) NP_WHY_NOT=$(tail -n 1 "$BATS_FILE_TMPDIR/why-not") && export NP_WHY_NOT ;;
    *) cat "$BATS_FILE_TMPDIR/why-not" >&2 && return 1 ;;
    esac
}

# First thing in a file's own setup(), where it has one: then WORK is an empty folder of the ordinary user.
needs_packaging()
{
    if [[ -z ${NP_SIF:-} ]]; then
        [[ ${CI:-} != true ]] || { fail "no packaging environment: ${NP_WHY_NOT:-}"; return 1; }
        skip "${NP_WHY_NOT:-needs scripts/packaging-env.sh}"
    fi
    WORK=$NP_DIR/work/$(basename "$BATS_TEST_FILENAME" .bats)-$BATS_TEST_NUMBER
    as_user rm -rf "$WORK"
    as_user mkdir -p "$WORK"
    cd "$WORK" || return
}

teardown() { [[ -z ${WORK:-} || -n ${NP_KEEP:-} ]] || { cd / && as_user rm -rf "$WORK"; }; }

# as_user COMMAND…: as the ordinary user in the current folder, with that user's environment and nothing of ours. Variables
# can be given as with env: as_user NAME=value command.
as_user()
{
    local home
    home=$(getent passwd "$NP_USER" | cut -d: -f6)
    local clean=(env -i HOME="$home" USER="$NP_USER" LOGNAME="$NP_USER" LANG=C.UTF-8 TERM=dumb
        PATH=/usr/local/bin:/usr/bin:/bin "$@")
    if ((EUID == 0)); then runuser -u "$NP_USER" -- "${clean[@]}"; else "${clean[@]}"; fi
}

# The tools of the Python environment, and Apptainer without its notices.
in_venv() { as_user PATH="$NP_VENV/bin:/usr/local/bin:/usr/bin:/bin" "$@"; }
container() { as_user apptainer -q "$@"; }
