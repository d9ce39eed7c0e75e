"""The benchmarks' own arithmetic, on cases that can be worked out by hand: python3 -m unittest, from this folder."""

import math
import unittest

import history
import masks
import measure
import numpy
import repeat
import sink


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


class History(unittest.TestCase):
    FORMER = {"chain": [4.0, 5.0, 6.0]}

    def test_a_third_slower_is_flagged_and_less_is_not(self):
        self.assertEqual(len(history.worse(self.FORMER, {"chain": 3.8})), 1)
        self.assertEqual(history.worse(self.FORMER, {"chain": 3.9}), [])

    def test_what_is_new_is_not_worse(self):
        self.assertEqual(history.worse(self.FORMER, {"other": 0.1}), [])


if __name__ == "__main__":
    unittest.main()
