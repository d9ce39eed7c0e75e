"""Ratios of earlier runs, one a line: date, commit, what, ratio. Larger is better; no seconds, so machines compare.

What is below the median of its earlier lines by more than a factor of 1.3 got worse.
"""

import collections
import datetime
import statistics

WORSE = 1.3
HEADER = "date\tcommit\twhat\tratio\n"


def read(path):
    """{what: [ratio, …]} in the order of the file."""
    found = collections.defaultdict(list)
    if path.exists():
        for line in path.read_text().splitlines()[1:]:
            _, _, what, ratio = line.split("\t")
            found[what].append(float(ratio))
    return found


def worse(former, now):
    """Sentences about what got worse."""
    found = []
    for what, ratio in now.items():
        if former.get(what) and ratio * WORSE < statistics.median(former[what]):
            usual = statistics.median(former[what])
            found.append(f"worse by {usual / ratio:.2f}: {what} is {ratio:.3g}, the median of {len(former[what])} earlier runs {usual:.3g}")
    return found


def append(path, commit, now):
    with open(path, "a") as file:
        if file.tell() == 0:
            file.write(HEADER)
        for what, ratio in now.items():
            file.write(f"{datetime.date.today()}\t{commit}\t{what}\t{ratio:.4g}\n")
