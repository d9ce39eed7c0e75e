"""What telemetry costs: a span, beside opentelemetry-cpp; a whole run, beside the same run without.

The peer is linked from a package of Debian's that is unpacked into the user's cache (otel/install.sh). Everything is processor time,
as getrusage counts it, unless it says otherwise; runs of the things compared take turns.
"""

import collections
import os
import pathlib
import shutil
import statistics
import subprocess
import threading
import time

import masks
import measure
import sink
import speed

HERE = pathlib.Path(__file__).resolve().parent
N_MADE, N_SENT = 20000, 50000
ROUNDS_A_REPEAT = 4
# What is wanted: of a span, and (wall %, MiB) of a run without and with an endpoint.
MOST_NS, LEAST_SENT_RATIO = 1000, 3
MOST_OF_RUN = {"recorded": (0.2, 4), "sent": (1, 14)}
MODES = ("without", "recorded", "sent")
# A session with next to nothing to compute: what telemetry adds is nearly the same, and it can be seen.
LIGHT = ("--bias-correction", "none", "--skull-strip", "skip")
LIGHT_VOXELS = 64

Peer = collections.namedtuple("Peer", "make_ns send_us")
Spans = collections.namedtuple("Spans", "rows sent gzipped peer")


def output(command, **keywords):
    """{first word of a line: number}."""
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True, **keywords)
    return {row.split("\t")[0]: float(row.split("\t")[1]) for row in result.stdout.splitlines()}


def peer_program(work):
    """The peer's program, or None with the reason on stderr."""
    if not shutil.which("g++"):
        return None
    found = subprocess.run([HERE / "otel" / "install.sh"], stdout=subprocess.PIPE, text=True)
    if found.returncode:
        return None
    root = pathlib.Path(found.stdout.strip(), "usr")
    library = next(root.glob("lib/*/libopentelemetry_trace.so")).parent
    program = work / "otel-spans"
    words = ["g++", "-std=c++17", "-O2", "-DHAVE_ABSEIL", "-DOPENTELEMETRY_ABI_VERSION_NO=1", "-isystem", root / "include"]
    words += [HERE / "otel" / "spans.cpp", "-o", program, f"-L{library}", f"-Wl,--disable-new-dtags,-rpath,{library}"]
    words += ["-Wl,--copy-dt-needed-entries"]
    words += [f"-lopentelemetry_{name}" for name in ("trace", "resources", "common", "exporter_otlp_http", "exporter_otlp_http_client")]
    words += [f"-lopentelemetry_{name}" for name in ("otlp_recordable", "http_client_curl", "proto")]
    return program if subprocess.run([str(word) for word in words]).returncode == 0 else None


def sent(program, work, compression="none"):
    """Microseconds a span; every span must have arrived. The peer cannot compress whatever is asked."""
    environment = dict(os.environ, OTEL_EXPORTER_OTLP_COMPRESSION=compression)
    with sink.Sink() as server:
        found = output([program, "send", N_SENT, server.endpoint], cwd=work, env=environment)
        if server.n_spans() != N_SENT + 1:
            raise SystemExit(f"bench: {program} sent {server.n_spans()} spans of {N_SENT + 1}")
    return found


def least_of(dictionaries):
    """What else the machine does only adds."""
    return {key: min(one[key] for one in dictionaries) for key in dictionaries[0]}


def of_both(found):
    return found["own"] + found["sender"]


def measured_spans(options, work):
    ours, theirs = pathlib.Path(options.build, "release", "bench", "spans").resolve(), peer_program(work)
    made, sends, gzipped, their_made, their_sends = [], [], [], [], []
    for _ in range(ROUNDS_A_REPEAT * options.repeat):
        made.append(output([ours, "make", N_MADE], cwd=work))
        sends.append(sent(ours, work))
        gzipped.append(sent(ours, work, "gzip"))
        if theirs:
            their_made.append(output([theirs, "make", N_MADE])["make"])
            their_sends.append(sent(theirs, work)["send"])
    peer = Peer(min(their_made), min(their_sends)) if theirs else None
    return Spans(least_of(made), min(sends, key=of_both), min(gzipped, key=of_both), peer)


# --- a whole run -----------------------------------------------------------------------------------------------------


def command(options, head, out, mode, endpoint, *more):
    program = pathlib.Path(options.build, "neuro-preprocess")
    words = [program, "process", head, "-o", out, "--omp-nthreads", 1, "--rerun", "all", "--quiet", *more]
    return words + {"without": ["--no-telemetry"], "recorded": [], "sent": ["--otel-endpoint", endpoint]}[mode]


def high_water(pid):
    with open(f"/proc/{pid}/status") as file:
        return next((int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM")), 0.0)


def memory_mib(words):
    """Largest resident sizes of the supervisor and of its sender, added, pages that they share counted twice."""
    process = subprocess.Popen([str(word) for word in words])
    most = {}
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
                children = file.read().split()
            senders = [pid for pid in children if pathlib.Path("/proc", pid, "comm").read_text() == "np-telemetry\n"]
            for pid in [process.pid, *senders]:
                most[pid] = max(most.get(pid, 0), high_water(pid))
        except OSError:
            pass  # it has just ended
        time.sleep(0.002)
    return sum(most.values())


def in_turns(options, work, endpoint, head, n, *more):
    """{mode: [(wall s, processor s), …]}; the first ones, which warm up, are left out."""
    times = collections.defaultdict(list)
    for _ in range(n + 1):
        for mode in MODES:
            out = work / f"out-{mode}"
            shutil.rmtree(out, ignore_errors=True)
            wall_s, cpu_s, _, status = measure.cost(command(options, head, out, mode, endpoint, *more))
            if status:
                raise SystemExit(f"bench: a run with telemetry '{mode}' ended with {status}")
            times[mode].append((wall_s, cpu_s))
    return {mode: of[1:] for mode, of in times.items()}


def measured_runs(options, work, head):
    """Times of whole runs, of light ones, {mode: MiB}."""
    small = speed.make_head(options.build, work, size=LIGHT_VOXELS)
    with sink.Sink() as server:
        light = in_turns(options, work, server.endpoint, small, 40 * options.repeat, *LIGHT)
        whole = in_turns(options, work, server.endpoint, head, options.repeat)
        memory = {}
        for mode in MODES:
            words = command(options, head, work / f"out-{mode}", mode, server.endpoint, *LIGHT)
            memory[mode] = max(memory_mib(words) for _ in range(3))
    return whole, light, memory


# --- words -----------------------------------------------------------------------------------------------------------


def held(is_held):
    return "held" if is_held else "**missed**"


def span_table(spans):
    make, total = spans.rows["make"], of_both(spans.sent)
    peer = spans.peer
    their_make, their_total = (f"{peer.make_ns / 1000:.2f}", f"{peer.send_us:.1f}") if peer else ("absent here", "absent here")
    ratio = lambda theirs, ours: f"{theirs / ours:.1f}" if peer else ""
    lines = ["| processor time of a span of ten attributes, µs | ours | opentelemetry-cpp | ratio | wanted |", "|---|---|---|---|---|"]
    lines.append(
        f"| begun, filled, ended; nobody listens | {make / 1000:.2f} | {their_make} | {ratio(peer and peer.make_ns, make)} "
        f"| ≤ {MOST_NS / 1000:g} µs {held(make <= MOST_NS)} |"
    )
    lines.append(f"| the same, and encoded as a line of JSON | {spans.rows['json'] / 1000:.2f} | | | |")
    lines.append(f"| the same, in the record | {spans.rows['record'] / 1000:.2f} | keeps none | | |")
    wanted = f"≥ {LEAST_SENT_RATIO} {held(peer.send_us / total >= LEAST_SENT_RATIO)}" if peer else ""
    lines.append(
        f"| in the record, synced; read back, translated, sent: {spans.sent['own']:.1f} in the run, {spans.sent['sender']:.1f} "
        f"in the sender | {total:.1f} | {their_total} (keeps no record) | {ratio(peer and peer.send_us, total)} | {wanted} |"
    )
    lines.append(f"| the same with gzip, as the program sends | {of_both(spans.gzipped):.1f} | cannot | | |")
    return "\n".join(lines)


def run_table(name, whole, light, memory):
    """What is added is the least of the light runs less the least of those without; the rest are medians."""
    n_light = len(light["without"])
    wall_s, cpu_s = (statistics.median(one[i] for one in whole["without"]) for i in (0, 1))
    spread = max(one[1] for one in whole["without"]) - min(one[1] for one in whole["without"])
    lines = [
        f"A run of `{name}`, one thread: {wall_s:.2f} s, {cpu_s:.2f} s of processor time without telemetry, medians of {len(whole['without'])}, "
        f"which differ by {100 * spread / cpu_s:.1f} %. What telemetry adds: least of {n_light} light runs.",
        "",
        "| telemetry | whole run: processor s | adds, processor ms | % | adds, wall ms | % | adds, MiB | wanted |",
        "|---|---|---|---|---|---|---|---|",
    ]
    least = {mode: [min(one[i] for one in of) for i in (0, 1)] for mode, of in light.items()}
    for mode in MODES[1:]:
        more_wall_s, more_cpu_s = (least[mode][i] - least["without"][i] for i in (0, 1))
        share, mib = 100 * more_cpu_s / cpu_s, memory[mode] - memory["without"]
        most_share, most_mib = MOST_OF_RUN[mode]
        lines.append(
            f"| {mode} | {statistics.median(one[1] for one in whole[mode]):.2f} | {more_cpu_s * 1e3:.1f} | {share:.2f} | {more_wall_s * 1e3:.1f} "
            f"| {100 * more_wall_s / wall_s:.2f} | {mib:.1f} | ≤ {most_share:g} % {held(share <= most_share)}, ≤ {most_mib} MiB {held(mib <= most_mib)} |"
        )
    return "\n".join(lines)


def measured(options, work):
    heads = [image for _, image, _ in masks.pairs(options.data)] if options.data else []
    head = max(heads, key=lambda image: image.stat().st_size) if heads else speed.make_head(options.build, work)
    return measured_spans(options, work), pathlib.Path(head).name, measured_runs(options, work, head)


def table(found):
    spans, name, runs = found
    return span_table(spans) + "\n\n" + run_table(name, *runs)


def ratios(found):
    spans = found[0]
    if not spans.peer:
        return {}
    return {
        "a span made: opentelemetry-cpp / ours": spans.peer.make_ns / spans.rows["make"],
        "a span sent: opentelemetry-cpp / ours": spans.peer.send_us / of_both(spans.sent),
    }
