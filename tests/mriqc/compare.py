#!/usr/bin/env python3
"""Image quality metrics beside MRIQC's own functions, on the same arrays and masks.

usage: compare.py FOLDER [--write HEADER]

FOLDER holds what the program `scenes` wrote. Each scene's arrays become NIfTI files; MRIQC's
interfaces Harmonize and StructuralQC, and its function art_qi2, read them. fwhm_* has no function
in MRIQC, which calls AFNI's 3dFWHMx; here numpy computes Forman's formula again. Every value must
agree within 0.1 % (qi_2: 1 %, as MRIQC's search for the largest likelihood ends early).
--write keeps MRIQC's values as a table for the unit tests.
"""
import argparse
import logging
import math
import os
import pathlib
import sys
import warnings

import nibabel as nb
import numpy as np

HEAD, HAT, ARTIFACT, FRAME, BRAIN = 1, 2, 4, 8, 16
WITHIN = 1e-3
WITHIN_QI_2 = 1e-2
WITHIN_ARTIFACTS = 0.05  # ours know the distance to the head to one voxel
ROUNDED = ("efc", "fber", "summary_")  # by MRIQC, to four decimals
TISSUES = ("csf", "gm", "wm")
SHOWN = ("cjv", "cnr", "efc", "fber", "fwhm_avg", "inu_range", "qi_1", "qi_2", "snr_total",
         "snrd_total", "rpve_gm", "summary_gm_k", "wm2max")  # of images that were given


class Scene:
    def __init__(self, folder, name):
        self.folder, self.name, self.ours = folder, name, {}
        self.is_drawn = (folder / f"{name}.ruled").exists()
        for line in (folder / f"{name}.txt").read_text().splitlines():
            key, *value = line.split()
            if key == "size":
                self.size = tuple(int(v) for v in value)
            elif key == "spacing":
                self.spacing = [float(v) for v in value]
            else:
                self.ours[key] = float(value[0])

    def array(self, name, dtype):
        data = np.fromfile(self.folder / f"{self.name}.{name}", dtype=dtype)
        return data.reshape(self.size, order="F")

    def file(self, name, data):
        path = self.folder / f"{self.name}_{name}.nii"
        nb.Nifti1Image(data, np.diag(self.spacing + [1])).to_filename(path)
        return str(path)


def fwhm_mm(data, mask, spacing):
    """First differences within the mask: Forman et al. 1995."""
    variance, result = data[mask].var(ddof=1), []
    for axis in range(3):
        a = [slice(None)] * 3
        b = [slice(None)] * 3
        a[axis], b[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(a), tuple(b)
        both = mask[a] & mask[b]
        step = (data[b] - data[a])[both].var(ddof=1)
        sd = math.sqrt(-1 / (4 * math.log(1 - step / (2 * variance))))
        result.append(math.sqrt(8 * math.log(2)) * sd * spacing[axis])
    return result


def has_largest_likelihood(values):
    """Does a second search, from where art_qi2's ended, find nothing better?"""
    from scipy.stats import chi2

    values = values.clip(min=0)
    values *= 100 / max(np.percentile(values, 99), 1e-9)
    if np.sum(values > 0) < 1000:
        return True
    first = chi2.fit(values, 32)
    second = chi2.fit(values, first[0], loc=first[1], scale=first[2])
    return chi2.nnlf(first, values) - chi2.nnlf(second, values) < 1e-3 * len(values)


def theirs(scene):
    from mriqc import config
    from mriqc.interfaces.anatomical import Harmonize, StructuralQC
    from mriqc.qc.anatomical import art_qi2

    config.loggers.interface = logging.getLogger("mriqc")  # it warns of air without noise
    region = scene.array("region", np.uint8)
    source = scene.array("source", np.float32)
    shares = [scene.array(k, np.uint8) for k in TISSUES]
    maps = [scene.file(k, (s / 255).astype(np.float32)) for k, s in zip(TISSUES, shares)]
    hat, artifact = (region & HAT) > 0, (region & ARTIFACT) > 0

    def mask(name, inside):
        return scene.file(name, inside.astype(np.uint8))

    level = Harmonize(in_file=scene.file("corrected", scene.array("corrected", np.float32)),
                      wm_mask=maps[2]).run().outputs.out_file
    smooth = fwhm_mm(source.astype(float), (region & BRAIN) > 0, scene.spacing)
    measured = StructuralQC(
        in_file=level, in_noinu=level, in_bias=scene.file("field", scene.array("field", np.float32)),
        in_segm=mask("segm", np.where(sum(s.astype(int) for s in shares) > 0,
                                      1 + np.argmax(shares, axis=0), 0)),
        head_msk=mask("head", (region & HEAD) > 0), air_msk=mask("air", hat & ~artifact),
        rot_msk=mask("frame", (region & FRAME) > 0), artifact_msk=mask("artifact", hat & artifact),
        in_pvms=maps, mni_tpms=maps, in_fwhm=smooth).run().outputs.out_qc
    measured = dict(measured)
    measured_air = hat & ((region & FRAME) == 0)
    measured["qi_2"] = art_qi2(source.astype(float), measured_air, save_plot=False)[0]
    if not has_largest_likelihood(source[measured_air].astype(float)):
        print(f"{scene.name}: qi_2 is not compared: MRIQC's search ended before the largest "
              f"likelihood; ours {scene.ours['qi_2']:.6g}, MRIQC's {measured['qi_2']:.6g}")
        del measured["qi_2"]
    return measured


def their_regions(scene):
    """The artifacts and the frame by MRIQC. Its own caller of artifact_mask sets the distance to 0
    in the hat, where it is needed (24.0.2); here it is kept there, as the function expects."""
    import scipy.ndimage as nd
    from mriqc.interfaces.anatomical import RotationMask, artifact_mask

    ruled, source = scene.array("ruled", np.uint8), scene.array("source", np.float32)
    head, hat = (ruled & HEAD) > 0, (ruled & HAT) > 0
    distance = nd.distance_transform_edt(~head)
    distance[~hat] = 0
    distance /= distance.max()
    artifact = artifact_mask(source.copy(), hat, distance).astype(bool)
    frame = RotationMask(in_file=scene.file("source", source)).run().outputs.out_file
    return {"artifact": (artifact, (ruled & ARTIFACT) > 0),
            "frame": (np.asarray(nb.load(frame).dataobj) > 0, (ruled & FRAME) > 0)}


def agree(key, ours, value):
    if math.isnan(ours) or math.isnan(value):
        return math.isnan(ours) and not math.isfinite(value)
    within = WITHIN_QI_2 if key == "qi_2" else WITHIN
    rounding = 6e-5 if key.startswith(ROUNDED) else 0
    return abs(ours - value) <= within * abs(value) + rounding


def table(values):
    lines = ["/* MRIQC's values of the scenes in quality_scenes.h; made by `make check-mriqc "
             "MRIQC_WRITE=1`. */", "static const struct {", "    const char *scene, *key;",
             "    double value;", "} MRIQC_VALUES[] = {"]
    lines += [f'    {{"{scene}", "{key}", {value!r}}},'
              for scene, key, value in values if math.isfinite(value)]
    return "\n".join(lines + ["};", ""])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()
    header = args.write.resolve() if args.write else None
    folder = args.folder.resolve()
    os.chdir(folder)
    warnings.simplefilter("ignore")
    kept, n_wrong, worst = [], 0, {}
    for path in sorted(folder.glob("*.txt")):
        scene = Scene(folder, path.stem)
        found = theirs(scene)
        for key, ours in scene.ours.items():
            if key not in found:
                continue
            value = float(found[key])
            kept.append((scene.name, key, value))
            if not scene.is_drawn and key in SHOWN:
                print(f"{scene.name}: {key}: ours {ours:.6g}, MRIQC's {value:.6g}")
            if math.isfinite(ours) and value:
                off = abs(ours / value - 1)
                worst[key] = max(worst.get(key, (0, "")), (off, scene.name))
            if not agree(key, ours, value):
                n_wrong += 1
                print(f"{scene.name}: {key}: ours {ours:.6g}, MRIQC's {value:.6g}")
        for key, (value, ours) in (their_regions(scene) if scene.is_drawn else {}).items():
            n_off = np.sum(value != ours)
            kept.append((scene.name, f"n_{key}", int(value.sum())))
            print(f"{scene.name}: {key}: {value.sum()} voxels, {n_off} of them or of ours differ")
            n_wrong += n_off > (WITHIN_ARTIFACTS if key == "artifact" else WITHIN) * value.sum()
    for key, (off, name) in sorted(worst.items(), key=lambda row: -row[1][0])[:8]:
        print(f"largest differences: {key} {100 * off:.4f} % ({name})")
    print(f"{len(kept)} values, {n_wrong} differ")
    if header:
        header.write_text(table(kept))
    sys.exit(1 if n_wrong or not kept else 0)


if __name__ == "__main__":
    main()
