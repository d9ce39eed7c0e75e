#!/usr/bin/env python3
"""What scripts/withdraw.sh does to files: find what names a participant, and remove that.

usage: forget.py find OUTPUT_DIR LABEL FACTS      write to FACTS (JSON) how the participant is named; print what would be changed
       forget.py learn FACTS RECORD…              add to FACTS what these records know; status 3 when they do not name the participant
       forget.py join FACTS FACTS                 add the second ones to the first, which are of the same participant
       forget.py clean FACTS RECORD…              remove the participant from records; each line keeps its length
       forget.py apply OUTPUT_DIR FACTS           change the folder as `find` printed; status 3 when something is left
       forget.py copy SIGNAL PREFIX RECORD…       print the lines of one signal, for a server that is filled again; of metrics, those
                                                  whose names begin with PREFIX
       forget.py text FACTS WHAT                  print one fact for a server: query, series, loki, traces, elsewhere

FACTS: `label`, without sub-. `words`: what stands for it in telemetry, by the keys that lie in OUTPUT_DIR. `traces`: ids of the
participant's traces. `datasets`: names of the dataset in telemetry; the same label in another dataset is somebody else.

A record is a file of OTLP/JSON lines. Links are not followed, and folders of a raw dataset are not entered.
"""

import fcntl
import hashlib
import hmac
import json
import os
import re
import shutil
import sys
import time

WORD_DIGITS = 16
LOCK_STALE_S = 600
RECORD = ".otlp.jsonl"
ITEMS = {"resourceSpans": ("scopeSpans", "spans"), "resourceLogs": ("scopeLogs", "logRecords"), "resourceMetrics": ("scopeMetrics", "metrics")}
POINTS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
TRACE_ID = re.compile(r'"traceId":\s*"([0-9a-f]{32})"')
IMAGES = (".nii", ".nii.gz")
ARCHIVE = "manifest.json"


class Refusal(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Person:
    """How a participant is named, and whether a text, an attribute or an item of telemetry does so."""

    def __init__(self, facts):
        self.label = facts["label"]
        self.words, self.traces, self.datasets = (set(facts.get(key, ())) for key in ("words", "traces", "datasets"))
        self.elsewhere = set(facts.get("elsewhere", ()))
        self.build()

    def build(self):
        names = [f"sub-{re.escape(one)}" for one in [self.label, *sorted(self.words)]]
        bare = [re.escape(one) for one in sorted(self.words)] + [f'bids_participant="{re.escape(self.label)}"']
        self.token = re.compile(f"(?<![0-9A-Za-z])(?:{'|'.join(names)})(?![0-9A-Za-z])")
        self.text = re.compile(f"(?<![0-9A-Za-z])(?:{'|'.join(names + bare)})(?![0-9A-Za-z])")

    def facts(self):
        lists = {key: sorted(getattr(self, key)) for key in ("words", "traces", "datasets", "elsewhere")}
        return {"label": self.label, **lists}

    def is_named_in(self, text):
        return bool(self.text.search(text))

    def has_hint(self, line):
        """Whether a line of a record may name the participant: quick, and never wrongly no."""
        if self.is_named_in(line) or f'"{self.label}"' in line:
            return True
        return bool(self.traces) and not self.traces.isdisjoint(TRACE_ID.findall(line))

    def is_here(self, resource):
        dataset = attribute(resource.get("resource", {}), "neuro.dataset.name")
        return not self.datasets or dataset is None or dataset in self.datasets

    def has(self, item):
        """Whether an item with attributes (a span, a log record, a point of a metric) is the participant's."""
        name = attribute(item, "bids.participant")
        return item.get("traceId") in self.traces or name in self.words or name == self.label


def attribute(item, key):
    for one in item.get("attributes", ()):
        if one.get("key") == key:
            return one.get("value", {}).get("stringValue")
    return None


# --- records ---------------------------------------------------------------------------------------------------------------
def groups(request):
    """Each resource of a request with its lists of items: (key, resource, list)."""
    for key, (scopes, items) in ITEMS.items():
        for resource in request.get(key, ()):
            for scope in resource.get(scopes, ()):
                yield key, resource, scope.setdefault(items, [])


def points(metric):
    for kind in POINTS:
        if kind in metric:
            yield metric[kind].setdefault("dataPoints", [])


def parsed(line):
    try:
        request = json.loads(line)
    except ValueError:
        return None
    return request if isinstance(request, dict) else None


def learn_line(person, line):
    """Traces of the participant, and other words for it: those of items in these traces."""
    request = parsed(line)
    found = False
    for key, resource, items in groups(request or {}):
        if not person.is_here(resource):
            continue
        flat = items if key != "resourceMetrics" else [point for metric in items for some in points(metric) for point in some]
        for item in flat:
            if not person.has(item):
                continue
            found = True
            if item.get("traceId"):
                person.traces.add(item["traceId"])
                word = attribute(item, "bids.participant")
                if word and word != person.label:
                    person.words.add(word)
    return found


def learn_record(person, path):
    """Twice where the first look taught something: an earlier line may be of a trace that a later one names."""
    found = False
    for _ in range(3):
        before = len(person.traces) + len(person.words)
        person.build()
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            for line in file:
                if person.has_hint(line):
                    found = learn_line(person, line) or bool(person.token.search(line)) or found
        if len(person.traces) + len(person.words) == before:
            break
    person.build()
    return found


def blank_names(person, value):
    """The value with each name in its strings covered: as many letters, so that a line does not grow."""
    if isinstance(value, str):
        return person.text.sub(lambda found: "sub-" + "x" * (len(found[0]) - 4) if found[0].startswith("sub-") else "x" * len(found[0]), value)
    if isinstance(value, list):
        return [blank_names(person, one) for one in value]
    if isinstance(value, dict):
        return {key: blank_names(person, one) for key, one in value.items()}
    return value


def clean_metric(person, metric):
    for some in points(metric):
        some[:] = [point for point in some if not person.has(point)]
        for point in some:
            if point.get("exemplars"):
                point["exemplars"] = [one for one in point["exemplars"] if one.get("traceId") not in person.traces]


def clean_items(person, key, items):
    if key == "resourceMetrics":
        for metric in items:
            clean_metric(person, metric)
        items[:] = [metric for metric in items if any(points(metric))]
    else:
        items[:] = [item for item in items if not person.has(item)]
    if key == "resourceLogs":
        items[:] = [item for item in items if not person.is_named_in(json.dumps(item, ensure_ascii=False))]
    items[:] = blank_names(person, items)


def clean_line(person, line):
    """The line without the participant, filled with blanks to its former length: ledgers count bytes."""
    if not person.has_hint(line):
        return line
    request = parsed(line)
    if request is None: # cut by a kill: nobody can read it
        return " " * (len(line.encode("utf-8", "surrogateescape")) - 1) + "\n" if person.is_named_in(line) else line
    before = json.dumps(request)
    for key, resource, items in groups(request):
        if person.is_here(resource):
            clean_items(person, key, items)
    if json.dumps(request) == before:
        return line
    text = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
    room = len(line.rstrip("\n").encode("utf-8", "surrogateescape")) - len(text.encode("utf-8", "surrogateescape"))
    if room < 0: # numbers may be written longer than they were
        return clean_line_of_all(request, line)
    return text + " " * room + "\n" * line.endswith("\n")


def clean_line_of_all(request, line):
    """An empty request in its place."""
    text = json.dumps({key: [] for key in request})
    return text + " " * (len(line.rstrip("\n").encode("utf-8", "surrogateescape")) - len(text)) + "\n" * line.endswith("\n")


def rewrite(path, lines):
    """Put lines in a file's place, whole or not at all."""
    status = os.stat(path, follow_symlinks=False)
    part = f"{path}.withdraw.tmp"
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            os.fchmod(file.fileno(), status.st_mode & 0o777)
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.rename(part, path)
    finally:
        if os.path.lexists(part):
            os.unlink(part)


def open_text(path):
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8", errors="surrogateescape", newline="\n")


def clean_record(person, path):
    with open_text(path) as file:
        rewrite(path, (clean_line(person, line) for line in file))


# --- what lies in the folder -----------------------------------------------------------------------------------------------
def is_raw_dataset(folder):
    """A dataset has its description; without DatasetType it is a raw one."""
    try:
        with open_text(os.path.join(folder, "dataset_description.json")) as file:
            description = json.load(file)
    except (OSError, ValueError):
        return False
    return not isinstance(description, dict) or description.get("DatasetType", "raw") == "raw"


def walk(folder):
    """Every entry below the folder: (path, is a folder that was entered). Other participants' folders are entered, too."""
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        is_folder = entry.is_dir(follow_symlinks=False)
        if is_folder and (entry.name == ".git" or is_raw_dataset(entry.path)):
            continue
        yield entry.path, is_folder


def is_archive(folder):
    return os.path.isfile(os.path.join(folder, ARCHIVE)) and os.path.isdir(os.path.join(folder, "collector"))


def is_of_another(name):
    return name.startswith("sub-")


class Plan:
    """What has to be done: paths to remove, texts and records to rewrite, and what cannot be."""

    def __init__(self, person):
        self.person = person
        self.removed, self.changed, self.left = [], [], []

    def look(self, folder):
        for path, is_folder in walk(folder):
            name = os.path.basename(path)
            if self.person.token.search(name):
                self.removed.append(path)
            elif is_folder and not is_archive(path):
                self.look(path)
            elif not is_folder and not os.path.islink(path) and os.path.isfile(path):
                self.look_at_file(path, name)

    def look_at_file(self, path, name):
        # Images and sidecars of others hold no name of this one, and there may be terabytes.
        if name.endswith(IMAGES) or is_of_another(name) and not name.endswith(RECORD):
            return
        if name.endswith(RECORD):
            if self.names_in_record(path):
                self.changed.append(path)
        elif self.names_in_text(path, name):
            self.changed.append(path)

    def names_in_record(self, path):
        with open_text(path) as file:
            return any(self.person.has_hint(line) and clean_line(self.person, line) != line for line in file)

    def names_in_text(self, path, name):
        try:
            with open_text(path) as file:
                text = file.read()
        except OSError as problem:
            raise Refusal(74, f"'{path}': cannot be read: {problem.strerror}")
        if "\0" in text:
            if self.person.is_named_in(text):
                self.left.append(path)
            return False
        return cleaned_text(self.person, path, name, text) != text


def cleaned_text(person, path, name, text):
    """The text without the participant; None when nothing of the file is left to keep."""
    if name.endswith(".json"):
        return cleaned_json(person, path, text)
    keep = cover_row if f"{os.sep}logs{os.sep}slurm{os.sep}" in path and name == "sessions.tsv" else drop_row
    return "".join(keep(line) if names_row(person, name, line) else line for line in text.splitlines(keepends=True))


def names_row(person, name, line):
    cells = line.rstrip("\n").split("\t" if name.endswith(".tsv") else ",")
    return person.is_named_in(line) or (name.endswith((".tsv", ".csv")) and cells[0] == person.label)


def drop_row(line):
    return ""


def cover_row(line):
    """Tasks of Slurm read their sessions by the number of the row, which must stay."""
    cells = line.rstrip("\n").split("\t")
    return "\t".join(["n/a", "n/a", *cells[2:]]) + "\n"


def cleaned_json(person, path, text):
    if not person.is_named_in(text) and f'"{person.label}"' not in text:
        return text
    try:
        tree = json.loads(text)
    except ValueError:
        return "".join(line for line in text.splitlines(keepends=True) if not person.is_named_in(line))
    new = pruned(person, tree)
    if isinstance(new, dict) and os.path.basename(os.path.dirname(path)) == "plans":
        new = pruned_plan(person, new)
    if new == tree:
        return text
    if new is None:
        return None
    is_one_line = text.count("\n") <= 1
    return json.dumps(new, ensure_ascii=False, **({"separators": (",", ":")} if is_one_line else {"indent": 2})) + "\n"


def pruned(person, value):
    """Without elements of lists and members of objects that name the participant."""
    if isinstance(value, list):
        return [pruned(person, one) for one in value if not (isinstance(one, str) and person.is_named_in(one)) and not is_of(person, one)]
    if isinstance(value, dict):
        return {key: pruned(person, one) for key, one in value.items() if not person.is_named_in(key) and not (isinstance(one, str) and person.is_named_in(one))}
    return value


def is_of(person, value):
    """A session in a list, as `status --format json` has it."""
    return isinstance(value, dict) and value.get("participant", value.get("participant_id")) in (person.label, f"sub-{person.label}")


def pruned_plan(person, plan):
    """A plan that asked for nobody else is forgotten: without its sessions it would ask for nothing, or for all."""
    sessions = plan.get("sessions")
    if isinstance(sessions, dict):
        had = sessions.pop(person.label, None) is not None
        if had and not sessions and not plan.get("files"):
            return None
    again = plan.get("again")
    for run in list(again) if isinstance(again, dict) else []:
        of_run = again[run].get("sessions") if isinstance(again[run], dict) else None
        if isinstance(of_run, dict) and of_run.pop(person.label, None) is not None and not of_run and not again[run].get("files"):
            del again[run]
    selection = plan.get("selection")
    if isinstance(selection, dict) and isinstance(selection.get("participant-label"), str):
        words = selection["participant-label"].split()
        selection["participant-label"] = " ".join(word for word in words if word not in (person.label, f"sub-{person.label}"))
    return plan


# --- a run in progress -----------------------------------------------------------------------------------------------------
def held(path):
    """Open a file and take its lock; None when another process has it."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError: # a file system without locks
        pass
    return fd


def refuse_runs(folder):
    """A run holds the lock of its record, a sender that of the ledger, and a session has a lock file that is renewed. The locks that were
    taken here stay until this process ends."""
    for root, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if not os.path.islink(os.path.join(root, one)) and (one != "anat")]
        for name in files:
            path = os.path.join(root, name)
            if os.path.islink(path):
                continue
            if name.endswith((RECORD, RECORD + ".ledger")) and held(path) is None:
                raise Refusal(75, f"'{path}' is in use: wait until the run or the replay has ended, or stop it")
            if name.startswith(".") and name.endswith(".lock") and os.path.basename(os.path.dirname(root)) == "logs":
                age = time.time() - os.stat(path).st_mtime
                if age < LOCK_STALE_S:
                    raise Refusal(75, f"'{path}' says that a run is in progress: wait until it has ended; if it was killed, the lock is stale in {LOCK_STALE_S - age:.0f} s")


# --- keys ------------------------------------------------------------------------------------------------------------------
def word_of(key, label):
    """docs/telemetry.md, `--telemetry-id hash`: a key of its own for participants, made of the folder's."""
    own = hmac.new(key, b"participant", hashlib.sha256).digest()
    return hmac.new(own, label.encode(), hashlib.sha256).hexdigest()[:WORD_DIGITS]


def records_and_keys(folder):
    records, keys = [], []
    for root, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if one != "anat" and not is_archive(os.path.join(root, one))]
        for name in files:
            path = os.path.join(root, name)
            if name == ".salt" and not os.path.islink(path):
                keys.append(path)
            elif name.endswith(RECORD) and not os.path.islink(path):
                records.append(path)
    return sorted(records), sorted(keys)


def datasets_of(path):
    """The names of datasets in a record; one resource a line is the same for all its lines."""
    found = set()
    with open_text(path) as file:
        for line in file:
            for name in re.findall(r'"neuro\.dataset\.name","value":\{"stringValue":"((?:[^"\\]|\\.)*)"', line[:20000]):
                found.add(json.loads(f'"{name}"'))
    return found


def destinations_of(path):
    found = set()
    if os.path.isfile(path + ".ledger"):
        with open_text(path + ".ledger") as file:
            for line in file:
                entry = parsed(line) or {}
                if entry.get("outcome") == "accepted":
                    found.add(str(entry.get("destination")).split("/")[0])
    return found


# --- commands --------------------------------------------------------------------------------------------------------------
def read_facts(path):
    with open(path, encoding="utf-8") as file:
        return Person(json.load(file))


def write_facts(path, person):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(person.facts(), file)


def check_output(folder):
    if not os.path.isdir(folder):
        raise Refusal(66, f"'{folder}': expected an output folder, found none")
    if is_raw_dataset(folder):
        raise Refusal(65, f"'{folder}' is a dataset, not an output folder: its dataset_description.json has no DatasetType \"derivative\"")
    if not os.path.isdir(os.path.join(folder, "logs")):
        raise Refusal(65, f"'{folder}': expected an output folder of neuro-preprocess, found no folder logs in it")


def find(folder, label, facts):
    check_output(folder)
    person = Person({"label": label})
    records, keys = records_and_keys(folder)
    for path in keys:
        with open(path, "rb") as file:
            person.words.add(word_of(file.read(32), label))
    for path in records:
        person.datasets |= datasets_of(path)
    person.build()
    for path in records:
        if learn_record(person, path):
            person.elsewhere |= destinations_of(path)
    refuse_runs(folder)
    write_facts(facts, person)
    plan = Plan(person)
    plan.look(folder)
    print_plan(plan, folder)


def print_plan(plan, folder):
    for word, paths in (("remove", plan.removed), ("change", plan.changed), ("cannot change", plan.left)):
        for path in paths:
            print(f"  {word} {os.path.relpath(path, folder)}")


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def change(person, path):
    name = os.path.basename(path)
    if name.endswith(RECORD):
        clean_record(person, path)
        return
    with open_text(path) as file:
        text = cleaned_text(person, path, name, file.read())
    if text is None:
        os.unlink(path)
    else:
        rewrite(path, [text])


def apply(folder, facts):
    """What tells of the participant for `status` goes last: a call that was cut off can be repeated."""
    check_output(folder)
    refuse_runs(folder)
    person = read_facts(facts)
    plan = Plan(person)
    plan.look(folder)
    for path in plan.changed:
        change(person, path)
    for path in plan.removed:
        remove(path)
    again = Plan(person)
    again.look(folder)
    for path in again.removed + again.changed + again.left:
        print(f"'{path}' still names sub-{person.label}", file=sys.stderr)
    return 3 if again.removed or again.changed or again.left else 0


def learn(facts, *records):
    person = read_facts(facts)
    found = [learn_record(person, path) for path in records]
    write_facts(facts, person)
    return 0 if any(found) else 3


def join(facts, former):
    """The facts of a call that was cut off: its records may not tell them any more."""
    person, old = read_facts(facts), read_facts(former)
    if old.label != person.label:
        raise Refusal(75, f"the withdrawal of sub-{old.label} from the servers was cut off: finish it first")
    for key in ("words", "traces", "datasets", "elsewhere"):
        getattr(person, key).update(getattr(old, key))
    write_facts(facts, person)


def clean(facts, *records):
    person = read_facts(facts)
    for path in records:
        clean_record(person, path)


KEYS = {"traces": "resourceSpans", "logs": "resourceLogs", "metrics": "resourceMetrics"}


def copy(signal, prefix, *records):
    """Words stand in these lines already. Those of earlier versions do not say so (neuro.telemetry.named): without the attribute that asks for words
    nothing is replaced again."""
    for path in records:
        with open_text(path) as file:
            for line in file:
                if not line.startswith(f'{{"{KEYS[signal]}"'):
                    continue
                request = parsed(line)
                for _, resource, items in groups(request or {}):
                    attributes = resource.get("resource", {}).get("attributes", [])
                    if not any(one.get("key") == "neuro.telemetry.named" for one in attributes):
                        attributes[:] = [one for one in attributes if one.get("key") != "neuro.telemetry.id"]
                    if signal == "metrics":
                        items[:] = [item for item in items if item["name"].startswith(prefix)]
                if request and any(items for _, _, items in groups(request)):
                    print(json.dumps(request, ensure_ascii=False, separators=(",", ":")))


def log_query(person):
    """LogsQL for all records that are the participant's."""
    quoted = [json.dumps(one, ensure_ascii=False) for one in sorted(person.datasets)]
    here = f'"neuro.dataset.name":in({",".join(quoted)}) ' if quoted else ""
    parts = [f'({here}"bids.participant":="{person.label}")', f'({here}_msg:~"(^|[^0-9A-Za-z])sub-{person.label}([^0-9A-Za-z]|$)")']
    for word in sorted(person.words):
        parts += [f'"bids.participant":="{word}"', f'_msg:~"{word}"']
    if person.traces:
        parts.append(f'trace_id:in({",".join(sorted(person.traces))})')
    return " or ".join(parts)


def series(person):
    """Selectors of Prometheus, one a line."""
    lines = [f'{{bids_participant="{word}"}}' for word in sorted(person.words)]
    for name in sorted(person.datasets) or [None]:
        of = "" if name is None else f",neuro_dataset_name={json.dumps(name, ensure_ascii=False)}"
        lines.append(f'{{bids_participant="{person.label}"{of}}}')
    return "\n".join(lines)


def loki(person):
    """Filters of LogQL, one a line."""
    return "\n".join([f'bids_participant="{name}"' for name in [person.label, *sorted(person.words)]] + [f'trace_id="{trace}"' for trace in sorted(person.traces)])


def lines(texts):
    return "\n".join(sorted(texts))


def text(facts, what):
    person = read_facts(facts)
    texts = {"query": log_query, "series": series, "loki": loki, "traces": lambda one: lines(one.traces), "elsewhere": lambda one: lines(one.elsewhere)}
    print(texts[what](person))


def main(command, *words):
    commands = {"find": find, "learn": learn, "join": join, "clean": clean, "apply": apply, "copy": copy, "text": text}
    try:
        return commands[command](*words) or 0
    except Refusal as refusal:
        print(f"withdraw: {refusal}", file=sys.stderr)
        return refusal.status
    except OSError as problem:
        print(f"withdraw: '{problem.filename}': {problem.strerror}", file=sys.stderr)
        return 74


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
