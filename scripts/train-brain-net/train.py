#!/usr/bin/env python3
"""Train the brain network of src/ops/brain_net.c on images drawn from label maps. For developers only; see README.md beside it.

OUT then holds
  maps/           prepared label maps (prepare.py), used again by a later run
  network.pt      the weights so far: `mean`, the running average that is kept, and `last`
  brain_net.q8    the weights in the format that the program holds
"""

import argparse
import pathlib

N_MAPS = 20
JUDGING = (4, 17)  # maps that judge and never train
MINUTES = 200
SEED = 11
RATE, RATE_ON = 2e-3, 6e-4  # from chance weights; from weights that were trained


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("labels", metavar="LABELS_DIR", type=pathlib.Path, help="folder with training_seg_01.nii.gz to training_seg_20.nii.gz")
    add("out", metavar="OUT", type=pathlib.Path, help="folder for what is made")
    add("--start", metavar="WEIGHTS", type=pathlib.Path, help="go on from a .q8 file or a network.pt instead of chance weights")
    add("--minutes", type=float, default=MINUTES, help="time to train, preparation not counted (default: %(default)s)")
    add("--rate", type=float, help=f"highest learning rate (default: {RATE:g}, with --start {RATE_ON:g})")
    add("--bfloat16", action="store_true", help="compute in bfloat16: a quarter of the time where the processor has it (AMX), else far slower")
    add("--seed", type=int, default=SEED, help="of what is drawn and of the first weights (default: %(default)s)")
    add("--maps", metavar="NUMBER", type=int, nargs="+", default=range(1, N_MAPS + 1), help="maps to take (default: 1 to 20)")
    options = parser.parse_args()
    check(parser, options)
    return options


def check(parser, options):
    """Leave with a message when the options do not go together; set the rate when none was given."""
    if options.rate is None:
        options.rate = RATE_ON if options.start else RATE
    for name in ("minutes", "rate"):
        if not getattr(options, name) > 0:
            parser.error(f"--{name}: expected more than 0, found {getattr(options, name):g}")
    if not set(options.maps) & set(JUDGING) or set(options.maps) <= set(JUDGING):
        parser.error(f"--maps: expected 4 or 17, which judge, and at least one other, which trains; found {list(options.maps)}")
    if options.start and not options.start.is_file():
        parser.error(f"--start: '{options.start}': expected a file of weights, found none")


def main():
    options = parse()
    try:  # after the options, so that --help works without these packages
        import learn
        import prepare
        import weights
    except ModuleNotFoundError as error:
        raise SystemExit(f"train.py: the Python package '{error.name}' is absent; see README.md beside train.py") from error
    start = weights.read(options.start) if options.start else None
    paths = prepare.prepare_all(options.labels, options.maps, options.out / "maps")
    training = [path for number, path in paths.items() if number not in JUDGING]
    judging = [path for number, path in paths.items() if number in JUDGING]
    learn.learn(training, judging, start, options)
    print(f"{options.out / 'brain_net.q8'}: written")


if __name__ == "__main__":
    main()
