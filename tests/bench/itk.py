"""SimpleITK's N4 in the ways it is called; AVAILABLE is false when the package is absent."""

import time

import numpy

try:
    import SimpleITK

    AVAILABLE = True
except ImportError:
    AVAILABLE = False

OUR_MASK = "our mask, stop 1e-3"
CALLS = ("foreground", "brain", "brain, stop 5e-4", OUR_MASK)
STOPS = {"brain, stop 5e-4": 5e-4, OUR_MASK: 1e-3}


def version():
    return SimpleITK.Version.VersionString() if AVAILABLE else None


def image_of(array, spacing_mm):
    image = SimpleITK.GetImageFromArray(numpy.ascontiguousarray(array.T))
    image.SetSpacing([float(s) for s in spacing_mm])
    return image


def n4(array, mask, spacing_mm, threads, stop, shrink=None, control_points=None):
    """Log field at every voxel, and the seconds it took. `mask` None: Otsu's; `shrink` None: to about 4 mm an axis."""
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    image = image_of(array.astype(numpy.float32), spacing_mm)
    shrink = shrink or [max(1, round(4 / s)) for s in spacing_mm]
    start = time.monotonic()
    if mask is None:
        inside = SimpleITK.OtsuThreshold(image, 0, 1, 200)
    else:
        inside = image_of(mask.astype(numpy.uint8), spacing_mm)
    corrector = SimpleITK.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([50] * 4)
    corrector.SetConvergenceThreshold(stop)
    if control_points:
        corrector.SetNumberOfControlPoints(control_points)
    corrector.Execute(SimpleITK.Shrink(image, shrink), SimpleITK.Shrink(inside, shrink))
    field = corrector.GetLogBiasFieldAsImage(image)
    seconds = time.monotonic() - start
    return SimpleITK.GetArrayFromImage(field).T, seconds


def call(name, array, brain, spacing_mm, threads):
    """`brain` is the true one, or the program's for OUR_MASK."""
    mask = None if name == "foreground" else brain
    return n4(array, mask, spacing_mm, threads, STOPS.get(name, 0.0))
