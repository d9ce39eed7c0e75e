"""What a second reader says about the images of an output folder.   usage: check_images.py BIDS_DIR OUTPUT_DIR"""

import pathlib
import sys

import nibabel
import numpy

bids, out = map(pathlib.Path, sys.argv[1:])
sources = sorted(bids.glob("sub-*/**/*_T1w.nii.gz"))
assert sources, f"no source in {bids}"
for source_path in sources:
    folder = out / source_path.parent.relative_to(bids)
    stem = source_path.name.removesuffix("_T1w.nii.gz")
    source = nibabel.load(source_path)
    field = nibabel.load(folder / f"{stem}_mod-T1w_biasfield.nii.gz").get_fdata()
    mask_image = nibabel.load(folder / f"{stem}_desc-brain_mask.nii.gz")
    mask = numpy.asanyarray(mask_image.dataobj)
    preproc_image = nibabel.load(folder / f"{stem}_desc-preproc_T1w.nii.gz")
    preproc = preproc_image.get_fdata()
    norm = nibabel.load(folder / f"{stem}_desc-norm_T1w.nii.gz").get_fdata()

    for image in (mask_image, preproc_image):
        assert image.shape == source.shape, (source_path, image.shape)
        assert numpy.allclose(image.affine, source.affine, atol=1e-4), source_path
        assert image.header["sform_code"] == source.header["sform_code"], source_path

    assert mask_image.get_data_dtype() == numpy.uint8
    assert set(numpy.unique(mask)) == {0, 1}
    volume_ml = mask.sum() * numpy.prod(source.header.get_zooms()[:3]) / 1000
    assert 500 < volume_ml < 2500, f"{source_path}: a brain of {volume_ml:.0f} ml"

    assert numpy.isfinite(preproc).all() and numpy.isfinite(norm).all() and (field > 0).all()
    # float32 images: relative error 1e-6 each; 1e-4 leaves room for an image stored as scaled integers
    raw = source.get_fdata()
    assert numpy.allclose(preproc * field, raw, rtol=1e-4, atol=1e-4 * raw.max()), f"{source_path}: preproc * field is not the source"

    inside = norm[mask > 0]
    assert (norm[mask == 0] == 0).all(), f"{source_path}: norm is not 0 outside the mask"
    assert abs(inside.mean()) < 0.01 and abs(inside.std() - 1) < 0.01, f"{source_path}: z-score {inside.mean()} {inside.std()}"
