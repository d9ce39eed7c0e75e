#!/usr/bin/env python3
"""Write Grafana's dashboards (configs/grafana/dashboards/*.json, the classic JSON model of Grafana 12) from the rows below.

usage: dashboards.py [--check | --queries]
  --check    write nothing; end with 1 when a file is not what this script writes
  --queries  print each query as one JSON object a line: dashboard, panel, datasource, query, and of logs `logsql`: the same in
             the language of VictoriaLogs, which Grafana does not read

A panel's title is the question that it answers. Its description says where the numbers come from, their unit, and what is bad.
"""

import json
import os
import sys

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "configs", "grafana", "dashboards")

PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
LOKI = {"type": "loki", "uid": "${logs}"}
TEMPO = {"type": "tempo", "uid": "${traces}"}

# What every query is about. Labels that a series may lack match `.*`.
OF_COHORT = 'neuro_dataset_name=~"$dataset",neuro_cohort_id=~"$folder"'
COHORT = "neuro_dataset_name, neuro_cohort_id" # two output folders of one dataset are two cohorts
OF_PROCESS = OF_COHORT + ',service_version=~"$version",host_name=~"$node"'
OF_SESSION = OF_PROCESS + ',neuro_site=~"$site"'
OF_STAGE = OF_COHORT + ',neuro_stage=~"$stage",neuro_stage!=""'
OF_NODE = OF_COHORT + ',host_name=~"$node"'

# The Collector's own counters have the ending _total or not, as its version and the way of scraping will have it; Jaeger's are of the same names.
def collectors(what):
    return '{__name__=~"otelcol_' + what + '(_total)?",server!="jaeger"}'


# One log record of each attempt, in the languages of Loki and of VictoriaLogs.
ATTEMPTS = '{service_name="neuro-preprocess", neuro_dataset_name=~"$dataset"} | neuro_session_duration!="" | neuro_cohort_id=~"$folder"'
ATTEMPTS_TWIN = 'event_name:="neuro.session.summary" neuro.dataset.name:~"${dataset:regex}" neuro.cohort.id:~"${folder:regex}"'
CHOSEN = ' | host_name=~"$node" | service_version=~"$version" | neuro_site=~"$site"'
CHOSEN_TWIN = ' host.name:~"${node:regex}" service.version:~"${version:regex}" neuro.site:~"${site:regex}"'
A_SESSION = "neuro_dataset_name, neuro_cohort_id, bids_participant, bids_session"
A_SESSION_TWIN = "neuro.dataset.name, neuro.cohort.id, bids.participant, bids.session"
# Of sessions that were sent under a hash the command is not: only the record on the machine has it. It is found by the trace.
FROM_RECORD = ("""eval "$(cat "{out}"/logs/telemetry/*.otlp.jsonl | jq -Rr 'fromjson? | .resourceLogs[]?.scopeLogs[].logRecords[] | """
               """select(.traceId == "{trace}") | .attributes[]? | select(.key == "neuro.session.rerun").value.stringValue')\"""")
WAY_BACK = (" | label_format folder=`{{ if .neuro_session_folder }}{{ .neuro_session_folder }}{{ else }}not sent{{ end }}`, "
            "of_session=`{{ if .bids_session }}{{ .bids_session }}{{ else }}(){{ end }}`, of_folder=`{{ if .neuro_cohort_id }}{{ .neuro_cohort_id }}{{ else }}(){{ end }}`, "
            "sentence=`{{ __line__ }}`, at=`{{ __timestamp__ | unixEpochMillis }}`, rerun=`{{ if .neuro_session_rerun }}{{ .neuro_session_rerun }}{{ else }}" + FROM_RECORD.format(out="$out", trace="{{ .trace_id }}") + "{{ end }}`")
WAY_BACK_TWIN = (' | format if (neuro.session.folder:*) "<neuro.session.folder>" as folder | format if (neuro.session.folder:"") "not sent" as folder'
                 ' | format if (neuro.session.rerun:*) "<neuro.session.rerun>" as rerun | format if (neuro.session.rerun:"") '
                 + json.dumps(FROM_RECORD.format(out="${out}", trace="<trace_id>")) + " as rerun")

# A session's state, as `neuro-preprocess status` names it (docs/outputs.md).
FAILED = "failed|interrupted|lost|incomplete"
NOT_WANTED = "gone|withdrawn|nothing-to-do"

GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"


# ---- parts of a panel -------------------------------------------------------------------------------------------------


def steps(*pairs):
    """Thresholds: a colour, then from each value on another."""
    first, *rest = pairs
    return {"mode": "absolute", "steps": [{"color": first, "value": None}] + [{"color": c, "value": v} for v, c in rest]}


PLAIN = steps(BLUE)
ANY_IS_BAD = steps(GREEN, (1, RED))


def prom(expr, legend="", instant=False, exemplar=False, form="time_series"):
    return {"datasource": PROMETHEUS, "expr": expr, "legendFormat": legend or "__auto", "instant": instant, "range": not instant,
            "exemplar": exemplar, "format": form}


def loki(expr, logsql, limit=100, kind="range"):
    return {"datasource": LOKI, "expr": expr, "queryType": kind, "maxLines": limit, "logsql": logsql}


def panel(kind, title, description, targets, unit="none", thresholds=PLAIN, empty="no data in this time range yet", options=None,
          overrides=(), transformations=(), custom=None, **defaults):
    for letter, target in zip("ABCDEFGH", targets):
        target["refId"] = letter
    config = {"unit": unit, "thresholds": thresholds, "noValue": empty, "color": {"mode": "thresholds"}, **defaults}
    if custom:
        config["custom"] = custom
    return {"type": kind, "title": title, "description": description, "datasource": targets[0]["datasource"] if targets else PROMETHEUS,
            "targets": targets, "fieldConfig": {"defaults": config, "overrides": list(overrides)},
            "options": options or {}, "transformations": list(transformations)}


def stat(title, description, expr, unit="none", thresholds=PLAIN, empty="not counted yet", decimals=None):
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value", "graphMode": "none",
               "textMode": "auto", "justifyMode": "auto", "orientation": "auto"}
    more = {} if decimals is None else {"decimals": decimals}
    return panel("stat", title, description, [prom(expr, instant=True)], unit, thresholds, empty, options, **more)


def lines(title, description, targets, unit="s", thresholds=PLAIN, **more):
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 5, "showPoints": "auto", "spanNulls": 600000, "thresholdsStyle": {"mode": "off"}}
    options = {"legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"], "showLegend": True},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    out = panel("timeseries", title, description, targets, unit, thresholds, options=options, custom=custom, **more)
    out["fieldConfig"]["defaults"]["color"] = {"mode": "palette-classic"}
    return out


def bars(title, description, targets, unit="none", thresholds=PLAIN, **more):
    out = lines(title, description, targets, unit, thresholds, **more)
    out["fieldConfig"]["defaults"]["custom"].update({"drawStyle": "bars", "fillOpacity": 60, "stacking": {"mode": "normal", "group": "A"}})
    return out


def ranking(title, description, expr, legend, unit="none", thresholds=PLAIN, empty="nothing"):
    options = {"displayMode": "gradient", "orientation": "horizontal", "showUnfilled": True,
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return panel("bargauge", title, description, [prom(expr, legend, instant=True)], unit, thresholds, empty, options, min=0)


def link(title, url):
    return {"title": title, "url": url, "targetBlank": False}


def column(name, **properties):
    return {"matcher": {"id": "byName", "options": name}, "properties": [{"id": k, "value": v} for k, v in properties.items()]}


def organize(hidden=(), names=(), order=()):
    return {"id": "organize", "options": {"excludeByName": {name: True for name in hidden}, "renameByName": dict(names),
                                          "indexByName": {name: i for i, name in enumerate(order)}}}


# scripts/stack/servers.sh takes the link of the folder away where there is no base URL.
ROW = (" A row leads to the session's page with its trace and its log, to its folder (of its results; of its records where it has none), and to the "
       "command that does this session again: the eye in its cell shows it whole, to copy. Afterwards `neuro-preprocess BIDS_DIR OUTPUT_DIR group` counts the "
       "folder anew. Sessions that were sent under `--telemetry-id hash` have neither folder "
       "nor command in what was sent: the command then reads it from the record in the output folder, whose path is the variable `out`.")
TO_SESSION = ("/d/neuro-session?var-participant=${__data.fields.participant}&var-session=${__data.fields.of_session}"
              "&var-trace=${__data.fields.trace}&var-folder=${__data.fields.of_folder}&${dataset:queryparam}&${__url_time_range}")


# Shown in each table: the label in Loki, its name in VictoriaLogs, the heading.
WHO = (("bids_participant", "bids.participant", "participant"), ("bids_session", "bids.session", "session"))
TRACE = (("trace_id", "trace_id", "trace"),)
BACK = (("folder", "folder", "folder"), ("rerun", "rerun", "to run it again"))
# For links alone. Where a record has no session or no folder these are expressions that match what has no such label.
LINKED = ("of_session", "of_folder")


def table(title, description, columns, target, first, changes=(), sort=None, empty="none: nothing to show in this time range"):
    """A table of the records `neuro.session.summary`, whose fields are structured metadata: columns with their label and heading. `first` is the
    column of times, or None; `changes` come before all others."""
    shown = [(label, heading) for label, _, heading in (*WHO, *columns, *TRACE, *BACK)] + [(label, label) for label in LINKED]
    order = [*first, *(label for label, _ in shown)]
    numbers = [label for label, _ in shown if label.startswith(("neuro_session_d", "neuro_session_p", "neuro_session_m"))]
    changes = [*changes, {"id": "filterFieldsByName", "options": {"include": {"names": order}}},
               organize(names={label: heading for label, heading in (*first.items(), *shown) if label != heading}, order=order)]
    if numbers:
        changes.insert(-2, {"id": "convertFieldType", "options": {"conversions": [{"targetField": label, "destinationType": "number"} for label in numbers]}})
    if sort:
        changes.append({"id": "sortBy", "options": {"sort": [{"field": sort, "desc": True}]}})
    hidden = {"custom.hidden": True, "custom.hideFrom": {"viz": True, "legend": False, "tooltip": False}}
    overrides = [column("participant", links=[link("this session: its trace, its log", TO_SESSION)]), column("trace", links=[link("its trace, its log", TO_SESSION)]),
                 column("folder", links=[link("open the folder", "${files}${__data.fields.folder}")], **{"custom.inspect": True}),
                 *(column(label, **hidden) for label in LINKED), column("to run it again", **{"custom.inspect": True, "custom.width": 320}),
                 column("seconds", unit="s"), column("time", unit="dateTimeAsIso"), column("share", unit="percentunit"), *(column(of + " memory", unit="bytes") for of in ("largest", "allowed", "requested"))]
    return panel("table", title, description + ROW, [target], empty=empty, options={"showHeader": True, "cellHeight": "sm"}, overrides=overrides, transformations=changes)


def twin_of(asked, columns, limit, sort="_time"):
    """In the language of VictoriaLogs: the records that are asked for, with these columns."""
    return asked + f" | sort by ({sort}) desc limit {limit}" + WAY_BACK_TWIN + " | fields _time, " + ", ".join(name for _, name, _ in (*WHO, *columns, *TRACE, *BACK))


def grouped(columns):
    """By what Loki counts, so that each row is a series of its own with these labels."""
    labels = [label for label, *_ in (*WHO, *columns, *TRACE, *BACK)] + list(LINKED)
    return ", ".join(dict.fromkeys([*A_SESSION.split(", "), *labels]))


def summaries(title, description, columns, more=("", ""), limit=100, **others):
    """The newest attempts; `more` are conditions in both languages."""
    target = loki(ATTEMPTS + CHOSEN + more[0] + WAY_BACK, twin_of(ATTEMPTS_TWIN + CHOSEN_TWIN + more[1], columns, limit), limit)
    labels = {"id": "extractFields", "options": {"source": "labels", "format": "json", "replace": False, "keepTime": True}}
    return table(title, description, columns, target, {"Time": "Time"}, [labels], **others)


def latest(title, description, columns, more, limit=1000, **others):
    """The sessions whose latest attempt meets the conditions `more`, each once, newest first. In Loki: the time of an attempt is its value, and the session's largest one is the latest."""
    chosen = f"max_over_time({ATTEMPTS + CHOSEN + more[0] + WAY_BACK} | unwrap at [$__range]) by ({grouped(columns)})"
    newest_of_all = f"max_over_time({ATTEMPTS} | label_format at=`{{{{ __timestamp__ | unixEpochMillis }}}}` | unwrap at [$__range]) by ({A_SESSION})"
    asked = f"{ATTEMPTS_TWIN} | last 1 by (_time) partition by ({A_SESSION_TWIN}) | filter{CHOSEN_TWIN}{more[1]}"
    target = loki(f"topk({limit}, {chosen} == on ({A_SESSION}) group_left () {newest_of_all})", twin_of(asked, columns, limit), kind="instant")
    return table(title, description, columns, target, {"Value #A": "time"}, sort="time", **others)


def value_of(label, columns):
    return f"max_over_time({ATTEMPTS + CHOSEN + WAY_BACK} | unwrap {label} [$__range]) by ({grouped(columns)})"


def largest(title, description, columns, of, over=None, limit=100, **others):
    """The attempts with the largest value of the column `of`, of all in the time range; or with the largest share that it has of the column `over`."""
    label, name, heading = of
    ranked, asked = value_of(label, columns), ATTEMPTS_TWIN + CHOSEN_TWIN
    if over:
        ranked, asked = f"{ranked} / {value_of(over[0], columns)}", f"{asked} {over[1]}:>0 | math {name} / {over[1]} as share"
        name = heading = "share"
    target = loki(f"topk({limit}, {ranked})", twin_of(asked, ((None, name, heading), *columns), limit, name), kind="instant")
    return table(title, description, columns, target, {"Value #A": heading}, sort=heading, **others)


def text(title, words):
    return {"type": "text", "title": title, "description": "", "datasource": PROMETHEUS, "targets": [],
            "options": {"mode": "markdown", "content": words}, "fieldConfig": {"defaults": {}, "overrides": []}}


# ---- cohort -------------------------------------------------------------------------------------------------------------


def newest(metric, selector="", window="$__range"):
    """The last values of a gauge of the cohort, of the process that has counted the output folder last: what it counts no more is gone."""
    when = f"last_over_time(neuro_cohort_time_seconds{{{OF_COHORT}}}[{window}])"
    return (f"(last_over_time({metric}{{{OF_COHORT}{selector}}}[{window}]) and on ({COHORT}, instance) "
            f"({when} == on ({COHORT}) group_left () max by ({COHORT}) ({when})))")


def sessions(states=None, without=None, by=""):
    """Sessions by their latest state, of all cohorts that are chosen."""
    chosen = f',neuro_state=~"{states}"' if states else ""
    left_out = f',neuro_state!~"{without}"' if without else ""
    return f"sum{by} ({newest('neuro_cohort_sessions', chosen + left_out)})"


def outside(uid):
    """A sentence about the chosen time range, with the time of the data in the labels `from` and `to`, of which its link is made."""
    time, around = f"neuro_cohort_time_seconds{{{OF_COHORT}}}", "[800d] offset -400d"
    last = f"max by (neuro_dataset_name) (max_over_time({time}{around}))"
    first = f"min(min_over_time({time}{around}) and on (neuro_dataset_name) topk(1, {last}))"
    says = (f'label_replace(1000 * max(max_over_time({time}[$__range])), "says", "yes, last counted at", "", "") or on () '
            f'label_replace(1000 * max({last}), "says", "No session was counted in this time range; the last time was", "", "")')
    span = f'count_values("from", round(1000 * {first} - 60000)) * on () group_left (to) count_values("to", round(1000 * max({last}) + 60000))'
    out = stat("Is there data in this time range?", "When sessions were counted last, from `neuro.cohort.time`. Click on it: the dashboard shows the time in which there is data. Bad: a time outside of "
               "the chosen range. Unit: a point in time.", f"({says}) * on () group_left (from, to) ({span})", "dateTimeAsIso",
               empty="no output folder was counted within 400 days of this range; a run of several sessions does, and `neuro-preprocess BIDS_DIR OUTPUT_DIR group`")
    out["options"].update({"textMode": "value_and_name", "orientation": "horizontal"})
    out["targets"][0]["legendFormat"] = "{{says}}"
    out["fieldConfig"]["defaults"]["links"] = [link("show the time in which there is data", f"/d/{uid}?from=${{__field.labels.from}}&to=${{__field.labels.to}}&${{dataset:queryparam}}")]
    return {**out, "height": 3}


HEAT = {"calculate": False, "yAxis": {"unit": "s"}, "color": {"mode": "scheme", "scheme": "Spectral", "steps": 32}, "tooltip": {"mode": "single"}}
# Of panels whose series the preset `central` does not keep.
NOT_HERE = "no session has ended in this time range, or the stack has the preset `central`: then only the tables of sessions tell"
BY_STATE = "From `neuro.cohort.sessions`: each session counts once, by its latest state, as `neuro-preprocess status` says (a run of one session counts nothing: `neuro-preprocess BIDS_DIR OUTPUT_DIR group` does). "


def cohort():
    done, wanted, failed = sessions("success"), sessions(without=NOT_WANTED), sessions(FAILED)
    left = f"({wanted} - {done})"
    quantile = "histogram_quantile({q}, sum by (le, neuro_stage) (rate(traces_span_metrics_duration_seconds_bucket{{" + OF_STAGE + "}}[$__rate_interval]))) >= 0"
    mean = ("sum by (neuro_stage) (rate(traces_span_metrics_duration_seconds_sum{" + OF_STAGE + "}[$__rate_interval])) / "
            "(sum by (neuro_stage) (rate(traces_span_metrics_duration_seconds_count{" + OF_STAGE + "}[$__rate_interval])) > 0)")
    by_host = "traces_host_metrics_{what}{{" + OF_NODE + ',span_name="preprocess_session"{more}}}[$__range]'
    calls = "sum by (host_name) (increase(" + by_host.format(what="calls_total", more="") + "))"
    errors = "sum by (host_name) (increase(" + by_host.format(what="calls_total", more=',status_code="STATUS_CODE_ERROR"') + "))"
    seconds = ("sum by (host_name) (increase(" + by_host.format(what="duration_seconds_sum", more="") + ")) / "
               "sum by (host_name) (increase(" + by_host.format(what="duration_seconds_count", more="") + "))")
    rerun = "What to type: the same command again, or `np-slurm resubmit OUT`; it does what is left."
    return [
        ("Is my cohort fine?", [
            (24, outside("neuro-cohort")),
            (4, stat("How many sessions are done?", BY_STATE + "Unit: sessions. Bad: it does not grow.", done)),
            (4, stat("Of how many?", BY_STATE + "All that were asked for, without those that are gone, withdrawn or have no image. Unit: sessions. Bad: fewer than your dataset has.", wanted)),
            (4, stat("How many failed?", BY_STATE + "Failed, interrupted, lost or incomplete. Unit: sessions. Bad: any. " + rerun, failed, thresholds=ANY_IS_BAD)),
            (4, stat("How many are left to run?", BY_STATE + "All that a rerun would process, failed ones too. Unit: sessions. Bad: any, once all tasks have ended.", left, thresholds=steps(GREEN, (1, ORANGE)))),
            (4, stat("What share succeeded?", BY_STATE + "Successes of those that ended. Unit: share. Bad: below 95 %.", f"{done} / ({done} + {failed})", "percentunit",
                     steps(RED, (0.9, ORANGE), (0.95, GREEN)), "no session has ended", 1)),
            (4, stat("When will it be done?", "Sessions that are left, over the rate of the last half hour from `span_metrics`, once 20 have ended; `status` gives a range. Unit: time from now. Bad: later than you need it.",
                     f"{left} / (sum(rate(traces_span_metrics_calls_total{{{OF_COHORT},span_name=\"preprocess_session\"}}[30m])) > 0) and {done} >= 20", "s",
                     empty="not known before 20 sessions have ended")),
        ]),
        ("What failed, and what do I rerun?", [
            (8, ranking("Why did sessions fail?", "From `neuro.cohort.sessions`: failed sessions by the reason of their latest attempt (error.type). Unit: sessions. Bad: any.",
                        sessions("failed", by=" by (error_type)") + " > 0", "{{error_type}}", thresholds=ANY_IS_BAD,
                        empty="no session has failed")),
            (8, ranking("In which stage did they fail?", "From `neuro.cohort.sessions`: failed sessions by the stage in which their latest attempt failed. Unit: sessions. Bad: any.",
                        sessions("failed", by=" by (neuro_stage)") + " > 0", "{{neuro_stage}}", thresholds=ANY_IS_BAD,
                        empty="no session has failed")),
            (8, ranking("In which state are all sessions?", BY_STATE + "Unit: sessions. Bad: `lost`, `incomplete`, `interrupted`, and `not-started` once all tasks have ended: a rerun does them.", sessions(by=" by (neuro_state)") + " > 0",
                        "{{neuro_state}}")),
            (24, latest("Which sessions failed?",
                        "Sessions whose latest attempt did not succeed, each once, from their last log record `neuro.session.summary`, newest first. Unit: one row is one session. Bad: any. "
                        "To run all that is left: the same command again, or `np-slurm resubmit OUT`.",
                        (("neuro_stage", "neuro.stage", "stage"), ("neuro_outcome", "neuro.outcome", "reason"), ("sentence", "_msg", "sentence"), NODE,
                         ("neuro_injected", "neuro.injected", "injected")),
                        (' | neuro_outcome!="ok" | neuro_stage=~"$stage"', ' neuro.outcome:!="ok" neuro.stage:~"${stage:regex}"'),
                        empty="no session's latest attempt in this time range failed")),
        ]),
        ("How fast is it?", [
            (12, bars("How many sessions end in a minute?", "Attempts, from `span_metrics` over spans `preprocess_session`. Unit: sessions a minute. Bad: 0 while sessions are left.",
                      [prom("60 * sum by (status_code) (rate(traces_span_metrics_calls_total{" + OF_COHORT + ',span_name="preprocess_session"}[$__rate_interval]))', "{{status_code}}")])),
            (12, lines("How long does a stage take, mean?", "From `span_metrics`. Unit: seconds. Bad: one stage grows while the images stay the same.", [prom(mean, "{{neuro_stage}}")])),
            (12, lines("How long does a stage take, 95 of 100 times?", "95 % quantile, from `span_metrics`; points are exemplars and lead to a trace. Unit: seconds. Bad: three times the usual.",
                       [prom(quantile.format(q="0.95"), "{{neuro_stage}}", exemplar=True)])),
            (12, panel("heatmap", "How do the times of sessions spread?", "Sessions by their duration, from `span_metrics`. Unit: seconds. Bad: two bands where one is expected.",
                       [dict(prom("sum by (le) (increase(traces_span_metrics_duration_seconds_bucket{" + OF_COHORT + ',span_name="preprocess_session"}[$__rate_interval]))', "{{le}}"), format="heatmap")],
                       "s", options=HEAT)),
            (24, panel("heatmap", "How do the times of the stages spread?", "Files by the duration of the stages that are chosen above, from `span_metrics`. Unit: seconds. Bad: of one stage, two bands where one is expected.",
                       [dict(prom("sum by (le) (increase(traces_span_metrics_duration_seconds_bucket{" + OF_STAGE + "}[$__rate_interval]))", "{{le}}"), format="heatmap")],
                       "s", options=HEAT)),
            (24, largest("Which sessions were the slowest?", "The 100 longest of all attempts in this time range, by their wall time, from the log records `neuro.session.summary`. Unit: seconds. "
                         "Bad: far from all others.", (PEAK, NODE, ("neuro_site", "neuro.site", "site"), ("neuro_outcome", "neuro.outcome", "outcome")),
                         DURATION, empty="no session has ended in this time range")),
        ]),
        ("Where does it go wrong?", [
            (8, ranking("Which nodes fail?", "Attempts that failed of all of a node, from `span_metrics` over spans `preprocess_session`. Unit: share. Bad: one node far above the others.",
                        f"{errors} / {calls} > 0", "{{host_name}}", "percentunit", steps(GREEN, (0.05, ORANGE), (0.2, RED)), "no node has a failure")),
            (8, ranking("Which nodes crawl?", "Mean duration of a session by node, from `span_metrics`. Unit: seconds. Bad: three times the others.",
                        f"sort_desc({seconds} > 0)", "{{host_name}}", "s", empty="no session has ended on a node in this time range")),
            (8, lines("How near is memory to what was requested?", "Largest resident memory of a session over the run's limit, from `neuro.session.peak_memory` and `neuro.memory.limit` "
                      "(the preset `job` keeps them). Unit: share. Bad: above 90 %: the next larger image is killed.",
                      [prom("max by (host_name) (max by (instance, host_name) (last_over_time(neuro_session_peak_memory_bytes{" + OF_SESSION + "}[5m])) / "
                            "on (instance, host_name) last_over_time(neuro_memory_limit_bytes{" + OF_PROCESS + "}[5m]))", "{{host_name}}")],
                      "percentunit", steps(GREEN, (0.8, ORANGE), (0.9, RED)), empty=NOT_HERE)),
            (24, largest("Which sessions came nearest to the memory that they may use?", "The 100 attempts in this time range with the largest share of the run's limit, from the log records `neuro.session.summary`: "
                         "largest resident memory over the limit. Unit: share. Bad: above 90 %: the next larger image is killed.",
                         (PEAK, ("neuro_session_memory_limit", "neuro.session.memory_limit", "allowed memory"), ("neuro_session_memory_request", "neuro.session.memory_request", "requested memory"), NODE,
                          ("neuro_outcome", "neuro.outcome", "outcome")), PEAK, ("neuro_session_memory_limit", "neuro.session.memory_limit"),
                         empty="no session has ended in this time range")),
            (12, lines("How large are the brains?", "Volume of the brain mask by suffix, median of the sessions that ended, from `neuro.qc.brain_volume` (the preset `job`). Unit: mm3. "
                       "Bad: below 900 000 or above 1 900 000 in adults.",
                       [prom("quantile by (bids_suffix) (0.5, last_over_time(neuro_qc_brain_volume_mm3{" + OF_SESSION + "}[5m]))", "{{bids_suffix}}")], "none", empty=NOT_HERE)),
            (12, bars("Which warnings were raised?", "Files with a warning about their result, by its key, from `neuro.warnings.raised` (attempts; the preset `job`). Unit: files. "
                      "Bad: one key in more than a tenth of the files. Which sessions: `neuro-preprocess status OUTPUT_DIR --warnings`.",
                      [prom("sum by (neuro_warning) (last_over_time(neuro_warnings_raised_total{" + OF_PROCESS + "}[$__interval]))", "{{neuro_warning}}")], empty=NOT_HERE)),
            (24, text("What are attempts, and what are sessions?", "The first two rows count **sessions**, each once, by its latest state. The rates and times below count **attempts**: a session that "
                      "failed and was run again is two attempts. Data that were replayed are in the tables, at their own time, and in no rate.")),
        ]),
    ]


NODE, DURATION = ("neuro_node", "neuro.node", "node"), ("neuro_session_duration", "neuro.session.duration", "seconds")
PEAK = ("neuro_session_peak_memory", "neuro.session.peak_memory", "largest memory")
MINE = ' | bids_participant="$participant" | bids_session=~"$session"'
MINE_TWIN = ' bids.participant:="${participant}" bids.session:~"${session:regex}"'


# ---- one session --------------------------------------------------------------------------------------------------------


def session():
    return [
        ("What happened to this session?", [
            (24, outside("neuro-session")),
            (24, summaries("Which attempts were there?", "All log records `neuro.session.summary` of this session, newest first. The first row is its latest state. Unit: one row is one attempt. Bad: it is not `success`.",
                           (("neuro_state", "neuro.state", "state"), ("neuro_outcome", "neuro.outcome", "outcome"), ("neuro_stage", "neuro.stage", "stage"), ("sentence", "_msg", "sentence"),
                            DURATION, PEAK, ("neuro_session_memory_limit", "neuro.session.memory_limit", "allowed memory"),
                            ("neuro_session_memory_request", "neuro.session.memory_request", "requested memory"), NODE, ("neuro_warnings", "neuro.warnings", "warnings")),
                           (MINE, MINE_TWIN),
                           empty="no attempt of this session in this time range: choose participant and session above, or a longer range")),
            (24, {**panel("traces", "Where did the time go?", "Spans, from the trace of the attempt whose id is in the variable `trace`; a row of the table above sets it. Unit: seconds. Bad: red spans, and one far longer than in other sessions.", [
                {"datasource": TEMPO, "queryType": "traceql", "query": "$trace", "limit": 20, "tableType": "traces"}], empty="no trace is chosen"), "height": 14}),
            (24, {**panel("logs", "What did it say?", "All log records of the session, from the logs back end, newest last. Unit: none. Bad: ERROR and FATAL.", [
                loki('{service_name="neuro-preprocess", neuro_dataset_name=~"$dataset"} | neuro_cohort_id=~"$folder"' + MINE, 'neuro.dataset.name:~"${dataset:regex}" neuro.cohort.id:~"${folder:regex}"' + MINE_TWIN + " | sort by (_time) limit 1000", 1000)],
                          options={"showTime": True, "sortOrder": "Ascending", "enableLogDetails": True, "wrapLogMessage": True, "dedupStrategy": "none"},
                          empty="no log record of this session in this time range"), "height": 12}),
        ]),
        ("How does it compare?", [
            (12, lines("How long do this dataset's sessions take?", "Median and 95 % quantile, from `span_metrics`. Unit: seconds. Bad: this session took far more than the 95 %.", [
                prom("histogram_quantile(" + q + ", sum by (le) (increase(traces_span_metrics_duration_seconds_bucket{" + OF_COHORT + ',span_name="preprocess_session"}[$__range]))) >= 0', words)
                for q, words in (("0.5", "median"), ("0.95", "95 %"))])),
            (12, lines("What did this session measure?", "Gauges of its end, from `neuro.qc.*` (the preset `job`). Unit: the legend names it. Bad: far from those of the other sessions.", [
                prom('{__name__=~"neuro_qc_.*",' + OF_COHORT + ',bids_participant="$participant",bids_session=~"$session"}', "{{__name__}} {{bids_suffix}}")], "none", empty=NOT_HERE)),
        ]),
    ]


# ---- telemetry itself ---------------------------------------------------------------------------------------------------


def health():
    return [
        ("Does telemetry arrive?", [
            (6, stat("How many servers of the stack are up?", "From Prometheus' scrapes of the stack itself. Unit: servers. Bad: fewer than were started.", 'sum(up{job="stack"})', thresholds=steps(RED, (1, ORANGE), (4, GREEN)))),
            (6, stat("How much waits in the Collector?", "From the Collector's own counters: what lies in its queues on disk, because a server has not taken it yet. Unit: requests. Bad: it grows.", f"sum({collectors('exporter_queue_size')})", thresholds=steps(GREEN, (1000, ORANGE), (50000, RED)),
                     empty="the Collector is not scraped")),
            (6, stat("How much did the Collector refuse?", "From the Collector's own counters: spans, log records and points that it did not take since it started: its memory or its disk was full. Nothing is lost: the senders keep their records. Unit: items. Bad: any.",
                     f"sum({collectors('receiver_refused_(spans|log_records|metric_points)')})", thresholds=ANY_IS_BAD, empty="0")),
            (6, stat("How much was dropped for good?", "From the counters of the Collector and of the runs of this time range: what a server refused as bad. Unit: items. Bad: any.",
                     f"(sum({collectors('exporter_(enqueue|send)_failed_(spans|log_records|metric_points)')}) or vector(0)) + " "(sum(last_over_time(otel_sdk_exporter_span_exported_total{" + OF_COHORT + ',error_type!=""}[$__range])) or vector(0))',
                     thresholds=ANY_IS_BAD)),
            (12, lines("How much do runs have unsent?", "From `neuro.telemetry.unsent`. Unit: bytes. Bad: it stays above 0 after a run's end; `neuro-preprocess replay OUT` sends it.",
                       [prom("sum by (host_name) (neuro_telemetry_unsent_bytes{" + OF_PROCESS + "})", "{{host_name}}")], "bytes",
                       empty="no run tells it in this time range; with the preset `central` none does: `neuro-preprocess status OUTPUT_DIR` says what is pending")),
            (12, lines("How fast does it arrive?", "From the Collector's own counters. Unit: items a second. Bad: nothing, while runs go on.", [
                prom(f"sum(rate({collectors('receiver_accepted_' + what)}[$__rate_interval]))", words)
                for what, words in (("spans", "spans"), ("log_records", "log records"), ("metric_points", "points"))], "none", empty="nothing has arrived in this time range, or the Collector was scraped only once")),
        ]),
        ("Is the stack fine?", [
            (12, lines("How much memory does each server take?", "Resident memory, from Prometheus' scrapes. Unit: bytes. Bad: twice its limit, where it ends.",
                       [prom('process_resident_memory_bytes{job="stack"} or otelcol_process_memory_rss_bytes', "{{instance}}")], "bytes")),
            (12, lines("How full are the disks?", "From the Collector's host metrics. Unit: share in use. Bad: above 80 %.", [
                prom('max by (host_name, mountpoint) (system_filesystem_usage_bytes{state="used"}) / '
                     'sum by (host_name, mountpoint) (max by (host_name, mountpoint, state) (system_filesystem_usage_bytes))', "{{host_name}} {{mountpoint}}")],
                "percentunit", steps(GREEN, (0.8, ORANGE), (0.9, RED)))),
            (12, lines("How busy is each node?", "Load of one minute over the processors, from the Collector's host metrics. Unit: 1 is one process for each processor. Bad: well above 1.", [
                prom("max by (host_name) (system_cpu_load_average_1m) / max by (host_name) (system_cpu_logical_count)", "{{host_name}}")], "none", steps(GREEN, (1.5, ORANGE), (3, RED)))),
            (12, lines("How many series does Prometheus hold?", "Active series, from Prometheus' scrape of itself. Unit: series. Bad: above 50 000.", [prom("prometheus_tsdb_head_series", "series")], "none", steps(GREEN, (50000, RED)))),
        ]),
    ]


# ---- marks on the axis of time ------------------------------------------------------------------------------------------


def marks():
    """What happened to the cohort: log records `neuro.cohort.event`, which np-slurm's plans, runs that get a signal, and `group` write."""
    for word, colour in (("submit", BLUE), ("resubmit", ORANGE), ("kill", RED)):
        yield {"name": word, "datasource": LOKI, "enable": True, "hide": False, "iconColor": colour, "titleFormat": word, "textFormat": "",
               "tagKeys": "neuro_dataset_name", "maxLines": 200, "expr": f'{{service_name="neuro-preprocess", neuro_dataset_name=~"$dataset"}} | neuro_cohort_id=~"$folder" | neuro_cohort_event="{word}"',
               "logsql": f'neuro.dataset.name:~"${{dataset:regex}}" neuro.cohort.id:~"${{folder:regex}}" neuro.cohort.event:="{word}"'}


# ---- dashboards ---------------------------------------------------------------------------------------------------------


def choice(name, label, metric, of):
    query = f"label_values({metric}, {of})"
    return {"name": name, "label": label, "type": "query", "datasource": PROMETHEUS, "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1,
            "includeAll": True, "allValue": ".*", "multi": True, "current": {"text": ["All"], "value": ["$__all"]}}


def source(name, label, kind):
    return {"name": name, "label": label, "type": "datasource", "query": kind, "refresh": 1, "includeAll": False, "multi": False}


def typed(name, label):
    return {"name": name, "label": label, "type": "textbox", "query": "", "current": {"text": "", "value": ""}}


# Where no page knows the paths of the cluster: {files} stands before a folder in its link, {out} is the output folder in commands.
PATHS = [typed("files", "base URL of folders"), {**typed("out", "output folder, for commands"), "query": "OUTPUT_DIR", "current": {"text": "OUTPUT_DIR", "value": "OUTPUT_DIR"}}]
SOURCES = [source("prometheus", "metrics", "prometheus"), source("logs", "logs", "loki"), source("traces", "traces", "tempo")]
COUNTED_OR_RUN = '{__name__=~"neuro_cohort_sessions|traces_host_metrics_calls_total"'
CHOICES = [choice("dataset", "dataset", COUNTED_OR_RUN + "}", "neuro_dataset_name"),
           choice("folder", "output folder (logs/folder.json, id)", COUNTED_OR_RUN + ',neuro_dataset_name=~"$dataset"}', "neuro_cohort_id"),
           choice("stage", "stage", "traces_span_metrics_calls_total", "neuro_stage"),
           choice("site", "site", "neuro_session_duration_seconds", "neuro_site"), choice("version", "version", '{__name__=~"neuro_cohort_sessions|neuro_sessions_planned"}', "service_version"),
           choice("node", "node", "traces_host_metrics_calls_total", "host_name")]
DASHBOARDS = {
    "preprocessing-dashboard": ("neuro-cohort", "Brain MRI preprocessing: the cohort", cohort, CHOICES + PATHS, "now-6h"),
    "session-dashboard": ("neuro-session", "Brain MRI preprocessing: one session", session,
                          [*CHOICES[:2], typed("participant", "participant"), {**typed("session", "session"), "query": ".*", "current": {"text": ".*", "value": ".*"}}, typed("trace", "trace"), *CHOICES[2:], *PATHS], "now-7d"),
    "telemetry-dashboard": ("neuro-telemetry", "Brain MRI preprocessing: telemetry and its servers", health, [*CHOICES[:2], *CHOICES[3:]], "now-1h"),
}


def laid_out(rows):
    """Panels with places on the grid of 24 columns, below a heading each row."""
    panels, y = [], 0
    for heading, row in rows:
        panels.append({"type": "row", "title": heading, "collapsed": False, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}, "panels": []})
        y, x, height = y + 1, 0, 0
        for width, one in row:
            one = dict(one)
            own = one.pop("height", 4 if one["type"] in ("stat", "text") else 8)
            if x + width > 24:
                x, y, height = 0, y + height, 0
            one["gridPos"] = {"x": x, "y": y, "w": width, "h": own}
            x, height = x + width, max(height, own)
            panels.append(one)
        y += height
    for number, one in enumerate(panels, 1):
        one["id"] = number
    return panels


def dashboard(name):
    uid, title, rows, variables, since = DASHBOARDS[name]
    links = [{"type": "dashboards", "title": "see also", "icon": "external link", "tooltip": "", "tags": ["neuro-preprocess"], "asDropdown": True, "includeVars": True, "keepTime": True, "targetBlank": False}]
    return {"uid": uid, "title": title, "tags": ["neuro-preprocess"], "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
            "time": {"from": since, "to": "now"}, "annotations": {"list": list(marks()) if name == "preprocessing-dashboard" else []}, "links": links, "templating": {"list": SOURCES + variables}, "panels": laid_out(rows())}


def queries():
    for name in DASHBOARDS:
        page = dashboard(name)
        asked = [(one["title"], target) for one in page["panels"] for target in one.get("targets", [])] + [(mark["name"], mark) for mark in page["annotations"]["list"]]
        for title, target in asked:
            yield {"dashboard": name, "panel": title, "datasource": target["datasource"]["type"], "query": target.get("expr") or target["query"],
                   **{key: target[key] for key in ("logsql",) if key in target}}


def main(words):
    if words == ["--queries"]:
        for one in queries():
            print(json.dumps(one))
        return 0
    if words not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 64
    stale = 0
    for name in DASHBOARDS:
        path = os.path.normpath(os.path.join(FOLDER, name + ".json"))
        wanted = json.dumps(dashboard(name), indent=1, ensure_ascii=False) + "\n"
        found = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
        if found != wanted and words:
            print(f"'{path}' is not what {os.path.basename(__file__)} writes: run it", file=sys.stderr)
            stale = 1
        elif found != wanted:
            with open(path, "w", encoding="utf-8") as file:
                file.write(wanted)
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
