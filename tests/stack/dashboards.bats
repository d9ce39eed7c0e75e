#!/usr/bin/env bats
# What the dashboards ask, asked of real servers with what real runs sent.
bats_require_minimum_version 1.5.0
load helper

setup_file()
{
    find_servers
    cd "$BATS_FILE_TMPDIR" || return
    stack_in "$BATS_FILE_TMPDIR"
    start
    neuro-preprocess demo-data --participants 3 --sessions 2 --size 6.5 bids >/dev/null
    neuro-preprocess bids out participant --bias-correction none --skull-strip skip --normalize zscore --otel-endpoint auto || true
    export DATA
}
setup() { cd "$BATS_FILE_TMPDIR" && stack_in "$BATS_FILE_TMPDIR"; }
teardown_file() { end_stack; }

# The one panel that has no number before twenty sessions have ended.
MAY_BE_EMPTY='When will it be done?'

@test "each panel's query has an answer a minute after a run, and no error" {
    local dashboard panel query n=0
    wait_until 60 has_values 'increase(traces_span_metrics_calls_total[10m]) > 0'
    while IFS=$'\t' read -r dashboard panel query; do
        answer "$query" >/dev/null || fail "$dashboard: $panel: $query"
        [[ $panel == "$MAY_BE_EMPTY" ]] || wait_until 30 has_values "$query" || fail "$dashboard: '$panel' is empty: $query"
        n=$((n + 1))
    done < <(queries)
    ((n > 30)) || fail "only $n queries"
    equal "$(get "$(fact PROMETHEUS)/api/v1/rules" | jq -r '[.data.groups[].rules[] | select(.health == "err") | .name] | join(" ")')" ''
}

# mend: the image that is broken on purpose.
mend() { cp bids/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz bids/sub-03/ses-02/anat/sub-03_ses-02_T1w.nii.gz; }

@test "each question to Loki has a twin for VictoriaLogs, with the right rows" {
    local cohort=preprocessing-dashboard me=(session-dashboard 'Which attempts were there?' participant=03 session=02)
    equal "$("$TOP/scripts/stack/dashboards.py" --queries | jq -s 'map(select(.datasource == "loki" and (.logsql | not))) | length')" 0
    soon 6 n_rows $cohort 'Which sessions were the slowest?'
    equal "$(logs "$(twin $cohort 'Which sessions were the slowest?')" | jq -s 'map(.["neuro.session.duration"] | tonumber) | . == (sort | reverse)')" true
    logs "$(twin $cohort 'Which sessions came nearest to the memory that they may use?')" >near
    equal "$(jq -s 'length == 6 and all((.["neuro.session.peak_memory"] | tonumber) / (.["neuro.session.memory_limit"] | tonumber) / (.share | tonumber) | . > 0.999 and . < 1.001)
        and (map(.share | tonumber) | . == (sort | reverse))' near)" true
    equal "$(logs "$(twin $cohort 'Which sessions failed?')" | jq -r '[.["bids.participant"], .["bids.session"], .["neuro.outcome"], .["neuro.stage"]] | join(" ")')" '03 02 bad-data load_file'
    contains "$(logs "$(twin $cohort 'Which sessions failed?')" | jq -r ._msg)" 'end of its gzip stream'
    equal "$(n_rows $cohort 'Which sessions failed?' stage=skull_strip)" 0
    equal "$(n_rows $cohort 'Which sessions failed?' dataset=other)" 0
    equal "$(n_rows "${me[@]}")" 1
    equal "$(n_rows session-dashboard 'What did it say?' participant=03 session=02)" \
        "$(jq -Rr 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | select(any(.attributes[]?; .key == "bids.participant" and .value.stringValue == "03") and any(.attributes[]; .key == "bids.session" and .value.stringValue == "02")) | select(.eventName as $event | ["neuro.span.start", "neuro.sampling"] | index($event) | not) | .eventName' out/logs/telemetry/*.otlp.jsonl | wc -l)"
}

@test "the first row says what status says: after failures, and after a rerun of what was mended" {
    local cohort=preprocessing-dashboard row again
    neuro-preprocess status out --format json >status.json
    soon "$(jq -r '.states.success' status.json)" number $cohort 'How many sessions are done?'
    soon "$(jq -r '.n_wanted' status.json)" number $cohort 'Of how many?'
    soon "$(jq -r '.states.failed' status.json)" number $cohort 'How many failed?'
    soon "$(jq -r '.n_to_rerun' status.json)" number $cohort 'How many are left to run?'
    soon 1 n_rows $cohort 'Which sessions failed?'
    mend
    row=$(logs "$(twin $cohort 'Which sessions failed?')")
    [[ -d $(jq -r .folder <<<"$row") ]] || fail "there is no folder '$(jq -r .folder <<<"$row")'"
    again=$(jq -r .rerun <<<"$row")
    lacks "$again" sub-01
    (cd / && eval "$again")
    neuro-preprocess bids out group --otel-endpoint auto # a run of one session does not count the folder
    soon 6 number $cohort 'How many sessions are done?'
    soon 0 number $cohort 'How many failed?'
    soon 0 number $cohort 'How many are left to run?'
    soon 1 number $cohort 'What share succeeded?'
    soon 0 n_rows $cohort 'Which sessions failed?'
    soon 2 n_rows session-dashboard 'Which attempts were there?' participant=03 session=02
    soon 0 n_rows $cohort 'Which sessions failed?' stage=load_file
}

@test "the marks of the axis of time: what np-slurm asks for is a submit, then a resubmit" {
    local cohort=preprocessing-dashboard
    for _ in 1 2; do
        neuro-preprocess bids planned participant --plan-only --participant-label 02 --dataset-name Planned --otel-endpoint auto
    done
    soon 1 n_rows $cohort submit dataset=Planned
    soon 1 n_rows $cohort resubmit dataset=Planned
    equal "$(n_rows $cohort kill dataset=Planned)" 0
    equal "$(jq -c '[.annotations.list[].name]' "$TOP/configs/grafana/dashboards/$cohort.json")" '["submit","resubmit","kill"]'
}

@test "half a selection, and then a kill: the first row says what status says" {
    local quick=(--bias-correction none --skull-strip skip --normalize none --otel-endpoint auto)
    as_status()
    {
        neuro-preprocess status part --format json >status.json
        soon "$(jq -r '.states.success // 0' status.json)" of_folder 'How many sessions are done?' "$(folder_id part)"
        soon "$(jq -r '.n_wanted' status.json)" of_folder 'Of how many?' "$(folder_id part)"
        soon "$(jq -r '[.states.failed, .states.interrupted, .states.lost, .states.incomplete | values] | add // 0' status.json)" of_folder 'How many failed?' "$(folder_id part)"
        soon "$(jq -r '.n_to_rerun' status.json)" of_folder 'How many are left to run?' "$(folder_id part)"
    }
    neuro-preprocess bids part participant --plan-only "${quick[@]}"
    neuro-preprocess bids part participant --participant-label 01 --slow-stage load_file:0.1 "${quick[@]}"
    as_status
    equal "$(jq -c '[.n_wanted, .n_complete]' status.json)" '[6,2]'
    neuro-preprocess bids part participant --nprocs 1 --slow-stage load_file:20 "${quick[@]}" >log 2>&1 3>&- &
    wait_until 30 eval '(($(cat part/logs/telemetry/*.otlp.jsonl | grep -o "span started: load_file" | wc -l) >= 5))'
    kill -KILL $!
    wait $! || true
    neuro-preprocess bids part group --otel-endpoint auto
    as_status
    lacks "$(jq -c .states status.json)" '"running"'
}

@test "a session that was sent under a hash: neither label nor path is in its row, and its command does it again" {
    local cohort=preprocessing-dashboard row again
    truncate -s 1000 bids/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz
    run -1 neuro-preprocess bids 'hashed out' participant --participant-label 01 --bias-correction none --skull-strip skip --normalize none --dataset-name Hashed \
        --telemetry-id hash --otel-endpoint auto
    soon 1 n_rows $cohort 'Which sessions failed?' dataset=Hashed
    row=$(logs "$(twin $cohort 'Which sessions failed?' dataset=Hashed out="$PWD/hashed out")")
    equal "$(jq -r .folder <<<"$row")" 'not sent'
    lacks "$(jq -r 'del(.rerun) | tostring' <<<"$row")" "$BATS_FILE_TMPDIR"
    cp bids/sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz bids/sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz
    again=$(jq -r .rerun <<<"$row")
    (cd / && eval "$again")
    equal "$(neuro-preprocess status 'hashed out' --format json | jq -c '[.n_complete, .n_to_rerun]')" '[2,0]'
}

# says TIME FOLDER: what the dashboard says of this output folder in a range that ends then, and the range that its link leads to, in s.
says()
{
    local query
    query=$("$TOP/scripts/stack/dashboards.py" --queries | jq -rs --arg folder "$2" 'map(select(.panel == "Is there data in this time range?"))[0].query
        | gsub("\\$__range"; "10m") | gsub("\\$folder"; $folder) | gsub("\\$[a-z]+"; ".*")')
    get "$(fact PROMETHEUS)/api/v1/query" "time=$1" "query=$query" | jq -r '.data.result[] | "\(.metric.says): \((.value[1] | tonumber) / 1000 | floor) \(.metric.from[:-3]) \(.metric.to[:-3])"'
}

@test "a range without data says so, before and after, and its link leads to all of it" {
    local words at from to day first last id
    id=$(folder_id out) # other tests of this file count folders of their own, later
    read -r first last < <(jq -r '.resourceMetrics[]?.scopeMetrics[].metrics[] | select(.name == "neuro.cohort.time") | .gauge.dataPoints[].asDouble' out/logs/telemetry/*.otlp.jsonl | sort -n | sed -n '1p;$p' | cut -d . -f 1 | paste -s -d ' ')
    contains "$(says "$EPOCHSECONDS" "$id")" 'yes, last counted at: '
    for day in -30 30; do
        words=$(says $((EPOCHSECONDS + day * 86400)) "$id")
        contains "$words" 'No session was counted in this time range; the last time was: '
        read -r at from to <<<"${words##*: }"
        ((at == last && from <= first && from > first - 3600 && to >= last && to < last + 3600)) || fail "$words: expected $first to $last"
    done
}

@test "without Loki and Tempo the dashboards have no panel for them, and links to the servers that run" {
    local file of
    for file in "$DATA"/run/configs/dashboards/*.json; do
        of=$(jq -r '[.panels[].datasource.type, .templating.list[].query] | map(select(. == "loki" or . == "tempo")) | length' "$file")
        equal "$of" 0 "$file"
        jq -e 'any(.templating.list[]; .name == "files") or any(.. | .url? // empty; startswith("${files}")) | not' "$file" >/dev/null || fail "$file: a link to folders"
        jq -e --arg url "http://$(fact VICTORIALOGS)" 'any(.links[].url; . and startswith($url))' "$file" >/dev/null || fail "$file: no link"
    done
    jq -e --arg url "http://$(fact JAEGER)/trace/\${trace}" 'any(.links[]; .url == $url)' "$DATA/run/configs/dashboards/session-dashboard.json" >/dev/null || fail 'no link to the trace'
    jq -r '.links[] | select(.title == "Which sessions failed?") | .url' "$DATA/run/configs/dashboards/preprocessing-dashboard.json" >address
    contains "$(<address)" 'query=event_name%3A%3D%22neuro.session.summary%22%20neuro.dataset.name%3A~%22${dataset:regex}%22%20neuro.cohort.id%3A~%22${folder:regex}%22'
    jq -e '[.panels[] | select(.type == "stat")] | length >= 6' "$DATA/run/configs/dashboards/preprocessing-dashboard.json" >/dev/null
}

# prepare URL OUTPUT_DIR: the dashboards of a stack with Loki and Tempo, below prepared.
prepare()
{
    rm -rf prepared && mkdir prepared
    STACK_LOGS=loki STACK_TRACES=tempo STACK_FILES_URL=$1 STACK_OUTPUT_DIR=$2 bash -c 'set -eu; servers=(loki tempo); . "$1/lib.sh"; . "$1/servers.sh"; prepare_grafana "$2" prepared/provisioning' - "$TOP/scripts/stack" "$TOP/configs/grafana"
}
# folder_links URL: where a session's folder is linked to.
folder_links()
{
    prepare "$1" ''
    jq -r '(.templating.list[] | select(.name == "files") | .current.value), (.panels[].fieldConfig.overrides[]? | select(.matcher.options == "folder") | .properties[] | select(.id == "links") | .value[].url)' \
        prepared/dashboards/preprocessing-dashboard.json | sort -u
}

@test "a folder is a link where --files-url says where folders are, and a path to copy elsewhere" {
    equal "$(folder_links https://lab.example.org)" '${files}${__data.fields.folder}
https://lab.example.org'
    equal "$(folder_links '')" ''
    run -64 start --files-url lab.example.org
    contains "$output" 'expected a URL'
}

@test "--output-dir is where commands look for records; without it a person types it" {
    local out='.templating.list[] | select(.name == "out") | .current.value'
    prepare '' '/data/my study'
    equal "$(jq -r "$out" prepared/dashboards/preprocessing-dashboard.json)" '/data/my study'
    prepare '' ''
    equal "$(jq -r "$out" prepared/dashboards/session-dashboard.json)" OUTPUT_DIR
}

@test "panels say what they answer, what is bad, and what their colours mean" {
    local file
    for file in "$TOP"/configs/grafana/dashboards/*.json; do
        jq -e '[.panels[] | select(.type != "row" and .type != "text") | select((.title | endswith("?") | not) or (.description | test("[Ff]rom ") and test("Bad: ") and test("Unit: ") | not)
            or (.fieldConfig.defaults.thresholds == null) or (.fieldConfig.defaults.noValue == null))] | length == 0' "$file" >/dev/null || fail "$file"
    done
}
