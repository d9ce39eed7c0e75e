"""How near bias fields come to known ones: ours (the whole step) beside SimpleITK's N4 in four calls.

Simulated fields and noise are laid over clean synthetic heads (another person for each seed), over heads drawn from the label maps of
--data, and over real heads of --data that were
corrected first, by whom --corrected-by says. Score: standard deviation over the true brain mask of estimated less true log field. Peers'
scores are kept in WORK/peers.json by the hash of the image, so that a change of ours alone is measured in seconds.
"""

import hashlib
import json
import pathlib
import statistics
import subprocess
import sys

import drawn_heads
import itk
import masks
import measure
import nibabel
import numpy
import truth

NOISE = 0.03
OURS, BOTH = "ours", "both"
DRAWN_MAPS = (4, 9, 17)


class PeerScores:
    """What SimpleITK scored on an image, remembered."""

    def __init__(self, path):
        self.path = path
        self.known = json.loads(path.read_text()) if path.exists() else {}

    def field_scores(self, name, image, brain, spacing_mm, threads, score):
        key = hashlib.sha256(image.tobytes() + brain.tobytes() + name.encode() + itk.version().encode()).hexdigest()
        if key not in self.known:
            self.known[key] = score(itk.call(name, image, brain, spacing_mm, threads)[0])
            self.path.write_text(json.dumps(self.known, indent=0))
        return self.known[key]


class Bench:
    def __init__(self, options, work):
        self.options = options
        self.work = work
        self.program = pathlib.Path(options.build, "neuro-preprocess")
        self.programs = pathlib.Path(options.build, "release", "bench")
        self.peers = PeerScores(self.work / "peers.json")

    def our_field(self, image, like):
        path = self.work / "case_T1w.nii"
        measure.save(path, image, like)
        run = measure.process(self.program, path, self.work / "out", self.options.threads, "--save-bias-field")
        found = numpy.log(measure.voxels(run.images["biasfield"], numpy.float64))
        mask = measure.voxels(run.images["brain_mask"]) > 0
        return found, mask, run

    def synthetic_head(self, seed):
        stem = self.work / f"clean-{seed}"
        subprocess.run([self.programs / "phantom", stem, str(seed), "0", "0", "0"], check=True)
        like = nibabel.load(f"{stem}_T1w.nii.gz")
        return like, measure.voxels(f"{stem}_T1w.nii.gz"), measure.voxels(f"{stem}_brainmask.nii.gz") > 0

    def drawn_head(self, labels, number):
        """Of 1 mm, T1w, with 10 mm of air around."""
        path = self.work / f"drawn-{number}.nii"
        head = truth.head(labels, number, "adult", self.work)
        if not path.exists():
            clean = 1000 * drawn_heads.tissues(head, "T1w", numpy.random.default_rng(number))
            nibabel.save(nibabel.Nifti1Image(numpy.pad(clean, 10), numpy.eye(4)), path)
        return nibabel.load(path), measure.voxels(path), numpy.pad(head.brains[8], 10)

    def real_head(self, image_path, mask_path):
        """Corrected once, by us, by SimpleITK in the brain mask, or by the mean of the two log fields, which favours neither: a later
        version of the program meets the same heads."""
        brain = measure.voxels(mask_path) > 0
        base = self.work / f"base-{self.options.corrected_by}-{image_path.name}"
        if not base.exists():
            if self.options.corrected_by == OURS:
                run = measure.process(self.program, image_path, self.work / "out", self.options.threads)
                base.write_bytes(run.images["preproc"].read_bytes())
            else:
                like, raw = nibabel.load(image_path), measure.voxels(image_path)
                field = itk.call("brain", raw, brain, like.header.get_zooms()[:3], self.options.threads)[0]
                if self.options.corrected_by == BOTH:
                    field = (field + self.our_field(raw, like)[0]) / 2
                measure.save(base, raw / numpy.exp(field), like)
        return nibabel.load(base), measure.voxels(base), brain

    def scores(self, image, like, brain, truth, unbiased):
        """{method: residual} and {method: residual less the method's own field on the unbiased head}; None for the latter where unknown."""
        spacing_mm = like.header.get_zooms()[:3]
        field, mask, _ = self.our_field(image, like)
        plain = {OURS: measure.residual_sd(field, truth, brain)}
        own = {}
        if unbiased is not None:
            own[OURS] = measure.residual_sd(field - unbiased[OURS], truth, brain)
        for name in itk.CALLS if itk.AVAILABLE else ():
            def score(found, name=name):
                with_own = None if unbiased is None else measure.residual_sd(found - unbiased[name], truth, brain)
                return [measure.residual_sd(found, truth, brain), with_own]

            inside = mask if name == itk.OUR_MASK else brain
            plain[name], own[name] = self.peers.field_scores(name, image, inside, spacing_mm, self.options.threads, score)
        return plain, own, measure.dice(mask, brain)

    def unbiased_fields(self, image, like, brain):
        field, mask, _ = self.our_field(image, like)
        fields = {OURS: field}
        for name in itk.CALLS if itk.AVAILABLE else ():
            inside = mask if name == itk.OUR_MASK else brain
            path = self.work / f"unbiased-{hashlib.sha256(image.tobytes() + inside.tobytes() + name.encode()).hexdigest()[:16]}.npy"
            if not path.exists():
                numpy.save(path, itk.call(name, image, inside, like.header.get_zooms()[:3], self.options.threads)[0])
            fields[name] = numpy.load(path)
        return fields

    def cases(self, head, load, seeds, own_field):
        """One row a case: (head, kind, percent, seed, plain, own, dice)."""
        for seed in seeds:
            like, clean, brain = load(seed)
            spacing_mm = like.header.get_zooms()[:3]
            sd = NOISE * measure.white_level(clean, brain)
            unbiased = self.unbiased_fields(measure.rician(clean, sd, 1000 + seed), like, brain) if own_field else None
            for kind in measure.FIELDS:
                for percent in self.options.percents:
                    truth = measure.log_field(kind, percent, seed, brain, spacing_mm)
                    image = measure.rician(clean * numpy.exp(truth), sd, seed)
                    plain, own, overlap = self.scores(image, like, brain, truth, unbiased)
                    row = (head, kind, percent, seed, float(truth[brain].std()), plain, own, overlap)
                    report(row)
                    yield row


def report(row):
    """One case, as soon as it is known."""
    head, kind, percent, seed, true_sd, plain, own, overlap = row
    scores = [f"{name} {value:.4f}" for name, value in plain.items()]
    scores += [f"({name} {value:.4f})" for name, value in own.items() if value is not None]
    case = f"{head}, {kind} {percent} %, seed {seed}, true {true_sd:.4f}"
    print(f"{case}: {', '.join(scores)}; Dice {overlap:.3f}", file=sys.stderr, flush=True)


def worst(plain):
    """How much worse ours is than the best of the peers', log units; negative: better."""
    return plain[OURS] - min(v for k, v in plain.items() if k != OURS)


def table(rows):
    """Markdown: for each head, shape and strength the mean over the seeds; the fields' own error taken off in brackets."""
    who = list(rows[0][5])
    lines = ["| head | field | true sd | " + " | ".join(who) + " | worst case |", "|---" * (len(who) + 4) + "|"]

    def line(head, field, some):
        cells = []
        for name in who:
            plain = statistics.mean(row[5][name] for row in some)
            own = [row[6].get(name) for row in some]
            less = "" if None in own else f" ({statistics.mean(own):.4f})"
            cells.append(f"{plain:.4f}{less}")
        far = f"{max(worst(row[5]) for row in some):+.4f}" if len(who) > 1 else ""
        return f"| {head} | {field} | {statistics.mean(row[4] for row in some):.4f} | " + " | ".join(cells) + f" | {far} |"

    for head in dict.fromkeys(row[0] for row in rows):
        of_head = [row for row in rows if row[0] == head]
        for kind, percent in dict.fromkeys((row[1], row[2]) for row in of_head):
            lines.append(line(head, f"{kind} {percent} %", [row for row in of_head if row[1:3] == (kind, percent)]))
        lines.append(line(head, "**all**", of_head))
    if len({row[0] for row in rows}) > 1:
        lines.append(line("**all**", "**all**", rows))
    return "\n".join(lines)


def drawn(bench, options, seeds):
    """Cases of drawn heads, as far as --data has their maps and --heads names them ("drawn 4")."""
    labels = pathlib.Path(options.data, "labels") if options.data else None
    for number in DRAWN_MAPS:
        name = f"drawn {number}"
        if labels and truth.map_path(labels, number).exists() and (not options.heads or name in options.heads):
            head = bench.drawn_head(labels, number)
            yield from bench.cases(name, lambda seed, head=head: head, seeds, False)


def measured(options, work):
    bench = Bench(options, work)
    seeds = range(1, options.seeds + 1)
    rows = list(bench.cases("synthetic", bench.synthetic_head, seeds, False))
    rows += drawn(bench, options, seeds)
    for name, image, mask in masks.pairs(options.data) if options.data else ():
        if not options.heads or name in options.heads:
            head = bench.real_head(image, mask)
            rows += bench.cases(name, lambda seed, head=head: head, seeds, True)
    return rows
