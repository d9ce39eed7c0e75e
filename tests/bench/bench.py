"""The benchmarks in one run: Markdown tables, ratios for the history.

usage: bench.py --build DIR [--data DIR] [--peers LIST] [--only PART...] [--repeat N] [--threads N] [--seeds N] [--keep] [--write]

Parts: speed, series (4-D in and out), masks, normalization, n4 (one fit on equal terms), telemetry, memory (what `estimate` says), bias (simulated fields), drawn (heads of many kinds from label maps); the last two are slow, so only when asked for.
--write puts the tables into docs/benchmarks.md and the ratios into tests/bench/history.tsv. The exit status is 1 when something got
worse by 1.3 against the median of the history.
"""

import argparse
import datetime
import os
import pathlib
import platform
import statistics
import subprocess
import sys

import agreement
import bias
import colin
import drawn_heads
import history
import itk
import lesions
import masks
import memory
import peers
import repeat
import series
import speed
import telemetry
import tissues

TOP = pathlib.Path(__file__).resolve().parents[2]
# A mask is as good as its error is small: the history keeps how many times smaller than this it is.
USUAL_MASK_ERROR = 0.03


def here(options):
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    busy = os.getloadavg()[0]
    quiet = "" if busy < 0.5 else f" **Provisional: the machine was busy (load {busy:.1f} at the start).**"
    name = names[0] if names else platform.machine()
    return f"{datetime.date.today()}, {name}, {os.cpu_count()} processors, {options.threads} threads.{quiet}"


def part_speed(options, work):
    measured = speed.measured(options, work)
    return speed.table(measured, options.repeat), speed.ratios(measured)


def part_series(options, work):
    found = series.measured(options, work)
    return series.table(found), series.ratios(found)


def part_masks(options, work):
    bench = masks.Bench(options, work)
    tables, ratios = [], {}
    heads = work / "heads"
    make_heads = pathlib.Path(options.build, "release", "bench", "make-heads")
    if make_heads.exists():
        heads.mkdir(exist_ok=True)
        subprocess.run([make_heads, heads], check=True)
    for title, folder in (("real heads", options.data), ("Colin 27", colin.heads(work)), ("synthetic heads", heads)):
        rows = masks.measured(bench, folder) if folder and pathlib.Path(folder).is_dir() else []
        if rows:
            tables.append(masks.table(bench, title, rows))
            error = 1 - statistics.mean(scores["ours"].dice for _, scores in rows)
            ratios[f"masks of {title}: error {USUAL_MASK_ERROR} / ours"] = USUAL_MASK_ERROR / max(error, 1e-6)
    return "\n\n".join(tables) or "No heads with a reference here: name a folder of them with `--data` or in `NP_DATA`.", ratios


def part_normalization(options, work):
    sessions = repeat.measured(options, work) if options.data else []
    shifts = lesions.measured(options, work) if options.data else []
    tables = [repeat.table(sessions)] if sessions else ["No two sessions of one person here: name a folder with `--data` or in `NP_DATA`."]
    tables += [lesions.table(shifts)] if shifts else []
    return "\n\n".join(tables), {}


def some_heads(options, work):
    """A synthetic head, and the first real one."""
    head = speed.make_head(options.build, work)
    yield "synthetic", head, head.with_name(head.name.replace("_T1w", "_brainmask"))
    for found in list(masks.pairs(options.data))[:1] if options.data else ():
        yield found


def part_n4(options, work):
    if not itk.AVAILABLE:
        return "SimpleITK is absent here.", {}
    rows = [(name, agreement.compare(options.build, work, image, mask, options.threads)) for name, image, mask in some_heads(options, work)]
    return agreement.table(rows), {}


def part_bias(options, work):
    rows = bias.measured(options, work)
    others = [name for name in rows[0][5] if name != bias.OURS]
    # For the history the heads that every run has: the real ones depend on who corrected them before.
    means = {name: statistics.mean(row[5][name] for row in rows if row[0] == "synthetic") for name in rows[0][5]}
    ratios = {"bias residual, synthetic heads: best of SimpleITK / ours": min(means[n] for n in others) / means[bias.OURS]} if others else {}
    return bias.table(rows), ratios


def part_telemetry(options, work):
    found = telemetry.measured(options, work.resolve())
    return telemetry.table(found), {}


def part_memory(options, work):
    rows = memory.measured(options, work)
    return memory.table(rows), memory.ratios(rows)


def part_drawn(options, work):
    labels = pathlib.Path(options.data, "labels") if options.data else None
    if not drawn_heads.have_maps(labels):
        return drawn_heads.ABSENT, {}
    scores = list(drawn_heads.measured(pathlib.Path(options.build, "neuro-preprocess"), labels, work))
    return drawn_heads.table(scores), {}


def part_tissue(options, work):
    labels = pathlib.Path(options.data, "labels") if options.data else None
    return tissues.table(list(tissues.measured(options, labels, work))), {}


SLOW_PARTS = ("bias", "drawn", "tissue")
PARTS = {
    "speed": part_speed,
    "series": part_series,
    "masks": part_masks,
    "normalization": part_normalization,
    "n4": part_n4,
    "telemetry": part_telemetry,
    "memory": part_memory,
    "bias": part_bias,
    "drawn": part_drawn,
    "tissue": part_tissue,
}


def write_section(path, part, text):
    begin, end = f"<!-- {part}: begin -->\n", f"<!-- {part}: end -->"
    before, rest = path.read_text().split(begin)
    path.write_text(before + begin + text + "\n" + end + rest.split(end)[1])


def commit():
    words = ["git", "-C", TOP, "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip() or "unknown"


def arguments():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build", help="folder of the program")
    parser.add_argument("--data", default=os.environ.get("NP_DATA", ""), help="folder of real heads (NP_DATA)")
    parser.add_argument("--peers", default="none", help=f"none, all, or of {', '.join(p.name for p in peers.PEERS)}")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[part for part in PARTS if part not in SLOW_PARTS])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count()))
    parser.add_argument("--seeds", type=int, default=2, help="of the simulated fields")
    parser.add_argument("--heads", nargs="*", help="real heads for the simulated fields; all when not given")
    parser.add_argument("--corrected-by", choices=["ours", "SimpleITK", "both"], default="ours", help="who corrected them before")
    parser.add_argument("--percents", type=int, nargs="+", default=[20, 40, 60])
    parser.add_argument("--keep", action="store_true", help="use the peers' masks of earlier runs")
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def main():
    options = arguments()
    docs, past = TOP / "docs" / "benchmarks.md", TOP / "tests" / "bench" / "history.tsv"
    former, now = history.read(past), {}
    for part in options.only:
        work = pathlib.Path(options.build, "bench", part)
        work.mkdir(parents=True, exist_ok=True)
        where = here(options)
        print(f"Measuring: {part}…", file=sys.stderr)
        text, ratios = PARTS[part](options, work)
        now |= ratios
        text = f"{where}\n\n{text}"
        print(f"## {part}\n\n{text}\n", flush=True)
        if options.write:
            write_section(docs, part, text)
    found = history.worse(former, now)
    if options.write:
        history.append(past, commit(), now)
    for sentence in found:
        print(f"bench: {sentence}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
