"""python3 -m unittest, from this folder: the file of weights, and a head that is drawn from a map made here."""

import pathlib
import tempfile
import unittest

import draw
import geometry
import learn
import nibabel
import numpy
import prepare
import torch
import weights
from chance import Chance
from network import Network
from tissue import Tissue

COMMITTED = pathlib.Path(__file__).parents[2] / "src/ops/brain_net.q8"
AIR, WHITE, CORTEX, CEREBELLUM, FLUID, BONE, SOFT = 0, 2, 3, 8, 24, 515, 507


def head_of_balls():
    """Label map of concentric balls; the lower tenth of the brain is cerebellum."""
    x, y, z = numpy.ogrid[-60:60, -60:60, -60:60]
    radius = numpy.sqrt(x**2 + y**2 + z**2)
    labels = numpy.select([radius < n for n in (38, 42, 45, 50, 56)], [WHITE, CORTEX, FLUID, BONE, SOFT], AIR)
    labels[(radius < 42) & (z < -30)] = CEREBELLUM
    return labels


def save(labels, folder, number, side_mm=1):
    image = nibabel.Nifti1Image(labels.astype(numpy.int16), numpy.diag([side_mm, side_mm, side_mm, 1]))
    nibabel.save(image, prepare.label_path(folder, number))


class Weights(unittest.TestCase):
    def test_the_committed_weights_are_written_as_they_are_read(self):
        state = weights.read(COMMITTED)
        self.assertEqual(weights.pack([value.numpy() for value in state.values()]), COMMITTED.read_bytes())

    def test_a_weight_is_within_half_a_step_after_rounding(self):
        state = Network().state_dict()
        arrays = [value.numpy() for value in state.values()]
        for before, after in zip(arrays, weights.unpack(weights.pack(arrays), [a.shape for a in arrays])):
            steps = numpy.abs(before).reshape(len(before), -1).max(1) / weights.LARGEST
            error = numpy.abs(before - after).reshape(len(before), -1).max(1)
            self.assertTrue((error <= 0.501 * steps).all())

    def test_a_file_of_another_size_is_refused_with_both_sizes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "short.q8")
            path.write_bytes(COMMITTED.read_bytes()[:-1])
            with self.assertRaisesRegex(SystemExit, "short.q8.*expected [0-9]+ bytes of weights, found [0-9]+"):
                weights.read(path)


class Maps(unittest.TestCase):
    def test_absent_maps_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            save(head_of_balls(), folder, 1)
            with self.assertRaisesRegex(SystemExit, "1 of them are absent \\(training_seg_02.nii.gz\\)"):
                prepare.prepare_all(folder, (1, 2), pathlib.Path(folder, "maps"))

    def test_a_damaged_map_and_voxels_of_another_size_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            prepare.label_path(folder, 1).write_bytes(b"no image")
            with self.assertRaisesRegex(SystemExit, "training_seg_01.*could not read it"):
                prepare.prepare_all(folder, (1,), pathlib.Path(folder, "maps"))
            save(head_of_balls(), folder, 2, side_mm=2)
            with self.assertRaisesRegex(SystemExit, "training_seg_02.*axes of 1 mm"):
                prepare.prepare_all(folder, (2,), pathlib.Path(folder, "maps"))


class Drawing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            save(head_of_balls(), folder, 1)
            paths = prepare.prepare_all(folder, (1,), pathlib.Path(folder, "maps"))
            cls.head = geometry.load(paths[1])

    def test_the_surface_is_where_the_brain_ends(self):
        middle = [int(c) // 2 for c in self.head.centre]
        row = self.head.distance_mm[0, 0, :, middle[1], middle[2]].numpy()
        width_mm = 2 * float((row < 0).sum())
        self.assertAlmostEqual(width_mm, 2 * 42, delta=4)

    def test_an_infants_skull_is_thin_and_its_fluid_narrow(self):
        as_is, infant = self.head.variants[0], self.head.variants[prepare.VARIANTS.index("infant")]
        for kinds in ((Tissue.BONE, Tissue.MARROW), (Tissue.FLUID, Tissue.DURA)):
            before, after = (sum(int((variant == kind).sum()) for kind in kinds) for variant in (as_is, infant))
            self.assertLess(after, 0.95 * before)

    def test_the_same_seed_draws_the_same_sample(self):
        first, again, other = (draw.draw(Chance(seed), [self.head]) for seed in (1, 1, 2))
        self.assertTrue(torch.equal(first.image, again.image))
        self.assertFalse(torch.equal(first.image, other.image))

    def test_images_are_within_their_range_and_have_a_brain(self):
        chance = Chance(3)
        samples = [draw.draw(chance, [self.head]) for _ in range(8)]
        for sample in samples:
            self.assertTrue(bool(((sample.image >= 0) & (sample.image <= 2)).all()))
            self.assertEqual(tuple(sample.distance_mm.shape), (48, 64, 64))
        self.assertTrue(any(int((s.distance_mm < 0).sum()) > 500 for s in samples))

    def test_mirrored_blocks_are_those_of_the_mirrored_image(self):
        image = torch.rand(geometry.WINDOW)
        self.assertTrue(torch.equal(learn.mirror(draw.split_blocks(image)), draw.split_blocks(image.flip(0))))

    def test_the_loss_is_least_for_the_true_distance_and_ignores_what_is_out_of_view(self):
        true_mm = draw.draw(Chance(4), [self.head]).distance_mm[None, None].clamp(-20, 20)
        seen = torch.zeros_like(true_mm)
        seen[:, :, :, :, 32:] = 1
        wrong = true_mm / 10 + 0.1
        unseen_wrong = torch.where(seen > 0, true_mm / 10, wrong)
        losses = [float(learn.loss_of(answer, true_mm, seen)) for answer in (true_mm / 10, unseen_wrong, wrong)]
        self.assertEqual(losses[0], losses[1])
        self.assertLess(losses[0], losses[2])


if __name__ == "__main__":
    unittest.main()
