"""Brain masks of ours and of peers against references, in one run.

Every NAME_T1w.nii.gz of a folder that has a NAME_brainmask*.nii.gz beside it is an image. --keep uses a peer's mask of an earlier
run where the image is the same, with the seconds it took then.
"""

import collections
import hashlib
import json
import pathlib
import statistics

import measure
import nibabel
import numpy
import peers

Score = collections.namedtuple("Score", "dice hd95_mm volume_ml wall_s peak_mib stage_s")


def pairs(folder):
    for image in sorted(pathlib.Path(folder).glob("*_T1w.nii.gz")):
        masks = sorted(image.parent.glob(image.name.removesuffix("_T1w.nii.gz") + "_brainmask*.nii.gz"))
        if masks:
            yield image.name.removesuffix("_T1w.nii.gz"), image, masks[0]


def load(path):
    image = nibabel.as_closest_canonical(nibabel.load(path))
    return numpy.asarray(image.dataobj).reshape(image.shape[:3]) > 0, image.header.get_zooms()[:3]


def score(mask_path, reference_path, wall_s, peak_mib, stage_s=None):
    reference, spacing_mm = load(reference_path)
    mask = load(mask_path)[0] if mask_path else numpy.zeros_like(reference)
    volume_ml = float(mask.sum() * numpy.prod(spacing_mm) / 1000)
    return Score(measure.dice(mask, reference), measure.hd95_mm(mask, reference, spacing_mm), volume_ml, wall_s, peak_mib, stage_s)


class Bench:
    def __init__(self, options, work):
        self.options = options
        self.work = work
        wanted = peers.names(options.peers)
        self.folders = {peer.name: peers.install(peer) if peer.name in wanted else None for peer in peers.PEERS}
        self.why_not = {peer.name: "absent here" if peer.name in wanted else "not asked for" for peer in peers.PEERS}

    def ours(self, image, reference):
        """A refused image has an empty mask."""
        run = measure.process(
            pathlib.Path(self.options.build, "neuro-preprocess"), image, self.work / "out", self.options.threads, check=False
        )
        mask = run.images["brain_mask"] if run.status == 0 else None
        return score(mask, reference, run.wall_s, run.peak_mib, run.stages.get("skull_strip"))

    def peer(self, peer, image, reference):
        key = hashlib.sha256(image.read_bytes()).hexdigest()[:16]
        mask = self.work / f"{key}-{peer.name}.nii.gz"
        note = mask.with_suffix(".json")
        if not (self.options.keep and mask.exists() and note.exists()):
            made = peers.extract(peer, self.folders[peer.name], image, mask, self.options.threads)
            note.write_text(json.dumps(made))
        made = json.loads(note.read_text())
        return score(mask, reference, *made) if made else score(None, reference, float("nan"), float("nan"))

    def scores(self, image, reference):
        """{who: Score}, None for who is not here."""
        found = {"ours": self.ours(image, reference)}
        for peer in peers.PEERS:
            found[peer.name] = self.peer(peer, image, reference) if self.folders[peer.name] else None
        return found


def cell(score):
    if not score.volume_ml:
        return "no mask" if score.wall_s == score.wall_s else "failed"
    return f"{score.dice:.3f} ({score.hd95_mm:.1f}; {score.volume_ml:.0f}); {score.wall_s:.1f}"


def summary(scores):
    """Over the images that it made a mask of; the others are counted."""
    dices = [s.dice for s in scores if s.volume_ml]
    without = len(scores) - len(dices)
    missing = f", {without} of {len(scores)} without" if without else ""
    return (f"{statistics.mean(dices):.3f} ({min(dices):.3f})" if dices else "none") + missing


def table(bench, title, rows):
    """Markdown: a row an image, mean and least below."""
    who = [name for name in rows[0][1] if any(row[1][name] for row in rows)]
    kept = " (of peers: when their masks were made)" if bench.options.keep else ""
    lines = [f"**{title}**: Dice (HD95 mm; ml); s{kept}", ""]
    lines += ["| image | " + " | ".join(who) + " |", "|---" * (len(who) + 1) + "|"]
    for name, scores in rows:
        lines.append(f"| {name} | " + " | ".join(cell(scores[w]) for w in who) + " |")
    lines.append("| mean (least) Dice | " + " | ".join(summary([row[1][w] for row in rows]) for w in who) + " |")
    for name, why in bench.why_not.items():
        if name not in who:
            lines.append(f"| {name} | {why}" + " |" * len(who))
    return "\n".join(lines)


def measured(bench, folder):
    return [(name, bench.scores(image, reference)) for name, image, reference in pairs(folder)]
