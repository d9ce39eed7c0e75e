"""The table of tests/bench/run.sh: stage times from status records (fastest of the runs), and peers timed here and now."""

import argparse
import datetime
import gzip
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time

# SimpleITK's N4 as it is usually called: Otsu foreground, shrink 4, 4 levels of at most 50 iterations, its own stop rule.
ITK_N4 = """
import sys, time
import SimpleITK as sitk
sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(int(sys.argv[2]))
image = sitk.ReadImage(sys.argv[1], sitk.sitkFloat32)
start = time.monotonic()
mask = sitk.OtsuThreshold(image, 0, 1, 200)
corrector = sitk.N4BiasFieldCorrectionImageFilter()
corrector.SetMaximumNumberOfIterations([50] * 4)
corrector.Execute(sitk.Shrink(image, [4] * 3), sitk.Shrink(mask, [4] * 3))
corrected = image / sitk.Exp(corrector.GetLogBiasFieldAsImage(image))
print(time.monotonic() - start)
"""


def best(repeat, function):
    return min(function() for _ in range(repeat))


def timed(command, **keywords):
    start = time.monotonic()
    subprocess.run(command, check=True, **keywords)
    return time.monotonic() - start


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--itk-python", default="")
    parser.add_argument("head")
    parser.add_argument("records", nargs="+")
    options = parser.parse_args()

    records = []
    for path in options.records:
        with open(path) as file:
            records.append(json.load(file))
    stages = {}
    for record in records:
        assert record["state"] == "success", f"{record['state']}: a bench run failed"
        for stage in record["files"][0]["stages"]:
            stages[stage["name"]] = min(stage["wall_s"], stages.get(stage["name"], 1e9))
    total = min(record["wall_s"] for record in records)
    peak = max(record["peak_rss_bytes"] for record in records)

    with tempfile.TemporaryDirectory() as folder:
        plain = os.path.join(folder, "head.nii")
        with gzip.open(options.head) as packed, open(plain, "wb") as file:
            shutil.copyfileobj(packed, file)
        size_mib = os.path.getsize(plain) / 2**20

        peers = []

        def peer(row, name, ours, seconds):
            peers.append((row, name, ours, seconds))

        n4 = None
        if options.itk_python:
            n4 = best(
                options.repeat,
                lambda: float(
                    subprocess.run(
                        [options.itk_python, "-c", ITK_N4, options.head, str(options.threads)],
                        check=True,
                        capture_output=True,
                        text=True,
                    ).stdout
                ),
            )
        peer("bias correction, first N4", "SimpleITK N4, same call", stages.get("bias_correction"), n4)
        for tool in ("gzip", "pigz"):
            present = shutil.which(tool)
            read = present and best(options.repeat, lambda: timed([tool, "-dc", options.head], stdout=subprocess.DEVNULL))
            peer("read and decompress the input", f"`{tool} -d` alone", stages.get("load_file"), read)
            pack = present and best(options.repeat, lambda: timed([tool, "-6", "-c", plain], stdout=subprocess.DEVNULL))
            peer("compress and write all outputs", f"`{tool} -6` of the input alone", stages.get("write_output"), pack)

    print(f"{datetime.date.today()}, {processor()}, {os.cpu_count()} processors, {options.threads} threads,")
    print(f"fastest of {options.repeat} runs. Input: synthetic head of {size_mib:.0f} MiB uncompressed. Codec: {records[0]['software']['codec']}.")
    print(f"Whole session {total:.2f} s, peak memory {peak / 2**20:.0f} MiB.\n")
    print("| stage | s |\n|---|---|")
    for name, seconds in stages.items():
        print(f"| {name} | {seconds:.3f} |")
    print("\n| what | ours, s | peer | peer, s | ratio |\n|---|---|---|---|---|")
    for row, name, ours, seconds in peers:
        if not seconds:
            print(f"| {row} | {ours:.3f} | {name} | absent here | |")
        else:
            print(f"| {row} | {ours:.3f} | {name} | {seconds:.3f} | {seconds / ours:.1f} |")


main()
