# shellcheck shell=bash
# For scripts/stack.sh: what each server of the stack is called, needs, listens to, and is started with. A new one is a row in each
# table. Addresses and folders are variables STACK_…, with which configs/ is written.

# name of the program, name of the image, and MiB of memory that Go is to keep to (GOMEMLIMIT)
declare -A program=([collector]=otelcol [prometheus]=prometheus [victorialogs]=victoria-logs [jaeger]=jaeger [loki]=loki [tempo]=tempo [grafana]=grafana)
declare -A image=([collector]=otel-collector [prometheus]=prometheus [victorialogs]=victorialogs [jaeger]=jaeger [loki]=loki [tempo]=tempo [grafana]=grafana)
declare -A memory_mib=([collector]=512 [prometheus]=512 [victorialogs]=384 [jaeger]=768 [loki]=512 [tempo]=512 [grafana]=384)

# addresses: variable=port that tutorials name. A variable that ends in _PORT gets a number, any other an address.
declare -A addresses=(
    [collector]='STACK_OTLP_GRPC=4317 STACK_OTLP_HTTP=4318 STACK_COLLECTOR_HEALTH=13133 STACK_COLLECTOR_METRICS_PORT=8888'
    [prometheus]='STACK_PROMETHEUS=9090'
    [victorialogs]='STACK_VICTORIALOGS=9428'
    [jaeger]='STACK_JAEGER=16686 STACK_JAEGER_GRPC=16685 STACK_TRACES_OTLP=4327 STACK_JAEGER_HEALTH=13134 STACK_JAEGER_METRICS_PORT=8889'
    [loki]='STACK_LOKI_PORT=3100 STACK_LOKI_GRPC_PORT=9095'
    [tempo]='STACK_TEMPO_PORT=3200 STACK_TEMPO_GRPC_PORT=9096 STACK_TRACES_OTLP=4327 STACK_TEMPO_GOSSIP_PORT=7946'
    [grafana]='STACK_GRAFANA_PORT=3000'
)

# ready_at SERVER: the page that answers 200 once it serves.
ready_at()
{
    case $1 in
    collector) echo "$STACK_COLLECTOR_HEALTH/" ;;
    prometheus) echo "$STACK_PROMETHEUS/-/ready" ;;
    victorialogs) echo "$STACK_VICTORIALOGS/health" ;;
    jaeger) echo "$STACK_JAEGER_HEALTH/status" ;;
    loki) echo "127.0.0.1:$STACK_LOKI_PORT/ready" ;;
    tempo) echo "127.0.0.1:$STACK_TEMPO_PORT/ready" ;;
    grafana) echo "127.0.0.1:$STACK_GRAFANA_PORT/api/health" ;;
    esac
}

# page_of SERVER: what a person opens; nothing for the Collector.
page_of()
{
    case $1 in
    prometheus) echo "$STACK_PROMETHEUS" ;;
    victorialogs) echo "$STACK_VICTORIALOGS/select/vmui/" ;;
    jaeger) echo "$STACK_JAEGER" ;;
    loki) echo "127.0.0.1:$STACK_LOKI_PORT" ;;
    tempo) echo "127.0.0.1:$STACK_TEMPO_PORT" ;;
    grafana) echo "127.0.0.1:$STACK_GRAFANA_PORT" ;;
    esac
}

# metrics_of SERVER: where Prometheus scrapes it.
metrics_of()
{
    case $1 in
    collector) echo "127.0.0.1:$STACK_COLLECTOR_METRICS_PORT" ;;
    jaeger) echo "127.0.0.1:$STACK_JAEGER_METRICS_PORT" ;;
    *) page_of "$1" | cut -d / -f 1 ;;
    esac
}

# choose_servers: which run, the back ends first, in the order in which they start.
choose_servers()
{
    servers=(prometheus "$STACK_LOGS" "$STACK_TRACES" collector)
    [[ $STACK_GRAFANA == no ]] || servers+=(grafana)
}

# choose_addresses: a free port for each, or with `--ports known` those that tutorials name.
choose_addresses()
{
    local pairs pair i=0 ports
    read -ra pairs <<<"$(for server in "${servers[@]}"; do echo "${addresses[$server]}"; done | tr '\n' ' ')"
    if [[ $STACK_PORTS == known ]]; then
        mapfile -t ports < <(printf '%s\n' "${pairs[@]#*=}")
    else
        mapfile -t ports < <(choose_ports ${#pairs[@]})
        ((${#ports[@]} == ${#pairs[@]})) || exit 75
    fi
    if [[ $STACK_MODE == service ]]; then
        STACK_LISTEN=${STACK_LISTEN:-$(hostname -I | cut -d ' ' -f 1)}
        [[ -n $STACK_LISTEN ]] || die 69 'this machine has no address besides the loopback one: --listen ADDRESS'
        STACK_SECRETS=$data/run/secrets
    fi
    for pair in "${pairs[@]}"; do
        if [[ $STACK_MODE == service && ${pair%=*} == STACK_OTLP_* ]]; then
            export "${pair%=*}=$STACK_LISTEN:${ports[i]}"
        elif [[ ${pair%=*} == *_PORT ]]; then
            export "${pair%=*}=${ports[i]}"
        else
            export "${pair%=*}=127.0.0.1:${ports[i]}"
        fi
        i=$((i + 1))
    done
    for server in "${servers[@]}"; do export "STACK_${server^^}_DATA=$data/$server"; done
    case $STACK_LOGS in
    victorialogs) export STACK_LOGS_URL=http://$STACK_VICTORIALOGS/insert/opentelemetry/v1/logs ;;
    loki) export STACK_LOGS_URL=http://127.0.0.1:$STACK_LOKI_PORT/otlp/v1/logs ;;
    esac
}

# folders and files that the servers find at their start
prepare_files()
{
    local server separator=
    for server in "${servers[@]}"; do mkdir -p "$data/$server"; done
    rm -rf "$data/run/configs"
    cp -r "$top/configs" "$data/run/configs"
    prepare_grafana "$data/run/configs/grafana" "$data/run/configs/provisioning"
    rm -f "$data"/run/configs/targets/*
    {
        echo '['
        for server in "${servers[@]}"; do
            printf '%s  {"labels": {"server": "%s"}, "targets": ["%s"]}' "$separator" "$server" "$(metrics_of "$server")"
            separator=$',\n'
        done
        printf '\n]\n'
    } >"$data/run/configs/targets/stack.json"
}

# prepare_grafana FROM TO: what Grafana finds at its start: the data sources of the servers that run, dashboards, alerts. VictoriaLogs is no
# data source without a plugin. Panels without a data source are left out; links lead to those servers' own pages, with the panels' questions
# in VictoriaLogs' language. A folder is a link where --files-url says where folders are; commands name
# the output folder of --output-dir.
prepare_grafana()
{
    local server file lacks=() links='[]' asks=''
    mkdir -p "$2"/{datasources,dashboards,alerting} "$2/../dashboards"
    for server in "${servers[@]}"; do
        [[ ! -f $1/datasources/$server.yaml ]] || cp "$1/datasources/$server.yaml" "$2/datasources/"
    done
    [[ $STACK_LOGS == loki ]] || lacks+=(loki)
    [[ $STACK_TRACES == tempo ]] || lacks+=(tempo)
    [[ $STACK_LOGS != victorialogs ]] || asks="http://$(page_of victorialogs)#/?g0.range_input=7d&query="
    for server in "$STACK_LOGS" "$STACK_TRACES"; do
        [[ $server == loki || $server == tempo ]] ||
            links=$(jq --arg name "$server" --arg url "http://$(page_of "$server")" '. + [{type: "link", title: $name, url: $url, targetBlank: true, icon: "external link", tooltip: "", tags: [], asDropdown: false, includeVars: false, keepTime: false}]' <<<"$links")
    done
    for file in "$1"/dashboards/*.json; do
        jq --arg uid "$(jq -r .uid "$file")" --argjson links "$links" --arg asks "$asks" --arg files "$STACK_FILES_URL" --arg out "$STACK_OUTPUT_DIR" '
            def is_there: ((.datasource.type // .query) as $of | $ARGS.positional | index($of)) == null;
            # with the variables of the page, which keep their form in an address
            def address: @uri | gsub("%24%7B(?<name>[a-z]+)(?<form>%3Aregex)?%7D"; "${\(.name)\(if .form then ":regex" else "" end)}");
            def question: .title as $title | .targets[]?.logsql | values
                | $links[0] + {title: $title, url: ($asks + address)};
            def of_trace: if .title == "jaeger" then . + {title: "this trace in Jaeger", url: (.url + "/trace/${trace}")} else . end;
            .links += ($links | if $uid == "neuro-session" then map(of_trace) else . end) + (if $asks == "" then [] else [.panels[] | question] end)
            | (.panels[].fieldConfig | select(.) | .overrides[].properties[] | select(.id == "links") | .value) |= map(select($files != "" or (.url | startswith("${files}") | not)))
            | .templating.list |= map(({files: $files, out: $out}[.name] // "") as $given | select(.name != "files" or $given != "")
                | if $given != "" then . + {query: $given, current: {text: $given, value: $given}} else . end)
            | .panels |= map(select(is_there)) | .annotations.list |= map(select(is_there)) | .templating.list |= map(select(is_there))' \
            "$file" --args "${lacks[@]}" >"$2/../dashboards/${file##*/}"
    done
    cp "$1/dashboards.yaml" "$2/dashboards/"
    cp "$1/alerting/rules.yaml" "$2/alerting/"
}

# command_of SERVER: sets `command`, without the program itself.
command_of()
{
    local configs=$data/run/configs
    case $1 in
    collector)
        command=(--config "file:$configs/otel-collector-config.yaml")
        [[ $STACK_PRESET == job ]] || command+=(--config "file:$configs/$STACK_PRESET/otel-collector-config.yaml")
        [[ $STACK_MODE != service ]] || command+=(--config "file:$configs/otel-collector-service.yaml")
        [[ -z $STACK_SAMPLE ]] || command+=(--config "file:$configs/otel-collector-sampling.yaml")
        [[ $STACK_DEBUG == no ]] || command+=(--config "file:$configs/otel-collector-debug.yaml")
        [[ -z $STACK_FORWARD_URL ]] || forward_settings
        ;;
    prometheus)
        command=(--config.file="$configs/prometheus.yml" --storage.tsdb.path="$data/prometheus" --storage.tsdb.retention.time="${STACK_RETENTION_HOURS}h"
            --web.listen-address="$STACK_PROMETHEUS" --web.enable-otlp-receiver
            --enable-feature=exemplar-storage,otlp-deltatocumulative,created-timestamp-zero-ingestion)
        [[ -z ${STACK_RETENTION_BYTES:-} ]] || command+=(--storage.tsdb.retention.size="${STACK_RETENTION_BYTES}B")
        [[ -z ${for_deletion:-} ]] || command+=(--web.enable-admin-api)
        ;;
    victorialogs)
        command=(-httpListenAddr="$STACK_VICTORIALOGS" -storageDataPath="$data/victorialogs" -retentionPeriod="${STACK_RETENTION_HOURS}h" -futureRetention=7d
            -inmemoryDataFlushInterval=1s -memory.allowedBytes=256MiB -insert.maxFieldsPerLine=1500 -loggerLevel=WARN)
        [[ -z ${STACK_RETENTION_BYTES:-} ]] || command+=(-retention.maxDiskSpaceUsageBytes="$STACK_RETENTION_BYTES")
        [[ -z ${for_deletion:-} ]] || command+=(-delete.enable)
        ;;
    jaeger) command=(--config "file:$configs/jaeger-config.yaml") ;;
    loki) command=(-config.file="$configs/loki-config.yaml" -config.expand-env=true) ;;
    tempo) command=(-config.file="$configs/tempo-config.yaml" -config.expand-env=true) ;;
    grafana) command=(server --homepath "${STACK_GRAFANA_HOME:-/usr/share/grafana}") ;;
    esac
}

# The token of the back end beyond is read at each start and kept in the Collector's environment alone.
forward_settings()
{
    command+=(--config "file:$configs/central/forward.yaml")
    export FORWARD_AUTHORIZATION=''
    [[ -z $STACK_FORWARD_TOKEN_FILE ]] || FORWARD_AUTHORIZATION="Bearer $(<"$STACK_FORWARD_TOKEN_FILE")"
}

# Grafana takes its settings from the environment. Its password is made once and kept beside the data, mode 0600.
grafana_settings()
{
    [[ -f $data/run/grafana.password ]] || head -c 24 /dev/urandom | base64 | tr -d '/+=\n' | write_private "$data/run/grafana.password"
    export GF_SERVER_HTTP_ADDR=127.0.0.1 GF_SERVER_HTTP_PORT=$STACK_GRAFANA_PORT GF_PATHS_DATA=$data/grafana GF_PATHS_LOGS=$data/grafana/log
    export GF_PATHS_PROVISIONING=$data/run/configs/provisioning STACK_DASHBOARDS=$data/run/configs/dashboards
    export STACK_LOKI=127.0.0.1:${STACK_LOKI_PORT:-} STACK_TEMPO=127.0.0.1:${STACK_TEMPO_PORT:-}
    export GF_SECURITY_ADMIN_PASSWORD__FILE=$data/run/grafana.password GF_AUTH_ANONYMOUS_ENABLED=false
    export GF_ANALYTICS_REPORTING_ENABLED=false GF_ANALYTICS_CHECK_FOR_UPDATES=false GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false
    export GF_PLUGINS_PREINSTALL_DISABLED=true GF_NEWS_NEWS_FEED_ENABLED=false
}
