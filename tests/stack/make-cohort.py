#!/usr/bin/env python3
"""Write the record of a cohort of many sessions, made from the record of one run of two sessions: one a success, one a failure.

usage: make-cohort.py RECORD SESSIONS FAILED NODES END_UNIX_S SECONDS [rerun] >COHORT.otlp.jsonl

Each session has the spans and log records of its pattern, with ids, labels, node and times of its own. Every hundred sessions are one
process, with the gauges of its sessions. The sessions end evenly within SECONDS before END_UNIX_S; session k takes the k-th of 100
factors times the pattern's time, so that what is slowest is known: the last of each hundred. The last process has counted the folder.
With `rerun` those that failed were mended: one more attempt of each, a success, and nothing of the others.
"""

import copy
import hashlib
import json
import sys

RUN = 100
SPANS, LOGS, METRICS = "resourceSpans", "resourceLogs", "resourceMetrics"
ITEMS = {SPANS: ("scopeSpans", "spans"), LOGS: ("scopeLogs", "logRecords"), METRICS: ("scopeMetrics", "metrics")}
PER_SESSION = ("neuro.session.duration", "neuro.session.cpu_time", "neuro.session.peak_memory", "neuro.qc.brain_volume")


def items_of(line, key):
    scopes, items = ITEMS[key]
    for resource in line.get(key, []):
        for scope in resource[scopes]:
            for item in scope[items]:
                yield resource, scope, item


def value_of(attributes, key):
    for one in attributes:
        if one["key"] == key:
            return next(iter(one["value"].values()))
    return None


def put(attributes, key, value):
    for one in attributes:
        if one["key"] == key:
            one["value"] = {next(iter(one["value"])): value}


def relabel(attributes, pattern, participant, session):
    """The folder and the command of a summary are those of the new session."""
    changes = ((f"--participant-label {pattern.participant} --session-label {pattern.session}", f"--participant-label {participant} --session-label {session}"),
               (f"/sub-{pattern.participant}/ses-{pattern.session}", f"/sub-{participant}/ses-{session}"), (f"/logs/sub-{pattern.participant}", f"/logs/sub-{participant}"))
    for key in ("neuro.session.folder", "neuro.session.rerun"):
        text = value_of(attributes, key)
        for old, new in changes if text else ():
            text = text.replace(old, new)
        put(attributes, key, text)


def word(*parts, digits):
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:digits]


class Pattern:
    """What one session of the record left behind."""

    def __init__(self, lines, root):
        self.trace, self.start = root["traceId"], int(root["startTimeUnixNano"])
        self.seconds = (int(root["endTimeUnixNano"]) - self.start) / 1e9
        self.participant, self.session = value_of(root["attributes"], "bids.participant"), value_of(root["attributes"], "bids.session")
        self.spans = [item for line in lines for _, _, item in items_of(line, SPANS) if item["traceId"] == self.trace]
        own = [item for line in lines for _, _, item in items_of(line, LOGS) if item.get("traceId") == self.trace]
        self.logs = [item for item in own if item.get("eventName") not in ("neuro.span.start", "neuro.sampling", "neuro.run.end")]


def main(words):
    path, n, n_failed, n_nodes, end_s, seconds = words[0], *map(int, words[1:6])
    is_rerun = words[6:] == ["rerun"]
    attempt = "second" if is_rerun else "trace"
    lines = [json.loads(line) for line in open(path, encoding="utf-8")]
    found = [(resource, scope, item) for line in lines for resource, scope, item in items_of(line, SPANS)]
    good, bad = (next(Pattern(lines, item) for _, _, item in found if item["name"] == "preprocess_session" and (item["status"].get("code") == 2) == is_bad) for is_bad in (False, True))
    resource, scope = found[0][0]["resource"], found[0][1]["scope"]
    points = {item["name"]: item for line in lines for _, _, item in items_of(line, METRICS)}

    def write(key, run, node, items):
        scopes, name = ITEMS[key]
        of = copy.deepcopy(resource)
        put(of["attributes"], "service.instance.id", f"{word(attempt, 'run', run, digits=8)}-0000-4000-8000-000000000000")
        put(of["attributes"], "host.name", f"node{node:03d}")
        put(of["attributes"], "process.pid", str(1000 + run))
        print(json.dumps({key: [{"resource": of, scopes: [{"scope": scope, name: items}]}]}, ensure_ascii=False, separators=(",", ":")))

    def moved(item, pattern, k, start, stretch):
        new = copy.deepcopy(item)
        for key in [key for key in new if key.endswith("TimeUnixNano") or key in ("timeUnixNano",)]:
            new[key] = str(int(start + (int(new[key]) - pattern.start) * stretch))
        for event in new.get("events", []):
            event["timeUnixNano"] = str(int(start + (int(event["timeUnixNano"]) - pattern.start) * stretch))
        new["traceId"] = word(attempt, k, digits=32)
        for key in ("spanId", "parentSpanId"):
            if new.get(key):
                new[key] = word(attempt, "span", k, new[key], digits=16)
        put(new.get("attributes", []), "bids.participant", f"{k // 2:05d}")
        put(new.get("attributes", []), "bids.session", str(k % 2 + 1))
        relabel(new.get("attributes", []), pattern, f"{k // 2:05d}", k % 2 + 1)
        put(new.get("attributes", []), "neuro.session.duration", pattern.seconds * stretch)
        if "body" in new:
            new["body"]["stringValue"] = new["body"]["stringValue"].replace(f"sub-{pattern.participant}", f"sub-{k // 2:05d}").replace(f"ses-{pattern.session}", f"ses-{k % 2 + 1}")
        return new

    def gauge(name, run, sessions):
        metric = copy.deepcopy(points[name])
        pattern_points = metric["gauge"]["dataPoints"]
        metric["gauge"]["dataPoints"] = []
        for k, pattern, end, stretch in sessions:
            for point in pattern_points:
                if value_of(point.get("attributes", []), "bids.session") != pattern.session:
                    continue
                point = copy.deepcopy(point)
                put(point.get("attributes", []), "bids.participant", f"{k // 2:05d}")
                put(point.get("attributes", []), "bids.session", str(k % 2 + 1))
                point["timeUnixNano"] = str(int(end))
                if name == "neuro.session.duration":
                    point["asDouble"] = pattern.seconds * stretch
                metric["gauge"]["dataPoints"].append(point)
        return metric

    sessions = []
    for k in range(n):
        fails = k * n_failed // n != (k + 1) * n_failed // n
        if is_rerun and not fails:
            continue
        pattern = bad if fails and not is_rerun else good
        stretch = 1 + k % RUN / RUN * 4
        end = int((end_s - seconds + (k + 1) * seconds / n) * 1e9)
        run, node = k // RUN, k // RUN % n_nodes
        start = end - int(pattern.seconds * 1e9 * stretch)
        write(SPANS, run, node, [moved(item, pattern, k, start, stretch) for item in pattern.spans])
        write(LOGS, run, node, [moved(item, pattern, k, start, stretch) for item in pattern.logs])
        sessions.append((k, pattern, end, stretch))
        if len(sessions) == RUN or k == n - 1:
            limit = copy.deepcopy(points["neuro.memory.limit"])
            limit["gauge"]["dataPoints"][0]["timeUnixNano"] = str(end)
            write(METRICS, run, node, [gauge(name, run, sessions) for name in PER_SESSION] + [limit])
            sessions = []

    counted, still_fail = [], 0 if is_rerun else n_failed
    for name in ("neuro.cohort.sessions", "neuro.cohort.time"):
        metric = copy.deepcopy(points[name])
        for point in metric["gauge"]["dataPoints"]:
            state, stage = value_of(point.get("attributes", []), "neuro.state"), value_of(point.get("attributes", []), "neuro.stage")
            point["timeUnixNano"] = str(end_s * 10**9)
            if name == "neuro.cohort.time":
                point["asDouble"] = float(end_s)
            elif int(point["asInt"]):
                point["asInt"] = str(still_fail if stage else n - still_fail if state == "success" else 0)
        counted.append(metric)
    write(METRICS, (n - 1) // RUN, 0, counted)


if __name__ == "__main__":
    main(sys.argv[1:])
