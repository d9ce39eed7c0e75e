# shellcheck shell=bash
# For scripts/stack.sh: what `stop` leaves and `start --from` opens again. An archive is a folder with the folders of the servers (the
# Collector's holds every request as a line of JSON), manifest.json and SHA256SUMS. Data are moved there, not copied: there is one copy.

# bytes FOLDER…
bytes() { du -sb "$@" | awk '{ n += $1 } END { print n + 0 }'; }

# bytes_of SIZE: of 5G, 500M, 12345; status 1 for anything else.
bytes_of()
{
    [[ $1 =~ ^([0-9]+)([KMGT]?)$ ]] || return 1
    numfmt --from=iec "${BASH_REMATCH[1]}${BASH_REMATCH[2]}"
}

has_data()
{
    local server
    for server in "${!program[@]}"; do [[ ! -d $data/$server ]] || return 0; done
    return 1
}

write_manifest() # ARCHIVE SERVER…
{
    local archive=$1 names
    shift
    names=$(printf ', "%s"' "$@")
    cat >"$archive/manifest.json" <<END
{
  "archive": "neuro-preprocess telemetry stack",
  "version": 1,
  "host": "$STACK_HOST",
  "job": "$STACK_JOB",
  "started": "$STACK_STARTED",
  "stopped": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
  "traces": "$STACK_TRACES",
  "logs": "$STACK_LOGS",
  "folders": [${names#, }]
}
END
}

in_manifest() { sed -n "s/^  \"$2\": \"\\(.*\\)\",\$/\\1/p" "$1/manifest.json"; }

write_sums()
{
    (cd "$1" && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum) >"$1.sums" && mv "$1.sums" "$1/SHA256SUMS"
}
sums_hold() { (cd "$1" && sha256sum --quiet --check SHA256SUMS >&2); }

# what_fits: the servers whose folders are saved. Above the limit the Collector's alone: from its file all others can be filled again.
what_fits()
{
    local folders=()
    for server in "${servers[@]}"; do folders+=("$data/$server"); done
    if (($(bytes "${folders[@]}") <= max_bytes)); then
        echo "${servers[*]}"
    elif (($(bytes "$data/collector") <= max_bytes)); then
        echo collector
    fi
}

# link_or_copy FOLDER TO: on one file system without a second copy.
link_or_copy()
{
    cp -a --link "$1" "$2/" 2>/dev/null && return
    rm -rf "${2:?}/$(basename "$1")"
    cp -a "$1" "$2/"
}

# save_archive: move what the stopped servers hold to $save/HOST_TIME. What does not fit, or cannot be copied whole, stays in DATA.
save_archive()
{
    local name archive chosen server
    name=${STACK_HOST}_$(date -u +%Y%m%dT%H%M%SZ)
    archive=$save/$name
    read -ra chosen <<<"$(what_fits)"
    ((${#chosen[@]} > 0)) || die 74 "the Collector's file alone is larger than --max-size: nothing was moved, the data stay in '$data'"
    (umask 077 && mkdir -p "$archive.partial") || die 73 "cannot make '$archive': the data stay in '$data'; --save DIR names another place"
    for server in "${chosen[@]}"; do
        link_or_copy "$data/$server" "$archive.partial" && continue
        rm -rf "$archive.partial"
        die 74 "'$data/$server' cannot be copied to '$save': the data stay in '$data'; 'stop' again tries again"
    done
    write_manifest "$archive.partial" "${chosen[@]}"
    write_sums "$archive.partial" && mv "$archive.partial" "$archive"
    for server in "${chosen[@]}"; do rm -rf "${data:?}/$server"; done
    say "Archive: $archive ($(($(bytes "$archive") / 1048576)) MiB); scripts/start_stack.sh --from '$archive' opens it again"
    ((${#chosen[@]} == ${#servers[@]})) ||
        warn "all data together are larger than --max-size: the archive has what the Collector received; the other servers' data stay in '$data'"
}

# open_archive: copy an archive's folders to DATA, which must be empty. Archives are not changed.
open_archive()
{
    local folders
    [[ -f $from/manifest.json && -f $from/SHA256SUMS ]] || die 66 "'$from' is no archive of a stack: expected manifest.json and SHA256SUMS in it"
    ! has_data || die 75 "'$data' has data already: --data DIR names an empty folder, scripts/stack.sh clean empties this one"
    sums_hold "$from" || die 65 "'$from' is not as it was written: see above"
    STACK_TRACES=$(in_manifest "$from" traces) STACK_LOGS=$(in_manifest "$from" logs)
    folders=$(sed -n 's/^  "folders": \[\(.*\)\]$/\1/p' "$from/manifest.json" | tr -d '",')
    read -ra folders <<<"$folders"
    if ! (cd "$from" && cp -a "${folders[@]}" "$data/"); then
        (cd "$data" && rm -rf "${folders[@]}")
        die 74 "'$from' cannot be copied to '$data'"
    fi
    say "Opened $from: of $(in_manifest "$from" host), $(in_manifest "$from" started) to $(in_manifest "$from" stopped)"
    [[ ${folders[*]} == *prometheus* ]] ||
        warn "this archive has only what the Collector received: neuro-preprocess replay '$from/collector/stack.otlp.jsonl' --endpoint … fills the servers"
}
