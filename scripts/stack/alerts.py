#!/usr/bin/env python3
"""Write the alerts twice: as Prometheus' rules (configs/prometheus-rules.yml) and as Grafana's (configs/grafana/alerting/rules.yaml).

usage: alerts.py [--check]     --check: write nothing; end with 1 when a file is not what this script writes

Each row: name, severity, for how long it must hold, what is asked, the sentence, what it means and what to do. An expression has no
value where all is well, so that an alert resolves by itself. Windows of time keep data that were replayed from an older day out. Where
faults that an option asked for are (part of) the cause, the label `cause` says so, and with it the sentence.
"""

import json
import os
import sys

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
RULES = os.path.join(TOP, "configs", "prometheus-rules.yml")
GRAFANA = os.path.join(TOP, "configs", "grafana", "alerting", "rules.yaml")
RUNBOOK = "docs/alerts.md#"

COHORT = "neuro_dataset_name, neuro_cohort_id" # two output folders of one dataset are two cohorts
OF_SESSION = 'span_name="preprocess_session"'
ENDED = "success|failed"
NOT_WANTED = "gone|withdrawn|nothing-to-do|outdated"
COUNTED = "last_over_time(neuro_cohort_time_seconds[6h])"


def latest(states, gauge="neuro_cohort_sessions"):
    """Sessions by their latest state, as the process says that has counted the output folder last."""
    return (f"sum by ({COHORT}) (last_over_time({gauge}{{{states}}}[6h]) and on ({COHORT}, instance) "
            f"({COUNTED} == on ({COHORT}) group_left () max by ({COHORT}) ({COUNTED})))")


def marked(expr, by, injected):
    """The alert, with the label `cause` where this expression finds injected faults."""
    return f'label_replace(({expr}) and on ({by}) ({injected}), "cause", "injected fault: ", "", "") or on ({by}) ({expr})'


LEFT = latest(f'neuro_state!~"{ENDED}|{NOT_WANTED}"')
DONE, N_FAILED = latest('neuro_state="success"'), latest('neuro_state="failed"')
INJECTED = latest("", "neuro_cohort_injected") + " > 0"
P95 = f"histogram_quantile(0.95, sum by ({COHORT}, le) (increase(traces_span_metrics_duration_seconds_bucket{{{OF_SESSION}}}[6h])))"


def some_end(window):
    return f"sum by ({COHORT}) (increase(traces_span_metrics_calls_total{{{OF_SESSION}}}[{window}])) > 0.5"


ON_NODE = f"sum by ({COHORT}, host_name, error_type) (increase(traces_host_metrics_calls_total{{status_code=\"STATUS_CODE_ERROR\"}}[30m]))"
ALL_ON_NODE = f"sum by ({COHORT}, host_name) (increase(traces_host_metrics_calls_total[30m]))"
ON_INJECTED = f"sum by ({COHORT}, host_name) (increase(traces_host_metrics_calls_total{{neuro_injected=\"true\",status_code=\"STATUS_CODE_ERROR\"}}[30m])) > 0"
STAGE_95 = f'histogram_quantile(0.95, sum by ({COHORT}, neuro_stage, le) (increase(traces_span_metrics_duration_seconds_bucket{{neuro_stage!=""}}[15m])))'
STAGE_MEDIAN = f'histogram_quantile(0.5, sum by ({COHORT}, neuro_stage, le) (increase(traces_span_metrics_duration_seconds_bucket{{neuro_stage!=""}}[1d])))'
STAGE_COUNT = f'sum by ({COHORT}, neuro_stage) (increase(traces_span_metrics_duration_seconds_count{{neuro_stage!=""}}[15m]))'
STAGE_INJECTED = f'sum by ({COHORT}, neuro_stage) (increase(traces_span_metrics_calls_total{{neuro_stage!="",neuro_injected="true"}}[15m])) > 0'
CANARY_WRONG = f"max by ({COHORT}, host_name, neuro_injected) (last_over_time(neuro_canary_wrong_ratio[30m])) > 0"
CANARY_S = f"max by ({COHORT}, host_name) (last_over_time(neuro_canary_duration_seconds[30m]))"
DISK = ('max by (host_name, mountpoint) (system_filesystem_usage_bytes{state="used"}) / '
        'sum by (host_name, mountpoint) (max by (host_name, mountpoint, state) (system_filesystem_usage_bytes))')
NOT_TAKEN = '{__name__=~"otelcol_(receiver_refused|exporter_enqueue_failed)_(spans|log_records|metric_points)(_total)?",server!="jaeger"}'
DROPPED = '{__name__=~"otelcol_exporter_send_failed_(spans|log_records|metric_points)(_total)?",server!="jaeger"}'
QUEUE = '{__name__="otelcol_exporter_queue_size",server!="jaeger"}'

OF = "{{ $labels.neuro_dataset_name }}{{ if $labels.neuro_cohort_id }} (output folder {{ $labels.neuro_cohort_id }}){{ end }}"
CAUSE = "{{ if $labels.cause }}{{ $labels.cause }}{{ end }}"

ALERTS = [
    ("CohortStalled", "critical", "10m", # nothing ends in any two minutes of these ten; where sessions are long, in an hour, in six
     f"{LEFT} > 0 unless on ({COHORT}) {some_end('2m')} unless on ({COHORT}) ({P95} > 120 and {some_end('1h')}) unless on ({COHORT}) ({P95} > 720 and {some_end('6h')})",
     OF + ": {{ $value }} sessions are left, and none has ended for ten minutes",
     "Sessions wait that no run has tried to the end, and nothing has ended for ten minutes, or for much longer than a session takes. "
     "A scheduler may have ended all tasks: see squeue, then np-slurm summary OUT and np-slurm resubmit OUT."),
    ("ManySessionsFail", "critical", "1m",
     marked(f"{N_FAILED} >= 5 and {N_FAILED} / ({DONE} + {N_FAILED}) > 0.05", COHORT, INJECTED),
     CAUSE + OF + ": {{ $value }} sessions have failed, more than 5 % of those that ended",
     "Look at the reasons (neuro-preprocess status OUT --failed). Mend the cause, then run again: only what failed is done anew."),
    ("OneReasonOnOneNode", "warning", "0s",
     marked(f"({ON_NODE} >= 4.5) / on ({COHORT}, host_name) group_left () {ALL_ON_NODE} > 0.5", f"{COHORT}, host_name", ON_INJECTED),
     CAUSE + "{{ $labels.host_name }}: more than half of its sessions fail with {{ $labels.error_type }}",
     "At least five sessions failed for one reason on one node within half an hour. Leave the node out (np-slurm resubmit OUT -- --exclude NODE) and tell its administrator."),
    ("SlowStage", "warning", "2m",
     marked(f"{STAGE_95} > 3 * {STAGE_MEDIAN} and {STAGE_COUNT} >= 20 and {STAGE_95} > 1", f"{COHORT}, neuro_stage", STAGE_INJECTED),
     CAUSE + OF + ": 5 % of {{ $labels.neuro_stage }} take more than {{ $value | humanizeDuration }}, three times the cohort's median",
     "Larger images, a busy or throttled node, or a slow disk. The dashboard's rows by node tell which."),
    ("MemoryNearRequest", "warning", "0s",
     f"max by ({COHORT}, host_name) (max by (instance, {COHORT}, host_name) (last_over_time(neuro_session_peak_memory_bytes[15m])) / "
     f"on (instance, {COHORT}, host_name) last_over_time(neuro_memory_limit_bytes[15m])) > 0.9",
     "{{ $labels.host_name }}: a session took {{ $value | humanizePercentage }} of the memory that the run may use",
     "The next larger image is killed. Request more (neuro-preprocess estimate says how much), or fewer sessions at once."),
    ("CanaryWrong", "critical", "0s",
     f'label_replace({CANARY_WRONG}, "cause", "injected fault: ", "neuro_injected", "true")',
     CAUSE + "{{ $labels.host_name }} computes wrongly: its canary's result is not the known one",
     "Nothing of that task was processed. Leave the node out (np-slurm resubmit does) and tell its administrator; neuro-preprocess doctor on it tries again. "
     "Sessions that it did before are to be done again."),
    ("CanarySlow", "warning", "0s",
     f"{CANARY_S} / on ({COHORT}) group_left () quantile by ({COHORT}) (0.5, {CANARY_S}) > 3",
     "{{ $labels.host_name }}: its canary took {{ $value | humanize }} times as long as on the cohort's other nodes",
     "The node is throttled, shared with other work, or its disk is slow. Sessions on it may reach their time limit; leave it out if it stays so."),
    ("TelemetryWaits", "warning", "10m",
     f"sum by (exporter) ({QUEUE}) > 1000",
     "{{ $value }} requests wait in the Collector for {{ $labels.exporter }}",
     "A server of the stack is away or slow; nothing is lost. scripts/status_stack.sh says which."),
    ("TelemetryRefused", "warning", "0s",
     f"sum(increase({NOT_TAKEN}[15m])) > 0",
     "the Collector has refused {{ $value }} items",
     "Its memory or its disk is full. Programs keep their records: make room, then neuro-preprocess replay OUT."),
    ("TelemetryDropped", "warning", "0s",
     f'sum by (exporter) (increase({DROPPED}[15m])) > 0 or label_replace(sum(increase(prometheus_tsdb_wal_writes_failed_total[15m])) > 0, "exporter", "prometheus", "", "")',
     "{{ $labels.exporter }}: {{ $value }} items or writes were not kept",
     "They are not sent again. A server's disk is (was) full, or it does not take what is that old. The Collector's file and the programs' records have them: "
     "make room, then neuro-preprocess replay OUT --again."),
    ("StackDiskFull", "warning", "1m",
     f"{DISK} > 0.8",
     "{{ $labels.host_name }} {{ $labels.mountpoint }}: {{ $value | humanizePercentage }} of the disk is in use",
     "When it is full the Collector refuses, and programs keep their records. Move archives away, or make room."),
]


def quoted(value):
    """As YAML takes it: JSON."""
    return json.dumps(value, ensure_ascii=False)


def prometheus():
    out = ["# Written by scripts/stack/alerts.py. What each means and what to do: docs/alerts.md.", "groups:", "  - name: neuro-preprocess", "    interval: 30s", "    rules:"]
    for name, severity, held, expr, summary, description in ALERTS:
        out += [f"      - alert: {name}", f"        expr: {quoted(expr)}", f"        for: {held}", "        labels:", f"          severity: {severity}", "        annotations:",
                f"          summary: {quoted(summary)}", f"          description: {quoted(description)}", f"          runbook_url: {quoted(RUNBOOK + name.lower())}"]
    return "\n".join(out) + "\n"


def grafana():
    out = ["# Written by scripts/stack/alerts.py: the rules of ../../prometheus-rules.yml for Grafana's own alerting.", "apiVersion: 1", "groups:", "  - orgId: 1",
           "    name: neuro-preprocess", "    folder: Brain MRI preprocessing", "    interval: 30s", "    rules:"]
    for name, severity, held, expr, summary, description in ALERTS:
        model = {"refId": "A", "expr": expr, "instant": True, "range": False, "intervalMs": 15000, "maxDataPoints": 43200}
        test = {"refId": "C", "type": "threshold", "expression": "A", "datasource": {"type": "__expr__", "uid": "__expr__"},
                "conditions": [{"evaluator": {"type": "gt", "params": [0]}}]}
        # In a provisioning file a dollar begins a variable of the environment; two are one.
        out += [f"      - uid: neuro-{name.lower()}", f"        title: {name}", "        condition: C", f"        for: {held}", "        noDataState: OK", "        execErrState: Error",
                "        labels:", f"          severity: {severity}", "        annotations:"]
        out += [f"          {key}: {quoted(words.replace('$', '$$'))}" for key, words in (("summary", summary.replace("$value", "$values.A.Value")), ("description", description), ("runbook_url", RUNBOOK + name.lower()))]
        out += ["        data:", f"          - {{refId: A, datasourceUid: prometheus, relativeTimeRange: {{from: 21600, to: 0}}, model: {quoted(model).replace('$', '$$')}}}",
                f"          - {{refId: C, datasourceUid: __expr__, relativeTimeRange: {{from: 21600, to: 0}}, model: {quoted(test)}}}"]
    return "\n".join(out) + "\n"


def main(words):
    if words not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 64
    stale = 0
    for path, wanted in ((RULES, prometheus()), (GRAFANA, grafana())):
        found = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
        if found != wanted and words:
            print(f"'{path}' is not what alerts.py writes: run it", file=sys.stderr)
            stale = 1
        elif found != wanted:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(wanted)
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
