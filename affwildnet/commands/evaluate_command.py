"""`affwildnet evaluate`: a checkpoint with a report, or each new checkpoint beside the trainer."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.commands import backend, evaluate_outputs, run_options
from affwildnet.device_flags import check_flags
from affwildnet.evaluation import selection, waiting
from affwildnet.evaluation.reporting import submission_rules
from affwildnet.evaluation.selection import LEAST_RESAMPLES, Choices, Selected
from affwildnet.evaluation.watched_data import WatchedData
from affwildnet.experiments import window_rules
from affwildnet.runs import best
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.commands import Parser, Switch, corpus, real, run, whole
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import check_place, local_path
from tfrecords_tools.records import schema

if TYPE_CHECKING:
    import tensorflow as tf

DESCRIPTION = """\
Score a checkpoint of a run and write a report, or, with --watch, score each new checkpoint beside the trainer."""

EXAMPLES = """\
examples:
  {prog} --workdir=runs/aff_wild --watch --patience=10 --gpu=1
  {prog} --workdir=runs/aff_wild --split=test --checkpoint=best_mean --export=runs/aff_wild/saved_model
  {prog} --workdir=runs/aff_wild --split=test --against=runs/other --compare
  {prog} --workdir=runs/fused --fuse=runs/aff_wild,runs/other --split=test
  {prog} --workdir=runs/afew_va --split=test --all_folds"""

# The options of one of the two ways to evaluate.
_ONCE = (
    "export",
    "report",
    "overwrite",
    "compare",
    "checkpoint",
    "against",
    "all_folds",
    "fuse",
    "overlap",
    "carry_state",
    "set",
    "resamples",
    "predictions",
    "devices",
)
_WATCH = ("patience", "timeout")
# What is of one network, and cannot be of the networks of several folds.
_OF_ONE_NETWORK = ("fuse", "export")


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet evaluate") -> int:
    """Evaluate; return the exit status."""
    return run(_parser(prog), _evaluate, arguments)


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=DESCRIPTION, epilog=EXAMPLES.format(prog=prog))
    add = parser.add_argument
    add("--workdir", type=Path, required=True, metavar="DIR", help="the run's folder")
    add("--data_dir", type=corpus, metavar="DIR", help="the packed corpus (default: the one it was trained on)")
    add("--split", choices=schema.SPLITS, help="what to score (default: validation; with --all_folds test)")
    add(
        "--checkpoint",
        metavar="NAME",
        help="best_mean, best_valence, best_arousal, latest, or a .keras file (default: best_mean)",
    )
    add("--all_folds", action=Switch, help="score the folds that were trained in --workdir, each and together")
    add("--folds", action=run_options.Renamed, now="--all_folds")
    add(
        "--fuse",
        type=_folders,
        default=[],
        metavar="DIRS",
        help="runs whose networks are fused into a new one in --workdir, with commas between them",
    )
    watching = parser.add_argument_group("beside the trainer")
    add = watching.add_argument
    add("--watch", action=Switch, help="score each new checkpoint until the trainer has finished")
    add(
        "--patience",
        type=whole(least=0),
        metavar="N",
        help="stop the trainer after N checkpoints without a better mean CCC",
    )
    add(
        "--timeout",
        type=real(least=0),
        metavar="MINUTES",
        help="give up after so long without a new checkpoint (default: wait)",
    )
    scoring = parser.add_argument_group("scoring")
    add = scoring.add_argument
    add(
        "--overlap",
        type=whole(least=0),
        metavar="FRAMES",
        help="frames that two windows share; their predictions are averaged",
    )
    add(
        "--carry_state",
        action=Switch,
        default=None,
        help="carry the recurrent state from window to window, so that a video is one sequence",
    )
    run_options.add_set(scoring, "fields of evaluation", "evaluation.window=40")
    add(
        "--resamples",
        type=whole(least=0),
        metavar="N",
        help=f"bootstrap samples of the videos for the intervals, at least {LEAST_RESAMPLES}; 0 leaves them out "
        f"(default: {Choices.resamples})",
    )
    output = parser.add_argument_group("output")
    add = output.add_argument
    add("--compare", action=Switch, help="print the published rows beside the scores")
    add("--against", type=Path, metavar="DIR", help="another run, scored on the same frames, and the difference")
    add("--predictions", choices=submission_rules.NAMES, help="write the predictions too, in this format")
    add("--report", type=Path, metavar="FILE", help="a second place for the report's JSON")
    add("--export", type=Path, metavar="DIR", help="write the checkpoint's network as a SavedModel")
    add("--overwrite", action=Switch, help="let --export and --report replace an export or a report of something else")
    run_options.add_devices(parser)
    return parser


def _evaluate(options: argparse.Namespace) -> int:
    _check(options)
    workdir = Workdir(options.workdir)
    return _watch(workdir, options) if options.watch else _once(workdir, options)


def _watch(workdir: Workdir, options: argparse.Namespace) -> int:
    timeout = options.timeout or 0.0
    waiting.until_begun(workdir, timeout)
    run = workdir.open()
    waiting.check_trained(workdir, run)
    window_rules.check(run.experiment.evaluation)
    if not run.stages:
        workdir.check_free("watcher")
        workdir.check_scores()
        check_place(workdir.path)
        data = WatchedData(replace(run, data_dir=options.data_dir or run.data_dir), workdir, "validation")
        data.check(read_lines(workdir.metrics))
    _start(options)
    from affwildnet.evaluation.watching import watch

    return watch(workdir, options.data_dir, options.patience, timeout)


def _once(workdir: Workdir, options: argparse.Namespace) -> int:
    split = options.split or ("test" if options.all_folds else "validation")
    resamples = Choices.resamples if options.resamples is None else options.resamples
    checkpoint = best.MEAN if options.checkpoint is None else options.checkpoint
    choices = Choices(split, checkpoint, options.data_dir, _settings(options), resamples)
    against = Workdir(options.against) if options.against else None
    members = [Workdir(path) for path in options.fuse]
    _check_files(workdir, choices, against, members, options)
    choices = replace(choices, strategy=_start(options))
    if options.export:
        evaluate_outputs.check_export(workdir, choices.checkpoint, options)
    from affwildnet.evaluation import fused_run, scored_run

    if members:
        fused_run.fuse(members, workdir, choices)
        choices = replace(choices, checkpoint=best.MEAN)  # whatever it was made of
        evaluate_outputs.check([Selected(workdir, choices)], choices, options)
    outcome = (scored_run.folds if options.all_folds else scored_run.once)(workdir, choices, against)
    _show(outcome, options.compare)
    evaluate_outputs.write(outcome, options)
    return 0


def _start(options: argparse.Namespace) -> "tf.distribute.Strategy":
    """Load TensorFlow, print the devices, and return the strategy."""
    backend.start_tensorflow()
    from affwildnet.devices import choose_strategy

    strategy, description = choose_strategy(options.gpu, options.devices)
    print(description, flush=True)
    return strategy


def _settings(options: argparse.Namespace) -> list[str]:
    given = {"overlap": options.overlap, "carry_state": options.carry_state}
    return [*options.set, *(f"evaluation.{name}={value}" for name, value in given.items() if value is not None)]


def _check_files(
    workdir: Workdir, choices: Choices, against: Workdir | None, members: list[Workdir], options: argparse.Namespace
) -> None:
    """Raise a `UserError` for what is missing or wrong in working directories, corpora and places for the output."""
    if members:
        selection.check_fusion(members, workdir, choices.checkpoint)
    if against:
        selection.check_against(against, workdir)
    scored = [selection.checked(each, choices) for place in members or [workdir] for each in _networks(place, options)]
    if members:
        selection.check_members(scored)
    if against:
        chosen = replace(choices, checkpoint=best.MEAN) if members else choices
        others = [selection.checked(each, chosen) for each in _networks(against, options)]
        own = scored[:1] if members else scored  # members have one corpus
        selection.check_same_videos(*([each.corpus(choices.split) for each in side] for side in (own, others)))
    check_place(workdir.path)
    evaluate_outputs.check_places(options)
    if not members:
        evaluate_outputs.check(scored, choices, options)


def _networks(place: Workdir, options: argparse.Namespace) -> list[Workdir]:
    return selection.folds_in(place) if options.all_folds else [place]


def _check(options: argparse.Namespace) -> None:
    backend.check()
    check_flags(options.gpu, options.devices)
    selection.check_resamples(options.resamples or 0)
    if options.watch and options.split not in (None, "validation"):
        raise UserError(f"`--watch` chooses checkpoints, so `--split` must be validation. Received: {options.split}")
    for name in _given(options, _ONCE if options.watch else _WATCH):
        raise UserError(f"`--{name}` {'cannot be used with' if options.watch else 'needs'} `--watch`.")
    if options.all_folds:
        for name in _given(options, _OF_ONE_NETWORK):
            raise UserError(
                f"`--{name}` is of one network, and cannot be used with `--all_folds`, which scores several."
            )


def _folders(text: str) -> list[Path]:
    """Return folders that are written with commas between them: a type of `add_argument`."""
    names = text.split(",") if text else []
    if not all(names):
        raise argparse.ArgumentTypeError(f"must be folders with one comma between them. Received: {text}")
    return [local_path(name) for name in names]


def _given(options: argparse.Namespace, names: Sequence[str]) -> list[str]:
    return [name for name in names if getattr(options, name) != options.parser.get_default(name)]


def _show(outcome, compare: bool) -> None:
    from affwildnet.evaluation.reporting.score_tables import score_table

    report = outcome.report
    print(report.summary())
    for warning in report.corpus.warnings(report.split):
        print(f"Caution: {warning}")
    print(score_table(report, published=compare))
    for name, path in outcome.paths.items():
        print(f"{name:<12}{path}")
