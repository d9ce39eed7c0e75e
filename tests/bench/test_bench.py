"""The benchmarks' own arithmetic, on cases that can be worked out by hand: python3 -m unittest, from this folder."""

import math
import unittest

import drawn_heads
import history
import masks
import measure
import numpy
import repeat
import sheet
import sink
import still_heads
import truth


def ball(radius, n=40, middle=20):
    x, y, z = numpy.ogrid[:n, :n, :n]
    return (x - middle) ** 2 + (y - middle) ** 2 + (z - middle) ** 2 <= radius**2


class Masks(unittest.TestCase):
    def test_dice_of_halves(self):
        a = numpy.zeros((4, 1, 1), bool)
        b = a.copy()
        a[:2], b[1:3] = True, True
        self.assertEqual(measure.dice(a, b), 0.5)

    def test_distance_of_concentric_balls_is_the_difference_of_their_radii(self):
        self.assertAlmostEqual(measure.hd95_mm(ball(10), ball(13), (1, 1, 1)), 3, delta=0.5)  # voxels are not round
        self.assertAlmostEqual(measure.hd95_mm(ball(10), ball(13), (2, 2, 2)), 6, delta=1)
        self.assertEqual(measure.hd95_mm(ball(10), ball(10), (1, 1, 1)), 0)

    def test_a_summary_counts_what_has_no_mask(self):
        good, none = (masks.Score(d, 1, v, 1, 1, None) for d, v in ((0.9, 1400), (0, 0)))
        self.assertEqual(masks.summary([good, none]), "0.900 (0.900), 1 of 2 without")

    def test_an_empty_mask_is_infinitely_far(self):
        self.assertEqual(measure.hd95_mm(ball(10), ball(10) & False, (1, 1, 1)), math.inf)


class Fields(unittest.TestCase):
    def test_a_field_has_its_range_and_mean_and_depends_on_its_seed(self):
        brain = ball(15)
        for kind in measure.FIELDS:
            field = measure.log_field(kind, 40, 1, brain, (3, 3, 3))
            self.assertAlmostEqual(float(numpy.exp(field[brain].max() - field[brain].min())), 1.2 / 0.8, places=3)
            self.assertAlmostEqual(float(field[brain].mean()), 0, places=5)
            self.assertTrue((field == measure.log_field(kind, 40, 1, brain, (3, 3, 3))).all())
            self.assertFalse((field == measure.log_field(kind, 40, 2, brain, (3, 3, 3))).all())

    def test_a_shifted_field_has_no_residual(self):
        brain = ball(15)
        field = measure.log_field("coils", 20, 3, brain, (3, 3, 3))
        self.assertAlmostEqual(measure.residual_sd(field + 5, field, brain), 0, places=5)

    def test_rician_noise_of_an_empty_image_has_the_mean_of_rayleigh(self):
        noise = measure.rician(numpy.zeros((60, 60, 60), numpy.float32), 10, 1)
        self.assertAlmostEqual(float(noise.mean()), 10 * math.sqrt(math.pi / 2), delta=0.1)


class Modes(unittest.TestCase):
    def test_two_tissues_have_two_modes(self):
        random = numpy.random.default_rng(1)
        grey, white = repeat.tissue_modes(numpy.concatenate([random.normal(5, 1, 50000), random.normal(10, 1, 50000)]))
        self.assertAlmostEqual(grey, 5, delta=0.2)
        self.assertAlmostEqual(white, 10, delta=0.2)


class Spans(unittest.TestCase):
    def test_the_sink_counts_spans_and_nothing_else(self):
        part = lambda number, body: bytes([number << 3 | 2, len(body)]) + body
        span = part(1, b"0123456789abcdef") + b"\x39" + bytes(8) + b"\x30\x01" + b"\x85\x01" + bytes(4)
        scope = part(1, b"scope") + part(2, span) + part(2, b"") + part(3, b"url")
        request = part(1, part(1, part(2, b"resource")) + part(2, scope) + part(2, part(2, span)) + part(3, b"url"))
        self.assertEqual(sink.spans_in(request + request), 6)
        self.assertEqual(sink.spans_in(b""), 0)


class DrawnHeads(unittest.TestCase):
    def test_averaging_keeps_the_mean_and_the_extent(self):
        line = numpy.arange(12, dtype=numpy.float32)
        thick = drawn_heads.averaging(12, 1, 3) @ line
        self.assertEqual(thick.tolist(), [1, 4, 7, 10])
        self.assertEqual(len(drawn_heads.averaging(12, 0.6, 1)), 7)

    def test_the_brain_closes_narrow_sulci_and_leaves_wide_fluid(self):
        labels = numpy.zeros((60, 60, 60), numpy.int16)
        labels[4:56, 4:56, 4:56] = truth.FLUID
        labels[15:45, 15:45, 15:45] = 3
        labels[28:32, 15:45, 30:45] = truth.FLUID
        labels[20:40, 20:40, 15:20] = 8
        brain = truth.brains(labels)[8]
        self.assertTrue(brain[30, 30, 38])
        self.assertFalse(brain[30, 30, 50])
        self.assertFalse(brain[:, :, :15].any())

    def test_kinds_have_names_of_their_own_and_use_the_maps_for_judging(self):
        names = [kind.name for kind in drawn_heads.KINDS]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({kind.map for kind in drawn_heads.KINDS}, {4, 17})
        self.assertLessEqual(set(drawn_heads.BEFORE), set(names))


class StillHeads(unittest.TestCase):
    def test_what_is_moved_takes_its_mask_along(self):
        mask = ball(10, middle=14)
        for change in ("turned 10° about z", "shifted half a voxel", "size 0.9", "30 mm of zeros"):
            image, carried = still_heads.CHANGES[change](mask.astype(numpy.float32), mask, (1, 1, 2))
            self.assertGreater(measure.dice(image >= 0.5, carried), 0.999)
        self.assertLess(measure.dice(still_heads.CHANGES["turned 10° about z"](mask * 1.0, mask, (1, 1, 1))[1], mask), 0.95)

    def test_a_turn_is_a_turn_in_millimetres(self):
        for spacing_mm in ((1, 1, 1), (0.8, 0.8, 6)):
            matrix = still_heads.turned(10, 0)(spacing_mm)
            in_mm = numpy.diag(spacing_mm) @ matrix @ numpy.linalg.inv(numpy.diag(spacing_mm))
            self.assertTrue(numpy.allclose(in_mm @ in_mm.T, numpy.eye(3)))

    def test_volume_and_overlap_must_both_hold(self):
        still = still_heads.Still("head", "change", False, 0.99, 1.0, "success")
        self.assertTrue(still_heads.held(still))
        self.assertFalse(still_heads.held(still._replace(volume_change=-3)))
        self.assertFalse(still_heads.held(still._replace(dice=0.98)))
        self.assertTrue(still_heads.held(still._replace(dice=0.98, thick=True)))


class Sheet(unittest.TestCase):
    """An image of a voxel of 1 × 1 × 2 mm; the reference is one voxel larger on one side, in the slice x = 20."""

    def tile(self, axis):
        mask = ball(10)
        reference = mask.copy()
        reference[20, 31, 18:23] = True
        return sheet.tile(numpy.zeros(mask.shape, numpy.float32), mask, reference, numpy.array([1, 1, 2.0]), axis)

    def test_the_slice_is_the_one_that_differs_most_and_both_outlines_are_there(self):
        made = self.tile(0)
        self.assertEqual(made.shape, (sheet.TILE, sheet.TILE))
        for what in sheet.OUTLINES.values():
            self.assertGreater(int((made == what).sum()), 1)

    def test_millimetres_are_as_long_in_both_directions(self):
        rows, columns = numpy.nonzero(self.tile(0) == sheet.OUTLINES["both"])
        per_mm = sheet.TILE / 80  # 40 voxels of 2 mm are the longer side
        self.assertAlmostEqual((rows.max() - rows.min()) / per_mm, 42, delta=4)
        self.assertAlmostEqual((columns.max() - columns.min()) / per_mm, 20, delta=3)

    def test_a_plane_in_which_nothing_differs_has_white_outlines_alone(self):
        made = sheet.tile(numpy.zeros((40, 40, 40), numpy.float32), ball(10), ball(10), numpy.ones(3), 1)
        self.assertEqual(int((made == sheet.OUTLINES["mask"]).sum() + (made == sheet.OUTLINES["reference"]).sum()), 0)


class History(unittest.TestCase):
    FORMER = {"chain": [4.0, 5.0, 6.0]}

    def test_a_third_slower_is_flagged_and_less_is_not(self):
        self.assertEqual(len(history.worse(self.FORMER, {"chain": 3.8})), 1)
        self.assertEqual(history.worse(self.FORMER, {"chain": 3.9}), [])

    def test_what_is_new_is_not_worse(self):
        self.assertEqual(history.worse(self.FORMER, {"other": 0.1}), [])


if __name__ == "__main__":
    unittest.main()
