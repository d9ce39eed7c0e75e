"""OTLP in JSON, compared by meaning: what a record holds, what a Collector wrote, what a sink was sent, what a ledger lacks.

An *item* is one span, one log record or one metric data point together with its resource and scope. Two items are the same when
every field is; the order of attributes, absent defaults and how a number is written do not count.

usage: otlp.py QUESTION ARGUMENT…   each question answers by its exit status, and says on stderr what it found
"""

import collections
import glob
import json
import os
import sys

RECORD_ONLY = ("neuro.span.start", "neuro.sampling", "neuro.run.end")  # log records that stay in the record
INTEGERS = {"asInt", "intValue", "count", "bucketCounts", "zeroCount", "offset", "scale", "kind", "code", "severityNumber",
            "aggregationTemporality", "flags", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"}
EXPLICIT = {"asInt", "asDouble", "sum", "min", "max", "gauge", "histogram", "exponentialHistogram",
            "stringValue", "boolValue", "intValue", "doubleValue"}  # that stand even at their default
DONE = {"accepted", "partial", "dropped"}
RESOURCES = {"resourceSpans": ("traces", "scopeSpans", "spans"), "resourceLogs": ("logs", "scopeLogs", "logRecords"),
             "resourceMetrics": ("metrics", "scopeMetrics", "metrics")}


# --- meaning ------------------------------------------------------------------------------------------------------------
def scalar(name, value):
    if isinstance(value, bool) or value is None:
        return value
    if name in INTEGERS or name.endswith("UnixNano"):
        return int(value)
    if isinstance(value, (int, float)):
        return float(value)
    return value.lower() if name.endswith(("traceId", "spanId", "SpanId")) else value


def meaning(name, value):
    """VALUE without what does not count."""
    if isinstance(value, dict):
        fields = {key: meaning(key, inner) for key, inner in value.items()}
        return {key: inner for key, inner in fields.items() if key in EXPLICIT or inner not in ("", 0, False, None, [], {})}
    if isinstance(value, list):
        members = [meaning(name, member) for member in value]
        return sorted(members, key=lambda one: one.get("key", "")) if name == "attributes" else members
    return scalar(name, value)


def points(metric):
    """One metric per data point, since metrics may be split and joined on their way."""
    kind = next((kind for kind in ("gauge", "sum", "histogram", "exponentialHistogram", "summary") if kind in metric), None)
    if kind is None:
        return [metric]
    return [{**metric, kind: {**metric[kind], "dataPoints": [point]}} for point in metric[kind].get("dataPoints", [])]


def items(request):
    """(signal, item) for each item of one export request; ITEM is a string that is equal for equal meanings."""
    for key, resources in request.items():
        signal, scopes, members = RESOURCES[key]
        for resource in resources:
            for scope in resource.get(scopes, []):
                of = [meaning("", part) for part in (resource.get("resource", {}), resource.get("schemaUrl", ""),
                                                     scope.get("scope", {}), scope.get("schemaUrl", ""))]
                for member in scope.get(members, []):
                    for one in points(member) if signal == "metrics" else [member]:
                        if one.get("eventName") not in RECORD_ONLY:
                            yield signal, json.dumps([signal, of, meaning("", one)], sort_keys=True)


# --- files --------------------------------------------------------------------------------------------------------------
def whole_requests(line):
    """The requests in a line of a Collector that was killed before it wrote the line's end: the next one follows on the same line."""
    text, at = line.decode(errors="replace"), 0
    while at >= 0:
        try:
            request, end = json.JSONDecoder().raw_decode(text, at)
            yield request
        except ValueError:  # torn
            end = at + 1
        at = text.find('{"resource', end)


def lines(path):
    """(from, to, request) for each line that is valid JSON; a torn one is passed over. A record of ours has one request a line."""
    is_ours = str(path).endswith(".otlp.jsonl")
    offset = 0
    if not os.path.exists(path):  # a Collector that was sent nothing
        return
    with open(path, "rb") as file:
        for line in file:
            try:
                yield offset, offset + len(line), json.loads(line)
            except ValueError:
                for request in [] if is_ours else whole_requests(line):
                    if {"resourceSpans", "resourceLogs", "resourceMetrics"} & request.keys():
                        yield offset, offset + len(line), request
            offset += len(line)


def collected(paths):
    """All items of records, or of what a Collector wrote."""
    return collections.Counter(item for path in paths for _, _, request in lines(path) for _, item in items(request))


def log_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def batch_of(entry):
    """The items of one request to a sink."""
    return tuple(sorted(item for _, item in items(entry.get("request", {}))))


def records(paths):
    """Records themselves, and those below folders."""
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(glob.glob(f"{path}/**/*.otlp.jsonl", recursive=True))
        else:
            yield path


def pending_items(record, outcomes=frozenset(DONE)):
    """The items of RECORD that no range of its ledger with one of these outcomes covers."""
    ledger = record + ".ledger"
    done = collections.defaultdict(list)
    if os.path.exists(ledger):
        for _, _, note in lines(ledger):
            if note["outcome"] in outcomes:
                done[note["signal"]].append((note["from"], note["to"]))
    left = collections.Counter()
    for first, last, request in lines(record):
        for signal, item in items(request):
            if not any(low <= first and last <= high for low, high in done[signal]):
                left[item] += 1
    return left


# --- questions ----------------------------------------------------------------------------------------------------------
def fail(text):
    sys.exit(text)


def examples(counter):
    """Three of them, without their resources."""
    return "\n".join(f"  {n} x {json.dumps(json.loads(item)[2])[:400]}" for item, n in list(counter.items())[:3])


def same(left, right):
    """same LEFT… -- RIGHT…: both hold the same items, each as often."""
    a, b = collected(records(left)), collected(records(right))
    if a != b or not a:
        fail(f"{a.total()} items on the left, {b.total()} on the right; on the left alone {(a - b).total()}:\n{examples(a - b)}\n"
             f"on the right alone {(b - a).total()}:\n{examples(b - a)}")
    signals = collections.Counter(json.loads(item)[0] for item in a.elements())
    print(" ".join(f"{signal}={signals[signal]}" for signal in ("traces", "logs", "metrics")))


def batches_of(path):
    """The requests that a Collector wrote, each as its items."""
    return [tuple(sorted(item for _, item in items(request))) for _, _, request in lines(path)]


def arrived(of, collectors):
    """arrived RECORD… -- COLLECTED…: each item is with the Collector or pending. Items that are there twice are a batch that was sent
    again whole, since its answer was lost. Says how many."""
    have, batches = collections.Counter(), collections.defaultdict(set)
    for batch in (batch for path in collectors for batch in batches_of(path)):
        have.update(batch)
        for item in batch:
            batches[item].add(batch)
    of = list(records(of))
    recorded, left = collected(of), sum((pending_items(record) for record in of), collections.Counter())
    lost = recorded - have - left
    if lost or not recorded:
        fail(f"{lost.total()} of {recorded.total()} items are neither delivered nor pending:\n{examples(lost)}")
    foreign = collections.Counter(set(have)) - recorded
    if foreign:
        fail(f"{foreign.total()} items arrived that were not recorded:\n{examples(foreign)}")
    torn = [item for item, found in batches.items() if len(found) > 1]
    if torn:
        fail(f"{len(torn)} items arrived in batches that differ: {torn[0][-400:]}")
    again = sum(n - 1 for path in collectors for n in collections.Counter(batches_of(path)).values())
    print(f"recorded={recorded.total()} delivered={have.total()} pending={left.total()} batches_again={again}")


def times_sent(record):
    """For each item of RECORD, how often its ledger says that a batch with it has left."""
    sent, times = collections.defaultdict(list), collections.Counter()
    if os.path.exists(record + ".ledger"):
        for _, _, note in lines(record + ".ledger"):
            if note["outcome"] == "sending":
                sent[note["signal"]].append((note["from"], note["to"]))
    for first, last, request in lines(record):
        for signal, item in items(request):
            times[item] += sum(low <= first and last <= high for low, high in sent[signal])
    return times


def noted(of, collectors):
    """noted RECORD… -- COLLECTED…: each item is with the Collector, and not more often than the ledger says that its batch, of the same
    items, was sent. Says how many came again."""
    of = list(records(of))
    recorded, have = collected(of), collected(collectors)
    sent = sum((times_sent(record) for record in of), collections.Counter())
    if recorded - have or not recorded:
        fail(f"{(recorded - have).total()} of {recorded.total()} items did not arrive:\n{examples(recorded - have)}")
    if have - sent:
        fail(f"{(have - sent).total()} items arrived more often than the ledger says:\n{examples(have - sent)}")
    arrived(of, collectors)


def whole(log):
    """whole LOG: what was sent more than once was sent as the same batch each time, under the same id."""
    entries = log_of(log[0])
    batches, names = collections.defaultdict(set), collections.defaultdict(set)
    for entry in entries:
        batch = batch_of(entry)
        for item in batch:
            batches[item].add(batch)
        if entry["headers"].get("x-neuro-batch-id"):
            names[entry["headers"]["x-neuro-batch-id"]].add(batch)
    for name, found in names.items():
        if len(found) > 1:
            fail(f"batch {name} was not the same each time")
    overlapping = [item for item, of in batches.items() if len(of) > 1]
    if overlapping:
        fail(f"{len(overlapping)} items were sent in batches that differ: {overlapping[0][-400:]}")


def delivered(of, logs):
    """delivered RECORD… -- LOG…: the sink received all items, and stored each just once."""
    recorded = collected(records(of))
    stored = collections.Counter(item for path in logs for entry in log_of(path) if entry["stored"] for item in batch_of(entry))
    if recorded != stored or not recorded:
        fail(f"{recorded.total()} recorded, {stored.total()} stored; missing {(recorded - stored).total()}:\n"
             f"{examples(recorded - stored)}\nmore than once {(stored - recorded).total()}:\n{examples(stored - recorded)}")


def accounted(of, logs):
    """accounted RECORD… -- LOG…: each item was stored by the sink, refused by it, or is pending. Items that were stored twice are a
    batch whose sender was killed before it could note the answer."""
    stored, refused = collections.Counter(), collections.Counter()
    for path in logs:
        for entry in log_of(path):
            (stored if entry["stored"] else refused).update(batch_of(entry))
    of = list(records(of))
    left = sum((pending_items(record) for record in of), collections.Counter())
    lost = collected(of) - stored - left
    if lost:
        fail(f"{lost.total()} items are neither stored nor pending:\n{examples(lost)}")
    foreign = set(stored) - set(collected(of))
    if foreign:
        fail(f"{len(foreign)} items were sent that are not in the record: {next(iter(foreign))[-400:]}")
    twice = collections.Counter({item: n - 1 for item, n in stored.items() if n > 1})
    print(f"recorded={collected(of).total()} stored={stored.total()} pending={left.total()} twice={twice.total()}")


def spaced(arguments):
    """spaced LOG SIGNAL LOW-HIGH…: the gaps between the requests of SIGNAL lie within these seconds, one by one."""
    log, signal, *wanted = arguments
    times = [entry["at_s"] for entry in log_of(log) if entry["signal"] == signal and entry["items"]]
    found = [later - earlier for earlier, later in zip(times, times[1:])]
    for i, bounds in enumerate(wanted):
        low, high = map(float, bounds.split("-"))
        if i >= len(found) or not low <= found[i] <= high:
            fail(f"gaps between requests of {signal}: {[round(gap, 2) for gap in found]} s, expected {wanted}")


def n_pending(arguments):
    """n_pending RECORD…: how many items are pending."""
    print(sum(pending_items(record).total() for record in records(arguments)))


def holds(arguments):
    """holds COLLECTED…: how many items there are."""
    print(collected(records(arguments)).total())


ONE_LIST = {"whole": whole, "spaced": spaced, "n_pending": n_pending, "holds": holds}
TWO_LISTS = {"same": same, "arrived": arrived, "noted": noted, "delivered": delivered, "accounted": accounted}

if __name__ == "__main__":
    question, arguments = sys.argv[1], sys.argv[2:]
    if question in ONE_LIST:
        ONE_LIST[question](arguments)
    else:
        middle = arguments.index("--")
        TWO_LISTS[question](arguments[:middle], arguments[middle + 1:])
