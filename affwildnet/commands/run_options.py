"""The options that several commands share: the fields of an experiment, the fold, the devices."""

import argparse

from tfrecords_tools.commands import Parser, corpus, whole

FIELDS = "`python -m affwildnet.experiments --fields` lists them"


def add_set(parser: Parser, what: str, example: str) -> None:
    """Add `--set`, a list of `field=value`.

    Args:
      what: which fields.
      example: of one.
    """
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help=f"override {what}, such as {example}; {FIELDS}",
    )


def add_fold(parser: Parser) -> None:
    """Add `--fold` and `--fold_file`, for `affwildnet.runs.folds.chosen`."""
    group = parser.add_argument_group("cross-validation")
    group.add_argument(
        "--fold", type=whole(least=1), metavar="N", help="the fold, from 1 on (default: the corpus's own splits)"
    )
    group.add_argument(
        "--fold_file",
        type=corpus,
        metavar="FILE",
        help="with --fold: where the folds are (default: folds.json in --data_dir)",
    )
    group.add_argument("--folds", action=Renamed, now="--fold_file=FILE")


def add_gpu(parser: Parser) -> argparse._ArgumentGroup:
    """Add `--gpu`; return the group, for more options of the kind."""
    group = parser.add_argument_group("device")
    group.add_argument(
        "--gpu",
        type=whole(least=-1),
        metavar="N",
        help="number of the GPU; -1 is the CPU (default: the first GPU, if any)",
    )
    return group


def add_devices(parser: Parser) -> None:
    """Add `--gpu` and `--devices`, for `affwildnet.devices.choose_strategy`."""
    add_gpu(parser).add_argument(
        "--devices",
        default="",
        metavar="LIST",
        help="several devices at once: all, the GPUs 0,1, or, to try it out, cpu:2",
    )


class Renamed(argparse.Action):
    """A flag of earlier versions: an error that says which has taken its place."""

    def __init__(self, option_strings: list[str], dest: str, now: str):
        super().__init__(
            option_strings, argparse.SUPPRESS, nargs="?", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        self._now = now

    def __call__(self, parser, namespace, values, option_string=None):
        raise argparse.ArgumentError(self, f"is now `{self._now}`.")
