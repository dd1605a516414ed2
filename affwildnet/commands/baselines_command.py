"""`affwildnet baselines`: SIFT with an SVR, and CNN-M, trained and scored on a packed corpus."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from affwildnet.baselines import baseline_experiments
from affwildnet.commands import backend, run_options
from affwildnet.data.corpus import Corpus
from affwildnet.runs import folds
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import preconditions
from tfrecords_tools.commands import Names, Parser, corpus, run, whole
from tfrecords_tools.files import check_place
from tfrecords_tools.records import schema

DESCRIPTION = "Train the baselines on a packed corpus, score them, and write a report of each."

EXAMPLES = """\
example:
  {prog} --data_dir=data/aff_wild --workdir=runs/baselines"""

NAMES = ("sift_svr", "cnn_m")


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet baselines") -> int:
    """Train and score; return the exit status."""
    return run(_parser(prog), _baselines, arguments)


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=DESCRIPTION, epilog=EXAMPLES.format(prog=prog), extra="set")
    add = parser.add_argument
    add("--data_dir", type=corpus, required=True, metavar="DIR", help="the packed corpus")
    add(
        "--workdir",
        type=Path,
        required=True,
        metavar="DIR",
        help="where the baselines go, each in a folder of its name",
    )
    add(
        "--only",
        action=Names,
        names=NAMES,
        default=[*NAMES],
        metavar="NAMES",
        help=f"which: {','.join(NAMES)} (default: both)",
    )
    add("--split", choices=schema.SPLITS, default="test", help="what is scored (default: test)")
    add(
        "--svr_frames",
        type=whole(least=2),
        default=4000,
        metavar="N",
        help="frames of the training split that the SVR is fitted on, at most (default: 4000)",
    )
    run_options.add_set(parser, "fields of the experiment of CNN-M", "training.steps=2000")
    run_options.add_fold(parser)
    run_options.add_gpu(parser)
    return parser


def _baselines(options: argparse.Namespace) -> None:
    backend.check()
    data_dir, workdir = options.data_dir, options.workdir
    fold = folds.chosen(data_dir, options.fold, options.fold_file)
    svr = Run(baseline_experiments.SIFT_SVR, data_dir, fold=fold)
    cnn = Run(baseline_experiments.cnn_m(data_dir, options.set), data_dir, fold=fold)
    check_place(workdir)
    for split in ("train", "validation", options.split):
        Corpus.open(data_dir, split, fold=fold)
    if "cnn_m" in options.only:
        preconditions.check(cnn, Workdir(workdir / "cnn_m"))
    backend.start_tensorflow()
    from affwildnet.devices import choose_device

    print(choose_device(options.gpu), flush=True)
    from affwildnet.baselines import baseline_runs

    reports = {}
    if "sift_svr" in options.only:
        settings = baseline_runs.Settings(frames=options.svr_frames)
        reports["SIFT + SVR"] = baseline_runs.sift_svr(svr, workdir / "sift_svr", options.split, settings)
    if "cnn_m" in options.only:
        reports["CNN-M"] = baseline_runs.cnn_m(cnn, workdir / "cnn_m", options.split)
    print(baseline_runs.table(reports))
