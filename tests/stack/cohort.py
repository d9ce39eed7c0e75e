"""A cohort's record, made of recorded sessions: ids, labels, nodes and times changed; of 100 sessions FAILED are copies of the failed one.

usage: cohort.py GOOD.otlp.jsonl FAILED.otlp.jsonl SESSIONS FAILED_PERCENT DAYS_AGO NODES >RECORD.otlp.jsonl

Each record is of a run of one session. The sessions begin one after the other, two seconds apart, from DAYS_AGO days ago on.
"""

import hashlib
import re
import sys

ID = re.compile(r'"((?:trace|span|parentSpan)Id)":"([0-9a-f]+)"')
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r'"((?:\w*)[tT]imeUnixNano)":"(\d{19})"')
HOST = re.compile(r'("host.name","value":\{"stringValue":")[^"]*')
LABEL = re.compile(r'("bids.participant","value":\{"stringValue":")([^"]*)')


def digest(n, text):
    return hashlib.sha256(f"{n} {text}".encode()).hexdigest()


def uuid(n, text):
    d = digest(n, text)
    return f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:32]}"


class Recorded:
    """One recorded session: its text, its label, and when it began."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.label = LABEL.search(self.text)[2]
        self.began = min(int(found[2]) for found in TIME.finditer(self.text))

    def copy(self, n, began, node):
        label = f"{n:05d}"
        shift = began - self.began
        text = ID.sub(lambda f: f'"{f[1]}":"{digest(n, f[2])[:len(f[2])]}"', self.text)
        text = UUID.sub(lambda f: uuid(n, f[0]), text)
        text = TIME.sub(lambda f: f'"{f[1]}":"{int(f[2]) + shift}"', text)
        text = HOST.sub(lambda f: f"{f[1]}node{node:03d}", text)
        text = LABEL.sub(lambda f: f[1] + label, text)
        return text.replace(f"sub-{self.label}", f"sub-{label}")


def main(good, failed, n_sessions, failed_percent, days_ago, n_nodes):
    import time

    recorded = [Recorded(good), Recorded(failed)]
    start = time.time_ns() - int(float(days_ago) * 86400e9)
    for n in range(1, int(n_sessions) + 1):
        is_failed = n % 100 < int(failed_percent)
        sys.stdout.write(recorded[is_failed].copy(n, start + n * 2_000_000_000, n % int(n_nodes)))


main(*sys.argv[1:])
