"""`affwildnet train`: an experiment, one of its stages, or one fold of a cross-validation."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from affwildnet import experiments
from affwildnet.commands import backend, run_options
from affwildnet.device_flags import check_flags
from affwildnet.experiments.overrides import override
from affwildnet.runs import folds
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import preconditions
from tfrecords_tools.commands import Parser, Switch, corpus, run
from tfrecords_tools.errors import UserError

DESCRIPTION = """\
Train an experiment on a packed corpus. The same command goes on where a run was stopped, and so does --workdir alone.
An experiment with stages trains all of them in order, or with --stage one."""

EXAMPLES = """\
examples:
  {prog} --experiment=ijcv2019/affwildnet_vggface --data_dir=data/aff_wild --workdir=runs/aff_wild --gpu=0
  {prog} --experiment=ijcv2019/cnn_m --data_dir=data/aff_wild --workdir=runs/small --set training.batch_size=2
  {prog} --workdir=runs/small --set training.steps=200000      # goes on, for longer

Each fold of a cross-validation has a folder of its own in --workdir:
  python -m tfrecords_tools partition data/afew_va --folds=5 --output=data/afew_va/folds.json
  for i in 1 2 3 4 5; do
    {prog} --experiment=ijcv2019/afew_va_affwildnet --data_dir=data/afew_va --workdir=runs/afew_va --fold=$i
  done

On several devices (docs/guides/devices.md):
  {prog} --experiment=ijcv2019/cnn_m --data_dir=data/aff_wild --workdir=runs/cnn_m --devices=all"""


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet train") -> int:
    """Train; return the exit status."""
    return run(_parser(prog), _train, arguments)


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=DESCRIPTION, epilog=EXAMPLES.format(prog=prog), extra="set")
    add = parser.add_argument
    add("--experiment", metavar="NAME", help="`python -m affwildnet.experiments` lists them (default: the workdir's)")
    add("--data_dir", type=corpus, metavar="DIR", help="the packed corpus (default: the workdir's)")
    add("--workdir", type=Path, required=True, metavar="DIR", help="where checkpoints and logs go")
    add("--stage", default="", metavar="NAME", help="the one stage to train (default: all, in order)")
    add("--accept_data", action=Switch, help="go on although the training videos have changed; the reports say so")
    run_options.add_set(parser, "fields of the experiment", "training.batch_size=2 model.width=0.5")
    run_options.add_fold(parser)
    run_options.add_devices(parser)
    return parser


def _train(options: argparse.Namespace) -> int:
    backend.check()
    cluster = os.environ.get("TF_CONFIG", "")
    check_flags(options.gpu, options.devices, cluster)
    new, workdir = _run(options), Workdir(options.workdir)
    own = workdir.of_fold(new.fold.number) if new.fold else workdir
    if cluster:  # one worker may have begun to write before the others look
        preconditions.check_inputs(new, options.stage, alone=False)
    else:
        preconditions.check(new, own, options.stage, options.accept_data, alone=not options.devices)
    backend.start_tensorflow()
    from affwildnet.devices import choose_strategy

    strategy, description = choose_strategy(options.gpu, options.devices, cluster)
    print(description, flush=True)
    from affwildnet.training import train

    with strategy.scope():
        return train(new, own, options.stage, options.accept_data)


def _run(options: argparse.Namespace) -> Run:
    """Return the run that the options describe, or the one that is in the working directory where they name none."""
    if options.experiment is not None:
        if options.data_dir is None:
            raise UserError("`--data_dir` must name the packed corpus to train on. Received: none.")
        experiment = override(experiments.get(options.experiment), options.set)
        fold = folds.chosen(options.data_dir, options.fold, options.fold_file)
        return Run(experiment, options.data_dir, fold=fold)
    workdir = Workdir(options.workdir)
    if options.fold is not None:
        workdir = workdir.of_fold(options.fold)
    if not workdir.begun:
        raise UserError(f"`--experiment` must be given for a new run. Received: none, and no run in {workdir.path}.")
    held = workdir.open()
    if held.stage is not None:
        raise UserError(f"{workdir.path}: holds one stage. Name the working directory of all: {workdir.path.parent}.")
    return replace(held, experiment=override(held.experiment, options.set), data_dir=options.data_dir or held.data_dir)
