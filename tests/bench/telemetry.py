"""What telemetry costs: one span in the hot path, and a whole run with and without it. All of it is processor time, as getrusage counts it."""

import collections
import pathlib
import shutil
import statistics
import subprocess

import measure
import sink
import speed

PAIRS = 31
N_SPANS = 2000
MOST_SPAN_NS, MOST_RECORDING_PERCENT, MOST_SENDING_MS = 1000, 0.5, 12
MODES = ("without", "recorded", "sent")
# A session with next to nothing to compute. Telemetry adds nearly the same to it as to a whole one, but here it can be seen.
LIGHT = ("--bias-correction", "none", "--skull-strip", "skip")
LIGHT_VOXELS, WHOLE_VOXELS = 64, 256

Found = collections.namedtuple("Found", "spans light whole_s")


def span_rounds(options, work):
    """{row of tests/bench/spans.c: [ns of each round]}."""
    program = pathlib.Path(options.build, "release", "bench", "spans").resolve()
    rounds = collections.defaultdict(list)
    for _ in range(PAIRS):
        result = subprocess.run([program, str(N_SPANS)], cwd=work, stdout=subprocess.PIPE, text=True, check=True)
        for line in result.stdout.splitlines():
            row, ns = line.split("\t")
            rounds[row].append(float(ns))
    return rounds


def run_s(options, work, head, mode, endpoint="", *more):
    """Processor seconds of one run and all its processes."""
    out = work / f"out-{mode}"
    shutil.rmtree(out, ignore_errors=True)
    words = [pathlib.Path(options.build, "neuro-preprocess"), "process", head, "-o", out, "--omp-nthreads", 1, "--rerun", "all", "--quiet", *more]
    words += {"without": ["--no-telemetry"], "recorded": [], "sent": ["--otel-endpoint", endpoint]}[mode]
    _, cpu_s, _, status = measure.cost(words)
    if status:
        raise SystemExit(f"bench: a run with telemetry '{mode}' ended with {status}")
    return cpu_s


def light_runs(options, work):
    """{mode: [processor s of each turn]}, the modes in turn; the first turn warms up and is left out."""
    head = speed.make_head(options.build, work, size=LIGHT_VOXELS)
    times = {mode: [] for mode in MODES}
    with sink.Sink() as server:
        for _ in range(PAIRS + 1):
            for mode in MODES:
                times[mode].append(run_s(options, work, head, mode, server.endpoint, *LIGHT))
        if not server.n_spans():
            raise SystemExit("bench: no telemetry arrived at the server")
    return {mode: of[1:] for mode, of in times.items()}


def measured(options, work):
    spans, light = span_rounds(options, work), light_runs(options, work)
    head = speed.make_head(options.build, work, size=WHOLE_VOXELS)
    whole_s = statistics.median(run_s(options, work, head, "without") for _ in range(options.repeat))
    return Found(spans, light, whole_s)


def added_ms(light, more, less):
    """Median and quartiles of the pairs' differences, in ms."""
    quartiles = statistics.quantiles([(a - b) * 1e3 for a, b in zip(light[more], light[less])], n=4)
    return quartiles[1], quartiles[0], quartiles[2]


def row(what, value, quartiles, unit, most, form):
    low, high = quartiles
    verdict = "held" if value <= most else "**missed**"
    return f"| {what} | {value:{form}} {unit} ({low:{form}} to {high:{form}}) | ≤ {most:g} {unit} {verdict} |"


def table(found):
    make = statistics.quantiles(found.spans["make"], n=4)
    recording, *recording_quartiles = added_ms(found.light, "recorded", "without")
    sending, *sending_quartiles = added_ms(found.light, "sent", "recorded")
    percent = 100 / (found.whole_s * 1e3)
    json_ns, record_ns = (statistics.median(found.spans[name]) for name in ("json", "record"))
    return "\n".join(
        [
            f"Medians and quartiles of {PAIRS} pairs; a whole run of a head of {WHOLE_VOXELS}³ voxels takes {found.whole_s:.2f} s of processor time.",
            "",
            "| what telemetry costs | measured | wanted |",
            "|---|---|---|",
            row("a span with ten attributes: begun, filled, ended", make[1], (make[0], make[2]), "ns", MOST_SPAN_NS, ".0f"),
            f"| the same, and encoded as a line of JSON; in the record | {json_ns / 1000:.1f} µs; {record_ns / 1000:.1f} µs | |",
            row("recording, of the processor time of a whole run", recording * percent, [q * percent for q in recording_quartiles], "%", MOST_RECORDING_PERCENT, ".3f"),
            row("sending, a process", sending, sending_quartiles, "ms", MOST_SENDING_MS, ".1f"),
        ]
    )
