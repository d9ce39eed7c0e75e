"""Seconds and memory of a 256 x 256 x 256 head of 1 mm, stage by stage, beside peers timed here and now."""

import collections
import gzip
import pathlib
import shutil
import subprocess
import tempfile

import itk
import measure
import nibabel

N_SESSIONS = 6
# What is wanted of each: two threads of a portable binary, files in memory. Seconds of a machine on which SimpleITK's N4 takes YARDSTICK_S; on
# others they are that much longer or shorter.
WANTED = {"whole chain": 1.25, "to normalization": 0.9, "to normalization, zlib alone": 1.5, "bias_correction + bias_refinement": 0.3, "skull_strip": 0.45, "tissue": 0.15}
WANTED_MIB = 250
# Stages that were added to the chain, which may take 0.35 s more for them.
LATER = ("tissue", "quality_regions", "quality")
YARDSTICK_S = 6.5
MEMORY = pathlib.Path("/dev/shm")
MEMORY_NEEDED = 2 << 30

Speed = collections.namedtuple("Speed", "runs zlib_runs peers batch_s size_mib")


def best(repeat, function):
    return min(function() for _ in range(repeat))


def make_head(build, work, seed=1, size=256):
    stem = pathlib.Path(work, f"head{size}-{seed}")
    subprocess.run([pathlib.Path(build, "release", "bench", "phantom"), stem, str(seed), str(size), "30", "3"], check=True)
    return pathlib.Path(f"{stem}_T1w.nii.gz")


def repeated(program, head, work, options):
    return [measure.process(program, head, pathlib.Path(work, f"out-{i}"), options.threads) for i in range(options.repeat + 1)][1:]


def itk_seconds(head, threads):
    """As it is usually called: Otsu's foreground, shrink 4, 4 levels of at most 50 iterations, its own stop rule."""
    image = nibabel.load(head)
    return itk.n4(measure.voxels(head), None, image.header.get_zooms()[:3], threads, 1e-3, [4] * 3)[1]


def codec_seconds(tool, head, repeat):
    """(decompress the head, compress it), or None; starting the tool included."""
    if not shutil.which(tool):
        return None
    with tempfile.NamedTemporaryFile(suffix=".nii") as plain:
        with gzip.open(head) as packed:
            shutil.copyfileobj(packed, plain)
        plain.flush()
        run = lambda *words: measure.cost([tool, *words], stdout=subprocess.DEVNULL)[0]
        return best(repeat, lambda: run("-dc", head)), best(repeat, lambda: run("-6", "-c", plain.name))


def batch_seconds(program, head, work, processors):
    """Many sessions at once, one thread each."""
    folder, out = pathlib.Path(work, "sessions"), pathlib.Path(work, f"out-batch-{processors}")
    folder.mkdir(exist_ok=True)
    for i in range(N_SESSIONS):
        link = folder / f"s{i}_T1w.nii.gz"
        link.unlink(missing_ok=True)
        link.hardlink_to(head)
    shutil.rmtree(out, ignore_errors=True)
    words = [program, "batch", folder, "-o", out, "--nprocs", processors, "--parallel", processors, "--omp-nthreads", 1, "--quiet"]
    wall_s, _, _, status = measure.cost(words)
    if status:
        raise SystemExit(f"bench: {' '.join(map(str, words))} ended with {status}")
    return wall_s


def folder_in_memory(work):
    """A temporary folder: in memory where there is room, else below `work`."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED
    return tempfile.TemporaryDirectory(dir=MEMORY if has_room else work)


def measured(options, work):
    work.mkdir(parents=True, exist_ok=True)
    with folder_in_memory(work) as folder:
        return measured_in(options, pathlib.Path(folder))


def measured_in(options, work):
    program = pathlib.Path(options.build, "neuro-preprocess")
    zlib_program = pathlib.Path(options.build, "zlib", "neuro-preprocess")
    head = make_head(options.build, work)
    runs = repeated(program, head, work, options)
    zlib_runs = repeated(zlib_program, head, work, options) if zlib_program.exists() else []
    peers = {tool: codec_seconds(tool, head, options.repeat) for tool in ("gzip", "pigz")}
    peers["SimpleITK"] = best(min(options.repeat, 2), lambda: itk_seconds(head, options.threads)) if itk.AVAILABLE else None
    batch_s = {n: best(min(options.repeat, 2), lambda n=n: batch_seconds(program, head, work, n)) for n in (1, 2)}
    with gzip.open(head) as packed:
        size_mib = packed.seek(0, 2) / 2**20
    return Speed(runs, zlib_runs, peers, batch_s, size_mib)


def to_normalization(run):
    """Seconds without the stages of LATER; their outputs are still written."""
    return run.wall_s - sum(run.stages.get(name, 0) for name in LATER)


def fastest(speed):
    """{what: seconds}, the least of the runs: stages, sums of them, the whole."""
    stages = {name: min(run.stages[name] for run in speed.runs) for name in speed.runs[0].stages}
    found = {"whole chain": min(run.wall_s for run in speed.runs), "to normalization": min(map(to_normalization, speed.runs))}
    if speed.zlib_runs:
        found["to normalization, zlib alone"] = min(map(to_normalization, speed.zlib_runs))
    found |= stages
    found["bias_correction + bias_refinement"] = min(run.stages["bias_correction"] + run.stages["bias_refinement"] for run in speed.runs)
    return found


def efficiency(speed):
    """Throughput on two processors over twice that on one."""
    return speed.batch_s[1] / speed.batch_s[2] / 2


def compared(speed):
    """[(what, ours, peer, theirs or None)] in seconds."""
    found = fastest(speed)
    rows = [
        ("bias correction, first N4", "bias_correction", "SimpleITK N4, same call", speed.peers["SimpleITK"]),
        ("both bias fits", "bias_correction + bias_refinement", "SimpleITK N4, one call", speed.peers["SimpleITK"]),
        ("whole chain", "whole chain", "SimpleITK N4 alone", speed.peers["SimpleITK"]),
        ("brain extraction", "skull_strip", "SimpleITK N4 (as a yardstick)", speed.peers["SimpleITK"]),
    ]
    for tool in ("gzip", "pigz"):
        unpack, pack = speed.peers[tool] or (None, None)
        rows.append(("read and decompress the input", "load_file", f"`{tool} -d` alone", unpack))
        rows.append(("compress and write all outputs", "write_output", f"`{tool} -6` of the input alone", pack))
    return [(what, found[stage], peer, theirs) for what, stage, peer, theirs in rows]


def table(speed, repeat):
    found = fastest(speed)
    peak_mib = max(run.peak_mib for run in speed.runs)
    factor = speed.peers["SimpleITK"] / YARDSTICK_S if speed.peers["SimpleITK"] else 1
    lines = [f"Fastest of {repeat} runs after one to warm up; a synthetic head of {speed.size_mib:.0f} MiB uncompressed.", ""]
    lines += ["| what | s | wanted |", "|---|---|---|"]
    for name, seconds in found.items():
        lines.append(f"| {name} | {seconds:.3f} | {verdict(seconds, factor * WANTED[name]) if name in WANTED else ''} |")
    lines.append(f"| peak MiB | {peak_mib:.0f} | {verdict(peak_mib, WANTED_MIB)} |")
    share = efficiency(speed)
    many = f"{N_SESSIONS} sessions: {speed.batch_s[1]:.2f} s on one processor, {speed.batch_s[2]:.2f} s on two"
    lines.append(f"| {many}: share of twice the throughput | {share:.2f} | ≥ 0.9 {'held' if share >= 0.9 else '**missed**'} |")
    lines += ["", "| what | ours, s | peer | peer, s | ratio |", "|---|---|---|---|---|"]
    for what, ours, peer, theirs in compared(speed):
        rest = f"{theirs:.3f} | {theirs / ours:.1f}" if theirs else "absent here | "
        lines.append(f"| {what} | {ours:.3f} | {peer} | {rest} |")
    return "\n".join(lines)


def verdict(value, wanted):
    return f"≤ {wanted:.3g} {'held' if value <= wanted else '**missed**'}"


def ratios(speed):
    """For the history: larger is better, none of them in seconds."""
    found = {f"{what} / {peer}": theirs / ours for what, ours, peer, theirs in compared(speed) if theirs}
    found["memory: 572 MiB / peak"] = 572 / max(run.peak_mib for run in speed.runs)
    found["throughput: two processors / twice one"] = efficiency(speed)
    return found
